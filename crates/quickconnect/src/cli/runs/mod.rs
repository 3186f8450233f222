//! `qc runs`: look at runs and work on them.

mod act;
mod journal;
mod list;
mod show;

use super::{Exit, Trouble, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List runs, newest first
    List(Box<list::Arguments>),
    /// Show a run with its journal
    Show(show::Arguments),
    /// Run a run's event again, as a linked run; effects already made are not made twice
    Replay(act::ReplayArguments),
    /// End a run
    Cancel(act::CancelArguments),
    /// Say whether the effect took place for which a run is parked
    Resolve(act::ResolveArguments),
    /// Have a parked run try again now
    Resume(act::RunArguments),
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List(arguments) => list::run(session, &arguments).await,
        Verb::Show(arguments) => show::run(session, &arguments).await,
        Verb::Replay(arguments) => act::replay(session, &arguments).await,
        Verb::Cancel(arguments) => act::cancel(session, &arguments).await,
        Verb::Resolve(arguments) => act::resolve(session, &arguments).await,
        Verb::Resume(arguments) => act::resume(session, &arguments).await,
    }
}
