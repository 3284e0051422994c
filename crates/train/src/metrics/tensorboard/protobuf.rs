//! The three messages of an event file, encoded by hand: `Event`, `Summary` and `SessionLog` of TensorFlow's `event.proto`
//! and `summary.proto`. A field is its number and wire type in one varint, then its value.

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event<'a> {
    /// Seconds since 1970.
    pub(super) wall_time: f64,
    /// Optimizer step.
    pub(super) step: i64,
    /// What happened.
    pub(super) what: What<'a>,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What<'a> {
    /// First event of a file.
    FileVersion,
    /// A run starts or continues with this step: readers forget what earlier files say about it and later ones.
    Start,
    /// Values by tag.
    Scalars(&'a [(String, f32)]),
}

/// Wire types.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

impl Event<'_> {
    /// The bytes of the message.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Event: wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7.
        key(&mut out, 1, FIXED64);
        out.extend(self.wall_time.to_le_bytes());
        if self.step != 0 {
            key(&mut out, 2, VARINT);
            varint(&mut out, self.step as u64);
        }
        match self.what {
            What::FileVersion => bytes(&mut out, 3, b"brain.Event:2"),
            What::Start => {
                // SessionLog: status = 1, of which START is 1.
                let mut log = Vec::new();
                key(&mut log, 1, VARINT);
                varint(&mut log, 1);
                bytes(&mut out, 7, &log);
            }
            What::Scalars(scalars) => {
                let mut summary = Vec::new();
                for (tag, value) in scalars {
                    // Summary: value = 1; its tag = 1, simple_value = 2.
                    let mut entry = Vec::new();
                    bytes(&mut entry, 1, tag.as_bytes());
                    key(&mut entry, 2, FIXED32);
                    entry.extend(value.to_le_bytes());
                    bytes(&mut summary, 1, &entry);
                }
                bytes(&mut out, 5, &summary);
            }
        }
        out
    }
}

fn key(out: &mut Vec<u8>, field: u64, wire_type: u64) {
    varint(out, field << 3 | wire_type);
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(out, field, BYTES);
    varint(out, value.len() as u64);
    out.extend(value);
}

/// Seven bits a byte, lowest first; the top bit says that more follow.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_googles_protobuf() {
        // tensorboard 2.21.0: event_pb2.Event(...).SerializeToString().hex(), the events written out in each line.
        let scalars = [("train/loss".to_string(), 3.5), ("held_out/mlm_loss".to_string(), -0.1)];
        let events = [
            (0, What::FileVersion, "0900001040fc54d9411a0d627261696e2e4576656e743a32"),
            (101, What::Start, "0900001040fc54d94110653a020801"),
            (
                300,
                What::Scalars(&scalars),
                "0900001040fc54d94110ac022a2d0a110a0a747261696e2f6c6f737315000060400a180a1168656c645f6f75742f6d6c6d5f6c6f737315cdccccbd",
            ),
            (1 << 40, What::Scalars(&[]), "0900001040fc54d941108080808080202a00"),
        ];
        for (step, what, expected) in events {
            let encoded = Event { wall_time: 1_700_000_000.25, step, what }.encode();
            let hex: String = encoded.iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(hex, expected);
        }
    }
}
