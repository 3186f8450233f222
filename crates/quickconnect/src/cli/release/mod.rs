//! `qc release`: immutable bundles of an integration.

mod build;
mod list;

use super::{Exit, Trouble, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Check, bundle and store a release of an integration
    Build(build::Arguments),
    /// List the releases that the server has
    List(list::Arguments),
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::Build(arguments) => build::run(session, &arguments).await,
        Verb::List(arguments) => list::run(session, &arguments).await,
    }
}
