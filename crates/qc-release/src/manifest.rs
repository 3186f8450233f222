use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use qc_model::Name;
use serde::{Deserialize, Serialize};

/// What a release consists of. Its canonical JSON is what the release's hash is of; so it holds nothing that differs
/// between two builds of the same files: no time, no person, no machine.
//
// The fields stand in alphabetical order and the maps are sorted: serde then writes the canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The connectors and their versions.
    pub connectors: BTreeMap<Name, String>,
    /// Files made from the originals that the server loads in their place, by path.
    pub derived: BTreeMap<String, Derived>,
    /// The original files, by path from the project's root.
    pub files: BTreeMap<String, FileEntry>,
    /// The version of this form.
    pub format: u32,
    /// The integration.
    pub integration: Name,
    /// The integration's version, as its owner declares it.
    pub version: String,
}

/// An original file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Hex SHA-256 of its bytes.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A file made from originals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derived {
    /// What was done, such as `keep-used-operations`.
    pub by: String,
    /// Hex SHA-256 of its bytes.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

/// The version of the manifest's form.
pub(crate) const FORMAT: u32 = 1;

impl Manifest {
    /// The canonical JSON: keys sorted, no white space.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest is plain data")
    }

    /// The release's hash: hex SHA-256 of the canonical JSON.
    pub fn hash(&self) -> String {
        sha256(&self.canonical())
    }

    /// The hashes of all files, originals and derived.
    pub fn blobs(&self) -> impl Iterator<Item = (&str, u64)> {
        let files = self.files.values().map(|file| (file.sha256.as_str(), file.size));
        files.chain(self.derived.values().map(|file| (file.sha256.as_str(), file.size)))
    }

    /// What counts when the release runs: path, hash and size of each file, derived ones in place of their originals.
    pub(crate) fn effective(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        let originals = self.files.iter().filter(|(path, _)| !self.derived.contains_key(*path));
        let originals = originals.map(|(path, file)| (path, &file.sha256, file.size));
        let derived = self.derived.iter().map(|(path, file)| (path, &file.sha256, file.size));
        originals.chain(derived).map(|(path, hash, size)| (path.as_str(), hash.as_str(), size))
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    digest(&SHA256, bytes).as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all text");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_form_is_sorted_and_stable() {
        let entry = FileEntry { sha256: sha256(b"x"), size: 1 };
        let manifest = Manifest {
            connectors: [(Name::new("crm").unwrap(), "1.0.0".to_owned())].into(),
            derived: BTreeMap::new(),
            files: [("b".to_owned(), entry.clone()), ("a".to_owned(), entry)].into(),
            format: FORMAT,
            integration: Name::new("demo").unwrap(),
            version: "1.0.0".to_owned(),
        };
        let text = String::from_utf8(manifest.canonical()).unwrap();
        let x = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
        assert_eq!(
            text,
            format!(
                "{{\"connectors\":{{\"crm\":\"1.0.0\"}},\"derived\":{{}},\"files\":{{\"a\":{{\"sha256\":\"{x}\",\"size\":1}},\
                 \"b\":{{\"sha256\":\"{x}\",\"size\":1}}}},\"format\":1,\"integration\":\"demo\",\"version\":\"1.0.0\"}}"
            )
        );
        let sorted: serde_json::Value = serde_json::from_str(&text).unwrap();
        let keys: Vec<&String> = sorted.as_object().unwrap().keys().collect();
        assert!(keys.is_sorted());
    }
}
