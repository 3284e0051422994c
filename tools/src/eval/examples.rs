//! Labelled texts from a file.

use std::path::Path;

use super::glue::{Columns, Glue, OWN};
use super::table::Table;
use crate::error::Error;

/// A text, or two, with what is right about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Example<G> {
    /// The text.
    pub text: String,
    /// The second text of a pair.
    pub pair: Option<String>,
    /// What is right.
    pub gold: G,
}

/// Columns that the user names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The text's.
    pub text: Option<String>,
    /// The second text's.
    pub pair: Option<String>,
    /// The label's.
    pub label: Option<String>,
}

const NEXT: &str = "name the columns of a file of your own with --text-column, --pair-column and --label-column";

/// Reads the first `limit` examples of a file; `gold` makes of a field what is right.
///
/// # Errors
/// If the file cannot be read, a column is not there, `gold` gives a reason against a field (with `next`, what to do about
/// it), or there is no example.
pub fn read<G>(
    (path, limit): (&Path, Option<usize>),
    columns: Columns,
    named: &Named,
    skip_broken: bool,
    next: &'static str,
    gold: impl Fn(&str) -> Result<G, String>,
) -> Result<Vec<Example<G>>, Error> {
    fn own(name: &Option<String>) -> Option<Vec<&str>> {
        name.as_deref().map(|name| vec![name])
    }
    let (text, label) =
        (own(&named.text).unwrap_or(columns.text.into()), own(&named.label).unwrap_or(columns.label.into()));
    // In a file of one's own the second text is named with the first.
    let alone = columns == OWN && named.text.is_some();
    let pair = own(&named.pair).unwrap_or(if alone { Vec::new() } else { columns.pair.into() });
    let is_header = |fields: &[String]| {
        let has = |names: &[&str]| names.iter().any(|name| fields.iter().any(|field| field == name));
        has(&text) && has(&label)
    };
    let table = Table::read(path, is_header)?;
    let missing = |names: &[&str]| {
        let line = table.rows.first().map_or(1, |(line, _)| *line);
        Err(table.wrong(line, format!("no column `{}`", names.join("` or `")), NEXT))
    };
    let (text, pair, label, least) = if table.header.is_empty() {
        let Some(places) = columns.bare.filter(|_| *named == Named::default()) else {
            let line = table.rows.first().map_or(1, |(line, _)| *line);
            return Err(table.wrong(line, format!("no columns `{}` and `{}`", text[0], label[0]), NEXT));
        };
        places
    } else {
        let Some(first) = table.column(&text) else { return missing(&text) };
        let Some(right) = table.column(&label) else { return missing(&label) };
        let second = table.column(&pair);
        // What a task compares, or a user named, has to be there; where it may be there it need not.
        let optional = columns == OWN && named.pair.is_none();
        if second.is_none() && !pair.is_empty() && !optional {
            return missing(&pair);
        }
        (first, second, right, table.header.len())
    };
    let mut examples = Vec::new();
    for (line, fields) in &table.rows {
        if examples.len() == limit.unwrap_or(usize::MAX) {
            break;
        }
        if fields.len() < least || (!table.header.is_empty() && fields.len() > least) {
            if skip_broken {
                continue;
            }
            let next = if table.header.is_empty() { next } else { NEXT };
            return Err(table.wrong(*line, format!("{} fields for {least} columns", fields.len()), next));
        }
        let gold = gold(&fields[label]).map_err(|reason| table.wrong(*line, reason, next))?;
        examples.push(Example { text: fields[text].clone(), pair: pair.map(|pair| fields[pair].clone()), gold });
    }
    if examples.is_empty() {
        return Err(Error::usage(format!("{}: no example in it", path.display()), NEXT));
    }
    Ok(examples)
}

