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
    /// Held-out score of each, where 1 is perfect.
    pub scores: Vec<f64>,
    /// Their median and spread.
    pub score: Spread,
    /// The model with its head.
    pub size: Size,
}

impl Contender {
    /// Of at least one seed, each with its score.
    pub fn new(seeds: Vec<u64>, scores: Vec<f64>, size: Size) -> Self {
        Self { seeds, score: Spread::of(&scores), scores, size }
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
    /// The student's median score in per cent of the teacher's; none where the teacher's is not above 0.
    pub retained: Option<f64>,
}

/// `student` in per cent of `teacher`.
fn per_cent(student: f64, teacher: f64) -> Option<f64> {
    (teacher > 0.0).then(|| 100.0 * student / teacher)
}

impl Row {
    /// Compares the medians.
    pub fn new(task: &str, teacher: Contender, student: Contender) -> Self {
        let retained = per_cent(student.score.median, teacher.score.median);
        Self { task: task.into(), teacher, student, retained }
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

/// The unweighted mean of the tasks' medians.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Macro {
    /// Of the teacher.
    pub teacher: f64,
    /// Of the student.
    pub student: f64,
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

fn score(model: &Contender) -> String {
    let Spread { median, lowest, highest, .. } = model.score;
    match model.scores.len() {
        1 => format!("{:.2}", 100.0 * median),
        _ => format!("{:.2} ({:.2} to {:.2})", 100.0 * median, 100.0 * lowest, 100.0 * highest),
    }
}

fn retained(value: Option<f64>) -> String {
    value.map_or("undefined".into(), |value| format!("{value:.2} %"))
}

fn size(size: Size) -> String {
    format!("{:.3} million parameters, {:.2} MB", size.parameters as f64 / 1e6, size.bytes as f64 / 1e6)
}

const STYLE: &str = ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;\
margin:2rem auto;padding:0 1rem;background:Canvas;color:CanvasText}table{border-collapse:collapse;width:100%}\
th,td{padding:.35rem .7rem;text-align:right;border-bottom:1px solid GrayText;font-variant-numeric:tabular-nums}\
th:first-child{text-align:left}tbody tr:last-child{font-weight:bold}.scroll{overflow-x:auto}";

impl Retention {
    /// Averages `tasks`, of which there is at least one.
    pub fn new(tasks: Vec<Row>, left_out: Vec<LeftOut>, distilled: bool) -> Self {
        let mean = |of: fn(&Row) -> f64| tasks.iter().map(of).sum::<f64>() / tasks.len() as f64;
        let teacher = mean(|row| row.teacher.score.median);
        let student = mean(|row| row.student.score.median);
        let average = Macro { teacher, student, retained: per_cent(student, teacher) };
        Self { distilled, tasks, average, left_out }
    }

    /// One line of JSON.
    pub fn json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::Data(e.to_string()))
    }

    /// The lines of the table; the last is the average.
    fn lines(&self) -> Vec<[String; 4]> {
        let row = |row: &Row| [row.task.clone(), score(&row.teacher), score(&row.student), retained(row.retained)];
        let Macro { teacher, student, retained: kept } = self.average;
        let [teacher, student] = [teacher, student].map(|mean| format!("{:.2}", 100.0 * mean));
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
        Contender::new((1..=scores.len() as u64).collect(), scores.to_vec(), Size { parameters: 10, bytes: 40 })
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
        let text = table.markdown();
        assert!(text.contains("| SST-2 | 80.00 (70.00 to 90.00) | 60.00 (50.00 to 60.00) | 75.00 % |"), "{text}");
        assert!(text.contains("| Macro average | 40.00 | 40.00 | 100.00 % |"), "{text}");
        assert!(table.html().contains("&lt;RTE&gt; is left out: gone."));
    }
}
