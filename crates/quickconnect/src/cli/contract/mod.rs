//! `qc contract`: agreed interfaces: compared, served in versions, told of, and tested against what runs.

mod changelog;
mod convert;
mod diff;
mod guide;
mod sources;
mod test;
mod versions;

use super::{Exit, Trouble, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the versions of a contract that are served side by side, and until when
    Versions(versions::Arguments),
    /// Take a document from one version of a contract to another one
    Convert(convert::Arguments),
    /// Say what changes in what an integration offers, for everybody or for one sender
    Changelog(changelog::Arguments),
    /// Write how to move from one version of a contract to a newer one
    Guide(guide::Arguments),
    /// Compare two versions of an API's description or of a JSON Schema; a breaking change fails
    Diff(diff::Arguments),
    /// Hold a provider or a consumer against its contract; only on this machine, or where that is declared
    Test(Box<test::Arguments>),
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::Versions(arguments) => versions::run(session, &arguments),
        Verb::Convert(arguments) => convert::run(session, &arguments),
        Verb::Changelog(arguments) => changelog::run(session, &arguments),
        Verb::Guide(arguments) => guide::run(session, &arguments),
        Verb::Diff(arguments) => diff::run(session, &arguments),
        Verb::Test(arguments) => test::run(session, *arguments).await,
    }
}
