//! The check file: inputs with the exact outputs of this machine, for a device to compare itself with, bit for bit.
//!
//! Little-endian 32-bit words throughout, so that a device can read it in place:
//!
//! | offset | content |
//! |---|---|
//! | 0 | `DISTILCK` |
//! | 8 | version: 1 |
//! | 12 | number of sentences |
//! | 16 | the checksum in the packed file's header (XXH32) |
//! | 20 | 0 |
//! | 24 | the sentences, one after the other |
//!
//! A sentence:
//!
//! | words | content |
//! |---|---|
//! | 1 | bytes of the text |
//! | 1 | tokens, `[CLS]` and `[SEP]` included |
//! | 1 | output words |
//! | 1 | XXH32 with seed 0 of the last hidden states: all tokens x hidden, little-endian float32 |
//! | as many as needed | the text in UTF-8, padded with zeros to a multiple of 4 bytes |
//! | output words | the outputs |
//!
//! The outputs are float32 bits: the pooled vector (embedding), the logits (classification; for a token classification
//! head those of every token) or the scores of every token as the start and as the end of an answer (question answering,
//! where the text is a question and a context with a tab between them). For a masked-LM head they are, for each `[MASK]` in the text, the [`CANDIDATES`] best vocabulary entries, best first, each as its id and
//! the bits of its logit.

use distil_format::{Head, xxh32};
use distil_runtime::{Candidate, Model, Session, texts_of};

use crate::error::Error;

/// First bytes of a check file.
pub const MAGIC: [u8; 8] = *b"DISTILCK";
/// Version of this layout.
pub const VERSION: u32 = 1;
/// Candidates for each `[MASK]`.
pub const CANDIDATES: usize = 5;

/// One sentence and what the model makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The text.
    pub text: String,
    /// Tokens, `[CLS]` and `[SEP]` included.
    pub tokens: u32,
    /// Checksum of the hidden states.
    pub hidden: u32,
    /// The output words.
    pub output: Vec<u32>,
}

impl Case {
    /// Runs `text`.
    pub fn compute(model: &Model<'_>, session: &mut Session<'_>, text: &str) -> Result<Self, Error> {
        let head = model.config().head;
        let (first, second) = texts_of(head, text);
        let tokens = session.encode(first, second)?;
        let bytes: Vec<u8> = session.hidden().iter().flat_map(|value| value.to_le_bytes()).collect();
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
        let output = match head {
            Head::Embedding => bits(session.pooled()?),
            Head::SequenceClassification => bits(session.classification()?.logits()),
            Head::TokenClassification => {
                let mut output = Vec::new();
                for position in 0..tokens {
                    output.extend(bits(session.token_classification(position)?.logits()));
                }
                output
            }
            Head::QuestionAnswering => bits(session.span_logits()?.as_flattened()),
            Head::MaskedLm => {
                let masks: Vec<usize> = session.masks().collect();
                let mut output = Vec::new();
                for position in masks {
                    let mut best = [Candidate::default(); CANDIDATES];
                    let found = session.predict(position, None, &mut best)?.candidates;
                    output.extend(best[..found].iter().flat_map(|candidate| [candidate.id, candidate.logit.to_bits()]));
                }
                output
            }
        };
        Ok(Self { text: text.to_owned(), tokens: tokens as u32, hidden: xxh32(&bytes, 0), output })
    }
}

/// The bytes of a check file for the packed file with this checksum.
pub fn write(checksum: u32, cases: &[Case]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    let word = |bytes: &mut Vec<u8>, value: u32| bytes.extend(value.to_le_bytes());
    for value in [VERSION, cases.len() as u32, checksum, 0] {
        word(&mut bytes, value);
    }
    for case in cases {
        for value in [case.text.len() as u32, case.tokens, case.output.len() as u32, case.hidden] {
            word(&mut bytes, value);
        }
        bytes.extend(case.text.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        case.output.iter().for_each(|&value| word(&mut bytes, value));
    }
    bytes
}

/// Reads a check file: the packed file's checksum, and the sentences. `None` if it is not exactly one.
pub fn read(bytes: &[u8]) -> Option<(u32, Vec<Case>)> {
    let mut rest = bytes.strip_prefix(&MAGIC)?;
    let [version, count, checksum, reserved] = words::<4>(&mut rest)?;
    if version != VERSION || reserved != 0 {
        return None;
    }
    let mut cases = Vec::new();
    for _ in 0..count {
        let [text, tokens, output, hidden] = words::<4>(&mut rest)?;
        let padded = (text as usize).checked_next_multiple_of(4)?;
        let (text, padding) = rest.split_at_checked(padded)?.0.split_at(text as usize);
        let text = std::str::from_utf8(text).ok()?.to_owned();
        if padding.iter().any(|&byte| byte != 0) {
            return None;
        }
        rest = &rest[padded..];
        let output = (0..output).map(|_| words::<1>(&mut rest).map(|[word]| word)).collect::<Option<_>>()?;
        cases.push(Case { text, tokens, hidden, output });
    }
    rest.is_empty().then_some((checksum, cases))
}

fn words<const N: usize>(rest: &mut &[u8]) -> Option<[u32; N]> {
    let (bytes, after) = rest.split_at_checked(4 * N)?;
    *rest = after;
    let words = bytes.as_chunks::<4>().0;
    Some(std::array::from_fn(|index| u32::from_le_bytes(words[index])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_no_prefix_is() {
        let case = |text: &str| Case { text: text.into(), tokens: 5, hidden: 0xdead_beef, output: vec![1, 2, 3] };
        let cases = [case("abc"), case(""), case("grün")];
        let bytes = write(77, &cases);
        assert_eq!(bytes.len(), 24 + 3 * (16 + 12) + 4 + 8);
        assert_eq!(read(&bytes), Some((77, cases.to_vec())));
        for len in 0..bytes.len() {
            assert_eq!(read(&bytes[..len]), None);
        }
        assert_eq!(read(&[&bytes[..], &[0]].concat()), None);
    }
}
