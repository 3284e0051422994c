//! `train glue`: teacher and student on the tasks of GLUE, and what the student retains.

use super::{ReportingOptions, files::FileOptions, models::TeacherOptions, recipe::RecipeOptions, seeds};
use crate::checkpoint::Store;
use crate::cli::device::DeviceOptions;
use crate::cli::resume;
use crate::cli::run::{check_output, together};
use crate::cli::safety::{Output, at_least_1, summary_file};
use crate::comm::Joined;
use crate::finetune::Task;
use crate::report::retention::{Contender, LeftOut, Retention, Row, Size};
use crate::{Error, Result, files};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Fine-tunes a teacher and a student for the tasks of GLUE and tells what per cent of its scores the student retains.
///
/// Each model of each task is a run of `train finetune` in a folder of its own, OUT/TASK/teacher and OUT/TASK/student. The table is
/// written as glue.json, glue.md and glue.html. With --resume, runs that are finished are not computed again.
#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// Teacher before fine-tuning: a Hugging Face folder of a bert or distilbert model
    #[arg(long, value_name = "DIR")]
    teacher: PathBuf,
    /// Student before fine-tuning: the same
    #[arg(long, value_name = "DIR")]
    student: PathBuf,
    /// Folder with a folder for each task, such as CoLA or cola, with train and dev files in it
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Output folder
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Tasks, such as cola,sst2 [default: all nine]
    #[arg(long, value_enum, value_name = "TASKS", value_delimiter = ',', hide_possible_values = true)]
    tasks: Vec<Task>,
    /// The student learns from the fine-tuned teacher's scores as well
    #[arg(long)]
    distill: bool,
    /// Trains on N examples of each task only, spread evenly over the file
    #[arg(long, value_name = "N", value_parser = at_least_1)]
    limit: Option<usize>,
    /// Judges on the first N held-out examples of each task only
    #[arg(long, value_name = "N", value_parser = at_least_1)]
    dev_limit: Option<usize>,
    #[command(flatten)]
    recipe: RecipeOptions,
    #[command(flatten)]
    reporting: ReportingOptions,
    #[command(flatten)]
    device: DeviceOptions,
}

/// The files of the table.
const TABLE: [&str; 3] = ["glue.json", "glue.md", "glue.html"];

/// A task with the folder of its data.
type Found = (Task, PathBuf);

