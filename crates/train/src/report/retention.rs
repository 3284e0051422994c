//! What a student retains of its teacher, task by task, as JSON, Markdown and a page.

use super::page::escape;
use crate::finetune::metrics::Spread;
use crate::{Error, Result, files};
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

/// How large a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Numbers in all its tensors.
    pub parameters: usize,
    /// Bytes of `model.safetensors`.
    pub bytes: usize,
}

impl Size {
    /// Of a `model.safetensors`.
    pub fn of(path: &Path) -> Result<Self> {
        let bytes = files::read(path)?;
        let next = "start again with --overwrite";
        let tensors = safetensors::SafeTensors::deserialize(&bytes).map_err(|e| Error::file(path, e, next))?;
        let parameters = tensors.tensors().iter().map(|(_, tensor)| tensor.shape().iter().product::<usize>()).sum();
        Ok(Self { parameters, bytes: bytes.len() })
    }
}

/// One model after one task.
#[derive(Clone, Debug, Serialize)]
pub struct Contender {
    /// Seeds of the runs.
    pub seeds: Vec<u64>,
    /// Held-out score of each, where 1 is perfect; none where it is undefined, as a correlation with answers that are all the same.
    pub scores: Vec<Option<f64>>,
    /// Their median and spread; none where one of them is undefined.
    pub score: Option<Spread>,
    /// The model with its head.
    pub size: Size,
}

impl Contender {
    /// Of at least one seed, each with its score.
    pub fn new(seeds: Vec<u64>, scores: Vec<Option<f64>>, size: Size) -> Self {
        let defined: Option<Vec<f64>> = scores.iter().copied().collect();
        Self { seeds, score: defined.map(|scores| Spread::of(&scores)), scores, size }
    }

    /// The seeds whose score is undefined, in words; none where every score is a number.
    fn undefined(&self, name: &str) -> Option<String> {
        let pairs = self.seeds.iter().zip(&self.scores);
        let seeds: Vec<String> = pairs.filter(|(_, score)| score.is_none()).map(|(seed, _)| seed.to_string()).collect();
        let s = if seeds.len() == 1 { "" } else { "s" };
        (!seeds.is_empty()).then(|| format!("the {name}'s score with seed{s} {}", seeds.join(", ")))
    }
}

/// One task.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The name that people know.
    pub task: String,
    /// The large model.
    pub teacher: Contender,
    /// The small one.
    pub student: Contender,
    /// The student's median score in per cent of the teacher's; none where one of them is undefined or the teacher's not above 0.
    pub retained: Option<f64>,
}

/// `student` in per cent of `teacher`.
fn per_cent(student: f64, teacher: f64) -> Option<f64> {
    (teacher > 0.0).then(|| 100.0 * student / teacher)
}

impl Row {
    /// Compares the medians.
    pub fn new(task: &str, teacher: Contender, student: Contender) -> Self {
        let mut row = Self { task: task.into(), teacher, student, retained: None };
        row.retained = row.medians().and_then(|[teacher, student]| per_cent(student, teacher));
        row
    }

    /// Of teacher and student, where both are defined.
    fn medians(&self) -> Option<[f64; 2]> {
        Some([self.teacher.score?.median, self.student.score?.median])
    }
}

/// A task without data.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    /// Its name.
    pub task: String,
    /// What is missing.
    pub reason: String,
}

/// The unweighted mean of the tasks' medians, over the tasks in which both models' are defined.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Macro {
    /// How many tasks.
    pub tasks: usize,
    /// Of the teacher; none of no task.
    pub teacher: Option<f64>,
    /// Of the student.
    pub student: Option<f64>,
    /// The second in per cent of the first; none where that is not above 0.
    pub retained: Option<f64>,
}

/// The table.
#[derive(Clone, Debug, Serialize)]
pub struct Retention {
    /// Whether the student learned from the fine-tuned teacher.
    pub distilled: bool,
    /// One row for each task, at least one.
    pub tasks: Vec<Row>,
    /// Over all of them.
    #[serde(rename = "macro")]
    pub average: Macro,
    /// Tasks that were asked for and have no data.
    pub left_out: Vec<LeftOut>,
}

/// Stands for a number that there is not.
const UNDEFINED: &str = "undefined";

