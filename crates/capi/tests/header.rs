//! `include/distil.h` is what cbindgen makes of this crate. `DISTIL_WRITE_HEADER=1` writes it (`cargo xtask capi header`).

use std::path::Path;

#[test]
fn the_header_is_that_of_the_source() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).expect("a good configuration");
    let mut builder = cbindgen::Builder::new().with_config(config);
    let boundary = ["panic", "opening", "model", "session", "answers"].map(|name| format!("boundary/{name}"));
    for name in ["status", "types"].map(str::to_owned).iter().chain(&boundary) {
        builder = builder.with_src(folder.join("src").join(name).with_extension("rs"));
    }
    let mut made = Vec::new();
    builder.generate().expect("the source is understood").write(&mut made);
    let made = String::from_utf8(made).expect("a header is UTF-8");
    let path = folder.join("include/distil.h");
    if std::env::var_os("DISTIL_WRITE_HEADER").is_some() {
        std::fs::write(&path, &made).expect("the header can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    let difference = made.lines().zip(found.lines()).find(|(made, found)| made != found);
    assert!(made == found, "{} is out of date; run `cargo xtask capi header`: {difference:?}", path.display());
}
