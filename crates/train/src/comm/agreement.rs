//! Do all ranks run the same thing?

use super::Group;
use crate::{Error, Result};
use serde_json::Value;

/// The first rank whose `text` differs from rank 0's, and that text of rank 0; the answer is the same on every rank.
pub fn differs(group: &dyn Group, text: &str) -> Result<Option<(usize, String)>> {
    if group.world() == 1 {
        return Ok(None);
    }
    let first = group.broadcast(text.as_bytes().to_vec())?;
    let mut others = vec![0.0; group.world()];
    others[group.rank()] = f64::from(u8::from(first != text.as_bytes()));
    group.sum_f64(&mut others)?;
    let rank = others.iter().position(|&other| other != 0.0);
    Ok(rank.map(|rank| (rank, String::from_utf8_lossy(&first).into_owned())))
}

/// Fails on every rank when some rank's `text` differs from rank 0's, naming the rank; where both are JSON also what differs.
/// `what` says what the text is, such as "recipe".
pub fn agree(group: &dyn Group, what: &str, text: &str) -> Result<()> {
    let Some((rank, first)) = differs(group, text)? else {
        return Ok(());
    };
    let mut reason = format!("rank {rank} has another {what} than rank 0");
    if rank == group.rank()
        && let (Ok(own), Ok(first)) = (serde_json::from_str(text), serde_json::from_str(&first))
        && let Some(difference) = difference("", &own, &first)
    {
        reason += &format!(" ({difference})");
    }
    Err(Error::Group(format!("{reason}; start all processes with the same options and files")))
}

/// The first value that differs, by its path.
fn difference(path: &str, own: &Value, first: &Value) -> Option<String> {
    if own == first {
        return None;
    }
    if let (Value::Object(a), Value::Object(b)) = (own, first) {
        let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
        return keys.into_iter().find_map(|key| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            difference(&path, a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null))
        });
    }
    Some(format!("{path} is {own} there and {first} at rank 0"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::ranks;
    use super::*;

    #[test]
    fn the_rank_and_the_value_are_named() {
        let errors = ranks(3, |group| {
            agree(group, "recipe", "same").unwrap();
            let text = format!(r#"{{"a":1,"b":{{"c":{}}}}}"#, if group.rank() == 1 { 2 } else { 3 });
            agree(group, "recipe", &text).unwrap_err().to_string()
        });
        for error in &errors {
            assert!(error.contains("rank 1 has another recipe than rank 0"), "{error}");
        }
        assert!(errors[1].contains("b.c is 2 there and 3 at rank 0"), "{}", errors[1]);
    }
}
