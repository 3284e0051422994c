//! `cargo xtask demo`: from a teacher to the same answer on this machine and emulated boards, offline.
//!
//! Corpus -> teacher -> distilled student -> packed file -> this machine, an emulated Cortex-M55, Cortex-M7 and
//! Cortex-A53 -> one table; then the student learns what commands ask for, and answers one. With `--teacher` and `--text`
//! the table is that of the user's own.

mod classify;
mod commands;
mod corpus;
mod measure;
mod scenes;
mod table;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::firmware;
use crate::shell;
use measure::Subject;
use table::Table;

/// Seed of the default corpus and of training.
const SEED: &str = "56";
/// Sentences to fill in when the default teacher runs.
const SENTENCES: [&str; 3] = [
    "paris is the capital of [MASK].",
    "it is too dark in the kitchen, turn the lights [MASK].",
    "today is monday, so tomorrow is [MASK].",
];

/// Arguments of `demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Hugging Face folder of a BERT teacher with a masked-LM head, instead of pretraining one
    #[arg(long, requires = "text", value_name = "DIR")]
    teacher: Option<PathBuf>,
    /// Text to distill on, one sentence or document a line; every twentieth line is held out
    #[arg(long, requires = "teacher", num_args = 1.., value_name = "FILE")]
    text: Vec<PathBuf>,
    /// Distillation steps with a teacher of one's own
    #[arg(long, default_value_t = 1000, value_name = "N")]
    steps: u32,
    /// Train for a few steps only, with the programs that tests use: shows that every part works, not what it is worth
    #[arg(long)]
    quick: bool,
    /// Folder for everything the demo writes
    #[arg(long, short, default_value = "target/demo", value_name = "DIR")]
    out: PathBuf,
}

/// Runs the command.
pub(crate) fn main(args: &Args) -> Result<()> {
    crate::setup::ensure()?;
    let out = shell::root().join(&args.out);
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    let programs = build(args.quick)?;
    for machine in measure::boards() {
        firmware::build(machine)?;
    }

    let demo = Demo { out, programs, quick: args.quick, started: Instant::now() };
    let (teacher, texts, steps) = match &args.teacher {
        None => demo.default_teacher()?,
        Some(teacher) => demo.own_teacher(teacher, &args.text, args.steps)?,
    };
    let student = demo.distill(&teacher, steps)?;
    demo.compare(&teacher, &student, &texts)?;
    match &args.teacher {
        None => demo.classify(&student),
        // The commands are those of the embedded corpus.
        Some(_) => Ok(()),
    }
}

/// The demo with a few steps of training, as a test that every part works with the next.
pub(crate) fn quick() -> Result<()> {
    main(&Args { teacher: None, text: Vec::new(), steps: 0, quick: true, out: "target/demo-quick".into() })
}

/// The lines that the default teacher and student learn from.
pub(crate) fn corpus_text() -> String {
    corpus::Corpus::generate(56).train.join("\n") + "\n"
}

/// Builds the two programs and gives their folder.
fn build(quick: bool) -> Result<PathBuf> {
    let mut cargo = shell::cargo();
    cargo.args(["build", "--locked", "--package", "distil-train", "--package", "distil-tools"]);
    shell::run(if quick { &mut cargo } else { cargo.arg("--release") })?;
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    Ok(shell::root().join(target).join(if quick { "debug" } else { "release" }))
}

/// Held-out lines, and the sentences to fill in, as files.
struct Texts {
    held_out: PathBuf,
    sentences: PathBuf,
}

struct Demo {
    /// Where everything goes.
    out: PathBuf,
    /// Folder of the programs `train` and `tools`.
    programs: PathBuf,
    quick: bool,
    started: Instant,
}

impl Demo {
    /// Says which step begins, and when.
    fn step(&self, text: &str) {
        eprintln!("\n[{:>4.0} s] {text}", self.started.elapsed().as_secs_f64());
    }

    /// The embedded corpus and a 4-layer teacher pretrained on it.
    fn default_teacher(&self) -> Result<(PathBuf, Texts, u32)> {
        self.step("writing the corpus: home-assistant commands and everyday sentences");
        let corpus = corpus::Corpus::generate(56);
        let lines = self.write("train.txt", &corpus.train)?;
        let texts = self.texts(&corpus.held_out, SENTENCES.map(String::from).as_ref())?;
        let vocabulary = self.write("vocab.txt", &corpus.vocabulary())?;
        eprintln!("{} lines to train on, {} held out", corpus.train.len(), corpus.held_out.len());
        self.prepare(&lines, &texts, &vocabulary)?;

        self.step("pretraining the teacher: 4 layers, masked-token prediction");
        let teacher = self.out.join("teacher");
        let (steps, student_steps) = if self.quick { ("30", 20) } else { ("3000", 1000) };
        shell::run(
            self.train("pretrain")
                .arg("--data")
                .arg(self.out.join("data"))
                .arg("--output")
                .arg(&teacher)
                .args(["--preset", "tiny", "--layers", "4", "--hidden", "128", "--heads", "4", "--intermediate", "512"])
                .args(["--max-positions", "64", "--steps", steps, "--batch-size", "64", "--learning-rate", "0.002"])
                .args(["--seed", SEED, "--overwrite"]),
        )?;
        Ok((teacher, texts, student_steps))
    }

