/* Start-up of a Cortex-M with a float unit: vectors, float unit on, memory, main, and semihosting. Zephyr, an RTOS or a
 * vendor's SDK has its own; nothing here is needed then. */
#include <stdint.h>

extern uint32_t data_start, data_end, data_load, bss_start, bss_end, stack_top;

int main(void);
_Noreturn void reset(void);
void semihosting_write(const char *text);
_Noreturn void semihosting_exit(int code);

static intptr_t semihosting(intptr_t operation, const void *argument) {
    register intptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt #0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void semihosting_write(const char *text) {
    semihosting(0x04, text);
}

_Noreturn void semihosting_exit(int code) {
    /* SYS_EXIT_EXTENDED, ADP_Stopped_ApplicationExit. */
    const intptr_t argument[2] = {0x20026, code};
    semihosting(0x20, argument);
    for (;;) {
    }
}

static _Noreturn void fault(void) {
    semihosting_exit(102);
}

_Noreturn void reset(void) {
    /* CPACR: coprocessors 10 and 11, float unit and Helium. */
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    for (uint32_t *to = &data_start, *from = &data_load; to < &data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = &bss_start; to < &bss_end;) {
        *to++ = 0;
    }
    semihosting_exit(main());
}

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*handlers[15])(void);
} VECTORS = {&stack_top, {reset, fault, fault, fault, fault, fault}};
