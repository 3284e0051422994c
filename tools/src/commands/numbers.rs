//! Thresholds on the command line: numbers that a comparison can hold or not, never NaN.

/// A cosine: from -1, which any two vectors have, to 1.
pub(super) fn parse_cosine(text: &str) -> Result<f64, String> {
    let cosine = text.parse::<f64>().ok().filter(|cosine| (-1.0..=1.0).contains(cosine));
    cosine.ok_or_else(|| "give a number from -1 to 1".to_owned())
}

/// A share: from 0 to 1.
pub(super) fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "give a number from 0 to 1".to_owned())
}

/// An error or a loss of quality: 0 or more.
pub(super) fn parse_amount(text: &str) -> Result<f64, String> {
    let amount = text.parse::<f64>().ok().filter(|amount| amount.is_finite() && *amount >= 0.0);
    amount.ok_or_else(|| "give a number of 0 or more, such as 0.05 for 5%".to_owned())
}
