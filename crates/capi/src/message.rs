//! Messages, written to a buffer of the caller.

use core::fmt::{self, Display, Write};

/// Writes a message and a terminating zero, cut between characters if the buffer is too short; gives the bytes that all of it has, without the zero.
pub(crate) fn write(message: &dyn Display, buffer: &mut [u8]) -> usize {
    let mut cut = Cut { buffer, written: 0, needed: 0, full: false };
    // Writing to a buffer that takes everything cannot fail.
    let _ = write!(cut, "{message}");
    let Cut { buffer, written, needed, .. } = cut;
    if let Some(end) = buffer.get_mut(written) {
        *end = 0;
    }
    needed
}

/// Keeps what fits before the last byte, and counts the rest.
struct Cut<'b> {
    buffer: &'b mut [u8],
    written: usize,
    needed: usize,
    full: bool,
}

impl Write for Cut<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.needed += text.len();
        if self.full {
            return Ok(());
        }
        let room = self.buffer.len().saturating_sub(self.written + 1);
        let kept = text.get(..text.floor_char_boundary(room)).unwrap_or(text);
        self.full = kept.len() < text.len();
        if let Some(place) = self.buffer.get_mut(self.written..self.written + kept.len()) {
            place.copy_from_slice(kept.as_bytes());
            self.written += kept.len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn messages_are_cut_between_characters() {
        for (len, expected) in [(0, ""), (1, "\0"), (2, "a\0"), (3, "a\0"), (4, "aé\0"), (5, "aéb\0"), (9, "aéb\0")]
        {
            let mut buffer = [b'?'; 9];
            assert_eq!(write(&format_args!("a{}b", "é"), &mut buffer[..len]), 4);
            assert!(buffer.starts_with(expected.as_bytes()), "{len}: {buffer:?}");
            assert!(buffer[expected.len()..].iter().all(|&byte| byte == b'?'), "{len}: {buffer:?}");
        }
    }
}
