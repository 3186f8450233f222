//! `qc contract`: agreed interfaces, compared and tested.

mod diff;
mod sources;

use super::{Exit, Trouble, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Compare two versions of an API's description or of a JSON Schema; a breaking change fails
    Diff(diff::Arguments),
}

pub(super) fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::Diff(arguments) => diff::run(session, &arguments),
    }
}
