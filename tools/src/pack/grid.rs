//! The integers of each type, and how floats are rounded to them.

use distil_format::Dtype;

/// Steps tried for a group alone: its largest magnitude over these. 7 leaves no value out, the others cut off the largest
/// values for finer steps; where the largest is negative, 8 does not cut it off in int4.
const REACHES: [f32; 12] = [6.75, 7.0, 7.25, 7.5, 7.75, 8.0, 8.3, 8.6, 9.0, 9.5, 10.0, 11.0];
/// The same for int3, whose numbers are twice as far apart.
const ODD_REACHES: [f32; 14] = [5.8, 6.2, 6.6, 7.0, 7.4, 7.8, 8.2, 8.6, 9.0, 9.5, 10.0, 10.6, 11.3, 12.0];

/// The integers that a type has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Grid {
    /// -127 to 127.
    Int8,
    /// -8 to 7.
    Int4,
    /// The odd ones from -7 to 7: as many on either side of zero, which none of them is.
    Int3,
}

impl Grid {
    /// That of an integer type.
    pub(crate) fn of(dtype: Dtype) -> Self {
        match dtype.bits() {
            3 => Self::Int3,
            4 => Self::Int4,
            _ => Self::Int8,
        }
    }

    /// The integer next to `x`, ties to even; of int3, ties to every other one.
    #[inline(always)]
    pub(crate) fn nearest(self, x: f32) -> f32 {
        // Adding and subtracting 1.5 * 2^23 rounds what is small against it, on any target, without a call.
        const ROUND: f32 = 12_582_912.0;
        match self {
            Self::Int8 => (x.clamp(-127.0, 127.0) + ROUND) - ROUND,
            Self::Int4 => (x.clamp(-8.0, 7.0) + ROUND) - ROUND,
            Self::Int3 => ((((x - 1.0) * 0.5).clamp(-4.0, 3.0) + ROUND) - ROUND) * 2.0 + 1.0,
        }
    }

    /// Steps tried for a group alone: its largest magnitude over these.
    pub(super) fn reaches(self) -> &'static [f32] {
        if self == Self::Int3 { &ODD_REACHES } else { &REACHES }
    }
}

#[cfg(test)]
mod tests {
    use super::Grid;

    #[test]
    fn rounding_stays_on_the_grid() {
        for step in -3000..3000 {
            let x = step as f32 / 20.0;
            let found = [Grid::Int8, Grid::Int4, Grid::Int3].map(|grid| grid.nearest(x));
            assert_eq!(found[0], x.round_ties_even().clamp(-127.0, 127.0));
            assert_eq!(found[1], x.round_ties_even().clamp(-8.0, 7.0));
            let odd = found[2];
            assert!(odd.abs() <= 7.0 && odd.rem_euclid(2.0) == 1.0, "{x}: {odd}");
            assert!((odd - x).abs() <= 1.0 || x.abs() > 7.0 && odd == 7.0 * x.signum(), "{x}: {odd}");
        }
    }
}
