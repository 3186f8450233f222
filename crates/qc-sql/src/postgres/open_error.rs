use std::{error::Error as _, io};

use qc_model::Finding;
use tokio_postgres::{Error, error::SqlState};

use super::trouble::said;
use crate::codes;

/// Why a store on PostgreSQL cannot be opened. No message holds the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Nobody answers at the address.
    #[error("the PostgreSQL server cannot be reached: {0}")]
    Unreachable(String),
    /// User or password are not accepted.
    #[error("the PostgreSQL server does not let this user in: {0}")]
    SignIn(String),
    /// There is no such database.
    #[error("the database is not there: {0}")]
    NoDatabase(String),
    /// TLS cannot be had as `sslmode` asks.
    #[error("no TLS with the PostgreSQL server as `sslmode` asks: {0}")]
    Tls(String),
    /// The server is too old.
    #[error("the PostgreSQL server has version {found}; 15 is the oldest that is supported")]
    TooOld {
        /// The server's version.
        found: String,
    },
    /// A setting of the server can lose what was acknowledged.
    #[error("the PostgreSQL server has `{name} = {found}`, which can lose acknowledged events")]
    Unsafe {
        /// The setting.
        name: &'static str,
        /// Its value.
        found: String,
    },
    /// It is a standby, or writes are switched off.
    #[error("the PostgreSQL server takes no writes: {0}")]
    ReadOnly(String),
    /// Texts would not come back as they were.
    #[error("the database has the encoding {0}; it must be UTF8")]
    Encoding(String),
    /// The user may not make what is missing.
    #[error("the user may not make the schema `quickconnect`: {0}")]
    NoRight(String),
    /// A newer version wrote it.
    #[error("the database has schema version {found}; this version knows up to {known}")]
    NewerSchema {
        /// The version in the database.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The schema belongs to somebody else.
    #[error("the schema `quickconnect` of the database is not one of QuickConnect")]
    Foreign,
    /// What is stored is damaged.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// Anything else.
    #[error("the database cannot be opened: {0}")]
    CannotOpen(String),
}

impl OpenError {
    /// The finding to show.
    pub fn finding(&self) -> Finding {
        let (code, help) = match self {
            Self::Unreachable(_) => (
                codes::UNREACHABLE,
                "check host and port in `store`, that the server runs, and what lies between",
            ),
            Self::SignIn(_) => {
                (codes::SIGN_IN, "check user and password in `store`, and the server's pg_hba.conf")
            }
            Self::NoDatabase(_) => (
                codes::NO_DATABASE,
                "create it (CREATE DATABASE … ENCODING 'UTF8'), or correct the name",
            ),
            Self::Tls(_) => (
                codes::TLS_REFUSED,
                "let the server speak TLS with a certificate for this host; name a private \
                 authority with `ca_bundle` or `sslrootcert`; see the page for `sslmode`",
            ),
            Self::TooOld { .. } => (codes::SERVER_TOO_OLD, "use PostgreSQL 15 or newer"),
            Self::Unsafe { name, .. } => (
                codes::UNSAFE_SETTING,
                match *name {
                    "synchronous_commit" => {
                        "set `synchronous_commit = on` (or remote_apply, remote_write) for this \
                         server, database and user"
                    }
                    _ => "set it to `on` in postgresql.conf and restart the server",
                },
            ),
            Self::ReadOnly(_) => (
                codes::READ_ONLY_SERVER,
                "let `store` name the primary; with several hosts, add target_session_attrs=read-write",
            ),
            Self::Encoding(_) => {
                (codes::ENCODING, "create the database with ENCODING 'UTF8' TEMPLATE template0")
            }
            Self::NoRight(_) => (
                codes::NO_RIGHT,
                "as an administrator: CREATE SCHEMA quickconnect AUTHORIZATION <the user>",
            ),
            Self::NewerSchema { .. } => {
                (codes::NEWER_SCHEMA, "start the version of qc that wrote it, or a newer one")
            }
            Self::Foreign => {
                (codes::FOREIGN, "use another database, or move the other schema away")
            }
            Self::Damaged(_) => {
                (codes::DAMAGED, "see the server's log, check the disk, restore the newest backup")
            }
            Self::CannotOpen(_) => (codes::CANNOT_OPEN, "see the PostgreSQL server's log"),
        };
        Finding::error(code, self.to_string()).help(help)
    }

    /// What a failure to connect, or of a statement while opening, means.
    pub(super) fn of(error: &Error) -> Self {
        let text = said(error);
        if let Some(state) = error.code() {
            return match state.code() {
                "3D000" => Self::NoDatabase(text),
                "28P01" | "28000" => Self::SignIn(text),
                "42501" => Self::NoRight(text),
                "25006" => Self::ReadOnly(text),
                code if code.starts_with("XX") => Self::Damaged(text),
                "57P03" | "53300" | "57P01" | "57P02" => Self::Unreachable(text),
                _ => Self::CannotOpen(text),
            };
        }
        // The driver keeps the kind to itself and says it in its first words.
        let kind = error.to_string();
        if kind.starts_with("error performing TLS") {
            return Self::Tls(text);
        }
        if kind.starts_with("authentication error") || kind.starts_with("invalid configuration") {
            return Self::SignIn(text);
        }
        if kind.starts_with("error connecting") && text.contains("does not allow writes") {
            return Self::ReadOnly(text);
        }
        let network = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).is_some();
        if network || error.is_closed() || kind.starts_with("timeout") {
            return Self::Unreachable(text);
        }
        Self::CannotOpen(text)
    }
}

/// Whether the server refused because a value is there already.
pub(super) fn is_unique_violation(error: &Error) -> bool {
    error.code() == Some(&SqlState::UNIQUE_VIOLATION)
}