/// The same for every way to write a path; what is no path here, such as a name on the hub, as it is.
fn full(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

pub(in crate::cli) fn run(options: &Options) -> Result<()> {
    let ReportingOptions { safety, json, .. } = &options.reporting;
    together((safety, *json), &options.output, |joined| {
        let (found, left_out) = options.find()?;
        if joined.group().rank() == 0 {
            options.start(&found)?;
            for LeftOut { task, reason } in &left_out {
                eprintln!("note: {task} is left out: {reason}");
            }
        }
        let mut rows = vec![];
        for (i, (task, data)) in found.iter().enumerate() {
            let of = |name: &str, model: &Path, teacher: Option<PathBuf>| {
                if joined.group().rank() == 0 {
                    eprintln!("task {} of {}: {}, {name}", i + 1, found.len(), task.title());
                }
                options.contender(*task, data, (name, model, teacher), joined)
            };
            let teacher = of("teacher", &options.teacher, None)?;
            let taught = options.distill.then(|| options.folder(*task, "teacher"));
            let student = of("student", &options.student, taught)?;
            if let (Some(teacher), Some(student)) = (teacher, student) {
                rows.push(Row::new(task.title(), teacher, student));
            }
        }
        if joined.group().rank() == 0 {
            let table = Retention::new(rows, left_out, options.distill);
            table.write(&options.output)?;
            eprint!("{}", table.markdown());
            if *json {
                println!("{}", table.json()?);
            }
        }
        joined.group().barrier()
    })
}

impl Options {
    fn folder(&self, task: Task, name: &str) -> PathBuf {
        self.output.join(task.name()).join(name)
    }

    fn files(&self, data: PathBuf) -> FileOptions {
        FileOptions::of_folder(data, self.limit, self.dev_limit)
    }

    /// The tasks whose data is there, with its folders, and the others.
    fn find(&self) -> Result<(Vec<Found>, Vec<LeftOut>)> {
        let tasks = if self.tasks.is_empty() { &Task::GLUE[..] } else { &self.tasks };
        if let Some(task) = tasks.iter().find(|task| !Task::GLUE.contains(task)) {
            return Err(Error::Config(format!("--tasks: {} is not a task of GLUE", task.name())));
        }
        let (mut found, mut left_out): (Vec<Found>, Vec<LeftOut>) = (vec![], vec![]);
        for &task in tasks {
            if found.iter().any(|(other, _)| *other == task) {
                return Err(Error::Config(format!("--tasks names {} twice", task.name())));
            }
            let folders = [task.title(), task.name()].map(|name| self.data.join(name));
            let reason = match folders.into_iter().find(|folder| folder.is_dir()) {
                None => format!("no folder {} in {}", task.title(), self.data.display()),
                Some(folder) => match self.files(folder.clone()).find(task) {
                    Ok(files) if files.dev.is_empty() => format!("{}: no dev file in it", folder.display()),
                    Ok(_) => {
                        found.push((task, folder));
                        continue;
                    }
                    Err(_) => format!("{}: no train file in it", folder.display()),
                },
            };
            left_out.push(LeftOut { task: task.title().into(), reason });
        }
        if found.is_empty() {
            let reason = "no data of any of the tasks in it";
            return Err(Error::file(&self.data, reason, "name the folder that holds CoLA, SST-2 and so on"));
        }
        Ok((found, left_out))
    }

    /// Writes down what all runs share; fails, and leaves everything as it is, where the folder holds runs that nobody said to go on with
    /// or to replace, or runs of something else.
    fn start(&self, tasks: &[Found]) -> Result<()> {
        let (out, path, safety) = (&self.output, self.output.join("options.json"), &self.reporting.safety);
        let [teacher, student, data] = [&self.teacher, &self.student, &self.data].map(|path| full(path));
        let shared = json!({
            "teacher": teacher, "student": student, "data": data, "distill": self.distill,
            "limit": self.limit, "dev_limit": self.dev_limit, "recipe": format!("{:?}", self.recipe.with_path(full)),
        });
        let known = TABLE.iter().map(|name| out.join(name)).chain([path.clone()]).any(|path| path.exists());
        if known && !safety.resume && !safety.overwrite {
            let reason = "there are runs of `train glue` in it already";
            return Err(Error::file(out, reason, "go on with them by --resume, or start again with --overwrite"));
        }
        if path.exists() && !safety.overwrite {
            let saved: Option<Value> = serde_json::from_slice(&files::read(&path)?).ok();
            if saved.as_ref() != Some(&shared) {
                let reason = "the runs beside it were started with other options";
                return Err(Error::file(&path, reason, "choose another folder or pass --overwrite"));
            }
        }
        files::create_folder(out)?;
        if safety.overwrite {
            self.forget(tasks)?;
        }
        files::write(&path, format!("{shared:#}\n").as_bytes())?;
        resume::remember(out)
    }

    /// Makes every run one that has not begun: a command that is cut short goes on with --resume, which must not take runs of other
    /// options for its own.
    fn forget(&self, tasks: &[Found]) -> Result<()> {
        for name in TABLE {
            files::remove(&self.output.join(name))?;
        }
        for folder in tasks.iter().flat_map(|(task, _)| ["teacher", "student"].map(|name| self.folder(*task, name))) {
            let seeds = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
            for run in seeds.filter(|path| path.is_dir()).chain([folder.clone()]) {
                files::remove(&summary_file(&run))?;
                Store::of(&run).clear()?;
            }
        }
        Ok(())
    }

    /// Fine-tunes one model for one task, unless that was done before; rank 0 gets what it came to.
    fn contender(
        &self,
        task: Task,
        data: &Path,
        (name, model, teacher): (&str, &Path, Option<PathBuf>),
        joined: &Joined,
    ) -> Result<Option<Contender>> {
        let output = self.folder(task, name);
        let usual = self.recipe.recipe(task, teacher.is_some())?.seed;
        let seeds: Vec<Option<u64>> = self.recipe.seeds().into_iter().map(|seed| Some(seed.unwrap_or(usual))).collect();
        let options = super::Options {
            model: Some(model.to_owned()),
            task,
            files: self.files(data.to_owned()),
            output: output.clone(),
            models: TeacherOptions::of(teacher),
            recipe: self.recipe.clone(),
            reporting: ReportingOptions { json: false, ..self.reporting.clone() },
            device: self.device.clone(),
        };
        let group = joined.group();
        if check_output(group, (&self.reporting.safety, false), &output)? == Output::Train {
            seeds::run(&options, &seeds, joined)?;
        }
        if group.rank() != 0 {
            return Ok(None);
        }
        let path = summary_file(&output);
        let bad = |reason: String| Error::file(&path, reason, "start again with --overwrite");
        let summary: Value = serde_json::from_slice(&files::read(&path)?).map_err(|e| bad(e.to_string()))?;
        let runs = summary["seeds"].as_array().map_or(&[][..], Vec::as_slice);
        let seeds = runs.iter().filter_map(|run| run["seed"].as_u64()).collect();
        // A correlation is undefined, null here, where all answers are the same.
        let score = |run: &Value| run["held_out"].get("score").map(Value::as_f64);
        let scores: Option<Vec<Option<f64>>> = runs.iter().map(score).collect();
        let scores = scores.filter(|scores| !scores.is_empty()).ok_or_else(|| bad("a seed has no score".into()))?;
        Ok(Some(Contender::new(seeds, scores, Size::of(&output.join("model.safetensors"))?)))
    }
}
