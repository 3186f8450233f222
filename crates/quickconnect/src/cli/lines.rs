//! `qc lines`: runs of a key that go one after the other.

use qc_server::wire::{DiscardLine, Line, LineDiscarded, LineResumed, Page, ResumeLine};

use super::{Exit, Trouble, files::query, output::table, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the lines in which runs wait for their turn
    List(ListArguments),
    /// Show the lines of a key, with the runs that wait in them
    Show(ShowArguments),
    /// Have a line go on without the failed run at its head, which stays a dead letter
    Resume(ResumeArguments),
    /// Have a line go on without the failed run at its head, whose dead letter is given up
    Skip(ResumeArguments),
    /// Give up the failed run at the head and all that wait behind it: says which first
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

#[derive(Debug, clap::Args)]
pub(crate) struct DiscardArguments {
    #[command(flatten)]
    which: ResumeArguments,
    /// Do it: what the plan gave
    #[arg(long)]
    confirm: Option<String>,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List(arguments) => list(session, &arguments).await,
        Verb::Show(arguments) => show(session, &arguments).await,
        Verb::Resume(arguments) => resume(session, arguments).await,
        Verb::Skip(arguments) => skip(session, arguments).await,
        Verb::Discard(arguments) => discard(session, arguments).await,
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
        let behind = page.items.iter().flat_map(|line| {
            line.behind.iter().map(|run| format!("{run} waits behind {}", line.first.run))
        });
        std::iter::once(rows(&page.items)).chain(behind).collect::<Vec<_>>().join("\n")
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

async fn skip(session: &Session, arguments: ResumeArguments) -> Result<Exit, Trouble> {
    let ResumeArguments { environment, integration, key, tenant, reason } = arguments;
    let request = ResumeLine { tenant, environment, integration, key, reason };
    let done: LineResumed = session.client()?.post("/api/v1/lines/skip", &request).await?;
    session.output.result(&done, || {
        format!("the line goes on without {}; its dead letter is given up", done.left)
    });
    Ok(Exit::Ok)
}

async fn discard(session: &Session, arguments: DiscardArguments) -> Result<Exit, Trouble> {
    let DiscardArguments { which, confirm } = arguments;
    let ResumeArguments { environment, integration, key, tenant, reason } = which;
    let request = DiscardLine { tenant, environment, integration, key, reason, confirm };
    let plan: LineDiscarded = session.client()?.post("/api/v1/lines/discard", &request).await?;
    session.output.result(&plan, || {
        let LineDiscarded { done, first, waiting, confirm } = &plan;
        if *done {
            format!("{first} was given up, and {waiting} behind it were cancelled")
        } else {
            format!(
                "{first} would be given up, and {waiting} behind it cancelled; nothing was done. To do it, say it again with: --confirm {confirm}"
            )
        }
    });
    Ok(Exit::Ok)
}
