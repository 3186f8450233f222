use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

use aws_lc_rs::digest::{Context, SHA256};
use qc_model::Timestamp;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::{BackupError, OpenError, schema};

/// The database in a backup's folder.
pub(super) const DATABASE: &str = "quickconnect.db";
/// What says that a backup is whole; written last.
pub(super) const MANIFEST: &str = "manifest.json";
/// The version of the manifest.
const FORMAT: u32 = 1;
/// The longest manifest that is read.
const MANIFEST_BYTES_MAX: u64 = 64 << 10;

/// What a backup is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFacts {
    /// The version of the manifest.
    pub format: u32,
    /// When it was made; what was written later is not in it.
    pub at: Timestamp,
    /// The version of the database's schema.
    pub schema: i64,
    /// The size of the database.
    pub bytes: u64,
    /// The SHA-256 of the database, in hex.
    pub sha256: String,
    /// What is in it.
    pub counts: BackupCounts,
}

/// How much is in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BackupCounts {
    /// Runs.
    pub runs: u64,
    /// Runs that are not at their end.
    pub open_runs: u64,
    /// Journal entries of all runs.
    pub journal_entries: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Signals.
    pub signals: u64,
    /// Documents.
    pub documents: u64,
    /// Ledger rows.
    pub ledger_rows: u64,
}

impl BackupCounts {
    /// Counts what a database holds.
    pub(super) fn of(db: &Connection) -> rusqlite::Result<Self> {
        let count = |of: &str| -> rusqlite::Result<u64> {
            let sql = format!("SELECT count(*) FROM {of}");
            db.query_row(&sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
        };
        Ok(Self {
            runs: count("run")?,
            open_runs: count("run WHERE ended_at IS NULL")?,
            journal_entries: count("journal")?,
            dead_letters: count("dead")?,
            signals: count("signal")?,
            documents: count("document")?,
            ledger_rows: count("ledger")?,
        })
    }
}

impl BackupFacts {
    pub(super) fn new(at: Timestamp, seal: Seal, counts: BackupCounts) -> Self {
        let Seal { bytes, sha256 } = seal;
        Self { format: FORMAT, at, schema: schema::known(), bytes, sha256, counts }
    }

    /// Writes the manifest, durably.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let part = folder.join("manifest.json.part");
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let mut file = File::create(&part)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&part, folder.join(MANIFEST))?;
        File::open(folder)?.sync_all()
    }

    /// Reads the manifest of a backup that this version can restore.
    pub(super) fn read(folder: &Path) -> Result<Self, BackupError> {
        let path = folder.join(MANIFEST);
        let damaged = |why: String| BackupError::Damaged { folder: folder.to_owned(), why };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged(format!("it has no `{MANIFEST}`, which is written last")));
            }
            Err(error) => return Err(BackupError::of_io(&path, &error)),
        };
        let mut text = Vec::new();
        file.take(MANIFEST_BYTES_MAX)
            .read_to_end(&mut text)
            .map_err(|error| BackupError::of_io(&path, &error))?;
        let facts: Self = serde_json::from_slice(&text)
            .map_err(|error| damaged(format!("`{MANIFEST}` cannot be read: {error}")))?;
        if facts.format != FORMAT {
            return Err(damaged(format!(
                "its format is {}; this version knows {FORMAT}",
                facts.format
            )));
        }
        let known = schema::known();
        if facts.schema > known {
            return Err(OpenError::NewerSchema { found: facts.schema, known }.into());
        }
        Ok(facts)
    }

    /// Whether the database is the one that was backed up.
    pub(super) fn check(&self, folder: &Path, found: &Seal) -> Result<(), BackupError> {
        let damaged = |why: String| BackupError::Damaged { folder: folder.to_owned(), why };
        if found.bytes != self.bytes {
            return Err(damaged(format!(
                "`{DATABASE}` has {} bytes; it was written with {}",
                found.bytes, self.bytes
            )));
        }
        if found.sha256 != self.sha256 {
            return Err(damaged(format!(
                "`{DATABASE}` is not as it was written: {}",
                found.sha256
            )));
        }
        Ok(())
    }
}

/// The size and SHA-256 of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seal {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// Reads a file to its end, handing on what is read.
pub(super) fn seal(
    mut from: impl Read,
    mut to: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Seal> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        context.update(&buffer[..read]);
        to(&buffer[..read])?;
        bytes += read as u64;
    }
    let digest: [u8; 32] = context.finish().as_ref().try_into().map_err(io::Error::other)?;
    let (high, low) = digest.split_at(16);
    let half = |bytes: &[u8]| bytes.iter().fold(0u128, |all, byte| (all << 8) | u128::from(*byte));
    let sha256 = format!("{:032x}{:032x}", half(high), half(low));
    Ok(Seal { bytes, sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_the_sha_256_of_what_was_read() {
        let mut copy = Vec::new();
        let seal = seal(&b"abc"[..], |bytes| {
            copy.extend_from_slice(bytes);
            Ok(())
        })
        .unwrap();
        // The first example of FIPS 180-2.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((seal.bytes, seal.sha256.as_str(), &copy[..]), (3, expected, &b"abc"[..]));
    }
}
