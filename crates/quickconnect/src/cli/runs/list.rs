use qc_server::wire::{Page, Run};

use crate::cli::{
    Exit, Trouble,
    files::{clock, query},
    output::table,
    session::Session,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only this integration
    #[arg(long)]
    integration: Option<String>,
    /// Only these statuses: running, waiting, parked, completed, faulted, cancelled
    #[arg(long, value_delimiter = ',')]
    status: Vec<String>,
    /// Only runs with this business subject
    #[arg(long)]
    subject: Option<String>,
    /// Only runs with this business key
    #[arg(long, value_name = "NAME=VALUE")]
    key: Option<String>,
    /// Only runs of this sender's trace
    #[arg(long)]
    trace: Option<String>,
    /// Only runs of this event
    #[arg(long)]
    event: Option<String>,
    /// Only runs of this trigger
    #[arg(long)]
    trigger: Option<String>,
    /// Only runs of this release: its whole hash
    #[arg(long)]
    release: Option<String>,
    /// Only runs accepted at or after this RFC 3339 time
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only runs accepted before this RFC 3339 time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Runs that have to do with this: any id (run, event, trace, correlation, request), a call's key, a subject, or the
    /// value of a business key; goes with --environment, --integration and --limit
    #[arg(long, value_name = "VALUE", conflicts_with_all = ["status", "subject", "key", "trace", "event", "trigger", "release", "since", "until", "before"])]
    find: Option<String>,
    /// Only runs older than this one
    #[arg(long, value_name = "RUN")]
    before: Option<String>,
    /// At most so many
    #[arg(long, default_value = "50")]
    limit: String,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let status = Some(arguments.status.join(",")).filter(|status| !status.is_empty());
    let filter = query(&[
        ("environment", arguments.environment.as_deref()),
        ("integration", arguments.integration.as_deref()),
        ("status", status.as_deref()),
        ("subject", arguments.subject.as_deref()),
        ("key", arguments.key.as_deref()),
        ("trace", arguments.trace.as_deref()),
        ("event", arguments.event.as_deref()),
        ("trigger", arguments.trigger.as_deref()),
        ("release", arguments.release.as_deref()),
        ("since", arguments.since.as_deref()),
        ("until", arguments.until.as_deref()),
        ("find", arguments.find.as_deref()),
        ("before", arguments.before.as_deref()),
        ("limit", Some(&arguments.limit)),
    ]);
    let page: Page<Run> = session.client()?.get(&format!("/api/v1/runs{filter}")).await?;
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
        table(
            &["RUN", "STATUS", "SUBJECT", "ENVIRONMENT", "INTEGRATION", "ACCEPTED", "SUMMARY"],
            &rows,
        )
    });
    if let Some(next) = &page.next {
        let more = match &arguments.find {
            None => format!("there is more: --before {next}"),
            Some(_) => next.clone(),
        };
        session.output.say(&more);
    }
    Ok(Exit::Ok)
}

fn row(run: &Run) -> Vec<String> {
    vec![
        run.run.clone(),
        run.status.clone(),
        run.subject.clone().unwrap_or_default(),
        run.environment.clone(),
        run.integration.clone(),
        clock(&run.accepted_at),
        run.summary.clone().unwrap_or_default(),
    ]
}
