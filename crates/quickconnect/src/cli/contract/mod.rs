//! `qc contract`: the contracts of a project, offline.

mod convert;
mod versions;

use super::{Exit, Trouble, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the versions of a contract that are served side by side, and until when
    Versions(versions::Arguments),
    /// Take a document from one version of a contract to another one
    Convert(convert::Arguments),
}

pub(super) fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::Versions(arguments) => versions::run(session, &arguments),
        Verb::Convert(arguments) => convert::run(session, &arguments),
    }
}
