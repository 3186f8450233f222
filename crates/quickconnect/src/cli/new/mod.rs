//! `qc new`: parts of a project.

mod connector;

use super::{Exit, Trouble, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Make a connector from an OpenAPI document
    Connector(connector::Arguments),
}

pub(super) fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::Connector(arguments) => connector::run(session, &arguments),
    }
}