/// The number of a label: its name, in whatever case, or its number. Where a task has names for its labels, its own order
/// counts: a model whose labels have these names is asked by name, and one whose labels are only numbered (`LABEL_0`) by
/// number.
pub fn class(field: &str, labels: &[String], task: Option<Glue>) -> Option<usize> {
    let field = field.trim();
    let named = |name: &str| {
        let same = labels.iter().position(|label| label == name);
        same.or_else(|| labels.iter().position(|label| label.eq_ignore_ascii_case(name)))
    };
    let order = task.map_or(&[][..], Glue::labels);
    let in_order = |name: &str| order.iter().position(|known| known.eq_ignore_ascii_case(name));
    let number = field.parse::<usize>().ok().filter(|&number| number < labels.len());
    named(field).or_else(|| named(order.get(number?)?)).or(number).or_else(|| {
        in_order(field).filter(|_| order.len() == labels.len() && labels.iter().enumerate().all(is_numbered))
    })
}

fn is_numbered((number, label): (usize, &String)) -> bool {
    *label == format!("LABEL_{number}") || *label == number.to_string()
}

/// Which labels a field names: a JSON list, or names with `|`, `;` or `,` between them.
pub fn set(field: &str, labels: &[String]) -> Result<Vec<bool>, String> {
    let mut chosen = vec![false; labels.len()];
    let list: Vec<String> = match serde_json::from_str::<Vec<serde_json::Value>>(field) {
        Ok(list) => list.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect(),
        Err(_) if class(field, labels, None).is_some() => vec![field.to_owned()],
        Err(_) => field.split(['|', ';', ',']).filter(|name| !name.trim().is_empty()).map(str::to_owned).collect(),
    };
    for name in list {
        let label = class(&name, labels, None).ok_or_else(|| unknown(name.trim(), labels))?;
        chosen[label] = true;
    }
    Ok(chosen)
}

