//! `qc bulk`: the same for many runs, planned first.

use std::time::Duration;

use qc_server::wire::{Bulk, Page, PlanBulk, Reason, StartBulk, WhichRelease};

use super::{
    Exit, Trouble,
    files::{clock, query, short},
    output::table,
    session::Session,
};

/// How often `--wait` looks.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Find the runs and write the plan down; nothing is done to them yet
    Plan(Box<PlanArguments>),
    /// Have a plan carried out, throttled
    Start(StartArguments),
    /// Show a plan, or how far its work has come
    Show(ShowArguments),
    /// List plans and what became of them, newest first
    List(ListArguments),
    /// Stop: what is in hand is finished, what was done stays
    Abort(AbortArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct PlanArguments {
    /// What is done to each run: replay, retry, discard or cancel
    deed: String,
    /// Why; it stands in the audit of each run
    #[arg(long)]
    reason: String,
    /// Only runs of this group of failures
    #[arg(long)]
    group: Option<String>,
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only this integration
    #[arg(long)]
    integration: Option<String>,
    /// Only this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Only these statuses, separated by commas
    #[arg(long, value_delimiter = ',')]
    status: Vec<String>,
    /// Only runs accepted (of dead letters: that died) at or after this RFC 3339 time
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only runs accepted (of dead letters: that died) before this RFC 3339 time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only runs of this trigger
    #[arg(long)]
    trigger: Option<String>,
    /// Only runs of this release: its whole hash
    #[arg(long)]
    release: Option<String>,
    /// Only runs with this business subject
    #[arg(long)]
    subject: Option<String>,
    /// Only runs with this business key
    #[arg(long, value_name = "NAME=VALUE")]
    key: Option<String>,
    /// Only runs with a business key of this value
    #[arg(long)]
    value: Option<String>,
    /// Only runs of this event
    #[arg(long)]
    event: Option<String>,
    /// Only runs of this sender's trace
    #[arg(long)]
    trace: Option<String>,
    /// Only runs that died of this
    #[arg(long)]
    fingerprint: Option<String>,
    /// Only runs that died with this code
    #[arg(long)]
    code: Option<String>,
    /// Of replay and retry: also when the line of a run's key has gone on without it
    #[arg(long)]
    out_of_order: bool,
    /// Of cancel: undo what the runs did
    #[arg(long)]
    compensate: bool,
    /// Of retry: go on with the release that is deployed then; runs of another workflow are refused
    #[arg(long)]
    newest: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StartArguments {
    /// The plan, as `qc bulk plan` printed it
    #[arg(long, value_name = "BULK")]
    plan: String,
    /// Runs per second
    #[arg(long, default_value = "10")]
    rate: u32,
    /// The digest of the plan that was looked at; another plan is refused
    #[arg(long)]
    digest: Option<String>,
    /// Wait until all runs were gone through
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArguments {
    /// The bulk
    bulk: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArguments {
    /// Only work in this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only work on this integration
    #[arg(long)]
    integration: Option<String>,
    /// Only bulks older than this one
    #[arg(long, value_name = "BULK")]
    before: Option<String>,
    /// At most so many
    #[arg(long, default_value = "50")]
    limit: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AbortArguments {
    /// The bulk
    bulk: String,
    /// Why; it stands in the audit
    #[arg(long)]
    reason: String,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::Plan(arguments) => plan(session, *arguments).await,
        Verb::Start(arguments) => start(session, arguments).await,
        Verb::Show(ShowArguments { bulk }) => {
            let bulk: Bulk = session.client()?.get(&format!("/api/v1/bulks/{bulk}")).await?;
            session.output.result(&bulk, || details(&bulk));
            Ok(Exit::Ok)
        }
        Verb::List(arguments) => list(session, &arguments).await,
        Verb::Abort(AbortArguments { bulk, reason }) => {
            let path = format!("/api/v1/bulks/{bulk}/abort");
            let bulk: Bulk = session.client()?.post(&path, &Reason { reason }).await?;
            session.output.result(&bulk, || details(&bulk));
            Ok(Exit::Ok)
        }
    }
}

async fn plan(session: &Session, arguments: PlanArguments) -> Result<Exit, Trouble> {
    let PlanArguments {
        deed,
        reason,
        group,
        environment,
        integration,
        tenant,
        status,
        since,
        until,
        trigger,
        release,
        subject,
        key,
        value,
        event,
        trace,
        fingerprint,
        code,
        out_of_order,
        compensate,
        newest,
    } = arguments;
    let request = PlanBulk {
        deed,
        reason,
        environment,
        integration,
        tenant,
        statuses: status,
        since,
        until,
        trigger,
        release,
        subject,
        key,
        value,
        event,
        trace,
        group,
        fingerprint,
        code,
        out_of_order,
        compensate,
        retry_release: if newest { WhichRelease::Newest } else { WhichRelease::Own },
    };
    let bulk: Bulk = session.client()?.post("/api/v1/bulks", &request).await?;
    session.output.result(&bulk, || details(&bulk));
    if bulk.total > 0 {
        let digest = short(&bulk.digest);
        session.output.say(&format!(
            "nothing is done yet; carry it out within a day: qc bulk start --plan {} (digest {digest}…)",
            bulk.bulk
        ));
    }
    Ok(Exit::Ok)
}

async fn start(session: &Session, arguments: StartArguments) -> Result<Exit, Trouble> {
    let StartArguments { plan, rate, digest, wait } = arguments;
    let client = session.client()?;
    let request = StartBulk { rate: Some(rate), digest };
    let mut bulk: Bulk = client.post(&format!("/api/v1/bulks/{plan}/start"), &request).await?;
    while wait && bulk.state == "running" {
        tokio::time::sleep(LOOK).await;
        bulk = client.get(&format!("/api/v1/bulks/{plan}")).await?;
    }
    session.output.result(&bulk, || details(&bulk));
    Ok(Exit::Ok)
}

async fn list(session: &Session, arguments: &ListArguments) -> Result<Exit, Trouble> {
    let filter = query(&[
        ("environment", arguments.environment.as_deref()),
        ("integration", arguments.integration.as_deref()),
        ("before", arguments.before.as_deref()),
        ("limit", Some(&arguments.limit)),
    ]);
    let page: Page<Bulk> = session.client()?.get(&format!("/api/v1/bulks{filter}")).await?;
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page
            .items
            .iter()
            .map(|bulk| {
                vec![
                    bulk.bulk.clone(),
                    bulk.state.clone(),
                    bulk.deed.clone(),
                    format!("{}/{}", bulk.looked_at, bulk.total),
                    bulk.done.to_string(),
                    bulk.refused.to_string(),
                    clock(&bulk.planned_at),
                    bulk.planned_by.clone(),
                    bulk.reason.clone(),
                ]
            })
            .collect();
        let columns = ["BULK", "STATE", "DEED", "AT", "DONE", "REFUSED", "PLANNED", "BY", "REASON"];
        table(&columns, &rows)
    });
    if let Some(next) = &page.next {
        session.output.say(&format!("there is more: --before {next}"));
    }
    Ok(Exit::Ok)
}

fn details(bulk: &Bulk) -> String {
    let mut lines = vec![
        format!("{}  {} of {} runs  {}", bulk.bulk, bulk.deed, bulk.total, bulk.state),
        format!("reason   {}", bulk.reason),
        format!("planned  {} by {}", clock(&bulk.planned_at), bulk.planned_by),
        format!("digest   {}", bulk.digest),
    ];
    let counts = [
        ("of       ", &bulk.by_integration),
        ("status   ", &bulk.by_status),
        ("died of  ", &bulk.by_fingerprint),
    ];
    for (label, counts) in counts {
        lines.extend(counts.iter().map(|(what, count)| format!("{label}{count} × {what}")));
    }
    if !bulk.sample.is_empty() {
        lines.push(format!("such as  {}", bulk.sample.join(" ")));
    }
    if let (Some(at), Some(by), Some(rate)) = (&bulk.started_at, &bulk.started_by, bulk.rate) {
        lines.push(format!("started  {} by {by}, {rate} per second", clock(at)));
        lines.push(format!(
            "went     through {} of {}: {} done, {} refused",
            bulk.looked_at, bulk.total, bulk.done, bulk.refused
        ));
    }
    if let Some(at) = &bulk.ended_at {
        lines.push(format!("ended    {}", clock(at)));
    }
    lines.extend(bulk.aborted.iter().map(|why| format!("stopped  {why}")));
    lines.extend(bulk.refusals.iter().map(|it| format!("refused  {}: {}", it.run, it.reason)));
    lines.join("\n")
}
