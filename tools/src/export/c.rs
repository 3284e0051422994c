//! C source: the bytes as an array, and the header that declares it.

use std::io::{self, Write};

/// Words of C and C++ that no symbol can have as its name.
const KEYWORDS: &str = "alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t \
    char8_t class co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue \
    decltype default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline \
    int long main mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register \
    reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch template \
    this thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using virtual void volatile \
    wchar_t while xor xor_eq";

/// Whether `name` can be the name of an array in C and C++.
pub fn is_identifier(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(letter)
        && name.chars().all(|c| letter(c) || c.is_ascii_digit())
        && !KEYWORDS.split_whitespace().any(|keyword| keyword == name)
}

/// A name for the array, from the name of a file.
pub fn identifier(stem: &str) -> String {
    let name: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if is_identifier(&name) { name } else { format!("model_{name}") }
}

/// What is written besides the bytes.
pub(super) struct Place<'a> {
    /// The array's name.
    pub(super) name: &'a str,
    /// The section it lies in.
    pub(super) section: &'a str,
    /// Its length.
    pub(super) len: usize,
    /// One line on what it is.
    pub(super) about: &'a str,
    /// The packed file's checksum.
    pub(super) checksum: u32,
}

/// Numbers on a line.
const LINE: usize = 32;

/// Writes the source file.
pub(super) fn source(out: &mut dyn Write, place: &Place<'_>, bytes: &[u8]) -> io::Result<()> {
    let Place { name, section, len, about, .. } = place;
    write!(
        out,
        "/* {about} */

#if defined(__APPLE__)
#define DISTIL_PLACE __attribute__((aligned(64), section(\"__TEXT,__distil\")))
#elif defined(__GNUC__)
#define DISTIL_PLACE __attribute__((aligned(64), section(\"{section}\")))
#elif defined(_MSC_VER)
#define DISTIL_PLACE __declspec(align(64))
#elif defined(__cplusplus)
#define DISTIL_PLACE alignas(64)
#else
#define DISTIL_PLACE _Alignas(64)
#endif

#ifdef __cplusplus
extern \"C\" {{
#endif
extern const unsigned char {name}[{len}];
#ifdef __cplusplus
}}
#endif

DISTIL_PLACE const unsigned char {name}[{len}] = {{
"
    )?;
    let numbers: Vec<String> = (0..=255).map(|byte: u8| format!("{byte},")).collect();
    let mut text = Vec::with_capacity(LINE * 4 + 1);
    for line in bytes.chunks(LINE) {
        text.clear();
        for &byte in line {
            text.extend(numbers[usize::from(byte)].as_bytes());
        }
        text.push(b'\n');
        out.write_all(&text)?;
    }
    out.write_all(b"};\n")
}

/// The header file.
pub(super) fn header(place: &Place<'_>) -> String {
    let Place { name, len, about, checksum, .. } = place;
    let upper = name.to_ascii_uppercase();
    format!(
        "/* {about} */
#ifndef DISTIL_MODEL_{name}_H
#define DISTIL_MODEL_{name}_H

/* Bytes of the file. */
#define {upper}_LEN {len}u
/* Its checksum, at offset 24. */
#define {upper}_CHECKSUM 0x{checksum:08x}u

#ifdef __cplusplus
extern \"C\" {{
#endif
/* Aligned to 64 bytes. */
extern const unsigned char {name}[{upper}_LEN];
#ifdef __cplusplus
}}
#endif

#endif
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (stem, name) in [
            ("minilm", "minilm"),
            ("all-MiniLM-L6.v2", "all_MiniLM_L6_v2"),
            ("4bit", "model_4bit"),
            ("int", "model_int"),
            ("", "model_"),
            ("modèle", "mod_le"),
        ] {
            assert_eq!(identifier(stem), name);
            assert!(is_identifier(name), "{name}");
        }
        for name in ["", "4bit", "a-b", "é", "int", "class", "main"] {
            assert!(!is_identifier(name), "{name}");
        }
    }
}
