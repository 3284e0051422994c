//! `linux-a64 MODEL.distil SENTENCE`: the smallest program that answers a sentence on 64-bit ARM Linux.
//!
//! The file is mapped, not read: weights stay where the kernel has them. All working memory is one arena, whose length
//! is known beforehand.

mod mapped;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use distil_runtime::{Artifact, Candidate, Executor, Head, Model, Plan, Session, arena_len};

/// Longest text, in tokens.
const MOST_TOKENS: usize = 128;

/// A thread for each half. A program that answers often has threads that stay: see the runtime's documentation.
struct Threads(usize);

impl Executor for Threads {
    fn threads(&self) -> usize {
        self.0
    }

    fn join(&self, left: &mut (dyn FnMut() + Send), right: &mut (dyn FnMut() + Send)) {
        thread::scope(|scope| {
            scope.spawn(right);
            left();
        });
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, sentence] = &arguments[..] else {
        eprintln!("usage: linux-a64 MODEL.distil SENTENCE");
        return ExitCode::from(2);
    };
    match answer(Path::new(model), sentence) {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {model}: {error}");
            ExitCode::from(2)
        }
    }
}

fn answer(model: &Path, sentence: &str) -> Result<String, Box<dyn Error>> {
    let bytes = mapped::map(model)?;
    let artifact = Artifact::open(&bytes)?;
    let model = Model::new(&artifact)?;
    let threads = Threads(thread::available_parallelism().map_or(1, usize::from));
    let plan = Plan::FAST.with_threads(threads.threads());
    let tokens = MOST_TOKENS.min(artifact.config().max_positions as usize);
    let mut arena = vec![0; arena_len(&artifact, tokens, plan)];
    let mut session = Session::with_plan(&model, &mut arena, tokens, plan, &threads)?;
    session.encode(sentence, None)?;
    Ok(match artifact.config().head {
        Head::SequenceClassification => {
            let answer = session.classification()?;
            format!("{} ({:.4})", answer.label(), answer.probability())
        }
        Head::MaskedLm => {
            let position = session.masks().next().ok_or("the sentence has no [MASK]")?;
            let mut best = [Candidate::default(); 1];
            session.predict(position, None, &mut best)?;
            let mut buffer = [0; 128];
            let word = artifact.vocabulary().piece(best[0].id, &mut buffer).map_or("?", |(word, _)| word);
            format!("{word} ({:.4})", best[0].probability)
        }
        _ => {
            let numbers = session.pooled()?;
            format!("{} numbers, the first ones {:.4?}", numbers.len(), &numbers[..4.min(numbers.len())])
        }
    })
}
