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
        session.output.say(&format!("there is more: --before {next}"));
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
