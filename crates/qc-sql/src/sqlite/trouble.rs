use qc_store::StoreError;
use rusqlite::{ErrorCode, ffi};

/// What goes wrong inside: SQLite's own errors until they are classified at the edge.
#[derive(Debug)]
pub(super) enum Trouble {
    Sql(rusqlite::Error),
    /// A stored value that no version of ours writes.
    Damaged(String),
    Store(StoreError),
}

pub(super) type Outcome<T> = Result<T, Trouble>;

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Trouble {
    /// What the caller can do about it.
    pub(super) fn classify(&self) -> StoreError {
        match self {
            Self::Store(error) => error.clone(),
            Self::Damaged(what) => StoreError::Corrupt(what.clone()),
            Self::Sql(error) => classify(error),
        }
    }

    /// Whether the disk failed to make something durable. After that nothing that SQLite believes
    /// to be on disk can be trusted: the kernel may have dropped the dirty pages.
    pub(super) fn is_failed_sync(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        matches!(
            error.sqlite_error().map(|e| e.extended_code),
            Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
        )
    }
}

fn classify(error: &rusqlite::Error) -> StoreError {
    let text = error.to_string();
    let Some(cause) = error.sqlite_error() else {
        // Rows of another shape than the schema's: SQLite itself found nothing wrong.
        return StoreError::Corrupt(text);
    };
    match cause.code {
        ErrorCode::DiskFull => StoreError::Full(text),
        ErrorCode::SystemIoFailure => match cause.extended_code {
            ffi::SQLITE_IOERR_WRITE => StoreError::Full(text),
            ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC => StoreError::Unknown(text),
            ffi::SQLITE_IOERR_CORRUPTFS | ffi::SQLITE_IOERR_DATA => StoreError::Corrupt(text),
            _ => StoreError::Unavailable(text),
        },
        ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::ConstraintViolation
        | ErrorCode::TypeMismatch => StoreError::Corrupt(text),
        ErrorCode::OperationInterrupted => {
            StoreError::Unavailable("the question took too long and was cut off".to_owned())
        }
        ErrorCode::TooBig => StoreError::Refused(text),
        _ => StoreError::Unavailable(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(code: i32) -> Trouble {
        Trouble::Sql(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }

    #[test]
    fn every_failure_says_what_its_caller_can_do() {
        assert!(matches!(sql(ffi::SQLITE_FULL).classify(), StoreError::Full(_)));
        assert!(matches!(sql(ffi::SQLITE_IOERR_WRITE).classify(), StoreError::Full(_)));
        assert!(matches!(sql(ffi::SQLITE_CORRUPT).classify(), StoreError::Corrupt(_)));
        assert!(matches!(sql(ffi::SQLITE_NOTADB).classify(), StoreError::Corrupt(_)));
        assert!(matches!(sql(ffi::SQLITE_INTERRUPT).classify(), StoreError::Unavailable(_)));
        assert!(matches!(sql(ffi::SQLITE_BUSY).classify(), StoreError::Unavailable(_)));
        assert!(matches!(sql(ffi::SQLITE_IOERR_READ).classify(), StoreError::Unavailable(_)));
        for sync in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC] {
            assert!(sql(sync).is_failed_sync());
            assert!(matches!(sql(sync).classify(), StoreError::Unknown(_)));
        }
        assert!(!sql(ffi::SQLITE_IOERR_WRITE).is_failed_sync());
    }
}
