//! Reads stay inside the slices: every input ends where an unmapped page begins, or begins where
//! one ends.

#![allow(unsafe_code, reason = "memory without access comes from the operating system")]
#![cfg(all(unix, target_pointer_width = "64"))]

mod common;

use std::ffi::c_void;
use std::slice;

use common::*;
use distil_kernels::cast::Plain;
use distil_kernels::{Epilogue, Group, Kernels, Layout, Matrix, RowScale, Scales, Vector, layout, quantized_stride};

unsafe extern "C" {
    fn mmap(address: *mut c_void, len: usize, protection: i32, flags: i32, file: i32, offset: i64) -> *mut c_void;
    fn mprotect(address: *mut c_void, len: usize, protection: i32) -> i32;
    fn munmap(address: *mut c_void, len: usize) -> i32;
}

/// Larger than any page of a system this runs on.
const PAGE: usize = 65_536;
const NO_ACCESS: i32 = 0;
const READ_WRITE: i32 = 3;
const PRIVATE_ANONYMOUS: i32 = if cfg!(target_os = "linux") { 0x22 } else { 0x1002 };

/// A copy of a slice between two pages without access, touching the one before or the one behind
/// it.
struct Fenced<T> {
    mapping: *mut c_void,
    mapped: usize,
    start: *mut T,
    len: usize,
}

impl<T: Plain> Fenced<T> {
    fn new(values: &[T], at_end: bool) -> Self {
        let bytes = size_of_val(values);
        let inside = bytes.next_multiple_of(PAGE);
        let mapped = inside + 2 * PAGE;
        // SAFETY: a new private mapping; its middle part becomes accessible, and the copy lies
        // inside it.
        unsafe {
            let mapping = mmap(std::ptr::null_mut(), mapped, NO_ACCESS, PRIVATE_ANONYMOUS, -1, 0);
            assert_ne!(mapping as isize, -1, "mmap");
            let middle = mapping.cast::<u8>().add(PAGE);
            assert_eq!(mprotect(middle.cast(), inside, READ_WRITE), 0, "mprotect");
            let start = middle.add(if at_end { inside - bytes } else { 0 }).cast::<T>();
            start.copy_from_nonoverlapping(values.as_ptr(), values.len());
            Fenced { mapping, mapped, start, len: values.len() }
        }
    }

    fn get(&self) -> &[T] {
        // SAFETY: initialized by `new`, aligned because the size of the type divides the page, and
        // mapped until dropped.
        unsafe { slice::from_raw_parts(self.start, self.len) }
    }

    fn get_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `get`, and borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.start, self.len) }
    }
}

impl<T> Drop for Fenced<T> {
    fn drop(&mut self) {
        // SAFETY: the whole mapping that `new` made; nothing borrows it any more.
        unsafe { munmap(self.mapping, self.mapped) };
    }
}

