// From the first instruction to Rust: one core, exception level 1, floating point on, a stack, zeroed memory.

.section .text.boot, "ax"
.globl _start
_start:
    mrs     x0, mpidr_el1               // the other cores, if there are any, sleep
    and     x0, x0, #0xff
    cbnz    x0, park

    mrs     x0, CurrentEL               // bits [3:2]; a hypervisor-capable machine starts at level 2
    cmp     x0, #(2 << 2)
    b.ne    level1

    mov     x0, #(1 << 31)              // HCR_EL2.RW: level 1 is 64-bit
    msr     hcr_el2, x0
    mov     x0, #0x33ff                 // CPTR_EL2: its reserved ones, and no trap of floating point
    msr     cptr_el2, x0
    msr     cntvoff_el2, xzr
    mov     x0, #0x0800                 // SCTLR_EL1: its reserved ones, MMU and caches off
    movk    x0, #0x30d0, lsl #16
    msr     sctlr_el1, x0
    mov     x0, #0x3c5                  // SPSR_EL2: level 1 with its own stack, interrupts masked
    msr     spsr_el2, x0
    adr     x0, level1
    msr     elr_el2, x0
    eret

level1:
    mov     x0, #(3 << 20)              // CPACR_EL1.FPEN: no trap of floating point
    msr     cpacr_el1, x0
    adrp    x0, vectors
    add     x0, x0, :lo12:vectors
    msr     vbar_el1, x0
    isb
    adrp    x0, __stack_top             // page-aligned, as are the bounds of .bss to 16
    mov     sp, x0

    adrp    x0, __bss_start
    add     x0, x0, :lo12:__bss_start
    adrp    x1, __bss_end
    add     x1, x1, :lo12:__bss_end
zero:
    cmp     x0, x1
    b.hs    stack
    stp     xzr, xzr, [x0], #16
    b       zero

stack:                                  // painted, so that its deepest use can be found: see stack.rs
    adrp    x0, __stack_bottom
    adrp    x1, __stack_top
    mov     x2, #0xcccccccccccccccc
paint:
    stp     x2, x2, [x0], #16
    cmp     x0, x1
    b.lo    paint
    bl      rust_main
park:
    wfe
    b       park

// Every exception is a fault here: nothing enables an interrupt.
.balign 2048
vectors:
.rept 16
    mrs     x0, esr_el1
    mrs     x1, elr_el1
    mrs     x2, far_el1
    b       rust_fault
    .balign 128
.endr
