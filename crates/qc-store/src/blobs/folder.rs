//! Blobs as files: `<2 digits>/<hash>/body`, the markers of its runs beside it in `runs/`, and what is being written in
//! `tmp/`. One process at a time has the folder: whoever has the store's lock.

mod carry;
mod place;
mod sweep;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use qc_model::{BlobHash, BodyStream, RunId, Timestamp};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWriteExt, BufWriter},
    task,
};

pub use carry::{FolderCopy, FolderFill};

use super::{Blob, BlobRef, BlobStream, Blobs, Exists, PutError, Swept, intake::Intake};
use crate::StoreError;

/// So many bytes are read or written at once.
const CHUNK: usize = 64 * 1024;
/// Names that are tried for a temporary file before the folder counts as unusable.
const NAMES: u64 = 10_000;

/// Blobs in a folder of a local file system, fsynced.
#[derive(Clone)]
pub struct FolderBlobs {
    folder: Arc<Folder>,
}

/// The folder, and what this process is writing into it.
struct Folder {
    root: PathBuf,
    /// Held for writing while an unused blob is removed, for reading while a marker is set: no marker is set on a blob
    /// that is going.
    gate: RwLock<()>,
    writing: Mutex<BTreeSet<u64>>,
}

impl FolderBlobs {
    /// Opens the folder, making it when it is not there. What a process that died was writing is removed.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let folder =
            Folder { root: root.into(), gate: RwLock::default(), writing: Mutex::default() };
        fs::create_dir_all(folder.temporary())?;
        if let Some(above) = folder.root.parent().filter(|above| !above.as_os_str().is_empty()) {
            sync(above)?;
        }
        folder.remove_unfinished()?;
        Ok(Self { folder: Arc::new(folder) })
    }

    /// Does something with the folder where waiting for the disk is no harm.
    async fn blocking<T: Send + 'static>(
        &self,
        deed: impl FnOnce(&Arc<Folder>) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let folder = Arc::clone(&self.folder);
        match task::spawn_blocking(move || deed(&folder)).await {
            Ok(done) => done.map_err(|error| failed(&error)),
            // The error would repeat what a panic said.
            Err(_) => {
                Err(StoreError::Unavailable("a blob's file: the work on it broke off".to_owned()))
            }
        }
    }
}

#[async_trait]
impl Blobs for FolderBlobs {
    async fn put(&self, run: RunId, mut body: BodyStream, limit: u64) -> Result<BlobRef, PutError> {
        let (temporary, file) = self.blocking(Temporary::create).await?;
        let mut writer = BufWriter::with_capacity(CHUNK, File::from_std(file));
        let mut intake = Intake::new(limit);
        let disk = |error| PutError::Store(failed(&error));
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(PutError::Source)?;
            intake.take(&chunk)?;
            writer.write_all(&chunk).await.map_err(disk)?;
        }
        writer.flush().await.map_err(disk)?;
        writer.get_ref().sync_all().await.map_err(disk)?;
        let blob = intake.finish();
        self.blocking(move |folder| folder.settle(&temporary, run, blob.hash)).await?;
        Ok(blob)
    }

    async fn get(&self, run: RunId, hash: BlobHash) -> Result<Option<Blob>, StoreError> {
        let found = self.blocking(move |folder| folder.find(run, hash)).await?;
        Ok(found.map(|(size, file)| Blob { size, stream: chunks(file, size, hash) }))
    }

    async fn keep(&self, from: RunId, run: RunId, hash: BlobHash) -> Result<bool, StoreError> {
        self.blocking(move |folder| folder.keep(from, run, hash)).await
    }

    async fn sweep(&self, older_than: Timestamp, exists: &Exists<'_>) -> Result<Swept, StoreError> {
        sweep::sweep(self, older_than, exists).await
    }
}

/// The chunks of a blob's file. The last one is given out when all of them together have the hash.
fn chunks(file: fs::File, size: u64, hash: BlobHash) -> BlobStream {
    let intake = Intake::new(size);
    let start = (File::from_std(file), intake, size);
    Box::pin(stream::try_unfold(start, move |(mut file, mut intake, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let mut chunk = vec![0; usize::try_from(left).unwrap_or(CHUNK).min(CHUNK)];
        let damaged = || StoreError::Corrupt(format!("the blob {hash} is not what was put"));
        file.read_exact(&mut chunk).await.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(),
            _ => failed(&error),
        })?;
        intake.take(&chunk).map_err(|_| damaged())?;
        let left = left - chunk.len() as u64;
        if left == 0 && intake.clone().finish().hash != hash {
            return Err(damaged());
        }
        Ok(Some((Bytes::from(chunk), (file, intake, left))))
    }))
}

/// A file that is being written. Dropping it before it is settled removes it.
struct Temporary {
    folder: Arc<Folder>,
    number: u64,
}

impl Temporary {
    fn create(folder: &Arc<Folder>) -> io::Result<(Self, fs::File)> {
        for _ in 0..NAMES {
            let number = {
                let mut writing = folder.writing();
                // Of one number more than are taken, one is free.
                let mut numbers = 0..=writing.len() as u64;
                let number = numbers.find(|number| !writing.contains(number)).unwrap_or_default();
                writing.insert(number);
                number
            };
            let temporary = Self { folder: Arc::clone(folder), number };
            let mut options = fs::OpenOptions::new();
            match options.write(true).create_new(true).open(temporary.path()) {
                Ok(file) => return Ok((temporary, file)),
                // Left by somebody: gone when `temporary` is dropped, so that the name is free.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("no name is free for a temporary file"))
    }

    fn path(&self) -> PathBuf {
        self.folder.temporary().join(self.number.to_string())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed now, or was settled, is no harm: the sweep looks again.
        let _ = fs::remove_file(self.path());
        self.folder.writing().remove(&self.number);
    }
}

impl Folder {
    fn writing(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an error of the disk means to the caller.
fn failed(error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StoreError::Full(format!("a blob's file: {error}"))
        }
        _ => StoreError::Unavailable(format!("a blob's file: {error}")),
    }
}

/// Makes the entries of a folder durable.
fn sync(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
