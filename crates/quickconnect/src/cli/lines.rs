//! `qc lines`: runs of a key that go one after the other.

use qc_server::wire::{Line, LineResumed, Page, ResumeLine};

use super::{Exit, Trouble, files::query, output::table, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the lines in which runs wait for their turn
    List(ListArguments),
    /// Show the lines of a key, with the runs that wait in them
    Show(ShowArguments),
    /// Have a line go on without the failed run at its head, which stays a dead letter
    Resume(ResumeArguments),
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
pub(crate) struct ShowArguments {
    /// The key
    key: String,
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only this integration
    #[arg(long)]
    integration: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ResumeArguments {
    /// The environment
    environment: String,
    /// The integration
    integration: String,
    /// The key
    key: String,
    /// Whose runs
    #[arg(long, default_value = "default")]
    tenant: String,
    /// Why; it stands in the audit
    #[arg(long)]
    reason: String,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List(arguments) => list(session, &arguments).await,
        Verb::Show(arguments) => show(session, &arguments).await,
        Verb::Resume(arguments) => resume(session, arguments).await,
    }
}

async fn list(session: &Session, arguments: &ListArguments) -> Result<Exit, Trouble> {
    let filter = query(&[
        ("environment", arguments.environment.as_deref()),
        ("integration", arguments.integration.as_deref()),
        ("limit", Some(&arguments.limit)),
    ]);
    let page: Page<Line> = session.client()?.get(&format!("/api/v1/lines{filter}")).await?;
    session.output.result(&page, || rows(&page.items));
    if let Some(next) = &page.next {
        session.output.say(next);
    }
    Ok(Exit::Ok)
}

fn rows(lines: &[Line]) -> String {
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            vec![
                line.key.clone(),
                line.state.clone(),
                line.waiting.to_string(),
                line.environment.clone(),
                line.integration.clone(),
                line.tenant.clone(),
                line.first.run.clone(),
                line.first.summary.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let columns =
        ["KEY", "STATE", "WAITING", "ENVIRONMENT", "INTEGRATION", "TENANT", "FIRST", "SUMMARY"];
    table(&columns, &rows)
}

async fn show(session: &Session, arguments: &ShowArguments) -> Result<Exit, Trouble> {
    let filter = query(&[
        ("key", Some(&arguments.key)),
        ("environment", arguments.environment.as_deref()),
        ("integration", arguments.integration.as_deref()),
    ]);
    let page: Page<Line> = session.client()?.get(&format!("/api/v1/lines{filter}")).await?;
    session.output.result(&page, || {
        let mut text = rows(&page.items);
        for line in &page.items {
            for run in &line.behind {
                text.push_str(&format!("\n{} waits behind {}", run, line.first.run));
            }
        }
        text
    });
    Ok(Exit::Ok)
}

async fn resume(session: &Session, arguments: ResumeArguments) -> Result<Exit, Trouble> {
    let ResumeArguments { environment, integration, key, tenant, reason } = arguments;
    let request = ResumeLine { tenant, environment, integration, key, reason };
    let done: LineResumed = session.client()?.post("/api/v1/lines/resume", &request).await?;
    session.output.result(&done, || {
        format!("the line goes on without {}; its dead letter is still open", done.left)
    });
    Ok(Exit::Ok)
}
