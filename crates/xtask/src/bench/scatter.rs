//! Points with names, drawn as SVG: the horizontal axis in powers of two, so that what is half is one step to the left.

use std::fmt::Write;

use super::table::digits;

/// A named point.
pub(super) struct Point {
    pub(super) name: String,
    /// More than zero.
    pub(super) x: f64,
    pub(super) y: f64,
}

/// One plot.
pub(super) struct Panel {
    /// What the horizontal axis counts.
    pub(super) across: String,
    pub(super) points: Vec<Point>,
}

/// Pixels of a panel, without what is written around it.
const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 48.0;
const TOP: f64 = 44.0;
/// From one panel's left edge to the next.
const STEP: f64 = WIDTH + 2.0 * LEFT;
/// Pixels that a line of text needs.
const LINE: f64 = 13.0;

/// A picture of panels side by side, all with the same vertical axis.
pub(super) fn svg(title: &str, panels: &[Panel]) -> String {
    let heights = || panels.iter().flat_map(|panel| &panel.points).map(|point| point.y);
    let (low, high) = (heights().fold(f64::INFINITY, f64::min), heights().fold(f64::NEG_INFINITY, f64::max));
    let step = step(high - low);
    let (low, high) = ((low / step - 0.5).floor() * step, (high / step + 0.5).ceil() * step);
    let mut body = String::new();
    for (at, panel) in panels.iter().enumerate() {
        let _ = writeln!(body, r#"<g transform="translate({}, {TOP})">"#, LEFT + at as f64 * STEP);
        grid(&mut body, &panel.across, (low, high, step), extent(&panel.points));
        points(&mut body, &panel.points, (low, high));
        body += "</g>\n";
    }
    let (across, down) = (panels.len() as f64 * STEP + LEFT, TOP + HEIGHT + 48.0);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{across}\" height=\"{down}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"14\">{}</text>\n{body}</svg>\n",
        escaped(title)
    )
}

/// Text as XML has it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// A round distance of about a fifth of the span: 1, 2 or 5 times a power of ten.
fn step(span: f64) -> f64 {
    let raw = (span / 5.0).max(0.05);
    let power = 10f64.powf(raw.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= raw * 0.999);
    times.unwrap_or(10.0) * power
}

/// The whole powers of two that hold all points.
fn extent(points: &[Point]) -> (f64, f64) {
    let logs = || points.iter().map(|point| point.x.log2());
    (logs().fold(f64::INFINITY, f64::min).floor(), logs().fold(f64::NEG_INFINITY, f64::max).ceil())
}

fn across(x: f64, (first, last): (f64, f64)) -> f64 {
    WIDTH * (x.log2() - first) / (last - first).max(1.0)
}

fn down(y: f64, low: f64, high: f64) -> f64 {
    HEIGHT * (high - y) / (high - low)
}

fn grid(body: &mut String, title: &str, (low, high, step): (f64, f64, f64), (first, last): (f64, f64)) {
    let lines = ((high - low) / step).round() as u32;
    for line in 0..=lines {
        let value = low + f64::from(line) * step;
        let y = down(value, low, high);
        let _ = writeln!(body, r##"<path d="M0 {y:.1}H{WIDTH}" stroke="#ddd"/>"##);
        let decimals = if step < 1.0 { 1 } else { 0 };
        let _ = writeln!(body, r#"<text x="-6" y="{:.1}" text-anchor="end">{value:.decimals$}</text>"#, y + 4.0);
    }
    for power in first as i32..=last as i32 {
        let x = across(f64::from(power).exp2(), (first, last));
        let _ = writeln!(body, r##"<path d="M{x:.1} 0V{HEIGHT}" stroke="#ddd"/>"##);
        let number = digits(f64::from(power).exp2());
        let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { &number };
        let _ = writeln!(body, r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{number}</text>"#, HEIGHT + 16.0);
    }
    let _ = writeln!(
        body,
        r#"<text x="{}" y="{}" text-anchor="middle">{}</text>"#,
        WIDTH / 2.0,
        HEIGHT + 36.0,
        escaped(title)
    );
}

/// Circles with their names beside them, each name moved down until it covers no other.
fn points(body: &mut String, points: &[Point], (low, high): (f64, f64)) {
    let extent = extent(points);
    let mut order: Vec<&Point> = points.iter().collect();
    order.sort_by(|a, b| b.y.total_cmp(&a.y).then(a.x.total_cmp(&b.x)));
    let mut taken: Vec<(f64, f64, f64)> = Vec::new();
    for point in order {
        let (x, y) = (across(point.x, extent), down(point.y, low, high));
        let wide = 6.2 * point.name.chars().count() as f64;
        // To the left where there is no room to the right.
        let (start, anchor, text) =
            if x + 8.0 + wide > WIDTH { (x - 8.0 - wide, "end", x - 8.0) } else { (x + 8.0, "start", x + 8.0) };
        let mut line = y + 4.0;
        while let Some(&(_, _, other)) =
            taken.iter().find(|&&(from, to, other)| from < start + wide && start < to && (other - line).abs() < LINE)
        {
            line = other + LINE;
        }
        taken.push((start, start + wide, line));
        let _ = writeln!(
            body,
            r##"<g><title>{name}: {across}, {y_value:.2}</title><path d="M{x:.1} {y:.1}L{text:.1} {tip:.1}" stroke="#999"/><circle cx="{x:.1}" cy="{y:.1}" r="4" fill="#4878a8"/><text x="{text:.1}" y="{line:.1}" text-anchor="{anchor}">{name}</text></g>"##,
            name = escaped(&point.name),
            across = digits(point.x),
            y_value = point.y,
            tip = line - 4.0,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Panel, Point, across, extent, step, svg};

    fn point(name: &str, x: f64, y: f64) -> Point {
        Point { name: name.into(), x, y }
    }

    #[test]
    fn half_is_one_step_to_the_left() {
        let points = [point("a", 12.0, 1.0), point("b", 90.0, 2.0)];
        let extent = extent(&points);
        assert_eq!(extent, (3.0, 7.0));
        let x = |value| across(value, extent);
        assert!((x(64.0) - x(32.0) - (x(32.0) - x(16.0))).abs() < 1e-9 && x(8.0) == 0.0);
    }

    #[test]
    fn steps_are_round() {
        for (span, wanted) in [(5.0, 1.0), (1.2, 0.5), (40.0, 10.0), (0.0, 0.05)] {
            assert!((step(span) - wanted).abs() < 1e-9, "{span}: {}", step(span));
        }
    }

    #[test]
    fn names_do_not_cover_each_other() {
        let points = || (0..4).map(|at| point(&format!("file <{at}>"), 20.0 + 0.1 * f64::from(at), 88.0)).collect();
        let text = svg("a & b", &[Panel { across: "megabytes".into(), points: points() }]);
        let mut lines: Vec<f64> = text
            .lines()
            .filter(|line| line.contains("<circle"))
            .map(|line| line.rsplit(" y=\"").next().and_then(|end| end.split('"').next()).unwrap().parse().unwrap())
            .collect();
        lines.sort_by(f64::total_cmp);
        assert!(lines.len() == 4 && lines.windows(2).all(|pair| pair[1] - pair[0] >= 12.9), "{lines:?}");
        assert!(text.contains("file &lt;0>") && text.contains("a &amp; b"));
    }
}
