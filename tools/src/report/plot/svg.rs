//! SVG elements, with every text escaped.

use std::fmt::Write;

/// A drawing of a fixed size, which the page scales.
#[derive(Clone, Debug)]
pub struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// Where a text's given place is in it.
#[derive(Clone, Copy, Debug)]
pub enum Anchor {
    /// At its start.
    Start,
    /// In its middle.
    Middle,
    /// At its end.
    End,
}

/// What a mark looks like.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Left, top, width, height.
    Rect(f64, f64, f64, f64),
    /// Centre and radius.
    Circle(f64, f64, f64),
}

impl Svg {
    /// An empty drawing.
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    /// A straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(place);
        self.push(format_args!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" class=\"{class}\"/>"));
    }

    /// A line through points.
    pub fn path(&mut self, points: &[(f64, f64)], class: &str) {
        let mut d = String::new();
        for (i, &(x, y)) in points.iter().enumerate() {
            let _ = write!(d, "{}{} {}", if i == 0 { 'M' } else { 'L' }, place(x), place(y));
        }
        self.push(format_args!("<path d=\"{d}\" class=\"{class}\"/>"));
    }

    /// A text on one line; `y` is where its letters stand.
    pub fn text(&mut self, x: f64, y: f64, anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y, text) = (place(x), place(y), escape(text));
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        self.push(format_args!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\"{class}>{text}</text>"));
    }

    /// A piece of data: a shape that says what it is when it is pointed at.
    pub fn mark(&mut self, shape: Shape, class: &str, tip: &str) {
        let tip = escape(tip);
        match shape {
            Shape::Rect(x, y, width, height) => {
                // A mark that is too small to see is still there to be found.
                let [x, y, width, height] = [x, y, width.max(0.1), height.max(0.1)].map(place);
                self.push(format_args!(
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" class=\"m {class}\"><title>{tip}</title></rect>"
                ));
            }
            Shape::Circle(x, y, r) => {
                let [x, y, r] = [x, y, r].map(place);
                self.push(format_args!(
                    "<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\" class=\"m {class}\"><title>{tip}</title></circle>"
                ));
            }
        }
    }

    /// The element. Who cannot see it hears `label`; a key walks from mark to mark.
    pub fn finish(self, label: &str, class: &str) -> String {
        let [width, height] = [self.width, self.height].map(place);
        format!(
            "<svg viewBox=\"0 0 {width} {height}\" class=\"{class}\" role=\"img\" tabindex=\"0\" aria-label=\"{}\">\n{}</svg>\n",
            escape(label),
            self.body
        )
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.body, "{element}");
    }
}

/// Cuts a text that would be wider than `width` at about `size` pixels a letter's height.
pub(super) fn fit(text: &str, width: f64, size: f64) -> Option<String> {
    // Wider than the letters of most fonts are on average.
    let room = (width / (0.6 * size)) as usize;
    let letters = text.chars().count();
    match room {
        _ if letters <= room => Some(text.to_owned()),
        4.. => Some(text.chars().take(room - 1).chain(['…']).collect()),
        _ => None,
    }
}

/// A coordinate with two digits at most.
fn place(value: f64) -> f64 {
    let rounded = (value * 100.0).round() / 100.0;
    // No "-0".
    rounded + 0.0
}

/// A text that cannot become markup, within elements and within attributes. Control characters, which HTML forbids,
/// become the sign for what cannot be shown.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            '\n' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        let evil = "</title><script>\"'&\0";
        let mut svg = Svg::new(10.0, 10.0);
        svg.text(1.0, 2.0, Anchor::Start, "", evil);
        svg.mark(Shape::Circle(1.0, 1.0, 1.0), "c0", evil);
        svg.mark(Shape::Rect(1.0, 1.0, 1.0, 0.0), "c0", evil);
        let html = svg.finish(evil, "plot");
        assert!(!html.contains("<script") && !html.contains('\0'));
        assert_eq!(html.matches("&lt;/title&gt;&lt;script&gt;&quot;&#39;&amp;\u{fffd}").count(), 4);
        assert_eq!(html.matches("</title>").count(), 2);
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!([1.0 / 3.0, -0.001, 12.0].map(|value| place(value).to_string()), ["0.33", "0", "12"]);
    }

    #[test]
    fn texts_are_cut_to_their_room() {
        assert_eq!(fit("query", 40.0, 10.0).as_deref(), Some("query"));
        assert_eq!(fit("feed-forward-in", 60.0, 10.0).as_deref(), Some("feed-forw…"));
        assert_eq!(fit("query", 18.0, 10.0), None);
    }
}
