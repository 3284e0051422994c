//! What a call came to: a number, the same in every version.

use core::ffi::CStr;

use distil_runtime::Code;

/// What a call came to: DISTIL_OK, DISTIL_MORE, or the number of an error. docs/error-codes.md lists them.
pub type distil_status = i32;

/// It is done.
pub const DISTIL_OK: i32 = 0;
/// No error: there is more to do, call again.
pub const DISTIL_MORE: i32 = 3;

/// The file's bytes do not start at a multiple of DISTIL_ALIGNMENT.
pub const DISTIL_ERROR_ALIGNMENT: i32 = 10;
/// There are fewer bytes than a header has.
pub const DISTIL_ERROR_TOO_SHORT: i32 = 11;
/// The first bytes are not a packed model's: nothing is there, erased flash, or another file.
pub const DISTIL_ERROR_NO_MODEL: i32 = 12;
/// The file has a version that this library does not read.
pub const DISTIL_ERROR_VERSION: i32 = 13;
/// The file needs something that this library does not have.
pub const DISTIL_ERROR_FLAGS: i32 = 14;
/// The file's length is not the one in its header.
pub const DISTIL_ERROR_LENGTH: i32 = 15;
/// The file is damaged.
pub const DISTIL_ERROR_CHECKSUM: i32 = 16;
/// The file's parts are not where and what they must be.
pub const DISTIL_ERROR_STRUCTURE: i32 = 17;
/// The configuration in the file is refused.
pub const DISTIL_ERROR_CONFIG: i32 = 18;
/// A tensor in the file is refused.
pub const DISTIL_ERROR_TENSOR: i32 = 19;
/// The vocabulary in the file is refused.
pub const DISTIL_ERROR_VOCABULARY: i32 = 20;

/// The processor lacks the instruction set that was asked for.
pub const DISTIL_ERROR_ISA: i32 = 30;
/// A tensor is one that the kernels do not take.
pub const DISTIL_ERROR_KERNELS: i32 = 31;
/// The buffer is too small for the session.
pub const DISTIL_ERROR_MEMORY: i32 = 32;
/// A session cannot have so few or so many tokens.
pub const DISTIL_ERROR_TOKENS: i32 = 33;

/// The text has more tokens than the session takes.
pub const DISTIL_ERROR_TOO_LONG: i32 = 40;
/// The question leaves no room for a text.
pub const DISTIL_ERROR_QUESTION: i32 = 41;
/// A token id is not in the vocabulary.
pub const DISTIL_ERROR_TOKEN_ID: i32 = 42;
/// A segment is not one of the model's token types.
pub const DISTIL_ERROR_TOKEN_TYPE: i32 = 43;
/// There are no token ids.
pub const DISTIL_ERROR_IDS: i32 = 44;
/// The file has another head than the question needs.
pub const DISTIL_ERROR_HEAD: i32 = 45;
/// The text has no `[MASK]` to fill.
pub const DISTIL_ERROR_NO_MASK: i32 = 46;
/// An output is infinite or no number.
pub const DISTIL_ERROR_NOT_FINITE: i32 = 47;
/// The position is not one of the tokens encoded last.
pub const DISTIL_ERROR_POSITION: i32 = 48;

/// A pointer is null.
pub const DISTIL_ERROR_NULL: i32 = 60;
/// A pointer or a buffer is not aligned as its type, or DISTIL_ALIGNMENT, asks.
pub const DISTIL_ERROR_MISALIGNED: i32 = 61;
/// A length is more than DISTIL_MAX_LEN.
pub const DISTIL_ERROR_TOO_LARGE: i32 = 62;
/// The text is not UTF-8.
pub const DISTIL_ERROR_UTF8: i32 = 63;
/// The library has another version than the header that the program was compiled with.
pub const DISTIL_ERROR_ABI: i32 = 64;
/// The structure was not made by this library, or its opening is not over.
pub const DISTIL_ERROR_NOT_OPEN: i32 = 65;
/// What is to be written does not fit.
pub const DISTIL_ERROR_CAPACITY: i32 = 66;
/// An argument has a value that it cannot have.
pub const DISTIL_ERROR_ARGUMENT: i32 = 67;

