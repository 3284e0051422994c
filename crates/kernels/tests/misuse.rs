//! Wrong lengths panic before anything is written, odd numbers do no harm, and what does not exist
//! says so.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use common::*;
use distil_kernels::{
    Epilogue, Isa, Kernels, Layout, Matrix, RowScale, Scales, ShapeError, UnknownIsa, Vector, quantized_stride,
};

/// Asserts that the call panics with a message that contains `text`, on every instruction set.
#[track_caller]
fn refuses(text: &str, call: impl Fn(Kernels)) {
    for kernels in Kernels::available() {
        let panic = catch_unwind(AssertUnwindSafe(|| call(kernels))).expect_err(text);
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
        assert!(message.contains(text), "{message:?} should say {text:?}");
    }
}

#[test]
fn wrong_lengths_are_refused() {
    let (weights, scales, floats) = ([1_i8; 64], [0x3f80; 16], [1.0; 64]);
    let int8 = Matrix::int8(&weights, Scales::Bf16(&scales), 16, 4, Layout::Tile16).unwrap();
    let float = Matrix::float(&floats, 16, 4, Layout::Tile16).unwrap();
    let (values, rows) = ([1_i8; 128], [RowScale { scale: 1.0, sum: 4 }; 2]);
    let out = || [0.0; 32];
    let store = Epilogue::Store;

    refuses("x must be", |k| k.quantize_rows(&[0.0; 7], 4, &mut [0; 128], &mut rows.clone()));
    refuses("values must be", |k| k.quantize_rows(&[0.0; 8], 4, &mut [0; 127], &mut rows.clone()));
    refuses("at least one", |k| k.quantize_rows(&[], 0, &mut [], &mut rows.clone()));
    refuses("values must be", |k| k.matmul_int8(&values[1..], &rows, &int8, 0..16, None, store, &mut out(), 16));
    refuses("inside the matrix", |k| k.matmul_int8(&values, &rows, &int8, 0..17, None, store, &mut [0.0; 64], 32));
    #[expect(clippy::reversed_empty_ranges, reason = "that is the mistake")]
    refuses("inside the matrix", |k| k.matmul_int8(&values, &rows, &int8, 9..8, None, store, &mut out(), 16));
    refuses("out must hold", |k| k.matmul_int8(&values, &rows, &int8, 0..16, None, store, &mut out()[1..], 16));
    refuses("out must hold", |k| k.matmul_int8(&values, &rows, &int8, 0..16, None, store, &mut out(), 15));
    refuses("out must hold", |k| k.matmul_int8(&values, &rows, &int8, 0..16, None, store, &mut out(), usize::MAX));
    let short = Some(Vector::F32(&floats[..15]));
    refuses("bias must have", |k| k.matmul_int8(&values, &rows, &int8, 0..8, short, store, &mut out(), 16));
    refuses("use matmul_f32", |k| k.matmul_int8(&values, &rows, &float, 0..16, None, store, &mut out(), 16));
    refuses("use matmul_int8", |k| k.matmul_f32(&floats[..8], 2, &int8, 0..16, None, store, &mut out(), 16));
    refuses("x must be", |k| k.matmul_f32(&floats[..9], 2, &float, 0..16, None, store, &mut out(), 16));
    refuses("out must hold", |k| k.matmul_f32(&floats[..8], 2, &float, 0..16, None, store, &mut out()[1..], 16));
    let (a, b) = (&floats[..6], &floats[..12]);
    refuses("a must hold", |k| k.gemm_f32(&a[1..], 3, 2, b, 4, 3, 4, 1.0, &mut out(), 4));
    refuses("b must hold", |k| k.gemm_f32(a, 3, 2, &b[1..], 4, 3, 4, 1.0, &mut out(), 4));
    refuses("b must hold", |k| k.gemm_f32(a, 3, 2, b, 3, 3, 4, 1.0, &mut out(), 4));
    refuses("out must hold", |k| k.gemm_f32(a, 3, 2, b, 4, 3, 4, 1.0, &mut [0.0; 7], 4));
    refuses("gamma must be", |k| k.layer_norm(&mut out(), &floats[..31], &floats[..32], 1e-12));
    refuses("beta must be", |k| k.layer_norm(&mut out(), &floats[..32], &floats[..33], 1e-12));
    refuses("must be equal", |k| k.add_dequantized(&values[..31], 1.0, &mut out()));
    refuses("must be equal", |k| k.add(&floats[..33], &mut out()));
}