#[test]
fn reads_and_writes_stay_inside() {
    for (kernels, at_end) in Kernels::available().flat_map(|kernels| [(kernels, true), (kernels, false)]) {
        for (rows, k, n) in [(1, 1, 1), (2, 3, 17), (3, 16, 16), (13, 37, 33), (5, 64, 26), (5, 48, 32), (12, 65, 48)] {
            let x = Fenced::new(&painted(rows * k, 1), at_end);
            let mut values = Fenced::new(&vec![0_i8; rows * quantized_stride(k)], at_end);
            let mut scales_of_rows = Fenced::new(&vec![RowScale::default(); rows], at_end);
            kernels.quantize_rows(x.get(), k, values.get_mut(), scales_of_rows.get_mut());
            let mut out = Fenced::new(&painted(rows * n, 2), at_end);
            let bias = Fenced::new(&painted_halves(n, 3), at_end);
            let bias = Some(Vector::F16(bias.get()));
            let weight_scales = Fenced::new(&painted_scales(n, 4), at_end);
            for layout in Layout::ALL {
                let bytes = painted_bytes(layout::packed_len_int8(n, k, layout).unwrap(), 5);
                let bytes = Fenced::new(&bytes, at_end);
                let int8 = Matrix::int8(bytes.get(), Scales::Bf16(weight_scales.get()), n, k, layout).unwrap();
                kernels.matmul_int8(
                    values.get(),
                    scales_of_rows.get(),
                    &int8,
                    0..n,
                    bias,
                    Epilogue::Add,
                    out.get_mut(),
                    n,
                );
            }
            for (layout, epilogue) in [(Layout::Tile16, Epilogue::Add), (Layout::RowMajor, Epilogue::Gelu)] {
                for (group, layout) in
                    Group::ALL.into_iter().flat_map(|group| Layout::ALL.map(|layout| (group, layout)))
                {
                    let nibbles = vec![0x5a_u8; layout::packed_len_int4(n, k, group, layout).unwrap()];
                    let groups = vec![3_u8; layout::group_count(n, k, group, layout).unwrap()];
                    let (nibbles, groups) = (Fenced::new(&nibbles, at_end), Fenced::new(&groups, at_end));
                    let scales = Scales::Bf16(weight_scales.get());
                    let int4 = Matrix::int4(nibbles.get(), groups.get(), group, scales, n, k, layout).unwrap();
                    kernels.matmul_int8(
                        values.get(),
                        scales_of_rows.get(),
                        &int4,
                        0..n,
                        bias,
                        epilogue,
                        out.get_mut(),
                        n,
                    );
                }
                for layout in Layout::ALL {
                    let packed = vec![0x5a_u8; layout::packed_len_int3(n, k, layout).unwrap()];
                    let groups = vec![3_u8; layout::group_count(n, k, Group::Of32, layout).unwrap()];
                    let (packed, groups) = (Fenced::new(&packed, at_end), Fenced::new(&groups, at_end));
                    let scales = Scales::Bf16(weight_scales.get());
                    let int3 = Matrix::int3(packed.get(), groups.get(), scales, n, k, layout).unwrap();
                    let (values, out) = (values.get(), out.get_mut());
                    kernels.matmul_int8(values, scales_of_rows.get(), &int3, 0..n, bias, epilogue, out, n);
                }
                let floats = Fenced::new(&painted(layout::packed_len_f32(n, k, layout).unwrap(), 6), at_end);
                let float = Matrix::float(floats.get(), n, k, layout).unwrap();
                kernels.matmul_f32(x.get(), rows, &float, 0..n, bias, epilogue, out.get_mut(), n);
            }
            for gap in [0, 5] {
                let b = Fenced::new(&painted(k * (n + gap) - gap, 7), at_end);
                kernels.gemm_f32(x.get(), k, rows, b.get(), n + gap, k, n, 1.0, out.get_mut(), n);
            }
            let (gamma, beta) =
                (Fenced::new(&painted(rows * n, 8), at_end), Fenced::new(&painted(rows * n, 9), at_end));
            let bytes = Fenced::new(&painted_bytes(rows * n, 10), at_end);
            let stride = quantized_stride(rows * n);
            let mut row_values = Fenced::new(&vec![0_i8; stride], at_end);
            kernels.norm_quantize(out.get_mut(), gamma.get(), beta.get(), 1e-12, row_values.get_mut());
            kernels.attention_weights(out.get_mut(), gamma.get(), row_values.get_mut());
            kernels.layer_norm(out.get_mut(), gamma.get(), beta.get(), 1e-12);
            kernels.softmax(out.get_mut());
            kernels.add(gamma.get(), out.get_mut());
            kernels.add_dequantized(bytes.get(), 0.5, out.get_mut());
            kernels.gelu(out.get_mut());
            kernels.scale(0.5, out.get_mut());
            kernels.sum_squares(out.get());
        }
    }
}

/// The test above would notice: this reads one byte too many, in a process of its own.
#[test]
fn the_fence_stops_a_read() {
    if std::env::var_os("DISTIL_CROSS_THE_FENCE").is_some() {
        let fenced = Fenced::new(&[1_u8; 100], true);
        // SAFETY: none; the fault is the point.
        std::hint::black_box(unsafe { fenced.start.add(100).read_volatile() });
        return;
    }
    if cfg!(not(target_arch = "x86_64")) {
        return; // An emulated program cannot start itself.
    }
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_fence_stops_a_read"])
        .env("DISTIL_CROSS_THE_FENCE", "1")
        .output()
        .unwrap()
        .status;
    assert!(!status.success(), "reading beyond the fence must end the process");
}
