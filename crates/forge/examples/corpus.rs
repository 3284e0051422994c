//! The inputs that the fuzzer starts from, which the repository has in one file for each target
//! (`crates/format/fuzz/corpus/TARGET.inputs`) and the fuzzer wants in a folder for each:
//!
//!     cargo run -p distil-forge --example corpus -- unpack FOLDER     # into FOLDER/TARGET, for the fuzzer
//!     cargo run -p distil-forge --example corpus -- pack FOLDER       # from there, in the order of their names

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use distil_forge::{pack_inputs, targets, unpack_inputs};

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [verb, folder] = &args[..] else { return Err(io::Error::other("give `unpack` or `pack`, and a folder")) };
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../format/fuzz/corpus");
    for (target, _) in targets::ALL {
        let (packed, folder) = (corpus.join(format!("{target}.inputs")), Path::new(folder).join(target));
        let count = match &verb[..] {
            "unpack" => unpack(&packed, &folder)?,
            "pack" => pack(&folder, &packed)?,
            other => return Err(io::Error::other(format!("`{other}` is neither `unpack` nor `pack`"))),
        };
        println!("{target}: {count} inputs");
    }
    Ok(())
}

fn unpack(packed: &Path, folder: &Path) -> io::Result<usize> {
    let bytes = fs::read(packed)?;
    let inputs = unpack_inputs(&bytes).ok_or_else(|| io::Error::other(format!("{}: cut short", packed.display())))?;
    fs::create_dir_all(folder)?;
    for (number, input) in inputs.iter().enumerate() {
        fs::write(folder.join(format!("{number:04}")), input)?;
    }
    Ok(inputs.len())
}

fn pack(folder: &Path, packed: &Path) -> io::Result<usize> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    names.sort();
    let inputs: Vec<Vec<u8>> = names.iter().map(fs::read).collect::<io::Result<_>>()?;
    fs::write(packed, pack_inputs(inputs.iter().map(Vec::as_slice)))?;
    Ok(inputs.len())
}
