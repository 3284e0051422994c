//! What each byte means on the fast path: one load per byte, no Unicode table.

/// Class of a byte at the start of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Byte {
    /// An ASCII letter or digit.
    Word,
    /// White space: ends a word.
    Space,
    /// Punctuation: a word of its own.
    Punctuation,
    /// A control character: as if it were not there.
    Removed,
    /// Part of a character beyond ASCII.
    Wide,
}

static CLASSES: [Byte; 256] = {
    let mut classes = [Byte::Wide; 256];
    let mut b = 0u8;
    while b < 128 {
        classes[b as usize] = if b.is_ascii_alphanumeric() {
            Byte::Word
        } else if matches!(b, b' ' | b'\t' | b'\n' | b'\r') {
            Byte::Space
        } else if b.is_ascii_punctuation() {
            Byte::Punctuation
        } else {
            Byte::Removed
        };
        b += 1;
    }
    classes
};

/// The class of `b`.
#[inline(always)]
pub(crate) fn class(b: u8) -> Byte {
    CLASSES[usize::from(b)]
}
