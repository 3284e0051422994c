//! Lines from bytes as they arrive.

use crate::fault::Fault;
use crate::machine::Machine;

/// Most bytes of a line.
pub(crate) const LONGEST: usize = 1024;

/// What ends all input when it is typed: Ctrl-D, as terminals send it.
const END: u8 = 4;

/// Takes bytes from a machine and gives lines.
pub(crate) struct Lines {
    line: [u8; LONGEST],
    /// Bytes of `pending` that were not looked at yet.
    next: usize,
    len: usize,
    pending: [u8; 64],
}

impl Lines {
    /// Nothing has been read.
    pub(crate) const fn new() -> Self {
        Self { line: [0; LONGEST], next: 0, len: 0, pending: [0; 64] }
    }

    /// The next line, without its end; `None` at the end of input. A line that is too long or is not UTF-8 is read to its
    /// end, so that the next one begins where it should.
    pub(crate) fn next<M: Machine>(&mut self, machine: &mut M) -> Option<Result<&str, Fault>> {
        let mut len = 0;
        let mut ended = false;
        while let Some(byte) = self.byte(machine) {
            match byte {
                b'\n' | b'\r' | 0 => {
                    ended = true;
                    break;
                }
                // Backspace and delete take a whole character back.
                0x08 | 0x7f => {
                    while len > 0 {
                        len -= 1;
                        if len < LONGEST && self.line[len] & 0xc0 != 0x80 {
                            break;
                        }
                    }
                }
                byte => {
                    if let Some(place) = self.line.get_mut(len) {
                        *place = byte;
                    }
                    len += 1;
                }
            }
        }
        if !ended && len == 0 {
            return None;
        }
        let Some(line) = self.line.get(..len) else { return Some(Err(Fault::LongLine { most: LONGEST })) };
        Some(core::str::from_utf8(line).map_err(|error| Fault::Utf8 { at: error.valid_up_to() }))
    }

    fn byte<M: Machine>(&mut self, machine: &mut M) -> Option<u8> {
        if self.next == self.len {
            self.next = 0;
            self.len = machine.read(&mut self.pending).min(self.pending.len());
        }
        let byte = *self.pending[..self.len].get(self.next)?;
        if byte == END {
            // What comes behind it is not read.
            (self.next, self.len) = (0, 0);
            return None;
        }
        self.next += 1;
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::ToOwned;
    use std::string::String;
    use std::vec::Vec;

    use super::{LONGEST, Lines};
    use crate::{Event, Fault, Machine};

    /// Gives the bytes a few at a time.
    struct Typed(Vec<u8>);

    impl Machine for Typed {
        fn report(&mut self, _: &Event<'_>) {}
        fn read(&mut self, buffer: &mut [u8]) -> usize {
            let len = self.0.len().min(buffer.len()).min(3);
            buffer[..len].copy_from_slice(&self.0[..len]);
            self.0.drain(..len);
            len
        }
        fn stack(&mut self) -> Option<(usize, usize)> {
            None
        }
        fn count() -> u64 {
            0
        }
    }

    fn lines(bytes: &[u8]) -> Vec<Result<String, Fault>> {
        let mut machine = Typed(bytes.to_vec());
        let mut lines = Lines::new();
        core::iter::from_fn(|| lines.next(&mut machine).map(|line| line.map(ToOwned::to_owned))).collect()
    }

    #[test]
    fn lines_end_as_terminals_end_them() {
        assert_eq!(lines(b"one\ntwo\rthree"), ["one", "two", "three"].map(|line| Ok(line.to_owned())));
        assert_eq!(lines(b"\n"), [Ok(String::new())]);
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"a\n\x04b\n"), [Ok("a".to_owned())]);
    }

    #[test]
    fn typing_is_corrected() {
        assert_eq!(lines("né\u{7f}e\x08\x08\x08\x08wo\n".as_bytes()), [Ok("wo".to_owned())]);
    }

    #[test]
    fn what_cannot_be_a_text_does_not_stop_the_next_line() {
        assert_eq!(lines(b"ab\xffcd\nfine\n"), [Err(Fault::Utf8 { at: 2 }), Ok("fine".to_owned())]);
        let mut long = std::vec![b'x'; LONGEST + 1];
        long.extend(b"\nfine");
        assert_eq!(lines(&long), [Err(Fault::LongLine { most: LONGEST }), Ok("fine".to_owned())]);
        assert_eq!(lines(&long[1..])[0].as_ref().map(String::len), Ok(LONGEST));
    }
}
