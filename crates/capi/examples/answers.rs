//! What `examples/c/answers.c` prints, by the runtime in Rust: `cargo run -p distil-capi --example answers -- MODEL`.

use std::process::ExitCode;

use distil_format::AlignedBytes;
use distil_runtime::{
    Answer, Artifact, Candidate, Code, Head, Model, Opening, Plan, RunError, Search, Session, SingleThread, arena_len,
    tokenizer,
};

const SLICE: usize = 4096;
const MAX_TOKENS: usize = 32;
const NUMBERS: &str = "one two three four five six seven eight nine ten";
const CONTEXT: &str = "The lights in the kitchen are on. The music in the living room is loud.";

fn digest(values: &[f32]) -> u32 {
    values.iter().fold(2_166_136_261, |hash, value| (hash ^ value.to_bits()).wrapping_mul(16_777_619))
}

fn open(bytes: &[u8]) -> Result<(Artifact<'_>, usize), distil_runtime::OpenError> {
    let mut opening = Opening::new(bytes);
    let mut slices = 0;
    loop {
        if let Some(artifact) = opening.step(SLICE)? {
            return Ok((artifact, slices));
        }
        slices += 1;
    }
}

fn tokens(artifact: &Artifact<'_>, text: &str) {
    let mut line = String::new();
    let mut count = 0;
    let _ = tokenizer(artifact.config(), artifact.vocabulary()).for_each(text, |token| {
        if count < 4 {
            line += &format!(" {} {} {}", token.id, token.start, token.end);
        }
        count += 1;
        std::ops::ControlFlow::Continue(())
    });
    println!("tokens: {count}{line}");
}

fn ask(artifact: &Artifact<'_>, session: &mut Session<'_>, text: &str) -> Result<(), RunError> {
    tokens(artifact, text);
    let embedding = digest(session.embed(text)?);
    println!("embedding: {embedding:08x} hidden: {:08x}", digest(session.hidden()));
    match artifact.config().head {
        Head::Embedding => {}
        Head::SequenceClassification => {
            let found = session.classify(text, None)?;
            let (label, name, probability) = (found.best(), found.label(), found.probability().to_bits());
            let (logits, scores) = (digest(found.logits()), digest(found.values()));
            println!("label: {label} {name} {probability:08x} {logits:08x} {scores:08x}");
        }
        Head::TokenClassification => {
            for word in session.tag(text)? {
                let probability = word.probability.to_bits();
                println!("word: {} {} {} {} {probability:08x}", word.start, word.end, word.label, word.name);
            }
        }
        Head::QuestionAnswering => {
            let mut top = [Answer::default(); 3];
            let search = Search { longest: 8, overlap: 4 };
            let found = session.answers(text, CONTEXT, search, &mut top)?;
            let no_answer = found.no_answer.to_bits();
            println!("answers: {} {} {} {no_answer:08x}", found.found, found.windows, found.tokens);
            for answer in &top[..found.found] {
                let (score, probability) = (answer.score.to_bits(), answer.probability.to_bits());
                println!("answer: {} {score:08x} {probability:08x}", &CONTEXT[answer.range()]);
            }
        }
        Head::MaskedLm => {
            let mut top = [Candidate::default(); 5];
            let found = session.fill_mask(text, &mut top)?.candidates;
            for &Candidate { id, logit, probability } in &top[..found] {
                let mut buffer = [0; 256];
                let (piece, continues) = artifact.vocabulary().piece(id, &mut buffer).unwrap_or(("", false));
                let (marks, logit) = (if continues { "##" } else { "" }, logit.to_bits());
                println!("candidate: {id} {marks}{piece} {logit:08x} {:08x}", probability.to_bits());
            }
        }
    }
    Ok(())
}

/// The line for an error, with the text of the C interface.
fn failed(number: u8) -> u8 {
    let text = distil::status::all().find(|(status, _)| *status == i32::from(number)).map(|(_, text)| text);
    println!("error {number}: {}", text.and_then(|text| text.to_str().ok()).unwrap_or_default());
    number
}

fn answers(file: &[u8]) -> Result<(), u8> {
    let bytes = AlignedBytes::copy_of(file);
    let (artifact, slices) = open(&bytes).map_err(|error| {
        let number = failed(Code::from(error).number());
        println!("{error}");
        number
    })?;
    let config = artifact.config();
    print!("model: {} {} {} {} ", artifact.len(), config.head.code(), config.hidden, config.layers);
    println!("{} {} {:08x} slices: {slices}", config.labels, config.vocab_size, artifact.checksum());
    let mut arena = vec![0; arena_len(&artifact, MAX_TOKENS, Plan::SMALL)];
    let model = Model::new(&artifact).map_err(|error| failed(Code::from(error).number()))?;
    let mut session = Session::with_plan(&model, &mut arena, MAX_TOKENS, Plan::SMALL, &SingleThread)
        .map_err(|error| failed(Code::from(error).number()))?;
    let long = [NUMBERS; 4].join(" ");
    let texts: [&[u8]; 8] = [
        b"lights",
        b"play the [MASK]",
        b"turn the kitchen lights off",
        b"Play [MASK] in the living room, please!",
        "naïve café 中文 unbelievably".as_bytes(),
        b"",
        b"no \xff UTF-8",
        long.as_bytes(),
    ];
    let mut last = String::new();
    for (number, text) in texts.into_iter().enumerate() {
        println!("text {number}");
        match str::from_utf8(text) {
            Err(_) => _ = failed(63),
            Ok(text) => {
                if let Err(error) = ask(&artifact, &mut session, text) {
                    failed(Code::from(error).number());
                    last = error.to_string();
                }
            }
        }
    }
    println!("{last}");
    Ok(())
}

fn main() -> ExitCode {
    let Some(file) = std::env::args().nth(1).and_then(|path| std::fs::read(path).ok()) else {
        eprintln!("give one file that can be read: answers MODEL");
        return ExitCode::from(2);
    };
    answers(&file).map_or_else(ExitCode::from, |()| ExitCode::SUCCESS)
}
