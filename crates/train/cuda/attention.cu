// Attention on tensor cores, for heads of 64 or 32 numbers in bfloat16: blocks of 64 queries against blocks of 64 keys, softmax
// online, scores never in memory. A block is 4 warps of 16 queries (or, for the sums over queries, 16 keys) each.
//
// The backward pass makes keys' and values' gradients in one kernel and queries' in another, so that each sum has one owner and
// one order: no atomics, the same bits every time.
#include "attention.cuh"
#include "mma.cuh"

// 64 rows of D numbers, the first `count` of them from memory, the others zero.
template <int D>
__device__ __forceinline__ void load_tile(bf16 *tile, const bf16 *from, uint32_t stride, uint32_t count) {
    constexpr int PARTS = D / 8;
    for (uint32_t i = threadIdx.x; i < 64 * PARTS; i += 128) {
        uint32_t row = i / PARTS, part = i % PARTS * 8;
        uint4 v = make_uint4(0, 0, 0, 0);
        if (row < count) v = *reinterpret_cast<const uint4 *>(from + (uint64_t)row * stride + part);
        *reinterpret_cast<uint4 *>(tile + row * (D + 8) + part) = v;
    }
}

// s = a b^T for this warp's 16 rows against the 64 rows of b; a lies in registers.
template <int D> __device__ __forceinline__ void scores(float (&s)[8][4], const uint32_t (&a)[D / 16][4], const bf16 *b) {
#pragma unroll
    for (int j = 0; j < 8; j++) s[j][0] = s[j][1] = s[j][2] = s[j][3] = 0;
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
#pragma unroll
        for (int j = 0; j < 8; j += 2) {
            uint32_t r[4];
            load_b_transposed<D + 8>(r, b, j * 8, k * 16);
            multiply(s[j], a[k], r[0], r[1]);
            multiply(s[j + 1], a[k], r[2], r[3]);
        }
    }
}

// out += p b for this warp's 16 rows; p [16, 64], b [64, D].
template <int D> __device__ __forceinline__ void accumulate(float (&out)[D / 8][4], const uint32_t (&p)[4][4], const bf16 *b) {
#pragma unroll
    for (int k = 0; k < 4; k++) {
#pragma unroll
        for (int j = 0; j < D / 8; j += 2) {
            uint32_t r[4];
            load_b<D + 8>(r, b, k * 16, j * 8);
            multiply(out[j], p[k], r[0], r[1]);
            multiply(out[j + 1], p[k], r[2], r[3]);
        }
    }
}

// Multiplies a tile of probabilities (or their gradients) by the dropout factors. Rows are the queries `row` and row + 8.
__device__ __forceinline__ void drop_tile(float (&s)[8][4], const Drop &drop, uint32_t row, uint32_t head, uint32_t first_key) {
    if (drop.threshold == 0) return;
    uint32_t t = threadIdx.x % 4;
#pragma unroll
    for (int half = 0; half < 2; half++) {
#pragma unroll
        for (int side = 0; side < 2; side++) {
            uint4 words = draw(drop, (first_key / 32 + half) * 4 + t, row + side * 8, head);
            uint32_t word[4] = {words.x, words.y, words.z, words.w};
#pragma unroll
            for (int j = 0; j < 4; j++) {
                s[half * 4 + j][side * 2] *= factor(drop, word[j], 0);
                s[half * 4 + j][side * 2 + 1] *= factor(drop, word[j], 1);
            }
        }
    }
}

// Writes this warp's 16 rows of `values`, those below `count`, times `scale[side]`.
template <int D>
__device__ __forceinline__ void write_rows(bf16 *out, uint64_t stride, uint32_t first, uint32_t count,
                                           const float (&values)[D / 8][4], float low, float high) {
    uint32_t lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll
    for (int j = 0; j < D / 8; j++) {
        if (first + g < count)
            *reinterpret_cast<uint32_t *>(out + (first + g) * stride + j * 8 + 2 * t) =
                pack(values[j][0] * low, values[j][1] * low);
        if (first + g + 8 < count)
            *reinterpret_cast<uint32_t *>(out + (first + g + 8) * stride + j * 8 + 2 * t) =
                pack(values[j][2] * high, values[j][3] * high);
    }
}

