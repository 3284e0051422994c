//! Events through defmt: only the numbers and names leave the machine, the host puts the text back together.
//!
//! The text is that of [`Display`](core::fmt::Display). What happens in a good run is formatted on the host; errors,
//! which are many and rare, are formatted here.

use defmt::{Display2Format, Format, Formatter, write};

use crate::event::Event;

impl Format for Event<'_> {
    fn format(&self, f: Formatter<'_>) {
        match *self {
            Self::Start { board, isa, config, model_bytes, code_bytes, opening } => write!(
                f,
                "{=str}, kernels: {=str}\n\
                 model: {} with {} head, {=u32} layers of {=u32}, {=u32} vocabulary entries, {=usize} bytes\n\
                 code: {=usize} bytes\n\
                 opened in {=u64} instructions",
                board,
                isa.name(),
                Display2Format(&config.architecture),
                Display2Format(&config.head),
                config.layers,
                config.hidden,
                config.vocab_size,
                model_bytes,
                code_bytes,
                opening
            ),
            Self::Arena { bytes, place, tokens } => {
                write!(f, "arena: {=usize} bytes in {=str} for {=usize} tokens", bytes, place, tokens);
            }
            Self::Answer { number, text, answer, tokens, instructions, difference: None } => write!(
                f,
                "{=u32}. {=str}\n   {=str}\n   {=usize} tokens, {=u64} instructions\n   bits: equal to the host",
                number, text, answer, tokens, instructions
            ),
            Self::End { sentences, equal } if sentences == equal => {
                write!(f, "all {=u32} sentences: equal to the host, bit for bit", sentences);
            }
            _ => write!(f, "{}", Display2Format(self)),
        }
    }
}
