// LayerNorm of a residual sum, and of a sum of embeddings. A warp takes a row and keeps it in registers: a lane holds N vectors
// of W columns. Statistics are float32 and are computed again in the backward pass, which is cheaper than storing them.
#include "dropout.cuh"

// Where a row of the sum under the LayerNorm comes from.
template <class T> struct ResidualRow {
    const T *y, *residual; // residual may be null
    Drop drop;             // of y
    uint32_t h;
    template <int W> __device__ __forceinline__ void read(uint32_t row, uint32_t column, float *v) const {
        uint64_t at = (uint64_t)row * h + column;
        load<W>(y + at, v);
        apply_drop<W>(drop, at, v);
        if (residual) {
            float r[W];
            load<W>(residual + at, r);
#pragma unroll
            for (int e = 0; e < W; e++) v[e] += r[e];
        }
    }
};

struct EmbeddingRow {
    const float *words, *positions, *type; // type may be null: one row
    const uint32_t *ids, *places;
    uint32_t h;
    template <int W> __device__ __forceinline__ void read(uint32_t row, uint32_t column, float *v) const {
        float p[W];
        load<W>(words + (uint64_t)ids[row] * h + column, v);
        load<W>(positions + (uint64_t)places[row] * h + column, p);
#pragma unroll
        for (int e = 0; e < W; e++) v[e] += p[e];
        if (type) {
            load<W>(type + column, p);
#pragma unroll
            for (int e = 0; e < W; e++) v[e] += p[e];
        }
    }
};

template <int W, int N> struct Row {
    float z[W * N];
    float mean, rstd;

    static __device__ __forceinline__ uint32_t column(int i) { return (i * 32 + threadIdx.x % 32) * W; }

    template <class Source> __device__ __forceinline__ void read(const Source &source, uint32_t row, float eps) {
        uint32_t h = source.h;
        float sum = 0, squares = 0;
#pragma unroll
        for (int i = 0; i < N; i++) {
            if (column(i) < h) {
                source.template read<W>(row, column(i), z + i * W);
#pragma unroll
                for (int e = 0; e < W; e++) sum += z[i * W + e];
            }
        }
        mean = warp_sum(sum) / (float)h;
#pragma unroll
        for (int i = 0; i < N; i++) {
            if (column(i) < h) {
#pragma unroll
                for (int e = 0; e < W; e++) {
                    z[i * W + e] -= mean;
                    squares += z[i * W + e] * z[i * W + e];
                }
            }
        }
        rstd = 1.0f / sqrtf(warp_sum(squares) / (float)h + eps);
#pragma unroll
        for (int i = 0; i < N * W; i++) z[i] *= rstd;
    }
};

// out = dropout(gamma (z - mean) / sqrt(var + eps) + beta).
template <class T, int W, int N, class Source>
__device__ void norm_forward(const Source &source, const float *gamma, const float *beta, T *out, uint32_t n, float eps,
                             Drop drop) {
    uint32_t row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (row >= n) return;
    Row<W, N> r = {};
    r.read(source, row, eps);
#pragma unroll
    for (int i = 0; i < N; i++) {
        uint32_t column = r.column(i);
        if (column >= source.h) break;
        float g[W], b[W], v[W];
        load<W>(gamma + column, g);
        load<W>(beta + column, b);
#pragma unroll
        for (int e = 0; e < W; e++) v[e] = r.z[i * W + e] * g[e] + b[e];
        uint64_t at = (uint64_t)row * source.h + column;
        apply_drop<W>(drop, at, v);
        store<W>(out + at, v);
    }
}

