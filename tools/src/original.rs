//! The float original of a packed file, without what the file was packed without.

use distil_format::Artifact;

use crate::error::Error;
use crate::hf::Model;
use crate::keep_vocabulary;

/// Drops from `original` the positions and vocabulary entries that `artifact` was packed without, so that the two can be
/// compared row by row. Does nothing for a file with everything.
///
/// # Errors
/// If the folder's vocabulary does not have the file's entries.
pub fn follow(original: &mut Model, artifact: &Artifact<'_>) -> Result<(), Error> {
    original.limit_tokens(artifact.config().max_positions as usize);
    keep_vocabulary::follow(original, artifact)
}
