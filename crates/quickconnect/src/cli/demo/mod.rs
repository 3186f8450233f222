//! `qc demo`: the story of an escalated case, with three simulated systems that misbehave, live in the terminal.

mod commands;
mod events;
mod stage;
mod story;
mod verdict;

use std::{collections::BTreeMap, path::PathBuf};

use qc_model::RunId;

use super::{Exit, Trouble, session::Session};
use crate::{context, signals::Signals};
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

pub(super) async fn run(
    session: &Session,
    arguments: &Arguments,
    mut signals: Signals,
) -> Result<Exit, Trouble> {
    let stage = Stage::set(session, &arguments.folder, &signals).await?;
    let told = match signals.unless(story::tell(&stage, session.output)).await {
        Some(Ok(accepted)) => Ok(show(&stage, &accepted, session, arguments, &mut signals).await),
        Some(Err(trouble)) => Err(trouble),
        None => Ok(Exit::Interrupted),
    };
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
    told
}

/// Shows what came of the story, and stays for whoever wants to look around.
async fn show(
    stage: &Stage,
    accepted: &BTreeMap<String, RunId>,
    session: &Session,
    arguments: &Arguments,
    signals: &mut Signals,
) -> Exit {
    let output = session.output;
    let verdict = verdict::judge(stage, accepted);
    if output.json {
        output.line(
            &serde_json::json!({ "what": "verdict", "schema_version": 1, "verdict": verdict })
                .to_string(),
        );
    } else {
        output.line(&verdict.shown());
    }
    if !arguments.exit {
        output.line(&commands::shown(stage, accepted));
        signals.wish_to_end().await;
    }
    if verdict.is_good() { Exit::Ok } else { Exit::Findings }
}
