//! What is measured on texts: the float model's activations, and how far each packed file is from it.

use distil_format::Head;
use distil_runtime::{Model, Plan, Session, arena_len};
use rayon::prelude::*;
use serde::Serialize;

use super::spread::{Gather, Spread};
use crate::error::Error;
use crate::float::{Encoder, Point};
use crate::hf;
use crate::sequence::Sequence;
use crate::verify::{Agreement, Beside, beside};

/// How the values at a point of the float model are spread, over all texts.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Activation {
    /// The point's name.
    pub point: &'static str,
    /// The layer; `None` for the embeddings.
    pub layer: Option<usize>,
    /// The spread.
    pub range: Spread,
}

/// How near a packed file is to its original, over all texts.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Fidelity {
    /// What is compared: `embeddings` of whole texts, or `hidden states`.
    pub what: &'static str,
    /// Mean of their cosines, text by text.
    pub mean_cosine: f64,
    /// The least of them.
    pub least_cosine: f64,
    /// Hidden states before the first layer, then after each.
    pub layers: Vec<LayerError>,
}

/// The error of the hidden states at a place in the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct LayerError {
    /// Layers before it: 0 is the sum of the embeddings.
    pub after: usize,
    /// `|packed - float| / |float|` over all tokens of all texts.
    pub relative: f64,
    /// Mean cosine of the tokens' vectors.
    pub mean_cosine: f64,
}

/// What a thread has seen: texts by number, with each packed file; what is gathered at each point; room to work in.
struct Seen {
    texts: Vec<(usize, Vec<Beside>)>,
    gathers: Vec<Gather>,
    arena: Vec<u8>,
}

/// Runs sequences, at most as long as each model takes, through the float model and through packed ones of the same
/// shape: the activations of the first, and how near each of the others is to it. A text is forgotten when the next one
/// comes, so memory does not grow with them.
///
/// # Errors
/// If a packed model refuses a sequence.
///
/// # Panics
/// If there is no sequence.
pub fn compare(
    original: &hf::Model,
    models: &[Model<'_>],
    sequences: &[Sequence],
    tick: impl Fn() + Sync,
) -> Result<(Vec<Activation>, Vec<Fidelity>), Error> {
    assert!(!sequences.is_empty(), "no text");
    let points: Vec<(Point, usize)> = Point::all(original.config.layers).collect();
    let room = |model: &Model<'_>| arena_len(model.artifact(), model.config().max_positions as usize, Plan::FAST);
    let arena_len = models.iter().map(room).max().unwrap_or(0);
    let start =
        || Seen { texts: Vec::new(), gathers: vec![Gather::default(); points.len()], arena: vec![0; arena_len] };
    let one = |mut seen: Seen, (text, sequence): (usize, &Sequence)| {
        let states = float_states(original, sequence, &mut seen.gathers);
        let packed = models.iter().map(|model| packed(original, model, sequence, &states, &mut seen.arena));
        let packed: Vec<Beside> = packed.collect::<Result<_, Error>>()?;
        seen.texts.push((text, packed));
        tick();
        Ok(seen)
    };
    let join = |mut a: Seen, b: Seen| {
        a.texts.extend(b.texts);
        a.gathers = a.gathers.into_iter().zip(b.gathers).map(|(a, b)| a.merge(b)).collect();
        Ok(a)
    };
    let seen: Result<Seen, Error> = sequences.par_iter().enumerate().try_fold(start, one).try_reduce(start, join);
    let Seen { mut texts, gathers, .. } = seen?;
    // In the order given, whichever thread was first: sums of floats depend on it.
    texts.sort_by_key(|(text, _)| *text);
    let activations = points.iter().zip(gathers).filter_map(|(&(point, layer), gather)| {
        let layer = (point != Point::Embeddings).then_some(layer);
        Some(Activation { point: point.name(), layer, range: gather.spread()? })
    });
    let fidelity = |(file, model): (usize, &Model<'_>)| {
        let compared: Vec<&Beside> = texts.iter().map(|(_, files)| &files[file]).collect();
        Fidelity::new(model.config().head == Head::Embedding, &compared)
    };
    Ok((activations.collect(), models.iter().enumerate().map(fidelity).collect()))
}

/// Hidden states before the first layer and after each.
fn float_states(original: &hf::Model, sequence: &Sequence, gathers: &mut [Gather]) -> Vec<Vec<f32>> {
    let types: Vec<u32> = sequence.types.iter().map(|&segment| u32::from(segment)).collect();
    let (mut states, mut place) = (Vec::new(), 0);
    Encoder::new(original).trace(&sequence.ids, &types, |point, _, values| {
        gathers[place].add(values);
        place += 1;
        if matches!(point, Point::Embeddings | Point::Output) {
            states.push(values.to_vec());
        }
    });
    states
}

fn packed(
    original: &hf::Model,
    model: &Model<'_>,
    sequence: &Sequence,
    float: &[Vec<f32>],
    arena: &mut [u8],
) -> Result<Beside, Error> {
    let config = model.config();
    let mut session = Session::new(model, arena, config.max_positions as usize)?;
    beside(&mut session, config, &Encoder::new(original), sequence, float)
}

impl Fidelity {
    fn new(whole: bool, texts: &[&Beside]) -> Self {
        let places = texts.first().map_or(0, |text| text.layers.len());
        let layers = (0..places).map(|after| {
            let sums = texts.iter().fold(Agreement::default(), |sum, text| sum.plus(&text.layers[after]));
            LayerError { after, relative: sums.error(), mean_cosine: sums.mean_cosine() }
        });
        let cosines = || texts.iter().map(|text| text.embedding.as_ref().unwrap_or_else(|| text.last()).cosine());
        Self {
            what: if whole { "embeddings" } else { "hidden states" },
            mean_cosine: cosines().sum::<f64>() / texts.len() as f64,
            least_cosine: cosines().fold(1.0, f64::min),
            layers: layers.collect(),
        }
    }
}
