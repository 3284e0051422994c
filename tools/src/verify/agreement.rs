//! How near hidden states of the packed file are to those of the float original: for one text, and over all texts.

use serde::Serialize;

use crate::eval::stats::cosine;

/// Sums over rows of values, from which cosines and relative error follow; those of several texts can be added up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Agreement {
    /// Sum of packed times float.
    dot: f64,
    /// Sum of the packed values' squares.
    packed: f64,
    /// Sum of the float values' squares.
    float: f64,
    /// Sum of the squared differences.
    wrong: f64,
    /// Sum of the rows' cosines.
    cosines: f64,
    /// Rows.
    rows: usize,
}

impl Agreement {
    /// Compares rows, `width` long, value by value.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn between(packed: &[f32], float: &[f32], width: usize) -> Self {
        assert_eq!(packed.len(), float.len(), "values of the same tokens");
        let mut sums = Self::default();
        for (packed, float) in packed.chunks_exact(width).zip(float.chunks_exact(width)) {
            for (&packed, &float) in packed.iter().zip(float) {
                let (packed, float) = (f64::from(packed), f64::from(float));
                sums.dot += packed * float;
                sums.packed += packed * packed;
                sums.float += float * float;
                sums.wrong += (packed - float) * (packed - float);
            }
            sums.cosines += cosine(packed, float);
            sums.rows += 1;
        }
        sums
    }

    /// The sums of both.
    pub fn plus(self, other: &Self) -> Self {
        Self {
            dot: self.dot + other.dot,
            packed: self.packed + other.packed,
            float: self.float + other.float,
            wrong: self.wrong + other.wrong,
            cosines: self.cosines + other.cosines,
            rows: self.rows + other.rows,
        }
    }

    /// Mean cosine of the rows.
    pub fn mean_cosine(&self) -> f64 {
        self.cosines / self.rows.max(1) as f64
    }

    /// Cosine of all values as two vectors. 0 if one of them is zero, and for values that are no numbers: a check of
    /// thresholds must not take them for good ones.
    pub fn cosine(&self) -> f64 {
        let cosine = self.dot / (self.packed * self.float).sqrt();
        if cosine.is_finite() { cosine } else { 0.0 }
    }

    /// `|packed - float| / |float|`. 1 if there is something where there was nothing, and the largest number for values
    /// that are no numbers: JSON has no infinity.
    pub fn error(&self) -> f64 {
        match (self.wrong, self.float) {
            (0.0, _) => 0.0,
            (_, 0.0) => 1.0,
            (wrong, float) => Some((wrong / float).sqrt()).filter(|error| error.is_finite()).unwrap_or(f64::MAX),
        }
    }
}

/// The hidden states after one layer, over all texts; its JSON.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct LayerReport {
    /// `embeddings`, or `layer.0` and so on, as the tensors are called.
    pub name: String,
    /// Cosine of packed and float hidden states, all tokens of all texts as one vector.
    pub cosine: f64,
    /// The least cosine of a text.
    pub min_cosine: f64,
    /// `|packed - float| / |float|` over all texts.
    pub error: f64,
    /// The largest error of a text.
    pub max_error: f64,
}

impl LayerReport {
    /// Sums up one list of layers for each text.
    pub fn over(texts: &[Vec<Agreement>]) -> Vec<Self> {
        let layers = texts.iter().map(Vec::len).min().unwrap_or(0);
        let report = |layer: usize| {
            let all = || texts.iter().map(move |text| &text[layer]);
            let sum = all().fold(Agreement::default(), Agreement::plus);
            Self {
                name: if layer == 0 { "embeddings".to_owned() } else { format!("layer.{}", layer - 1) },
                cosine: sum.cosine(),
                min_cosine: all().map(Agreement::cosine).fold(1.0, f64::min),
                error: sum.error(),
                max_error: all().map(Agreement::error).fold(0.0, f64::max),
            }
        };
        (0..layers).map(report).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_and_error_of_known_vectors() {
        let sums = Agreement::between(&[3.0, 4.0, 0.0], &[4.0, 3.0, 0.0], 3);
        assert!((sums.cosine() - 0.96).abs() < 1e-15 && (sums.error() - (2f64 / 25.0).sqrt()).abs() < 1e-15);
        let halves = Agreement::between(&[3.0], &[4.0], 1).plus(&Agreement::between(&[4.0, 0.0], &[3.0, 0.0], 2));
        assert_eq!((halves.cosine(), halves.error(), halves.mean_cosine()), (sums.cosine(), sums.error(), 1.0));
    }

    #[test]
    fn rows_have_cosines_of_their_own() {
        let sums = Agreement::between(&[3.0, 0.0, 0.0, 2.0], &[3.0, 4.0, 0.0, 2.0], 2);
        assert_eq!(sums.mean_cosine(), 0.8);
        assert!((sums.error() - (16.0f64 / 29.0).sqrt()).abs() < 1e-15);
        assert_eq!(Agreement::default().error(), 0.0);
    }

    #[test]
    fn no_numbers_are_the_worst_of_all() {
        for bad in [f32::NAN, f32::INFINITY] {
            let sums = Agreement::between(&[1.0, bad], &[1.0, 2.0], 2);
            assert_eq!((sums.cosine(), sums.error()), (0.0, f64::MAX));
        }
        assert_eq!(Agreement::between(&[0.0], &[0.0], 1).error(), 0.0);
        assert_eq!(Agreement::between(&[1.0], &[0.0], 1).error(), 1.0);
    }

    #[test]
    fn layers_name_their_worst_text() {
        let same = Agreement::between(&[1.0, 2.0], &[1.0, 2.0], 2);
        let half = Agreement::between(&[1.0, 1.0], &[2.0, 2.0], 2);
        let layers = LayerReport::over(&[vec![same, half], vec![same, same]]);
        assert_eq!(layers.iter().map(|layer| &*layer.name).collect::<Vec<_>>(), ["embeddings", "layer.0"]);
        assert_eq!((layers[0].cosine, layers[0].max_error), (1.0, 0.0));
        // 1 and 1 are missing where the squares sum up to 4 + 4, and over both texts to 4 + 4 + 1 + 4.
        assert_eq!((layers[1].max_error, layers[1].error), (0.5, (2f64 / 13.0).sqrt()));
    }
}
