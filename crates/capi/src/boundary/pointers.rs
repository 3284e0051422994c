//! From pointers to references: what can be checked is checked, the rest is the contract in the crate's documentation.

use core::ffi::{c_char, c_void};
use core::{slice, str};

use distil_runtime::RunError;

use crate::status::{
    self, DISTIL_ERROR_MISALIGNED, DISTIL_ERROR_NULL, DISTIL_ERROR_TOO_LARGE, DISTIL_ERROR_UTF8, DISTIL_OK,
    distil_status,
};
use crate::types::DISTIL_MAX_LEN;

/// Why a call failed.
#[derive(Clone, Copy)]
pub(super) enum Failure {
    /// All there is to say.
    Status(distil_status),
    /// The text is not UTF-8 from this byte on.
    Utf8 { at: usize },
    /// The runtime refused.
    Run(RunError),
}

impl Failure {
    /// Its number.
    pub(super) fn status(self) -> distil_status {
        match self {
            Self::Status(status) => status,
            Self::Utf8 { .. } => DISTIL_ERROR_UTF8,
            Self::Run(error) => status::of(error),
        }
    }
}

impl From<distil_status> for Failure {
    fn from(status: distil_status) -> Self {
        Self::Status(status)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}

/// The status of what a call came to.
pub(super) fn status_of(result: Result<(), Failure>) -> distil_status {
    result.map_or_else(Failure::status, |()| DISTIL_OK)
}

/// Whether a pointer may be used at all.
pub(super) fn check<T>(pointer: *const T) -> Result<(), Failure> {
    if pointer.is_null() {
        return Err(DISTIL_ERROR_NULL.into());
    }
    if !pointer.is_aligned() {
        return Err(DISTIL_ERROR_MISALIGNED.into());
    }
    Ok(())
}

/// Whether a list may be: of no elements it may be null.
fn check_list<T>(pointer: *const T, len: usize) -> Result<(), Failure> {
    // With elements of at most 48 bytes, no list that passes here has more bytes than a pointer's difference can be, but
    // on 32-bit targets, where the second condition says so.
    if len > DISTIL_MAX_LEN || len.checked_mul(size_of::<T>()).is_none_or(|bytes| bytes > isize::MAX as usize) {
        return Err(DISTIL_ERROR_TOO_LARGE.into());
    }
    if len == 0 { Ok(()) } else { check(pointer) }
}

/// Elements that are read.
///
/// # Safety
/// The crate's contract. Every pattern of bits is a `T`.
pub(super) unsafe fn list<'a, T: Copy>(pointer: *const T, len: usize) -> Result<&'a [T], Failure> {
    check_list(pointer, len)?;
    if len == 0 {
        return Ok(&[]);
    }
    // SAFETY: the pointer is neither null nor misaligned, the length in bytes has no overflow, and the caller promises
    // that the elements are there and stay.
    Ok(unsafe { slice::from_raw_parts(pointer, len) })
}

/// Elements that are written.
///
/// # Safety
/// The crate's contract. Every pattern of bits is a `T`.
pub(super) unsafe fn list_mut<'a, T: Copy>(pointer: *mut T, len: usize) -> Result<&'a mut [T], Failure> {
    check_list(pointer, len)?;
    if len == 0 {
        return Ok(&mut []);
    }
    // SAFETY: as in `list`, and nothing else uses the elements during the call.
    Ok(unsafe { slice::from_raw_parts_mut(pointer, len) })
}

/// The bytes of a file.
///
/// # Safety
/// The crate's contract.
pub(super) unsafe fn bytes<'a>(pointer: *const c_void, len: usize) -> Result<&'a [u8], Failure> {
    check(pointer.cast::<u8>())?;
    // SAFETY: the caller promises what `list` needs; every byte is one.
    unsafe { list(pointer.cast::<u8>(), len) }
}

/// A text.
///
/// # Safety
/// The crate's contract.
pub(super) unsafe fn text<'a>(pointer: *const c_char, len: usize) -> Result<&'a str, Failure> {
    // SAFETY: the caller promises what `list` needs; every byte is one.
    let bytes = unsafe { list(pointer.cast::<u8>(), len) }?;
    str::from_utf8(bytes).map_err(|error| Failure::Utf8 { at: error.valid_up_to() })
}

/// A place for one result, checked before the work is done.
pub(super) struct Place<T>(*mut T);

impl<T> Place<T> {
    /// A place that must be there.
    ///
    /// # Safety
    /// The crate's contract.
    pub(super) unsafe fn new(pointer: *mut T) -> Result<Self, Failure> {
        check(pointer).map(|()| Self(pointer))
    }

    /// A place that may be null: then nothing is written.
    ///
    /// # Safety
    /// The crate's contract.
    pub(super) unsafe fn optional(pointer: *mut T) -> Result<Self, Failure> {
        if pointer.is_null() {
            return Ok(Self(pointer));
        }
        // SAFETY: it is not null, and the caller promises the rest.
        unsafe { Self::new(pointer) }
    }

    /// Writes the result.
    pub(super) fn set(&self, value: T) {
        if !self.0.is_null() {
            // SAFETY: `new` has checked the pointer, and its caller promised that one `T` can be written there; what was
            // there needs no drop, since it came from C.
            unsafe { self.0.write(value) }
        }
    }
}
