//! The part of `tools pack` that looks at text: calibration, and the choice of types for a budget.

use std::path::{Path, PathBuf};

use distil_format::{Dtype, build_vocabulary};
use sha2::{Digest, Sha256};

use super::progress;
use crate::calibrate::{Calibrated, calibrate, choose, sensitivities, steps};
use crate::error::Error;
use crate::hf::{Model, Pooling, Vocabulary};
use crate::pack::{self, Calibration, Packing, pack};
use crate::sequence::{Sequence, Sequencer};
use crate::text::{lines_in, read_text};

/// Lines that are used, evenly spread over the text.
const LINES: usize = 960;
/// Tokens of a line that are used.
const LENGTH: usize = 128;
/// Tokens that are used altogether, times the width of the hidden states: wide models take neither longer nor more
/// memory.
const TOKENS: usize = 49_152 * 384;
/// Fewer tokens than this for each dimension of the hidden states are too few to know what is typical.
const FEW: usize = 4;
/// Every so many of the lines are used to find out what a tensor's storage does to the output.
const EVERY: usize = 15;
/// Bytes kept back for the names of types in the manifest, which differ in length.
const KEPT_BACK: usize = 4096;

/// Text to calibrate on, as the model reads it.
pub(super) struct Text {
    path: PathBuf,
    sequences: Vec<Sequence>,
    sha256: String,
}

impl Text {
    pub(super) fn read(path: &Path, model: &Model, vocabulary: &Vocabulary) -> Result<Self, Error> {
        let text = read_text(path)?;
        let lines = lines_in(&text, path)?;
        let sha256 = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        let wrong = |error| Error::Pack { folder: model.folder.clone(), error };
        let packed = build_vocabulary(&vocabulary.pieces).map_err(wrong)?;
        let config = pack::config(model, vocabulary, model.pooling);
        let entries = distil_format::Vocabulary::new(&packed)
            .map_err(|error| Error::usage(error.to_string(), "use another vocabulary"))?;
        let sequencer = Sequencer::new(&config, entries);
        let count = lines.len().min(LINES);
        let mut room = TOKENS / model.config.hidden;
        let mut sequences = Vec::with_capacity(count);
        for at in 0..count {
            let line = &lines[at * lines.len() / count];
            let (sequence, _) = sequencer.truncated(line, LENGTH.min(model.config.positions));
            if sequence.len() <= room {
                room -= sequence.len();
                sequences.push(sequence);
            }
        }
        let text = Self { path: path.to_path_buf(), sequences, sha256 };
        if text.tokens() < FEW * model.config.hidden {
            eprintln!(
                "warning: {}: {} tokens are few to calibrate on; give some hundred lines of text like that the model will see",
                text.path.display(),
                text.tokens()
            );
        }
        Ok(text)
    }

    fn tokens(&self) -> usize {
        self.sequences.iter().map(Sequence::len).sum()
    }

    /// Calibrates; what the manifest says about it comes with it.
    pub(super) fn calibrate(&self, model: &Model, packing: &Packing) -> (Calibrated, Calibration) {
        let bar = progress("calibrating", steps(model));
        let made = calibrate(model, packing, &self.sequences, |done| bar.set_position(done as u64));
        bar.finish_and_clear();
        let record = Calibration {
            method: "layerwise-2".to_owned(),
            text_sha256: self.sha256.clone(),
            sequences: self.sequences.len(),
            tokens: self.tokens(),
            migrated_channels: made.migrated.clone(),
        };
        (made, record)
    }

    /// Chooses types so that the file has at most `budget` bytes; `tables` says whether those of tables are open, too.
    pub(super) fn fit_budget(
        &self,
        model: &Model,
        vocabulary: &Vocabulary,
        pooling: Pooling,
        packing: &mut Packing,
        (budget, tables): (u64, bool),
    ) -> Result<(), Error> {
        let small = packing.storage.weights;
        let bar = progress("measuring the least size", 0);
        let least = pack(model, vocabulary, packing.clone(), pooling, |done, count| {
            bar.set_length(count as u64);
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        let least = least.map_err(|error| Error::Pack { folder: model.folder.clone(), error })?.len() + KEPT_BACK;
        let Some(room) = usize::try_from(budget).ok().and_then(|budget| budget.checked_sub(least)) else {
            let message = format!("--budget: {budget} bytes are too few; with everything in int4 the file has {least}");
            return Err(Error::usage(message, "allow more, or use --group 64 (3% smaller) or a smaller model"));
        };
        let open = |id| packing.dtype(id) == small && (tables || id.role.kind() == distil_format::RoleKind::Matrix);
        let texts: Vec<Sequence> = self.sequences.iter().step_by(EVERY).cloned().collect();
        let bar = progress("measuring sensitivities", 2 + 6 * model.config.layers);
        let choices = sensitivities(model, small, &texts, open, |done| bar.set_position(done as u64));
        bar.finish_and_clear();
        packing.chosen = choose(&choices, room).into_iter().map(|id| (id, Dtype::Int8)).collect();
        packing.budget = Some(budget);
        Ok(())
    }
}

/// A number of bytes: `24MB`, `1500kB`, `20MiB`, or plain digits.
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        _ => return Err("no number of bytes; write for example 24MB, 1500kB or 20MiB".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| "no number of bytes; write for example 24MB".to_owned())?;
    Ok((number * unit) as u64)
}

#[cfg(test)]
mod tests {
    use super::parse_bytes;

    #[test]
    fn bytes_are_read_in_the_usual_units() {
        let numbers = ["17", "24MB", "1.5 mb", "2kB", "1MiB"].map(|text| parse_bytes(text).unwrap());
        assert_eq!(numbers, [17, 24_000_000, 1_500_000, 2000, 1_048_576]);
        assert!(["", "MB", "-1", "1GBit", "1.2.3"].iter().all(|text| parse_bytes(text).is_err()));
    }
}
