/* Without an operating system: the model lies in memory at MODEL, lines go out by semihosting. On a board of yours, print to
 * the serial port, and feed the watchdog in between_slices. */
#include <stdint.h>

#include "answers.h"
#include "distil.h"

/* mps2-an500, mps3-an547: external memory. A board has flash that is mapped there. */
#define MODEL ((const void *)0x60000000)
#define MODEL_ROOM ((size_t)12 << 20)

/* In .bss: the start-up code makes it zero, but the library does not need that. */
static _Alignas(DISTIL_ALIGNMENT) unsigned char buffer[320 << 10];

void semihosting_write(const char *text);
_Noreturn void semihosting_exit(int code);

static void print(const char *line) {
    semihosting_write(line);
    semihosting_write("\n");
}

static void feed_watchdog(void) {
}

static void on_panic(const char *message) {
    print(message);
    semihosting_exit(101);
}

int main(void) {
    distil_set_panic_hook(on_panic);
    return answers(MODEL, MODEL_ROOM, buffer, sizeof buffer, print, feed_watchdog);
}
