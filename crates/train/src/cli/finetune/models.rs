//! Student and teacher of `train finetune`.

use super::super::qat::QatOptions;
use crate::comm;
use crate::data::vocabulary::{Vocabulary, compare};
use crate::finetune::Task;
use crate::model::{
    Architecture, Head, Labels, Model, ModelConfig, ModelFolder, Parameters, Part, StudentPlan, spread_layers,
    student_from_teacher,
};
use crate::recipe::Recipe;
use crate::{Error, Result, hub};
use candle_core::{DType, Device};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Teacher and student")]
pub(super) struct TeacherOptions {
    /// Learns from this model too: a folder that was fine-tuned for the same task
    #[arg(long, value_name = "DIR")]
    pub(super) teacher: Option<PathBuf>,
    /// Share of the teacher's scores in the loss; the rest is that of the labels [default: 0.5 with a teacher]
    #[arg(long, value_name = "SHARE", requires = "teacher")]
    alpha: Option<f64>,
    /// Temperature of the teacher's scores [default: 2]
    #[arg(long, requires = "teacher")]
    temperature: Option<f64>,
    /// Weight of the squared differences to the teacher's hidden states, which have to be of the same width [default: 0]
    #[arg(long, value_name = "WEIGHT", requires = "teacher")]
    alpha_hidden: Option<f64>,
    /// Weight of the divergence of the student's attention from the teacher's, which has to have as many heads [default: 0]
    #[arg(long, value_name = "WEIGHT", requires = "teacher")]
    alpha_attention: Option<f64>,
    /// Adds so many variants of each example in an epoch, with words masked or cut away, on which only the teacher's scores count
    /// [default: 0]
    #[arg(long, value_name = "N", requires = "teacher")]
    augment: Option<usize>,
    /// Without --model: layers of the student, which starts from the teacher's [default: half of them]
    #[arg(long, value_name = "N", requires = "teacher", conflicts_with = "model")]
    student_layers: Option<usize>,
    /// Teacher layer for each student layer, such as 0,3,5: to start from without --model, and for --alpha-hidden and
    /// --alpha-attention
    #[arg(long, value_name = "LAYERS", value_delimiter = ',', requires = "teacher", conflicts_with = "student_layers")]
    layer_map: Option<Vec<usize>>,
    /// Without --model: family of the student; bert keeps token types and pooler [default: distilbert]
    #[arg(long, value_enum, requires = "teacher", conflicts_with = "model")]
    student_architecture: Option<Family>,
    #[command(flatten)]
    qat: QatOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Family {
    Bert,
    Distilbert,
}

/// The folders that the options name.
#[derive(Debug)]
pub(super) struct Folders {
    model: Option<(PathBuf, ModelFolder)>,
    teacher: Option<(PathBuf, ModelFolder)>,
}

/// The models of a run.
#[derive(Debug)]
pub(super) struct Models {
    pub(super) student: Model,
    pub(super) teacher: Option<Model>,
}

impl TeacherOptions {
    /// This teacher, or none, and the usual values.
    pub(super) fn of(teacher: Option<PathBuf>) -> Self {
        Self { teacher, ..Self::default() }
    }

    /// Writes these options into the recipe.
    pub(super) fn apply(&self, recipe: &mut Recipe) -> Result<()> {
        recipe.qat = self.qat.apply(recipe.qat.take())?;
        let Some(finetune) = &mut recipe.finetune else { return Ok(()) };
        if self.teacher.is_none() {
            (finetune.alpha, finetune.alpha_hidden, finetune.alpha_attention) = (0.0, 0.0, 0.0);
            (finetune.layer_map, finetune.augment) = (None, 0);
            return Ok(());
        }
        let saved = if finetune.alpha > 0.0 { finetune.alpha } else { 0.5 };
        finetune.alpha = self.alpha.unwrap_or(saved);
        finetune.temperature = self.temperature.unwrap_or(finetune.temperature);
        finetune.alpha_hidden = self.alpha_hidden.unwrap_or(finetune.alpha_hidden);
        finetune.alpha_attention = self.alpha_attention.unwrap_or(finetune.alpha_attention);
        finetune.augment = self.augment.unwrap_or(finetune.augment);
        finetune.layer_map = self.layer_map.clone().or(finetune.layer_map.take());
        Ok(())
    }