/// Why a field is no label.
pub fn unknown(field: &str, labels: &[String]) -> String {
    format!("`{field}` is none of the model's labels ({})", labels.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::glue::STSB;
    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn texts(name: &str, text: &str, columns: Columns, named: &Named) -> Result<Vec<Example<String>>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let found =
            read((&path, None), columns, named, columns == Glue::Qqp.columns(), "", |field| Ok(field.to_owned()));
        found.map_err(|error| error.to_string())
    }

    fn example(text: &str, pair: Option<&str>, gold: &str) -> Example<String> {
        Example { text: text.into(), pair: pair.map(str::to_owned), gold: gold.into() }
    }

    #[test]
    fn files_of_glue_are_read_as_they_are() {
        let read = |task: Glue, text: &str| texts("dev.tsv", text, task.columns(), &Named::default()).unwrap();
        assert_eq!(
            read(Glue::Cola, "gj04\t1\t*\tHe go.\ngj04\t0\t\tHe went.\n"),
            [example("He go.", None, "1"), example("He went.", None, "0")]
        );
        assert_eq!(read(Glue::Sst2, "sentence\tlabel\nfine \t1\n"), [example("fine ", None, "1")]);
        let mrpc = "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\tA \"b.\tC.\n";
        assert_eq!(read(Glue::Mrpc, mrpc), [example("A \"b.", Some("C."), "1")]);
        let qqp = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\tWho?\tWhat?\t0\n9\tbroken\n";
        assert_eq!(read(Glue::Qqp, qqp), [example("Who?", Some("What?"), "0")]);
        let qnli = "index\tquestion\tsentence\tlabel\n0\tWho?\tHe.\tentailment\n";
        assert_eq!(read(Glue::Qnli, qnli), [example("Who?", Some("He."), "entailment")]);
        let mnli = "index\tgenre\tsentence1\tsentence2\tlabel1\tgold_label\n0\tg\tA.\tB.\tneutral\tcontradiction\n";
        assert_eq!(read(Glue::Mnli, mnli), [example("A.", Some("B."), "contradiction")]);
        let rte = "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\tnot_entailment\n";
        for task in [Glue::Rte, Glue::Wnli] {
            assert_eq!(read(task, rte), [example("A.", Some("B."), "not_entailment")]);
        }
        let plain = "genre\tf\t2012\t7\t4.5\tA.\tB.\n";
        let header = "index\tgenre\tsentence1\tsentence2\tscore\n0\tg\tA.\tB.\t4.5\n";
        for text in [plain, header] {
            assert_eq!(texts("dev.tsv", text, STSB, &Named::default()).unwrap(), [example("A.", Some("B."), "4.5")]);
        }
    }

    #[test]
    fn files_of_ones_own_have_named_columns() {
        let named = |text: &str, pair: Option<&str>, label: &str| Named {
            text: Some(text.into()),
            pair: pair.map(str::to_owned),
            label: Some(label.into()),
        };
        let csv = "query,other,intent\n\"off, please\",x,lights.off\n";
        let found = texts("own.csv", csv, OWN, &named("query", None, "intent")).unwrap();
        assert_eq!(found, [example("off, please", None, "lights.off")]);
        let found = texts("own.csv", csv, OWN, &named("query", Some("other"), "intent")).unwrap();
        assert_eq!(found, [example("off, please", Some("x"), "lights.off")]);
        let found =
            texts("own.jsonl", "{\"text\": \"a\", \"labels\": [\"x\", \"y\"]}\n", OWN, &Named::default()).unwrap();
        assert_eq!(found, [example("a", None, "[\"x\",\"y\"]")]);
        for (text, named, said) in [
            ("text,kind\na,1\n", Named::default(), "line 1: no columns `text` and `label`"),
            ("query,label\na,1\n", named("query", Some("pair"), "label"), "no column `pair`"),
            ("text,label\na\n", Named::default(), "line 2: 1 fields for 2 columns"),
            ("text,label\n", Named::default(), "no example in it"),
        ] {
            let error = texts("own.csv", text, OWN, &named).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        let error = texts("dev.tsv", "sentence1\tlabel\na\t1\n", Glue::Rte.columns(), &Named::default()).unwrap_err();
        assert!(error.contains("no column `sentence2`"), "{error}");
    }

    #[test]
    fn labels_are_names_or_numbers_in_the_tasks_order() {
        let (named, plain) = (labels(&["no", "Yes"]), labels(&["LABEL_0", "LABEL_1", "LABEL_2"]));
        assert_eq!(
            ["no", "yes", "1", " Yes "].map(|field| class(field, &named, None)),
            [Some(0), Some(1), Some(1), Some(1)]
        );
        assert_eq!(["2", "maybe", "-1"].map(|field| class(field, &named, None)), [None; 3]);
        let mnli = |field: &str, labels: &[String]| class(field, labels, Some(Glue::Mnli));
        assert_eq!(["neutral", "2", "LABEL_0"].map(|field| mnli(field, &plain)), [Some(1), Some(2), Some(0)]);
        // A model with the names in another order.
        let other = labels(&["CONTRADICTION", "NEUTRAL", "ENTAILMENT"]);
        assert_eq!(["entailment", "0", "2"].map(|field| mnli(field, &other)), [Some(2), Some(2), Some(0)]);
        assert_eq!(class("neutral", &named, Some(Glue::Mnli)), None);
    }

    #[test]
    fn sets_of_labels() {
        let labels = labels(&["joy", "anger", "a, b"]);
        let set = |field: &str| set(field, &labels);
        for (field, expected) in [
            ("joy|anger", [true, true, false]),
            ("[\"anger\", 0]", [true, true, false]),
            ("a, b", [false, false, true]),
            ("joy, 1", [true, true, false]),
            ("", [false; 3]),
            ("[]", [false; 3]),
        ] {
            assert_eq!(set(field).unwrap(), expected, "{field}");
        }
        assert_eq!(set("joy;fear").unwrap_err(), "`fear` is none of the model's labels (joy, anger, a, b)");
    }
}
