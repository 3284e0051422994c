//! A prepared data folder, opened for training or evaluation.

use super::vocabulary::compare;
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
        Dataset::open(&self.path, &self.index.train, &self.index)
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
        Dataset::open(&self.path, &self.index.held_out, &self.index)
    }

    /// Draws masked-LM targets with the weights of this text.
    pub fn masker(&self, config: &MaskingConfig) -> Masker {
        let special = self.index.special;
        Masker::new(config.clone(), &self.index.counts, &special.ids(), special.mask)
    }

    /// Fails when a model was not made for this vocabulary, or cannot take the longest sequence.
    pub fn check_model(&self, path: &Path, model: &ModelFolder) -> Result<()> {
        let index = &self.index;
        let next = "run `train prepare` with the model's vocabulary";
        let (has, needs) = (model.config.vocab_size, index.vocabulary_size);
        let difference = model.vocabulary.as_ref().map(|bytes| compare(bytes, &self.vocabulary));
        // A model may have rows beyond its vocabulary, as padding; without a vocabulary there is only the number.
        if has < needs || (has > needs && difference != Some(None)) {
            let reason = format!("its vocabulary has {has} entries, the data's {needs}");
            return Err(Error::file(path, reason, next));
        }
        if let Some(Some(difference)) = difference {
            let reason = format!("its vocabulary is not the data's: {difference}");
            return Err(Error::file(path, reason, next));
        }
        if model.vocabulary.is_some() && model.lowercase.is_some_and(|lowercase| lowercase != index.lowercase) {
            let next = "run `train prepare` with or without --cased, as the model wants it";
            return Err(Error::file(path, "the model and the data do not agree on lower-casing", next));
        }
        self.check_positions(&model.config)
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

impl Dataset {
    /// Packs some sequences and masks them.
    ///
    /// # Errors
    ///
    /// A damaged shard.
    pub fn batch(&self, sequences: &[u32], masker: &Masker, rng: &mut ChaCha8Rng) -> Result<Batch> {
        let (mut ids, mut positions, mut lengths) = (vec![], vec![], vec![]);
        for &i in sequences {
            let start = ids.len();
            self.extend(i as usize, &mut ids)?;
            let length = ids.len() - start;
            positions.extend(0..length as u32);
            lengths.push(length);
        }
        let labels = masker.mask(&mut ids, rng);
        Ok(Batch { ids, positions, labels, lengths, ..Batch::default() })
    }
}
