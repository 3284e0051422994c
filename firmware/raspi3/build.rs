//! Hands the linker script to the linker.

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    println!("cargo:rustc-link-arg-bins=-T{folder}/raspi3.ld");
    println!("cargo:rerun-if-changed=raspi3.ld");
    println!("cargo:rerun-if-changed=build.rs");
}
