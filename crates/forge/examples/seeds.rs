//! Writes the inputs that the fuzzer starts from: `cargo run -p distil-forge --example seeds -- FOLDER`.

use std::path::Path;
use std::{env, fs, io};

use distil_forge::{Kind, Stored, file, kinds, targets};
use distil_format::{Dtype, Head, Layout};

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).ok_or_else(|| io::Error::other("give the folder to write to"))?;
    for (target, _) in targets::ALL {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        // The writer's first byte says: a file that is read and written again.
        let before: &[u8] = if target == "write" { &[0] } else { &[] };
        let put = |name: String, input: &[u8]| fs::write(folder.join(name), [before, input].concat());
        for number in 0..kinds().len() as u8 {
            let text = "\x07Ab é 中[MASK]".as_bytes();
            put(format!("kind{number:02}"), &[&[number, 0, 0], text].concat())?;
            let change =
                [number, 1, number.wrapping_mul(23), number, number.wrapping_mul(7), 0, number.wrapping_mul(41), 0];
            put(format!("change{number:02}"), &[&change, text].concat())?;
        }
        let whole = Kind { head: Head::MaskedLm, stored: Stored::All(Dtype::Int8, Layout::Tile16) };
        put("whole".to_owned(), &[&[0xC0][..], &file(whole)].concat())?;
    }
    // The writer's other half: a configuration, texts, numbers.
    let parts = [1, 0, 1, 0, 0, 1, 2, 3, 4, 4, 1, 5, 7, 6, 0, 2, 3, 2, 97, 98, 5, 1, 97, 1, 98, 2, 99, 100, 1, 101];
    fs::write(Path::new(&folder).join("write/parts"), [&parts[..], &[0x80, 0x3F], &[0; 6], &[1, 2, 3, 5]].concat())
}
