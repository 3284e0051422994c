use super::super::shards::Dataset;
use super::*;
use std::path::PathBuf;

const ENTRIES: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n";

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        bench.write("vocab.txt", ENTRIES);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn preparation(&self, text: &[&str]) -> Preparation {
        let paths: Vec<PathBuf> = text.iter().map(|name| self.path(name)).collect();
        Preparation {
            text: Inputs::find(&paths).unwrap(),
            held_out: Inputs::default(),
            field: "text".into(),
            hold_out_every: 0,
            max_length: 6,
            min_length: 4,
            strict: false,
            keep_going: false,
            threads: 2,
        }
    }

    fn prepare(&self, preparation: &Preparation) -> Result<Prepared> {
        let vocabulary = Vocabulary::read(&self.path("vocab.txt"), false).unwrap();
        prepare(preparation, &vocabulary, &self.path("data"), &Watch::default())
    }

    fn sequences(&self, index: &Index, held_out: bool) -> Vec<Vec<u32>> {
        let entries = if held_out { &index.held_out } else { &index.train };
        let data = Dataset::open(&self.path("data"), entries, index).unwrap();
        let sequence = |i| {
            let mut ids = vec![];
            data.extend(i, &mut ids).unwrap();
            ids
        };
        (0..data.len()).map(sequence).collect()
    }
}

#[test]
fn cuts_drops_counts_and_holds_out() {
    let bench = Bench::new();
    // Seven tokens make two pieces; one is too short; two of three are unknown; every fifth line is held out.
    bench.write("text", "a b a b a b a\na\na x y\nb b\na a b\n\n");
    bench.write("more", "b b b b\n");
    let held_out = Inputs::find(&[bench.path("more")]).unwrap();
    let preparation = Preparation { held_out, hold_out_every: 5, ..bench.preparation(&["text"]) };
    let prepared = bench.prepare(&preparation).unwrap();
    let index = &prepared.index;
    assert_eq!(&Index::read(&bench.path("data")).unwrap(), index);
    assert_eq!((index.lines, index.dropped_short, index.dropped_unknown), (6, 1, 0));
    let train = [vec![2, 5, 6, 5, 6, 3], vec![2, 5, 6, 5, 3], vec![2, 5, 1, 1, 3], vec![2, 6, 6, 3]];
    assert_eq!(bench.sequences(index, false), train);
    assert_eq!(bench.sequences(index, true), [vec![2, 5, 5, 6, 3], vec![2, 6, 6, 6, 6, 3]]);
    assert_eq!(index.counts, [0, 2, 4, 4, 0, 5, 5]);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let bench = Bench::new();
    let text: String = (0..30_000)
        .map(|i| if i % 50 == 7 { "\n".into() } else { format!("{}b\n", "a ".repeat(1 + i * 7 % 13)) })
        .collect();
    bench.write("text", text.as_bytes());
    bench.write("bad", [&text.as_bytes()[..200_000], b"\xff\n"].concat());
    let mut before: Option<(Prepared, Vec<Vec<u8>>)> = None;
    for threads in [1, 2, 7] {
        let preparation = Preparation { threads, hold_out_every: 9, ..bench.preparation(&["text", "bad"]) };
        let prepared = bench.prepare(&preparation).unwrap();
        assert_eq!(prepared.bad.counts().values().sum::<u64>(), 1);
        let entries = prepared.index.train.iter().chain(&prepared.index.held_out);
        let shards = entries.map(|entry| std::fs::read(bench.path("data").join(&entry.file)).unwrap()).collect();
        let result = (prepared, shards);
        if let Some(before) = &before {
            assert_eq!(before, &result, "{threads} threads");
        }
        before = Some(result);
    }
}

