//! A session: one model, one arena, one text after another.

use core::fmt;

use distil_format::{Head, Pooling};

use crate::buffers::Buffers;
use crate::classification::{self, Classification};
use crate::encoder::{self, Step};
use crate::error::{RunError, SessionError, finite};
use crate::executor::{Executor, SingleThread};
use crate::heads::{self, Candidate, Prediction};
use crate::model::Model;
use crate::operation::Operation;
use crate::plan::{Plan, arena_len};
use crate::text;

/// Answers texts of up to a fixed number of tokens in a caller's arena. A text of n tokens costs n tokens: nothing is padded.
pub struct Session<'m> {
    pub(crate) model: &'m Model<'m>,
    pub(crate) buffers: Buffers<'m>,
    plan: Plan,
    executor: &'m dyn Executor,
    pub(crate) most: usize,
    pub(crate) truncate: bool,
    answers_only: bool,
    pub(crate) tokens: usize,
    /// How many of the tokens have last hidden states.
    rows: usize,
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("max_tokens", &self.most).field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

impl<'m> Session<'m> {
    /// Takes an arena of at least [`arena_len`] bytes, with [`Plan::FAST`], for texts of up to `max_tokens` tokens,
    /// `[CLS]` and `[SEP]` included.
    ///
    /// # Errors
    /// [`SessionError`] if the arena is too small, or the model has no positions for so many tokens.
    pub fn new(model: &'m Model<'m>, arena: &'m mut [u8], max_tokens: usize) -> Result<Self, SessionError> {
        Self::with_plan(model, arena, max_tokens, Plan::FAST, &SingleThread)
    }

