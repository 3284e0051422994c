//! One number for the bits of every operation. It is the same for every instruction set, and in
//! every build for every processor: an emulated ARM run of this test compares ARM with x86.

mod common;

use common::*;
use distil_kernels::{
    Epilogue, Group, Kernels, Layout, Matrix, RowScale, Scales, Vector, exp, layout, quantized_stride, rsqrt, tanh,
};

/// FNV-1a over bits.
struct Digest(u64);

impl Digest {
    fn add(&mut self, bits: u32) {
        for byte in bits.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn floats(&mut self, values: &[f32]) {
        values.iter().for_each(|x| self.add(x.to_bits()));
    }
}

#[test]
fn the_bits_are_the_same_everywhere() {
    for kernels in Kernels::available() {
        let mut digest = Digest(0xcbf2_9ce4_8422_2325);
        let (rows, k, n) = (7, 100, 45);
        let x = painted(rows * k, 1);
        let mut values = vec![0; rows * quantized_stride(k)];
        let mut scales = vec![RowScale::default(); rows];
        kernels.quantize_rows(&x, k, &mut values, &mut scales);
        for row in &scales {
            digest.floats(&[row.scale]);
            digest.add(row.sum as u32);
        }
        let (bytes, floats, bias) = (painted_bytes(n * k, 2), painted(n * k, 3), painted_halves(n, 4));
        let weight_scales = painted_scales(n, 5);
        for layout in [Layout::RowMajor, Layout::Tile16] {
            let mut int8 = vec![0; layout::packed_len_int8(n, k, layout).unwrap()];
            layout::pack_int8(&bytes, n, k, layout, &mut int8).unwrap();
            let int8 = Matrix::int8(&int8, Scales::Bf16(&weight_scales), n, k, layout).unwrap();
            let mut float = vec![0.0; layout::packed_len_f32(n, k, layout).unwrap()];
            layout::pack_f32(&floats, n, k, layout, &mut float).unwrap();
            let float = Matrix::float(&float, n, k, layout).unwrap();
            for epilogue in [Epilogue::Store, Epilogue::Gelu, Epilogue::Relu, Epilogue::Add] {
                let mut out = painted(rows * n, 6);
                kernels.matmul_int8(&values, &scales, &int8, 0..n, Some(Vector::F16(&bias)), epilogue, &mut out, n);
                digest.floats(&out);
                kernels.matmul_f32(&x, rows, &float, 0..n, Some(Vector::F16(&bias)), epilogue, &mut out, n);
                digest.floats(&out);
            }
        }
        for (layout, group) in Layout::ALL.into_iter().flat_map(|layout| Group::ALL.map(|group| (layout, group))) {
            let q: Vec<i8> = bytes.iter().map(|byte| byte >> 4).collect();
            let mut nibbles = vec![0; layout::packed_len_int4(n, k, group, layout).unwrap()];
            layout::pack_int4(&q, n, k, group, layout, &mut nibbles).unwrap();
            let groups: Vec<u8> =
                (0..layout::group_count(n, k, group, layout).unwrap()).map(|i| (i % 15 + 1) as u8).collect();
            let int4 = Matrix::int4(&nibbles, &groups, group, Scales::Bf16(&weight_scales), n, k, layout).unwrap();
            let mut out = painted(rows * n, 6);
            kernels.matmul_int8(&values, &scales, &int4, 0..n, None, Epilogue::Store, &mut out, n);
            digest.floats(&out);
            if group == Group::Of32 {
                let odd: Vec<i8> = q.iter().map(|q| q | 1).collect();
                let mut packed = vec![0; layout::packed_len_int3(n, k, layout).unwrap()];
                layout::pack_int3(&odd, n, k, layout, &mut packed).unwrap();
                let int3 = Matrix::int3(&packed, &groups, Scales::Bf16(&weight_scales), n, k, layout).unwrap();
                kernels.matmul_int8(&values, &scales, &int3, 0..n, None, Epilogue::Store, &mut out, n);
                digest.floats(&out);
            }
        }
        let mut row = painted(rows * n, 7);
        kernels.gemm_f32(&x, k, rows, &floats, n, k, n, 0.3, &mut row, n);
        digest.floats(&row);
        for len in [1, 16, 100, 315] {
            let row = &mut row[..len];
            kernels.layer_norm(row, &floats[..len], &x[..len], 1e-12);
            digest.floats(row);
            kernels.gelu(row);
            kernels.add_dequantized(&bytes[..len], 0.013, row);
            kernels.add(&x[..len], row);
            kernels.scale(0.77, row);
            digest.floats(&[kernels.sum_squares(row)]);
            kernels.softmax(row);
            digest.floats(row);
            let mut values = vec![0; quantized_stride(len)];
            let normal = kernels.norm_quantize(row, &floats[..len], &x[..len], 1e-12, &mut values);
            let weights =
                kernels.attention_weights(row, &x[..len].iter().map(|x| x.abs()).collect::<Vec<_>>(), &mut values);
            digest.floats(row);
            digest.floats(&[normal.scale, weights.scale]);
            values.iter().for_each(|&value| digest.add(value as u32));
        }
        for x in painted(251, 8) {
            digest.floats(&[exp(20.0 * x), tanh(x), rsqrt(x * x + 0.01)]);
        }
        assert_eq!(digest.0, 0xce72_adf1_a89e_5e90, "{kernels:?}: {:#018x}", digest.0);
    }
}
