//! Hands the linker script to the linker.

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    println!("cargo:rustc-link-arg-bins=-T{folder}/pi.ld");
    println!("cargo:rerun-if-changed=pi.ld");
    println!("cargo:rerun-if-changed=build.rs");
}
