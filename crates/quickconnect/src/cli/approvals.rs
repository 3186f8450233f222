//! `qc approvals`: n of m persons approve a change before it comes in force.

use qc_server::wire::{Approval, GiveApproval, Page};

use super::{Exit, Trouble, files::clock, output::table, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List approvals of changes, the newest first
    List,
    /// Approve a change exactly as it is
    Give(GiveArguments),
    /// Take your approval back
    Withdraw(Of),
}

#[derive(Debug, clap::Args)]
pub(crate) struct GiveArguments {
    /// The change: deployments:write, policies:write or captures:approve
    action: String,
    /// What comes in force: a release's hash, or the beginning of it; a version of policies; or the id of a debug capture
    what: String,
    /// Of a deployment or a debug capture: where
    #[arg(long)]
    environment: Option<String>,
    /// Of a deployment or a debug capture: of which integration
    #[arg(long)]
    integration: Option<String>,
}

/// Which approval.
#[derive(Debug, clap::Args)]
pub(crate) struct Of {
    /// The approval's id
    approval: String,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List => list(session).await,
        Verb::Give(arguments) => {
            let GiveArguments { action, what, environment, integration } = arguments;
            let asked = GiveApproval { action, environment, integration, what };
            let given: Approval = session.client()?.post("/api/v1/approvals", &asked).await?;
            session.output.result(&given, || {
                format!("{}: {} approves {} {}", given.id, given.person, given.action, given.what)
            });
            Ok(Exit::Ok)
        }
        Verb::Withdraw(of) => {
            let path = format!("/api/v1/approvals/{}/withdraw", of.approval);
            let taken: Approval = session.client()?.post_bare(&path).await?;
            session.output.result(&taken, || format!("{}: taken back", taken.id));
            Ok(Exit::Ok)
        }
    }
}

async fn list(session: &Session) -> Result<Exit, Trouble> {
    let page: Page<Approval> = session.client()?.get("/api/v1/approvals").await?;
    session.output.result(&page, || {
        let row = |approval: &Approval| {
            let places = [&approval.environment, &approval.integration];
            let place: Vec<&str> = places.into_iter().flatten().map(String::as_str).collect();
            vec![
                approval.id.clone(),
                approval.person.clone(),
                approval.action.clone(),
                place.join("/"),
                approval.what.clone(),
                clock(&approval.at),
                if approval.withdrawn { "withdrawn" } else { "given" }.to_owned(),
            ]
        };
        let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
        table(&["ID", "PERSON", "ACTION", "WHERE", "WHAT", "AT", "STATE"], &rows)
    });
    Ok(Exit::Ok)
}
