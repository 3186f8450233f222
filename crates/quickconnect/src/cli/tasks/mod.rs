//! `qc tasks`: what people are asked, and their answers.

mod answer;
mod list;
mod show;

use super::{Exit, Trouble, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List what people are asked, oldest first
    List(list::Arguments),
    /// Show a task: what is asked, of whom, and the data to look at
    Show(show::Arguments),
    /// Take a task: nobody else is asked for now
    Claim(answer::ClaimArguments),
    /// Say yes to what a task shows
    Approve(answer::VerdictArguments),
    /// Say no to it
    Reject(answer::VerdictArguments),
    /// Choose one of a task's options
    Choose(answer::ChooseArguments),
    /// Fill a task's form
    Fill(answer::FillArguments),
    /// Say how a run is to go on that cannot by itself
    Act(answer::ActArguments),
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List(arguments) => list::run(session, &arguments).await,
        Verb::Show(arguments) => show::run(session, &arguments).await,
        Verb::Claim(arguments) => answer::claim(session, &arguments).await,
        Verb::Approve(arguments) => answer::verdict(session, arguments, "approved").await,
        Verb::Reject(arguments) => answer::verdict(session, arguments, "rejected").await,
        Verb::Choose(arguments) => answer::choose(session, arguments).await,
        Verb::Fill(arguments) => answer::fill(session, arguments).await,
        Verb::Act(arguments) => answer::act(session, arguments).await,
    }
}