// Largest and total of a row over the four lanes that share it.
__device__ __forceinline__ float quad_max(float x) {
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
    return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

__device__ __forceinline__ float quad_sum(float x) {
    x += __shfl_xor_sync(0xffffffffu, x, 1);
    return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

// One tile: which sequence and head, and 64 of its rows.
struct Place {
    uint32_t begin, length, first, count, head, heads, rows;

    // tiles [gridDim.x, 2]: sequence and first row; heads along gridDim.y.
    __device__ __forceinline__ Place(const uint32_t *starts, const uint32_t *tiles, uint32_t total) {
        uint32_t sequence = tiles[2 * blockIdx.x];
        first = tiles[2 * blockIdx.x + 1];
        begin = starts[sequence];
        length = starts[sequence + 1] - begin;
        count = length - first < 64 ? length - first : 64;
        head = blockIdx.y;
        heads = gridDim.y;
        rows = total;
    }
    __device__ __forceinline__ uint64_t statistics() const { return (uint64_t)head * rows + begin; }
};

template <int D>
__device__ void attention_forward(const bf16 *qkv, bf16 *out, float *lse, const uint32_t *starts, const uint32_t *tiles,
                                  uint32_t rows, float scale, Drop drop) {
    __shared__ __align__(16) bf16 keys[64 * (D + 8)];
    __shared__ __align__(16) bf16 values[64 * (D + 8)];
    Place place(starts, tiles, rows);
    uint32_t h = place.heads * D, stride = 3 * h, warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    const bf16 *base = qkv + (uint64_t)place.begin * stride + place.head * D;

    load_tile<D>(keys, base + (uint64_t)place.first * stride, stride, place.count);
    __syncthreads();
    uint32_t query[D / 16][4];
#pragma unroll
    for (int k = 0; k < D / 16; k++) load_a<D + 8>(query[k], keys, warp * 16, k * 16);

    float sum[D / 8][4] = {};
    float largest[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0};
    float factor2 = scale * LOG2E;
    for (uint32_t key = 0; key < place.length; key += 64) {
        __syncthreads();
        uint32_t count = place.length - key < 64 ? place.length - key : 64;
        load_tile<D>(keys, base + h + (uint64_t)key * stride, stride, count);
        load_tile<D>(values, base + 2 * h + (uint64_t)key * stride, stride, count);
        __syncthreads();
        float s[8][4];
        scores<D>(s, query, keys);
        float most[2] = {largest[0], largest[1]};
#pragma unroll
        for (int j = 0; j < 8; j++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                bool real = j * 8 + 2 * t + e % 2 < count;
                s[j][e] = real ? s[j][e] * factor2 : -INFINITY;
                most[e / 2] = fmaxf(most[e / 2], s[j][e]);
            }
        }
#pragma unroll
        for (int side = 0; side < 2; side++) {
            most[side] = quad_max(most[side]);
            // Each block of keys has a real one, so the maximum is finite; exp2 of -infinity is 0 in the first round.
            float shrink = exp2f(largest[side] - most[side]);
            largest[side] = most[side];
            total[side] *= shrink;
#pragma unroll
            for (int j = 0; j < D / 8; j++) sum[j][2 * side] *= shrink, sum[j][2 * side + 1] *= shrink;
        }
#pragma unroll
        for (int j = 0; j < 8; j++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                s[j][e] = exp2f(s[j][e] - largest[e / 2]);
                total[e / 2] += s[j][e];
            }
        }
        drop_tile(s, drop, place.begin + place.first + warp * 16 + g, place.head, key);
        uint32_t p[4][4];
#pragma unroll
        for (int k = 0; k < 4; k++) as_a(p[k], s[2 * k], s[2 * k + 1]);
        accumulate<D>(sum, p, values);
    }
    total[0] = quad_sum(total[0]);
    total[1] = quad_sum(total[1]);
    uint32_t row = place.first + warp * 16;
    bf16 *to = out + (uint64_t)place.begin * h + place.head * D;
    write_rows<D>(to, h, row, place.length, sum, 1.0f / total[0], 1.0f / total[1]);
    if (t == 0) {
        float *statistics = lse + place.statistics();
        if (row + g < place.length) statistics[row + g] = largest[0] + log2f(total[0]);
        if (row + g + 8 < place.length) statistics[row + g + 8] = largest[1] + log2f(total[1]);
    }
}

