//! The inputs that are kept for a fuzzing target, in one file: each with its length before it, as a little-endian u32.

/// Packs inputs in their order.
///
/// # Panics
/// If one of them has 4 GiB or more.
pub fn pack_inputs<'a>(inputs: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut packed = Vec::new();
    for input in inputs {
        packed.extend(u32::try_from(input.len()).expect("an input is small").to_le_bytes());
        packed.extend(input);
    }
    packed
}

/// The inputs of a packed file; `None` if it ends in the middle of one.
pub fn unpack_inputs(mut packed: &[u8]) -> Option<Vec<&[u8]>> {
    let mut inputs = Vec::new();
    while !packed.is_empty() {
        let (len, rest) = packed.split_first_chunk()?;
        let (input, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        inputs.push(input);
        packed = rest;
    }
    Some(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_come_back_and_a_cut_file_is_refused() {
        let inputs: [&[u8]; 4] = [b"", b"one", &[0; 300], b"last"];
        let packed = pack_inputs(inputs);
        assert_eq!(unpack_inputs(&packed).unwrap(), inputs);
        assert_eq!(unpack_inputs(&packed[..4]).unwrap(), [b""]);
        assert!([1, 5, 10, packed.len() - 1].iter().all(|&len| unpack_inputs(&packed[..len]).is_none()));
    }
}
