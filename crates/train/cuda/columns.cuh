// Sums over the rows of a matrix, in two stages: blocks leave partial sums, a second kernel (reduce.cu) adds them in order.
//
// A block is 32 x 8 threads: 32 lanes of W columns each, 8 rows at a time.
#pragma once
#include "common.cuh"

// Adds up the 8 threads of each column and writes this block's row of `partial [gridDim.y, m]`.
template <int W> __device__ __forceinline__ void finish_columns(const float *sums, float *partial, uint32_t m) {
    __shared__ float shared[8][32 * W];
#pragma unroll
    for (int e = 0; e < W; e++) shared[threadIdx.y][threadIdx.x * W + e] = sums[e];
    __syncthreads();
    for (uint32_t c = threadIdx.y * 32 + threadIdx.x; c < 32 * W; c += 256) {
        uint32_t column = blockIdx.x * 32 * W + c;
        float total = 0;
        for (int r = 0; r < 8; r++) total += shared[r][c];
        if (column < m) partial[(uint64_t)blockIdx.y * m + column] = total;
    }
}
