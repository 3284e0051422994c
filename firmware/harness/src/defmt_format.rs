//! Events through defmt: only the numbers and names leave the machine, the host puts the text back together.
//!
//! The text is that of [`Display`](core::fmt::Display). What happens in a good run is formatted on the host; errors,
//! which are many and rare, are formatted here.

use defmt::{Display2Format, Format, Formatter, write};

use crate::event::Event;

impl Format for Event<'_> {
    fn format(&self, f: Formatter<'_>) {
        match *self {
            Self::Start { board, isa, config, model_bytes, code_bytes, opening, unit } => write!(
                f,
                "{=str}, kernels: {=str}\n\
                 model: {} with {} head, {=u32} layers of {=u32}, {=u32} vocabulary entries, {=usize} bytes\n\
                 code: {=usize} bytes\n\
                 opened in {=u64} {=str}",
                board,
                isa.name(),
                Display2Format(&config.architecture),
                Display2Format(&config.head),
                config.layers,
                config.hidden,
                config.vocab_size,
                model_bytes,
                code_bytes,
                opening,
                unit.name()
            ),
            Self::Arena { bytes, place, tokens } => {
                write!(f, "arena: {=usize} bytes in {=str} for {=usize} tokens", bytes, place, tokens);
            }
            Self::Answer { number, text, answer, tokens, count, unit, difference: None } => write!(
                f,
                "{=u32}. {=str}\n   {=str}\n   {=usize} tokens, {=u64} {=str}\n   bits: equal to the host",
                number,
                text,
                answer,
                tokens,
                count,
                unit.name()
            ),
            Self::End { sentences, equal } if sentences == equal => {
                write!(f, "all {=u32} sentences: equal to the host, bit for bit", sentences);
            }
            Self::Reply { answer, tokens, count, unit } => {
                write!(f, "{=str}\n   {=usize} tokens, {=u64} {=str}", answer, tokens, count, unit.name());
            }
            Self::Bench { tokens, count, unit, arena, place } => write!(
                f,
                "{=usize} tokens: {=u64} {=str}, arena {=usize} bytes in {=str}",
                tokens,
                count,
                unit.name(),
                arena,
                place
            ),
            Self::Stack { used, of } => write!(f, "stack: {=usize} bytes of {=usize}", used, of),
            _ => write!(f, "{}", Display2Format(self)),
        }
    }
}
