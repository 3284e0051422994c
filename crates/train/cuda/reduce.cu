// Sums: of columns, of squares, of partial results. Every sum has one order, so results repeat bit for bit.
#include "columns.cuh"

// partial [gridDim.y, m]: sums of the columns of x [n, m], whose rows are `stride` apart.
template <class T, int W>
__device__ void column_sums(const T *x, float *partial, uint32_t n, uint32_t m, uint32_t stride) {
    uint32_t column = (blockIdx.x * 32 + threadIdx.x) * W;
    float sums[W] = {};
    if (column < m) {
        for (uint32_t row = blockIdx.y * 8 + threadIdx.y; row < n; row += gridDim.y * 8) {
            float v[W];
            load<W>(x + (uint64_t)row * stride + column, v);
#pragma unroll
            for (int e = 0; e < W; e++) sums[e] += v[e];
        }
    }
    finish_columns<W>(sums, partial, m);
}

#define COLUMN_SUMS(T, S, W)                                                                                          \
    extern "C" __global__ void column_sums_w##W##_##S(const T *x, float *partial, uint32_t n, uint32_t m,             \
                                                      uint32_t stride) {                                              \
        column_sums<T, W>(x, partial, n, m, stride);                                                                  \
    }                                                                                                                 \
    REGISTER(column_sums_w##W##_##S)
#define DEFINE(T, S) COLUMN_SUMS(T, S, 1) COLUMN_SUMS(T, S, 8)
FOR_REALS(DEFINE)
#undef DEFINE

// out [m] (added to where `add`) = sums over the rows of partial [n, m]. 32 x 8 threads, 32 columns a block.
template <class T> __device__ void sum_rows(const T *partial, T *out, uint32_t n, uint32_t m, uint32_t add) {
    __shared__ float shared[8][33];
    uint32_t column = blockIdx.x * 32 + threadIdx.x;
    float total = 0;
    if (column < m) {
        for (uint32_t row = threadIdx.y; row < n; row += 8) total += partial[(uint64_t)row * m + column];
    }
    shared[threadIdx.y][threadIdx.x] = total;
    __syncthreads();
    if (threadIdx.y == 0 && column < m) {
        total = 0;
        for (int r = 0; r < 8; r++) total += shared[r][threadIdx.x];
        out[column] = add ? out[column] + total : total;
    }
}

extern "C" __global__ void sum_partials(const float *partial, float *out, uint32_t n, uint32_t m, uint32_t add) {
    sum_rows<float>(partial, out, n, m, add);
}
REGISTER(sum_partials)

// partial[first + block]: sums of the squares of x.
template <class T> __device__ void square_sums(const T *x, float *partial, uint64_t n, uint32_t first) {
    float total = 0;
    uint64_t stride = (uint64_t)gridDim.x * blockDim.x;
    for (uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
        float v = to_float(x[i]);
        total += v * v;
    }
    total = block_sum(total);
    if (threadIdx.x == 0) partial[first + blockIdx.x] = total;
}

#define DEFINE(T, S)                                                                                            \
    extern "C" __global__ void square_sums_##S(const T *x, float *partial, uint64_t n, uint32_t first) {        \
        square_sums<T>(x, partial, n, first);                                                                   \
    }                                                                                                           \
    REGISTER(square_sums_##S)
FOR_REALS(DEFINE)
#undef DEFINE

// x *= *factor, a scalar that never leaves the device.
template <class T> __device__ void scale(T *x, const float *factor, uint64_t n) {
    float f = *factor;
    if (f == 1.0f) return;
    uint64_t stride = (uint64_t)gridDim.x * blockDim.x;
    for (uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) assign(x[i], to_float(x[i]) * f);
}

#define DEFINE(T, S)                                                                                    \
    extern "C" __global__ void scale_##S(T *x, const float *factor, uint64_t n) { scale<T>(x, factor, n); } \
    REGISTER(scale_##S)
FOR_REALS(DEFINE)
#undef DEFINE

// bfloat16 copy of x; elements from n to `total` become zero.
extern "C" __global__ void to_bf16(const float *x, bf16 *out, uint64_t n, uint64_t total) {
    uint64_t stride = (uint64_t)gridDim.x * blockDim.x * 8;
    for (uint64_t i = ((uint64_t)blockIdx.x * blockDim.x + threadIdx.x) * 8; i < total; i += stride) {
        float v[8] = {};
        if (i + 8 <= n) {
            load<8>(x + i, v);
        } else {
            for (int e = 0; e < 8; e++) v[e] = i + e < n ? x[i + e] : 0.0f;
        }
        if (i + 8 <= total) {
            store<8>(out + i, v);
        } else {
            for (int e = 0; i + e < total; e++) assign(out[i + e], v[e]);
        }
    }
}
REGISTER(to_bf16)
