//! Opening a file a little at a time.

use crate::artifact::Artifact;
use crate::checksum::Xxh32;
use crate::container::{check_header, start_checksum};
use crate::error::OpenError;
use crate::verify::Pass;

/// [`Artifact::open`] in slices, for a device that has other things to do meanwhile: a watchdog to feed, a radio to answer.
///
/// However it is sliced, the file is accepted or rejected as [`Artifact::open`] does, with the same error. It has no memory outside itself and can be copied.
///
/// ```
/// # fn feed_the_watchdog() {}
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let bytes = distil_format::AlignedBytes::copy_of(&[0; 64]);
/// # let open = || {
/// use distil_format::Opening;
///
/// let mut opening = Opening::new(&bytes);
/// let artifact = loop {
///     match opening.step(64 * 1024)? {
///         Some(artifact) => break artifact,
///         None => feed_the_watchdog(),
///     }
/// };
/// # Ok::<_, distil_format::OpenError>(artifact.len())
/// # };
/// # assert_eq!(open(), Err(distil_format::OpenError::Magic));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    bytes: &'a [u8],
    work: Work<'a>,
}

#[derive(Clone, Copy)]
enum Work<'a> {
    /// The structure is right; the rest is being looked at.
    Checking(Artifact<'a>, Pass),
    /// The structure is wrong behind a good header. A damaged file may break any rule; that it is damaged is the better news, so the checksum is made before anything is said.
    Damaged { error: OpenError, declared: u32, state: Xxh32, at: usize },
    /// It is known.
    Over(Result<Artifact<'a>, OpenError>),
}

impl<'a> Opening<'a> {
    /// Looks at the structure, as [`Artifact::open_unverified`] does, in microseconds. What it finds is said by [`Opening::step`].
    ///
    /// `bytes` is the whole file, at an address that is a multiple of 64.
    pub fn new(bytes: &'a [u8]) -> Self {
        let work = match Artifact::open_unverified(bytes) {
            Ok(artifact) => Work::Checking(artifact, Pass::new(bytes)),
            Err(error) => match check_header(bytes) {
                Ok(header) if error != OpenError::Misaligned => {
                    let (state, rest) = start_checksum(bytes);
                    Work::Damaged { error, declared: header.checksum, state, at: bytes.len() - rest.len() }
                }
                _ => Work::Over(Err(error)),
            },
        };
        Self { bytes, work }
    }

    /// Looks at about `bytes` bytes more, 64 at least, and gives the file once all of it was looked at. Asked again after that, it says the same again.
    ///
    /// A step exceeds its bytes where something has to be looked at in one go: each of the five parts of the vocabulary's proof, and the padding inside a tensor's tiles.
    ///
    /// # Errors
    /// As [`Artifact::open`], not before the checksum is known unless there is none to look at.
    pub fn step(&mut self, bytes: usize) -> Result<Option<Artifact<'a>>, OpenError> {
        match &mut self.work {
            Work::Checking(artifact, pass) => {
                if !pass.step(artifact, bytes) {
                    return Ok(None);
                }
                self.work = Work::Over(pass.result(artifact).map(|()| *artifact));
            }
            Work::Damaged { error, declared, state, at } => {
                let rest = self.bytes.get(*at..).unwrap_or_default();
                let part = rest.get(..bytes.max(64)).unwrap_or(rest);
                state.update(part);
                *at += part.len();
                if part.len() < rest.len() {
                    return Ok(None);
                }
                let (declared, computed) = (*declared, state.finish());
                let damaged = OpenError::Checksum { declared, computed };
                self.work = Work::Over(Err(if declared == computed { *error } else { damaged }));
            }
            Work::Over(_) => {}
        }
        match self.work {
            Work::Over(result) => result.map(Some),
            _ => Ok(None),
        }
    }

    /// Bytes that were looked at so far, of [`Opening::len`].
    pub fn done(&self) -> usize {
        match &self.work {
            Work::Checking(_, pass) => pass.done(),
            Work::Damaged { at, .. } => *at,
            Work::Over(_) => self.bytes.len(),
        }
    }

    /// Bytes of the file.
    #[expect(clippy::len_without_is_empty, reason = "an empty file is refused by the first step")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl core::fmt::Debug for Opening<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Opening").field("done", &self.done()).field("len", &self.len()).finish_non_exhaustive()
    }
}
