//! Points with names.

use super::COLOURS;
use super::scale::{Scale, number};
use super::svg::{Anchor, Shape, Svg, fit};

/// A named point.
#[derive(Clone, Debug)]
pub struct Point {
    /// Its name, written beside it.
    pub name: String,
    /// Place on the lower axis.
    pub x: f64,
    /// Place on the left axis.
    pub y: f64,
    /// Its colour.
    pub hue: usize,
    /// What is said when it is pointed at.
    pub tip: String,
}

/// A plot of points.
#[derive(Clone, Debug)]
pub struct Scatter {
    /// What the plot shows, for who cannot see it.
    pub label: String,
    /// What is on the lower axis, with its unit.
    pub x_name: String,
    /// What is on the left axis.
    pub y_name: String,
    /// The points.
    pub points: Vec<Point>,
}

const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 290.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 42.0;
/// Height of a name.
const LETTERS: f64 = 12.0;

impl Scatter {
    /// The plot.
    pub fn draw(&self) -> String {
        let x = Scale::around(self.points.iter().map(|point| point.x), (LEFT + 8.0, WIDTH - RIGHT - 8.0));
        let y = Scale::around(self.points.iter().map(|point| point.y), (HEIGHT - BOTTOM, TOP + 8.0));
        let mut svg = Svg::new(WIDTH, HEIGHT);
        for tick in y.ticks(5) {
            let at = y.at(tick);
            svg.line((LEFT, at), (WIDTH - RIGHT, at), "grid");
            svg.text(LEFT - 6.0, at + 4.0, Anchor::End, "", &number(tick, 5));
        }
        for tick in x.ticks(6) {
            let at = x.at(tick);
            svg.line((at, TOP), (at, HEIGHT - BOTTOM), "grid");
            svg.text(at, HEIGHT - BOTTOM + 17.0, Anchor::Middle, "", &number(tick, 4));
        }
        svg.text(4.0, 12.0, Anchor::Start, "axis", &self.y_name);
        svg.text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 6.0, Anchor::Middle, "axis", &self.x_name);
        let places: Vec<(f64, f64)> = self.points.iter().map(|point| (x.at(point.x), y.at(point.y))).collect();
        let mut taken: Vec<[f64; 4]> = places.iter().map(|(x, y)| [x - 6.0, y - 6.0, x + 6.0, y + 6.0]).collect();
        for (point, &(x, y)) in self.points.iter().zip(&places) {
            svg.mark(Shape::Circle(x, y, 6.0), &format!("dot c{}", point.hue % COLOURS), &point.tip);
            // Beside the point where there is room, else above or below it; nowhere, if there is none.
            let Some(name) = fit(&point.name, WIDTH * 0.5, LETTERS) else { continue };
            let wide = 0.58 * LETTERS * name.chars().count() as f64;
            let tries = [
                (x + 10.0, y + 4.0, Anchor::Start, x + 10.0),
                (x - 10.0, y + 4.0, Anchor::End, x - 10.0 - wide),
                (x, y - 11.0, Anchor::Middle, x - wide / 2.0),
                (x, y + 20.0, Anchor::Middle, x - wide / 2.0),
            ];
            let free = tries.into_iter().find_map(|(at, base, anchor, left)| {
                let new = [left, base - LETTERS + 2.0, left + wide, base + 3.0];
                let clear = taken.iter().filter(|box_| overlap(box_, &new)).count() == 0;
                let inside = new[0] >= LEFT && new[2] <= WIDTH && new[1] >= TOP - 10.0 && new[3] <= HEIGHT - BOTTOM;
                (clear && inside).then_some((at, base, anchor, new))
            });
            if let Some((at, base, anchor, new)) = free {
                svg.text(at, base, anchor, "name", &name);
                taken.push(new);
            }
        }
        svg.finish(&self.label, "plot")
    }
}

/// Whether two boxes (left, top, right, bottom) share a place.
fn overlap(a: &[f64; 4], b: &[f64; 4]) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}
