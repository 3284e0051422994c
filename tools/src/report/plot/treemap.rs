//! Squarified treemaps (Bruls, Huizing, van Wijk 2000): areas are proportional to sizes, shapes as square as may be.

use super::svg::{Anchor, Shape, Svg, fit};

/// A rectangle of a treemap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl Rect {
    /// Its area.
    pub fn area(&self) -> f64 {
        self.width * self.height
    }
}

/// Cuts `whole` into rectangles with areas proportional to `sizes`, which are not negative; in their order.
pub fn squarify(sizes: &[f64], whole: Rect) -> Vec<Rect> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by(|&a, &b| sizes[b].total_cmp(&sizes[a]));
    let total: f64 = sizes.iter().sum();
    let scale = if total > 0.0 { whole.area() / total } else { 0.0 };
    let mut rects = vec![Rect { width: 0.0, height: 0.0, ..whole }; sizes.len()];
    let mut left = whole;
    let mut rest = &order[..];
    while !rest.is_empty() {
        let side = left.width.min(left.height);
        let area = |row: &[usize]| row.iter().map(|&i| sizes[i] * scale).sum::<f64>();
        // A row grows as long as that makes its worst shape better.
        let mut count = 1;
        while count < rest.len()
            && worst(&rest[..count + 1], sizes, scale, side) <= worst(&rest[..count], sizes, scale, side)
        {
            count += 1;
        }
        let (row, more) = rest.split_at(count);
        let depth = if side > 0.0 { area(row) / side } else { 0.0 };
        let mut along = 0.0;
        for &i in row {
            let length = if depth > 0.0 { sizes[i] * scale / depth } else { 0.0 };
            rects[i] = if left.width >= left.height {
                Rect { x: left.x, y: left.y + along, width: depth, height: length }
            } else {
                Rect { x: left.x + along, y: left.y, width: length, height: depth }
            };
            along += length;
        }
        if left.width >= left.height {
            left = Rect { x: left.x + depth, width: (left.width - depth).max(0.0), ..left };
        } else {
            left = Rect { y: left.y + depth, height: (left.height - depth).max(0.0), ..left };
        }
        rest = more;
    }
    rects
}

/// The largest ratio of a row's sides.
fn worst(row: &[usize], sizes: &[f64], scale: f64, side: f64) -> f64 {
    let areas = row.iter().map(|&i| sizes[i] * scale);
    let sum: f64 = areas.clone().sum();
    let (least, most) = areas.fold((f64::INFINITY, 0.0f64), |(least, most), area| (least.min(area), most.max(area)));
    if least <= 0.0 || sum <= 0.0 {
        return f64::INFINITY;
    }
    let square = side * side;
    (square * most / (sum * sum)).max(sum * sum / (square * least))
}

/// A leaf of a treemap.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What is written into it.
    pub label: String,
    /// What is written below.
    pub size_label: String,
    /// What is said when it is pointed at.
    pub tip: String,
    /// Its size.
    pub size: f64,
    /// Its colour.
    pub hue: usize,
}

/// Cells in groups; a group's cells lie together.
#[derive(Clone, Debug)]
pub struct Treemap {
    /// Name and cells of each group.
    pub groups: Vec<(String, Vec<Cell>)>,
}

/// Height of letters.
const LETTERS: f64 = 12.0;

impl Treemap {
    /// The rectangle of every cell, group by group.
    pub fn layout(&self, width: f64, height: f64) -> Vec<(Rect, Vec<Rect>)> {
        let whole = Rect { x: 0.0, y: 0.0, width, height };
        let sizes: Vec<f64> = self.groups.iter().map(|(_, cells)| cells.iter().map(|cell| cell.size).sum()).collect();
        let groups = squarify(&sizes, whole).into_iter().zip(&self.groups);
        groups
            .map(|(rect, (_, cells))| {
                let sizes: Vec<f64> = cells.iter().map(|cell| cell.size).collect();
                (rect, squarify(&sizes, rect))
            })
            .collect()
    }

