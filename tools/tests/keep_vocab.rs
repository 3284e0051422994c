//! Dropping vocabulary entries: what stays is cut, stored and computed as before.

mod support;

use distil_format::{AlignedBytes, Artifact};
use distil_tools::fixture::Fixture;
use distil_tools::hf::{Architecture, HeadKind};
use distil_tools::pack::Manifest;
use distil_tools::sequence::{Pieces, Sequencer};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};
use support::{Place, shared};

const TEXT: &str = "turn the lights off in the kitchen\nthe cat sat on the table\n\nwhere is the wine? naïve [MASK]\n";

fn read(place: &Place, name: &str) -> AlignedBytes {
    AlignedBytes::copy_of(&std::fs::read(place.path(name)).unwrap())
}

/// The pieces of a text.
fn cut(sequencer: &Sequencer<'_>, pieces: &mut Pieces<'_>, text: &str) -> Vec<String> {
    sequencer.plain(text).ids.into_iter().map(|id| pieces.get(id).to_owned()).collect()
}

#[test]
fn answers_on_the_text_are_the_same_bits() {
    for architecture in [Architecture::Bert, Architecture::DistilBert] {
        for head in [HeadKind::Embedding, HeadKind::MaskedLm, HeadKind::SequenceClassification] {
            let place = Place::packed(&Fixture { architecture, head, ..Fixture::default() });
            place.write("text.txt", TEXT);
            let report = place.json(&["pack", "model", "-o", "kept.distil", "--keep-vocab", "text.txt", "--json"]);
            let kept = &report["kept_vocabulary"];
            assert_eq!((&kept["of"], &kept["same"], &kept["inner_characters"]), (&512.into(), &1.0.into(), &0.into()));
            assert!(kept["expected"].is_null(), "three lines are too few");
            let (full, small) = (read(&place, "model.distil"), read(&place, "kept.distil"));
            // The manifest grew by a few words, and every tensor and section is padded to 64 bytes.
            let saved = kept["saved_bytes"].as_u64().unwrap().abs_diff((full.len() - small.len()) as u64);
            assert!(saved < 512, "{saved}");
            // Special tokens mean what they did; what people read is the same, ids are not.
            for text in ["turn the [MASK] off", "where is the cat on the table?"] {
                let answer = |file: &str| place.json(&["run", file, "--text", text, "--top", "1000", "--json"]);
                if head == HeadKind::MaskedLm && !text.contains("[MASK]") {
                    continue;
                }
                let (full, small) = (answer("model.distil"), answer("kept.distil"));
                match head {
                    HeadKind::Embedding => assert_eq!(full["embedding"], small["embedding"]),
                    HeadKind::MaskedLm => {
                        let full = full["masks"][0]["candidates"].as_array().unwrap();
                        let small = small["masks"][0]["candidates"].as_array().unwrap();
                        assert_eq!(small.len() as u64, kept["entries"].as_u64().unwrap());
                        for word in small {
                            let same = full.iter().find(|other| other["token"] == word["token"]).unwrap();
                            assert_eq!(same["logit"], word["logit"]);
                        }
                    }
                    _ => assert_eq!(full["labels"], small["labels"]),
                }
            }
            place.ok(&["verify", "kept.distil", "--against", "model", "--min-cosine", "0.999"]);
            place.ok(&["pack", "model", "-o", "again.distil", "--keep-vocab", "text.txt"]);
            assert!(small[..] == read(&place, "again.distil")[..], "not deterministic");
        }
    }
}

#[test]
fn the_manifest_says_what_was_dropped() {
    let place = Place::with(&Fixture::default());
    place.write("text.txt", TEXT);
    let said = place.ok(&["pack", "model", "-o", "kept.distil", "--keep-vocab", "text.txt"]);
    assert!(said.contains("of 512 entries kept") && said.contains("100.00% of them as before"), "{said}");
    let bytes = read(&place, "kept.distil");
    let artifact = Artifact::open(&bytes).unwrap();
    let kept = Manifest::from_cbor(artifact.manifest()).unwrap().kept_vocabulary.unwrap();
    assert_eq!((kept.of, kept.entries), (512, artifact.vocabulary().len() as u64));
    assert_eq!(kept.entries, u64::from(artifact.config().vocab_size));
    let hash: String = Sha256::digest(TEXT).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(kept.text_sha256, hash);
    let vocabulary = artifact.vocabulary();
    for present in ["[PAD]", "[MASK]", "kitchen", "z", "##z"] {
        assert!(vocabulary.get(present).is_some(), "{present}");
    }
    for dropped in ["[unused0]", "monday"] {
        assert!(vocabulary.get(dropped).is_none(), "{dropped}");
    }
    place.write("empty.txt", " \n\n");
    let mut said = place.fails(&["pack", "model", "-o", "out.distil", "--keep-vocab", "empty.txt"]);
    said += &place.fails(&["pack", "model", "-o", "out.distil", "--keep-vocab", "nothing.txt"]);
    insta::assert_snapshot!(said);
}

