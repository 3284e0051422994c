//! `train bench` on a small model.

mod support;

use serde_json::Value;
use support::{fails, train};

const SMALL: [&str; 11] =
    ["bench", "--tiny", "--tokens", "16", "--batch", "8", "--steps", "2", "--warmup", "1", "--device=cpu"];

fn bench(more: &[&str]) -> Value {
    let arguments: Vec<&str> = SMALL.iter().chain(more).copied().collect();
    serde_json::from_str(&train(&arguments)).unwrap()
}

#[test]
fn speed_is_consistent_with_itself() {
    let figures = bench(&[]);
    let number = |key: &str| figures[key].as_f64().unwrap_or_else(|| panic!("no {key}: {figures}"));
    let tokens = number("tokens_per_s") * number("step_ms") / 1e3;
    // 8 sequences of 16 tokens, but for rounding.
    assert!((tokens - 128.0).abs() < 1.0, "{figures}");
    // Teacher: 4 layers of 12 x 128^2 + 2 x 16 x 128, then the head; student: half the layers, three times.
    let layer = 12.0 * 128.0 * 128.0 + 2.0 * 16.0 * 128.0;
    let head = 128.0 * 128.0 + 128.0 * 30522.0;
    let flop = 2.0 * 128.0 * (4.0 * layer + head + 3.0 * (2.0 * layer + head));
    let expected = flop / (number("step_ms") / 1e3) / 1e12;
    assert!((number("model_tflops") - expected).abs() <= 0.0006 + 0.01 * expected, "{figures}, not {expected}");
    assert!(number("loss") > 1.0 && number("peak_gb") > 0.01);
    assert_eq!((&figures["device"], &figures["precision"]), (&"cpu".into(), &"f32".into()));
}

#[test]
fn micro_batches_change_the_speed_and_not_the_loss() {
    let (whole, pieces) = (bench(&[]), bench(&["--micro-tokens", "32"]));
    assert_eq!(pieces["micro_tokens"], 32);
    let loss = |figures: &Value| figures["loss"].as_f64().unwrap();
    // Dropout differs: its masks belong to pieces.
    assert!((loss(&whole) - loss(&pieces)).abs() < 0.1 * loss(&whole), "{whole} {pieces}");
    assert!(bench(&["--sweep"])["micro_tokens"].is_u64());
}

#[test]
fn a_trace_counts_what_a_gpu_would_do() {
    let figures = bench(&["--trace"]);
    let trace = &figures["trace"];
    let operations = trace["operations"].as_array().unwrap();
    for key in ["launches", "bytes", "flops"] {
        let sum: u64 = operations.iter().map(|entry| entry[key].as_u64().unwrap()).sum();
        assert!(sum > 0 && trace[key] == sum, "{key}: {trace}");
    }
    // More tokens take more bytes and operations and as many launches.
    let arguments: Vec<&str> = SMALL.iter().map(|a| if *a == "16" { "32" } else { a }).chain(["--trace"]).collect();
    let longer: Value = serde_json::from_str(&train(&arguments)).unwrap();
    let longer = &longer["trace"];
    assert!(longer["flops"].as_u64() > trace["flops"].as_u64() && longer["bytes"].as_u64() > trace["bytes"].as_u64());
}

#[test]
fn sizes_that_cannot_be_are_errors() {
    let text = fails(1, &["bench", "--tiny", "--tokens", "513", "--device", "cpu"]);
    assert!(text.contains("--tokens must lie between 1 and 512"), "{text}");
}
