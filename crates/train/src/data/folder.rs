//! A prepared data folder, opened for training or evaluation.

use super::{Batch, Dataset, Index, Masker};
use crate::model::{ModelConfig, ModelFolder};
use crate::recipe::MaskingConfig;
use crate::{Error, Result, files};
use rand_chacha::ChaCha8Rng;
use std::path::{Path, PathBuf};

/// Index and vocabulary of a data folder.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// `index.json`.
    pub index: Index,
    /// `vocab.txt`.
    pub vocabulary: Vec<u8>,
}

impl DataFolder {
    /// Reads the index and the vocabulary and checks that they belong together.
    pub fn open(path: &Path) -> Result<Self> {
        let index = Index::read(path)?;
        let file = path.join("vocab.txt");
        let vocabulary = files::read(&file)?;
        if files::sha256(&vocabulary) != index.vocabulary_sha256 {
            return Err(Error::file(
                file,
                "not the vocabulary that the text was prepared with",
                "run `train prepare` again",
            ));
        }
        Ok(Self { path: path.to_path_buf(), index, vocabulary })
    }

    /// The training sequences.
    pub fn train(&self) -> Result<Dataset> {
        Dataset::read(&self.path, &self.index.train, self.index.vocabulary_size)
    }

    /// The held-out sequences.
    pub fn held_out(&self) -> Result<Dataset> {
        if self.index.held_out.is_empty() {
            return Err(Error::file(
                &self.path,
                "no held-out text",
                "run `train prepare` with --held-out FILES or --held-out-every N",
            ));
        }
        Dataset::read(&self.path, &self.index.held_out, self.index.vocabulary_size)
    }

    /// Draws masked-LM targets with the weights of this text.
    pub fn masker(&self, config: &MaskingConfig) -> Masker {
        let special = self.index.special;
        Masker::new(config.clone(), &self.index.counts, &special.ids(), special.mask)
    }

    /// Fails when a model was not made for this vocabulary, or cannot take the longest sequence.
    pub fn check_model(&self, path: &Path, model: &ModelFolder) -> Result<()> {
        let index = &self.index;
        if model.config.vocab_size != index.vocabulary_size {
            return Err(Error::file(
                path,
                format!("its vocabulary has {} entries, the data's {}", model.config.vocab_size, index.vocabulary_size),
                "run `train prepare` with the model's vocab.txt",
            ));
        }
        match &model.vocabulary {
            Some(bytes) if files::sha256(bytes) != index.vocabulary_sha256 && !same_lines(bytes, &self.vocabulary) => {
                Err(Error::file(
                    path,
                    "its vocab.txt has as many entries as the data's, but others",
                    "run `train prepare` with the model's vocab.txt",
                ))
            }
            Some(_) if model.lowercase.is_some_and(|lowercase| lowercase != index.lowercase) => Err(Error::file(
                path,
                "the model and the data do not agree on lower-casing",
                "run `train prepare` with or without --cased, as the model wants it",
            )),
            _ => self.check_positions(&model.config),
        }
    }

    /// Fails when a sequence may be longer than the model's positions.
    pub fn check_positions(&self, config: &ModelConfig) -> Result<()> {
        if self.index.max_length > config.max_positions {
            return Err(Error::file(
                &self.path,
                format!(
                    "sequences have up to {} tokens, the model has {} positions",
                    self.index.max_length, config.max_positions
                ),
                format!("run `train prepare` with --max-length {}", config.max_positions),
            ));
        }
        Ok(())
    }
}

/// Whether two vocabularies have the same entries, whatever their line ends.
fn same_lines(a: &[u8], b: &[u8]) -> bool {
    let lines = |bytes| String::from_utf8_lossy(bytes).lines().map(|l| l.trim_end().to_string()).collect::<Vec<_>>();
    lines(a) == lines(b)
}

impl Dataset {
    /// Packs some sequences and masks them.
    pub fn batch(&self, sequences: &[u32], masker: &Masker, rng: &mut ChaCha8Rng) -> Batch {
        let (mut ids, mut positions, mut lengths) = (vec![], vec![], vec![]);
        for &i in sequences {
            let start = ids.len();
            self.extend(i as usize, &mut ids);
            let length = ids.len() - start;
            positions.extend(0..length as u32);
            lengths.push(length);
        }
        let labels = masker.mask(&mut ids, rng);
        Batch { ids, positions, labels, lengths }
    }
}
