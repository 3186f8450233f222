//! `qc events`: the event buses.

mod list;
mod tail;

use super::{Exit, Trouble, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the types of events: who publishes them, who subscribes, who listens
    List(list::Arguments),
    /// Read the events on the buses with their payloads, and follow them
    Tail(tail::Arguments),
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List(arguments) => list::run(session, &arguments).await,
        Verb::Tail(arguments) => {
            tail::run(session, &arguments, crate::signals::Signals::listen()).await
        }
    }
}
