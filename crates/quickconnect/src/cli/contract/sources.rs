//! Where the versions of a contract come from: files on disk, and files of a git revision.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use qc_contract::Files;

/// Largest file that is read, in bytes: what the parser takes at most.
const SIZE_LIMIT: u64 = 32 << 20;

/// The folder of a version, and the file in it.
pub(super) struct Version {
    pub(super) files: Box<dyn Files>,
    pub(super) entry: String,
}

impl Version {
    /// A version by its name: a path, or `git:REVISION:PATH`.
    pub(super) fn named(name: &str) -> Self {
        let of_git = name.strip_prefix("git:").and_then(|rest| rest.split_once(':'));
        let path = Path::new(of_git.map_or(name, |(_, path)| path));
        let entry = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let files: Box<dyn Files> = match of_git {
            Some((revision, _)) => Box::new(Revision { revision: revision.to_owned(), folder }),
            None => Box::new(Folder(folder)),
        };
        Self { files, entry: entry.unwrap_or_default() }
    }
}

/// Files of a folder. References never leave it: the loader refuses them before it asks.
struct Folder(PathBuf);

impl Files for Folder {
    fn text(&self, path: &str) -> Option<Arc<str>> {
        let path = self.0.join(path);
        let is_readable =
            fs::metadata(&path).is_ok_and(|data| data.is_file() && data.len() <= SIZE_LIMIT);
        let text = if is_readable { fs::read_to_string(path).ok() } else { None };
        text.map(Arc::from)
    }
}

/// Files of a revision, below the folder that one is in.
struct Revision {
    revision: String,
    folder: PathBuf,
}

impl Revision {
    fn git(&self, verb: &[&str], path: &str) -> Option<Vec<u8>> {
        // A revision that begins with a hyphen would be an option.
        if self.revision.is_empty() || self.revision.starts_with('-') {
            return None;
        }
        let object = format!("{}:./{}", self.revision, self.folder.join(path).display());
        let mut git = Command::new("git");
        let told = git.args(verb).arg(object).stdin(Stdio::null()).stderr(Stdio::null()).output();
        told.ok().filter(|told| told.status.success()).map(|told| told.stdout)
    }
}

impl Files for Revision {
    fn text(&self, path: &str) -> Option<Arc<str>> {
        let size = String::from_utf8(self.git(&["cat-file", "-s"], path)?).ok()?;
        if size.trim().parse::<u64>().ok()? > SIZE_LIMIT {
            return None;
        }
        let text = String::from_utf8(self.git(&["cat-file", "blob"], path)?).ok()?;
        Some(Arc::from(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_path_or_a_file_of_a_revision() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), "x").unwrap();
        let version = Version::named(folder.path().join("a.yaml").to_str().unwrap());
        assert_eq!(version.entry, "a.yaml");
        assert_eq!(version.files.text("a.yaml").as_deref(), Some("x"));
        assert_eq!(version.files.text("b.yaml"), None);
        for odd in ["git:--output=x:a.yaml", "git::a.yaml", "git:no-such-revision:a.yaml"] {
            let version = Version::named(odd);
            assert_eq!(
                (version.entry.as_str(), version.files.text("a.yaml")),
                ("a.yaml", None),
                "{odd}"
            );
        }
    }
}
