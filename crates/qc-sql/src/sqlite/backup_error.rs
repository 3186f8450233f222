use std::{
    io,
    path::{Path, PathBuf},
};

use qc_model::Finding;

use super::OpenError;
use crate::codes;

/// Why a backup was not made, or not restored. Nothing that was there before has changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something is there already.
    #[error("`{}` is there already, and is not overwritten", .0.display())]
    Taken(PathBuf),
    /// The backup is not whole, or not as it was written.
    #[error("`{}` is not a sound backup: {why}", .folder.display())]
    Damaged {
        /// The backup.
        folder: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Another backup is being made.
    #[error("another backup is under way")]
    UnderWay,
    /// The database could not be copied.
    #[error("the backup failed: {0}")]
    Failed(String),
    /// As when a database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl BackupError {
    /// The finding to show.
    pub fn finding(&self) -> Finding {
        let (code, help) = match self {
            Self::Taken(_) => {
                (codes::PLACE_TAKEN, "name another place, or move away what is there")
            }
            Self::Damaged { .. } => (codes::BACKUP_DAMAGED, "restore another backup"),
            Self::UnderWay => (codes::BACKUP_FAILED, "wait until it has ended"),
            Self::Failed(_) => (codes::BACKUP_FAILED, "mend what is said, and try again"),
            Self::Open(error) => return error.finding(),
        };
        Finding::error(code, self.to_string()).help(help)
    }

    pub(super) fn of_io(path: &Path, error: &io::Error) -> Self {
        match OpenError::of_io(path.to_owned(), error) {
            OpenError::CannotOpen(what) => Self::Failed(what),
            known => Self::Open(known),
        }
    }

    pub(super) fn of_sql(error: &rusqlite::Error) -> Self {
        match OpenError::of_sql(error) {
            OpenError::CannotOpen(what) => Self::Failed(what),
            known => Self::Open(known),
        }
    }
}
