//! `qc dlq`: dead letters, the runs that ended in failure and wait for a person.

use std::{
    fs,
    path::{Path, PathBuf},
};

use qc_server::wire::{Dead, Page, ReplayRequest, RunReference};
use serde_json::json;

use crate::codes;

use super::{
    Exit, Trouble,
    files::{clock, query},
    output::table,
    session::Session,
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List dead letters, newest first
    List(ListArguments),
    /// Open a dead letter's run again: it goes on at the task that failed
    Retry(RetryArguments),
    /// Give a dead letter up
    Discard(DiscardArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArguments {
    /// Only this state: open, retried, discarded; `all` for every state
    #[arg(long, default_value = "open")]
    state: String,
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only this integration
    #[arg(long)]
    integration: Option<String>,
    /// Only letters of runs older than this one
    #[arg(long, value_name = "RUN")]
    before: Option<String>,
    /// At most so many
    #[arg(long, default_value = "50")]
    limit: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RetryArguments {
    /// The runs
    #[arg(required = true)]
    runs: Vec<String>,
    /// Also when the line of their key has gone on without them
    #[arg(long)]
    out_of_order: bool,
    /// With which release they go on: `own` or `newest`, the deployed one, where its workflow is the same
    #[arg(long, value_name = "WHICH", default_value = "own", value_parser = ["own", "newest"])]
    release: String,
    /// Run anew with the JSON of this file as input: a linked run that makes all effects under new keys, on the deployed
    /// release; the dead letter is discarded
    #[arg(long, value_name = "FILE", conflicts_with = "release")]
    input: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DiscardArguments {
    /// The run
    run: String,
    /// Why; it stands in the audit
    #[arg(long)]
    reason: String,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List(arguments) => list(session, &arguments).await,
        Verb::Retry(RetryArguments { input: Some(input), runs, out_of_order, .. }) => {
            anew(session, &input, &runs, out_of_order).await
        }
        Verb::Retry(arguments) => {
            let client = session.client()?;
            let release = arguments.release.as_str();
            let said = arguments.out_of_order || release != "own";
            let body =
                said.then(|| json!({ "out_of_order": arguments.out_of_order, "release": release }));
            for run in &arguments.runs {
                client.act(&format!("/api/v1/dead-letters/{run}/retry"), body.as_ref()).await?;
                let done = json!({ "schema_version": 1, "run": run, "done": "retry" });
                session.output.result(&done, || format!("{run}: opened again"));
            }
            Ok(Exit::Ok)
        }
        Verb::Discard(DiscardArguments { run, reason }) => {
            let body = json!({ "reason": reason });
            let path = format!("/api/v1/dead-letters/{run}/discard");
            session.client()?.act(&path, Some(&body)).await?;
            let done = json!({ "schema_version": 1, "run": run, "done": "discard" });
            session.output.result(&done, || format!("{run}: discarded"));
            Ok(Exit::Ok)
        }
    }
}

/// Another input is another deed: what was done under the old keys stands for the old input.
async fn anew(
    session: &Session,
    file: &Path,
    runs: &[String],
    out_of_order: bool,
) -> Result<Exit, Trouble> {
    let [run] = runs else {
        let why = "`--input` is for one run at a time";
        return Err(Trouble::usage(codes::BAD_SETTING, why.to_owned(), "name one run"));
    };
    let text = fs::read_to_string(file).map_err(|error| Trouble::file(file, &error))?;
    let input = Some(serde_json::from_str(&text).map_err(|error| {
        let message = format!("{} is not JSON: {error}", file.display());
        Trouble::usage(codes::BAD_SETTING, message, "write the workflow's input as JSON")
    })?);
    let request = ReplayRequest { new_effects: true, input, out_of_order };
    let client = session.client()?;
    let made: RunReference = client.post(&format!("/api/v1/runs/{run}/replay"), &request).await?;
    let reason = json!({ "reason": format!("run anew with another input as {}", made.run) });
    client.act(&format!("/api/v1/dead-letters/{run}/discard"), Some(&reason)).await?;
    let done = json!({ "schema_version": 1, "run": run, "done": "retry", "as": made.run });
    session
        .output
        .result(&done, || format!("{run}: run anew as {}; its letter is discarded", made.run));
    Ok(Exit::Ok)
}

async fn list(session: &Session, arguments: &ListArguments) -> Result<Exit, Trouble> {
    let state = Some(arguments.state.as_str()).filter(|state| *state != "all");
    let filter = query(&[
        ("state", state),
        ("environment", arguments.environment.as_deref()),
        ("integration", arguments.integration.as_deref()),
        ("before", arguments.before.as_deref()),
        ("limit", Some(&arguments.limit)),
    ]);
    let page: Page<Dead> = session.client()?.get(&format!("/api/v1/dead-letters{filter}")).await?;
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page
            .items
            .iter()
            .map(|letter| {
                vec![
                    letter.run.clone(),
                    letter.state.clone(),
                    letter.environment.clone(),
                    letter.integration.clone(),
                    clock(&letter.at),
                    letter.code.clone(),
                    letter.summary.clone(),
                ]
            })
            .collect();
        table(&["RUN", "STATE", "ENVIRONMENT", "INTEGRATION", "DIED", "CODE", "SUMMARY"], &rows)
    });
    if let Some(next) = &page.next {
        session.output.say(&format!("there is more: --before {next}"));
    }
    Ok(Exit::Ok)
}