    /// The teacher's layer for each of the student's.
    fn layers(&self, saved: Option<&[usize]>, teacher: usize, student: Option<usize>) -> Result<Vec<usize>> {
        let wrong = |reason: String| Error::Config(format!("{reason}; the teacher has layers 0 to {}", teacher - 1));
        let layers = match saved.filter(|_| self.student_layers.is_none()) {
            Some(map) => map.to_vec(),
            None => {
                let count = student.or(self.student_layers).unwrap_or((teacher / 2).max(1));
                if count == 0 || (count > teacher && student.is_none()) {
                    return Err(wrong(format!("--student-layers is {count}")));
                }
                spread_layers(teacher, count)
            }
        };
        match layers.iter().find(|&&layer| layer >= teacher) {
            Some(layer) => Err(wrong(format!("--layer-map names layer {layer}"))),
            None if layers.is_empty() => Err(wrong("--layer-map is empty".into())),
            None => match student.filter(|&count| count != layers.len()) {
                Some(count) => {
                    Err(wrong(format!("--layer-map has {} layers for the {count} of --model", layers.len())))
                }
                None => Ok(layers),
            },
        }
    }
}

impl Folders {
    /// Reads everything but the weights.
    pub(super) fn open(model: Option<&Path>, teacher: Option<&Path>) -> Result<Self> {
        let open = |path: &Path| -> Result<(PathBuf, ModelFolder)> {
            Ok((path.to_path_buf(), ModelFolder::open(&hub::resolve(path)?)?))
        };
        let folders = Self { model: model.map(open).transpose()?, teacher: teacher.map(open).transpose()? };
        if let (Some((path, model)), Some((_, teacher))) = (&folders.model, &folders.teacher)
            && let (Some(mine), Some(theirs)) = (&model.vocabulary, &teacher.vocabulary)
            && let Some(difference) = compare(mine, theirs)
        {
            let reason = format!("its vocabulary is not the teacher's: {difference}");
            return Err(Error::file(path, reason, "both need the same vocabulary"));
        }
        Ok(folders)
    }

    /// Tokenizer of the student, or of the teacher it is made from.
    pub(super) fn vocabulary(&self) -> Result<Vocabulary> {
        let (path, folder) = self.start()?;
        let vocabulary = Vocabulary::read(&hub::resolve(path)?, false)?;
        if vocabulary.size > folder.config.vocab_size {
            let reason =
                format!("its vocabulary has {} entries, its embeddings {}", vocabulary.size, folder.config.vocab_size);
            return Err(Error::file(path, reason, "take both files from the same model"));
        }
        Ok(vocabulary)
    }

    /// What the student starts from.
    fn start(&self) -> Result<&(PathBuf, ModelFolder)> {
        self.model.as_ref().or(self.teacher.as_ref()).ok_or_else(|| Error::Config("name a model with --model".into()))
    }

