//! `tools report` without a browser: what is on the page, that it is the same every time, and that no name becomes markup.

mod support;

use std::process::Command;

use assert_cmd::cargo::CommandCargoExt;
use distil_tools::fixture::Fixture;
use distil_tools::hf::{Architecture, HeadKind};
use serde_json::json;
use support::{Place, edit_config};

/// An embedding model packed to `8.distil` and `4.distil`, with texts.
fn place() -> Place {
    let fixture = Fixture { architecture: Architecture::Bert, head: HeadKind::Embedding, ..Fixture::default() };
    let place = Place::with(&fixture);
    place.ok(&["pack", "model", "-o", "8.distil"]);
    place.ok(&["pack", "model", "-o", "4.distil", "--weights", "int4"]);
    place.write("text.txt", "turn the lights off\nthe cat sat on the table\nred wine, please\nwho is there?\nyes\n");
    place
}

fn page(place: &Place, args: &[&str]) -> String {
    place.ok(&[&["report", "-o", "page.html"], args].concat());
    std::fs::read_to_string(place.path("page.html")).unwrap()
}

/// The plots of a class.
fn plots<'a>(html: &'a str, class: &str) -> Vec<&'a str> {
    let end = format!("class=\"{class}\"");
    let all = html.split("<svg ").skip(1).map(|rest| rest.split_once("</svg>").unwrap().0);
    all.filter(|plot| plot.split_once('>').unwrap().0.contains(&end)).collect()
}

/// The number behind ` name="` in each element of the kind `tag` whose classes contain `class`.
fn numbers(plot: &str, tag: &str, class: &str, name: &str) -> Vec<f64> {
    let (tag, name) = (format!("<{tag} "), format!("{name}=\""));
    let elements = plot.split(&tag).skip(1).map(|rest| rest.split_once('>').unwrap().0);
    let number = |element: &str| {
        let value = element.split(' ').find_map(|attribute| attribute.strip_prefix(&name)).unwrap();
        value.trim_end_matches('"').parse().unwrap()
    };
    elements.filter(|element| element.contains(class)).map(number).collect()
}

#[test]
fn treemaps_have_every_tensor_and_every_byte() {
    let place = place();
    let html = page(&place, &["8.distil", "--no-bench"]);
    let report = place.json(&["inspect", "8.distil", "--json"]);
    let tensors = report["tensors"].as_array().unwrap();
    for (class, width, height) in [("treemap wide", 760.0, 430.0), ("treemap narrow", 340.0, 480.0)] {
        let [map] = plots(&html, class)[..] else { panic!("one {class}") };
        let side = |name| numbers(map, "rect", "cell", name);
        let areas: Vec<f64> = side("width").into_iter().zip(side("height")).map(|(w, h)| w * h).collect();
        // Vocabulary, labels (an empty list of them), manifest, and the rest.
        assert_eq!(areas.len(), tensors.len() + 4);
        // Coordinates have two digits, and what is too small for them is drawn a little larger.
        let whole: f64 = areas.iter().sum();
        assert!((whole / (width * height) - 1.0).abs() < 2e-3, "{whole}");
        for tensor in tensors {
            let name = tensor["name"].as_str().unwrap();
            let tip = format!("<title>{name}\n");
            let at = map.find(&tip).unwrap_or_else(|| panic!("{name} is missing"));
            let bytes = tensor["bytes"].as_u64().unwrap() as f64;
            let area = areas[map[..at].matches("<title>").count()] / (width * height);
            let share = bytes / report["bytes"].as_u64().unwrap() as f64;
            assert!((area - share).abs() < 1e-3, "{name}: {area} {share}");
        }
    }
    // The table has the file's size, and every tensor is in the table of tensors.
    let thousands = "<tr><th scope=\"row\">file</th><td>";
    assert!(html.contains(thousands));
    for tensor in tensors {
        assert!(html.contains(&format!("<tr><th scope=\"row\">{}</th>", tensor["name"].as_str().unwrap())));
    }
}

