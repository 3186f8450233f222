//! `qc grants`: rights for a time, which one person asks for and another gives.

use qc_server::wire::{Grant, Page, RequestGrant};

use super::{Exit, Trouble, files::clock, output::table, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List rights for a time, the newest first
    List,
    /// Ask for rights for a time, for yourself
    Request(RequestArguments),
    /// Give somebody else the rights that are asked for
    Approve(Of),
    /// Refuse somebody else the rights that are asked for
    Refuse(Of),
    /// Take rights back before their time is over
    Revoke(Of),
}

#[derive(Debug, clap::Args)]
pub(crate) struct RequestArguments {
    /// The environment
    environment: String,
    /// To do what: runs:inspect, runs:replay, runs:bulk, dlq:retry or captures:inspect, or with --unit what only shows, such as runs:read;
    /// may stand several times
    #[arg(long = "action", required = true)]
    actions: Vec<String>,
    /// Only for this integration
    #[arg(long)]
    integration: Option<String>,
    /// To see what belongs to this unit, which is not yours; somebody of it gives it
    #[arg(long)]
    unit: Option<String>,
    /// Why
    #[arg(long)]
    reason: String,
    /// The ticket
    #[arg(long)]
    ticket: String,
    /// For how long, at most 4h; with --unit and without payloads 30d
    #[arg(long, default_value = "1h")]
    lifetime: String,
}

/// Which grant.
#[derive(Debug, clap::Args)]
pub(crate) struct Of {
    /// The grant's id
    grant: String,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List => list(session).await,
        Verb::Request(arguments) => {
            let request = RequestGrant {
                actions: arguments.actions,
                environment: arguments.environment,
                integration: arguments.integration,
                unit: arguments.unit,
                reason: arguments.reason,
                ticket: arguments.ticket,
                lifetime: Some(arguments.lifetime),
            };
            let grant: Grant = session.client()?.post("/api/v1/grants", &request).await?;
            session.output.result(&grant, || {
                format!(
                    "{}: asked for; a second person gives it: qc grants approve {}",
                    grant.id, grant.id
                )
            });
            Ok(Exit::Ok)
        }
        Verb::Approve(of) => decide(session, &of, "approve").await,
        Verb::Refuse(of) => decide(session, &of, "refuse").await,
        Verb::Revoke(of) => decide(session, &of, "revoke").await,
    }
}

async fn decide(session: &Session, of: &Of, deed: &str) -> Result<Exit, Trouble> {
    let path = format!("/api/v1/grants/{}/{deed}", of.grant);
    let grant: Grant = session.client()?.post_bare(&path).await?;
    session.output.result(&grant, || {
        let until = match (&*grant.state, &grant.expires_at) {
            ("given", Some(end)) => format!(" until {}", clock(end)),
            _ => String::new(),
        };
        format!("{}: {} to {}{until}", grant.id, grant.state, grant.person)
    });
    Ok(Exit::Ok)
}

async fn list(session: &Session) -> Result<Exit, Trouble> {
    let page: Page<Grant> = session.client()?.get("/api/v1/grants").await?;
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page
            .items
            .iter()
            .map(|grant| {
                let whole = || "all".to_owned();
                let integration = grant.integration.clone().unwrap_or_else(whole);
                vec![
                    grant.id.clone(),
                    grant.state.clone(),
                    grant.person.clone(),
                    grant.actions.join(" "),
                    format!("{}/{integration}", grant.environment),
                    grant.ticket.clone(),
                    grant.expires_at.as_deref().map_or_else(String::new, clock),
                ]
            })
            .collect();
        table(&["ID", "STATE", "PERSON", "ACTIONS", "WHERE", "TICKET", "ENDS"], &rows)
    });
    Ok(Exit::Ok)
}