#[test]
fn bad_lines_are_counted_or_fatal() {
    let bench = Bench::new();
    let lines = ["{\"text\": \"a b a\"}", "{", "{\"text\": null}", "", "{\"body\": 1}", "{\"text\": \"b b b\"}"];
    let path = bench.write("mixed.jsonl", lines.join("\n"));
    let preparation = bench.preparation(&["mixed.jsonl"]);
    let prepared = bench.prepare(&preparation).unwrap();
    assert_eq!(prepared.index.lines, 2);
    assert_eq!(prepared.bad.counts(), prepared.index.bad_lines);
    let report = prepared.bad.report().join("\n");
    for (line, words) in [(2, "not JSON"), (3, "null"), (5, "without the field")] {
        assert!(report.contains(words) && report.contains(&format!("{}:{line}", path.display())), "{report}");
    }
    let error = bench.prepare(&Preparation { strict: true, ..preparation }).unwrap_err().to_string();
    assert!(error.contains("mixed.jsonl:2: a line not JSON"), "{error}");
}

#[test]
fn damaged_files_are_fatal_or_used_as_far_as_they_go() {
    let bench = Bench::new();
    let text: String = (0..100_000).map(|i| format!("{}a b\n", "a b ".repeat(i * 31 % 17))).collect();
    let zst = zstd::encode_all(text.as_bytes(), 1).unwrap();
    bench.write("cut.txt.zst", &zst[..zst.len() - 20]);
    bench.write("whole.txt", "b b b\n");
    bench.write("none.gz", "not compressed");
    let preparation = bench.preparation(&["cut.txt.zst", "none.gz", "whole.txt"]);
    let error = bench.prepare(&preparation).unwrap_err().to_string();
    assert!(error.contains("cut.txt.zst") && error.contains("--keep-going"), "{error}");
    assert!(!bench.path("data").exists());
    let prepared = bench.prepare(&Preparation { keep_going: true, ..preparation }).unwrap();
    assert_eq!(prepared.index.damaged_files, 2);
    assert!(prepared.damage[0].contains("cut.txt.zst") && prepared.damage[1].contains("none.gz"));
    let sequences = bench.sequences(&prepared.index, false);
    assert_eq!(sequences.last().unwrap(), &[2, 6, 6, 6, 3]);
    assert!(prepared.index.lines > 1000, "{}", prepared.index.lines);
}

#[test]
fn failures_and_interruptions_leave_what_was_there() {
    let bench = Bench::new();
    bench.write("good", "a a a a\n");
    let good = bench.prepare(&bench.preparation(&["good"])).unwrap().index;
    bench.write("bad", "x x x x x x\na\n");
    let error = bench.prepare(&bench.preparation(&["bad"])).unwrap_err().to_string();
    assert!(error.contains("1 pieces were shorter than 4"), "{error}");
    let vocabulary = Vocabulary::read(&bench.path("vocab.txt"), false).unwrap();
    let watch = Watch { stop: AtomicBool::new(true), ..Watch::default() };
    let preparation = bench.preparation(&["good"]);
    let error = prepare(&preparation, &vocabulary, &bench.path("data"), &watch).unwrap_err();
    assert!(matches!(error, Error::Interrupted(_)), "{error}");
    assert_eq!(Index::read(&bench.path("data")).unwrap(), good);
    assert_eq!(bench.sequences(&good, false), [[2, 5, 5, 5, 5, 3]]);
    // A folder that was not there before is not there after.
    let fresh = bench.path("fresh");
    assert!(prepare(&preparation, &vocabulary, &fresh, &watch).is_err());
    assert!(!fresh.exists());
}

#[test]
fn a_smaller_preparation_leaves_no_shards_of_the_larger() {
    let bench = Bench::new();
    bench.write("large", "a b a b\n".repeat(6000));
    bench.write("small", "a b a b\n");
    let shards = || {
        let names = std::fs::read_dir(bench.path("data")).unwrap();
        names.filter(|name| name.as_ref().unwrap().path().extension().is_some_and(|e| e == "bin")).count()
    };
    assert!(bench.prepare(&bench.preparation(&["large"])).unwrap().index.train.len() > 3);
    assert!(shards() > 3);
    bench.prepare(&bench.preparation(&["small"])).unwrap();
    assert_eq!(shards(), 1);
    assert!(!bench.path("data/prepare.part").exists());
}