/// Every status with its text.
const TEXTS: [(i32, &CStr); 34] = [
    (DISTIL_OK, c"done"),
    (DISTIL_MORE, c"there is more to do; call again"),
    (
        DISTIL_ERROR_ALIGNMENT,
        c"the file's bytes do not start at a multiple of 64; place the file at an aligned address",
    ),
    (DISTIL_ERROR_TOO_SHORT, c"too few bytes for a packed model; copy the file again"),
    (DISTIL_ERROR_NO_MODEL, c"no packed model at this address; flash one made by `tools pack`"),
    (DISTIL_ERROR_VERSION, c"the file's version is not the one this library reads; pack the model again"),
    (DISTIL_ERROR_FLAGS, c"the file uses features this library does not know; use a newer library"),
    (DISTIL_ERROR_LENGTH, c"the file's length is not the one in its header; pass its own length, or copy it again"),
    (DISTIL_ERROR_CHECKSUM, c"the file is damaged; copy it again"),
    (DISTIL_ERROR_STRUCTURE, c"the file's parts are wrong; pack the model again"),
    (DISTIL_ERROR_CONFIG, c"the file's configuration is wrong; pack the model again"),
    (DISTIL_ERROR_TENSOR, c"a tensor of the file is wrong; pack the model again"),
    (DISTIL_ERROR_VOCABULARY, c"the file's vocabulary is wrong; pack the model again"),
    (DISTIL_ERROR_ISA, c"the processor lacks the instruction set"),
    (DISTIL_ERROR_KERNELS, c"a tensor is one that the kernels do not take; pack the model again"),
    (DISTIL_ERROR_MEMORY, c"the buffer is too small; distil_memory says how large it must be"),
    (DISTIL_ERROR_TOKENS, c"a session takes at least 2 tokens and no more than the model's positions"),
    (DISTIL_ERROR_TOO_LONG, c"the text has more tokens than the session takes; shorten it or allow truncation"),
    (DISTIL_ERROR_QUESTION, c"the question leaves no room for a text; shorten it or allow truncation"),
    (DISTIL_ERROR_TOKEN_ID, c"a token id is not in the vocabulary"),
    (DISTIL_ERROR_TOKEN_TYPE, c"a segment is not one of the model's token types; use 0 or 1"),
    (DISTIL_ERROR_IDS, c"there are no token ids"),
    (DISTIL_ERROR_HEAD, c"the model has another head; pack one with the head that this needs"),
    (DISTIL_ERROR_NO_MASK, c"the text has no [MASK]; write [MASK] where a word is to be filled in"),
    (DISTIL_ERROR_NOT_FINITE, c"the model's numbers overflow; pack a model whose weights are sound"),
    (DISTIL_ERROR_POSITION, c"the position is not one of the tokens encoded last; encode a text first"),
    (DISTIL_ERROR_NULL, c"a pointer is null"),
    (DISTIL_ERROR_MISALIGNED, c"a pointer or a buffer is misaligned; a session's buffer starts at a multiple of 64"),
    (DISTIL_ERROR_TOO_LARGE, c"a length is larger than DISTIL_MAX_LEN"),
    (DISTIL_ERROR_UTF8, c"the text is not UTF-8"),
    (DISTIL_ERROR_ABI, c"the program was compiled with the header of another version; compile it with this library's"),
    (DISTIL_ERROR_NOT_OPEN, c"the structure was not opened or started by this library"),
    (DISTIL_ERROR_CAPACITY, c"the output does not fit in the memory given for it"),
    (DISTIL_ERROR_ARGUMENT, c"an argument has a value that it cannot have"),
];

/// The text of a status.
pub(crate) fn text(status: distil_status) -> &'static CStr {
    TEXTS.iter().find(|(number, _)| *number == status).map_or(c"unknown status", |(_, text)| text)
}

/// Every status and its text.
pub fn all() -> impl Iterator<Item = (distil_status, &'static CStr)> {
    TEXTS.into_iter()
}

/// The status of an error of the runtime.
pub(crate) fn of(code: impl Into<Code>) -> distil_status {
    code.into().number().into()
}

#[cfg(test)]
mod tests {
    use super::{TEXTS, all, text};
    use distil_runtime::Code;

    #[test]
    fn every_error_of_the_runtime_has_its_number_here() {
        for code in Code::ALL {
            assert!(all().any(|(status, _)| status == i32::from(code.number())), "{code:?}");
        }
        assert!(TEXTS.windows(2).all(|pair| pair[0].0 < pair[1].0), "numbers ascend and are there once");
        assert_eq!(text(-1), c"unknown status");
    }
}
