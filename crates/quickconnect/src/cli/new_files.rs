//! Writing files that a person did not have before.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use qc_model::Finding;
use qc_project::{ProjectFiles, scaffold};

use super::{Exit, Trouble};

/// What is done about files that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Present {
    /// Nothing is written.
    Refuse,
    /// They are written over.
    Replace,
}

impl Present {
    /// By `--force`.
    pub(super) fn forced(force: bool) -> Self {
        if force { Self::Replace } else { Self::Refuse }
    }
}

/// Writes files below a folder, making folders as needed.
pub(super) fn write(folder: &Path, files: &ProjectFiles, present: Present) -> Result<(), Trouble> {
    if present == Present::Refuse {
        return scaffold::write(files, folder).map_err(refused);
    }
    for (path, bytes) in files.iter() {
        let target = folder.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(|error| Trouble::file(parent, &error))?;
        }
        fs::write(&target, bytes).map_err(|error| Trouble::file(&target, &error))?;
    }
    Ok(())
}

/// Something that is there already is a conflict; all else is about the disk.
pub(super) fn refused(findings: Vec<Finding>) -> Trouble {
    let exists = findings.iter().any(|finding| finding.code == qc_project::codes::EXISTS);
    let exit = if exists { Exit::Conflict } else { Exit::Findings };
    Trouble { exit, findings, problem: None }
}

/// The paths of files, for people: as they are reached from here.
pub(super) fn listing(folder: &Path, files: &ProjectFiles) -> String {
    let shown: Vec<String> =
        files.iter().map(|(path, _)| below(folder, path).display().to_string()).collect();
    shown.join("\n")
}

/// Whether there is anything in a folder; a folder that does not exist is empty. Hidden files such as `.git` do not
/// count: a repository is often made first.
pub(super) fn is_empty(folder: &Path) -> Result<bool, Trouble> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(Trouble::file(folder, &error)),
    };
    let visible = |entry: &fs::DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
    Ok(!entries.filter_map(Result::ok).any(|entry| visible(&entry)))
}

/// A path as a word of a shell's command.
pub(super) fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// A folder below which things are made, without a trailing `.`.
pub(super) fn below(folder: &Path, inside: &str) -> PathBuf {
    if folder == Path::new(".") { PathBuf::from(inside) } else { folder.join(inside) }
}

/// The command that checks the project in a folder.
pub(super) fn check_command(folder: &Path) -> String {
    if folder == Path::new(".") {
        "qc check".to_owned()
    } else {
        format!("qc check {}", shell_word(folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_when_one_of_the_files_is_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b"), "mine").unwrap();
        let files = [("a/x".to_owned(), "1".into()), ("b".to_owned(), "2".into())];
        let files = ProjectFiles::new(files);
        let trouble = write(folder.path(), &files, Present::Refuse).unwrap_err();
        assert_eq!(trouble.exit, Exit::Conflict);
        assert!(trouble.findings[0].message.contains("`b`"), "{trouble:?}");
        assert!(!folder.path().join("a").exists());
        assert_eq!(fs::read_to_string(folder.path().join("b")).unwrap(), "mine");
        write(folder.path(), &files, Present::Replace).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("a/x")).unwrap(), "1");
        assert_eq!(fs::read_to_string(folder.path().join("b")).unwrap(), "2");
    }

    #[test]
    fn a_new_repository_counts_as_empty() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_empty(&folder.path().join("nowhere")).unwrap());
        fs::create_dir(folder.path().join(".git")).unwrap();
        assert!(is_empty(folder.path()).unwrap());
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        assert!(!is_empty(folder.path()).unwrap());
    }

    #[test]
    fn paths_can_be_pasted_into_a_shell() {
        assert_eq!(shell_word(Path::new("a/b-c.d")), "a/b-c.d");
        assert_eq!(shell_word(Path::new("it's here")), r"'it'\''s here'");
    }
}
