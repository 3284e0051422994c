// GELU of x + bias, with the error function; and its backward pass with the bias' gradient in the same pass.
#include "columns.cuh"

__device__ __forceinline__ float gelu(float x) { return x * (0.5f + 0.5f * erff(x * 0.70710678f)); }

__device__ __forceinline__ float gelu_slope(float x) {
    return 0.5f + 0.5f * erff(x * 0.70710678f) + x * 0.39894228f * __expf(-0.5f * x * x);
}

// bias may be null. Block of 32 x 8 threads, W columns a lane; rows are strided over gridDim.y.
template <class T, int W>
__device__ void bias_gelu(const T *x, const float *bias, T *out, uint32_t n, uint32_t m) {
    uint32_t column = (blockIdx.x * 32 + threadIdx.x) * W;
    if (column >= m) return;
    float b[W] = {};
    if (bias) load<W>(bias + column, b);
    for (uint32_t row = blockIdx.y * 8 + threadIdx.y; row < n; row += gridDim.y * 8) {
        float v[W];
        uint64_t at = (uint64_t)row * m + column;
        load<W>(x + at, v);
#pragma unroll
        for (int e = 0; e < W; e++) v[e] = gelu(v[e] + b[e]);
        store<W>(out + at, v);
    }
}

// dx = dy gelu'(x + bias); partial [gridDim.y, m] gets the column sums of dx.
template <class T, int W>
__device__ void bias_gelu_backward(const T *x, const float *bias, const T *dy, T *dx, float *partial, uint32_t n,
                                   uint32_t m) {
    uint32_t column = (blockIdx.x * 32 + threadIdx.x) * W;
    float sums[W] = {};
    if (column < m) {
        float b[W] = {};
        if (bias) load<W>(bias + column, b);
        for (uint32_t row = blockIdx.y * 8 + threadIdx.y; row < n; row += gridDim.y * 8) {
            float v[W], d[W];
            uint64_t at = (uint64_t)row * m + column;
            load<W>(x + at, v);
            load<W>(dy + at, d);
#pragma unroll
            for (int e = 0; e < W; e++) {
                d[e] *= gelu_slope(v[e] + b[e]);
                sums[e] += d[e];
            }
            store<W>(dx + at, d);
        }
    }
    finish_columns<W>(sums, partial, m);
}

// x += bias in place: the tail of a matrix product.
template <class T, int W> __device__ void add_bias(T *x, const float *bias, uint32_t n, uint32_t m) {
    uint32_t column = (blockIdx.x * 32 + threadIdx.x) * W;
    if (column >= m) return;
    float b[W];
    load<W>(bias + column, b);
    for (uint32_t row = blockIdx.y * 8 + threadIdx.y; row < n; row += gridDim.y * 8) {
        float v[W];
        uint64_t at = (uint64_t)row * m + column;
        load<W>(x + at, v);
#pragma unroll
        for (int e = 0; e < W; e++) v[e] += b[e];
        store<W>(x + at, v);
    }
}

#define GELU(T, S, W)                                                                                                  \
    extern "C" __global__ void bias_gelu_w##W##_##S(const T *x, const float *bias, T *out, uint32_t n, uint32_t m) {   \
        bias_gelu<T, W>(x, bias, out, n, m);                                                                           \
    }                                                                                                                  \
    REGISTER(bias_gelu_w##W##_##S)                                                                                     \
    extern "C" __global__ void bias_gelu_backward_w##W##_##S(const T *x, const float *bias, const T *dy, T *dx,        \
                                                             float *partial, uint32_t n, uint32_t m) {                 \
        bias_gelu_backward<T, W>(x, bias, dy, dx, partial, n, m);                                                      \
    }                                                                                                                  \
    REGISTER(bias_gelu_backward_w##W##_##S)                                                                            \
    extern "C" __global__ void add_bias_w##W##_##S(T *x, const float *bias, uint32_t n, uint32_t m) {                  \
        add_bias<T, W>(x, bias, n, m);                                                                                 \
    }                                                                                                                  \
    REGISTER(add_bias_w##W##_##S)
#define DEFINE(T, S) GELU(T, S, 1) GELU(T, S, 8)
FOR_REALS(DEFINE)
#undef DEFINE
