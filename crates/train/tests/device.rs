//! `--device`: what is asked for is opened, or the reason is one line.

mod support;

use support::command;

fn devices(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = command().arg("devices").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_cpu_is_always_there() {
    let (code, listed, said) = devices(&["--device", "cpu"]);
    assert_eq!(code, Some(0));
    assert!(listed.starts_with("cpu: "), "{listed}");
    assert!(said.contains("computing on the CPU") && said.contains("in f32"), "{said}");
    let (_, _, said) = devices(&["--device", "cpu", "--precision", "bf16"]);
    assert!(said.contains("in bf16"), "{said}");
}

#[test]
fn a_device_that_makes_no_sense_is_wrong_usage() {
    for device in ["gpu", "cuda:", "cuda:one"] {
        let (code, _, said) = devices(&["--device", device]);
        assert_eq!(code, Some(2), "{device}");
        assert!(said.contains("auto, cpu, cuda or cuda:N"), "{said}");
    }
}

#[cfg(not(feature = "cuda"))]
#[test]
fn without_cuda_the_program_says_how_to_get_it() {
    let (code, _, said) = devices(&["--device", "cuda"]);
    assert_eq!(code, Some(1));
    assert_eq!(said, "error: this binary was built without CUDA; build it with `cargo xtask build-cuda`\n");
    let (code, listed, said) = devices(&[]);
    assert_eq!(code, Some(0));
    assert!(listed.contains("cuda: none; this binary was built without CUDA"), "{listed}");
    assert!(said.contains("no GPU: this binary was built without CUDA") && said.contains("on the CPU"), "{said}");
}
