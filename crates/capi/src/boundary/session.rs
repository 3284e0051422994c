//! A session: where it lies, how it starts, and encoding.

use core::ffi::{c_char, c_void};
use core::mem::MaybeUninit;
use core::{ptr, slice};

use distil_runtime::{Artifact, Code, Isa, Model, Plan, Session, SingleThread, arena_len};

use super::model::{line, plan};
use super::opening::opened;
use super::pointers::{Failure, Place, check, list, list_mut, status_of, text};
use crate::message;
use crate::status::{
    self, DISTIL_ERROR_ARGUMENT, DISTIL_ERROR_MEMORY, DISTIL_ERROR_MISALIGNED, DISTIL_ERROR_NOT_OPEN,
    DISTIL_ERROR_POSITION, DISTIL_ERROR_TOO_LARGE, DISTIL_OK, distil_status,
};
use crate::types::{
    DISTIL_ABI_VERSION, DISTIL_ALIGNMENT, DISTIL_MAX_LEN, distil_model, distil_options, distil_token, distil_values,
};

/// What tells a session made here from other memory.
const SESSION: u64 = 0xD157_11B0_5E55_1000 + DISTIL_ABI_VERSION as u64;

/// A session, at the start of its buffer. The buffer is not moved or copied while it is used: parts of it refer to others.
pub struct distil_session {
    mark: u64,
    failure: Failure,
    /// A copy of the model's, so that a session needs the file's bytes but not the structure they were opened into.
    artifact: Artifact<'static>,
    /// Refers to the artifact above.
    model: MaybeUninit<Model<'static>>,
    /// Refers to the model above and to the rest of the buffer.
    session: MaybeUninit<Session<'static>>,
}

/// Bytes before the arena.
const FRONT: usize = size_of::<distil_session>().next_multiple_of(DISTIL_ALIGNMENT);
const _: () = assert!(align_of::<distil_session>() <= DISTIL_ALIGNMENT);

/// Bytes of a session's buffer.
pub(super) fn buffer_len(artifact: &Artifact<'_>, max_tokens: usize, plan: Plan) -> usize {
    arena_len(artifact, max_tokens, plan).saturating_add(FRONT)
}

/// Starts a session of a model in a buffer of at least distil_memory bytes. `model` and `options` are not needed any more
/// after that; the file's bytes and the buffer are, and there is nothing to close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_start(
    model: *const distil_model,
    options: *const distil_options,
    buffer: *mut c_void,
    len: usize,
    session: *mut *mut distil_session,
) -> distil_status {
    let begin = || {
        // SAFETY: the caller's promises.
        let (artifact, place) = unsafe { (opened(model)?, Place::new(session)?) };
        place.set(ptr::null_mut());
        check(options)?;
        // SAFETY: the pointer was checked, and every pattern of bits is options.
        let options = unsafe { *options };
        let plan = plan(options.plan)?;
        if options.truncate > 1 {
            return Err(DISTIL_ERROR_ARGUMENT.into());
        }
        check_buffer(&artifact, buffer, len)?;
        // SAFETY: the buffer was checked, and is the session's own from here on, as the caller promises.
        let session = unsafe { place_in(buffer.cast(), artifact) };
        // SAFETY: `place_in` wrote the artifact; what follows it in the buffer is longer than `FRONT`, as was checked.
        unsafe { fill(session, len, &options, plan) }?;
        place.set(session);
        Ok(())
    };
    status_of(begin())
}

fn check_buffer(artifact: &Artifact<'_>, buffer: *mut c_void, len: usize) -> Result<(), Failure> {
    check(buffer.cast::<u8>())?;
    if !buffer.addr().is_multiple_of(DISTIL_ALIGNMENT) {
        return Err(DISTIL_ERROR_MISALIGNED.into());
    }
    if len > DISTIL_MAX_LEN {
        return Err(DISTIL_ERROR_TOO_LARGE.into());
    }
    if len <= FRONT {
        return Err(DISTIL_ERROR_MEMORY.into());
    }
    let file = artifact.bytes().as_ptr_range();
    let overlaps = buffer.addr() < file.end.addr() && file.start.addr() < buffer.addr().saturating_add(len);
    if overlaps { Err(DISTIL_ERROR_ARGUMENT.into()) } else { Ok(()) }
}

/// Writes the session's first half.
///
/// # Safety
/// The pointer is that of an aligned buffer of more than `FRONT` bytes.
unsafe fn place_in(session: *mut distil_session, artifact: Artifact<'static>) -> *mut distil_session {
    // SAFETY: there is room; a session that was here before needs no drop.
    unsafe {
        session.write(distil_session {
            mark: 0,
            failure: Failure::Status(DISTIL_OK),
            artifact,
            model: MaybeUninit::uninit(),
            session: MaybeUninit::uninit(),
        });
    }
    session
}