    /// The user's teacher, with every twentieth line of the user's text held out.
    fn own_teacher(&self, teacher: &Path, files: &[PathBuf], steps: u32) -> Result<(PathBuf, Texts, u32)> {
        self.step("splitting the text");
        let (mut train, mut held_out) = (Vec::new(), Vec::new());
        for file in files {
            let text = fs::read_to_string(file).with_context(|| {
                format!("cannot read {} as UTF-8 text; give --text a plain text file", file.display())
            })?;
            for (i, line) in text.lines().filter(|line| !line.trim().is_empty()).enumerate() {
                if i % 20 == 19 { &mut held_out } else { &mut train }.push(line.to_string());
            }
        }
        if held_out.len() < 3 {
            bail!("--text holds {} lines; at least 60 are needed to hold some out", train.len() + held_out.len());
        }
        let sentences: Vec<_> = held_out.iter().filter_map(|line| mask_a_word(line)).take(3).collect();
        if sentences.is_empty() {
            bail!(
                "no held-out line of --text has 5 to 30 words; one is needed to mask a word in and run on the boards"
            );
        }
        let lines = self.write("train.txt", &train)?;
        let texts = self.texts(&held_out, &sentences)?;
        let vocabulary = teacher.join("vocab.txt");
        if !vocabulary.exists() {
            bail!("{} is missing; the teacher's folder needs its vocabulary", vocabulary.display());
        }
        self.prepare(&lines, &texts, &vocabulary)?;
        Ok((teacher.to_path_buf(), texts, steps))
    }

    fn prepare(&self, text: &Path, texts: &Texts, vocabulary: &Path) -> Result<()> {
        let mut command = self.train("prepare");
        command.arg("--text").arg(text).arg("--held-out").arg(&texts.held_out).arg("--vocab").arg(vocabulary);
        command.arg("--output").arg(self.out.join("data"));
        shell::run(command.args(["--min-length", "4", "--max-length", "64"]))
    }

    /// A student of half the layers, from the teacher, with the three losses.
    fn distill(&self, teacher: &Path, steps: u32) -> Result<PathBuf> {
        self.step("distilling the student: half the layers, soft targets + masked tokens + hidden states");
        let student = self.out.join("student");
        let mut command = self.train("distill");
        command.arg("--teacher").arg(teacher).arg("--data").arg(self.out.join("data")).arg("--output").arg(&student);
        command.args(["--preset", "tiny", "--steps", &steps.to_string(), "--batch-size", "64"]);
        shell::run(command.args(["--seed", SEED, "--overwrite"]))?;
        Ok(student)
    }

    /// Packs and measures the three models on every machine, and prints the table.
    fn compare(&self, teacher: &Path, student: &Path, texts: &Texts) -> Result<()> {
        let subjects =
            [("teacher", teacher, "f32"), ("student", student, "f32"), ("packed student (int8)", student, "int8")];
        let mut table = Table { machines: measure::machines(), tokens: 0, rows: Vec::new() };
        for (name, folder, weights) in subjects {
            self.step(&format!("packing and running the {name}: this machine, then the emulated boards"));
            let file = self.out.join(format!("{}.distil", name.replace([' ', '(', ')'], "_").trim_matches('_')));
            let subject = Subject { name, folder, weights, file: &file, programs: &self.programs };
            let (row, tokens) = subject.measure(&texts.held_out, &texts.sentences)?;
            table.tokens = tokens;
            table.rows.push(row);
        }
        self.step("done");
        println!("\n{table}");
        // Any difference has been an error; what remains is a model that fitted no board.
        if table.rows.last().is_some_and(|packed| packed.instructions.iter().all(Option::is_some)) {
            let (last, others) = table.machines.split_last().context("the demo runs on machines")?;
            println!("same bits on host, {} and {last}", others.join(", "));
        }
        Ok(())
    }

    fn train(&self, verb: &str) -> Command {
        let mut command = Command::new(self.programs.join("train"));
        command.arg(verb);
        command
    }

    fn texts(&self, held_out: &[String], sentences: &[String]) -> Result<Texts> {
        Ok(Texts {
            held_out: self.write("held-out.txt", held_out)?,
            sentences: self.write("sentences.txt", sentences)?,
        })
    }

    fn write(&self, name: &str, lines: &[String]) -> Result<PathBuf> {
        let path = self.out.join(name);
        fs::write(&path, lines.join("\n") + "\n").with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

/// The line with its middle word masked; `None` if it is too short to tell the word or too long to show.
fn mask_a_word(line: &str) -> Option<String> {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    if !(5..=30).contains(&words.len()) {
        return None;
    }
    let middle = words.len() / 2;
    words[middle] = "[MASK]";
    Some(words.join(" "))
}
