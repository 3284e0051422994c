// What the attention kernels share. Sequences of any lengths lie one after another; `starts [sequences + 1]` says where.
//
// qkv is [rows, 3 h]: queries, keys and values side by side, head after head. Logarithms are to base 2. Sums of exponentials are
// kept as lse [heads, rows] = log2 sum exp2(score log2 e).
//
// Dropout: the probability of (query, key) draws from Philox counter (offset + key / 32 * 4 + key % 8 / 2, row of the query in
// the batch, head), 16-bit part key % 32 / 8 * 2 + key % 2: one draw gives a lane of a tensor-core tile all it needs of 32 keys.
#pragma once
#include "dropout.cuh"

#define LOG2E 1.44269504f

__device__ __forceinline__ float key_factor(const Drop &drop, uint32_t row, uint32_t head, uint32_t key) {
    if (drop.threshold == 0) return 1.0f;
    uint4 words = draw(drop, key / 32 * 4 + key % 8 / 2, row, head);
    uint32_t tile = key % 32 / 8;
    uint32_t word = tile < 2 ? (tile == 0 ? words.x : words.y) : (tile == 2 ? words.z : words.w);
    return factor(drop, word, key % 2);
}
