//! A line of text in a fixed buffer.

use core::fmt;

/// Up to `N` bytes of text; what does not fit is left out, and the line then ends in `…`.
#[derive(Clone)]
pub struct Line<const N: usize> {
    bytes: [u8; N],
    len: usize,
    full: bool,
}

const ELLIPSIS: &str = "…";

impl<const N: usize> Line<N> {
    /// An empty line.
    pub const fn new() -> Self {
        assert!(N >= ELLIPSIS.len());
        Self { bytes: [0; N], len: 0, full: false }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Only whole characters are ever written, so nothing is lost here.
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    fn push(&mut self, c: char, limit: usize) -> bool {
        let end = self.len + c.len_utf8();
        if end > limit {
            return false;
        }
        c.encode_utf8(&mut self.bytes[self.len..end]);
        self.len = end;
        true
    }
}

impl<const N: usize> Default for Line<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Write for Line<N> {
    /// Never fails: a line that is too long is cut.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.full {
                break;
            }
            if !self.push(c, N - ELLIPSIS.len()) {
                self.full = true;
                self.push('…', N);
            }
        }
        Ok(())
    }
}

impl<const N: usize> fmt::Debug for Line<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use core::fmt::Write;

    use super::Line;

    #[test]
    fn short_text_is_kept() {
        let mut line = Line::<16>::new();
        write!(line, "né-{}", 7 + line.as_str().len()).unwrap();
        assert_eq!(line.as_str(), "né-7");
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let mut line = Line::<8>::new();
        write!(line, "ab").unwrap();
        write!(line, "cdéfg").unwrap();
        assert_eq!(line.as_str(), "abcd…");
        write!(line, "more").unwrap();
        assert_eq!(line.as_str(), "abcd…", "nothing follows the mark");
    }
}
