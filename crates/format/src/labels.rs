//! The label names: a count, their offsets, their text.

use crate::error::OpenError;

/// Label names, checked once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels<'a> {
    /// One more than there are labels; into `text`.
    offsets: &'a [[u8; 4]],
    text: &'a str,
}

impl<'a> Labels<'a> {
    /// Checks the section: `count` names, offsets that ascend from 0 to the end, UTF-8 cut between characters.
    pub(crate) fn new(bytes: &'a [u8], count: u32) -> Result<Self, OpenError> {
        let parse = || {
            let (declared, rest) = bytes.split_first_chunk::<4>()?;
            if u32::from_le_bytes(*declared) != count {
                return None;
            }
            let table = u64::from(count).checked_add(1)?.checked_mul(4)?;
            let (offsets, text) = rest.split_at_checked(usize::try_from(table).ok()?)?;
            let (offsets, _) = offsets.as_chunks::<4>();
            let text = core::str::from_utf8(text).ok()?;
            let mut last = 0;
            for (i, &offset) in offsets.iter().enumerate() {
                let offset = usize::try_from(u32::from_le_bytes(offset)).ok()?;
                if (i == 0 && offset != 0) || offset < last || !text.is_char_boundary(offset) {
                    return None;
                }
                last = offset;
            }
            (last == text.len()).then_some(Self { offsets, text })
        };
        parse().ok_or(OpenError::Labels)
    }

    /// The name of label `i`.
    pub(crate) fn get(&self, i: usize) -> Option<&'a str> {
        let at = |i: usize| {
            let offset = u32::from_le_bytes(*self.offsets.get(i)?);
            usize::try_from(offset).ok()
        };
        self.text.get(at(i)?..at(i.checked_add(1)?)?)
    }

    /// The section's bytes; `None` if the text is too long for its offsets.
    #[cfg(feature = "alloc")]
    pub(crate) fn encode(labels: &[alloc::string::String]) -> Option<alloc::vec::Vec<u8>> {
        let mut bytes = u32::try_from(labels.len()).ok()?.to_le_bytes().to_vec();
        let mut offset = 0_u32;
        bytes.extend(offset.to_le_bytes());
        for label in labels {
            offset = offset.checked_add(u32::try_from(label.len()).ok()?)?;
            bytes.extend(offset.to_le_bytes());
        }
        for label in labels {
            bytes.extend(label.as_bytes());
        }
        Some(bytes)
    }
}
