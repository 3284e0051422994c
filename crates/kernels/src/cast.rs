//! Slices of bytes as slices of numbers, and back: the views that let a packed file and an arena be
//! used in place.

use crate::matrix::RowScale;

/// Alignment, in bytes, of every piece that [`carve`] hands out.
pub const ALIGNMENT: usize = 64;

mod sealed {
    /// # Safety
    ///
    /// Every bit pattern is a value of the type, the type has no padding, and its alignment is at
    /// most 64.
    pub unsafe trait Sealed {}
}

/// Numbers for which any bytes are a value, and whose bytes may be read: `f32`, `i8`, `u8`, `u16`,
/// `i32`, `u32`, [`RowScale`].
pub trait Plain: sealed::Sealed + Copy + 'static {}

macro_rules! plain {
    ($($type:ty),*) => {$(
        // SAFETY: primitive numbers, and a `repr(C)` pair of two 4-byte ones: no padding, no
        // invalid value.
        unsafe impl sealed::Sealed for $type {}
        impl Plain for $type {}
        const _: () = assert!(align_of::<$type>() <= ALIGNMENT);
    )*};
}
plain!(f32, i8, u8, u16, i32, u32, RowScale);
const _: () = assert!(size_of::<RowScale>() == 8);

/// The bytes as signed ones.
pub fn i8s(bytes: &[u8]) -> &[i8] {
    // SAFETY: `i8` and `u8` have the same size and alignment, and every byte is a value of both.
    unsafe { core::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

/// The bytes as floats; `None` when they are not 4-byte aligned or not a whole number of floats.
pub fn f32s(bytes: &[u8]) -> Option<&[f32]> {
    slice_of(bytes)
}

/// The bytes as 16-bit words; `None` when they are not 2-byte aligned or not a whole number of
/// words.
pub fn u16s(bytes: &[u8]) -> Option<&[u16]> {
    slice_of(bytes)
}

fn slice_of<T: Plain>(bytes: &[u8]) -> Option<&[T]> {
    let aligned = bytes.as_ptr().cast::<T>().is_aligned();
    // SAFETY: the pointer is aligned for `T`, the bytes are a whole number of `T`, and any bytes
    // are a `T` (`Sealed`).
    (aligned && bytes.len().is_multiple_of(size_of::<T>()))
        .then(|| unsafe { core::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<T>()) })
}

/// The bytes of numbers, as they lie in memory (little-endian).
pub fn bytes_of<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: `Sealed` promises that `T` has no padding, so every byte is initialized; the length
    // is that of the slice.
    unsafe { core::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// Splits `len` values, 64-byte aligned, off the front of `arena`; the second part is what is left
/// behind them.
///
/// The values are whatever the arena held. `None` when it is too small: with an arena that starts
/// 64-byte aligned, pieces need the sum of [`carved_len`] of their lengths, otherwise up to 63
/// bytes more.
pub fn carve<T: Plain>(arena: &mut [u8], len: usize) -> Option<(&mut [T], &mut [u8])> {
    let skipped = arena.as_ptr().align_offset(ALIGNMENT);
    let bytes = len.checked_mul(size_of::<T>())?;
    let piece = arena.get_mut(skipped..)?;
    if piece.len() < bytes {
        return None;
    }
    let (piece, rest) = piece.split_at_mut(bytes);
    // SAFETY: `piece` starts on a multiple of 64, at least the alignment of `T`; it is exactly
    // `len` values long, any bytes are a `T` and any `T` is bytes (`Sealed`); the borrow of the
    // arena passes on to the two parts.
    let values = unsafe { core::slice::from_raw_parts_mut(piece.as_mut_ptr().cast(), len) };
    Some((values, rest))
}

/// [`carve`], of memory that is only read: gives back what was carved from it and written before.
pub fn carve_shared<T: Plain>(memory: &[u8], len: usize) -> Option<(&[T], &[u8])> {
    let skipped = memory.as_ptr().align_offset(ALIGNMENT);
    let (piece, rest) = memory.get(skipped..)?.split_at_checked(len.checked_mul(size_of::<T>())?)?;
    slice_of(piece).map(|values| (values, rest))
}

/// Bytes that [`carve`] takes of an aligned arena for `len` values, up to the start of the next
/// piece; `None` when the number overflows.
pub const fn carved_len<T: Plain>(len: usize) -> Option<usize> {
    match len.checked_mul(size_of::<T>()) {
        Some(bytes) => bytes.checked_next_multiple_of(ALIGNMENT),
        None => None,
    }
}
