//! Hugging Face folders: `config.json`, `model.safetensors`, `vocab.txt`.

use super::config::{Architecture, ModelConfig};
use super::initialize::new_parts;
use super::names::{Part, parameter_shapes};
use super::output::Head;
use super::parameters::Parameters;
use crate::data::vocabulary::Source;
use crate::{Error, Result, files};
use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// A folder opened for reading.
#[derive(Debug)]
pub struct ModelFolder {
    path: PathBuf,
    /// From `config.json`, as that of a masked LM.
    pub config: ModelConfig,
    /// The head that `config.json` names; none for an encoder alone.
    pub head: Option<Head>,
    /// Dropout before a classifier of texts, as `config.json` has it.
    pub classifier_dropout: f64,
    /// `vocab.txt`, or what `tokenizer.json` makes of it, when there is one.
    pub vocabulary: Option<Vec<u8>>,
    /// Whether text is lower-cased, when the folder says so.
    pub lowercase: Option<bool>,
}

impl ModelFolder {
    /// Reads everything but the weights.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            let reason = if path.exists() { "not a folder" } else { "no such folder" };
            return Err(Error::file(path, reason, "name a folder with config.json and model.safetensors"));
        }
        let file = path.join("config.json");
        let config = ModelConfig::read(&file)?;
        let json: serde_json::Value = serde_json::from_slice(&files::read(&file)?).unwrap_or_default();
        let head = Head::from_json(&json, config.architecture);
        let classifier_dropout = Head::dropout(&json, config.architecture);
        let source = Source::of_folder(path)?;
        let lowercase = source.as_ref().and_then(|source| source.lowercase);
        let vocabulary = source.map(|source| source.bytes);
        Ok(Self { path: path.to_path_buf(), config, head, classifier_dropout, vocabulary, lowercase })
    }

    /// Reads the weights of a masked LM as `f32` tensors, every one frozen.
    pub fn parameters(&self, device: &Device) -> Result<Parameters> {
        let tensors = self.tensors(&self.config, device, |_| false)?;
        Ok(Parameters::frozen(&self.config, tensors)?)
    }

    /// The shape with another head, and the weights: as they are in the folder, and new ones for what is not there. A classifier stays only
    /// when its labels are the same; a pooler stays. Returns the names of new tensors too.
    pub fn with_head(&self, head: Head, seed: u64, device: &Device) -> Result<(ModelConfig, Parameters, Vec<String>)> {
        let kept = match (&head, &self.head) {
            (Head::Texts(new), Some(Head::Texts(old))) | (Head::Tokens(new), Some(Head::Tokens(old))) => {
                new.names == old.names && new.problem == old.problem
            }
            (Head::Spans { .. }, Some(Head::Spans { .. })) => true,
            _ => false,
        };
        let config = ModelConfig { head, ..self.config.clone() };
        let mut tensors = self.tensors(&config, device, Part::is_task_head)?;
        for (part, _, name, _) in parameter_shapes(&config) {
            if part.is_task_head() && part != Part::Pooler && !kept {
                tensors.remove(&name);
            }
        }
        let mut fresh = new_parts(&config, seed, device, Part::is_task_head)?;
        fresh.retain(|name, _| !tensors.contains_key(name));
        let names = fresh.keys().cloned().collect();
        tensors.extend(fresh);
        let parameters = Parameters::frozen(&config, tensors)?;
        Ok((config, parameters, names))
    }

    /// The weights of a shape by name, but for `optional` parts that are not there.
    fn tensors(
        &self,
        config: &ModelConfig,
        device: &Device,
        optional: impl Fn(Part) -> bool,
    ) -> Result<BTreeMap<String, Tensor>> {
        let path = self.path.join("model.safetensors");
        if !path.exists() && self.path.join("pytorch_model.bin").exists() {
            return Err(Error::file(
                &path,
                "no such file, but there is a pytorch_model.bin",
                "convert it with transformers: model.save_pretrained(folder)",
            ));
        }
        let bytes = files::read(&path)?;
        let file = SafeTensors::deserialize(&bytes)
            .map_err(|e| Error::file(&path, format!("not a safetensors file ({e})"), "download or convert it again"))?;
        let mut by_name = HashMap::new();
        for (name, view) in file.tensors() {
            by_name.insert(common_name(&name), view);
        }
        let mut tensors = BTreeMap::new();
        for (part, _, name, shape) in parameter_shapes(config) {
            if optional(part) && by_name.get(&common_name(&name)).is_none_or(|view| view.shape() != shape) {
                continue;
            }
            let view = by_name.get(&common_name(&name)).ok_or_else(|| {
                if part.is_head() {
                    Error::file(
                        &path,
                        format!("no tensor `{name}`: the model has no masked-LM head"),
                        "use a folder saved from a ...ForMaskedLM model",
                    )
                } else {
                    Error::file(&path, format!("no tensor `{name}`"), "config.json describes another model")
                }
            })?;
            if view.shape() != shape {
                return Err(Error::file(
                    &path,
                    format!("tensor `{name}` has shape {:?}, config.json says {shape:?}", view.shape()),
                    "take both files from the same model",
                ));
            }
            tensors.insert(name.clone(), float_tensor(&path, &name, view, device)?);
        }
        Ok(tensors)
    }
}

