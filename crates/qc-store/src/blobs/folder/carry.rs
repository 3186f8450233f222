//! Taking a whole folder of blobs out, for a backup, and making one, for a restore.
//!
//! Who copies may be another process than the one that has the folder. The two agree by a lock on the folder itself:
//! while a copy is made, no sweep begins, and a copy waits for a sweep under way. So whatever the store names when the
//! copy begins is there until it ends.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, RwLock},
};

use qc_model::{BlobHash, RunId};

use super::{Folder, sweep::SHELVES, sync};

impl Folder {
    fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), gate: RwLock::default(), writing: Mutex::default() }
    }

    /// The right to sweep, while nobody copies the folder.
    pub(super) fn alone(&self) -> io::Result<Option<File>> {
        let lock = File::open(&self.root)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// A folder of blobs that stays as it is, but for what is added, as long as this lives.
pub struct FolderCopy {
    /// None: there is no folder, and so no blob.
    folder: Option<(Folder, File)>,
}

impl FolderCopy {
    /// Holds the folder; waits until a sweep under way has ended.
    pub fn begin(root: &Path) -> io::Result<Self> {
        let lock = match File::open(root) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { folder: None });
            }
            Err(error) => return Err(error),
        };
        lock.lock_shared()?;
        Ok(Self { folder: Some((Folder::at(root), lock)) })
    }

    /// Every blob whose body is there.
    pub fn blobs(&self) -> impl Iterator<Item = io::Result<BlobHash>> + '_ {
        let shelves = self.folder.iter().flat_map(|(folder, _)| {
            (0..SHELVES).map(move |shelf| {
                let mut hashes = folder.shelf(shelf)?;
                hashes.retain(|hash| folder.home(*hash).join("body").exists());
                hashes.sort_unstable();
                Ok(hashes)
            })
        });
        shelves.flat_map(|shelf: io::Result<Vec<BlobHash>>| match shelf {
            Ok(hashes) => hashes.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    /// The body of a blob, and its size.
    pub fn body(&self, hash: BlobHash) -> io::Result<(u64, File)> {
        let (folder, _) = self.folder.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let file = File::open(folder.home(hash).join("body"))?;
        Ok((file.metadata()?.len(), file))
    }

    /// The runs that hold a blob.
    pub fn runs(&self, hash: BlobHash) -> io::Result<Vec<RunId>> {
        let Some((folder, _)) = &self.folder else { return Ok(Vec::new()) };
        folder.runs(hash)
    }
}

/// A folder of blobs in the making.
pub struct FolderFill {
    folder: Folder,
}

impl FolderFill {
    /// Makes the folder, which must not be there.
    pub fn create(root: &Path) -> io::Result<Self> {
        fs::create_dir(root)?;
        let folder = Folder::at(root);
        fs::create_dir(folder.temporary())?;
        Ok(Self { folder })
    }

    /// A blob's file, to be written whole; [`FolderFill::finish`] makes it durable.
    pub fn blob(&self, hash: BlobHash) -> io::Result<File> {
        let home = self.folder.home(hash);
        fs::create_dir_all(home.join("runs"))?;
        let options =
            fs::OpenOptions::new().write(true).create_new(true).open(home.join("body"))?;
        Ok(options)
    }

    /// Ends a blob's file.
    pub fn settle(&self, mut file: File) -> io::Result<()> {
        file.flush()?;
        file.sync_all()
    }

    /// Says that a run holds a blob.
    pub fn mark(&self, hash: BlobHash, run: RunId) -> io::Result<()> {
        let runs = self.folder.home(hash).join("runs");
        if !runs.exists() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("no blob {hash}")));
        }
        File::create(runs.join(run.to_string()))?;
        Ok(())
    }

    /// Makes all of it durable.
    pub fn finish(&self) -> io::Result<()> {
        let mut folders: Vec<PathBuf> = vec![self.folder.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                }
            }
            sync(&folder)?;
        }
        Ok(())
    }
}
