//! Two packed files, part by part: configuration, labels, tensors, vocabulary, manifest.

mod fields;
mod tensors;
mod vocabulary;

use distil_format::Artifact;
use schemars::JsonSchema;
use serde::Serialize;

use crate::shape::Shape;

pub use fields::FieldReport;
pub use tensors::{Stored, TensorReport};
pub use vocabulary::{EntryReport, VocabularyReport};

/// Two files; its JSON.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// Whether both have the same bytes.
    pub same: bool,
    /// The first file.
    pub a: FileReport,
    /// The second file.
    pub b: FileReport,
    /// Fields of the configuration that differ.
    pub config: Vec<FieldReport>,
    /// Labels that differ, by their numbers.
    pub labels: Vec<FieldReport>,
    /// How many tensors are the same to the byte.
    pub same_tensors: usize,
    /// Those that are not.
    pub tensors: Vec<TensorReport>,
    /// The vocabularies, if they differ.
    pub vocabulary: Option<VocabularyReport>,
    /// Fields of the manifests that differ; those of a tensor begin with `tensors.` and its name.
    pub manifest: Vec<FieldReport>,
}

/// One file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FileReport {
    /// Its path as it was given.
    pub file: String,
    /// Its size.
    pub bytes: usize,
    /// The checksum in its header.
    pub checksum: String,
}

impl FileReport {
    /// Of an open file.
    pub fn new(file: String, artifact: &Artifact<'_>) -> Self {
        Self { file, bytes: artifact.len(), checksum: format!("{:08x}", artifact.checksum()) }
    }
}

impl Report {
    /// Compares two open files. `tick` is called after each tensor.
    pub fn new(files: [FileReport; 2], a: &Artifact<'_>, b: &Artifact<'_>, tick: impl Fn() + Sync) -> Self {
        let [file_a, file_b] = files;
        let config = |artifact: &Artifact<'_>| fields::of(&Shape::new(artifact.config()));
        let labels = |artifact: &Artifact<'_>| {
            let names = (0..).map_while(|label| artifact.label(label));
            names.enumerate().map(|(label, name)| (label.to_string(), name.into())).collect()
        };
        let (same_tensors, tensors) = tensors::compare(a, b, tick);
        Self {
            same: a.bytes() == b.bytes(),
            a: file_a,
            b: file_b,
            config: fields::compare(&config(a), &config(b)),
            labels: fields::compare(&labels(a), &labels(b)),
            same_tensors,
            tensors,
            vocabulary: vocabulary::compare(a, b),
            manifest: fields::compare(&fields::of_manifest(a.manifest()), &fields::of_manifest(b.manifest())),
        }
    }

    /// Whether nothing that is compared differs: the same model in every part, even if the bytes are not the same, as
    /// when the manifest is written in another way.
    pub fn parts_agree(&self) -> bool {
        let Self { config, labels, tensors, vocabulary, manifest, .. } = self;
        config.is_empty() && labels.is_empty() && tensors.is_empty() && vocabulary.is_none() && manifest.is_empty()
    }
}
