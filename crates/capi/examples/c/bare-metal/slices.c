/* Measures opening in slices: how many steps, and the longest, in instructions. For an emulator that counts a nanosecond for each
 * instruction; the system timer of mps3-an547 runs at 32 MHz, so a tick is 31.25 of them. */
#include <stdint.h>

#include "distil.h"

#define MODEL ((const void *)0x60000000)
#define MODEL_ROOM ((size_t)256 << 20)

#define TIMER ((volatile uint32_t *)0xE000E010)
#define TOP 0xFFFFFFu

void semihosting_write(const char *text);
_Noreturn void semihosting_exit(int code);

static void number(const char *before, uint64_t value) {
    char digits[24];
    char *at = digits + sizeof digits;
    *--at = 0;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    semihosting_write(before);
    semihosting_write(at);
}

/* The timer counts down and starts over. */
static uint64_t instructions(uint32_t before) {
    return (uint64_t)((before - TIMER[2]) & TOP) * 125 / 4;
}

static int measure(size_t len, size_t slice) {
    static distil_opening opening;
    static distil_model model;
    uint64_t longest = 0, all = 0, steps = 0, second = 0;
    uint32_t before = TIMER[2];
    distil_status status = distil_opening_start(DISTIL_ABI_VERSION, MODEL, len, &opening);
    number("start: ", instructions(before));
    do {
        before = TIMER[2];
        status = distil_opening_step(&opening, slice, &model);
        uint64_t took = instructions(before);
        all += took;
        steps++;
        if (took > longest) {
            second = longest;
            longest = took;
        } else if (took > second) {
            second = took;
        }
    } while (status == DISTIL_MORE);
    number(", slices of ", slice);
    number(": steps ", steps);
    number(", longest ", longest);
    number(", next ", second);
    number(", all ", all);
    semihosting_write(" instructions\n");
    return status;
}

int main(void) {
    static const size_t SLICES[] = {1024, 4096, 16384, 65536};
    size_t len = 0;
    TIMER[1] = TOP;
    TIMER[2] = 0;
    TIMER[0] = 5;
    distil_status status = distil_file_len(MODEL, MODEL_ROOM, &len);
    number("file: ", len);
    semihosting_write(" bytes\n");
    for (size_t i = 0; status == DISTIL_OK && i < sizeof SLICES / sizeof SLICES[0]; i++) {
        status = measure(len, SLICES[i]);
    }
    return status;
}
