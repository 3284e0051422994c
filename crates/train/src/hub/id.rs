//! Names that mean something on the hub.

use hf_hub::{Repo, RepoType};
use std::path::Path;

/// A repository and a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Id {
    data: bool,
    name: String,
    revision: String,
}

impl Id {
    /// `ORG/NAME` or `datasets/ORG/NAME`, `@REVISION` or not; none for what exists on disk or has another form.
    pub(super) fn of(path: &Path) -> Option<Self> {
        if path.exists() { None } else { Self::parse(path.to_str()?) }
    }

    fn parse(text: &str) -> Option<Self> {
        let (text, revision) = text.split_once('@').unwrap_or((text, "main"));
        let (data, name) = match text.strip_prefix("datasets/") {
            Some(name) => (true, name),
            None => (false, text),
        };
        // What the hub allows: no path with `.` or `..` in it, and nothing absolute.
        let part = |part: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(allowed) && !part.contains("..")
        };
        let (organization, repository) = name.split_once('/')?;
        let valid = part(organization) && part(repository) && revision.split('/').all(part);
        valid.then(|| Self { data, name: name.into(), revision: revision.into() })
    }

    /// Whether it is a data set.
    pub(super) fn is_data(&self) -> bool {
        self.data
    }

    /// As the user may write it.
    pub(super) fn text(&self) -> String {
        let at = if self.revision == "main" { String::new() } else { format!("@{}", self.revision) };
        format!("{}{}{at}", if self.data { "datasets/" } else { "" }, self.name)
    }

    /// The same for `hf download`.
    pub(super) fn arguments(&self) -> String {
        let kind = if self.data { " --repo-type dataset" } else { "" };
        let revision = if self.revision == "main" { String::new() } else { format!(" --revision {}", self.revision) };
        format!("{}{kind}{revision}", self.name)
    }

    /// The repository at its own or another revision.
    pub(super) fn repository(&self, revision: Option<&str>) -> Repo {
        let kind = if self.data { RepoType::Dataset } else { RepoType::Model };
        Repo::with_revision(self.name.clone(), kind, revision.unwrap_or(&self.revision).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_what_is_none() {
        let id = Id::parse("google-bert/bert-base-uncased").unwrap();
        assert_eq!((id.data, &id.name[..], &id.revision[..]), (false, "google-bert/bert-base-uncased", "main"));
        let id = Id::parse("datasets/org/set.v1@refs/pr/3").unwrap();
        assert_eq!((id.data, &id.name[..], &id.revision[..]), (true, "org/set.v1", "refs/pr/3"));
        assert_eq!(id.text(), "datasets/org/set.v1@refs/pr/3");
        assert_eq!(id.arguments(), "org/set.v1 --repo-type dataset --revision refs/pr/3");
        for text in [
            "folder",
            "/org/name",
            "./org/name",
            "../name",
            "org/..",
            "a/b/c",
            "datasets/one",
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
    }
}
