use std::{
    fs::{self, File, OpenOptions},
    io::BufWriter,
    path::{Path, PathBuf},
};

use qc_model::Timestamp;

use super::ArchiveError;

/// Where an archive is being written: beside its final name, which it gets when it is whole. Only its
/// owner may read it. Removed again when the backup fails.
pub(crate) struct Place {
    to: PathBuf,
    part: PathBuf,
    kept: bool,
}

impl Place {
    /// Takes a place: a folder, in which the archive gets a name of its moment, or a file that is not there.
    pub(crate) fn take(to: &Path, at: Timestamp) -> Result<(Self, BufWriter<File>), ArchiveError> {
        let to = if to.is_dir() { to.join(name(at)) } else { to.to_owned() };
        if fs::symlink_metadata(&to).is_ok() {
            return Err(ArchiveError::Taken(to));
        }
        let mut part = to.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&part).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => ArchiveError::Taken(part.clone()),
            _ => ArchiveError::of_io(&part, &error),
        })?;
        Ok((Self { to, part, kept: false }, BufWriter::with_capacity(1 << 20, file)))
    }

    /// Where it is being written.
    pub(crate) fn path(&self) -> &Path {
        &self.part
    }

    /// Makes the archive durable and gives it its name, which it returns.
    pub(crate) fn keep(mut self, file: BufWriter<File>) -> Result<PathBuf, ArchiveError> {
        let io = |error: std::io::Error| ArchiveError::of_io(&self.part, &error);
        let file = file.into_inner().map_err(|error| io(error.into_error()))?;
        file.sync_all().map_err(io)?;
        // Linked, not renamed: a file that came meanwhile is not overwritten.
        fs::hard_link(&self.part, &self.to).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => ArchiveError::Taken(self.to.clone()),
            _ => ArchiveError::of_io(&self.to, &error),
        })?;
        fs::remove_file(&self.part).map_err(io)?;
        let folder = self.to.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new("."))).and_then(|f| f.sync_all()).map_err(io)?;
        self.kept = true;
        Ok(self.to.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// The name of a backup of this moment.
fn name(at: Timestamp) -> String {
    let digits: String =
        at.to_string().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
    format!("quickconnect-{digits}.qcbackup")
}