/// A name without architecture prefix, with today's words for old ones.
fn common_name(name: &str) -> String {
    let name = name.strip_prefix("bert.").or(name.strip_prefix("distilbert.")).unwrap_or(name);
    // Files whose decoder owns its bias.
    if name == "cls.predictions.decoder.bias" {
        return "cls.predictions.bias".into();
    }
    match name.rsplit_once('.') {
        Some((module, "gamma")) => format!("{module}.weight"),
        Some((module, "beta")) => format!("{module}.bias"),
        _ => name.into(),
    }
}

fn float_tensor(path: &Path, name: &str, view: &TensorView, device: &Device) -> Result<Tensor> {
    use safetensors::Dtype::{BF16, F16, F32, F64};
    let dtype = match view.dtype() {
        F32 => DType::F32,
        F16 => DType::F16,
        BF16 => DType::BF16,
        F64 => DType::F64,
        other => {
            return Err(Error::file(
                path,
                format!("tensor `{name}` has type {other:?}"),
                "weights must be floating-point",
            ));
        }
    };
    let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?;
    let tensor = tensor.to_dtype(DType::F32)?;
    let values = tensor.flatten_all()?.to_vec1::<f32>()?;
    if !values.iter().all(|v| v.is_finite()) {
        return Err(Error::file(
            path,
            format!("tensor `{name}` has a NaN or infinite value"),
            "take weights from a run that did not diverge",
        ));
    }
    Ok(tensor.to_device(device)?)
}

/// Writes a folder that `transformers` loads: configuration, weights, vocabulary.
pub fn save(
    folder: &Path,
    config: &ModelConfig,
    parameters: &Parameters,
    vocabulary: Option<&[u8]>,
    lowercase: bool,
) -> Result<()> {
    files::create_folder(folder)?;
    write_tensors(&folder.join("model.safetensors"), &parameters.all())?;
    if let Some(vocabulary) = vocabulary {
        files::write(&folder.join("vocab.txt"), vocabulary)?;
        let tokenizer = serde_json::json!({
            "do_lower_case": lowercase,
            "model_max_length": config.max_positions,
            "tokenizer_class": match config.architecture {
                Architecture::Bert => "BertTokenizer",
                Architecture::DistilBert => "DistilBertTokenizer",
            },
        });
        let text = format!("{tokenizer:#}\n");
        files::write(&folder.join("tokenizer_config.json"), text.as_bytes())?;
    }
    files::write(&folder.join("config.json"), format!("{:#}\n", config.to_json()).as_bytes())
}

/// Writes `f32` tensors with the metadata `transformers` expects.
pub fn write_tensors(path: &Path, tensors: &BTreeMap<&str, Tensor>) -> Result<()> {
    let mut data = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        data.push((*name, tensor.dims().to_vec(), bytes));
    }
    let views = data.iter().map(|(name, shape, bytes)| {
        TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).map(|view| (*name, view))
    });
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let bytes = views
        .collect::<Result<Vec<_>, _>>()
        .and_then(|views| safetensors::serialize(views, Some(metadata)))
        .map_err(|e| Error::file(path, e, "this is a defect of the program: please report it"))?;
    files::write(path, &bytes)
}
