//! `qc demo`: the story of an escalated case, with three simulated systems that misbehave, live in the terminal.

mod commands;
mod events;
mod stage;
mod story;
mod verdict;

use std::path::PathBuf;

use super::{Exit, Trouble, session::Session};
use crate::{
    context,
    lifecycle::{end_at_second_signal, wish_to_end},
};
use stage::Stage;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// End after the story; the status is not zero when an effect is missing or doubled
    #[arg(long)]
    exit: bool,
    /// Where the demonstration keeps its files; it is emptied at the start
    #[arg(long, value_name = "DIR", default_value = ".qc/demo")]
    folder: PathBuf,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let output = session.output;
    let stage = Stage::set(session, &arguments.folder).await?;
    let accepted = story::tell(&stage, output).await?;
    let verdict = verdict::judge(&stage, &accepted);
    if output.json {
        output.line(
            &serde_json::json!({ "what": "verdict", "schema_version": 1, "verdict": verdict })
                .to_string(),
        );
    } else {
        output.line(&verdict.shown());
    }
    if !arguments.exit {
        output.line(&commands::shown(&stage, &accepted));
        wish_to_end(async || {}).await;
        end_at_second_signal();
    }
    let context = stage.running.context_file.clone();
    let url = stage.running.url.clone();
    stage.end().await;
    if let Some(file) = context
        && let Ok(Some(present)) = context::read(&file)
        && present.url == url
    {
        // The server and its database are gone: the file would only mislead.
        drop(std::fs::remove_file(&file));
    }
    Ok(if verdict.is_good() { Exit::Ok } else { Exit::Findings })
}
