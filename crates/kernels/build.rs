//! Says whether the target is an M-profile processor, and which: its architecture is the same `arm`
//! as that of processors with an A or R profile, whose registers and instructions are others.

use std::env;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(m_profile, values(\"7e\", \"8\"))");
    println!("cargo::rerun-if-changed=build.rs");
    // ARMv7E-M, and ARMv8-M with the main extension: others have neither DSP nor vectors.
    let target = env::var("TARGET").unwrap_or_default();
    if target.starts_with("thumbv7em-") {
        println!("cargo::rustc-cfg=m_profile=\"7e\"");
    } else if target.starts_with("thumbv8m.main-") {
        println!("cargo::rustc-cfg=m_profile=\"8\"");
    }
}
