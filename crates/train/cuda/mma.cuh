// Tensor-core products of 16 x 8 x 16 in bfloat16 with float32 sums (sm_80 and later), and the loads that feed them.
//
// A warp holds a tile of 16 rows: lane = 4 g + t has rows g and g + 8, columns 2 t and 2 t + 1 of each 8 columns.
#pragma once
#include "common.cuh"

#ifdef __CUDACC__
// Four 8 x 8 matrices; lane l gives the address of row l % 8 of matrix l / 8.
__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], const bf16 *p) {
    uint32_t address = (uint32_t)__cvta_generic_to_shared(p);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

// The same, each matrix transposed.
__device__ __forceinline__ void load_transposed(uint32_t (&r)[4], const bf16 *p) {
    uint32_t address = (uint32_t)__cvta_generic_to_shared(p);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

// c += a b; a has 16 rows and 16 columns, b 16 rows and 8 columns.
__device__ __forceinline__ void multiply(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#endif

// The A operand: 16 rows from `row`, 16 columns from `column` of a matrix in shared memory.
template <int LD> __device__ __forceinline__ void load_a(uint32_t (&r)[4], const bf16 *m, int row, int column) {
    int lane = threadIdx.x % 32;
    load_matrices(r, m + (row + lane % 16) * LD + column + lane / 16 * 8);
}

// The A operand from the transposed matrix: its 16 rows are columns from `row`, its 16 columns are rows from `column`.
template <int LD> __device__ __forceinline__ void load_a_transposed(uint32_t (&r)[4], const bf16 *m, int row, int column) {
    int lane = threadIdx.x % 32;
    load_transposed(r, m + (column + lane % 8 + lane / 16 * 8) * LD + row + lane / 8 % 2 * 8);
}

// Two B operands (16 columns of the product) of m^T: the product's columns are rows of m from `row`.
template <int LD> __device__ __forceinline__ void load_b_transposed(uint32_t (&r)[4], const bf16 *m, int row, int column) {
    int lane = threadIdx.x % 32;
    load_matrices(r, m + (row + lane % 8 + lane / 16 * 8) * LD + column + lane / 8 % 2 * 8);
}

// Two B operands (16 columns of the product from `column`) of m, whose 16 rows from `row` are summed over.
template <int LD> __device__ __forceinline__ void load_b(uint32_t (&r)[4], const bf16 *m, int row, int column) {
    int lane = threadIdx.x % 32;
    load_transposed(r, m + (row + lane % 8 + lane / 8 % 2 * 8) * LD + column + lane / 16 * 8);
}

// Products as they come out (columns 16 k to 16 k + 15 of c) as the A operand of the next.
__device__ __forceinline__ void as_a(uint32_t (&r)[4], const float (&left)[4], const float (&right)[4]) {
    r[0] = pack(left[0], left[1]);
    r[1] = pack(left[2], left[3]);
    r[2] = pack(right[0], right[1]);
    r[3] = pack(right[2], right[3]);
}