/// Random words of letters and of entries: cut as before if all their pieces stayed, and never `[UNK]` if they were not.
fn words_are_cut_as_before(place: &Place) {
    let (full, small) = (read(place, "model.distil"), read(place, "kept.distil"));
    let (full, small) = (Artifact::open(&full).unwrap(), Artifact::open(&small).unwrap());
    let before = Sequencer::new(full.config(), full.vocabulary());
    let after = Sequencer::new(small.config(), small.vocabulary());
    let entries = distil_tools::unpack::pieces(full.vocabulary()).unwrap();
    let (mut pieces, mut kept_pieces) = (before.pieces(), after.pieces());
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut draw = |below: usize| random.next_u32() as usize % below;
    let (mut same, mut changed, mut unknown) = (0, 0, 0);
    for _ in 0..3000 {
        let mut word = String::new();
        for _ in 0..1 + draw(3) {
            match draw(3) {
                0 => word.push((b'a' + draw(26) as u8) as char),
                _ => word += entries[draw(entries.len())].trim_start_matches("##"),
            }
        }
        let (old, new) = (cut(&before, &mut pieces, &word), cut(&after, &mut kept_pieces, &word));
        unknown += usize::from(old.iter().any(|piece| piece == "[UNK]"));
        if old.iter().all(|piece| small.vocabulary().get(piece).is_some()) {
            assert_eq!(old, new, "{word}");
            same += 1;
        } else {
            let count = |cut: &[String]| cut.iter().filter(|piece| *piece == "[UNK]").count();
            assert!(count(&new) <= count(&old), "{word}: {old:?} {new:?}");
            changed += 1;
        }
    }
    println!("{same} words as before, {changed} in other pieces, {unknown} unknown");
    assert!(same > 100 && changed > 100);
}

#[test]
fn words_of_kept_pieces_are_cut_as_before() {
    let place = Place::packed(&Fixture::default());
    place.write("text.txt", TEXT);
    place.ok(&["pack", "model", "-o", "kept.distil", "--keep-vocab", "text.txt"]);
    words_are_cut_as_before(&place);
}

/// The same with BERT's own vocabulary and 300 paragraphs of Wikipedia.
#[test]
fn a_real_vocabulary_and_real_text() {
    let (Some(vocabulary), Some(text)) = (shared("data/vocab/vocab.txt"), shared("data/text/wiki-valid.txt")) else {
        return;
    };
    let vocabulary = std::fs::read_to_string(vocabulary).unwrap().lines().map(str::to_owned).collect();
    let fixture = Fixture {
        hidden: 16,
        layers: 1,
        heads: 2,
        intermediate: 32,
        vocabulary: Some(vocabulary),
        ..Fixture::default()
    };
    let place = Place::packed(&fixture);
    let text = std::fs::read_to_string(text).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).take(300).collect();
    place.write("text.txt", lines.join("\n"));
    let report = place.json(&["pack", "model", "-o", "kept.distil", "--keep-vocab", "text.txt", "--json"]);
    let kept = &report["kept_vocabulary"];
    println!("{kept}");
    assert_eq!((&kept["of"], &kept["same"], &kept["inner_characters"]), (&30_522.into(), &1.0.into(), &0.into()));
    let expected = kept["expected"].as_f64().unwrap();
    assert!(expected > 0.9 && expected < 1.0, "{expected}");
    words_are_cut_as_before(&place);
}

/// The same text gives the same file, whatever it was compressed with.
#[test]
fn compressed_texts_are_read() {
    let place = Place::with(&Fixture { head: HeadKind::MaskedLm, ..Fixture::default() });
    place.write("text.txt", TEXT);
    place.write("text.zst", zstd::stream::encode_all(TEXT.as_bytes(), 3).unwrap());
    let made = ["text.txt", "text.zst"].map(|text| {
        place.ok(&["pack", "model", "-o", "made.distil", "--keep-vocab", text, "--calibrate", text]);
        read(&place, "made.distil")
    });
    assert!(made[0][..] == made[1][..]);
    let measure = |text: &str| place.json(&["eval", "made.distil", "--task", "mlm", "--data", text, "--json"]);
    assert_eq!(measure("text.txt"), measure("text.zst"));
    place.write("text.zst", &zstd::stream::encode_all(TEXT.as_bytes(), 3).unwrap()[..20]);
    let said = place.fails(&["pack", "model", "-o", "made.distil", "--calibrate", "text.zst"]);
    assert!(said.contains("text.zst: cannot be decompressed") && said.ends_with("exit code 2\n"), "{said}");
}
