//! `qc conn`: connections, the accounts at other systems. No token is ever printed; a link to consent is, once.

use qc_server::wire::{Connection, ConnectionLink, LinkConnection, OfConnection, Page};

use super::{
    Trouble,
    exit::Exit,
    files::{clock, query},
    output::table,
    session::Session,
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Make a link by which the holder of an account consents: once, within an hour
    Connect(LinkArguments),
    /// List connections, how they stand and when they end
    List(ListArguments),
    /// Show a connection
    Show(Of),
    /// See whether a connection gives a token now
    Test(Of),
    /// Have new tokens brought now
    Rotate(Of),
    /// End a connection: its tokens are removed
    Revoke(Of),
    /// Make a link by which the same account consents again
    Reconnect(Of),
    /// Renew a connection's tokens while its probe is called, and say whether any call noticed
    Drill(super::drill::Arguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArguments {
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only connections after this one, as environment/name
    #[arg(long)]
    after: Option<String>,
    /// At most so many
    #[arg(long, default_value = "50")]
    limit: String,
}

/// Which connection.
#[derive(Debug, clap::Args)]
pub(crate) struct Of {
    /// The environment
    pub(super) environment: String,
    /// The connection's name: the connector's, unless its file says another one
    pub(super) name: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct LinkArguments {
    #[command(flatten)]
    of: Of,
    /// The account that is expected; another one is refused. Left out: the account that consented last
    #[arg(long)]
    account: Option<String>,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::Connect(LinkArguments { of, account }) => link(session, of, account).await,
        Verb::Reconnect(of) => link(session, of, None).await,
        Verb::List(arguments) => list(session, arguments).await,
        Verb::Show(Of { environment, name }) => {
            let path = format!("/api/v1/connections/{environment}/{name}");
            let connection: Connection = session.client()?.get(&path).await?;
            session.output.result(&connection, || told(&connection));
            Ok(Exit::Ok)
        }
        Verb::Drill(arguments) => super::drill::run(session, arguments).await,
        Verb::Test(of) => deed(session, "test", of).await,
        Verb::Rotate(of) => deed(session, "rotate", of).await,
        Verb::Revoke(of) => deed(session, "revoke", of).await,
    }
}

async fn link(session: &Session, of: Of, account: Option<String>) -> Result<Exit, Trouble> {
    let request = LinkConnection { environment: of.environment, name: of.name, account };
    let link: ConnectionLink = session.client()?.post("/api/v1/connections/link", &request).await?;
    session.output.result(&link, || {
        let account = link.account.as_deref().unwrap_or("any account");
        format!(
            "{}\nfor {account}, once, until {}; asks for: {}",
            link.url,
            clock(&link.expires_at),
            if link.scopes.is_empty() { "no scopes".to_owned() } else { link.scopes.join(" ") }
        )
    });
    Ok(Exit::Ok)
}

async fn deed(session: &Session, deed: &str, of: Of) -> Result<Exit, Trouble> {
    let request = OfConnection { environment: of.environment, name: of.name };
    let path = format!("/api/v1/connections/{deed}");
    let connection: Connection = session.client()?.post(&path, &request).await?;
    session.output.result(&connection, || told(&connection));
    Ok(Exit::Ok)
}

async fn list(session: &Session, arguments: ListArguments) -> Result<Exit, Trouble> {
    let filter = query(&[
        ("environment", arguments.environment.as_deref()),
        ("after", arguments.after.as_deref()),
        ("limit", Some(&arguments.limit)),
    ]);
    let page: Page<Connection> =
        session.client()?.get(&format!("/api/v1/connections{filter}")).await?;
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
        table(&["ENVIRONMENT", "NAME", "STATE", "ACCOUNT", "TOKEN UNTIL", "ENDS", ""], &rows)
    });
    if let Some(next) = &page.next {
        session.output.say(&format!("there is more: --after {next}"));
    }
    Ok(Exit::Ok)
}

fn row(connection: &Connection) -> Vec<String> {
    let time = |at: &Option<String>| at.as_deref().map_or_else(|| "-".to_owned(), clock);
    vec![
        connection.environment.clone(),
        connection.name.clone(),
        connection.state.clone(),
        connection.account.clone().unwrap_or_else(|| "-".to_owned()),
        time(&connection.expires_at),
        time(&connection.ends_at),
        notes(connection).join(", "),
    ]
}

fn notes(connection: &Connection) -> Vec<String> {
    let mut notes = Vec::new();
    if !connection.missing_scopes.is_empty() {
        notes.push(format!("lacks {}", connection.missing_scopes.join(" ")));
    }
    if !connection.excess_scopes.is_empty() {
        notes.push(format!("has {} beyond need", connection.excess_scopes.join(" ")));
    }
    if let (true, Some(end)) = (connection.ends_soon, &connection.ends_at) {
        let Connection { environment, name, .. } = connection;
        notes.push(format!(
            "QC-N312: ends {} and is not renewed: qc conn reconnect {environment} {name}",
            clock(end)
        ));
    }
    if let Some(heard) = connection.probe.as_deref().filter(|heard| *heard != "well") {
        notes.push(format!("its probe was {heard}"));
    }
    if let Some(code) = &connection.failure_code {
        let said = connection.failure.as_deref().unwrap_or_default();
        notes.push(format!("{code}: {said}"));
    }
    if connection.recoverable > 0 {
        notes.push(format!("{} kept beside", connection.recoverable));
    }
    notes
}

fn told(connection: &Connection) -> String {
    let Connection { environment, name, state, .. } = connection;
    let mut parts = vec![format!("{environment}/{name}: {state}")];
    if let (true, Some(until)) = (connection.usable, &connection.expires_at) {
        parts.push(format!("its token ends {}", clock(until)));
    }
    parts.extend(notes(connection));
    parts.join("; ")
}
