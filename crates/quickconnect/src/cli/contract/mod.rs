//! `qc contract`: agreed interfaces: compared, served in versions, told of, tested against what runs, and
//! replayed with what ran.

mod changelog;
mod convert;
mod diff;
mod end;
mod expect;
mod guide;
mod matrix;
mod publish;
mod record;
mod replay;
mod sources;
mod test;
mod usage;
mod versions;

use super::{Exit, Trouble, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the versions of a contract that are served side by side, and until when
    Versions(versions::Arguments),
    /// Take a document from one version of a contract to another one
    Convert(convert::Arguments),
    /// Say who sends in which version of a contract, when last, and which fields
    Usage(usage::Arguments),
    /// End a version whose sunset has come although somebody still speaks it
    End(end::Arguments),
    /// Show which consumer can speak which version of a contract, by what it says that it expects
    Matrix(matrix::Arguments),
    /// Find out by an integration's scenarios what it expects of the systems that it calls
    Expect(expect::Arguments),
    /// Publish what a version of a consumer expects; releases are judged by it from then on
    Publish(publish::Arguments),
    /// Say what changes in what an integration offers, for everybody or for one sender
    Changelog(changelog::Arguments),
    /// Write how to move from one version of a contract to a newer one
    Guide(guide::Arguments),
    /// Compare two versions of an API's description or of a JSON Schema; a breaking change fails
    Diff(diff::Arguments),
    /// Make masked examples of a contract from events that really came in. Needs a server
    Record(record::Arguments),
    /// Play past runs on another release, with nobody at the other end: which effects differ? Needs a server
    Replay(replay::Arguments),
    /// Hold a provider or a consumer against its contract; only on this machine, or where that is declared
    Test(Box<test::Arguments>),
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::Versions(arguments) => versions::run(session, &arguments),
        Verb::Convert(arguments) => convert::run(session, &arguments),
        Verb::Usage(arguments) => usage::run(session, &arguments).await,
        Verb::End(arguments) => end::run(session, arguments).await,
        Verb::Matrix(arguments) => matrix::run(session, &arguments).await,
        Verb::Expect(arguments) => expect::run(session, &arguments),
        Verb::Publish(arguments) => publish::run(session, arguments).await,
        Verb::Changelog(arguments) => changelog::run(session, &arguments),
        Verb::Guide(arguments) => guide::run(session, &arguments),
        Verb::Diff(arguments) => diff::run(session, &arguments),
        Verb::Record(arguments) => record::run(session, arguments).await,
        Verb::Replay(arguments) => replay::run(session, arguments).await,
        Verb::Test(arguments) => test::run(session, *arguments).await,
    }
}
