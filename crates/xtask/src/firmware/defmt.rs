//! Turns defmt frames back into text with the strings that the program's ELF file keeps.

use std::path::Path;

use anyhow::{Context, Result};
use defmt_decoder::{DecodeError, StreamDecoder, Table};

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

    /// Reads frames in pieces.
    pub(super) fn stream(&self) -> Stream<'_> {
        Stream { decoder: self.table.new_stream_decoder(), recovers: self.table.encoding().can_recover(), lost: false }
    }
}

/// Frames as they come.
pub(super) struct Stream<'t> {
    decoder: Box<dyn StreamDecoder + Send + Sync + 't>,
    recovers: bool,
    /// Nothing more can be read.
    lost: bool,
}

impl Stream<'_> {
    /// The messages that a piece completes, each ending its line. A frame that cannot be read is said so in its place.
    pub(super) fn take(&mut self, piece: &[u8]) -> String {
        let mut text = String::new();
        self.decoder.received(piece);
        while !self.lost {
            match self.decoder.decode() {
                Ok(frame) => {
                    text += &frame.display_message().to_string();
                    text += "\n";
                }
                Err(DecodeError::UnexpectedEof) => break,
                Err(DecodeError::Malformed) if self.recovers => text += "(a frame that cannot be read)\n",
                Err(DecodeError::Malformed) => {
                    text += "(the rest of the log cannot be read)\n";
                    self.lost = true;
                }
            }
        }
        text
    }
}
