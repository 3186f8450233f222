use std::{fs, path::PathBuf};

use qc_server::wire::{ReplayRequest, ResolveRequest, RunReference};
use serde_json::{Value, json};

use crate::{
    cli::{Exit, Trouble, session::Session},
    codes,
};

#[derive(Debug, clap::Args)]
pub(crate) struct RunArguments {
    /// The run
    run: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CancelArguments {
    /// The run
    run: String,
    /// Why; it stands in the audit
    #[arg(long)]
    reason: String,
    /// Undo what it did, as its integration's `compensation` says
    #[arg(long)]
    compensate: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArguments {
    /// The run
    run: String,
    /// Make all effects anew; needed with another input
    #[arg(long)]
    new_effects: bool,
    /// Run with the JSON of this file in place of the old input
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Begin at once, whoever else stands in the line of its key
    #[arg(long)]
    out_of_order: bool,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("resolution").required(true))]
pub(crate) struct ResolveArguments {
    /// The run
    run: String,
    /// The effect took place
    #[arg(long, group = "resolution")]
    applied: bool,
    /// It did not: the call is sent again
    #[arg(long, group = "resolution")]
    not_applied: bool,
    /// With --applied: what the workflow sees as the call's answer, JSON
    #[arg(long, value_name = "JSON", conflicts_with = "not_applied")]
    output: Option<String>,
    /// Of which call, when several are ambiguous: as the refusal names them
    #[arg(long, value_name = "POINTER:VISIT")]
    call: Option<String>,
}

pub(super) async fn replay(
    session: &Session,
    arguments: &ReplayArguments,
) -> Result<Exit, Trouble> {
    let input = match &arguments.input {
        None => None,
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|error| Trouble::file(path, &error))?;
            Some(json_of(&text)?)
        }
    };
    let ReplayArguments { new_effects, out_of_order, .. } = *arguments;
    let request = ReplayRequest { new_effects, input, out_of_order };
    let path = format!("/api/v1/runs/{}/replay", arguments.run);
    let run: RunReference = session.client()?.post(&path, &request).await?;
    session.output.result(&run, || run.run.clone());
    Ok(Exit::Ok)
}

pub(super) async fn cancel(
    session: &Session,
    arguments: &CancelArguments,
) -> Result<Exit, Trouble> {
    let CancelArguments { run, reason, compensate } = arguments;
    let body = json!({ "reason": reason, "compensate": compensate });
    act(session, run, "cancel", Some(&body)).await
}

pub(super) async fn resolve(
    session: &Session,
    arguments: &ResolveArguments,
) -> Result<Exit, Trouble> {
    let call = arguments.call.clone();
    let request = if arguments.not_applied {
        ResolveRequest::NotApplied { call }
    } else {
        let output = arguments.output.as_deref().map(json_of).transpose()?;
        ResolveRequest::Applied { call, output: output.unwrap_or(Value::Null) }
    };
    let body = json!(request);
    act(session, &arguments.run, "resolve", Some(&body)).await
}

pub(super) async fn resume(session: &Session, arguments: &RunArguments) -> Result<Exit, Trouble> {
    act(session, &arguments.run, "resume", None).await
}

async fn act(
    session: &Session,
    run: &str,
    verb: &str,
    body: Option<&Value>,
) -> Result<Exit, Trouble> {
    session.client()?.act(&format!("/api/v1/runs/{run}/{verb}"), body).await?;
    let done = json!({ "schema_version": 1, "run": run, "done": verb });
    session.output.result(&done, || format!("{run}: {verb} done"));
    Ok(Exit::Ok)
}

fn json_of(text: &str) -> Result<Value, Trouble> {
    serde_json::from_str(text).map_err(|error| {
        Trouble::usage(
            codes::BAD_SETTING,
            format!("not JSON: {error}"),
            "quote the JSON for the shell",
        )
    })
}
