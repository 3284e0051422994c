//! Examples for each verb's help. A test parses every one of them, so that none goes stale.

/// A verb and its examples: what for, and the command line.
pub(super) type Examples = (&'static str, &'static [(&'static str, &'static str)]);

/// Every verb's, in the order of the verbs.
pub(super) const EXAMPLES: &[Examples] = &[
    (
        "pack",
        &[
            ("every weight int8, with the head that is in the folder", "tools pack student -o student.distil"),
            ("4-bit weights, as sentence embeddings", "tools pack minilm -o s.distil --weights int4 --head embedding"),
            (
                "4-bit weights with the error made up for, on texts of the kind the model will see",
                "tools pack student -o s.distil --weights int4 --calibrate texts.txt",
            ),
            ("for a Cortex-M7", "tools pack student -o student.distil --layout tile4"),
        ],
    ),
    ("unpack", &[("the packed weights for other tools to judge", "tools unpack student.distil -o unpacked")]),
    (
        "export-c",
        &[
            ("C source and a header", "tools export-c student.distil -o model.c --header model.h"),
            ("an object file for Cortex-M", "tools export-c s.distil -o model.o --object --target arm"),
        ],
    ),
    (
        "inspect",
        &[
            ("sizes, memory, where it came from, errors", "tools inspect student.distil"),
            ("one number for a script", "tools inspect student.distil --json | jq .parts.embeddings"),
        ],
    ),
    (
        "tokenize",
        &[
            ("ids of one text", "tools tokenize student.distil --text \"turn the lights off\""),
            ("of each line of a file, with places", "tools tokenize student.distil --json < texts.txt"),
            ("with a vocabulary alone", "tools tokenize --vocab student/vocab.txt --text \"it is cold\""),
        ],
    ),
    (
        "run",
        &[
            ("one text", "tools run student.distil --text \"turn the lights in the [MASK] off\""),
            ("a pair of texts", "tools run pairs.distil --text \"is it cold?\" --pair \"it is freezing\""),
            (
                "the part of a text that answers a question",
                "tools run answers.distil --question \"who wrote it?\" --text \"Jane wrote it in 1811.\"",
            ),
            (
                "the three nearest of some sentences",
                "tools run embeddings.distil --among faq.txt --top 3 --text \"it does not turn on\"",
            ),
            ("each line of a file, as JSON", "tools run student.distil --json --truncate < texts.txt"),
        ],
    ),
    (
        "verify",
        &[
            ("with built-in sentences", "tools verify student.distil --against student"),
            (
                "as a gate, on texts of your own",
                "tools verify student.distil --against student --text texts.txt --min-agreement 0.98",
            ),
            ("who signed it", "tools verify student.distil --key release.pub"),
            (
                "which layer loses most",
                "tools verify student.distil --against student --max-layer-error 0.05 --json | jq .layers",
            ),
        ],
    ),
    (
        "eval",
        &[
            ("a packed file", "tools eval minilm.distil --task stsb --data dev.tsv"),
            (
                "beside its original, losing 0.002 at most",
                "tools eval minilm.distil --task stsb --data dev.tsv --against minilm --max-drop 0.002",
            ),
            (
                "on data of your own",
                "tools eval i.distil --task classification --data i.csv --text-column query --label-column intent",
            ),
            ("answers to questions", "tools eval qa.distil --task squad --data dev-v2.0.json --predictions said.json"),
        ],
    ),
    (
        "diff",
        &[
            ("what another recipe changed", "tools diff int8.distil int4.distil"),
            ("whether packing twice gives the same file", "tools diff a.distil b.distil > differences.txt"),
        ],
    ),
    (
        "bench",
        &[
            ("one text of 128 tokens, one thread", "tools bench student.distil"),
            ("in the least memory", "tools bench student.distil --tokens 32 --plan small"),
            ("the speed of every kernel", "tools bench --kernels"),
        ],
    ),
    (
        "report",
        &[
            ("one file, with its times here", "tools report student.distil -o student.html"),
            (
                "several recipes against their original",
                "tools report int8.distil int4.distil --against student --text texts.txt --no-bench",
            ),
        ],
    ),
    (
        "check",
        &[("what a board has to answer, to the bit", "tools check student.distil --text texts.txt -o student.check")],
    ),
    (
        "fixture",
        &[
            ("a small model that knows nothing", "tools fixture -o random"),
            (
                "in the shape of DistilBERT",
                "tools fixture -o random --hidden 768 --layers 6 --heads 12 --intermediate 3072",
            ),
        ],
    ),
    ("keygen", &[("release.key, which signs, and release.pub, which checks", "tools keygen -o release")]),
    ("sign", &[("student.distil.sig", "tools sign student.distil --key release.key")]),
    (
        "schema",
        &[
            ("the verbs that print JSON", "tools schema"),
            ("the JSON of one of them", "tools schema verify > verify.schema.json"),
        ],
    ),
    (
        "completions",
        &[
            ("for bash", "tools completions bash > ~/.local/share/bash-completion/completions/tools"),
            ("for fish", "tools completions fish > ~/.config/fish/completions/tools.fish"),
        ],
    ),
    ("man", &[("where `man` looks for a user's own pages", "tools man -o ~/.local/share/man/man1")]),
];

/// The examples as the last part of a help text that has `before` in front of them.
pub(super) fn after(before: &str, examples: &[(&str, &str)]) -> String {
    let mut text = before.to_owned();
    text += if before.is_empty() { "Examples:" } else { "\n\nExamples:" };
    for (what, line) in examples {
        text += &format!("\n  # {what}\n  {line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, command};
    use super::EXAMPLES;

    /// The arguments of a command line up to the first pipe or redirection.
    fn arguments(line: &str) -> Vec<String> {
        let parts = line.split('"').enumerate();
        let words = parts.flat_map(|(index, part)| match index % 2 {
            1 => vec![part.to_owned()],
            _ => part.split_whitespace().map(str::to_owned).collect(),
        });
        words.take_while(|word| !["|", "<", ">"].contains(&&**word)).collect()
    }

    #[test]
    fn every_example_is_a_command_line_of_its_verb() {
        for (verb, examples) in EXAMPLES {
            for (what, line) in *examples {
                let arguments = arguments(line);
                assert_eq!(arguments[..2], ["tools", *verb], "{line}");
                assert!(Cli::try_parse_from(arguments).is_ok(), "{line}");
                assert!(line.len() <= 98 && what.len() <= 96, "one line of the help: {line}");
            }
        }
    }

    #[test]
    fn every_verb_has_an_example() {
        let verbs: Vec<String> = command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
        let shown: Vec<&str> = EXAMPLES.iter().map(|(verb, _)| *verb).collect();
        assert_eq!(verbs, shown);
    }
}
