// The losses of rows of logits. A block takes a row of `ld` logits of student (s) and teacher (t), v of them real, both still
// without their biases. With `gradients`, s is overwritten by the gradient of the total loss, padding with zeros; otherwise the
// most likely tokens are found.
//
// statistics [rows, 6]: KL at the temperature, squared differences, the label's negative log-likelihood, the teacher's, and the
// most likely token of student and teacher. The last three only without `gradients`.
#include "common.cuh"

// A running sum of exponentials, relative to the largest exponent met.
struct Running {
    float largest, total;
    __device__ __forceinline__ void add(float x) {
        if (x > largest) {
            total = total * __expf(largest - x) + 1.0f;
            largest = x;
        } else {
            total += __expf(x - largest);
        }
    }
    __device__ __forceinline__ void join(float other, float more) {
        float most = fmaxf(largest, other);
        if (most == -INFINITY) return;
        total = total * __expf(largest - most) + more * __expf(other - most);
        largest = most;
    }
    // The logarithm of the sum over the block, in every thread.
    __device__ __forceinline__ float finish() {
        __shared__ float largests[32], totals[32];
#pragma unroll
        for (int step = 16; step > 0; step /= 2) {
            float other = __shfl_xor_sync(0xffffffffu, largest, step), more = __shfl_xor_sync(0xffffffffu, total, step);
            join(other, more);
        }
        __syncthreads();
        if (threadIdx.x % 32 == 0) largests[threadIdx.x / 32] = largest, totals[threadIdx.x / 32] = total;
        __syncthreads();
        Running all = {-INFINITY, 0};
        for (uint32_t i = 0; i < blockDim.x / 32; i++) all.join(largests[i], totals[i]);
        return all.largest + __logf(all.total);
    }
};

// The first index of the largest value over the block, in every thread.
__device__ __forceinline__ uint32_t block_argmax(float value, uint32_t index) {
    __shared__ float values[32];
    __shared__ uint32_t indices[32];
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
        float other = __shfl_xor_sync(0xffffffffu, value, step);
        uint32_t at = __shfl_xor_sync(0xffffffffu, index, step);
        if (other > value || (other == value && at < index)) value = other, index = at;
    }
    __syncthreads();
    if (threadIdx.x % 32 == 0) values[threadIdx.x / 32] = value, indices[threadIdx.x / 32] = index;
    __syncthreads();
    for (uint32_t i = 0; i < blockDim.x / 32; i++) {
        if (values[i] > value || (values[i] == value && indices[i] < index)) value = values[i], index = indices[i];
    }
    return index;
}

