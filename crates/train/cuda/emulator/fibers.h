// Switching between the stacks of one thread. On x86-64 a few instructions, elsewhere the C library's way, which takes two system
// calls each time.
#pragma once
#include <cstdint>
#include <vector>

#ifdef __x86_64__

struct Context {
    void *stack;
};

// Saves what a called function must keep, changes stacks, and returns where the other context was left.
extern "C" void emulator_switch(void **save, void *load);
asm(R"(
.text
.globl emulator_switch
.type emulator_switch, @function
emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulator_switch, .-emulator_switch
)");

inline void switch_context(Context &from, Context &to) { emulator_switch(&from.stack, to.stack); }

inline void make_context(Context &context, std::vector<uint8_t> &stack, void (*body)()) {
    uintptr_t top = reinterpret_cast<uintptr_t>(stack.data() + stack.size()) / 16 * 16;
    // Six registers, the address to return to, and one for alignment as after a call.
    void **frame = reinterpret_cast<void **>(top) - 8;
    for (int i = 0; i < 8; i++) frame[i] = nullptr;
    frame[6] = reinterpret_cast<void *>(body);
    context.stack = frame;
}

#else
#include <ucontext.h>

struct Context {
    ucontext_t inner;
};

inline void switch_context(Context &from, Context &to) { swapcontext(&from.inner, &to.inner); }

inline void make_context(Context &context, std::vector<uint8_t> &stack, void (*body)()) {
    getcontext(&context.inner);
    context.inner.uc_stack.ss_sp = stack.data();
    context.inner.uc_stack.ss_size = stack.size();
    context.inner.uc_link = nullptr;
    makecontext(&context.inner, body, 0);
}
#endif