#[test]
fn the_page_grows_with_what_it_is_given() {
    let place = place();
    let sections = |html: &str| {
        let ids = html.split("<section id=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0.to_owned());
        ids.collect::<Vec<_>>()
    };
    let small = page(&place, &["8.distil", "--no-bench"]);
    assert_eq!(sections(&small), ["summary", "bytes", "tensors", "weights", "memory"]);
    assert!(small.contains("--against DIR --text FILE") && small.contains("(--no-bench)"));

    let both =
        ["8.distil", "4.distil", "--against", "model", "--text", "text.txt", "--lengths", "4,16", "--seconds", "0"];
    let large = page(&place, &both);
    let all = ["summary", "quality", "bytes", "tensors", "layers", "weights", "activations", "latency", "memory"];
    assert_eq!(sections(&large), all);
    assert!(!large.contains("--against DIR"));
    // One point for each file; two curves of three places; two of two lengths; three plans of the fixture's 5 lengths.
    let [quality, layers, latency, memory] = plots(&large, "plot")[..] else { panic!("four plots") };
    let dots = |plot: &str| plot.matches("<circle").count();
    assert_eq!([quality, layers, latency, memory].map(dots), [2, 2 * 3, 2 * 2, 3 * 5]);
    // The smaller file is further left and lower.
    let (x, y) = (numbers(quality, "circle", "m", "cx"), numbers(quality, "circle", "m", "cy"));
    assert!(x[1] < x[0] && y[1] > y[0], "{x:?} {y:?}");
}

#[test]
fn the_figures_are_those_of_verify() {
    let place = place();
    let report =
        place.json(&["report", "4.distil", "--against", "model", "--text", "text.txt", "--no-bench", "--json"]);
    let file = &report["files"][0];
    let verify =
        place.json(&["verify", "4.distil", "--against", "model", "--text", "text.txt", "--min-cosine", "0", "--json"]);
    let near = |a: &serde_json::Value, b: &serde_json::Value| (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-12;
    assert!(near(&file["fidelity"]["least_cosine"], &verify["min_output_cosine"]));
    for (here, there) in file["tensors"].as_array().unwrap().iter().zip(verify["tensors"].as_array().unwrap()) {
        assert_eq!(here["name"], there["name"]);
        assert!(near(&here["error"]["relative"], &there["relative"]));
    }
    // Errors grow from the embeddings to the last layer, and the file is not exact anywhere.
    let layers = file["fidelity"]["layers"].as_array().unwrap();
    let errors: Vec<f64> = layers.iter().map(|layer| layer["relative"].as_f64().unwrap()).collect();
    assert!(errors.len() == 3 && errors[0] > 0.01 && errors[2] > errors[0] && errors[2] < 0.5, "{errors:?}");
    assert_eq!((&report["original"]["texts"], &report["original"]["source"]), (&json!(5), &json!("text.txt")));
    // A range holds its values.
    for tensor in file["tensors"].as_array().unwrap() {
        let number = |key: &str| tensor["range"][key].as_f64().unwrap();
        assert!(number("min") <= number("max") && number("rms") <= number("max").max(-number("min")) + 1e-9);
        assert!(number("bulk") <= number("max").max(-number("min")));
    }
}

#[test]
fn the_same_input_gives_the_same_page() {
    let place = place();
    let make = |threads: &str, name: &str| {
        let mut command = Command::cargo_bin("tools").unwrap();
        command.current_dir(place.0.path()).env("RAYON_NUM_THREADS", threads);
        command.args([
            "report",
            "8.distil",
            "4.distil",
            "--against",
            "model",
            "--text",
            "text.txt",
            "--no-bench",
            "-o",
            name,
        ]);
        assert!(command.status().unwrap().success());
        std::fs::read(place.path(name)).unwrap()
    };
    let first = make("1", "a.html");
    for threads in ["1", "2", "5"] {
        assert!(make(threads, "b.html") == first, "{threads} threads");
    }
}

#[test]
fn limit_takes_texts_from_all_over_the_file() {
    let place = place();
    let run = |limit: &str| {
        let args = [
            "report",
            "8.distil",
            "--against",
            "model",
            "--text",
            "text.txt",
            "--limit",
            limit,
            "--no-bench",
            "--json",
        ];
        place.json(&args)["original"].clone()
    };
    assert_eq!((&run("3")["texts"], &run("9")["texts"]), (&json!(3), &json!(5)));
    // The first, the second and the fourth of five.
    let tokens =
        |text: &str| place.json(&["tokenize", "8.distil", "--text", text, "--json"])["ids"].as_array().unwrap().len();
    let three = ["turn the lights off", "the cat sat on the table", "who is there?"].map(tokens);
    assert_eq!(run("3")["tokens"], json!(three.iter().sum::<usize>()));
}

#[test]
fn no_name_becomes_markup() {
    let evil = "<script>alert(1)<!script>\"'&";
    let place = Place::with(&Fixture { head: HeadKind::SequenceClassification, ..Fixture::default() });
    edit_config(&place.path("model"), "id2label", json!({ "0": evil, "1": "</title>" }));
    let [a, b] = ["a", "b"].map(|name| format!("{name}{evil}.distil"));
    place.ok(&["pack", "model", "-o", &a]);
    std::fs::copy(place.path(&a), place.path(&b)).unwrap();
    std::fs::rename(place.path("model"), place.path(evil)).unwrap();
    place.write("<i>.txt", "the cat\n");
    let html = page(&place, &[&a, &b, "--against", evil, "--text", "<i>.txt", "--no-bench"]);
    assert_eq!((html.matches("<script").count(), html.matches("</script>").count()), (1, 1));
    assert_eq!(html.matches("<i>.txt").count() + html.matches("alert(1)<!").count(), 0);
    assert!(html.contains("&lt;script&gt;alert(1)&lt;!script&gt;&quot;&#39;&amp;.distil"));
    assert!(html.contains("&lt;i&gt;.txt"));
    // Nothing comes from elsewhere, and no attribute runs anything.
    for outside in ["src=", "href=", "url(", "@import", "fetch(", "style=", "http:", "https:", " onload"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(html.contains("default-src 'none'; style-src 'sha256-"));
}

#[test]
fn unusable_arguments() {
    let place = place();
    Fixture { layers: 1, head: HeadKind::Embedding, ..Fixture::default() }.write(&place.path("other")).unwrap();
    place.write("empty.txt", "\n");
    let mut said = String::new();
    for args in [
        &["report", "absent.distil"][..],
        &["report", "text.txt"],
        &["report", "8.distil", "--against", "other"],
        &["report", "8.distil", "--against", "model", "--text", "empty.txt"],
        &["report", "8.distil", "--against", "model", "--text", "text.txt", "--limit", "0"],
        &["report", "8.distil", "--lengths", "8,1000"],
        &["report", "8.distil", "--seconds=-1"],
        &["report", "8.distil", "--no-bench", "-o", "no/such/folder.html"],
    ] {
        said += &place.fails(args);
    }
    insta::assert_snapshot!(said);
    assert!(!place.path("report.html").exists());
}

/// Files without a part of the vocabulary, or of the positions, each beside what is left of the original.
#[test]
fn files_packed_without_a_part_are_compared_with_the_rest() {
    let place = place();
    place.ok(&["pack", "model", "-o", "kept.distil", "--keep-vocab", "text.txt"]);
    place.ok(&["pack", "model", "-o", "short.distil", "--max-tokens", "16"]);
    let compare = |files: &[&str]| {
        let with = ["--against", "model", "--text", "text.txt", "--no-bench", "--json"];
        place.json(&[&["report"], files, &with[..]].concat())
    };
    let all = compare(&["8.distil", "kept.distil", "short.distil"]);
    let files = all["files"].as_array().unwrap();
    // The texts need nothing that was dropped, so all three compute the same numbers.
    assert!(files[0]["fidelity"]["mean_cosine"].as_f64().unwrap() > 0.99);
    for file in &files[1..] {
        assert_eq!(file["fidelity"], files[0]["fidelity"], "{}", file["name"]);
        assert!(file["bytes"].as_u64() < files[0]["bytes"].as_u64());
    }
    let (alone, whole) = (compare(&["kept.distil"]), compare(&["8.distil"]));
    assert_eq!(alone["files"][0], files[1]);
    assert_eq!(
        (&alone["activations"], &alone["original"]["tokens"]),
        (&whole["activations"], &whole["original"]["tokens"])
    );
    place.ok(&["verify", "short.distil", "--against", "model"]);
}
