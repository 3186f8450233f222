use std::{fs, io, path::Path, sync::PoisonError};

use qc_model::{BlobHash, RunId, Timestamp};

use super::{Folder, FolderBlobs};
use crate::{
    StoreError,
    blobs::{Exists, Swept},
};

/// The folders of blobs, by the first two digits of their hashes: looked at one by one, so that a list of names stays
/// small.
pub(super) const SHELVES: u16 = 256;

pub(super) async fn sweep(
    blobs: &FolderBlobs,
    older_than: Timestamp,
    exists: &Exists<'_>,
) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    // What a backup copies does not go under its hands: it is for the next sweep.
    let Some(_alone) = blobs.blocking(|folder| folder.alone()).await? else { return Ok(swept) };
    for shelf in 0..SHELVES {
        for hash in blobs.blocking(move |folder| folder.shelf(shelf)).await? {
            let runs = blobs.blocking(move |folder| folder.runs(hash)).await?;
            for run in runs.into_iter().filter(|run| run.made_at() < older_than) {
                if !exists(run).await? {
                    blobs.blocking(move |folder| folder.unmark(run, hash)).await?;
                    swept.markers += 1;
                }
            }
            if let Some(bytes) = blobs.blocking(move |folder| folder.remove_unused(hash)).await? {
                swept.blobs += 1;
                swept.bytes += bytes;
            }
        }
    }
    swept.unfinished = blobs.blocking(|folder| folder.remove_unfinished()).await?;
    Ok(swept)
}

impl Folder {
    /// The blobs of a shelf. Names that are no hashes are somebody else's.
    pub(super) fn shelf(&self, shelf: u16) -> io::Result<Vec<BlobHash>> {
        Ok(names(&self.root.join(format!("{shelf:02x}")))?
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect())
    }

    pub(super) fn runs(&self, hash: BlobHash) -> io::Result<Vec<RunId>> {
        let names = names(&self.home(hash).join("runs"))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    fn unmark(&self, run: RunId, hash: BlobHash) -> io::Result<()> {
        gone(fs::remove_file(self.home(hash).join("runs").join(run.to_string())))
    }

    /// Removes a blob without markers; its size when there was one.
    fn remove_unused(&self, hash: BlobHash) -> io::Result<Option<u64>> {
        let home = self.home(hash);
        let _no_marker_is_set = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        if !names(&home.join("runs"))?.is_empty() {
            return Ok(None);
        }
        let body = home.join("body");
        let size = fs::metadata(&body).map_or(0, |metadata| metadata.len());
        gone(fs::remove_file(body))?;
        gone(fs::remove_dir(home.join("runs")))?;
        gone(fs::remove_dir(home))?;
        Ok(Some(size))
    }

    /// Removes the files of writers that died: those that nobody here is writing.
    pub(super) fn remove_unfinished(&self) -> io::Result<usize> {
        let mut removed = 0;
        for name in names(&self.temporary())? {
            // The lock is held, so that no writer takes the name meanwhile.
            let writing = self.writing();
            if !name.parse().is_ok_and(|number: u64| writing.contains(&number)) {
                gone(fs::remove_file(self.temporary().join(name)))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// The names in a folder; none when there is no folder.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// What is gone already needs no removal.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