// Gradients of z (dz) and, where dy_out is not null, of the dropped-out summand; partial [gridDim.x, 2 h] gets the column
// sums for gamma and beta. `before` is the mask of the summand, `after` that of the result.
template <class T, class Out, int W, int N, class Source>
__device__ void norm_backward(const Source &source, const float *gamma, const T *grad, Out *dz, Out *dy, float *partial,
                              uint32_t n, float eps, Drop before, Drop after) {
    uint32_t h = source.h, warps = blockDim.x / 32, warp = threadIdx.x / 32;
    float dgamma[W * N] = {}, dbeta[W * N] = {};
    for (uint32_t row = blockIdx.x * warps + warp; row < n; row += gridDim.x * warps) {
        Row<W, N> r = {};
        r.read(source, row, eps);
        float d[W * N] = {}, sum = 0, product = 0;
#pragma unroll
        for (int i = 0; i < N; i++) {
            uint32_t column = r.column(i);
            if (column < h) {
                uint64_t at = (uint64_t)row * h + column;
                float g[W];
                load<W>(grad + at, d + i * W);
                apply_drop<W>(after, at, d + i * W);
                load<W>(gamma + column, g);
#pragma unroll
                for (int e = 0; e < W; e++) {
                    int k = i * W + e;
                    dgamma[k] += d[k] * r.z[k];
                    dbeta[k] += d[k];
                    d[k] *= g[e];
                    sum += d[k];
                    product += d[k] * r.z[k];
                }
            }
        }
        sum = warp_sum(sum) / (float)h;
        product = warp_sum(product) / (float)h;
#pragma unroll
        for (int i = 0; i < N; i++) {
            uint32_t column = r.column(i);
            if (column < h) {
                uint64_t at = (uint64_t)row * h + column;
                float v[W];
#pragma unroll
                for (int e = 0; e < W; e++) v[e] = r.rstd * (d[i * W + e] - sum - r.z[i * W + e] * product);
                store<W>(dz + at, v);
                if (dy) {
                    apply_drop<W>(before, at, v);
                    store<W>(dy + at, v);
                }
            }
        }
    }
    // The warps of the block, a vector of columns at a time.
    __shared__ float shared[2][4][32 * W];
#pragma unroll
    for (int i = 0; i < N; i++) {
#pragma unroll
        for (int e = 0; e < W; e++) {
            shared[0][warp][(threadIdx.x % 32) * W + e] = dgamma[i * W + e];
            shared[1][warp][(threadIdx.x % 32) * W + e] = dbeta[i * W + e];
        }
        __syncthreads();
        for (uint32_t c = threadIdx.x; c < 32 * W; c += blockDim.x) {
            uint32_t column = i * 32 * W + c;
            if (column < h) {
                float a = 0, b = 0;
                for (uint32_t w = 0; w < warps; w++) a += shared[0][w][c], b += shared[1][w][c];
                partial[(uint64_t)blockIdx.x * 2 * h + column] = a;
                partial[(uint64_t)blockIdx.x * 2 * h + h + column] = b;
            }
        }
        __syncthreads();
    }
}

#define NO_DROP Drop{0, 0, 0, 0, 1.0f}

#define NORM(T, S, W, N)                                                                                               \
    extern "C" __global__ void __launch_bounds__(128) residual_norm_w##W##n##N##_##S(                                  \
        const T *y, const T *residual, const float *gamma, const float *beta, T *out, uint32_t n, uint32_t h,          \
        float eps, DROP_PARAMETERS) {                                                                                  \
        norm_forward<T, W, N>(ResidualRow<T>{y, residual, DROP, h}, gamma, beta, out, n, eps, NO_DROP);                \
    }                                                                                                                  \
    REGISTER(residual_norm_w##W##n##N##_##S)                                                                           \
    extern "C" __global__ void __launch_bounds__(128) residual_norm_backward_w##W##n##N##_##S(                         \
        const T *y, const T *residual, const float *gamma, const T *grad, T *dz, T *dy, float *partial, uint32_t n,    \
        uint32_t h, float eps, DROP_PARAMETERS) {                                                                      \
        norm_backward<T, T, W, N>(ResidualRow<T>{y, residual, DROP, h}, gamma, grad, dz, dy, partial, n, eps, DROP,    \
                                  NO_DROP);                                                                            \
    }                                                                                                                  \
    REGISTER(residual_norm_backward_w##W##n##N##_##S)                                                                  \
    extern "C" __global__ void __launch_bounds__(128) embedding_norm_w##W##n##N##_##S(                                 \
        const float *words, const float *positions, const float *type, const uint32_t *ids, const uint32_t *places,    \
        const float *gamma, const float *beta, T *out, uint32_t n, uint32_t h, float eps, DROP_PARAMETERS) {           \
        norm_forward<T, W, N>(EmbeddingRow{words, positions, type, ids, places, h}, gamma, beta, out, n, eps, DROP);   \
    }                                                                                                                  \
    REGISTER(embedding_norm_w##W##n##N##_##S)                                                                          \
    extern "C" __global__ void __launch_bounds__(128) embedding_norm_backward_w##W##n##N##_##S(                        \
        const float *words, const float *positions, const float *type, const uint32_t *ids, const uint32_t *places,    \
        const float *gamma, const T *grad, float *dz, float *partial, uint32_t n, uint32_t h, float eps,               \
        DROP_PARAMETERS) {                                                                                             \
        norm_backward<T, float, W, N>(EmbeddingRow{words, positions, type, ids, places, h}, gamma, grad, dz,           \
                                      (float *)nullptr, partial, n, eps, NO_DROP, DROP);                               \
    }                                                                                                                  \
    REGISTER(embedding_norm_backward_w##W##n##N##_##S)
#define DEFINE(T, S) NORM(T, S, 8, 1) NORM(T, S, 8, 2) NORM(T, S, 8, 3) NORM(T, S, 8, 4) NORM(T, S, 1, 8) NORM(T, S, 1, 32)
FOR_REALS(DEFINE)
#undef DEFINE