/// Makes model and session, and marks the session as good.
///
/// References are made to its parts, never to the whole: the model refers to the artifact while the session is changed.
///
/// # Safety
/// `place_in` wrote the session into a buffer of `len` bytes.
unsafe fn fill(session: *mut distil_session, len: usize, options: &distil_options, plan: Plan) -> Result<(), Failure> {
    let failed = |code: Code| Failure::Status(status::of(code));
    // SAFETY: the artifact was written and is not changed; like the buffer it stays while the session is used.
    let artifact: &'static Artifact<'static> = unsafe { &(*session).artifact };
    // Miri interprets no vector instructions; it judges the pointers, the same with the plain kernels.
    let model = if cfg!(miri) { Model::with_isa(artifact, Isa::Reference) } else { Model::new(artifact) };
    let model = model.map_err(|error| failed(error.into()))?;
    // SAFETY: the same of the model, written here.
    let model: &'static Model<'static> = unsafe { &mut (*session).model }.write(model);
    // SAFETY: the rest of the buffer is behind the structure, in bounds, and nobody else's.
    let arena = unsafe { slice::from_raw_parts_mut(session.cast::<u8>().add(FRONT), len - FRONT) };
    let made = Session::with_plan(model, arena, options.max_tokens, plan, &SingleThread);
    let made = made.map_err(|error| failed(error.into()))?.truncating(options.truncate == 1);
    // SAFETY: both places are inside the structure.
    unsafe {
        let place = &mut (*session).session;
        place.write(made);
        (&raw mut (*session).mark).write(SESSION);
    }
    Ok(())
}

/// Does something with a session, and keeps why it failed.
///
/// # Safety
/// The crate's contract.
pub(super) unsafe fn with(
    session: *mut distil_session,
    work: impl FnOnce(&'static Artifact<'static>, &mut Session<'static>) -> Result<(), Failure>,
) -> distil_status {
    if let Err(failure) = check_mark(session) {
        return failure.status();
    }
    // SAFETY: with the right mark, `fill` wrote everything; the three parts do not overlap, and the caller promises that
    // the session is used by nobody else meanwhile.
    let (artifact, inner, kept) = unsafe {
        let artifact: &'static Artifact<'static> = &(*session).artifact;
        let inner = &mut (*session).session;
        (artifact, inner.assume_init_mut(), &mut (*session).failure)
    };
    match work(artifact, inner) {
        Ok(()) => DISTIL_OK,
        Err(failure) => {
            *kept = failure;
            failure.status()
        }
    }
}

fn check_mark(session: *const distil_session) -> Result<(), Failure> {
    check(session)?;
    // SAFETY: the pointer was checked, and the caller promises that it points to what it says; any eight bytes are a number.
    let mark = unsafe { (&raw const (*session).mark).read() };
    if mark == SESSION { Ok(()) } else { Err(DISTIL_ERROR_NOT_OPEN.into()) }
}

/// Writes why the last call that failed on a session did, with its numbers, as distil_model_message does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_session_message(
    session: *const distil_session,
    text: *mut c_char,
    capacity: usize,
) -> usize {
    // SAFETY: the caller's promises; every byte is one.
    let Ok(buffer) = (unsafe { list_mut(text.cast::<u8>(), capacity) }) else { return 0 };
    let failure = match check_mark(session) {
        // SAFETY: with the right mark there is a session.
        Ok(()) => unsafe { (&raw const (*session).failure).read() },
        Err(failure) => failure,
    };
    match failure {
        Failure::Run(error) => message::write(&error, buffer),
        Failure::Utf8 { at } => message::write(&format_args!("the text is not UTF-8 from byte {at} on"), buffer),
        Failure::Status(status) => message::write(&line(status::text(status)), buffer),
    }
}

/// Encodes `[CLS]` text `[SEP]`, or with a pair `[CLS]` text `[SEP]` pair `[SEP]`; `pair` may be null. `tokens`, if not null, becomes
/// the number of tokens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_encode(
    session: *mut distil_session,
    bytes: *const c_char,
    len: usize,
    pair: *const c_char,
    pair_len: usize,
    tokens: *mut usize,
) -> distil_status {
    // SAFETY: the caller's promises.
    unsafe {
        with(session, |_, session| {
            let place = Place::optional(tokens)?;
            let pair = if pair.is_null() { None } else { Some(text(pair, pair_len)?) };
            place.set(session.encode(text(bytes, len)?, pair)?);
            Ok(())
        })
    }
}

/// Encodes token ids as they are. `types`, if not null, are their segments, as many as ids.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_encode_ids(
    session: *mut distil_session,
    ids: *const u32,
    types: *const u8,
    len: usize,
) -> distil_status {
    // SAFETY: the caller's promises; every pattern of bits is a number.
    unsafe {
        with(session, |_, session| {
            let types = if types.is_null() { None } else { Some(list(types, len)?) };
            session.encode_ids(list(ids, len)?, types)?;
            Ok(())
        })
    }
}

/// A token of those encoded last, counted from `[CLS]` = 0: its id and its bytes in its text, none for `[CLS]` and `[SEP]`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_encoded(
    session: *mut distil_session,
    position: usize,
    token: *mut distil_token,
) -> distil_status {
    // SAFETY: the caller's promises.
    unsafe {
        with(session, |_, session| {
            let place = Place::new(token)?;
            let found = session.ids().get(position).copied().zip(session.span(position));
            let (id, span) = found.ok_or(Failure::Status(DISTIL_ERROR_POSITION))?;
            place.set(distil_token { id, start: span.start as u32, end: span.end as u32 });
            Ok(())
        })
    }
}

/// The hidden states of the tokens encoded last, token after token; of the first alone after `distil_classify`, and after
/// `distil_embed` where the embedding is that of the first token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_hidden(session: *mut distil_session, values: *mut distil_values) -> distil_status {
    // SAFETY: the caller's promises.
    unsafe {
        with(session, |_, session| {
            let place = Place::new(values)?;
            place.set(numbers(session.hidden()));
            Ok(())
        })
    }
}

/// Numbers as C sees them.
pub(super) fn numbers(values: &[f32]) -> distil_values {
    distil_values { values: values.as_ptr(), len: values.len() }
}
