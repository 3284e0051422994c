//! Pieces of HTML that the sections share, and numbers for people.

use std::fmt::Write;

use crate::report::plot::{COLOURS, escape};

/// A section with its heading.
pub(super) fn section(id: &str, title: &str, body: &str) -> String {
    format!("<section id=\"{id}\">\n<h2>{}</h2>\n{body}</section>\n", escape(title))
}

/// A sentence below a heading.
pub(super) fn note(text: &str) -> String {
    format!("<p class=\"note\">{}</p>\n", escape(text))
}

/// A plot with its table beside it, or below where there is no room.
pub(super) fn beside(plot: &str, table: &str) -> String {
    format!("<div class=\"beside\">\n<div class=\"card\">\n{plot}</div>\n{table}</div>\n")
}

/// Names with their colours; nothing for a single one.
pub(super) fn legend<'a>(names: impl IntoIterator<Item = (usize, &'a str)>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    if names.len() < 2 {
        return String::new();
    }
    let items =
        names.iter().map(|(hue, name)| format!("<li class=\"c{}\"><i></i>{}</li>", hue % COLOURS, escape(name)));
    format!("<ul class=\"legend\">{}</ul>\n", items.collect::<String>())
}

/// A table; the first cell of a row names it.
pub(super) fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let mut html = String::from("<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>");
    for name in head {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escape(name));
    }
    html += "</tr></thead>\n<tbody>\n";
    for row in rows {
        html += "<tr>";
        for (column, cell) in row.iter().enumerate() {
            let cell = escape(cell);
            let _ = match column {
                0 => write!(html, "<th scope=\"row\">{cell}</th>"),
                _ => write!(html, "<td>{cell}</td>"),
            };
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table></div>\n"
}

/// Something long that is shown when it is asked for, and on paper.
pub(super) fn details(title: &str, open: bool, body: &str) -> String {
    let open = if open { " open" } else { "" };
    format!("<details{open}><summary>{}</summary>\n{body}</details>\n", escape(title))
}

/// Texts as the heads and cells of tables are.
pub(super) fn words(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// A number of bytes: `66.5 MB` is 66.5 million bytes.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.2} MB", bytes as f64 / 1e6),
    }
}

/// A share of the whole, in percent.
pub(super) fn percent(share: f64) -> String {
    match share {
        0.0 => "0 %".to_owned(),
        share if share < 1e-4 => "< 0.01 %".to_owned(),
        share => format!("{:.2} %", 100.0 * share),
    }
}

/// A whole number with commas.
pub(super) fn thousands(value: usize) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Milliseconds with three digits.
pub(super) fn milliseconds(ms: f64) -> String {
    format!("{} ms", crate::report::plot::number(ms, 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!([999, 1000, 1234567].map(thousands), ["999", "1,000", "1,234,567"]);
        assert_eq!([9_999, 10_000, 66_500_000].map(size), ["9999 B", "10.0 kB", "66.50 MB"]);
        assert_eq!([0.0, 0.00001, 0.5].map(percent), ["0 %", "< 0.01 %", "50.00 %"]);
    }

    #[test]
    fn no_cell_becomes_markup() {
        let evil = "<img src=x>";
        let html = [
            table(&words(&[evil]), &[words(&[evil, evil])]),
            note(evil),
            legend([(0, evil), (9, evil)]),
            details(evil, true, ""),
            section("id", evil, ""),
        ];
        assert_eq!(html.concat().matches("&lt;img src=x&gt;").count(), 8);
        assert!(!html.concat().contains("<img"));
    }
}
