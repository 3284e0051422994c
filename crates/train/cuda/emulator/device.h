// CUDA's language and the few functions that the kernels use, for a C++ compiler: a way to run the kernels without a GPU.
//
// The threads of a block are fibers of one thread, taken in turn and switched at barriers only. So a thread runs far ahead of
// its neighbours wherever no barrier stops it, and a missing barrier gives wrong results instead of lucky ones. Shared memory is
// static memory, poisoned before each block. Blocks run one after another.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
// A section of its own, so that the driver can poison it. (Compilers want all its users to be templates or inline.)
#define __shared__ static __attribute__((section("cuda_shared")))

struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) uint4 { uint32_t x, y, z, w; };
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) { return {x, y, z, w}; }

struct Index { uint32_t x, y, z; };
extern thread_local Index threadIdx, blockIdx, blockDim, gridDim;

struct __nv_bfloat16 { uint16_t bits; };
inline uint32_t __float_as_uint(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
inline float __uint_as_float(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }
inline float __bfloat162float(__nv_bfloat16 x) { return __uint_as_float((uint32_t)x.bits << 16); }
inline __nv_bfloat16 __float2bfloat16(float x) {
    uint32_t u = __float_as_uint(x);
    if (x != x) return {(uint16_t)(u >> 16 | 64)};
    return {(uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16)};
}
inline uint16_t __bfloat16_as_ushort(__nv_bfloat16 x) { return x.bits; }
inline uint32_t __umulhi(uint32_t a, uint32_t b) { return (uint32_t)((uint64_t)a * b >> 32); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }

// All threads of the block, or of the warp, have arrived.
void __syncthreads();
void warp_barrier();
// 64 bytes of each lane of this warp, for exchanges, in two sets that take turns; and whose turn it is.
uint8_t *lane_slot(uint32_t lane, uint32_t set);
uint32_t exchange_number();

template <class T> T __shfl_xor_sync(uint32_t, T value, uint32_t mask) {
    uint32_t lane = (threadIdx.x + threadIdx.y * blockDim.x) % 32, set = exchange_number();
    memcpy(lane_slot(lane, set), &value, sizeof(T));
    warp_barrier();
    T other;
    memcpy(&other, lane_slot(lane ^ mask, set), sizeof(T));
    return other;
}

// The instructions of mma.cuh, from the tables of the PTX manual.
inline void load_matrices_as(uint32_t (&r)[4], const __nv_bfloat16 *p, bool transposed) {
    uint32_t lane = threadIdx.x % 32, g = lane / 4, t = lane % 4, set = exchange_number();
    if ((uintptr_t)p % 16) fprintf(stderr, "a matrix row that is not aligned\n"), abort();
    memcpy(lane_slot(lane, set), &p, sizeof p);
    warp_barrier();
    for (uint32_t m = 0; m < 4; m++) {
        auto row = [&](uint32_t i) {
            const __nv_bfloat16 *at;
            memcpy(&at, lane_slot(8 * m + i, set), sizeof at);
            return at;
        };
        uint32_t low = transposed ? row(2 * t)[g].bits : row(g)[2 * t].bits;
        uint32_t high = transposed ? row(2 * t + 1)[g].bits : row(g)[2 * t + 1].bits;
        r[m] = low | high << 16;
    }
    // The matrices may be overwritten as soon as the instruction is done, by any lane.
    warp_barrier();
}
inline void load_matrices(uint32_t (&r)[4], const __nv_bfloat16 *p) { load_matrices_as(r, p, false); }
inline void load_transposed(uint32_t (&r)[4], const __nv_bfloat16 *p) { load_matrices_as(r, p, true); }

inline void multiply(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    uint32_t lane = threadIdx.x % 32, g = lane / 4, t = lane % 4, set = exchange_number();
    uint32_t mine[6] = {a[0], a[1], a[2], a[3], b0, b1};
    memcpy(lane_slot(lane, set), mine, sizeof mine);
    warp_barrier();
    auto part = [&](uint32_t of, uint32_t reg, uint32_t half) {
        uint32_t word;
        memcpy(&word, lane_slot(of, set) + 4 * reg, 4);
        return __uint_as_float((half ? word >> 16 : word & 0xffffu) << 16);
    };
    for (uint32_t e = 0; e < 4; e++) {
        uint32_t column = 2 * t + e % 2;
        float sum = 0;
        for (uint32_t k = 0; k < 16; k++) {
            // a: registers 0, 1 hold columns 0-7 of rows g and g + 8; registers 2, 3 columns 8-15.
            float x = part(4 * g + k % 8 / 2, e / 2 + k / 8 * 2, k % 2);
            float y = part(4 * column + k % 8 / 2, 4 + k / 8, k % 2);
            sum += x * y;
        }
        c[e] += sum;
    }
}

// The table of kernels by name.
struct Kernel {
    std::vector<size_t> sizes;
    void (*call)(void *const *arguments);
};
std::map<std::string, Kernel> &kernels();

template <auto F> struct Caller;
template <class... A, void (*F)(A...)> struct Caller<F> {
    template <size_t... I> static void unpack(void *const *arguments, std::index_sequence<I...>) {
        F(*static_cast<A *>(arguments[I])...);
    }
    static void call(void *const *arguments) { unpack(arguments, std::index_sequence_for<A...>{}); }
    static std::vector<size_t> sizes() { return {sizeof(A)...}; }
};

#define REGISTER(name) \
    static const bool registered_##name = (kernels()[#name] = Kernel{Caller<name>::sizes(), Caller<name>::call}, true);
