use std::{
    fs, io,
    path::PathBuf,
    sync::{PoisonError, RwLockReadGuard},
};

use qc_model::{BlobHash, RunId};

use super::{Folder, Temporary, sync};

impl Folder {
    /// Where unfinished files are.
    pub(super) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// The folder of a blob.
    pub(super) fn home(&self, hash: BlobHash) -> PathBuf {
        let name = hash.to_string();
        self.root.join(&name[..2]).join(name)
    }

    fn nothing_goes(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a finished file into its place, and the marker of its run beside it. The marker is there first: a blob without
    /// one is unused.
    pub(super) fn settle(&self, file: &Temporary, run: RunId, hash: BlobHash) -> io::Result<()> {
        let home = self.home(hash);
        let _nothing_goes = self.nothing_goes();
        fs::create_dir_all(home.join("runs"))?;
        self.mark(run, hash)?;
        fs::rename(file.path(), home.join("body"))?;
        sync(&home)?;
        if let Some(above) = home.parent() {
            sync(above)?;
        }
        sync(&self.root)
    }

    fn mark(&self, run: RunId, hash: BlobHash) -> io::Result<()> {
        let runs = self.home(hash).join("runs");
        fs::File::create(runs.join(run.to_string()))?;
        sync(&runs)
    }

    fn holds(&self, run: RunId, hash: BlobHash) -> bool {
        self.home(hash).join("runs").join(run.to_string()).exists()
    }

    /// The length and file of a blob that the run holds.
    pub(super) fn find(&self, run: RunId, hash: BlobHash) -> io::Result<Option<(u64, fs::File)>> {
        if !self.holds(run, hash) {
            return Ok(None);
        }
        match fs::File::open(self.home(hash).join("body")) {
            Ok(file) => Ok(Some((file.metadata()?.len(), file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn keep(&self, from: RunId, run: RunId, hash: BlobHash) -> io::Result<bool> {
        let _nothing_goes = self.nothing_goes();
        if !self.holds(from, hash) || !self.home(hash).join("body").exists() {
            return Ok(false);
        }
        self.mark(run, hash)?;
        Ok(true)
    }
}
