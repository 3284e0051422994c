//! Turns defmt frames back into text with the strings that the program's ELF file keeps.

use std::path::Path;

use anyhow::{Context, Result};
use defmt_decoder::{DecodeError, Table};

/// The strings of one program.
pub(super) struct Decoder {
    table: Table,
}

impl Decoder {
    /// Reads them from the program.
    pub(super) fn open(elf: &Path) -> Result<Self> {
        let bytes = std::fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
        let table = Table::parse(&bytes)?.with_context(|| format!("{} logs nothing through defmt", elf.display()))?;
        Ok(Self { table })
    }

    /// The messages, one after another, each ending its line. A frame that cannot be read is said so in its place.
    pub(super) fn decode(&self, stream: &[u8]) -> Result<String> {
        let mut decoder = self.table.new_stream_decoder();
        decoder.received(stream);
        let mut text = String::new();
        loop {
            match decoder.decode() {
                Ok(frame) => {
                    text += &frame.display_message().to_string();
                    text += "\n";
                }
                Err(DecodeError::UnexpectedEof) => return Ok(text),
                Err(DecodeError::Malformed) if self.table.encoding().can_recover() => {
                    text += "(a frame that cannot be read)\n"
                }
                Err(DecodeError::Malformed) => {
                    text += "(the rest of the log cannot be read)\n";
                    return Ok(text);
                }
            }
        }
    }
}