// Probabilities and gradients of scores (before the scale) of this warp's 16 queries: s becomes p without dropout, dp becomes
// p (dp factors - delta).
__device__ __forceinline__ void differentiate(float (&s)[8][4], float (&dp)[8][4], const float (&lse)[2],
                                              const float (&delta)[2], float factor2, uint32_t queries, uint32_t keys,
                                              const Drop &drop, uint32_t row, uint32_t head, uint32_t first_key) {
    uint32_t t = threadIdx.x % 4, g = threadIdx.x % 32 / 4;
    drop_tile(dp, drop, row, head, first_key);
#pragma unroll
    for (int j = 0; j < 8; j++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            bool real = j * 8 + 2 * t + e % 2 < keys && g + e / 2 * 8 < queries;
            float p = real ? exp2f(s[j][e] * factor2 - lse[e / 2]) : 0.0f;
            s[j][e] = p;
            dp[j][e] = p * (dp[j][e] - delta[e / 2]);
        }
    }
}

template <int D>
__device__ void attention_queries(const bf16 *qkv, const bf16 *grad, const float *lse, const float *delta, bf16 *dqkv,
                                  const uint32_t *starts, const uint32_t *tiles, uint32_t rows, float scale, Drop drop) {
    __shared__ __align__(16) bf16 keys[64 * (D + 8)];
    __shared__ __align__(16) bf16 values[64 * (D + 8)];
    Place place(starts, tiles, rows);
    uint32_t h = place.heads * D, stride = 3 * h, warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4;
    const bf16 *base = qkv + (uint64_t)place.begin * stride + place.head * D;
    const bf16 *grads = grad + (uint64_t)place.begin * h + place.head * D;

    load_tile<D>(keys, base + (uint64_t)place.first * stride, stride, place.count);
    load_tile<D>(values, grads + (uint64_t)place.first * h, h, place.count);
    __syncthreads();
    uint32_t query[D / 16][4], upstream[D / 16][4];
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
        load_a<D + 8>(query[k], keys, warp * 16, k * 16);
        load_a<D + 8>(upstream[k], values, warp * 16, k * 16);
    }
    uint32_t row = place.first + warp * 16;
    uint32_t queries = row < place.length ? place.length - row : 0;
    float sums[2] = {}, deltas[2] = {};
#pragma unroll
    for (int side = 0; side < 2; side++) {
        if (g + side * 8 < queries) {
            sums[side] = lse[place.statistics() + row + g + side * 8];
            deltas[side] = delta[place.statistics() + row + g + side * 8];
        }
    }
    float dq[D / 8][4] = {};
    for (uint32_t key = 0; key < place.length; key += 64) {
        __syncthreads();
        uint32_t count = place.length - key < 64 ? place.length - key : 64;
        load_tile<D>(keys, base + h + (uint64_t)key * stride, stride, count);
        load_tile<D>(values, base + 2 * h + (uint64_t)key * stride, stride, count);
        __syncthreads();
        float s[8][4], dp[8][4];
        scores<D>(s, query, keys);
        scores<D>(dp, upstream, values);
        differentiate(s, dp, sums, deltas, scale * LOG2E, queries, count, drop, place.begin + row + g, place.head, key);
        uint32_t p[4][4];
#pragma unroll
        for (int k = 0; k < 4; k++) as_a(p[k], dp[2 * k], dp[2 * k + 1]);
        accumulate<D>(dq, p, keys);
    }
    write_rows<D>(dqkv + (uint64_t)place.begin * stride + place.head * D, stride, row, place.length, dq, scale, scale);
}

// This warp's 16 rows of a 64 x 64 tile, into shared memory.
__device__ __forceinline__ void keep_tile(bf16 *tile, const float (&s)[8][4]) {
    uint32_t lane = threadIdx.x % 32, g = lane / 4, t = lane % 4, row = threadIdx.x / 32 * 16 + g;
#pragma unroll
    for (int j = 0; j < 8; j++) {
        *reinterpret_cast<uint32_t *>(tile + row * 72 + j * 8 + 2 * t) = pack(s[j][0], s[j][1]);
        *reinterpret_cast<uint32_t *>(tile + (row + 8) * 72 + j * 8 + 2 * t) = pack(s[j][2], s[j][3]);
    }
}

