// What all kernels share: types, vector loads and stores with arithmetic in float32, reductions.
//
// The same sources are compiled by nvcc for GPUs and by a C++ compiler with emulator/device.h for tests.
#pragma once
#ifdef __CUDACC__
#include <cstdint>
#include <cuda_bf16.h>
#define REGISTER(name)
#else
#include "emulator/device.h"
#endif

typedef __nv_bfloat16 bf16;

// Expands a kernel's definition for both storage types.
#define FOR_REALS(DEFINE) DEFINE(float, f32) DEFINE(bf16, bf16)

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(bf16 x) { return __bfloat162float(x); }
__device__ __forceinline__ void assign(float &to, float x) { to = x; }
__device__ __forceinline__ void assign(bf16 &to, float x) { to = __float2bfloat16(x); }

// Two numbers as they lie in memory: the first in the low half.
__device__ __forceinline__ uint32_t pack(float low, float high) {
    uint32_t l = __bfloat16_as_ushort(__float2bfloat16(low));
    uint32_t h = __bfloat16_as_ushort(__float2bfloat16(high));
    return l | h << 16;
}

// W consecutive numbers; W is 1, or 8 with a 16-byte aligned address.
template <int W> __device__ __forceinline__ void load(const float *p, float *v) {
    if constexpr (W == 8) {
        float4 a = reinterpret_cast<const float4 *>(p)[0], b = reinterpret_cast<const float4 *>(p)[1];
        v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w, v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
    } else {
        v[0] = *p;
    }
}

template <int W> __device__ __forceinline__ void load(const bf16 *p, float *v) {
    if constexpr (W == 8) {
        uint4 raw = *reinterpret_cast<const uint4 *>(p);
        uint32_t words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
        for (int i = 0; i < 4; i++) {
            v[2 * i] = __uint_as_float(words[i] << 16);
            v[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
        }
    } else {
        v[0] = to_float(*p);
    }
}

template <int W> __device__ __forceinline__ void store(float *p, const float *v) {
    if constexpr (W == 8) {
        reinterpret_cast<float4 *>(p)[0] = make_float4(v[0], v[1], v[2], v[3]);
        reinterpret_cast<float4 *>(p)[1] = make_float4(v[4], v[5], v[6], v[7]);
    } else {
        *p = v[0];
    }
}

template <int W> __device__ __forceinline__ void store(bf16 *p, const float *v) {
    if constexpr (W == 8) {
        *reinterpret_cast<uint4 *>(p) =
            make_uint4(pack(v[0], v[1]), pack(v[2], v[3]), pack(v[4], v[5]), pack(v[6], v[7]));
    } else {
        assign(*p, v[0]);
    }
}

// The sum over a warp, in every lane, always in the same order.
__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
    return x;
}

// The sum over a block of up to 1024 threads, in every thread. Every thread of the block must call it.
__device__ __forceinline__ float block_sum(float x) {
    __shared__ float sums[32];
    uint32_t warps = (blockDim.x + 31) / 32;
    x = warp_sum(x);
    __syncthreads();
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = x;
    __syncthreads();
    float total = 0;
    for (uint32_t i = 0; i < warps; i++) total += sums[i];
    return total;
}
