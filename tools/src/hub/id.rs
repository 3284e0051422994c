//! Names that mean a model on the hub.

use std::path::Path;

use hf_hub::{Repo, RepoType};

/// A repository and a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Id {
    name: String,
    revision: String,
}

impl Id {
    /// `ORG/NAME`, with `@REVISION` or not; none for what exists on disk, is named like a packed file or has another form.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let packed = path.extension().is_some_and(|extension| extension == "distil");
        if packed || path.exists() { None } else { Self::parse(path.to_str()?) }
    }

    fn parse(text: &str) -> Option<Self> {
        let (name, revision) = text.split_once('@').unwrap_or((text, "main"));
        // What the hub allows: no path with `.` or `..` in it, and nothing absolute.
        let part = |part: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(allowed) && !part.contains("..")
        };
        let (organization, repository) = name.split_once('/')?;
        let valid = part(organization) && part(repository) && revision.split('/').all(part);
        valid.then(|| Self { name: name.into(), revision: revision.into() })
    }

    /// As the user may write it.
    pub(super) fn text(&self) -> String {
        let at = if self.revision == "main" { String::new() } else { format!("@{}", self.revision) };
        format!("{}{at}", self.name)
    }

    /// The command that fetches it into a folder.
    pub(super) fn download(&self) -> String {
        let revision = if self.revision == "main" { String::new() } else { format!(" --revision {}", self.revision) };
        format!("hf download {}{revision} --local-dir FOLDER", self.name)
    }

    /// The repository at its own or another revision.
    pub(super) fn repository(&self, revision: Option<&str>) -> Repo {
        Repo::with_revision(self.name.clone(), RepoType::Model, revision.unwrap_or(&self.revision).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_what_is_none() {
        let id = Id::parse("sentence-transformers/all-MiniLM-L6-v2").unwrap();
        assert_eq!((&id.name[..], &id.revision[..]), ("sentence-transformers/all-MiniLM-L6-v2", "main"));
        let id = Id::parse("org/set.v1@refs/pr/3").unwrap();
        assert_eq!((&id.name[..], &id.revision[..]), ("org/set.v1", "refs/pr/3"));
        assert_eq!(id.text(), "org/set.v1@refs/pr/3");
        assert_eq!(id.download(), "hf download org/set.v1 --revision refs/pr/3 --local-dir FOLDER");
        for text in [
            "folder",
            "/org/name",
            "./org/name",
            "../name",
            "org/..",
            "a/b/c",
            "org/name@",
            "org/na me",
            "org/name@../x",
            "",
            "/",
            "org/",
            "runs/*",
        ] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
        assert_eq!(Id::of(Path::new(env!("CARGO_MANIFEST_DIR"))), None);
        assert_eq!(Id::of(Path::new("out/model.distil")), None);
    }
}
