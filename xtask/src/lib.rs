//! The house's own rules, as functions over the source tree. `tests/tidy.rs` runs them, so that
//! `cargo test` is all there is to run.
//!
//! [`judge`] puts our verdicts beside those of others' labelled cases.
//!
//! Deliberately not here: anything that the compiler, clippy, rustfmt or cargo-deny checks already.

pub mod judge;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// Every file below `folder` whose name ends with `ending`, with its text; `target` left out.
pub fn files(folder: &Path, ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && name != "node_modules" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(ending)
                && let Ok(text) = fs::read_to_string(&path)
            {
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

/// The rank of each crate: a crate depends on lower ranks only.
pub fn ranks() -> BTreeMap<&'static str, u8> {
    BTreeMap::from([
        ("qc-model", 0),
        ("qc-pgserver", 0),
        ("qc-oidcserver", 0),
        ("qc-data", 1),
        ("qc-expression", 1),
        ("qc-document", 1),
        ("qc-contract", 2),
        ("qc-version", 3),
        ("qc-pace", 2),
        ("qc-limit", 2),
        ("qc-store", 2),
        ("qc-census", 3),
        ("qc-workflow", 3),
        ("qc-sql", 3),
        ("qc-vault", 3),
        ("qc-simulator", 3),
        ("qc-access", 4),
        ("qc-audit", 4),
        ("qc-connection", 4),
        ("qc-capture", 4),
        ("qc-broker", 5),
        ("qc-connect", 5),
        ("qc-verify", 5),
        ("qc-identity", 5),
        ("qc-release", 5),
        ("qc-engine", 6),
        ("qc-simulation", 7),
        ("qc-project", 7),
        ("qc-server", 8),
        ("quickconnect", 9),
    ])
}
