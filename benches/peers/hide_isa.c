/* Makes one process believe that its processor ends at AVX-512 or at AVX2, so that a library which asks `cpuid` takes
 * those kernels. Linux can let `cpuid` fault (arch_prctl); the handler runs it, masks the answer and steps over it.
 * Needs a processor, and under a hypervisor the hypervisor's consent, for cpuid faulting. x86-64 Linux only. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { ARCH_SET_CPUID = 0x1012 };

static long faulting(int on) { return syscall(SYS_arch_prctl, ARCH_SET_CPUID, !on); }

static struct sigaction previous;
static int avx512_too;

static void on_fault(int signal, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *at = (const uint8_t *)registers[REG_RIP];
    if (at[0] != 0x0f || at[1] != 0xa2) { /* not cpuid: a fault of the program's own */
        sigaction(signal, &previous, 0);
        return;
    }
    uint32_t leaf = registers[REG_RAX], a = leaf, b, c = registers[REG_RCX], d, sub = c;
    faulting(0);
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    faulting(1);
    if (leaf == 7 && sub == 0) {
        d &= ~(1u << 22 | 3u << 24); /* AMX: BF16, TILE, INT8 */
        if (avx512_too) {
            b &= ~(1u << 16 | 1u << 17 | 1u << 21 | 3u << 26 | 1u << 28 | 3u << 30); /* F DQ IFMA PF ER CD BW VL */
            c &= ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14);              /* VBMI VBMI2 VNNI BITALG VPOPCNTDQ */
            d &= ~(3u << 2 | 1u << 8 | 1u << 23);                                    /* 4VNNIW 4FMAPS VP2INTERSECT FP16 */
        }
    } else if (leaf == 7 && sub == 1) {
        a &= ~(1u << 21);                      /* AMX-FP16 */
        d &= ~(1u << 8);                       /* AMX-COMPLEX */
        if (avx512_too) {
            a &= ~(1u << 4 | 1u << 5 | 1u << 23);   /* AVX-VNNI, AVX512-BF16, AVX-IFMA */
            d &= ~(1u << 4 | 1u << 5 | 1u << 10);   /* AVX-VNNI-INT8, AVX-NE-CONVERT, AVX-VNNI-INT16 */
        }
    }
    registers[REG_RAX] = a;
    registers[REG_RBX] = b;
    registers[REG_RCX] = c;
    registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

/* Hides AMX, and with `avx512` not 0 everything after AVX2 too, from this thread and those it starts. 0 if it worked. */
int hide_isa(int avx512) {
    struct sigaction action = {0};
    avx512_too = avx512;
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    if (sigaction(SIGSEGV, &action, &previous) != 0) return -1;
    return faulting(1) == 0 ? 0 : -1;
}
