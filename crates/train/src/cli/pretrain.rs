//! `train pretrain`: a masked-LM teacher from random weights.

use super::device::DeviceOptions;
use super::options::{RecipeOptions, ReportingOptions};
use crate::comm::Joined;
use crate::data::DataFolder;
use crate::model::{Architecture, Model, ModelConfig, random};
use crate::recipe::Preset;
use crate::{Error, Result, hub};
use clap::Args;
use std::path::PathBuf;

/// Trains a BERT teacher from scratch by masked LM alone.
///
/// The shape starts from BERT-base with the preset distilbert, and from 4 layers of 128 with the preset tiny.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Prepared text
    #[arg(long, value_name = "DATA_DIR")]
    data: PathBuf,
    /// Output folder
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Transformer layers
    #[arg(long, value_name = "N", help_heading = "Shape")]
    layers: Option<usize>,
    /// Width of the hidden states
    #[arg(long, value_name = "N", help_heading = "Shape")]
    hidden: Option<usize>,
    /// Attention heads [default: 64 numbers a head, 32 with the preset tiny]
    #[arg(long, value_name = "N", help_heading = "Shape")]
    heads: Option<usize>,
    /// Width of the feed-forward network [default: 4 x hidden]
    #[arg(long, value_name = "N", help_heading = "Shape")]
    intermediate: Option<usize>,
    /// Longest sequence [default: 512, or the data's longest with the preset tiny]
    #[arg(long, value_name = "N", help_heading = "Shape")]
    max_positions: Option<usize>,
    #[command(flatten)]
    recipe: RecipeOptions,
    #[command(flatten)]
    reporting: ReportingOptions,
    #[command(flatten)]
    device: DeviceOptions,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let safety = (&options.reporting.safety, options.reporting.json);
    super::run::together(safety, &options.output, |joined| train(options, joined))
}

fn train(options: &Options, joined: &Joined) -> Result<()> {
    let recipe = options.recipe.recipe()?.for_pretraining();
    recipe.check()?;
    let data = DataFolder::open(&hub::resolve(&options.data)?)?;
    let tiny = options.recipe.preset == Preset::Tiny;
    let (layers, hidden, head, positions) = if tiny { (4, 128, 32, data.index.max_length) } else { (12, 768, 64, 512) };
    let hidden = options.hidden.unwrap_or(hidden);
    let config = ModelConfig {
        architecture: Architecture::Bert,
        vocab_size: data.index.vocabulary_size,
        hidden,
        layers: options.layers.unwrap_or(layers),
        heads: options.heads.unwrap_or((hidden / head).max(1)),
        intermediate: options.intermediate.unwrap_or(4 * hidden),
        max_positions: options.max_positions.unwrap_or(positions),
        type_vocab: 2,
        layer_norm_eps: 1e-12,
        dropout: recipe.dropout,
        attention_dropout: recipe.dropout,
        initializer_range: 0.02,
        pad_id: data.index.special.pad,
        head: crate::model::Head::MaskedLm,
    };
    config.check().map_err(|reason| Error::Config(format!("{reason}; change the shape options")))?;
    data.check_positions(&config)?;
    let (device, dtype) = options.device.open()?;
    let parameters = random(&config, recipe.seed, &device).and_then(|all| all.train(&config, |_| false));
    let parameters = parameters.map_err(|e| Error::from(e).if_out_of_memory("the model"))?;
    let model = Model::new(config, parameters, dtype)?;
    super::run::run(joined, (&model, None), &data, &recipe, &options.output, &options.reporting)
}