template <int D>
__device__ void attention_keys(const bf16 *qkv, const bf16 *grad, const float *lse, const float *delta, bf16 *dqkv,
                               const uint32_t *starts, const uint32_t *tiles, uint32_t rows, float scale, Drop drop) {
    __shared__ __align__(16) bf16 keys[64 * (D + 8)];
    __shared__ __align__(16) bf16 values[64 * (D + 8)];
    __shared__ __align__(16) bf16 queries[64 * (D + 8)];
    __shared__ __align__(16) bf16 grads[64 * (D + 8)];
    __shared__ __align__(16) bf16 tile[64 * 72];
    Place place(starts, tiles, rows);
    uint32_t h = place.heads * D, stride = 3 * h, warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4;
    const bf16 *base = qkv + (uint64_t)place.begin * stride + place.head * D;
    const bf16 *upstream = grad + (uint64_t)place.begin * h + place.head * D;

    load_tile<D>(keys, base + h + (uint64_t)place.first * stride, stride, place.count);
    load_tile<D>(values, base + 2 * h + (uint64_t)place.first * stride, stride, place.count);
    float dk[D / 8][4] = {}, dv[D / 8][4] = {};
    for (uint32_t first = 0; first < place.length; first += 64) {
        __syncthreads();
        uint32_t count = place.length - first < 64 ? place.length - first : 64;
        load_tile<D>(queries, base + (uint64_t)first * stride, stride, count);
        load_tile<D>(grads, upstream + (uint64_t)first * h, h, count);
        __syncthreads();
        uint32_t row = warp * 16, real = row < count ? count - row : 0;
        float sums[2] = {}, deltas[2] = {};
#pragma unroll
        for (int side = 0; side < 2; side++) {
            if (g + side * 8 < real) {
                sums[side] = lse[place.statistics() + first + row + g + side * 8];
                deltas[side] = delta[place.statistics() + first + row + g + side * 8];
            }
        }
        float s[8][4], dp[8][4];
        uint32_t a[D / 16][4];
#pragma unroll
        for (int k = 0; k < D / 16; k++) load_a<D + 8>(a[k], queries, row, k * 16);
        scores<D>(s, a, keys);
#pragma unroll
        for (int k = 0; k < D / 16; k++) load_a<D + 8>(a[k], grads, row, k * 16);
        scores<D>(dp, a, values);
        uint32_t query = place.begin + first + row + g;
        differentiate(s, dp, sums, deltas, scale * LOG2E, real, place.count, drop, query, place.head, place.first);
        drop_tile(s, drop, query, place.head, place.first);
        // From here on a warp owns 16 keys: the tile goes through shared memory to be read transposed.
        keep_tile(tile, s);
        __syncthreads();
        uint32_t p[4][4];
#pragma unroll
        for (int k = 0; k < 4; k++) load_a_transposed<72>(p[k], tile, warp * 16, k * 16);
        accumulate<D>(dv, p, grads);
        __syncthreads();
        keep_tile(tile, dp);
        __syncthreads();
#pragma unroll
        for (int k = 0; k < 4; k++) load_a_transposed<72>(p[k], tile, warp * 16, k * 16);
        accumulate<D>(dk, p, queries);
    }
    bf16 *to = dqkv + (uint64_t)place.begin * stride + place.head * D;
    uint32_t row = place.first + warp * 16;
    write_rows<D>(to + h, stride, row, place.length, dk, scale, scale);
    write_rows<D>(to + 2 * h, stride, row, place.length, dv, 1.0f, 1.0f);
}

#define ATTENTION(D)                                                                                                   \
    extern "C" __global__ void __launch_bounds__(128)                                                                  \
        attention_d##D(const bf16 *qkv, bf16 *out, float *lse, const uint32_t *starts, const uint32_t *tiles,          \
                       uint32_t rows, float scale, DROP_PARAMETERS) {                                                  \
        attention_forward<D>(qkv, out, lse, starts, tiles, rows, scale, DROP);                                         \
    }                                                                                                                  \
    REGISTER(attention_d##D)                                                                                           \
    extern "C" __global__ void __launch_bounds__(128)                                                                  \
        attention_queries_d##D(const bf16 *qkv, const bf16 *grad, const float *lse, const float *delta, bf16 *dqkv,    \
                               const uint32_t *starts, const uint32_t *tiles, uint32_t rows, float scale,              \
                               DROP_PARAMETERS) {                                                                      \
        attention_queries<D>(qkv, grad, lse, delta, dqkv, starts, tiles, rows, scale, DROP);                           \
    }                                                                                                                  \
    REGISTER(attention_queries_d##D)                                                                                   \
    extern "C" __global__ void __launch_bounds__(128)                                                                  \
        attention_keys_d##D(const bf16 *qkv, const bf16 *grad, const float *lse, const float *delta, bf16 *dqkv,       \
                            const uint32_t *starts, const uint32_t *tiles, uint32_t rows, float scale,                 \
                            DROP_PARAMETERS) {                                                                         \
        attention_keys<D>(qkv, grad, lse, delta, dqkv, starts, tiles, rows, scale, DROP);                              \
    }                                                                                                                  \
    REGISTER(attention_keys_d##D)
ATTENTION(64)
ATTENTION(32)
