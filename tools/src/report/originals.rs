//! The float model that each packed file is compared with: the folder's, without what the file was packed without.

use std::path::{Path, PathBuf};

use distil_format::{Artifact, SectionKind};

use crate::error::Error;
use crate::hf::{HeadKind, Model};
use crate::original::follow;

/// Float models, each with the numbers of the files that it is the original of.
#[derive(Debug, Default)]
pub struct Originals {
    /// One for each vocabulary and length among the files; the first has the first file.
    pub groups: Vec<(Model, Vec<usize>)>,
}

impl Originals {
    /// Reads `folder` and drops from it what each of the files (`paths`, opened) was packed without.
    ///
    /// # Errors
    /// If the folder cannot be read or has a model of another shape or vocabulary.
    pub fn read(folder: &Path, paths: &[PathBuf], artifacts: &[Artifact<'_>]) -> Result<Self, Error> {
        let head = artifacts.first().map(|artifact| artifact.config().head);
        let whole = Model::read(folder, head.map(HeadKind::from))?;
        let mut originals = Self::default();
        let mut known = Vec::new();
        for (file, (path, artifact)) in paths.iter().zip(artifacts).enumerate() {
            let what = (vocabulary(artifact), artifact.config().max_positions);
            let group = match known.iter().position(|&other| other == what) {
                Some(group) => group,
                None => {
                    let mut original = whole.clone();
                    follow(&mut original, artifact)?;
                    known.push(what);
                    originals.groups.push((original, Vec::new()));
                    known.len() - 1
                }
            };
            let (original, files) = &mut originals.groups[group];
            if head != Some(artifact.config().head) || !same_shape(original, artifact) {
                let message = format!("{} and {} are models of different shape", path.display(), folder.display());
                return Err(Error::usage(message, "give the folder that the files were packed from"));
            }
            files.push(file);
        }
        Ok(originals)
    }

    /// The original of a file; `None` if none was given.
    pub fn of(&self, file: usize) -> Option<&Model> {
        self.groups.iter().find(|(_, files)| files.contains(&file)).map(|(model, _)| model)
    }
}

fn vocabulary<'a>(artifact: &Artifact<'a>) -> Option<&'a [u8]> {
    let (_, range) = artifact.sections().find(|(kind, _)| *kind == SectionKind::Vocabulary)?;
    artifact.bytes().get(range)
}

fn same_shape(model: &Model, artifact: &Artifact<'_>) -> bool {
    let (there, here) = (&model.config, artifact.config());
    let sizes = [there.layers, there.hidden, there.heads, there.intermediate, there.vocab_size, there.positions];
    let wanted = [here.layers, here.hidden, here.heads, here.intermediate, here.vocab_size, here.max_positions];
    sizes == wanted.map(|size| size as usize)
        && there.token_types == here.type_vocab as usize
        && there.architecture.name() == here.architecture.name()
}
