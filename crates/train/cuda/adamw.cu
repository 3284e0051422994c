// One AdamW step in one pass: moments [2, n] and weights in place, float32.
#include "common.cuh"

extern "C" __global__ void adamw(float *weights, float *moments, const float *gradient, uint64_t n, float gradient_scale,
                                 float beta1, float beta2, float keep, float rate, float correction, float eps) {
    uint64_t stride = (uint64_t)gridDim.x * blockDim.x;
    float *second = moments + n;
    for (uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
        float g = gradient[i] * gradient_scale;
        float m = moments[i] * beta1 + g * (1.0f - beta1);
        float v = second[i] * beta2 + g * g * (1.0f - beta2);
        moments[i] = m;
        second[i] = v;
        weights[i] = weights[i] * keep - rate * m / (sqrtf(v * correction) + eps);
    }
}
REGISTER(adamw)
