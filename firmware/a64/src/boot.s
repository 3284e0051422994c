// From the first instruction to Rust, on every core: exception level 1, floating point on, a stack.
//
// The machine's linker script gives __bss_start, __bss_end (to 64 bytes), __stack_top (to a page) and room for
// __stack_bytes below it for each core.

.section .text.boot, "ax"

// Where the first core begins; the others, if they come here at all, sleep.
.globl _start
_start:
    bl      core_number
    cbnz    x0, park
    mov     x20, #0                     // not woken by another core
    b       any_core

// Where a core begins that another one has woken.
.globl _start_other
_start_other:
    mov     x20, #1

any_core:
    mrs     x0, CurrentEL               // bits [3:2]; a hypervisor-capable machine starts at level 2
    lsr     x21, x0, #2
    cmp     x21, #2
    b.ne    level1

    mov     x0, #(1 << 31)              // HCR_EL2.RW: level 1 is 64-bit
    msr     hcr_el2, x0
    mov     x0, #0x33ff                 // CPTR_EL2: its reserved ones, and no trap of floating point
    msr     cptr_el2, x0
    mrs     x0, pmcr_el0                // MDCR_EL2: all event counters belong to level 1, none traps
    ubfx    x0, x0, #11, #5
    msr     mdcr_el2, x0
    mov     x0, #3                      // CNTHCTL_EL2: level 1 reads the physical timer
    msr     cnthctl_el2, x0
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

    bl      core_number                 // each core's stack lies below that of the one before
    adrp    x1, __stack_top
    ldr     x2, =__stack_bytes
    msub    x1, x0, x2, x1
    mov     sp, x1
    cbnz    x20, other

    adrp    x0, __bss_start
    add     x0, x0, :lo12:__bss_start
    adrp    x1, __bss_end
    add     x1, x1, :lo12:__bss_end
zero:
    cmp     x0, x1
    b.hs    first
    stp     xzr, xzr, [x0]
    stp     xzr, xzr, [x0, #16]
    stp     xzr, xzr, [x0, #32]
    stp     xzr, xzr, [x0, #48]
    dc      ivac, x0                    // a line that earlier software left in a cache must not hide the zeros
    add     x0, x0, #64
    b       zero

first:                                  // this core's stack is painted, to find its deepest use: see stack.rs
    mov     x1, sp
    ldr     x2, =__stack_bytes
    sub     x0, x1, x2
    mov     x2, #0xcccccccccccccccc
paint:
    stp     x2, x2, [x0]
    dc      ivac, x0
    add     x0, x0, #16
    cmp     x0, x1
    b.lo    paint
    mov     x0, x21                     // the level it was entered at
    bl      machine_main
    b       park
other:
    bl      machine_other
park:
    wfe
    b       park

// x0: the number of this core, from 0. Changes nothing else.
core_number:
    mrs     x0, mpidr_el1
    tbz     x0, #24, 1f                 // bit 24: the lowest level counts threads of a core, the next one cores
    lsr     x0, x0, #8
1:  and     x0, x0, #0xff
    ret

// Every exception is a fault here: nothing enables an interrupt. The handler gets the number of its entry.
.balign 2048
vectors:
.set entry, 0
.rept 16
    mov     x0, #entry
    mrs     x1, esr_el1
    mrs     x2, elr_el1
    mrs     x3, far_el1
    b       a64_exception
    .balign 128
    .set entry, entry + 1
.endr