#[test]
fn nothing_to_do_is_fine() {
    let (weights, scales) = ([1_i8; 64], [0x3f80; 16]);
    let matrix = Matrix::int8(&weights, Scales::Bf16(&scales), 16, 4, Layout::Tile16).unwrap();
    for kernels in Kernels::available() {
        kernels.quantize_rows(&[], 4, &mut [], &mut []);
        kernels.matmul_int8(&[], &[], &matrix, 0..16, None, Epilogue::Store, &mut [], 16);
        kernels.gemm_f32(&[], 3, 0, &[1.0; 12], 4, 3, 4, 1.0, &mut [], 4);
        let mut out = [5.0; 9];
        kernels.gemm_f32(&[], 0, 2, &[], 4, 0, 4, 1.0, &mut out, 5);
        assert_eq!(out, [0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0]);
    }
}

#[test]
fn odd_numbers_do_no_harm() {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -f32::MAX, 1e-45, -f32::NAN];
    let row = |len: usize| -> Vec<f32> { (0..len).map(|i| if i % 3 == 0 { odd[i % 7] } else { 0.5 }).collect() };
    let k = 37;
    let packed = vec![3_i8; 48 * 40];
    let floats = row(48 * k);
    let int8 = Matrix::int8(&packed, Scales::Bf16(&[0x7fc0; 48]), 48, k, Layout::Tile16).unwrap();
    let float = Matrix::float(&floats, 48, k, Layout::Tile16).unwrap();
    for kernels in Kernels::available() {
        for x in odd.map(|x| vec![x; 3 * k]).into_iter().chain([row(3 * k)]) {
            let mut values = Guarded::new(&vec![0; 3 * quantized_stride(k)], 99);
            let mut scales = vec![RowScale::default(); 3];
            kernels.quantize_rows(&x, k, values.get(), &mut scales);
            for epilogue in [Epilogue::Store, Epilogue::Gelu, Epilogue::Relu, Epilogue::Add] {
                let mut out = Guarded::new(&row(3 * 40), 12345.0);
                kernels.matmul_int8(values.checked(), &scales, &int8, 5..45, None, epilogue, out.get(), 40);
                kernels.matmul_f32(&x, 3, &float, 5..45, None, epilogue, out.get(), 40);
                out.checked();
            }
            let mut out = Guarded::new(&x, 12345.0);
            kernels.softmax(out.get());
            kernels.layer_norm(out.get(), &x, &x, f32::NAN);
            kernels.gelu(out.get());
            kernels.gemm_f32(&x, k, 3, &floats, k, k, k, f32::INFINITY, out.get(), k);
            kernels.sum_squares(out.checked());
        }
    }
}

#[test]
fn shapes_are_checked() {
    let (values, scales, floats) = ([0_i8; 64], [0_u16; 16], [0.0_f32; 64]);
    assert_eq!(Matrix::int8(&values, Scales::Bf16(&scales), 0, 4, Layout::Tile16).unwrap_err(), ShapeError::Empty);
    assert_eq!(Matrix::float(&floats, 4, 0, Layout::Tile16).unwrap_err(), ShapeError::Empty);
    let wide = Matrix::int8(&values, Scales::Bf16(&scales), 1, 65_537, Layout::RowMajor).unwrap_err();
    assert_eq!(wide, ShapeError::TooWide { k: 65_537 });
    let values_error = Matrix::int8(&values[1..], Scales::Bf16(&scales), 16, 4, Layout::Tile16).unwrap_err();
    assert_eq!(values_error.to_string(), "63 values where the shape needs 64; check shape and layout");
    let overflow = Matrix::float(&floats, usize::MAX, 2, Layout::RowMajor).unwrap_err();
    assert_eq!(overflow, ShapeError::Values { expected: None, found: 64 });
    let few = Matrix::int8(&values, Scales::Bf16(&scales[1..]), 16, 4, Layout::Tile16).unwrap_err();
    assert_eq!(few, ShapeError::Scales { expected: 16, found: 15 });
}

#[test]
fn instruction_sets_are_named_and_detected() {
    for isa in Isa::ALL {
        assert_eq!(isa.name().parse(), Ok(isa));
        match Kernels::with_isa(isa) {
            Ok(kernels) => assert_eq!(kernels.isa(), isa),
            Err(error) => assert!(error.to_string().contains(isa.name())),
        }
    }
    assert_eq!("sse9".parse::<Isa>(), Err(UnknownIsa));
    assert_eq!(
        UnknownIsa.to_string(),
        "unknown instruction set; use one of reference, avx2, avxvnni, avx512vnni, amx, neon, dotprod, i8mm, dsp, helium"
    );
    assert_eq!(Some(Kernels::detect().isa()), Kernels::available().map(Kernels::isa).last());
    println!("this machine runs {:?}", Kernels::available().map(Kernels::isa).collect::<Vec<_>>());
    #[cfg(target_arch = "x86_64")]
    {
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        assert_eq!(Kernels::with_isa(Isa::Avx2).is_ok(), is_x86_feature_detected!("avx2"));
        assert_eq!(Kernels::with_isa(Isa::Avx512Vnni).is_ok(), avx512);
    }
    #[cfg(target_arch = "aarch64")]
    assert!(Kernels::with_isa(Isa::Neon).is_ok());
}
