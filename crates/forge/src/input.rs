//! Any bytes, read as the choices that a target makes.

/// Bytes that decide what happens; when they end, every choice is 0.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// A number less than `n`, or 0 if that is 0; two bytes of input.
    pub fn below(&mut self, n: usize) -> usize {
        let number = usize::from(self.byte()) | usize::from(self.byte()) << 8;
        number.checked_rem(n).unwrap_or(0)
    }

    /// Eight bytes as a number.
    pub fn number(&mut self) -> u64 {
        (0..8).fold(0, |number, at| number | u64::from(self.byte()) << (8 * at))
    }

    /// One of some values; one byte of input.
    pub fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[usize::from(self.byte()) % values.len()]
    }

    /// The next `len` bytes, or those that are left.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (first, rest) = self.0.split_at_checked(len).unwrap_or((self.0, &[]));
        self.0 = rest;
        first
    }

    /// A text of at most `len` bytes of input; what is no UTF-8 becomes a replacement character.
    pub fn text(&mut self, len: usize) -> String {
        String::from_utf8_lossy(self.take(len)).into_owned()
    }
}
