//! The models that are measured: random weights in the real shapes, in every way of packing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::programs::{folder, tools, tools_know, tools_path};
use crate::shell::run;

/// A model's shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// 6 layers, 67 million parameters.
    DistilBert,
    /// 12 layers, 110 million parameters.
    BertBase,
}

/// What both have in common.
const HIDDEN: u64 = 768;
const INTERMEDIATE: u64 = 3072;

impl Shape {
    /// The name of the model that has this shape.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::DistilBert => "DistilBERT",
            Self::BertBase => "BERT-base",
        }
    }

    /// Name of files, and of the encoder family.
    fn stem(self) -> &'static str {
        match self {
            Self::DistilBert => "distilbert",
            Self::BertBase => "bert",
        }
    }

    fn layers(self) -> u64 {
        match self {
            Self::DistilBert => 6,
            Self::BertBase => 12,
        }
    }

    /// Multiply-adds of all matrix products of the encoder for one text.
    pub(super) fn multiply_adds(self, tokens: usize) -> f64 {
        let tokens = tokens as u64;
        let weights = 4 * HIDDEN * HIDDEN + 2 * HIDDEN * INTERMEDIATE;
        let attention = 2 * HIDDEN * tokens;
        (self.layers() * tokens * (weights + attention)) as f64
    }

    /// The Hugging Face folder, a classifier with two labels; made once.
    pub(super) fn folder(self) -> Result<PathBuf> {
        let wanted = folder()?.join(self.stem());
        if wanted.join("model.safetensors").is_file() {
            return Ok(wanted);
        }
        // Under another name until it is whole.
        let partial = wanted.with_extension("partial");
        let _ = fs::remove_dir_all(&partial);
        let mut fixture = tools("fixture")?;
        fixture.args(["--head", "sequence-classification", "--architecture", self.stem()]);
        fixture.args(["--layers", &self.layers().to_string(), "--hidden", &HIDDEN.to_string(), "--heads", "12"]);
        fixture.args(["--intermediate", &INTERMEDIATE.to_string(), "--vocab-size", "30522", "--positions", "512"]);
        run(fixture.arg("-o").arg(&partial))?;
        fs::rename(&partial, &wanted).with_context(|| format!("cannot move the model to {}", wanted.display()))?;
        Ok(wanted)
    }
}

/// How a model is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Packing {
    /// `int8`, `int4`, `int3` or `f32`.
    pub(super) weights: String,
    /// Inputs that share a scale, of int4.
    pub(super) group: u32,
    /// `tile16`, `tile8`, `tile4`; the portable one otherwise.
    pub(super) layout: Option<String>,
}

impl Packing {
    /// The portable layout.
    pub(super) fn of(weights: &str) -> Self {
        Self { weights: weights.into(), group: 32, layout: None }
    }

    /// The same weights in the layout of that name, `portable` being the default one.
    pub(super) fn in_layout(&self, layout: &str) -> Self {
        Self { layout: (layout != "portable").then(|| layout.into()), ..self.clone() }
    }

    /// What it is, in words.
    pub(super) fn name(&self) -> String {
        let group = if self.weights == "int4" { format!(" in groups of {}", self.group) } else { String::new() };
        format!("{}{group}", self.weights)
    }

    /// The layout's name.
    pub(super) fn layout(&self) -> &str {
        self.layout.as_deref().unwrap_or("portable")
    }

    /// Says why `tools pack` cannot do this, if it cannot.
    fn missing(&self) -> Result<Option<String>> {
        let lacks = |word: &str| Ok::<_, anyhow::Error>(!tools_know("pack", word)?);
        Ok(if lacks(&self.weights)? {
            Some(format!("{} is left out: this version's `tools pack` does not have it", self.weights))
        } else if self.layout.is_some() && lacks("--layout")? {
            Some(format!("layout {} is left out: this version's `tools pack` does not have it", self.layout()))
        } else {
            None
        })
    }
}

/// A packed file of the model, or why this version of the command line cannot make it.
pub(super) fn packed(shape: Shape, packing: &Packing) -> Result<Result<PathBuf, String>> {
    if !["int8", "int4", "int3", "f32"].contains(&packing.weights.as_str()) {
        bail!("there are no weights `{}`; choose int8, int4, int3 or f32", packing.weights);
    }
    if let Some(reason) = packing.missing()? {
        eprintln!("{reason}");
        return Ok(Err(reason));
    }
    let group = packing.group.to_string();
    let grouped = if packing.weights == "int4" { format!("-{group}") } else { String::new() };
    let name = format!("{}-{}{grouped}-{}.distil", shape.stem(), packing.weights, packing.layout());
    let file = folder()?.join(name);
    // A newer program may pack in another way.
    if !newer(&file, tools_path()?) {
        let mut pack = tools("pack")?;
        pack.arg(shape.folder()?).arg("-o").arg(&file).args(["--weights", &packing.weights]);
        if packing.weights == "int4" {
            pack.args(["--group", &group]);
        }
        if let Some(layout) = &packing.layout {
            pack.args(["--layout", layout]);
        }
        run(&mut pack)?;
    }
    Ok(Ok(file))
}

/// Whether `file` exists and is not older than `than`.
fn newer(file: &Path, than: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|data| data.modified());
    matches!((time(file), time(than)), (Ok(file), Ok(than)) if file >= than)
}

/// Texts of exactly these lengths, `[CLS]` and `[SEP]` included, one a line, and the check file that a machine without
/// an operating system gets with a model.
pub(super) fn check_file(model: &Path, tokens: &[usize]) -> Result<PathBuf> {
    // Single letters are in every vocabulary.
    let letter = |i: usize| char::from(b'a' + (i % 26) as u8).to_string();
    let mut lines = String::new();
    for &tokens in tokens {
        let words = tokens.checked_sub(2).filter(|&words| words > 0).context("a text has at least 3 tokens")?;
        lines += &(0..words).map(letter).collect::<Vec<_>>().join(" ");
        lines += "\n";
    }
    let text = folder()?.join("texts.txt");
    fs::write(&text, lines).with_context(|| format!("cannot write {}", text.display()))?;
    let check = model.with_extension("check");
    run(tools("check")?.arg(model).arg("--text").arg(&text).arg("-o").arg(&check))?;
    Ok(check)
}

#[cfg(test)]
mod tests {
    use super::{Packing, Shape};

    #[test]
    fn multiply_adds_of_known_shapes() {
        // 6 layers of 7,077,888 weights, and 2 * 768 * 128 for attention, for each of 128 tokens.
        assert_eq!(Shape::DistilBert.multiply_adds(128), 5_586_812_928.0);
        assert_eq!(Shape::BertBase.multiply_adds(128), 2.0 * 5_586_812_928.0);
    }

    #[test]
    fn packings_have_names() {
        let int4 = Packing::of("int4");
        assert_eq!((int4.name().as_str(), int4.layout()), ("int4 in groups of 32", "portable"));
        assert_eq!(int4.in_layout("tile8").layout(), "tile8");
        assert_eq!(int4.in_layout("portable"), int4);
    }
}
