// Attention for other types and head sizes (up to 256): a warp for each query, or each key, and head. Slow and plain.
#include "attention.cuh"

// Numbers of a head that a lane holds.
constexpr int HELD = 8;

template <class T> struct Held {
    float v[HELD];
    __device__ __forceinline__ void read(const T *p, uint32_t d) {
#pragma unroll
        for (int i = 0; i < HELD; i++) {
            uint32_t at = i * 32 + threadIdx.x % 32;
            v[i] = at < d ? to_float(p[at]) : 0.0f;
        }
    }
    __device__ __forceinline__ float dot(const Held &other) const {
        float sum = 0;
#pragma unroll
        for (int i = 0; i < HELD; i++) sum += v[i] * other.v[i];
        return warp_sum(sum);
    }
    __device__ __forceinline__ void add(float a, const Held &other) {
#pragma unroll
        for (int i = 0; i < HELD; i++) v[i] += a * other.v[i];
    }
    __device__ __forceinline__ void write(T *p, uint32_t d, float a) const {
#pragma unroll
        for (int i = 0; i < HELD; i++) {
            uint32_t at = i * 32 + threadIdx.x % 32;
            if (at < d) assign(p[at], v[i] * a);
        }
    }
};

// Row and head of this warp; sequence_of [rows] names each row's sequence.
#define LOCATE                                                                                        \
    uint32_t row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, head = blockIdx.y, heads = gridDim.y; \
    if (row >= rows) return;                                                                          \
    uint32_t begin = starts[sequence_of[row]], end = starts[sequence_of[row] + 1], h = heads * d;     \
    const T *base = qkv + head * d;                                                                   \
    uint64_t stride = 3 * (uint64_t)h;

template <class T>
__device__ void simple_forward(const T *qkv, T *out, float *lse, const uint32_t *starts, const uint32_t *sequence_of,
                               uint32_t rows, uint32_t d, float scale, Drop drop) {
    LOCATE
    Held<T> query, other, sum = {};
    query.read(base + row * stride, d);
    float largest = -INFINITY, total = 0;
    for (uint32_t key = begin; key < end; key++) {
        other.read(base + h + key * stride, d);
        float s = query.dot(other) * scale * LOG2E, most = fmaxf(largest, s), shrink = exp2f(largest - most);
        float p = exp2f(s - most);
        total = total * shrink + p;
        largest = most;
#pragma unroll
        for (int i = 0; i < HELD; i++) sum.v[i] *= shrink;
        other.read(base + 2 * h + key * stride, d);
        sum.add(p * key_factor(drop, row, head, key - begin), other);
    }
    sum.write(out + (uint64_t)row * h + head * d, d, 1.0f / total);
    if (threadIdx.x % 32 == 0) lse[(uint64_t)head * rows + row] = largest + log2f(total);
}

template <class T>
__device__ void simple_queries(const T *qkv, const T *grad, const float *lse, const float *delta, T *dqkv,
                               const uint32_t *starts, const uint32_t *sequence_of, uint32_t rows, uint32_t d, float scale,
                               Drop drop) {
    LOCATE
    Held<T> query, upstream, key, value, dq = {};
    query.read(base + row * stride, d);
    upstream.read(grad + (uint64_t)row * h + head * d, d);
    float sum = lse[(uint64_t)head * rows + row], mean = delta[(uint64_t)head * rows + row];
    for (uint32_t k = begin; k < end; k++) {
        key.read(base + h + k * stride, d);
        value.read(base + 2 * h + k * stride, d);
        float p = exp2f(query.dot(key) * scale * LOG2E - sum);
        dq.add(p * (upstream.dot(value) * key_factor(drop, row, head, k - begin) - mean), key);
    }
    dq.write(dqkv + row * stride + head * d, d, scale);
}

template <class T>
__device__ void simple_keys(const T *qkv, const T *grad, const float *lse, const float *delta, T *dqkv,
                            const uint32_t *starts, const uint32_t *sequence_of, uint32_t rows, uint32_t d, float scale,
                            Drop drop) {
    LOCATE
    Held<T> key, value, query, upstream, dk = {}, dv = {};
    key.read(base + h + row * stride, d);
    value.read(base + 2 * h + row * stride, d);
    for (uint32_t q = begin; q < end; q++) {
        query.read(base + q * stride, d);
        upstream.read(grad + (uint64_t)q * h + head * d, d);
        float p = exp2f(query.dot(key) * scale * LOG2E - lse[(uint64_t)head * rows + q]);
        float kept = key_factor(drop, q, head, row - begin);
        dv.add(p * kept, upstream);
        dk.add(p * (upstream.dot(value) * kept - delta[(uint64_t)head * rows + q]), query);
    }
    dk.write(dqkv + h + row * stride + head * d, d, scale);
    dv.write(dqkv + 2 * h + row * stride + head * d, d, 1.0f);
}

// delta [heads, rows]: the products of result and gradient, summed over a head. Used by the tensor-core kernels too.
template <class T>
__device__ void attention_delta(const T *out, const T *grad, float *delta, uint32_t rows, uint32_t d) {
    uint32_t row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, head = blockIdx.y;
    if (row >= rows) return;
    uint64_t at = (uint64_t)row * gridDim.y * d + head * d;
    Held<T> a, b;
    a.read(out + at, d);
    b.read(grad + at, d);
    float sum = a.dot(b);
    if (threadIdx.x % 32 == 0) delta[(uint64_t)head * rows + row] = sum;
}

#define DEFINE(T, S)                                                                                                   \
    extern "C" __global__ void attention_simple_##S(const T *qkv, T *out, float *lse, const uint32_t *starts,          \
                                                    const uint32_t *sequence_of, uint32_t rows, uint32_t d,            \
                                                    float scale, DROP_PARAMETERS) {                                    \
        simple_forward<T>(qkv, out, lse, starts, sequence_of, rows, d, scale, DROP);                                   \
    }                                                                                                                  \
    REGISTER(attention_simple_##S)                                                                                     \
    extern "C" __global__ void attention_simple_queries_##S(                                                           \
        const T *qkv, const T *grad, const float *lse, const float *delta, T *dqkv, const uint32_t *starts,            \
        const uint32_t *sequence_of, uint32_t rows, uint32_t d, float scale, DROP_PARAMETERS) {                        \
        simple_queries<T>(qkv, grad, lse, delta, dqkv, starts, sequence_of, rows, d, scale, DROP);                     \
    }                                                                                                                  \
    REGISTER(attention_simple_queries_##S)                                                                             \
    extern "C" __global__ void attention_simple_keys_##S(                                                              \
        const T *qkv, const T *grad, const float *lse, const float *delta, T *dqkv, const uint32_t *starts,            \
        const uint32_t *sequence_of, uint32_t rows, uint32_t d, float scale, DROP_PARAMETERS) {                        \
        simple_keys<T>(qkv, grad, lse, delta, dqkv, starts, sequence_of, rows, d, scale, DROP);                        \
    }                                                                                                                  \
    REGISTER(attention_simple_keys_##S)                                                                                \
    extern "C" __global__ void attention_delta_##S(const T *out, const T *grad, float *delta, uint32_t rows,           \
                                                   uint32_t d) {                                                       \
        attention_delta<T>(out, grad, delta, rows, d);                                                                 \
    }                                                                                                                  \
    REGISTER(attention_delta_##S)
FOR_REALS(DEFINE)
#undef DEFINE
#undef LOCATE
