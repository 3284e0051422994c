// Counter-based dropout: Philox 4x32-10 (Salmon et al., SC 2011), 16 bits for each element.
//
// Element i of a mask draws from counter (offset + i / 8, 0, 0), 16-bit part i % 8. Attention probabilities have counters of
// their own (see attention.cuh). The Rust twin is ops/dropout/philox.rs.
#pragma once
#include "common.cuh"

// threshold 0: nothing is dropped.
struct Drop {
    uint32_t key0, key1;
    uint64_t offset;
    uint32_t threshold;
    float scale;
};

// How a mask is passed to a kernel.
#define DROP_PARAMETERS uint32_t key0, uint32_t key1, uint64_t offset, uint32_t threshold, float drop_scale
#define DROP Drop{key0, key1, offset, threshold, drop_scale}

__device__ __forceinline__ uint4 philox(uint32_t key0, uint32_t key1, uint4 c) {
#pragma unroll
    for (int round = 0; round < 10; round++) {
        uint32_t high0 = __umulhi(0xD2511F53u, c.x), low0 = 0xD2511F53u * c.x;
        uint32_t high1 = __umulhi(0xCD9E8D57u, c.z), low1 = 0xCD9E8D57u * c.z;
        c = make_uint4(high1 ^ c.y ^ key0, low1, high0 ^ c.w ^ key1, low0);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return c;
}

// 8 draws of 16 bits in 4 words.
__device__ __forceinline__ uint4 draw(const Drop &drop, uint64_t group, uint32_t row, uint32_t head) {
    uint64_t counter = drop.offset + group;
    return philox(drop.key0, drop.key1, make_uint4((uint32_t)counter, (uint32_t)(counter >> 32), row, head));
}

// The factor (0 or scale) of 16-bit part `part` of a word.
__device__ __forceinline__ float factor(const Drop &drop, uint32_t word, int part) {
    uint32_t bits = part ? word >> 16 : word & 0xffffu;
    return bits >= drop.threshold ? drop.scale : 0.0f;
}

// Multiplies W consecutive elements, the first of them number `index`, by their factors. W is 1, or 8 with `index` a multiple
// of 8.
template <int W> __device__ __forceinline__ void apply_drop(const Drop &drop, uint64_t index, float *v) {
    if (drop.threshold == 0) return;
    uint4 words = draw(drop, index / 8, 0, 0);
    uint32_t word[4] = {words.x, words.y, words.z, words.w};
    if constexpr (W == 8) {
#pragma unroll
        for (int i = 0; i < 8; i++) v[i] *= factor(drop, word[i / 2], i % 2);
    } else {
        uint32_t part = index % 8;
        // Selected without indexing registers.
        uint32_t chosen = part < 4 ? (part < 2 ? word[0] : word[1]) : (part < 6 ? word[2] : word[3]);
        v[0] *= factor(drop, chosen, part % 2);
    }
}