fn score(model: &Contender) -> String {
    let Some(Spread { median, lowest, highest, .. }) = model.score else {
        return UNDEFINED.into();
    };
    match model.scores.len() {
        1 => format!("{:.2}", 100.0 * median),
        _ => format!("{:.2} ({:.2} to {:.2})", 100.0 * median, 100.0 * lowest, 100.0 * highest),
    }
}

fn retained(value: Option<f64>) -> String {
    value.map_or(UNDEFINED.into(), |value| format!("{value:.2} %"))
}

fn size(size: Size) -> String {
    format!("{:.3} million parameters, {:.2} MB", size.parameters as f64 / 1e6, size.bytes as f64 / 1e6)
}

const STYLE: &str = ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;\
margin:2rem auto;padding:0 1rem;background:Canvas;color:CanvasText}table{border-collapse:collapse;width:100%}\
th,td{padding:.35rem .7rem;text-align:right;border-bottom:1px solid GrayText;font-variant-numeric:tabular-nums}\
th:first-child{text-align:left}tbody tr:last-child{font-weight:bold}.scroll{overflow-x:auto}td:last-child{white-space:nowrap}p{overflow-wrap:anywhere}\
@media(max-width:30rem){th,td{padding:.35rem .25rem;font-size:.8rem}}";

impl Retention {
    /// Averages `tasks`, of which there is at least one.
    pub fn new(tasks: Vec<Row>, left_out: Vec<LeftOut>, distilled: bool) -> Self {
        let medians: Vec<[f64; 2]> = tasks.iter().filter_map(Row::medians).collect();
        let mean = |i: usize| {
            let sum: f64 = medians.iter().map(|medians| medians[i]).sum();
            (!medians.is_empty()).then(|| sum / medians.len() as f64)
        };
        let (teacher, student) = (mean(0), mean(1));
        let retained = student.zip(teacher).and_then(|(student, teacher)| per_cent(student, teacher));
        let average = Macro { tasks: medians.len(), teacher, student, retained };
        Self { distilled, tasks, average, left_out }
    }

