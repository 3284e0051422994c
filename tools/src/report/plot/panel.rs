//! Small plots that stand side by side: one for each kind of tensor, with the layers from left to right.

use super::COLOURS;
use super::scale::{Scale, number};
use super::svg::{Anchor, Shape, Svg, fit};

/// A value in a column.
#[derive(Clone, Debug)]
pub struct Dot {
    /// Its column.
    pub column: usize,
    /// The value.
    pub value: f64,
    /// Its colour; dots of one colour are joined from column to column.
    pub hue: usize,
    /// What is said when it is pointed at.
    pub tip: String,
}

/// How values in a column are spread.
#[derive(Clone, Debug)]
pub struct Range {
    /// Its column.
    pub column: usize,
    /// Least and largest value.
    pub ends: (f64, f64),
    /// Where nearly all values are.
    pub bulk: (f64, f64),
    /// Its colour.
    pub hue: usize,
    /// What is said when it is pointed at.
    pub tip: String,
}

/// A small plot.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Its heading.
    pub title: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Whether columns follow on each other, so that dots may be joined.
    pub joined: bool,
}

const WIDTH: f64 = 220.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 42.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 20.0;
/// The places of the left axis.
const UP: (f64, f64) = (HEIGHT - BOTTOM, TOP);

impl Panel {
    /// Dots over an axis from zero to `most`, which several panels may share.
    pub fn dots(&self, dots: &[Dot], most: f64) -> String {
        let y = Scale::from_zero([most].into_iter(), UP);
        let mut svg = self.frame(&y);
        let mut hues: Vec<usize> = dots.iter().map(|dot| dot.hue).collect();
        hues.sort_unstable();
        hues.dedup();
        for hue in hues {
            let own = || dots.iter().filter(move |dot| dot.hue == hue);
            if self.joined {
                let places: Vec<_> = own().map(|dot| (self.centre(dot.column), y.at(dot.value))).collect();
                svg.path(&places, &format!("curve c{}", hue % COLOURS));
            }
            for dot in own() {
                let (x, at) = (self.centre(dot.column), y.at(dot.value));
                if !self.joined {
                    svg.line((x, y.at(0.0)), (x, at), &format!("stem c{}", hue % COLOURS));
                }
                svg.mark(Shape::Circle(x, at, 3.5), &format!("dot c{}", hue % COLOURS), &dot.tip);
            }
        }
        svg.finish(&self.title, "panel")
    }

    /// Ranges: a thin bar from end to end, a thick one where nearly all values are.
    pub fn ranges(&self, ranges: &[Range]) -> String {
        let y = Scale::around(ranges.iter().flat_map(|range| [range.ends.0, range.ends.1]), UP);
        let mut svg = self.frame(&y);
        let step = (WIDTH - LEFT - RIGHT) / self.columns.len().max(1) as f64;
        let (thin, thick) = ((step * 0.2).clamp(1.5, 4.0), (step * 0.6).clamp(3.0, 14.0));
        for range in ranges {
            let x = self.centre(range.column);
            let mut bar = |width: f64, (low, high): (f64, f64), class: &str, tip: &str| {
                let (top, bottom) = (y.at(high), y.at(low));
                // A constant is a line, not nothing.
                let height = (bottom - top).max(1.0);
                let shape = Shape::Rect(x - width / 2.0, bottom - height, width, height);
                svg.mark(shape, &format!("{class} c{}", range.hue % COLOURS), tip);
            };
            bar(thin, range.ends, "ends", &range.tip);
            bar(thick, range.bulk, "bulk", &range.tip);
        }
        svg.finish(&self.title, "panel")
    }

    /// Heading, left axis, names of the columns.
    fn frame(&self, y: &Scale) -> Svg {
        let mut svg = Svg::new(WIDTH, HEIGHT);
        let title = fit(&self.title, WIDTH - 4.0, 12.5).unwrap_or_default();
        svg.text(2.0, 14.0, Anchor::Start, "title", &title);
        for tick in y.ticks(4) {
            let at = y.at(tick);
            svg.line((LEFT, at), (WIDTH - RIGHT, at), if tick == 0.0 { "zero" } else { "grid" });
            svg.text(LEFT - 5.0, at + 4.0, Anchor::End, "", &number(tick, 3));
        }
        let step = (WIDTH - LEFT - RIGHT) / self.columns.len().max(1) as f64;
        let widest = self.columns.iter().map(|name| name.chars().count()).max().unwrap_or(0) as f64 * 7.5;
        // Numbers that have no room are left out, at equal distances; words are cut.
        let numbers = self.columns.iter().all(|name| name.parse::<u32>().is_ok());
        let every = if numbers { ((widest + 2.0) / step).ceil().max(1.0) as usize } else { 1 };
        for (column, name) in self.columns.iter().enumerate().step_by(every) {
            let room = step * every as f64 - 3.0;
            if let Some(name) = fit(name, if numbers { f64::INFINITY } else { room }, 11.0) {
                svg.text(self.centre(column), HEIGHT - 5.0, Anchor::Middle, "", &name);
            }
        }
        svg
    }

    fn centre(&self, column: usize) -> f64 {
        let step = (WIDTH - LEFT - RIGHT) / self.columns.len().max(1) as f64;
        LEFT + step * (column as f64 + 0.5)
    }
}
