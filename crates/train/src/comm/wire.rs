//! Frames of the control channel: one byte of kind, four of length, the payload.

use std::io::{self, Read, Write};

/// First bytes of every connection: whoever sends others is no training process. The last byte is the protocol's version.
pub(super) const MAGIC: [u8; 8] = *b"distil\0\x01";

/// Longest payload: introductions and messages are far below it, strangers' bytes above.
const LONGEST: usize = 1 << 20;

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A rank introduces itself (JSON).
    Hello = 1,
    /// Rank 0 has met everyone (JSON).
    Welcome = 2,
    /// Still alive.
    Beat = 3,
    /// The run is over, for the reason in the payload (UTF-8).
    Abort = 4,
    /// This rank is done and ends as planned.
    Goodbye = 5,
}

impl Kind {
    fn from_byte(byte: u8) -> io::Result<Self> {
        [Self::Hello, Self::Welcome, Self::Beat, Self::Abort, Self::Goodbye]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
            .ok_or_else(|| wrong(format!("a frame of unknown kind {byte}")))
    }
}

pub(super) fn wrong(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.into())
}

/// Writes a frame in one piece, so that frames of several threads under one lock never mix.
pub(super) fn write(mut to: impl Write, kind: Kind, payload: &[u8]) -> io::Result<()> {
    let payload = &payload[..payload.len().min(LONGEST)];
    let mut frame = Vec::with_capacity(5 + payload.len());
    frame.push(kind as u8);
    frame.extend((payload.len() as u32).to_le_bytes());
    frame.extend(payload);
    to.write_all(&frame)
}

/// Reads a frame.
pub(super) fn read(mut from: impl Read) -> io::Result<(Kind, Vec<u8>)> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let kind = Kind::from_byte(head[0])?;
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if length > LONGEST {
        return Err(wrong(format!("a frame of {length} bytes")));
    }
    let mut payload = vec![0; length];
    from.read_exact(&mut payload)?;
    Ok((kind, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_strangers_are_refused() {
        let mut bytes = Vec::new();
        write(&mut bytes, Kind::Abort, b"why").unwrap();
        write(&mut bytes, Kind::Beat, b"").unwrap();
        let mut from = &bytes[..];
        assert_eq!(read(&mut from).unwrap(), (Kind::Abort, b"why".to_vec()));
        assert_eq!(read(&mut from).unwrap(), (Kind::Beat, vec![]));
        assert_eq!(read(&mut from).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(read(&b"GET / HTTP/1.1"[..]).is_err());
        assert!(read(&[4, 255, 255, 255, 255][..]).unwrap_err().to_string().contains("4294967295"));
    }
}
