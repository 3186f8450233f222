use std::collections::BTreeMap;

use bytes::Bytes;
use qc_model::{Finding, Name};

use crate::{
    codes,
    manifest::{Derived, FORMAT, FileEntry, Manifest, sha256},
};

/// Most files of a release, derived ones included.
const FILE_LIMIT: usize = 5_000;
/// Most bytes of a release before compression.
const BYTE_LIMIT: usize = 256 << 20;

/// A release with its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    manifest: Manifest,
    hash: String,
    files: BTreeMap<String, Bytes>,
    derived: BTreeMap<String, Bytes>,
}

/// A release as a server runs it: originals that something derived stands in for are not even read. An API's
/// description of many megabytes does not pass through memory for the three operations that are kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    manifest: Manifest,
    hash: String,
    files: BTreeMap<String, Bytes>,
}

/// What a bundle is made from.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The integration.
    pub integration: Name,
    /// Its version.
    pub version: String,
    /// The connectors and their versions.
    pub connectors: BTreeMap<Name, String>,
    /// The original files, by path from the project's root.
    pub files: BTreeMap<String, Bytes>,
    /// Files that the server loads in place of originals: how they were made, and their bytes.
    pub derived: BTreeMap<String, (String, Bytes)>,
}

/// Why files make no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Too many files or bytes.
    #[error(
        "a release has at most {FILE_LIMIT} files and {BYTE_LIMIT} bytes; this one has {files} and {bytes}"
    )]
    TooLarge {
        /// How many files.
        files: usize,
        /// How many bytes.
        bytes: usize,
    },
    /// The files are not those of the manifest.
    #[error("`{path}` {what}")]
    Mismatch {
        /// Which file.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl BundleError {
    /// As a finding.
    pub fn finding(&self) -> Finding {
        let code = match self {
            Self::TooLarge { .. } => codes::TOO_LARGE,
            Self::Mismatch { .. } => codes::DAMAGED,
        };
        Finding::error(code, self.to_string())
    }
}

impl Bundle {
    /// Makes a bundle. The same draft always gives the same hash.
    pub fn build(draft: Draft) -> Result<Self, BundleError> {
        let sizes = draft.files.values().chain(draft.derived.values().map(|(_, bytes)| bytes));
        let bytes: usize = sizes.map(Bytes::len).sum();
        let files = draft.files.len() + draft.derived.len();
        if files > FILE_LIMIT || bytes > BYTE_LIMIT {
            return Err(BundleError::TooLarge { files, bytes });
        }
        let entry = |bytes: &Bytes| FileEntry { sha256: sha256(bytes), size: bytes.len() as u64 };
        let manifest = Manifest {
            connectors: draft.connectors,
            derived: draft
                .derived
                .iter()
                .map(|(path, (by, bytes))| {
                    let FileEntry { sha256, size } = entry(bytes);
                    (path.clone(), Derived { by: by.clone(), sha256, size })
                })
                .collect(),
            files: draft.files.iter().map(|(path, bytes)| (path.clone(), entry(bytes))).collect(),
            format: FORMAT,
            integration: draft.integration,
            version: draft.version,
        };
        let derived = draft.derived.into_iter().map(|(path, (_, bytes))| (path, bytes)).collect();
        Ok(Self { hash: manifest.hash(), manifest, files: draft.files, derived })
    }

    /// Puts a bundle together again from a manifest and what `blob` has under each hash; every byte is checked.
    pub(crate) fn assemble(
        manifest: Manifest,
        blob: impl Fn(&str) -> Option<Bytes>,
    ) -> Result<Self, BundleError> {
        let mut files = BTreeMap::new();
        for (path, entry) in &manifest.files {
            files.insert(path.clone(), checked(path, &entry.sha256, &blob)?);
        }
        let mut derived = BTreeMap::new();
        for (path, entry) in &manifest.derived {
            derived.insert(path.clone(), checked(path, &entry.sha256, &blob)?);
        }
        Ok(Self { hash: manifest.hash(), manifest, files, derived })
    }

    /// The release's hash: hex SHA-256 of the manifest.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// What it consists of.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The original files, exactly as they were.
    pub fn originals(&self) -> &BTreeMap<String, Bytes> {
        &self.files
    }

    /// The release as a server runs it: originals, with derived ones in place of some.
    pub fn effective(&self) -> Effective {
        let mut files = self.files.clone();
        files.extend(self.derived.iter().map(|(path, bytes)| (path.clone(), bytes.clone())));
        Effective { manifest: self.manifest.clone(), hash: self.hash.clone(), files }
    }

    /// The bytes under each hash.
    pub(crate) fn blobs(&self) -> BTreeMap<&str, &Bytes> {
        let files =
            self.manifest.files.iter().map(|(path, e)| (e.sha256.as_str(), &self.files[path]));
        let derived = self.manifest.derived.iter();
        files.chain(derived.map(|(path, e)| (e.sha256.as_str(), &self.derived[path]))).collect()
    }
}

impl Effective {
    /// Puts together what runs, from a manifest and what `blob` has under each hash; every byte is checked.
    pub(crate) fn assemble(
        manifest: Manifest,
        blob: impl Fn(&str) -> Option<Bytes>,
    ) -> Result<Self, BundleError> {
        let mut files = BTreeMap::new();
        for (path, hash, _) in manifest.effective() {
            files.insert(path.to_owned(), checked(path, hash, &blob)?);
        }
        Ok(Self { hash: manifest.hash(), manifest, files })
    }

    /// The release's hash, as of the [`Bundle`].
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// What the release consists of.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The files that count, by path.
    pub fn files(&self) -> &BTreeMap<String, Bytes> {
        &self.files
    }
}

/// What is stored under a hash, if it is what was stored.
fn checked(
    path: &str,
    hash: &str,
    blob: &impl Fn(&str) -> Option<Bytes>,
) -> Result<Bytes, BundleError> {
    let mismatch = |what| BundleError::Mismatch { path: path.to_owned(), what };
    let bytes = blob(hash).ok_or_else(|| mismatch("is missing"))?;
    if sha256(&bytes) == hash { Ok(bytes) } else { Err(mismatch("is not what was stored")) }
}
