//! `qc dlq`: dead letters, the runs that ended in failure and wait for a person.

use qc_server::wire::{Dead, Page};
use serde_json::json;

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
        Verb::Retry(arguments) => {
            let client = session.client()?;
            let body = arguments.out_of_order.then(|| json!({ "out_of_order": true }));
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
