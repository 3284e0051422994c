// The gradient of a table from the gradients of the rows that were looked up: rows of the same entry are added in order, without
// atomics, so that the result repeats bit for bit. The host sorts the rows by entry and cuts long lists into runs.
#include "common.cuh"

// partial [runs, h]: the sum of each run; run r has rows order[bounds[r]] to order[bounds[r + 1] - 1] of dz [n, h].
extern "C" __global__ void embedding_runs(const float *dz, const uint32_t *order, const uint32_t *bounds, float *partial,
                                          uint32_t h) {
    uint32_t begin = bounds[blockIdx.x], end = bounds[blockIdx.x + 1];
    for (uint32_t column = threadIdx.x; column < h; column += blockDim.x) {
        float sum = 0;
        for (uint32_t i = begin; i < end; i++) sum += dz[(uint64_t)order[i] * h + column];
        partial[(uint64_t)blockIdx.x * h + column] = sum;
    }
}
REGISTER(embedding_runs)

// table [entries[e]] = the sum of runs firsts[e] to firsts[e + 1] - 1.
extern "C" __global__ void embedding_entries(const float *partial, const uint32_t *entries, const uint32_t *firsts,
                                             float *table, uint32_t h) {
    uint32_t begin = firsts[blockIdx.x], end = firsts[blockIdx.x + 1];
    for (uint32_t column = threadIdx.x; column < h; column += blockDim.x) {
        float sum = 0;
        for (uint32_t i = begin; i < end; i++) sum += partial[(uint64_t)i * h + column];
        table[(uint64_t)entries[blockIdx.x] * h + column] = sum;
    }
}
REGISTER(embedding_entries)
