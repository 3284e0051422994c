//! `tools report`: what is known of packed files, gathered once, then drawn as one page or printed as JSON.

mod facts;
mod latency;
mod originals;
mod page;
pub mod plot;
mod spread;
mod texts;

use serde::Serialize;

pub use facts::{Arena, Facts, Other, TensorFacts};
pub use latency::{Latency, lengths, measure};
pub use originals::Originals;
pub use page::page;
pub use spread::{Gather, Spread};
pub use texts::{Activation, Fidelity, LayerError, compare};

/// All that a page shows; its JSON.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// Program and version.
    pub tool: &'static str,
    /// Instruction set that ran the files; `None` if nothing was run.
    pub isa: Option<&'static str>,
    /// The float original, if it was given.
    pub original: Option<Original>,
    /// The packed files, in the order given.
    pub files: Vec<File>,
    /// How values are spread in the float model; empty without an original.
    pub activations: Vec<Activation>,
}

/// The float original and the texts it was compared on.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Original {
    /// Name of its folder.
    pub name: String,
    /// SHA-256 of its weights.
    pub sha256: String,
    /// What its tensors take as float32.
    pub float_bytes: usize,
    /// Texts.
    pub texts: usize,
    /// Tokens of all texts.
    pub tokens: usize,
    /// Where the texts come from: a file's name, or `built-in`.
    pub source: String,
}

/// One packed file.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct File {
    /// What it says of itself.
    #[serde(flatten)]
    pub facts: Facts,
    /// Its times; empty if none were taken.
    pub latency: Vec<Latency>,
    /// How near it is to the original, if that was given.
    pub fidelity: Option<Fidelity>,
}
