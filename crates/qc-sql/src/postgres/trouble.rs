use std::{error::Error as _, fmt::Write as _};

use qc_store::StoreError;
use tokio_postgres::{Error, error::Severity};

use super::{OpenError, open_error::is_unique_violation};

/// What goes wrong inside: the driver's own errors until they are classified at the edge.
#[derive(Debug)]
pub(super) enum Trouble {
    Sql(Error),
    /// No connection could be made.
    Open(OpenError),
    /// The time on this side is over: the server or the network hangs.
    Late(&'static str),
    /// A stored value that no version of ours writes.
    Damaged(String),
    Store(StoreError),
}

pub(super) type Outcome<T> = Result<T, Trouble>;

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl From<OpenError> for Trouble {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a failed statement means for its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// What was known or presumed was not so any more: read again and decide again.
    Stale,
    /// Two transactions were in each other's way; the same again may go well.
    Collision,
    /// The server refused it: nothing of the transaction is written.
    Refused,
    /// The connection is gone: what was sent before may have been done.
    Lost,
}

impl Trouble {
    pub(super) fn meaning(&self) -> Meaning {
        let Self::Sql(error) = self else {
            return if matches!(self, Self::Late(_)) { Meaning::Lost } else { Meaning::Refused };
        };
        let Some(refusal) = error.as_db_error() else {
            let driver = error.to_string();
            // What never reached the server, or came back in a form that it cannot have.
            let local = ["error serializing", "error deserializing", "invalid column"];
            return if local.iter().any(|kind| driver.starts_with(kind)) {
                Meaning::Refused
            } else {
                Meaning::Lost
            };
        };
        if matches!(refusal.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) {
            return Meaning::Lost;
        }
        match refusal.code().code() {
            // A statement's own check of its count divides by zero.
            "22012" => Meaning::Stale,
            _ if is_unique_violation(error) => Meaning::Stale,
            "40001" | "40P01" => Meaning::Collision,
            _ => Meaning::Refused,
        }
    }

    /// What the caller can do about it, when nothing was written.
    pub(super) fn classify(&self) -> StoreError {
        match self {
            Self::Store(error) => error.clone(),
            Self::Damaged(what) => StoreError::Corrupt(what.clone()),
            Self::Open(error @ (OpenError::Damaged(_) | OpenError::NewerSchema { .. })) => {
                StoreError::Corrupt(error.to_string())
            }
            Self::Open(error) => StoreError::Unavailable(error.to_string()),
            Self::Late(what) => StoreError::Unavailable(format!("{what} took too long")),
            Self::Sql(error) => classify(error),
        }
    }
}

fn classify(error: &Error) -> StoreError {
    let text = said(error);
    let Some(state) = error.code().map(tokio_postgres::error::SqlState::code) else {
        return if error.to_string().starts_with("error deserializing") {
            StoreError::Corrupt(text)
        } else {
            StoreError::Unavailable(text)
        };
    };
    match state {
        "53100" => StoreError::Full(text),
        "57014" => StoreError::Unavailable("the question took too long and was cut off".to_owned()),
        "55P03" => {
            StoreError::Unavailable("another transaction holds a row for too long".to_owned())
        }
        "54000" => StoreError::Refused(text),
        // Values that do not fit the schema, a schema that is not ours, damaged pages.
        _ if ["22", "23", "42", "XX"].iter().any(|class| state.starts_with(class)) => {
            StoreError::Corrupt(text)
        }
        _ => StoreError::Unavailable(text),
    }
}

/// An error with its causes, as one line. The driver's errors never hold the password.
pub(super) fn said(error: &Error) -> String {
    if let Some(refusal) = error.as_db_error() {
        return format!("{} ({})", refusal.message(), refusal.code().code());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
