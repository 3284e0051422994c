//! The walk over the text: from characters to normalized characters to words.

use core::ops::ControlFlow;

use crate::ascii::{self, Byte};
use crate::marks;
use crate::unicode::{self, Base};
use crate::word::Word;
use crate::{Settings, Token, Vocabulary};

/// One tokenization under way.
pub(crate) struct Scan<'a, V, E> {
    text: &'a str,
    settings: &'a Settings,
    vocabulary: &'a V,
    emit: E,
    /// Lent, not owned: a scan can be moved without copying the buffer.
    word: &'a mut Word,
}

/// A source character: where it is and how many bytes it has.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    pub(crate) start: u32,
    pub(crate) width: u8,
}

impl Source {
    /// The source of `c` at byte `at` of the text.
    pub(crate) const fn new(at: usize, c: char) -> Self {
        Self { start: at as u32, width: c.len_utf8() as u8 }
    }
}

impl<'a, V: Vocabulary, E: FnMut(Token, bool) -> ControlFlow<()>> Scan<'a, V, E> {
    pub(crate) fn new(text: &'a str, settings: &'a Settings, vocabulary: &'a V, word: &'a mut Word, emit: E) -> Self {
        Self { text, settings, vocabulary, emit, word }
    }

    /// Walks the whole text.
    pub(crate) fn run(mut self) -> ControlFlow<()> {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            at = match ascii::class(byte) {
                Byte::Word => self.letters(at)?,
                Byte::Space => {
                    self.finish()?;
                    at + 1
                }
                Byte::Punctuation => self.punctuation(at, byte)?,
                Byte::Removed => at + 1,
                Byte::Wide => self.wide(at)?,
            };
        }
        self.finish()
    }

    /// A run of ASCII letters and digits at `at`; gives the offset after it.
    #[inline]
    fn letters(&mut self, at: usize) -> ControlFlow<(), usize> {
        let rest = &self.text.as_bytes()[at..];
        let len = rest.iter().position(|b| ascii::class(*b) != Byte::Word).unwrap_or(rest.len());
        let run = &rest[..len];
        // Only if the word ends with the run does the run tell the whole word.
        let ends = rest.get(len).is_none_or(|b| matches!(ascii::class(*b), Byte::Space | Byte::Punctuation));
        if self.word.is_empty() && ends {
            let Self { settings, vocabulary, emit, word, .. } = self;
            word.ascii(run, at as u32, settings.lowercase, *vocabulary, settings.unk, emit)?;
        } else {
            for (i, b) in run.iter().enumerate() {
                let b = if self.settings.lowercase { b.to_ascii_lowercase() } else { *b };
                self.word.push(char::from(b), (at + i) as u32, 1);
            }
        }
        ControlFlow::Continue(at + len)
    }

    /// ASCII punctuation at `at`, which may open a special token; gives the offset after it.
    fn punctuation(&mut self, at: usize, byte: u8) -> ControlFlow<(), usize> {
        self.finish()?;
        if byte == b'['
            && let Some((id, len)) = self.special(at)
        {
            (self.emit)(Token { id, start: at as u32, end: (at + len) as u32 }, false)?;
            return ControlFlow::Continue(at + len);
        }
        self.word.push(char::from(byte), at as u32, 1);
        self.finish()?;
        ControlFlow::Continue(at + 1)
    }

    /// Id and length of the special token at `at`. They all open with a bracket and none is part
    /// of another, so the first that fits is the one.
    fn special(&self, at: usize) -> Option<(u32, usize)> {
        let s = self.settings;
        let tokens = [("[PAD]", s.pad), ("[UNK]", s.unk), ("[CLS]", s.cls), ("[SEP]", s.sep), ("[MASK]", s.mask)];
        let rest = &self.text.as_bytes()[at..];
        tokens.into_iter().find_map(|(name, id)| rest.starts_with(name.as_bytes()).then_some((id, name.len())))
    }

    /// The character beyond ASCII at `at`; gives the offset after what was consumed.
    fn wide(&mut self, at: usize) -> ControlFlow<(), usize> {
        let Some(c) = self.text[at..].chars().next() else {
            return ControlFlow::Continue(self.text.len());
        };
        let source = Source::new(at, c);
        let after = at + c.len_utf8();
        let class = unicode::class(c);
        let strip = self.settings.strip_accents;
        match class.base {
            Base::Removed => {}
            Base::Space => self.finish()?,
            Base::Mark if strip => {}
            Base::KeptMark if strip => {
                let run = marks::Run::around(self.text, at);
                return ControlFlow::Continue(self.marks(run, c, source));
            }
            Base::Mark | Base::KeptMark => self.push(c, source),
            base => {
                let alone = base == Base::Cjk && self.settings.split_cjk;
                if alone {
                    self.finish()?;
                }
                if strip && class.decomposes {
                    let end = self.decomposed(c, source)?;
                    if let Some(end) = end {
                        return ControlFlow::Continue(end);
                    }
                } else {
                    self.normalized(c, base, source)?;
                }
                if alone {
                    self.finish()?;
                }
            }
        }
        ControlFlow::Continue(after)
    }

    /// Takes the decomposition of `c`. If it ends in marks that stay, they are put in order with
    /// the marks that follow `c` in the text; the offset after those is given then.
    fn decomposed(&mut self, c: char, source: Source) -> ControlFlow<(), Option<usize>> {
        for d in unicode::decompose(c) {
            let base = unicode::class(d).base;
            if base == Base::KeptMark {
                let run = marks::Run::after(self.text, source.start as usize + c.len_utf8());
                return ControlFlow::Continue(Some(self.marks(run, c, source)));
            }
            self.normalized(d, base, source)?;
        }
        ControlFlow::Continue(None)
    }

    /// Takes the kept marks of `run`, whose starter is `c`; gives the offset after the run.
    fn marks(&mut self, run: marks::Run<'_>, c: char, source: Source) -> usize {
        run.for_each_kept(c, source, |mark, source| self.push(mark, source))
    }

    /// Takes a character that has been decomposed if it had to be.
    #[inline]
    fn normalized(&mut self, c: char, base: Base, source: Source) -> ControlFlow<()> {
        match base {
            Base::Space => self.finish(),
            Base::Punctuation => {
                self.finish()?;
                self.word.push(c, source.start, source.width);
                self.finish()
            }
            _ => {
                self.push(c, source);
                ControlFlow::Continue(())
            }
        }
    }

    /// Appends a character to the current word, in lower case if the model wants that.
    #[inline]
    fn push(&mut self, c: char, source: Source) {
        if self.settings.lowercase {
            for lower in c.to_lowercase() {
                self.word.push(lower, source.start, source.width);
            }
        } else {
            self.word.push(c, source.start, source.width);
        }
    }

    /// Ends the current word.
    #[inline]
    fn finish(&mut self) -> ControlFlow<()> {
        let Self { settings, vocabulary, emit, word, .. } = self;
        word.finish(*vocabulary, settings.unk, emit)
    }
}
