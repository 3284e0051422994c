//! Opening a file: at once, unverified, or in slices.

use core::ffi::c_void;
use core::ptr;

use distil_runtime::{Artifact, OpenError, Opening};

use super::pointers::{Failure, Place, bytes, check, status_of};
use crate::status::{self, DISTIL_ERROR_ABI, DISTIL_ERROR_NOT_OPEN, DISTIL_MORE, distil_status};
use crate::types::{DISTIL_ABI_VERSION, distil_model, distil_opening};

/// What tells a structure made here from other memory: an accident is found, a forger is not.
const MODEL: u64 = 0xD157_11B0_4D0D_E100 + DISTIL_ABI_VERSION as u64;
const OPENING: u64 = 0xD157_11B0_09E2_1200 + DISTIL_ABI_VERSION as u64;

/// What lies in a `distil_model`.
#[repr(C)]
struct Model {
    mark: u64,
    result: Result<Artifact<'static>, OpenError>,
}

/// What lies in a `distil_opening`.
#[repr(C)]
struct Slices {
    mark: u64,
    opening: Opening<'static>,
}

const _: () = assert!(size_of::<Model>() <= size_of::<distil_model>());
const _: () = assert!(align_of::<Model>() <= align_of::<distil_model>());
const _: () = assert!(size_of::<Slices>() <= size_of::<distil_opening>());
const _: () = assert!(align_of::<Slices>() <= align_of::<distil_opening>());

/// The version of this interface that the library has: the DISTIL_ABI_VERSION of its header.
#[unsafe(no_mangle)]
pub extern "C" fn distil_abi_version() -> u32 {
    DISTIL_ABI_VERSION
}

/// Opens a packed file and checks all of it: one pass over all bytes.
///
/// `abi_version` is DISTIL_ABI_VERSION. The bytes start at a multiple of DISTIL_ALIGNMENT and are `len`, as
/// distil_file_len gives them; they stay where and as they are while the model or a session of it is used. `model` may hold
/// anything before. If the file is refused, it still holds what distil_model_message tells.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_open(
    abi_version: u32,
    bytes: *const c_void,
    len: usize,
    model: *mut distil_model,
) -> distil_status {
    // SAFETY: the caller's promises are those of `open`.
    status_of(unsafe { open(abi_version, (bytes, len), model, Artifact::open) })
}

/// distil_open without the pass over all bytes, in microseconds: for a file that was verified when it came to where it is.
///
/// A file that would not pass distil_open does no harm, but its answers may be wrong.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_open_unverified(
    abi_version: u32,
    bytes: *const c_void,
    len: usize,
    model: *mut distil_model,
) -> distil_status {
    // SAFETY: the caller's promises are those of `open`.
    status_of(unsafe { open(abi_version, (bytes, len), model, Artifact::open_unverified) })
}

/// Starts distil_open in slices, with its arguments and promises: distil_opening_step does the work. What is wrong with the
/// file is said there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_opening_start(
    abi_version: u32,
    bytes: *const c_void,
    len: usize,
    opening: *mut distil_opening,
) -> distil_status {
    let start = || {
        check_abi(abi_version)?;
        // SAFETY: the caller's promises.
        let (place, file) = unsafe { (Place::new(opening.cast::<Slices>())?, file(bytes, len)?) };
        place.set(Slices { mark: OPENING, opening: Opening::new(file) });
        Ok(())
    };
    status_of(start())
}

/// Looks at about `len` bytes more of a file, 64 at least. DISTIL_MORE: call again. DISTIL_OK: `model` is open. Anything
/// else is why the file is refused, the same as from distil_open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_opening_step(
    opening: *mut distil_opening,
    len: usize,
    model: *mut distil_model,
) -> distil_status {
    let step = || {
        // SAFETY: the caller's promises.
        let (slices, place) = unsafe { (slices(opening)?, Place::new(model.cast::<Model>())?) };
        match slices.step(len).transpose() {
            None => Err(DISTIL_MORE.into()),
            Some(result) => finish(&place, result),
        }
    };
    status_of(step())
}