    /// [`Session::new`] with another plan, on the threads of `executor`: as many as the plan has memory for, even if
    /// the executor has more.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn with_plan(
        model: &'m Model<'m>,
        arena: &'m mut [u8],
        max_tokens: usize,
        plan: Plan,
        executor: &'m dyn Executor,
    ) -> Result<Self, SessionError> {
        let most = model.config().max_positions as usize;
        if !(2..=most).contains(&max_tokens) {
            return Err(SessionError::Tokens { asked: max_tokens, most });
        }
        let (needed, given) = (arena_len(model.artifact(), max_tokens, plan), arena.len());
        let too_small = SessionError::Arena { needed, given };
        if given < needed {
            return Err(too_small);
        }
        let buffers = Buffers::new(model.artifact(), max_tokens, plan, arena).ok_or(too_small)?;
        let (truncate, answers_only, tokens, rows) = (false, false, 0, 0);
        Ok(Self { model, buffers, plan, executor, most: max_tokens, truncate, answers_only, tokens, rows })
    }

    /// Says whether a text that is too long loses its end (the longer of two texts first) instead of being an error.
    pub fn truncating(mut self, truncate: bool) -> Self {
        self.truncate = truncate;
        self
    }

    /// Says whether the last layer is computed only where the head reads it: of the labels of a text, and of an embedding
    /// that is that of `[CLS]`, at the first token, with the same bits. Then [`Session::hidden`] has one row. Of six layers
    /// that saves a seventh of the work. Other heads read every row. [`Session::classify`] and [`Session::embed`] do it unasked.
    pub fn answers_only(mut self, only: bool) -> Self {
        self.answers_only = only;
        self
    }

    /// Encodes `[CLS] text [SEP]`, or with a pair `[CLS] text [SEP] pair [SEP]`; returns the number of tokens.
    ///
    /// # Errors
    /// [`RunError::TooLong`] if the text does not fit and truncation is off, [`RunError::NotFinite`] if the weights are such
    /// that a hidden state is no finite number.
    pub fn encode(&mut self, text: &str, pair: Option<&str>) -> Result<usize, RunError> {
        self.observe(text, pair, |_, _| {})
    }

    /// [`Session::encode`], showing `observe` the hidden states on their way, as [`Session::observe_ids`] does: also the
    /// place to feed a watchdog.
    ///
    /// # Errors
    /// As [`Session::encode`].
    pub fn observe(
        &mut self,
        text: &str,
        pair: Option<&str>,
        observe: impl FnMut(u32, &[f32]),
    ) -> Result<usize, RunError> {
        let tokens = self.take_text(text, pair)?;
        self.run(tokens, observe)
    }

    /// Nothing is encoded any more.
    pub(crate) fn forget(&mut self) {
        (self.tokens, self.rows) = (0, 0);
    }

    /// Makes the tokens of a text, or of a pair, those of the next run.
    fn take_text(&mut self, text: &str, pair: Option<&str>) -> Result<usize, RunError> {
        self.forget();
        let config = self.model.config();
        let tokenizer = text::tokenizer(config, self.model.artifact().vocabulary());
        text::fill(&tokenizer, config, (text, pair), self.most, self.truncate, &mut self.buffers)
    }

    /// Encodes token ids as they are; `types` are the segments of the tokens, all 0 if not given.
    ///
    /// # Errors
    /// [`RunError`] if there are none or too many, or if an id or a segment is out of range, and [`RunError::NotFinite`].
    pub fn encode_ids(&mut self, ids: &[u32], types: Option<&[u8]>) -> Result<usize, RunError> {
        self.observe_ids(ids, types, |_, _| {})
    }

    /// [`Session::encode_ids`], showing `observe` the hidden states on their way, `[tokens][hidden]`: with 0 those of the
    /// embeddings, then with `i` those after `i` layers, up to the number of layers. Plan, threads and bits are those of
    /// [`Session::encode_ids`], and no more memory is needed: what is shown is where the next layer works.
    ///
    /// # Errors
    /// As [`Session::encode_ids`].
    pub fn observe_ids(
        &mut self,
        ids: &[u32],
        types: Option<&[u8]>,
        observe: impl FnMut(u32, &[f32]),
    ) -> Result<usize, RunError> {
        let tokens = self.take_ids(ids, types)?;
        self.run(tokens, observe)
    }

    /// [`Session::observe_ids`], telling `watch` of each operation of each layer when it is over, so that what a clock or a
    /// counter shows then can be told apart by operation. It is called some hundred times a layer. Each thread tells of
    /// its own operations; to have them in order, run on one.
    ///
    /// # Errors
    /// As [`Session::encode_ids`].
    pub fn watch_ids(
        &mut self,
        ids: &[u32],
        types: Option<&[u8]>,
        observe: impl FnMut(u32, &[f32]),
        watch: &(dyn Fn(Operation) + Sync),
    ) -> Result<usize, RunError> {
        let tokens = self.take_ids(ids, types)?;
        self.run_with(tokens, self.wanted(tokens), observe, |step, plan, executor, buffers| {
            step.run_watched(plan, executor, buffers, watch);
        })
    }

    /// Checks the ids and makes them the tokens of the next run.
    fn take_ids(&mut self, ids: &[u32], types: Option<&[u8]>) -> Result<usize, RunError> {
        self.forget();
        let config = self.model.config();
        let n = ids.len();
        if n == 0 || types.is_some_and(|types| types.len() != n) {
            return Err(RunError::Ids);
        }
        if n > self.most {
            return Err(RunError::TooLong { tokens: n, most: self.most });
        }
        if let Some(&id) = ids.iter().find(|&&id| id >= config.vocab_size) {
            return Err(RunError::TokenId(id));
        }
        self.buffers.types[..n].fill(0);
        if let Some(types) = types {
            if let Some(&segment) = types.iter().find(|&&t| u32::from(t) >= config.type_vocab.max(1)) {
                return Err(RunError::TokenType(segment));
            }
            self.buffers.types[..n].copy_from_slice(types);
        }
        self.buffers.ids[..n].copy_from_slice(ids);
        self.buffers.starts[..n].fill(0);
        self.buffers.ends[..n].fill(0);
        self.buffers.words.fill(text::ADDED);
        Ok(n)
    }

    /// How many of the first rows of the last hidden states are computed.
    fn wanted(&self, tokens: usize) -> usize {
        match self.model.config().head {
            Head::SequenceClassification if self.answers_only => 1,
            Head::Embedding if self.answers_only => self.pooled_rows(tokens),
            _ => tokens,
        }
    }

    /// How many of them are pooled.
    fn pooled_rows(&self, tokens: usize) -> usize {
        match self.model.config().pooling {
            Pooling::Cls => tokens.min(1),
            Pooling::Mean => tokens,
        }
    }

    pub(crate) fn run(&mut self, tokens: usize, observe: impl FnMut(u32, &[f32])) -> Result<usize, RunError> {
        self.run_rows(tokens, self.wanted(tokens), observe)
    }

    fn run_rows(&mut self, tokens: usize, wanted: usize, observe: impl FnMut(u32, &[f32])) -> Result<usize, RunError> {
        self.run_with(tokens, wanted, observe, |step, plan, executor, buffers| step.run(plan, executor, buffers))
    }

    fn run_with(
        &mut self,
        tokens: usize,
        wanted: usize,
        observe: impl FnMut(u32, &[f32]),
        run: impl Fn(&Step, Plan, &dyn Executor, &mut Buffers),
    ) -> Result<usize, RunError> {
        let lengths = (tokens, wanted);
        encoder::encode(self.model, self.plan, self.executor, lengths, &mut self.buffers, observe, run)?;
        finite(&self.buffers.x[..wanted * self.model.config().hidden as usize])?;
        (self.tokens, self.rows) = lengths;
        Ok(tokens)
    }

    /// Ids of the tokens encoded last.
    pub fn ids(&self) -> &[u32] {
        &self.buffers.ids[..self.tokens]
    }

    /// Byte range in its text of token `position` of those encoded last; empty for `[CLS]` and `[SEP]`.
    pub fn span(&self, position: usize) -> Option<core::ops::Range<usize>> {
        (position < self.tokens).then(|| self.buffers.starts[position] as usize..self.buffers.ends[position] as usize)
    }

    /// Last hidden states of the tokens encoded last, `[tokens][hidden]`; of the first alone after [`Session::classify`], and
    /// where [`Session::answers_only`] says so.
    pub fn hidden(&self) -> &[f32] {
        &self.buffers.x[..self.rows * self.model.config().hidden as usize]
    }

    /// Pools the tokens encoded last into one vector, `[hidden]`, as the file's configuration says.
    ///
    /// Works with every head, since it needs no weights of its own.
    ///
    /// # Errors
    /// [`RunError::Position`] if nothing has been encoded, or not every row that is pooled; [`RunError::NotFinite`].
    pub fn pooled(&mut self) -> Result<&[f32], RunError> {
        self.encoded(self.pooled_rows(self.tokens).saturating_sub(1))?;
        heads::pool(self.model, self.tokens, &mut self.buffers);
        finite(self.buffers.pooled)?;
        Ok(self.buffers.pooled)
    }

    /// The embedding of a text, `[hidden]`.
    ///
    /// # Errors
    /// As [`Session::encode`].
    pub fn embed(&mut self, text: &str) -> Result<&[f32], RunError> {
        let tokens = self.take_text(text, None)?;
        self.run_rows(tokens, self.pooled_rows(tokens), |_, _| {})?;
        self.pooled()
    }

    /// Classifies a text or a pair of texts.
    ///
    /// # Errors
    /// As [`Session::encode`], and [`RunError::Head`] without a classification head.
    pub fn classify(&mut self, text: &str, pair: Option<&str>) -> Result<Classification<'_>, RunError> {
        self.needs(Head::SequenceClassification)?;
        let tokens = self.take_text(text, pair)?;
        self.run_rows(tokens, 1, |_, _| {})?;
        self.classification()
    }

    /// Classifies the tokens encoded last.
    ///
    /// # Errors
    /// [`RunError::Head`] without a classification head, [`RunError::Position`] if nothing has been encoded,
    /// [`RunError::NotFinite`].
    pub fn classification(&mut self) -> Result<Classification<'_>, RunError> {
        self.needs(Head::SequenceClassification)?;
        self.encoded(0)?;
        let answer = classification::of_text(self.model, &mut self.buffers)?;
        finite(answer.logits())?;
        finite(answer.values())?;
        Ok(answer)
    }

    /// Fills the first `[MASK]` of a text: the best vocabulary entries go to `top`, best first.
    ///
    /// # Errors
    /// As [`Session::encode`], [`RunError::Head`] without a masked-LM head, [`RunError::NoMask`].
    pub fn fill_mask(&mut self, text: &str, top: &mut [Candidate]) -> Result<Prediction, RunError> {
        self.needs(Head::MaskedLm)?;
        self.encode(text, None)?;
        let position = self.masks().next().ok_or(RunError::NoMask)?;
        self.predict(position, None, top)
    }

    /// Positions of `[MASK]` among the tokens encoded last.
    pub fn masks(&self) -> impl Iterator<Item = usize> + '_ {
        let mask = self.model.config().mask_id;
        self.ids().iter().enumerate().filter(move |&(_, &id)| id == mask).map(|(i, _)| i)
    }

    /// What the masked-LM head predicts at one position of the tokens encoded last, and the logit of `target`.
    ///
    /// # Errors
    /// [`RunError::Head`] without a masked-LM head, [`RunError::Position`] out of range, [`RunError::NotFinite`].
    pub fn predict(
        &mut self,
        position: usize,
        target: Option<u32>,
        top: &mut [Candidate],
    ) -> Result<Prediction, RunError> {
        self.needs(Head::MaskedLm)?;
        self.encoded(position)?;
        let answer = heads::predict(self.model, position, target, top, &mut self.buffers)?;
        finite(&[answer.max, answer.sum, answer.target.unwrap_or(0.0)])?;
        top.iter().take(answer.candidates).try_for_each(|one| finite(&[one.logit, one.probability]))?;
        Ok(answer)
    }

    pub(crate) fn needs(&self, needed: Head) -> Result<(), RunError> {
        let found = self.model.config().head;
        if found == needed { Ok(()) } else { Err(RunError::Head { needed, found }) }
    }

    pub(crate) fn encoded(&self, position: usize) -> Result<(), RunError> {
        let tokens = self.rows;
        if position < tokens { Ok(()) } else { Err(RunError::Position { position, tokens }) }
    }
}
