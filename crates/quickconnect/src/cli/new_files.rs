//! Writing files that a person did not have before.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use qc_model::Finding;

use super::{Exit, Trouble};

/// What is done about files that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Present {
    /// Nothing is written.
    Refuse,
    /// They are written over.
    Replace,
}

/// Writes files below a folder, making folders as needed. Looks for what is there already before it writes anything,
/// so that a refusal leaves no half of a project behind.
pub(super) fn write(folder: &Path, files: &[(String, String)], present: Present) -> Result<(), Trouble> {
    if present == Present::Refuse {
        let there: Vec<Finding> = files
            .iter()
            .filter(|(path, _)| fs::symlink_metadata(folder.join(path)).is_ok())
            .map(|(path, _)| exists(&folder.join(path)))
            .collect();
        if !there.is_empty() {
            return Err(Trouble { exit: Exit::Conflict, findings: there, problem: None });
        }
    }
    for (path, text) in files {
        let target = folder.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(|error| Trouble::file(parent, &error))?;
        }
        let written = match present {
            // Whoever was faster than the look above keeps their file.
            Present::Refuse => fs::File::create_new(&target)
                .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes())),
            Present::Replace => fs::write(&target, text),
        };
        written.map_err(|error| Trouble::file(&target, &error))?;
    }
    Ok(())
}

fn exists(path: &Path) -> Finding {
    Finding::error(qc_project::codes::EXISTS, format!("`{}` is there already", path.display()))
        .help("move it away, or choose another name")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_when_one_of_the_files_is_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b"), "mine").unwrap();
        let files = [("a/x".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())];
        let trouble = write(folder.path(), &files, Present::Refuse).unwrap_err();
        assert_eq!(trouble.exit, Exit::Conflict);
        assert!(trouble.findings[0].message.contains("/b`"), "{trouble:?}");
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
