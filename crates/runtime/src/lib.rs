//! Runs a packed encoder: a sentence goes in, a label, labelled words, an embedding, an answer or a filled mask comes out.
//!
//! Nothing here allocates. Weights are read in place from the packed file, and all working memory
//! is one slice from the caller, whose length [`arena_len`] gives for a model and a number of tokens.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # let (bytes, mut arena) = (&[0u8; 0][..], vec![0u8; 0]);
//! use distil_runtime::{Artifact, Model, Session};
//!
//! let artifact = Artifact::open(bytes)?; // checked once, borrows the bytes
//! let model = Model::new(&artifact)?; // chooses the instruction set
//! let mut session = Session::new(&model, &mut arena, 128)?;
//! let answer = session.classify("turn the kitchen lights off", None)?;
//! println!("{} {:.2}", answer.label(), answer.probability());
//! # Ok(())
//! # }
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod answers;
mod attention;
mod buffers;
mod classification;
mod code;
mod encoder;
mod error;
mod executor;
mod heads;
mod linear;
mod model;
mod operation;
mod parts;
mod plan;
mod session;
#[cfg(feature = "signature")]
pub mod signature;
mod tags;
mod text;

pub use answers::{Answer, Answers, Search};
pub use classification::Classification;
pub use code::Code;
pub use distil_format::{
    Architecture, Artifact, Config, Head, OpenError, Opening, Pooling, Problem, Vocabulary, Xxh32, xxh32,
};
pub use distil_kernels::{Isa, IsaUnavailable, Kernels, rsqrt};
pub use error::{ModelError, RunError, SessionError};
pub use executor::{Executor, SingleThread};
pub use heads::{Candidate, Prediction};
pub use model::Model;
pub use operation::Operation;
pub use plan::{Plan, arena_len};
pub use session::Session;
pub use tags::{Tag, Tags};
pub use text::{PackedVocabulary, texts_of, tokenizer};
