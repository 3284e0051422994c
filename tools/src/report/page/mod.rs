//! The page: HTML with static plots; its style and its small script are in the files beside.

mod bytes;
mod groups;
mod html;
mod measured;
mod ranges;
mod summary;
mod tensors;

use sha2::{Digest, Sha256};

use super::Report;
use super::plot::escape;
use html::section;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// One self-contained page. It is complete without its script, which only adds what is said when a mark is pointed at.
///
/// Its security policy allows this style and this script, by their hashes, and nothing else: no network, no other file,
/// and no script that a name in a packed file might contain.
pub fn page(report: &Report) -> String {
    let names: Vec<&str> = report.files.iter().map(|file| file.facts.name.as_str()).collect();
    let (style, script) = (hash(STYLE), hash(SCRIPT));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'\">\n\
         <title>{} · packed models</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        escape(&names.join(", "))
    );
    html += &summary::header(report);
    html += "<main>\n";
    html += &summary::figures(report);
    html += &summary::left_out(report);
    for (id, title, body) in [
        ("quality", "Quality against size", measured::quality(report)),
        ("bytes", "Where the bytes are", bytes::section(report)),
        ("tensors", "Error of each tensor", tensors::section(report)),
        ("layers", "Error by layer", measured::layers(report)),
        ("weights", "Ranges of weights", ranges::weights(report)),
        ("activations", "Ranges of activations", ranges::activations(report)),
        ("latency", "Time by length", measured::latency(report)),
        ("memory", "Working memory by length", measured::arena(report)),
    ] {
        if let Some(body) = body {
            html += &section(id, title, &body);
        }
    }
    html += "</main>\n";
    html += &summary::footer(report);
    html += &format!("<script>{SCRIPT}</script>\n</body>\n</html>\n");
    html
}

/// The SHA-256 of a text, as a security policy wants it: in base64.
fn hash(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in Sha256::digest(text).chunks(3) {
        let bits = group.iter().chain([&0, &0]).take(3).fold(0u32, |bits, &byte| bits << 8 | u32::from(byte));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize % 64];
            out.push(if place > group.len() { '=' } else { char::from(digit) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::hash;

    /// The digests of FIPS 180-4's examples, in base64.
    #[test]
    fn hashes_are_in_base64() {
        assert_eq!(hash("abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        assert_eq!(hash(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