/// Bytes that an opening has looked at, for a display of progress; 0 for what is no opening.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_opening_done(opening: *const distil_opening) -> usize {
    // SAFETY: the caller's promises; nothing is written.
    unsafe { slices(opening.cast_mut()) }.map_or(0, |slices| slices.done())
}

/// How many bytes the file at the start of a region has, by its header: a region of flash is longer than the file in it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_file_len(region: *const c_void, region_len: usize, len: *mut usize) -> distil_status {
    let find = || {
        // SAFETY: the caller's promises.
        let (place, region) = unsafe { (Place::new(len)?, bytes(region, region_len)?) };
        let found = match Artifact::open_unverified(region) {
            Ok(artifact) => artifact.len(),
            Err(OpenError::Length { declared, actual }) => {
                let fits = |len: &usize| *len <= actual;
                let len = usize::try_from(declared).ok().filter(fits);
                len.ok_or_else(|| Failure::Status(status::of(OpenError::Length { declared, actual })))?
            }
            Err(error) => return Err(Failure::Status(status::of(error))),
        };
        place.set(found);
        Ok(())
    };
    status_of(find())
}

/// # Safety
/// The crate's contract.
unsafe fn open(
    abi_version: u32,
    (start, len): (*const c_void, usize),
    model: *mut distil_model,
    open: fn(&'static [u8]) -> Result<Artifact<'static>, OpenError>,
) -> Result<(), Failure> {
    check_abi(abi_version)?;
    // SAFETY: the caller's promises; the structure has room for a `Model`, as is asserted above.
    let (place, file) = unsafe { (Place::new(model.cast::<Model>())?, file(start, len)?) };
    finish(&place, open(file))
}

fn finish(place: &Place<Model>, result: Result<Artifact<'static>, OpenError>) -> Result<(), Failure> {
    place.set(Model { mark: MODEL, result });
    result.map(drop).map_err(|error| Failure::Status(status::of(error)))
}

/// The bytes of a file, for as long as the caller promises: that has no name here, so it is for ever.
///
/// # Safety
/// The crate's contract.
unsafe fn file(start: *const c_void, len: usize) -> Result<&'static [u8], Failure> {
    // SAFETY: the caller's promises.
    unsafe { bytes(start, len) }
}

fn check_abi(version: u32) -> Result<(), Failure> {
    if version == DISTIL_ABI_VERSION { Ok(()) } else { Err(DISTIL_ERROR_ABI.into()) }
}

/// # Safety
/// The crate's contract.
unsafe fn slices<'a>(opening: *mut distil_opening) -> Result<&'a mut Opening<'static>, Failure> {
    check(opening)?;
    // SAFETY: any eight bytes are a number. With the right mark the rest was written by `distil_opening_start`, and C may
    // only have copied it, which an opening allows.
    unsafe {
        if ptr::read(opening.cast::<u64>()) != OPENING {
            return Err(DISTIL_ERROR_NOT_OPEN.into());
        }
        Ok(&mut (*opening.cast::<Slices>()).opening)
    }
}

/// What opening a model came to.
///
/// # Safety
/// The crate's contract.
pub(super) unsafe fn result(model: *const distil_model) -> Result<Result<Artifact<'static>, OpenError>, Failure> {
    check(model)?;
    // SAFETY: any eight bytes are a number. With the right mark the rest was written by `finish`, and C may only have
    // copied it, which an artifact allows.
    unsafe {
        if ptr::read(model.cast::<u64>()) != MODEL {
            return Err(DISTIL_ERROR_NOT_OPEN.into());
        }
        Ok((*model.cast::<Model>()).result)
    }
}

/// An open model.
///
/// # Safety
/// The crate's contract.
pub(super) unsafe fn opened(model: *const distil_model) -> Result<Artifact<'static>, Failure> {
    // SAFETY: the caller's promises.
    unsafe { result(model) }?.map_err(|error| Failure::Status(status::of(error)))
}
