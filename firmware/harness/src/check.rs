//! The check file: what the host answered to some sentences, down to the last bit.
//!
//! Little-endian. Magic `DISTILCK`, then four words: version (1), number of sentences, checksum of the model (the one
//! in its header), zero. Then for each sentence four words: bytes of its text, its tokens, number of output words,
//! XXH32 (seed 0) of the hidden states (tokens x hidden, as little-endian f32); the text, padded with zeros to a
//! multiple of four; the output words. These are bits of f32: the embedding; the logits of the classes, of the text or of
//! each token; both scores of each token for question answering, where the text is a question, a tab and a context; for a
//! masked-LM model, for each `[MASK]` of the text, five pairs of vocabulary entry and logit bits.

use core::fmt;

const MAGIC: [u8; 8] = *b"DISTILCK";
const VERSION: u32 = 1;

/// Why a check file cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckError {
    /// There is none at this address.
    Missing,
    /// It has another version than this program reads.
    Version(u32),
    /// It ends inside this sentence, counted from 1.
    Truncated(u32),
    /// The text of this sentence is not UTF-8.
    Text(u32),
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => {
                f.write_str("there is no check file at its address; make one with `tools check` and load it")
            }
            Self::Version(version) => write!(
                f,
                "the check file has version {version} and this program reads {VERSION}; make it again with `tools check`"
            ),
            Self::Truncated(sentence) => {
                write!(f, "the check file ends inside sentence {sentence}; make it again with `tools check`")
            }
            Self::Text(sentence) => write!(f, "the text of sentence {sentence} in the check file is not UTF-8"),
        }
    }
}

impl core::error::Error for CheckError {}

/// A check file whose every part was found to be there.
#[derive(Clone, Copy, Debug)]
pub struct Check<'a> {
    count: u32,
    model_checksum: u32,
    sentences: &'a [u8],
}

impl<'a> Check<'a> {
    /// Checks the file at the start of `region`.
    ///
    /// # Errors
    /// [`CheckError`], naming the sentence.
    pub fn parse(region: &'a [u8]) -> Result<Self, CheckError> {
        let rest = region.strip_prefix(&MAGIC).ok_or(CheckError::Missing)?;
        let (header, mut rest) = words::<4>(rest).ok_or(CheckError::Missing)?;
        let [version, count, model_checksum, _] = header;
        if version != VERSION {
            return Err(CheckError::Version(version));
        }
        let check = Self { count, model_checksum, sentences: rest };
        for number in 1..=count {
            let (sentence, after) = take(rest).ok_or(CheckError::Truncated(number))?;
            core::str::from_utf8(sentence.text).map_err(|_| CheckError::Text(number))?;
            rest = after;
        }
        Ok(check)
    }

    /// Checksum of the model that the outputs belong to.
    pub fn model_checksum(&self) -> u32 {
        self.model_checksum
    }

    /// The sentences with what the host made of them.
    pub fn sentences(&self) -> impl Iterator<Item = Expected<'a>> + use<'a> {
        let mut rest = self.sentences;
        (0..self.count).map_while(move |_| {
            let (raw, after) = take(rest)?;
            rest = after;
            let text = core::str::from_utf8(raw.text).ok()?;
            Some(Expected { text, tokens: raw.tokens, hidden: raw.hidden, output: raw.output })
        })
    }
}

/// A sentence and what the host made of it.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The sentence.
    pub text: &'a str,
    /// Its tokens, `[CLS]` and `[SEP]` included.
    pub tokens: u32,
    hidden: u32,
    output: &'a [[u8; 4]],
}

impl<'a> Expected<'a> {
    /// Starts comparing.
    pub fn compare(&self) -> Comparison<'a> {
        Comparison { expected: *self, at: 0, difference: None }
    }
}

/// The first thing that was not as on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The number of tokens.
    Tokens {
        /// What the host counted.
        host: u32,
        /// What was counted here.
        here: u32,
    },
    /// The hidden states, by their XXH32.
    Hidden {
        /// The host's.
        host: u32,
        /// The one found here.
        here: u32,
    },
    /// An output word.
    Output {
        /// Which one, from 0.
        word: u32,
        /// The host's.
        host: u32,
        /// The one found here.
        here: u32,
    },
    /// The number of output words.
    Length {
        /// How many the host has.
        host: u32,
        /// How many were made here.
        here: u32,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tokens { host, here } => write!(f, "{here} tokens, {host} on the host"),
            Self::Hidden { host, here } => write!(f, "hidden states hash to {here:#010x}, {host:#010x} on the host"),
            Self::Output { word, host, here } => {
                write!(f, "output word {word} is {here:#010x}, {host:#010x} on the host")
            }
            Self::Length { host, here } => write!(f, "{here} output words, {host} on the host"),
        }
    }
}

/// Compares one thing after another and remembers the first that differs.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    expected: Expected<'a>,
    at: usize,
    difference: Option<Difference>,
}

impl Comparison<'_> {
    /// Compares with nothing: for texts that no host has answered.
    pub(crate) const fn none() -> Self {
        let expected = Expected { text: "", tokens: 0, hidden: 0, output: &[] };
        Self { expected, at: 0, difference: None }
    }

    fn note(&mut self, difference: Difference) {
        self.difference.get_or_insert(difference);
    }

    /// Compares the number of tokens.
    pub fn tokens(&mut self, here: u32) {
        let host = self.expected.tokens;
        if here != host {
            self.note(Difference::Tokens { host, here });
        }
    }

    /// Compares the hash of the hidden states.
    pub fn hidden(&mut self, here: u32) {
        let host = self.expected.hidden;
        if here != host {
            self.note(Difference::Hidden { host, here });
        }
    }

    /// Compares the next output word.
    pub fn word(&mut self, here: u32) {
        if let Some(host) = self.expected.output.get(self.at).map(|bytes| u32::from_le_bytes(*bytes))
            && host != here
        {
            self.note(Difference::Output { word: self.at as u32, host, here });
        }
        self.at += 1;
    }

    /// The first difference, if there was one; all output words must have been given.
    pub fn finish(mut self) -> Option<Difference> {
        let (host, here) = (self.expected.output.len() as u32, self.at as u32);
        if host != here {
            self.note(Difference::Length { host, here });
        }
        self.difference
    }
}

struct Raw<'a> {
    text: &'a [u8],
    tokens: u32,
    hidden: u32,
    output: &'a [[u8; 4]],
}

/// The sentence at the start of `bytes`, and what follows it.
fn take(bytes: &[u8]) -> Option<(Raw<'_>, &[u8])> {
    let ([text_len, tokens, output_len, hidden], rest) = words::<4>(bytes)?;
    let text_len = usize::try_from(text_len).ok()?;
    let (padded, rest) = rest.split_at_checked(text_len.checked_next_multiple_of(4)?)?;
    let (output, rest) = rest.split_at_checked(usize::try_from(output_len).ok()?.checked_mul(4)?)?;
    let (output, _) = output.as_chunks::<4>();
    Some((Raw { text: &padded[..text_len], tokens, hidden, output }, rest))
}

fn words<const N: usize>(bytes: &[u8]) -> Option<([u32; N], &[u8])> {
    let (chunks, _) = bytes.as_chunks::<4>();
    let first = chunks.first_chunk::<N>()?;
    Some((first.map(u32::from_le_bytes), &bytes[4 * N..]))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
