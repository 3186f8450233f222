use std::{io, path::PathBuf};

use qc_model::Finding;
use rusqlite::ErrorCode;

use crate::codes;

/// Why a store cannot be opened. Nothing was changed, except that an empty database may have been
/// created.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory of the database does not exist.
    #[error("the directory `{}` for the database does not exist", .0.display())]
    DirectoryMissing(PathBuf),
    /// The file is something else.
    #[error("`{}` is not an SQLite database", .0.display())]
    NotADatabase(PathBuf),
    /// The file is damaged.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// A newer version wrote it.
    #[error("the database has schema version {found}; this version knows up to {known}")]
    NewerSchema {
        /// The version in the file.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// Another process uses it.
    #[error("the database `{}` is in use by another process", .0.display())]
    Locked(PathBuf),
    /// It cannot be written.
    #[error("`{}` cannot be written: {error}", .path.display())]
    ReadOnly {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system says.
        error: String,
    },
    /// SQLite did not take a setting.
    #[error("SQLite did not take the setting `{name}`: wanted {wanted}, found {found}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it must be.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// The database belongs to another application.
    #[error("`{}` is an SQLite database, but not one of QuickConnect", .0.display())]
    Foreign(PathBuf),
    /// There is no room.
    #[error("the disk is full: {0}")]
    DiskFull(String),
    /// Anything else.
    #[error("the database cannot be opened: {0}")]
    CannotOpen(String),
}

impl OpenError {
    /// The finding to show.
    pub fn finding(&self) -> Finding {
        let (code, help) = match self {
            Self::DirectoryMissing(_) => {
                (codes::DIRECTORY_MISSING, "create the directory, or correct the path")
            }
            Self::NotADatabase(_) => {
                (codes::NOT_A_DATABASE, "correct the path, or move the file away")
            }
            Self::Damaged(_) => (
                codes::DAMAGED,
                "keep the file and its `-wal` as they are, and restore the newest backup",
            ),
            Self::NewerSchema { .. } => {
                (codes::NEWER_SCHEMA, "start the version of qc that wrote it, or a newer one")
            }
            Self::Locked(_) => {
                (codes::LOCKED, "stop the other process, or give this one a database of its own")
            }
            Self::ReadOnly { .. } => {
                (codes::READ_ONLY, "let the user that runs qc write the file and its directory")
            }
            Self::Setting { .. } => {
                (codes::SETTING, "put the database on a local file system (not NFS or SMB)")
            }
            Self::Foreign(_) => (codes::FOREIGN, "correct the path"),
            Self::DiskFull(_) => (codes::DISK_FULL, "make room on the disk"),
            Self::CannotOpen(_) => {
                (codes::CANNOT_OPEN, "see what the operating system says about the file")
            }
        };
        Finding::error(code, self.to_string()).help(help)
    }

    pub(super) fn of_io(path: PathBuf, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly { path, error: error.to_string() }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull(error.to_string())
            }
            _ => Self::CannotOpen(format!("{}: {error}", path.display())),
        }
    }

    pub(super) fn of_sql(error: &rusqlite::Error) -> Self {
        let text = error.to_string();
        let Some(code) = error.sqlite_error_code() else { return Self::Damaged(text) };
        match code {
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged(text),
            ErrorCode::DiskFull => Self::DiskFull(text),
            ErrorCode::ReadOnly => {
                Self::ReadOnly { path: PathBuf::from("the database"), error: text }
            }
            _ => Self::CannotOpen(text),
        }
    }
}
