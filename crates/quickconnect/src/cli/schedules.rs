//! `qc schedules`: when runs begin by themselves.

use qc_server::wire::{Page, Schedule};
use serde_json::json;

use super::{
    Exit, Trouble,
    files::{clock, query},
    output::table,
    session::Session,
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the schedules of what is deployed, with their last and next occurrence
    List(ListArguments),
    /// Have a schedule begin nothing until it is resumed
    Pause(WhichArguments),
    /// Have a paused schedule go on; what was due meanwhile is left out
    Resume(WhichArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArguments {
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only this integration
    #[arg(long)]
    integration: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct WhichArguments {
    /// The environment
    environment: String,
    /// The integration
    integration: String,
    /// The trigger
    trigger: String,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List(arguments) => list(session, &arguments).await,
        Verb::Pause(which) => act(session, &which, "pause", "paused").await,
        Verb::Resume(which) => act(session, &which, "resume", "goes on").await,
    }
}

async fn act(
    session: &Session,
    which: &WhichArguments,
    deed: &str,
    said: &str,
) -> Result<Exit, Trouble> {
    let WhichArguments { environment, integration, trigger } = which;
    let name = format!("{environment}/{integration}/{trigger}");
    session.client()?.act(&format!("/api/v1/schedules/{name}/{deed}"), None).await?;
    let done = json!({ "schema_version": 1, "schedule": name, "done": deed });
    session.output.result(&done, || format!("{name}: {said}"));
    Ok(Exit::Ok)
}

async fn list(session: &Session, arguments: &ListArguments) -> Result<Exit, Trouble> {
    let filter = query(&[
        ("environment", arguments.environment.as_deref()),
        ("integration", arguments.integration.as_deref()),
    ]);
    let page: Page<Schedule> = session.client()?.get(&format!("/api/v1/schedules{filter}")).await?;
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
        table(&["ENVIRONMENT", "INTEGRATION", "TRIGGER", "PLAN", "LAST", "LAST RUN", "NEXT"], &rows)
    });
    Ok(Exit::Ok)
}

fn row(schedule: &Schedule) -> Vec<String> {
    let shown = |at: &Option<String>| at.as_deref().map(clock).unwrap_or_default();
    let next = match (&schedule.paused, &schedule.queued) {
        (Some(since), _) => format!("paused since {}", clock(since)),
        (None, Some(_)) => "when the last run is over".to_owned(),
        (None, None) => shown(&schedule.next),
    };
    vec![
        schedule.environment.clone(),
        schedule.integration.clone(),
        schedule.trigger.clone(),
        schedule.plan.clone(),
        shown(&schedule.last),
        schedule.last_run.clone().unwrap_or_default(),
        next,
    ]
}
