//! The bytes of a packed file, compiled or linked into a program and written out again by it.

mod support;

use std::path::Path;
use std::process::Command;

use distil_tools::fixture::Fixture;
use support::Place;

/// Whether a program can be started; says so where it cannot.
fn have(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED: no {program} here");
    }
    found
}

const MAIN: &str = "
#include <stdint.h>
#include <stdio.h>
#include \"tiny.h\"
int main(void) {
    if ((uintptr_t)tiny % 64 != 0) return 3;
    unsigned checksum = tiny[24] | tiny[25] << 8 | tiny[26] << 16 | (unsigned)tiny[27] << 24;
    if (checksum != TINY_CHECKSUM) return 4;
    return fwrite(tiny, 1, TINY_LEN, stdout) == sizeof(tiny) ? 0 : 5;
}
";

fn small() -> Place {
    let fixture = Fixture { hidden: 16, layers: 1, heads: 2, intermediate: 32, vocab_size: 120, ..Fixture::default() };
    let place = Place::packed(&fixture);
    place.write("main.c", MAIN);
    place
}

/// Compiles and links `files` and gives what the program writes.
fn build_and_run(place: &Place, files: &[&str]) -> Vec<u8> {
    let built = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-o", "program"])
        .args(files)
        .current_dir(place.path(""))
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    assert!(built.stderr.is_empty(), "{}", String::from_utf8_lossy(&built.stderr));
    let output = Command::new(place.path("program")).output().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    output.stdout
}

fn packed(place: &Place) -> Vec<u8> {
    std::fs::read(place.path("model.distil")).unwrap()
}

#[cfg(unix)]
#[test]
fn the_array_compiles_to_the_file() {
    let place = small();
    place.ok(&["export-c", "model.distil", "-o", "tiny.c", "--header", "tiny.h", "--name", "tiny"]);
    if have("cc") {
        assert!(build_and_run(&place, &["main.c", "tiny.c"]) == packed(&place));
    }
    // The same as C++, where const things are hidden unless declared.
    if have("c++") {
        let built = Command::new("c++")
            .args(["-x", "c++", "-Wall", "-Werror", "-c", "tiny.c", "-o", "tiny.o"])
            .current_dir(place.path(""))
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        assert!(build_and_run(&place, &["main.c", "tiny.o"]) == packed(&place));
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn the_object_links_to_the_file() {
    let place = small();
    let export = ["export-c", "model.distil", "-o", "tiny.o", "--name", "tiny", "--header", "tiny.h"];
    place.ok(&[&export[..], &["--object", "--target", "x86-64"]].concat());
    if have("cc") {
        assert!(build_and_run(&place, &["main.c", "tiny.o"]) == packed(&place));
    }
}

#[test]
fn objects_are_what_readelf_expects() {
    if !have("readelf") {
        return;
    }
    let place = small();
    let len = packed(&place).len();
    for (target, machine, class, flags) in [
        ("arm", "ARM", "ELF32", "0x5000000, Version5 EABI"),
        ("aarch64", "AArch64", "ELF64", "0x0"),
        ("x86-64", "Advanced Micro Devices X86-64", "ELF64", "0x0"),
    ] {
        place.ok(&["export-c", "model.distil", "-o", "tiny.o", "--name", "tiny", "--object", "--target", target]);
        let shown = Command::new("readelf")
            .args(["--wide", "--file-header", "--sections", "--symbols", "--lint", "tiny.o"])
            .current_dir(place.path(""))
            .output()
            .unwrap();
        // The mark of a stack that is not executable is an empty section, in every object file.
        let warned = String::from_utf8_lossy(&shown.stderr).into_owned();
        let warned: Vec<&str> = warned.lines().filter(|line| !line.contains(".note.GNU-stack")).collect();
        assert!(warned.is_empty(), "{target}: {warned:?}");
        let shown = String::from_utf8(shown.stdout).unwrap();
        let words = |start: &str| {
            let line = shown.lines().find(|line| line.contains(start)).unwrap_or_else(|| panic!("{start}: {shown}"));
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(words("Machine:"), format!("Machine: {machine}"));
        assert_eq!(words("Class:"), format!("Class: {class}"));
        assert_eq!(words("Flags: "), format!("Flags: {flags}"));
        let section = words(".rodata.distil.tiny");
        assert!(section.contains(&format!("{len:06x}")) && section.ends_with("A 0 0 64"), "{section}");
        let symbol = words("OBJECT");
        assert!(symbol.contains(&format!("{len} OBJECT GLOBAL DEFAULT 1 tiny")), "{symbol}");
        // Where the section says they are, the bytes of the file.
        let object = std::fs::read(place.path("tiny.o")).unwrap();
        assert!(object[64..64 + len] == packed(&place));
    }
}

#[test]
fn names_and_options() {
    let place = small();
    std::fs::copy(place.path("model.distil"), place.path("4-bit model.distil")).unwrap();
    let report = place.json(&["export-c", "4-bit model.distil", "-o", "out.c", "--json"]);
    assert_eq!(report["name"], "model_4_bit_model");
    std::fs::remove_file(place.path("out.c")).unwrap();
    let before = place.listing();
    let mut said = place.fails(&["export-c", "model.distil", "-o", "out.c", "--name", "int"]);
    said += &place.fails(&["export-c", "model.distil", "-o", "out.o", "--object"]);
    said += &place.fails(&["export-c", "model.distil", "-o", "out.o", "--target", "arm"]);
    said += &place.fails(&["export-c", "main.c", "-o", "out.c"]);
    assert_eq!(place.listing(), before);
    insta::assert_snapshot!(said);
    assert!(!Path::new("out.c").exists());
}
