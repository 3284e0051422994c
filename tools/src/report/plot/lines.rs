//! Curves over one axis.

use super::COLOURS;
use super::scale::{Scale, number};
use super::svg::{Anchor, Shape, Svg};

/// A curve.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its colour.
    pub hue: usize,
    /// Places with what is said when they are pointed at.
    pub points: Vec<(f64, f64, String)>,
}

/// A plot of curves.
#[derive(Clone, Debug)]
pub struct Lines {
    /// What the plot shows, for who cannot see it.
    pub label: String,
    /// What is on the lower axis.
    pub x_name: String,
    /// What is on the left axis, with its unit.
    pub y_name: String,
    /// Values marked on the lower axis.
    pub x_ticks: Vec<f64>,
    /// Whether the lower axis is logarithmic.
    pub x_log: bool,
    /// Whether the left axis is logarithmic; else it starts at zero.
    pub y_log: bool,
    /// The curves.
    pub series: Vec<Series>,
}

const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 270.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 42.0;

impl Lines {
    /// The plot.
    pub fn draw(&self) -> String {
        let all = || self.series.iter().flat_map(|series| &series.points);
        let across = (LEFT + 4.0, WIDTH - RIGHT);
        let up = (HEIGHT - BOTTOM, TOP);
        let ends = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
        };
        let (x_low, x_high) = ends(&mut all().map(|point| point.0));
        let x = if self.x_log { Scale::log((x_low, x_high), across) } else { Scale::linear((x_low, x_high), across) };
        let (y_low, y_high) = ends(&mut all().map(|point| point.1));
        let y = if self.y_log && y_low > 0.0 {
            Scale::log((y_low / 1.25, y_high * 1.25), up)
        } else {
            Scale::from_zero(all().map(|point| point.1), up)
        };
        let mut svg = Svg::new(WIDTH, HEIGHT);
        for tick in y.ticks(5) {
            let at = y.at(tick);
            svg.line((LEFT, at), (WIDTH - RIGHT, at), "grid");
            svg.text(LEFT - 6.0, at + 4.0, Anchor::End, "", &number(tick, 3));
        }
        svg.text(4.0, 12.0, Anchor::Start, "axis", &self.y_name);
        let mut free = f64::NEG_INFINITY;
        for &tick in &self.x_ticks {
            let (at, text) = (x.at(tick), number(tick, 6));
            let half = 4.2 * text.len() as f64;
            svg.line((at, HEIGHT - BOTTOM), (at, HEIGHT - BOTTOM + 4.0), "grid");
            if at - half > free {
                svg.text(at.min(WIDTH - half), HEIGHT - BOTTOM + 17.0, Anchor::Middle, "", &text);
                free = at + half;
            }
        }
        svg.text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 6.0, Anchor::Middle, "axis", &self.x_name);
        for (number, series) in self.series.iter().enumerate() {
            let places: Vec<_> = series.points.iter().map(|point| (x.at(point.0), y.at(point.1))).collect();
            // Curves that share a colour differ in their strokes, and one that hides another lets it through.
            let dash = ["", " dash1", " dash2"][(number / COLOURS).min(2)];
            svg.path(&places, &format!("curve c{}{dash}", series.hue % COLOURS));
            for ((x, y), point) in places.iter().zip(&series.points) {
                svg.mark(Shape::Circle(*x, *y, 4.0), &format!("dot c{}", series.hue % COLOURS), &point.2);
            }
        }
        svg.finish(&self.label, "plot")
    }
}
