//! `qc audit`: who did what, in a log that nobody can rewrite unseen.

mod checkpoint;
mod export;
mod list;
mod verify;

use std::{fs, path::Path};

use qc_audit::{Doubt, VerifyingKey};
use qc_model::Finding;

use super::{Exit, Trouble, session::Session};
use crate::codes;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List sealed entries, the newest when no first one is named
    List(list::Arguments),
    /// Write the log, or the end of it, into a file that verifies offline
    Export(export::Arguments),
    /// Verify an export, offline: nothing edited, removed, put into another order or cut off
    Verify(verify::Arguments),
    /// Show the newest signed checkpoint; or show that the log only grew since an earlier one
    Checkpoint(checkpoint::Arguments),
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List(arguments) => list::run(session, &arguments).await,
        Verb::Export(arguments) => export::run(session, &arguments).await,
        Verb::Verify(arguments) => verify::run(session, &arguments),
        Verb::Checkpoint(arguments) => checkpoint::run(session, &arguments).await,
    }
}

/// The keys that the command line names: each a verifier key, or a file with one.
fn keys(texts: &[String]) -> Result<Vec<VerifyingKey>, Trouble> {
    texts.iter().map(|text| key(text)).collect()
}

fn key(text: &str) -> Result<VerifyingKey, Trouble> {
    if let Some(key) = VerifyingKey::parse(text) {
        return Ok(key);
    }
    let path = Path::new(text);
    let read = if path.is_file() { read(path)? } else { String::new() };
    VerifyingKey::parse(&read).ok_or_else(|| {
        let message = format!("`{text}` is no verifier key, and no file with one");
        Trouble::usage(
            codes::AUDIT_KEY,
            message,
            "`qc audit checkpoint --json` shows the server's as `key`",
        )
    })
}

fn read(path: &Path) -> Result<String, Trouble> {
    fs::read_to_string(path).map_err(|error| Trouble::file(path, &error))
}

/// What a doubt means, and what to do.
fn finding(doubt: &Doubt) -> Finding {
    let (code, help) = match doubt {
        Doubt::Form { .. } => (
            codes::AUDIT_FORM,
            "take the export again; if it came from somebody, ask for another copy",
        ),
        Doubt::Root { .. } | Doubt::Count { .. } => (
            codes::AUDIT_CHANGED,
            "do not rely on this file: take an export from the server, and compare the two",
        ),
        Doubt::Signature { .. } => (
            codes::AUDIT_SIGNATURE,
            "give the key of whoever signs by --key; it must come from somewhere else than the file",
        ),
        Doubt::OtherLog { .. }
        | Doubt::Cut { .. }
        | Doubt::Rewritten { .. }
        | Doubt::Before { .. } => (
            codes::AUDIT_REWRITTEN,
            "keep both files: if the checkpoint is genuine, entries were changed or cut off after it was signed",
        ),
        Doubt::Missing { .. } | Doubt::Hidden { .. } => (
            codes::AUDIT_MISSING,
            "compare the database with a backup of before; entries past `retention_audit` are left out by --from",
        ),
    };
    Finding::error(code, doubt.to_string()).help(help)
}
