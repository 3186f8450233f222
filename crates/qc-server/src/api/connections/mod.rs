//! Connections: accounts at other systems. No route gives a token out.

pub(super) mod drill;
pub(super) mod link;
pub(super) mod list;
pub(super) mod revoke;
pub(super) mod rotate;
pub(super) mod show;
pub(super) mod test;

use std::time::Duration;

use qc_connection::{ConnectionId, Grant, Record, State as Standing};
use qc_model::Timestamp;

use super::{unusable, wire::Connection};
use crate::{Problem, State, connect::grant_of};

/// How long an operation waits for a provider.
const WAIT: Duration = Duration::from_secs(25);

fn named(environment: &str, name: &str) -> Result<ConnectionId, Problem> {
    let environment = environment.parse().map_err(|error| unusable("environment", &error))?;
    Ok(ConnectionId { environment, name: name.to_owned() })
}

/// The grant of a connection, from what is deployed.
fn grant(state: &State, id: &ConnectionId) -> Result<Grant, Problem> {
    let found = grant_of(state, id).map_err(|failure| Problem::failure(&failure, None))?;
    found.ok_or_else(|| {
        let detail = format!("nothing that is deployed in `{}` uses `{}`", id.environment, id.name);
        Problem::new(404, qc_connection::codes::NO_CONNECTION, "No such connection", detail)
    })
}

fn nothing(id: &ConnectionId) -> Problem {
    let detail = format!("there is no connection `{}`", id.text());
    Problem::new(404, qc_connection::codes::NO_CONNECTION, "No such connection", detail)
}

async fn shown_of(state: &State, id: &ConnectionId) -> Result<Connection, Problem> {
    let found = state.connections.show(id).await?.ok_or_else(|| nothing(id))?;
    let mut shown = shown(&found.record, state.clock.now());
    shown.recoverable = found.recoverable;
    if let Some(health) = found.health {
        shown.probe = health.heard.map(|heard| heard.as_str().to_owned());
        shown.probed_at = Some(health.asked_at.to_string());
    }
    Ok(shown)
}

pub(super) fn shown(record: &Record, now: Timestamp) -> Connection {
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let missing = match &record.state {
        Standing::ScopeDrift { missing } => missing.clone(),
        _ => vec![],
    };
    let failure = record.last_failure.as_ref();
    Connection {
        schema_version: 1,
        environment: record.environment.to_string(),
        name: record.name.clone(),
        connector: record.connector.clone(),
        state: record.state.as_str().to_owned(),
        usable: record.usable(now),
        generation: record.generation,
        account: record.account.clone(),
        scopes: record.granted.clone(),
        missing_scopes: missing,
        excess_scopes: record.excess(),
        expires_at: text(record.expires_at),
        renew_at: text(record.renew_at),
        refresh_expires_at: text(record.refresh_expires_at),
        ends_at: text(record.ends_at),
        ends_soon: record.ends_soon(now).is_some(),
        probe: None,
        probed_at: None,
        failure_code: failure.map(|failure| failure.code.to_string()),
        failure: failure.map(|failure| failure.detail.clone()),
        recoverable: 0,
    }
}
