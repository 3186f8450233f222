//! What keys and clients may do beside what they did, whose they are, and what they could touch.

use qc_server::wire::{
    AccessReview, BlastRadius, Reach, ReachedOperation, Reassign, ReviewedHolder,
};
use serde_json::json;

use crate::cli::{
    Exit, Trouble,
    files::{clock, query},
    output::{append, table},
    session::Session,
};

#[derive(Debug, clap::Args)]
pub(crate) struct ReviewArguments {
    /// How far back uses count [default: 30d]
    #[arg(long)]
    since: Option<String>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct RadiusArguments {
    /// A token's id
    #[arg(long)]
    token: Option<String>,
    /// A client's id
    #[arg(long)]
    client: Option<String>,
    /// A connection, as environment/name
    #[arg(long)]
    connection: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReassignArguments {
    #[command(flatten)]
    of: Which,
    /// The team or person who answers for it from now on
    #[arg(long)]
    owner: String,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// A token's id
    #[arg(long)]
    token: Option<String>,
    /// A client's id
    #[arg(long)]
    client: Option<String>,
}

/// Ends with findings when there is anything to look at or to narrow.
pub(super) async fn review(session: &Session, arguments: ReviewArguments) -> Result<Exit, Trouble> {
    let filter = query(&[("since", arguments.since.as_deref())]);
    let review: AccessReview =
        session.client()?.get(&format!("/api/v1/access/review{filter}")).await?;
    session.output.result(&review, || {
        let mut text = String::new();
        for one in &review.items {
            holder(&mut text, one);
        }
        text.trim_end().to_owned()
    });
    let nothing = |one: &ReviewedHolder| one.findings.is_empty() && one.proposal.is_empty();
    Ok(if review.items.iter().all(nothing) { Exit::Ok } else { Exit::Findings })
}

/// As text whose commands can be run: everything else is behind a `#`.
fn holder(text: &mut String, one: &ReviewedHolder) {
    let ReviewedHolder { kind, id, name, role, .. } = one;
    let owner = one.owner.as_deref().unwrap_or("nobody");
    let last = one.last_used_at.as_deref().map_or_else(|| "never".to_owned(), clock);
    append(text, format_args!("# {kind} {id} ({name}), {role}, of {owner}; last used {last}\n"));
    for finding in &one.findings {
        append(text, format_args!("#   {finding}\n"));
    }
    for scope in &one.unused {
        append(text, format_args!("#   not used: {scope}\n"));
    }
    for command in &one.proposal {
        append(text, format_args!("{command}\n"));
    }
}

pub(super) async fn radius(session: &Session, arguments: RadiusArguments) -> Result<Exit, Trouble> {
    let RadiusArguments { token, client, connection } = &arguments;
    let filter = query(&[
        ("token", token.as_deref()),
        ("client", client.as_deref()),
        ("connection", connection.as_deref()),
    ]);
    let radius: BlastRadius =
        session.client()?.get(&format!("/api/v1/access/blast-radius{filter}")).await?;
    session.output.result(&radius, || {
        if radius.operations.is_empty() {
            let rows: Vec<Vec<String>> = radius.reaches.iter().map(reached).collect();
            return table(&["ENVIRONMENT", "ACTION", "TO", ""], &rows);
        }
        let rows: Vec<Vec<String>> = radius.operations.iter().map(operation).collect();
        table(&["INTEGRATION", "CONNECTOR", "OPERATION", "METHOD", "ALLOWED"], &rows)
    });
    Ok(Exit::Ok)
}

fn reached(one: &Reach) -> Vec<String> {
    vec![
        one.environment.clone().unwrap_or_else(|| "-".to_owned()),
        one.action.clone(),
        if one.everything { "everything".to_owned() } else { one.names.join(", ") },
        if one.grant { "with a grant".to_owned() } else { String::new() },
    ]
}

fn operation(one: &ReachedOperation) -> Vec<String> {
    let ReachedOperation { integration, connector, operation, method, .. } = one.clone();
    let allowed =
        if one.allowed { "yes".to_owned() } else { "no: its scopes are missing".to_owned() };
    vec![integration, connector, operation, method, allowed]
}

pub(super) async fn reassign(
    session: &Session,
    arguments: ReassignArguments,
) -> Result<Exit, Trouble> {
    let ReassignArguments { of: Which { token, client }, owner } = arguments;
    let request = json!(Reassign { token, client, owner: owner.clone() });
    session.client()?.act("/api/v1/access/reassign", Some(&request)).await?;
    let done = json!({ "schema_version": 1, "owner": owner, "done": "reassign" });
    session.output.result(&done, || format!("{owner} answers for it now"));
    Ok(Exit::Ok)
}
