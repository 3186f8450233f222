//! `qc triggers`: how triggers stand, and pausing them.

use qc_server::wire::{ChangeTrigger, DiscardHeld, HeldDiscarded, Page, TriggerStanding};

use super::{Exit, Trouble, files::query, output::table, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the deployed triggers, how they stand, and how many runs are held
    List(ListArguments),
    /// Keep the events of a trigger, and begin none of their runs
    Pause(ChangeArguments),
    /// Begin the runs that were held, in their order, and those that come
    Resume(ChangeArguments),
    /// Cancel the runs that a paused trigger holds: says how many first
    Discard(DiscardArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArguments {
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only this integration
    #[arg(long)]
    integration: Option<String>,
    /// At most so many
    #[arg(long, default_value = "50")]
    limit: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ChangeArguments {
    /// The environment
    environment: String,
    /// The integration
    integration: String,
    /// The trigger
    trigger: String,
    /// Why; it stands in the audit
    #[arg(long)]
    reason: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DiscardArguments {
    #[command(flatten)]
    which: ChangeArguments,
    /// Do it: what the plan gave
    #[arg(long)]
    confirm: Option<String>,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List(arguments) => list(session, &arguments).await,
        Verb::Pause(arguments) => change(session, arguments, "pause").await,
        Verb::Resume(arguments) => change(session, arguments, "resume").await,
        Verb::Discard(arguments) => discard(session, arguments).await,
    }
}

async fn list(session: &Session, arguments: &ListArguments) -> Result<Exit, Trouble> {
    let filter = query(&[
        ("environment", arguments.environment.as_deref()),
        ("integration", arguments.integration.as_deref()),
        ("limit", Some(&arguments.limit)),
    ]);
    let page: Page<TriggerStanding> =
        session.client()?.get(&format!("/api/v1/triggers{filter}")).await?;
    session.output.result(&page, || rows(&page.items));
    if let Some(next) = &page.next {
        session.output.say(next);
    }
    Ok(Exit::Ok)
}

fn rows(triggers: &[TriggerStanding]) -> String {
    let rows: Vec<Vec<String>> = triggers
        .iter()
        .map(|one| {
            vec![
                one.trigger.clone(),
                one.state.clone(),
                one.held.to_string(),
                one.kind.clone(),
                one.environment.clone(),
                one.integration.clone(),
                one.since.clone().unwrap_or_default(),
                one.by.clone().unwrap_or_default(),
                one.reason.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let columns =
        ["TRIGGER", "STATE", "HELD", "KIND", "ENVIRONMENT", "INTEGRATION", "SINCE", "BY", "REASON"];
    table(&columns, &rows)
}

async fn change(session: &Session, which: ChangeArguments, verb: &str) -> Result<Exit, Trouble> {
    let ChangeArguments { environment, integration, trigger, reason } = which;
    let request = ChangeTrigger { environment, integration, trigger, reason };
    let now: TriggerStanding =
        session.client()?.post(&format!("/api/v1/triggers/{verb}"), &request).await?;
    session.output.result(&now, || match &*now.state {
        "paused" => format!(
            "`{}` is paused: events are kept, and nothing of them begins. `qc triggers resume` has it go on",
            now.trigger
        ),
        state => format!("`{}` is {state}: {} held runs begin in their order", now.trigger, now.held),
    });
    Ok(Exit::Ok)
}

async fn discard(session: &Session, arguments: DiscardArguments) -> Result<Exit, Trouble> {
    let DiscardArguments { which, confirm } = arguments;
    let ChangeArguments { environment, integration, trigger, reason } = which;
    let request = DiscardHeld { environment, integration, trigger, reason, confirm };
    let plan: HeldDiscarded = session.client()?.post("/api/v1/triggers/discard", &request).await?;
    session.output.result(&plan, || {
        let HeldDiscarded { done, runs, first_accepted_at, last_accepted_at, confirm } = &plan;
        if *done {
            return format!("{runs} held runs are being cancelled; the trigger stays paused");
        }
        let (first, last) = (first_accepted_at.as_deref(), last_accepted_at.as_deref());
        format!(
            "{runs} held runs, accepted {} to {}, would be cancelled; nothing was done. To do it, say it again with: --confirm {confirm}",
            first.unwrap_or("-"),
            last.unwrap_or("-"),
        )
    });
    Ok(Exit::Ok)
}
