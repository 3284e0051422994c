//! Plots as static SVG. A plot knows numbers and words, nothing of models; the page's style sheet gives the colours.

mod lines;
mod panel;
mod scale;
mod scatter;
mod svg;
mod treemap;

pub use lines::{Lines, Series};
pub use panel::{Dot, Panel, Range};
pub use scale::{Scale, number};
pub use scatter::{Point, Scatter};
pub use svg::{Anchor, Shape, Svg, escape};
pub use treemap::{Cell, Rect, Treemap, squarify};

/// Colours of the style sheet; more series than these share them.
pub const COLOURS: usize = 8;