    /// The plot, `width` by `height`.
    pub fn draw(&self, width: f64, height: f64, label: &str, class: &str) -> String {
        let mut svg = Svg::new(width, height);
        let layout = self.layout(width, height);
        for ((_, cells), (_, rects)) in self.groups.iter().zip(&layout) {
            for (cell, rect) in cells.iter().zip(rects) {
                let shape = Shape::Rect(rect.x, rect.y, rect.width, rect.height);
                svg.mark(shape, &format!("cell c{}", cell.hue), &cell.tip);
            }
        }
        for ((name, cells), (group, rects)) in self.groups.iter().zip(&layout) {
            let (left, right, top, bottom) = (group.x, group.x + group.width, group.y, group.y + group.height);
            let corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
            svg.path(&corners, "border");
            for (cell, rect) in cells.iter().zip(rects) {
                // The cell in the group's corner, its largest, has the group's name too.
                let first = rect.x == group.x && rect.y == group.y;
                let mut lines = Vec::new();
                if first && *name != cell.label {
                    lines.push((name, "name"));
                }
                lines.push((&cell.label, ""));
                lines.push((&cell.size_label, "size"));
                let (mut y, room) = (rect.y + LETTERS + 4.0, rect.width - 10.0);
                for (text, class) in lines {
                    if y + 3.0 > rect.y + rect.height {
                        break;
                    }
                    if let Some(text) = fit(text, room, LETTERS) {
                        svg.text(rect.x + 6.0, y, Anchor::Start, class, &text);
                        y += LETTERS + 3.0;
                    }
                }
            }
        }
        svg.finish(label, &format!("treemap {class}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Rect = Rect { x: 0.0, y: 0.0, width: 600.0, height: 400.0 };

    #[test]
    fn the_example_of_the_paper() {
        let sizes = [6.0, 6.0, 4.0, 3.0, 2.0, 2.0, 1.0];
        let rects = squarify(&sizes, Rect { x: 0.0, y: 0.0, width: 6.0, height: 4.0 });
        let first = [(0.0, 0.0, 3.0, 2.0), (0.0, 2.0, 3.0, 2.0)];
        for (rect, (x, y, width, height)) in rects.iter().zip(first) {
            assert_eq!(*rect, Rect { x, y, width, height });
        }
        // The second row: 4 and 3 side by side, 7/3 high.
        assert!((rects[2].height - 7.0 / 3.0).abs() < 1e-12 && (rects[2].width - 12.0 / 7.0).abs() < 1e-12);
    }

    #[test]
    fn areas_add_up_and_nothing_overlaps() {
        let sizes: Vec<f64> = (0..80).map(|i| f64::from(i * 7919 % 97) * f64::from(i % 7)).collect();
        let rects = squarify(&sizes, WHOLE);
        let total: f64 = sizes.iter().sum();
        for (rect, size) in rects.iter().zip(&sizes) {
            assert!((rect.area() / WHOLE.area() - size / total).abs() < 1e-9);
            assert!(rect.x >= -1e-6 && rect.x + rect.width <= WHOLE.width + 1e-6);
            assert!(rect.y >= -1e-6 && rect.y + rect.height <= WHOLE.height + 1e-6);
        }
        for (i, a) in rects.iter().enumerate() {
            for b in &rects[i + 1..] {
                let across = (a.x + a.width).min(b.x + b.width) - a.x.max(b.x);
                let down = (a.y + a.height).min(b.y + b.height) - a.y.max(b.y);
                assert!(across.max(0.0) * down.max(0.0) < 1e-6, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn nothing_has_no_area() {
        assert_eq!(squarify(&[], WHOLE), []);
        assert!(squarify(&[0.0, 0.0], WHOLE).iter().all(|rect| rect.area() == 0.0));
    }
}
