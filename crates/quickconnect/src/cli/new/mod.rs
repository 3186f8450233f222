//! `qc new`: parts of a project.

mod connector;
mod integration;

use super::{Exit, Trouble, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Make a connector from an OpenAPI document
    Connector(connector::Arguments),
    /// Make an integration that checks clean, with a scenario that passes, to begin from
    Integration(integration::Arguments),
}

pub(super) fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::Connector(arguments) => connector::run(session, &arguments),
        Verb::Integration(arguments) => integration::run(session, &arguments),
    }
}
