// Mean over rows of 1 - cos(student, teacher), and its gradient. A warp for each row.
#include "common.cuh"

struct Angle {
    float cosine, student, teacher; // and the reciprocals of the lengths
};

template <class T> __device__ __forceinline__ Angle angle(const T *s, const T *t, uint32_t h) {
    float ss = 0, tt = 0, st = 0;
    for (uint32_t i = threadIdx.x % 32; i < h; i += 32) {
        float a = to_float(s[i]), b = to_float(t[i]);
        ss += a * a, tt += b * b, st += a * b;
    }
    ss = warp_sum(ss), tt = warp_sum(tt), st = warp_sum(st);
    float rs = 1.0f / fmaxf(sqrtf(ss), 1e-12f), rt = 1.0f / fmaxf(sqrtf(tt), 1e-12f);
    return Angle{st * rs * rt, rs, rt};
}

template <class T> __device__ void cosine_rows(const T *s, const T *t, float *losses, uint32_t n, uint32_t h) {
    uint32_t row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (row >= n) return;
    Angle a = angle(s + (uint64_t)row * h, t + (uint64_t)row * h, h);
    if (threadIdx.x % 32 == 0) losses[row] = 1.0f - a.cosine;
}

// ds = -*grad / n (t / (|s| |t|) - cos s / |s|^2)
template <class T>
__device__ void cosine_backward(const T *s, const T *t, const float *grad, T *ds, uint32_t n, uint32_t h) {
    uint32_t row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (row >= n) return;
    s += (uint64_t)row * h, t += (uint64_t)row * h, ds += (uint64_t)row * h;
    Angle a = angle(s, t, h);
    float scale = -*grad / (float)n, of_t = a.student * a.teacher, of_s = a.cosine * a.student * a.student;
    for (uint32_t i = threadIdx.x % 32; i < h; i += 32) assign(ds[i], scale * (to_float(t[i]) * of_t - to_float(s[i]) * of_s));
}

// out = factor * sum of x. One block.
extern "C" __global__ void total(const float *x, float *out, uint32_t n, float factor) {
    float sum = 0;
    for (uint32_t i = threadIdx.x; i < n; i += blockDim.x) sum += x[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) *out = sum * factor;
}
REGISTER(total)

#define DEFINE(T, S)                                                                                                  \
    extern "C" __global__ void cosine_rows_##S(const T *s, const T *t, float *losses, uint32_t n, uint32_t h) {       \
        cosine_rows<T>(s, t, losses, n, h);                                                                           \
    }                                                                                                                 \
    REGISTER(cosine_rows_##S)                                                                                         \
    extern "C" __global__ void cosine_backward_##S(const T *s, const T *t, const float *grad, T *ds, uint32_t n,      \
                                                   uint32_t h) {                                                      \
        cosine_backward<T>(s, t, grad, ds, n, h);                                                                     \
    }                                                                                                                 \
    REGISTER(cosine_backward_##S)
FOR_REALS(DEFINE)
#undef DEFINE
