//! Outliers that are always there cost nothing if they are taken out before rows are rounded to int8.
//!
//! A constant taken from a column of a normalization's output moves exactly into the biases of the matrices that read
//! it, and into the bias of the matrix whose output is added to it next. What is left has a smaller largest value in
//! each row, and so a finer step.

use super::algebra::means;

/// Rows that are looked at, evenly spread.
const ROWS: usize = 2048;
/// Steps of the descent.
const STEPS: usize = 150;

/// The constant for each column that makes `mean of max |row - constant|^2` least: subgradient descent from the
/// columns' means, the best point seen.
pub(super) fn centre(rows: &[f32], width: usize) -> Vec<f32> {
    let every = (rows.len() / width).div_ceil(ROWS).max(1);
    let rows: Vec<&[f32]> = rows.chunks_exact(width).step_by(every).collect();
    let mut centre = means(&rows.concat(), width);
    let mut best = (f64::INFINITY, centre.clone());
    for step in 0..=STEPS {
        let mut pull = vec![0.0f32; width];
        let mut cost = 0.0;
        for row in &rows {
            let (at, off) = farthest(row, &centre);
            pull[at] += off;
            cost += f64::from(off).powi(2);
        }
        if cost < best.0 {
            best = (cost, centre.clone());
        }
        let rate = (1.0 - step as f32 / STEPS as f32) / rows.len() as f32;
        centre.iter_mut().zip(pull).for_each(|(centre, pull)| *centre += rate * pull);
    }
    best.1
}

/// The column farthest from the centre, and how far it is.
fn farthest(row: &[f32], centre: &[f32]) -> (usize, f32) {
    let off = row.iter().zip(centre).map(|(x, centre)| x - centre).enumerate();
    off.fold((0, 0.0), |most: (usize, f32), this| if this.1.abs() > most.1.abs() { this } else { most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_outliers_are_taken_out() {
        let noise = |i: usize| ((i * i) as f32 * 0.7).sin();
        let (width, n) = (24, 300);
        let rows: Vec<f32> = (0..n * width).map(|i| noise(i) + if i % width == 5 { -9.0 } else { 0.0 }).collect();
        let centre = centre(&rows, width);
        let largest = |centre: &[f32]| rows.chunks_exact(width).map(|row| farthest(row, centre).1.abs()).sum::<f32>();
        assert!((centre[5] + 9.0).abs() < 0.2, "{centre:?}");
        assert!(largest(&centre) < 0.15 * largest(&[0.0; 24]));
        assert!(largest(&centre) <= largest(&means(&rows, width)));
    }
}
