// out = residual + x * factors; without a residual where it is null. Also the backward pass.
#include "dropout.cuh"

template <class T, int W>
__device__ void dropout(const T *x, const T *residual, T *out, uint64_t n, Drop drop) {
    uint64_t stride = (uint64_t)gridDim.x * blockDim.x * W;
    for (uint64_t i = ((uint64_t)blockIdx.x * blockDim.x + threadIdx.x) * W; i < n; i += stride) {
        float v[W], r[W];
        load<W>(x + i, v);
        apply_drop<W>(drop, i, v);
        if (residual) {
            load<W>(residual + i, r);
#pragma unroll
            for (int e = 0; e < W; e++) v[e] += r[e];
        }
        store<W>(out + i, v);
    }
}

#define DROPOUT(T, S, W)                                                                                               \
    extern "C" __global__ void dropout_w##W##_##S(const T *x, const T *residual, T *out, uint64_t n, DROP_PARAMETERS) { \
        dropout<T, W>(x, residual, out, n, DROP);                                                                      \
    }                                                                                                                  \
    REGISTER(dropout_w##W##_##S)
#define DEFINE(T, S) DROPOUT(T, S, 1) DROPOUT(T, S, 8)
FOR_REALS(DEFINE)
#undef DEFINE