    /// The labels that the data has to have because the teacher has them; none: those of the task or of the data.
    ///
    /// # Errors
    /// A teacher for another task.
    pub(super) fn labels(&self, task: Task) -> Result<Option<&[String]>> {
        let Some((path, folder)) = &self.teacher else { return Ok(None) };
        let wrong = |reason: String| {
            Err(Error::file(path, reason, format!("name a model that was fine-tuned for {}", task.title())))
        };
        let labels = match &folder.head {
            Some(Head::Spans { .. }) if task == Task::Squad => return Ok(None),
            Some(Head::Tokens(labels)) if task == Task::Tokens => labels,
            Some(Head::Texts(labels)) if !matches!(task, Task::Squad | Task::Tokens) => labels,
            Some(other) => return wrong(format!("it is {}", other.text())),
            None => return wrong("it has no classifier".into()),
        };
        if labels.problem != task.problem() {
            return wrong(format!("it is {}", Head::Texts(labels.clone()).text()));
        }
        let Some(known) = task.labels() else { return Ok(Some(&labels.names)) };
        if known.len() != labels.names.len() {
            return wrong(format!("it has {} labels, the task {}", labels.names.len(), known.len()));
        }
        let mine: Vec<String> = labels.names.iter().map(|name| name.to_lowercase()).collect();
        // The same words in another order would be learned the wrong way round; names of their own are taken by number.
        match mine != known && known.iter().all(|name| mine.iter().any(|mine| mine == name)) {
            true => wrong(format!("its labels are in another order: {}, not {}", mine.join(", "), known.join(", "))),
            false => Ok(None),
        }
    }
}

/// Loads the teacher and builds the student; the recipe learns dropout and layers. Says on standard error where it starts from.
pub(super) fn build(
    folders: &Folders,
    options: &TeacherOptions,
    recipe: &mut Recipe,
    names: &[String],
    (device, dtype): (&Device, DType),
) -> Result<Models> {
    let (path, start) = folders.start()?;
    let own_dropout = recipe.dropout < 0.0;
    recipe.dropout = if own_dropout { start.config.dropout } else { recipe.dropout };
    recipe.check()?;
    let Some(finetune) = recipe.finetune.as_mut() else {
        return Err(Error::Config("no task in the recipe".into()));
    };
    let task = finetune.task;
    let labels = |dropout: f64| Labels { names: names.to_vec(), problem: task.problem(), dropout };
    let own = recipe.dropout;
    let head = |dropout: f64, architecture: Architecture| match (task, architecture) {
        (Task::Squad, Architecture::Bert) => Head::Spans { dropout: 0.0 },
        (Task::Squad, Architecture::DistilBert) => Head::Spans { dropout: 0.1 },
        (Task::Tokens, Architecture::Bert) => Head::Tokens(labels(dropout)),
        // It has no dropout of its own there, but that of all hidden states.
        (Task::Tokens, Architecture::DistilBert) => Head::Tokens(labels(own)),
        _ => Head::Texts(labels(dropout)),
    };
    let longest = start.config.max_positions;
    if finetune.max_length > longest {
        let next = format!("pass --max-length {longest}");
        return Err(Error::file(path, format!("it has {longest} positions, --max-length is more"), next));
    }
    let (width, depth) = (start.config.hidden, start.config.layers);
    let taught = match &folders.teacher {
        None => None,
        Some((path, folder)) => {
            let head = folder.head.clone().ok_or_else(|| Error::file(path, "it has no classifier", "name another"))?;
            let (config, parameters, new) = folder.with_head(head, recipe.seed, device)?;
            if let Some(name) = new.first() {
                let next = "name a folder saved from a fine-tuned model";
                return Err(Error::file(path, format!("no tensor `{name}`"), next));
            }
            if finetune.max_length > config.max_positions {
                let (has, next) = (config.max_positions, "lower --max-length");
                return Err(Error::file(path, format!("it has {has} positions, --max-length is more"), next));
            }
            if finetune.alpha_hidden > 0.0 && config.hidden != width {
                return Err(Error::Config(format!(
                    "the student's hidden states have {width} numbers and the teacher's {}; --alpha-hidden needs the same",
                    config.hidden
                )));
            }
            let student = folders.model.is_some().then_some(depth);
            if finetune.alpha_attention > 0.0 && config.heads != start.config.heads {
                return Err(Error::Config(format!(
                    "the student has {} heads and the teacher {}; --alpha-attention needs as many",
                    start.config.heads, config.heads
                )));
            }
            if student.is_none() || finetune.compares_layers() {
                let layers = options.layers(finetune.layer_map.as_deref(), config.layers, student)?;
                finetune.layer_map = Some(layers);
            }
            Some((config, parameters))
        }
    };
    let (config, parameters) = match (&folders.model, &taught) {
        (None, Some((teacher, parameters))) => {
            let layers = finetune.layer_map.clone().unwrap_or_default();
            comm::say(&format!("student layers start from teacher layers {layers:?}"));
            let family = options.student_architecture.unwrap_or(Family::Distilbert);
            let config = shape(family, teacher, layers.len(), head);
            let plan = StudentPlan { layers, copy_transform: false };
            let parameters = student_from_teacher(&config, teacher, parameters, &plan, recipe.seed)?;
            (config, parameters)
        }
        _ => {
            let head = head(start.classifier_dropout, start.config.architecture);
            let (config, parameters, new) = start.with_head(head, recipe.seed, device)?;
            match new.is_empty() {
                true => comm::say(&format!("goes on from {} with its head", path.display())),
                false => comm::say(&format!("starts from {}; new: {}", path.display(), new.join(", "))),
            }
            (config, parameters)
        }
    };
    let dropout = recipe.dropout;
    let attention_dropout = if own_dropout { config.attention_dropout } else { dropout };
    let config = ModelConfig { dropout, attention_dropout, ..config };
    let student = trainable(config, parameters, recipe, dtype)?;
    let teacher = match taught {
        Some((config, parameters)) => Some(Model::new(config, parameters, dtype)?),
        None => None,
    };
    Ok(Models { student, teacher })
}

/// The student's shape beside a teacher.
fn shape(
    family: Family,
    teacher: &ModelConfig,
    layers: usize,
    head: impl Fn(f64, Architecture) -> Head,
) -> ModelConfig {
    match family {
        // DistilBERT's own dropout before its classifier.
        Family::Distilbert => ModelConfig {
            architecture: Architecture::DistilBert,
            layers,
            type_vocab: 0,
            layer_norm_eps: 1e-12,
            head: head(0.2, Architecture::DistilBert),
            ..teacher.clone()
        },
        Family::Bert => ModelConfig {
            architecture: Architecture::Bert,
            layers,
            type_vocab: teacher.type_vocab.max(2),
            head: head(teacher.dropout, Architecture::Bert),
            ..teacher.clone()
        },
    }
}

fn trainable(config: ModelConfig, parameters: Parameters, recipe: &Recipe, dtype: DType) -> Result<Model> {
    let freeze = recipe.finetune.as_ref().is_some_and(|finetune| finetune.freeze_embeddings);
    let embedding = |part| matches!(part, Part::Words | Part::Positions | Part::TokenTypes);
    let parameters = parameters.train(&config, |part| freeze && embedding(part))?;
    Ok(match &recipe.qat {
        Some(qat) => Model::with_grid(config, parameters, dtype, qat.clone())?,
        None => Model::new(config, parameters, dtype)?,
    })
}
