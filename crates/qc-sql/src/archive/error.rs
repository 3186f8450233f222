use std::{
    io,
    path::{Path, PathBuf},
};

use qc_model::Finding;

use crate::{codes, postgres, sqlite};

/// Why a backup was not made, or not restored. Nothing that was there before has changed.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Something is there already.
    #[error("`{}` is there already, and is not overwritten", .0.display())]
    Taken(PathBuf),
    /// There is no archive.
    #[error("there is no backup `{}`", .0.display())]
    NoArchive(PathBuf),
    /// The archive is not whole, or not as it was written.
    #[error("`{}` is not a sound backup: {why}", .file.display())]
    Damaged {
        /// The archive.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Another version wrote it, in a format that this one does not read.
    #[error("`{}` is a backup of format {found}; this version reads format {known}", .file.display())]
    OtherFormat {
        /// The archive.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The one that is read here.
        known: u32,
    },
    /// The database into which it should go holds something.
    #[error("{0} is not empty, and what is in it is not overwritten")]
    NotEmpty(String),
    /// Somebody uses the database into which it should go.
    #[error("{0}")]
    InUse(String),
    /// The database has another schema than this program.
    #[error("the database has schema version {found}; this program backs up version {known}")]
    OtherSchema {
        /// The schema of the database.
        found: i64,
        /// The one that is known here.
        known: i64,
    },
    /// There is no database.
    #[error("there is no database {0}")]
    NoDatabase(String),
    /// It could not be done.
    #[error("{0}")]
    Failed(String),
    /// The SQLite database cannot be opened.
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    /// The PostgreSQL database cannot be opened.
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
}

impl ArchiveError {
    /// The finding to show.
    pub fn finding(&self) -> Finding {
        let (code, help) = match self {
            Self::Taken(_) => {
                (codes::PLACE_TAKEN, "name another place, or move away what is there")
            }
            Self::NoArchive(_) => (
                codes::BACKUP_FAILED,
                "give the path of a file that `qc backup` wrote; relative paths begin at the current folder",
            ),
            Self::Damaged { .. } => (codes::BACKUP_DAMAGED, "restore another backup"),
            Self::OtherFormat { .. } => {
                (codes::BACKUP_FORMAT, "restore it with the version of qc that wrote it")
            }
            Self::NotEmpty(_) => (
                codes::TARGET_NOT_EMPTY,
                "restore into an empty database, or say `--replace`: what is there is then set aside \
                 (SQLite) or removed (PostgreSQL)",
            ),
            Self::InUse(_) => {
                (codes::TARGET_IN_USE, "stop every server that uses it, then restore")
            }
            Self::OtherSchema { found, known } if found < known => (
                codes::BACKUP_SCHEMA,
                "start the server of this version once, which brings the database up to date, or use \
                 the `qc` of the version that runs",
            ),
            Self::OtherSchema { .. } => {
                (codes::BACKUP_SCHEMA, "use the `qc` of the version that wrote the database")
            }
            Self::NoDatabase(_) => (
                codes::NOTHING_TO_BACK_UP,
                "give the server's own settings: `--data-dir` or `--store`",
            ),
            Self::Failed(_) => (codes::BACKUP_FAILED, "mend what is said, and try again"),
            Self::Sqlite(error) => return error.finding(),
            Self::Postgres(error) => return error.finding(),
        };
        Finding::error(code, self.to_string()).help(help)
    }

    /// Of the operating system, about a file.
    pub(crate) fn of_io(path: &Path, error: &io::Error) -> Self {
        Self::Failed(format!("{}: {error}", path.display()))
    }

    /// Of something that is not as it was written.
    pub(crate) fn damaged(file: &Path, why: impl Into<String>) -> Self {
        Self::Damaged { file: file.to_owned(), why: why.into() }
    }
}
