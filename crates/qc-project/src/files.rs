//! The files of a project, in memory.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use qc_document::Source;
use qc_model::{Finding, Place};

use crate::codes;

/// Most files in a project.
const FILE_LIMIT: usize = 20_000;
/// Most bytes in one file.
const FILE_BYTES: u64 = 64 << 20;
/// Most bytes in a project.
const TOTAL_BYTES: u64 = 512 << 20;
/// Deepest nesting of folders.
const DEPTH_LIMIT: usize = 16;
/// Folders that are no part of a project, but for those that stand where connectors and integrations do.
const SKIPPED: &[&str] = &["target", "node_modules"];

/// The files of a project by path, relative to its root, with `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectFiles(BTreeMap<String, Bytes>);

impl ProjectFiles {
    /// From files at hand.
    pub fn new(files: impl IntoIterator<Item = (String, Bytes)>) -> Self {
        Self(files.into_iter().collect())
    }

    /// Reads a folder. Hidden files, `target`, `node_modules` and symbolic links are left out.
    pub fn read(folder: &Path) -> Result<Self, Vec<Finding>> {
        let mut reading = Reading::default();
        reading.folder(folder, "", 0);
        if reading.findings.is_empty() { Ok(Self(reading.files)) } else { Err(reading.findings) }
    }

    /// Adds or replaces a file.
    pub fn insert(&mut self, path: impl Into<String>, bytes: impl Into<Bytes>) {
        self.0.insert(path.into(), bytes.into());
    }

    /// The bytes of a file.
    pub fn bytes(&self, path: &str) -> Option<&Bytes> {
        self.0.get(path)
    }

    /// The text of a file; None when it is not there or no UTF-8.
    pub fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(self.0.get(path)?).ok()
    }

    /// Whether the file is there.
    pub fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// A file as a source for the parsers; a finding when it is no UTF-8, None when it is not there.
    pub fn source(&self, path: &str) -> Option<Result<Source, Finding>> {
        let bytes = self.0.get(path)?;
        Some(match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Source::new(path, text)),
            Err(error) => {
                let message =
                    format!("`{path}` is not UTF-8 text from byte {} on", error.valid_up_to());
                Err(Finding::error(codes::UNREADABLE, message).at(file_place(path)))
            }
        })
    }

    /// All files in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.0.iter().map(|(path, bytes)| (path.as_str(), bytes))
    }

    /// The files under a folder (`integrations/a`), with paths from the root.
    pub fn under<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a Bytes)> {
        self.iter().filter(move |(path, _)| {
            path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        })
    }

    /// The names of the folders directly inside a folder.
    pub fn folders(&self, folder: &str) -> Vec<&str> {
        let inside =
            |path: &'_ str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let mut names: Vec<&str> = self
            .iter()
            .filter(|(path, _)| inside(path))
            .filter_map(|(path, _)| path[folder.len() + 1..].split_once('/'))
            .map(|(name, _)| name)
            .collect();
        names.dedup();
        names
    }
}

/// The beginning of a file, for findings about the file as a whole.
pub(crate) fn file_place(path: &str) -> Place {
    Source::new(path, "").place(qc_document::Span::default())
}

/// Findings about the files of a folder get places from the project's root.
pub(crate) fn relocate(findings: &mut [Finding], folder: &str) {
    for finding in findings {
        let labels = finding.labels.iter_mut().map(|label| &mut label.place);
        for place in finding.place.iter_mut().chain(labels) {
            place.file = format!("{folder}/{}", place.file).into();
        }
    }
}

#[derive(Default)]
struct Reading {
    files: BTreeMap<String, Bytes>,
    total: u64,
    findings: Vec<Finding>,
}

impl Reading {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(prefix, &error),
        };
        let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.starts_with('.') || self.files.len() >= FILE_LIMIT {
                if self.files.len() >= FILE_LIMIT {
                    return self.too_much(prefix, &format!("more than {FILE_LIMIT} files"));
                }
                continue;
            }
            let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
            match entry.file_type() {
                // What people name themselves, a connector or an integration, may have any name.
                Ok(kind) if kind.is_dir() && SKIPPED.contains(&name) && depth != 1 => {}
                Ok(kind) if kind.is_dir() && depth == DEPTH_LIMIT => {
                    self.too_much(&path, &format!("folders nested deeper than {DEPTH_LIMIT}"));
                }
                Ok(kind) if kind.is_dir() => self.folder(&entry.path(), &path, depth + 1),
                Ok(kind) if kind.is_file() => self.file(&entry.path(), path),
                Ok(_) => {}
                Err(error) => self.unreadable(&path, &error),
            }
        }
    }

    fn file(&mut self, file: &Path, path: String) {
        let size = std::fs::metadata(file).map_or(0, |facts| facts.len());
        self.total += size;
        if size > FILE_BYTES || self.total > TOTAL_BYTES {
            return self.too_much(&path, "more than 64 MiB in one file or 512 MiB in all");
        }
        match std::fs::read(file) {
            Ok(bytes) => {
                self.files.insert(path, bytes.into());
            }
            Err(error) => self.unreadable(&path, &error),
        }
    }

    fn unreadable(&mut self, path: &str, error: &std::io::Error) {
        let shown = if path.is_empty() { "the project's folder" } else { path };
        let finding = Finding::error(codes::UNREADABLE, format!("cannot read `{shown}`: {error}"));
        self.findings.push(finding.at(file_place(path)));
    }

    fn too_much(&mut self, path: &str, what: &str) {
        let finding = Finding::error(codes::TOO_MUCH, format!("the project has {what}"));
        self.findings.push(
            finding
                .at(file_place(path))
                .help("run qc in the folder of the project, and keep other things out of it"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_belongs_to_a_project() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            "a/b.yaml",
            ".git/config",
            "target/x",
            "quickconnect.yaml",
            "a/c/d.json",
            "a/target/e",
            "a/c/target/f",
        ] {
            let file = folder.path().join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, path).unwrap();
        }
        let files = ProjectFiles::read(folder.path()).unwrap();
        let paths: Vec<&str> = files.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a/b.yaml", "a/c/d.json", "a/target/e", "quickconnect.yaml"]);
        assert_eq!(files.folders("a"), ["c", "target"], "a connector may be named so");
        assert_eq!(files.text("a/b.yaml"), Some("a/b.yaml"));
        assert!(ProjectFiles::read(&folder.path().join("nowhere")).is_err());
    }

    #[test]
    fn bytes_that_are_no_text_are_a_finding() {
        let files = ProjectFiles::new([("a.yaml".to_owned(), Bytes::from_static(b"a: \xff"))]);
        let finding = files.source("a.yaml").unwrap().unwrap_err();
        assert_eq!(finding.code, codes::UNREADABLE);
    }
}
