//! Questions to an open model: what it is, its labels and vocabulary, tokens, and the memory that a session takes.

use core::ffi::{CStr, c_char};
use core::ops::ControlFlow;

use distil_runtime::{Plan, tokenizer};

use super::opening::{opened, result};
use super::pointers::{Failure, Place, list_mut, status_of, text};
use super::session;
use crate::message;
use crate::status::{self, DISTIL_ERROR_ARGUMENT, DISTIL_ERROR_CAPACITY, distil_status};
use crate::types::{
    DISTIL_PLAN_FAST, DISTIL_PLAN_LARGE, DISTIL_PLAN_SMALL, distil_model, distil_model_info, distil_text, distil_token,
};

/// What a status means and what to do about it: one line, terminated by a zero, that stays for ever. Any number will do.
#[unsafe(no_mangle)]
pub extern "C" fn distil_error_text(status: distil_status) -> *const c_char {
    status::text(status).as_ptr()
}

/// Writes what is known about why a file was refused, with its numbers, terminated by a zero and cut if `capacity` is too
/// small; of an open model, the text of DISTIL_OK. Gives the bytes of all of it, without the zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_model_message(model: *const distil_model, text: *mut c_char, capacity: usize) -> usize {
    // SAFETY: the caller's promises; every byte is one.
    let (result, buffer) = unsafe { (result(model), list_mut(text.cast::<u8>(), capacity)) };
    let Ok(buffer) = buffer else { return 0 };
    match result {
        Ok(Err(error)) => message::write(&error, buffer),
        Ok(Ok(_)) => message::write(&line(status::text(0)), buffer),
        Err(failure) => message::write(&line(status::text(failure.status())), buffer),
    }
}

/// A constant text, all of which are UTF-8.
pub(super) fn line(text: &'static CStr) -> &'static str {
    text.to_str().unwrap_or_default()
}

/// What a model is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_info(model: *const distil_model, info: *mut distil_model_info) -> distil_status {
    let ask = || {
        // SAFETY: the caller's promises.
        let (artifact, place) = unsafe { (opened(model)?, Place::new(info)?) };
        let config = artifact.config();
        place.set(distil_model_info {
            file_len: artifact.len(),
            checksum: artifact.checksum(),
            head: u32::from(config.head.code()),
            hidden: config.hidden,
            layers: config.layers,
            labels: config.labels,
            vocabulary: config.vocab_size,
            max_tokens: config.max_positions,
        });
        Ok(())
    };
    status_of(ask())
}

/// The name of a label, inside the file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_label(model: *const distil_model, label: u32, name: *mut distil_text) -> distil_status {
    let ask = || {
        // SAFETY: the caller's promises.
        let (artifact, place) = unsafe { (opened(model)?, Place::new(name)?) };
        let name = artifact.label(label as usize).ok_or(Failure::Status(DISTIL_ERROR_ARGUMENT))?;
        place.set(view(name));
        Ok(())
    };
    status_of(ask())
}

/// Text as C sees it.
pub(super) fn view(text: &str) -> distil_text {
    distil_text { bytes: text.as_ptr().cast(), len: text.len() }
}

/// Writes the text of a vocabulary entry, without a terminating zero, and its length; `continues` becomes 1 if it continues
/// a word (such entries are written without their ##), else 0. 256 bytes are enough for any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_piece(
    model: *const distil_model,
    id: u32,
    text: *mut c_char,
    capacity: usize,
    len: *mut usize,
    continues: *mut u32,
) -> distil_status {
    let ask = || {
        // SAFETY: the caller's promises; every byte is one.
        let (artifact, buffer) = unsafe { (opened(model)?, list_mut(text.cast::<u8>(), capacity)?) };
        // SAFETY: the caller's promises.
        let (len, continues) = unsafe { (Place::new(len)?, Place::new(continues)?) };
        let mut whole = [0; 256];
        let found = artifact.vocabulary().piece(id, &mut whole);
        let (piece, continuation) = found.ok_or(Failure::Status(DISTIL_ERROR_ARGUMENT))?;
        len.set(piece.len());
        continues.set(u32::from(continuation));
        let place = buffer.get_mut(..piece.len()).ok_or(Failure::Status(DISTIL_ERROR_CAPACITY))?;
        place.copy_from_slice(piece.as_bytes());
        Ok(())
    };
    status_of(ask())
}

/// Writes the tokens of a text, `[CLS]` and `[SEP]` left out, and how many there are. DISTIL_ERROR_CAPACITY if those are more
/// than `capacity`; the first of them are then written. Needs no session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_tokenize(
    model: *const distil_model,
    bytes: *const c_char,
    len: usize,
    tokens: *mut distil_token,
    capacity: usize,
    count: *mut usize,
) -> distil_status {
    let ask = || {
        // SAFETY: the caller's promises; every pattern of bits is a token.
        let (artifact, tokens) = unsafe { (opened(model)?, list_mut(tokens, capacity)?) };
        // SAFETY: the caller's promises.
        let (text, place) = unsafe { (text(bytes, len)?, Place::new(count)?) };
        let mut count = 0;
        let _ = tokenizer(artifact.config(), artifact.vocabulary()).for_each(text, |token| {
            if let Some(place) = tokens.get_mut(count) {
                *place = distil_token { id: token.id, start: token.start, end: token.end };
            }
            count += 1;
            ControlFlow::Continue(())
        });
        place.set(count);
        if count > capacity { Err(DISTIL_ERROR_CAPACITY.into()) } else { Ok(()) }
    };
    status_of(ask())
}

/// How many bytes the buffer of a session of so many tokens and this plan must have; it starts at a multiple of
/// DISTIL_ALIGNMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_memory(
    model: *const distil_model,
    max_tokens: usize,
    plan_number: u32,
    bytes: *mut usize,
) -> distil_status {
    let ask = || {
        // SAFETY: the caller's promises.
        let (artifact, place) = unsafe { (opened(model)?, Place::new(bytes)?) };
        place.set(session::buffer_len(&artifact, max_tokens, plan(plan_number)?));
        Ok(())
    };
    status_of(ask())
}

/// The plan with a number.
pub(super) fn plan(number: u32) -> Result<Plan, Failure> {
    match number {
        DISTIL_PLAN_SMALL => Ok(Plan::SMALL),
        DISTIL_PLAN_FAST => Ok(Plan::FAST),
        DISTIL_PLAN_LARGE => Ok(Plan::LARGE),
        _ => Err(DISTIL_ERROR_ARGUMENT.into()),
    }
}
