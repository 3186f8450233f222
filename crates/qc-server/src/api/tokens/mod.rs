//! Tokens: who may use the API and the triggers.

pub(super) mod create;
pub(super) mod list;
pub(super) mod revoke;
pub(super) mod rotate;

use std::time::Duration;

use qc_access::{Action, Denial, KEY_LIFETIME, Resource, Scope, TOKEN_KIND, TokenRecord};
use qc_model::{Name, Timestamp};
use qc_store::StoreError;

use super::{Call, Permit, wire::Token};
use crate::{Problem, State, codes};

/// A token as it is shown; `used`: when it did anything last.
fn shown(record: &TokenRecord, used: Option<Timestamp>, now: Timestamp) -> Token {
    Token {
        id: record.id.clone(),
        name: record.name.clone(),
        person: record.person.as_ref().map(ToString::to_string),
        environment: record.environment.as_ref().map(ToString::to_string),
        role: record.role.as_str().to_owned(),
        scopes: record
            .scopes
            .as_ref()
            .map(|scopes| scopes.iter().map(ToString::to_string).collect()),
        created_at: record.created_at.to_string(),
        created_by: record.created_by.clone(),
        expires_at: record.expires_at.map(|at| at.to_string()),
        kind: record.kind.as_str().to_owned(),
        owner: record.owner.clone(),
        purpose: record.purpose.clone(),
        version: record.version,
        previous_until: record.previous_until(now).map(|at| at.to_string()),
        last_used_at: used.map(|at| at.to_string()),
    }
}

/// The record of a token, with the revision of its document.
pub(crate) async fn record_of(state: &State, id: &str) -> Result<(TokenRecord, u64), Problem> {
    let document = state.store.document(TOKEN_KIND, id).await?.ok_or_else(|| {
        let detail = "there is no token with this id; `qc tokens list` shows them";
        Problem::new(404, codes::NO_TOKEN_RECORD, "No such token", detail)
    })?;
    let record = serde_json::from_slice(&document.body)
        .map_err(|error| StoreError::Corrupt(format!("the record of token {id}: {error}")))?;
    Ok((record, document.revision))
}

/// Who is narrowed to scopes gives away none but these: a token never makes a mightier one.
fn within(call: &Call, given: Option<&[Scope]>) -> Result<(), Problem> {
    let Some(own) = call.principal().scopes.as_deref() else { return Ok(()) };
    let covered = |scope: &Scope| own.iter().any(|wider| scope.is_within(wider));
    if given.is_some_and(|scopes| scopes.iter().all(covered)) {
        return Ok(());
    }
    Err(call.asker.refuse(Action::TokensWrite, Denial::Scope, None))
}

/// Decides whether the caller may do the route's action to the key of this person or owner: to one of his own units, as
/// whoever has a key's text acts in its units.
async fn may_of<'a>(
    call: &'a Call,
    person: Option<&Name>,
    owner: Option<&str>,
) -> Result<Permit<'a>, Problem> {
    let units = call.asker.directory.of_key(person, owner);
    call.may_on(Resource { environment: None, name: None, units: &units }).await
}

/// What should be thought over about a key's lifetime.
fn of_lifetime(lifetime: Option<Duration>) -> Option<String> {
    lifetime.filter(|lifetime| *lifetime > KEY_LIFETIME).map(|lifetime| {
        let days = lifetime.as_secs() / 86_400;
        format!("it holds for {days} days, longer than the usual 90; rotate it before")
    })
}