    /// One line of JSON.
    pub fn json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::Data(e.to_string()))
    }

    /// The lines of the table; the last is the average.
    fn lines(&self) -> Vec<[String; 4]> {
        let row = |row: &Row| [row.task.clone(), score(&row.teacher), score(&row.student), retained(row.retained)];
        let Macro { teacher, student, retained: kept, .. } = self.average;
        let [teacher, student] =
            [teacher, student].map(|mean| mean.map_or(UNDEFINED.into(), |mean| format!("{:.2}", 100.0 * mean)));
        let mut lines: Vec<_> = self.tasks.iter().map(row).collect();
        lines.push(["Macro average".into(), teacher, student, retained(kept)]);
        lines
    }

    /// Sentences about the table.
    fn notes(&self) -> Vec<String> {
        let mut notes = vec![];
        if let Some(Row { teacher, student, .. }) = self.tasks.first() {
            let seeds: Vec<String> = teacher.seeds.iter().map(u64::to_string).collect();
            notes.push(format!("Scores in per cent: median (lowest to highest) over the seeds {}.", seeds.join(", ")));
            notes.push(format!("Teacher: {}. Student: {}.", size(teacher.size), size(student.size)));
        }
        notes.push(match self.distilled {
            true => "The student learned from the labels and from the fine-tuned teacher's scores.".into(),
            false => "The student learned from the labels alone.".into(),
        });
        notes.extend(self.tasks.iter().filter_map(|Row { task, teacher, student, .. }| {
            let models = [teacher.undefined("teacher"), student.undefined("student")];
            let models: Vec<String> = models.into_iter().flatten().collect();
            let why = "undefined, as a correlation with answers that are all the same";
            (!models.is_empty()).then(|| format!("{task} is not in the average: {}: {why}.", models.join(" and ")))
        }));
        notes.extend(self.left_out.iter().map(|LeftOut { task, reason }| format!("{task} is left out: {reason}.")));
        notes
    }

    /// The table for people.
    pub fn markdown(&self) -> String {
        let mut text = "| Task | Teacher | Student | Retained |\n|:--|--:|--:|--:|\n".to_string();
        for line in self.lines() {
            let _ = writeln!(text, "| {} |", line.join(" | "));
        }
        for note in self.notes() {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }

    /// One self-contained page in the reader's own light or dark.
    pub fn html(&self) -> String {
        let mut rows = String::new();
        for [task, cells @ ..] in self.lines() {
            let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
            let _ = writeln!(rows, "<tr><th>{}</th>{cells}</tr>", escape(&task));
        }
        let notes: String = self.notes().iter().map(|note| format!("<p>{}</p>\n", escape(note))).collect();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>GLUE: what the student retains</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <h1>What the student retains</h1>\n<div class=\"scroll\"><table>\n\
             <thead><tr><th>Task</th><th>Teacher</th><th>Student</th><th>Retained</th></tr></thead>\n\
             <tbody>\n{rows}</tbody>\n</table></div>\n{notes}</body>\n</html>\n"
        )
    }

    /// Writes glue.json, glue.md and glue.html; the JSON last.
    pub fn write(&self, folder: &Path) -> Result<()> {
        files::write(&folder.join("glue.md"), self.markdown().as_bytes())?;
        files::write(&folder.join("glue.html"), self.html().as_bytes())?;
        files::write(&folder.join("glue.json"), (self.json()? + "\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scores: &[f64]) -> Contender {
        // Not a number stands for an undefined score.
        let scores: Vec<Option<f64>> =
            scores.iter().map(|&score| Some(score).filter(|score| !score.is_nan())).collect();
        Contender::new((1..=scores.len() as u64).collect(), scores, Size { parameters: 10, bytes: 40 })
    }

    #[test]
    fn medians_are_compared_and_averaged() {
        let rows = vec![
            Row::new("SST-2", of(&[0.7, 0.8, 0.9]), of(&[0.5, 0.6, 0.6])),
            Row::new("CoLA", of(&[0.0, -0.1, 0.4]), of(&[0.2, 0.2, 0.2])),
        ];
        let table = Retention::new(rows, vec![LeftOut { task: "<RTE>".into(), reason: "gone".into() }], false);
        assert!((table.tasks[0].retained.unwrap() - 75.0).abs() < 1e-9);
        assert_eq!(table.tasks[1].retained, None, "a teacher that knows nothing");
        // (0.8 + 0) / 2 and (0.6 + 0.2) / 2.
        assert!((table.average.retained.unwrap() - 100.0).abs() < 1e-9);
        assert_eq!(table.average.tasks, 2);
        let text = table.markdown();
        assert!(text.contains("| SST-2 | 80.00 (70.00 to 90.00) | 60.00 (50.00 to 60.00) | 75.00 % |"), "{text}");
        assert!(text.contains("| Macro average | 40.00 | 40.00 | 100.00 % |"), "{text}");
        assert!(table.html().contains("&lt;RTE&gt; is left out: gone."));
    }

    #[test]
    fn an_undefined_score_is_said_to_be_and_not_averaged() {
        let rows = vec![
            Row::new("SST-2", of(&[0.8]), of(&[0.6])),
            Row::new("STS-B", of(&[0.9, 0.9, 0.9]), of(&[0.5, f64::NAN, f64::NAN])),
        ];
        let table = Retention::new(rows, vec![], true);
        assert_eq!((table.average.tasks, table.average.teacher, table.average.student), (1, Some(0.8), Some(0.6)));
        let text = table.markdown();
        assert!(text.contains("| STS-B | 90.00 (90.00 to 90.00) | undefined | undefined |"), "{text}");
        assert!(text.contains("| Macro average | 80.00 | 60.00 | 75.00 % |"), "{text}");
        assert!(text.contains("STS-B is not in the average: the student's score with seeds 2, 3: undefined"), "{text}");
        assert!(!text.contains("NaN") && !table.json().unwrap().contains("NaN"));

        let table = Retention::new(vec![Row::new("STS-B", of(&[f64::NAN]), of(&[f64::NAN]))], vec![], true);
        let text = table.markdown();
        assert!(text.contains("| Macro average | undefined | undefined | undefined |"), "{text}");
        assert!(
            text.contains("the teacher's score with seed 1 and the student's score with seed 1: undefined"),
            "{text}"
        );
    }
}
