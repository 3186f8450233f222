//! The files of a folder as they were in a git revision.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Command, Stdio},
};

use bytes::Bytes;

use crate::{cli::Trouble, codes};

/// Most files that are read, and most bytes of all of them.
const FILES_MAX: usize = 20_000;
const BYTES_MAX: u64 = 512 << 20;

/// A file of the tree.
struct Entry {
    object: String,
    path: String,
}

/// Reads them with the `git` that is installed.
pub(super) fn files(folder: &Path, revision: &str) -> Result<BTreeMap<String, Bytes>, Trouble> {
    let wrong = |why: String| {
        let help = "it is `git:` and a revision of the repository that the project's folder is in, \
                    such as git:origin/main";
        let message = format!("`git:{revision}` cannot be read: {why}");
        Trouble::usage(codes::BAD_SETTING, message, help)
    };
    // A revision that begins with a hyphen would be an option.
    if revision.is_empty() || revision.starts_with('-') {
        return Err(wrong("it is no revision".to_owned()));
    }
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(["ls-tree", "-r", "-l", "-z", revision]);
    let listed = git.stdin(Stdio::null()).output().map_err(|error| wrong(error.to_string()))?;
    if !listed.status.success() {
        let said = String::from_utf8_lossy(&listed.stderr);
        return Err(wrong(said.lines().next().unwrap_or("git failed").to_owned()));
    }
    let entries = entries(&listed.stdout).map_err(wrong)?;
    read(folder, &entries).map_err(|error| wrong(error.to_string()))
}

/// What `ls-tree -l -z` lists: ordinary files that are part of a project.
fn entries(listed: &[u8]) -> Result<Vec<Entry>, String> {
    let (mut entries, mut total) = (Vec::new(), 0_u64);
    for line in listed.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let Ok(line) = std::str::from_utf8(line) else { continue };
        let Some((facts, path)) = line.split_once('\t') else { continue };
        let mut facts = facts.split_ascii_whitespace();
        let (mode, kind) = (facts.next().unwrap_or_default(), facts.next().unwrap_or_default());
        let (object, size) = (facts.next().unwrap_or_default(), facts.next().unwrap_or_default());
        // Symbolic links and modules are no files, and hidden ones no part of a project.
        if kind != "blob" || mode == "120000" || path.split('/').any(|part| part.starts_with('.')) {
            continue;
        }
        total = total.saturating_add(size.parse().unwrap_or(u64::MAX));
        if entries.len() >= FILES_MAX || total > BYTES_MAX {
            return Err(format!("it has more than {FILES_MAX} files, or {BYTES_MAX} bytes"));
        }
        entries.push(Entry { object: object.to_owned(), path: path.to_owned() });
    }
    Ok(entries)
}

/// Reads the objects through one process.
fn read(folder: &Path, entries: &[Entry]) -> std::io::Result<BTreeMap<String, Bytes>> {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(["cat-file", "--batch"]);
    let mut git = git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (asks, answers) = (git.stdin.take(), git.stdout.take());
    let (Some(mut asks), Some(answers)) = (asks, answers) else {
        return Err(std::io::Error::other("git has no pipes"));
    };
    let mut answers = BufReader::new(answers);
    let mut files = BTreeMap::new();
    for Entry { object, path } in entries {
        writeln!(asks, "{object}")?;
        asks.flush()?;
        let mut header = String::new();
        answers.read_line(&mut header)?;
        let size = header.split_ascii_whitespace().nth(2).and_then(|size| size.parse().ok());
        let size: usize = size.ok_or_else(|| std::io::Error::other("git lost an object"))?;
        // A line end follows the content.
        let mut content = vec![0; size + 1];
        answers.read_exact(&mut content)?;
        content.truncate(size);
        files.insert(path.clone(), Bytes::from(content));
    }
    drop(asks);
    git.wait()?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_its_files_without_links_modules_and_what_is_hidden() {
        let listed = b"100644 blob aa 3\tquickconnect.yaml\x00100755 blob bb 1\tx/run.sh\x00\
            120000 blob cc 1\tlink\x00160000 commit dd -\tmodule\x00100644 blob ee 2\t.qc/state\x00";
        let entries = entries(listed).unwrap();
        let paths: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["quickconnect.yaml", "x/run.sh"]);
        assert!(super::entries(b"100644 blob aa 999999999999\tbig\0").is_err());
    }

    #[test]
    fn what_is_no_revision_is_said() {
        let folder = tempfile::tempdir().unwrap();
        for odd in ["", "--output=x", "no-such-revision"] {
            assert!(files(folder.path(), odd).is_err(), "{odd}");
        }
    }
}