template <class T>
__device__ void vocabulary_rows(T *s, const float *bias, const T *t, const float *teacher_bias, const uint32_t *labels,
                                float *statistics, uint32_t v, uint32_t ld, float temperature, float soft, float hard,
                                float square, uint32_t gradients) {
    const uint32_t IGNORE = 0xffffffffu;
    s += (uint64_t)blockIdx.x * ld;
    if (t) t += (uint64_t)blockIdx.x * ld;
    statistics += (uint64_t)blockIdx.x * 6;
    uint32_t label = labels[blockIdx.x];
    float inverse = 1.0f / temperature;
    Running student = {-INFINITY, 0}, plain = {-INFINITY, 0}, teacher = {-INFINITY, 0}, teacher_plain = {-INFINITY, 0};
    float top = -INFINITY, teacher_top = -INFINITY;
    uint32_t top_at = IGNORE, teacher_top_at = IGNORE;
    for (uint32_t i = threadIdx.x * 8; i < v; i += blockDim.x * 8) {
        float a[8], b[8];
        load<8>(s + i, a);
        if (t) load<8>(t + i, b);
#pragma unroll
        for (int e = 0; e < 8; e++) {
            if (i + e >= v) break;
            float x = a[e] + bias[i + e];
            if (label != IGNORE) plain.add(x);
            if (!gradients && x > top) top = x, top_at = i + e;
            if (t) {
                float y = b[e] + teacher_bias[i + e];
                student.add(x * inverse);
                teacher.add(y * inverse);
                if (!gradients) {
                    if (label != IGNORE) teacher_plain.add(y);
                    if (y > teacher_top) teacher_top = y, teacher_top_at = i + e;
                }
            }
        }
    }
    float log_plain = 0, log_student = 0, log_teacher = 0, log_teacher_plain = 0;
    if (label != IGNORE) log_plain = plain.finish();
    if (t) {
        log_student = student.finish();
        log_teacher = teacher.finish();
        if (!gradients && label != IGNORE) log_teacher_plain = teacher_plain.finish();
    }
    float nll = 0, teacher_nll = 0;
    if (label != IGNORE) {
        // Every thread reads the label's logit before any overwrites it: a barrier stands between.
        nll = log_plain - to_float(s[label]) - bias[label];
        if (t && !gradients) teacher_nll = log_teacher_plain - to_float(t[label]) - teacher_bias[label];
    }
    if (!gradients) {
        top_at = block_argmax(top, top_at);
        if (t) teacher_top_at = block_argmax(teacher_top, teacher_top_at);
    }
    __syncthreads();
    float kl = 0, squares = 0;
    for (uint32_t i = threadIdx.x * 8; i < ld; i += blockDim.x * 8) {
        float a[8], b[8], d[8];
        load<8>(s + i, a);
        if (t) load<8>(t + i, b);
#pragma unroll
        for (int e = 0; e < 8; e++) {
            d[e] = 0;
            if (i + e >= v) continue;
            float x = a[e] + bias[i + e];
            if (t) {
                float y = b[e] + teacher_bias[i + e], difference = x - y;
                float ls = x * inverse - log_student, lt = y * inverse - log_teacher, pt = __expf(lt);
                kl += pt * (lt - ls);
                d[e] = soft * (__expf(ls) - pt);
                if (square > 0.0f) {
                    squares += difference * difference;
                    d[e] += square * difference;
                }
            }
            if (label != IGNORE) d[e] += hard * (__expf(x - log_plain) - (i + e == label ? 1.0f : 0.0f));
        }
        if (gradients) store<8>(s + i, d);
    }
    kl = block_sum(kl);
    squares = block_sum(squares);
    if (threadIdx.x == 0) {
        statistics[0] = kl;
        statistics[1] = squares;
        statistics[2] = nll;
        statistics[3] = teacher_nll;
        statistics[4] = gradients ? 0.0f : (float)top_at;
        statistics[5] = gradients || !t ? 0.0f : (float)teacher_top_at;
    }
}

#define DEFINE(T, S)                                                                                                   \
    extern "C" __global__ void __launch_bounds__(512) vocabulary_rows_##S(                                             \
        T *s, const float *bias, const T *t, const float *teacher_bias, const uint32_t *labels, float *statistics,     \
        uint32_t v, uint32_t ld, float temperature, float soft, float hard, float square, uint32_t gradients) {        \
        vocabulary_rows<T>(s, bias, t, teacher_bias, labels, statistics, v, ld, temperature, soft, hard, square,       \
                           gradients);                                                                                 \
    }                                                                                                                  \
    REGISTER(vocabulary_rows_##S)
FOR_REALS(DEFINE)
#undef DEFINE

// out: total, soft-target loss, squared differences, masked-LM loss; the factors turn sums over rows into means. One block.
extern "C" __global__ void vocabulary_total(const float *statistics, float *out, uint32_t n, float ce_factor,
                                            float mse_factor, float mlm_factor, float alpha_ce, float alpha_mse,
                                            float alpha_mlm) {
    float sums[3] = {};
    for (uint32_t row = threadIdx.x; row < n; row += blockDim.x) {
        for (int k = 0; k < 3; k++) sums[k] += statistics[(uint64_t)row * 6 + k];
    }
    for (int k = 0; k < 3; k++) sums[k] = block_sum(sums[k]);
    if (threadIdx.x == 0) {
        float ce = sums[0] * ce_factor, mse = sums[1] * mse_factor, mlm = sums[2] * mlm_factor;
        out[0] = alpha_ce * ce + alpha_mse * mse + alpha_mlm * mlm;
        out[1] = ce;
        out[2] = mse;
        out[3] = mlm;
    }
}
REGISTER(vocabulary_total)
