//! Options of the grid: what the student, or a model under evaluation, is to be packed as.

use crate::model::{Model, ModelConfig, Parameters};
use crate::qat::{QatConfig, Storage};
use crate::{Error, Result};
use candle_core::DType;
use clap::Args;

/// What `tools pack` will be asked for.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Quantization")]
pub(super) struct PackedOptions {
    /// Computes with the values of a packed file: the same as `tools pack --weights`
    #[arg(long, value_name = "STORAGE", value_enum)]
    qat: Option<Storage>,
    /// The same as `tools pack --embeddings` [default: as --qat]
    #[arg(long, value_name = "STORAGE", value_enum)]
    qat_embeddings: Option<Storage>,
    /// The same as `tools pack --group` [default: 32]
    #[arg(long, value_name = "N")]
    qat_group: Option<usize>,
}

/// The same, and when in a run.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Quantization")]
pub(super) struct QatOptions {
    #[command(flatten)]
    packed: PackedOptions,
    /// Share of the steps that are taken in float before [default: 0.8]
    #[arg(long, value_name = "SHARE")]
    qat_start: Option<f64>,
    /// Steps between searches for the scales of int4 [default: 1]
    #[arg(long, value_name = "N")]
    qat_refresh: Option<usize>,
}

impl PackedOptions {
    /// The grid that is asked for; `saved` is that of a recipe these options start from.
    fn config(&self, saved: Option<QatConfig>) -> Result<Option<QatConfig>> {
        let chosen = match self.qat {
            Some(storage) => {
                let saved = saved.unwrap_or(QatConfig::packed(storage));
                Some(QatConfig { weights: storage, embeddings: storage, ..saved })
            }
            None => saved,
        };
        let Some(mut config) = chosen else {
            return match self.qat_embeddings.is_some() || self.qat_group.is_some() {
                true => Err(without_storage()),
                false => Ok(None),
            };
        };
        config.embeddings = self.qat_embeddings.unwrap_or(config.embeddings);
        config.group = self.qat_group.unwrap_or(config.group);
        config.check()?;
        Ok(Some(config))
    }

    /// A model to evaluate: as it is, or with the values that its packed file would have.
    pub(super) fn model(&self, config: ModelConfig, parameters: Parameters, dtype: DType) -> Result<Model> {
        let Some(qat) = self.config(None)? else {
            return Ok(Model::new(config, parameters, dtype)?);
        };
        let model = Model::with_grid(config, parameters, dtype, qat)?;
        model.grid().map_or(Ok(()), |grid| grid.pack())?;
        Ok(model)
    }
}

impl QatOptions {
    /// The grid of a run; `saved` is that of a recipe these options start from.
    pub(super) fn apply(&self, saved: Option<QatConfig>) -> Result<Option<QatConfig>> {
        let Some(mut config) = self.packed.config(saved)? else {
            return match self.qat_start.is_some() || self.qat_refresh.is_some() {
                true => Err(without_storage()),
                false => Ok(None),
            };
        };
        config.start = self.qat_start.unwrap_or(config.start);
        config.refresh = self.qat_refresh.unwrap_or(config.refresh);
        config.check()?;
        Ok(Some(config))
    }
}

fn without_storage() -> Error {
    Error::Config("an option of the grid without a grid; add --qat int8 or --qat int4".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        options: QatOptions,
    }

    fn apply(saved: Option<QatConfig>, arguments: &str) -> Result<Option<QatConfig>> {
        Program::parse_from(["program"].into_iter().chain(arguments.split_whitespace())).options.apply(saved)
    }

    #[test]
    fn options_say_what_they_say_to_the_packer() {
        assert_eq!(apply(None, "").unwrap(), None);
        assert_eq!(apply(None, "--qat int8").unwrap(), Some(QatConfig::packed(Storage::Int8)));
        let mixed = QatConfig { weights: Storage::Int4, embeddings: Storage::Int8, group: 64, start: 0.5, refresh: 4 };
        let all = "--qat int4 --qat-embeddings int8 --qat-group 64 --qat-start 0.5 --qat-refresh 4";
        assert_eq!(apply(None, all).unwrap(), Some(mixed.clone()));
        // From a saved recipe: kept, changed, and asked for anew.
        assert_eq!(apply(Some(mixed.clone()), "").unwrap(), Some(mixed.clone()));
        let later = QatConfig { start: 0.9, ..mixed.clone() };
        assert_eq!(apply(Some(mixed.clone()), "--qat-start 0.9").unwrap(), Some(later));
        let finer = QatConfig { weights: Storage::Int8, ..mixed.clone() };
        assert_eq!(apply(Some(mixed), "--qat int8").unwrap(), Some(finer));
    }

    #[test]
    fn options_of_no_grid_are_refused() {
        for lone in ["--qat-group 64", "--qat-embeddings int8", "--qat-start 0.5", "--qat-refresh 2"] {
            assert!(apply(None, lone).unwrap_err().to_string().contains("add --qat"), "{lone}");
        }
        assert!(apply(None, "--qat int4 --qat-group 16").unwrap_err().to_string().contains("--qat-group is 16"));
    }
}
