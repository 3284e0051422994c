//! Token classification: a label for every word of a text.

use core::fmt;
use core::ops::Range;

use distil_format::Head;

use crate::classification::{self, Classification};
use crate::error::{RunError, finite};
use crate::session::Session;
use crate::text::{ADDED, PIECE};

/// A word with its label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tag<'m> {
    /// Number of the label.
    pub label: usize,
    /// Its name.
    pub name: &'m str,
    /// Its share of the softmax over the labels.
    pub probability: f32,
    /// Byte in the text at which the word starts.
    pub start: usize,
    /// Byte after its end.
    pub end: usize,
    /// Position of its first token, which decides; `[CLS]` has 0.
    pub position: usize,
    /// Number of its tokens.
    pub tokens: usize,
}

impl Tag<'_> {
    /// The word's bytes in the text.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// The words of the text encoded last, each labelled when its turn comes.
///
/// Words are those of BERT's tokenizer: what stands between white space, and each punctuation mark. A word has the label
/// of its first token, as models are trained (the others have no label there). Where the weights are such that a score is no
/// finite number, there are no more words; [`Tags::error`] says so.
pub struct Tags<'s, 'm> {
    session: &'s mut Session<'m>,
    /// The next token.
    at: usize,
    error: Option<RunError>,
}

impl Tags<'_, '_> {
    /// Why the words ended before the text did, if they did.
    pub fn error(&self) -> Option<RunError> {
        self.error
    }
}

impl fmt::Debug for Tags<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tags").field("at", &self.at).finish_non_exhaustive()
    }
}

impl<'m> Session<'m> {
    /// Labels the words of a text.
    ///
    /// # Errors
    /// As [`Session::encode`], and [`RunError::Head`] without a token classification head.
    pub fn tag(&mut self, text: &str) -> Result<Tags<'_, 'm>, RunError> {
        self.needs(Head::TokenClassification)?;
        self.encode(text, None)?;
        self.tags()
    }

    /// Labels the words encoded last; those of a pair come after those of its first text. Ids that were encoded without
    /// a text are no words: ask [`Session::token_classification`] for each.
    ///
    /// # Errors
    /// [`RunError::Head`] without a token classification head, [`RunError::Position`] if nothing has been encoded.
    pub fn tags(&mut self) -> Result<Tags<'_, 'm>, RunError> {
        self.needs(Head::TokenClassification)?;
        self.encoded(0)?;
        Ok(Tags { session: self, at: 0, error: None })
    }

    /// Classifies one token of those encoded last, whatever it is: a piece of a word, or `[CLS]`.
    ///
    /// # Errors
    /// [`RunError::Head`] without a token classification head, [`RunError::Position`] out of range, [`RunError::NotFinite`].
    pub fn token_classification(&mut self, position: usize) -> Result<Classification<'_>, RunError> {
        self.needs(Head::TokenClassification)?;
        self.encoded(position)?;
        let answer = classification::of_token(self.model, position, &mut self.buffers)?;
        finite(answer.logits())?;
        finite(answer.values())?;
        Ok(answer)
    }
}

impl<'m> Iterator for Tags<'_, 'm> {
    type Item = Tag<'m>;

    fn next(&mut self) -> Option<Tag<'m>> {
        let session = &mut *self.session;
        let words = &session.buffers.words[..session.tokens];
        let position = self.at + words[self.at..].iter().position(|&word| word != ADDED)?;
        let tokens = 1 + words[position + 1..].iter().take_while(|&&word| word == PIECE).count();
        self.at = position + tokens;
        let Range { start, end } = session.range(position..position + tokens);
        let artifact = session.model.artifact();
        let found = session.token_classification(position).map_err(|error| self.error = Some(error)).ok()?;
        let label = found.best();
        let (name, probability) = (artifact.label(label).unwrap_or(""), found.probability());
        Some(Tag { label, name, probability, start, end, position, tokens })
    }
}
