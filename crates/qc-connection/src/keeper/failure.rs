//! What a call hears whose connection gives no token.

use std::time::Duration;

use qc_model::{Class, Code, Failure, NextAction, Retry, Timestamp};
use qc_store::StoreError;
use qc_vault::VaultError;

use crate::{
    codes,
    machine::{Reason, State, Trouble},
    provider::ConnectionId,
    record::Record,
    token::{Unsendable, Word},
};

const CONSENT: &str = "A connection waits for consent";

/// Why there is no token in this state. Work waits for people (`on_event`) or for the provider (`after`).
pub(super) fn of_state(record: &Record, now: Timestamp) -> Box<Failure> {
    let (id, environment, name) = (record.id().text(), &record.environment, &record.name);
    let consent = format!("make a link with `qc conn connect {environment} {name}`");
    let detail = match &record.state {
        State::PendingConsent => format!("nobody has consented to `{id}` yet; {consent}"),
        State::ReauthRequired { reason, .. } => {
            let why = match reason {
                Reason::InvalidGrant => "the provider no longer takes its refresh token",
                Reason::OutcomeUnknown => {
                    "what became of its last refresh is not known, and its token has ended"
                }
                Reason::Expired => "its token has ended, and there is no refresh token",
            };
            format!("`{id}`: {why}; {consent}")
        }
        State::Suspect { .. } => {
            let detail = format!(
                "a refresh token of `{id}` was sent, and what became of it is not known; {consent}"
            );
            let title = "The outcome of a refresh is not known";
            return waits(codes::OUTCOME_UNKNOWN, title, detail);
        }
        State::Revoked { .. } => {
            let detail = format!("`{id}` was revoked; {consent}");
            return waits(codes::REVOKED, "A connection was revoked", detail);
        }
        State::Degraded { trouble: Trouble::Client, .. } => return client_refused(&record.id()),
        State::Degraded { trouble: Trouble::Configuration, .. } => {
            let said = record.last_failure.as_ref().map_or("", |failure| &failure.detail);
            let detail = format!("`{id}`: {said}");
            let title = "The token endpoint refuses what is asked for";
            return waits(codes::CLIENT_REFUSED, title, detail);
        }
        State::Degraded { retry_at, .. } => {
            return away(&record.id(), Some(retry_at.since(now)));
        }
        State::Active | State::Refreshing(_) | State::Rotating(_) | State::ScopeDrift { .. } => {
            return away(&record.id(), None);
        }
    };
    waits(codes::CONSENT_NEEDED, CONSENT, detail)
}

fn waits(code: Code, title: &str, detail: String) -> Box<Failure> {
    let mut failure = Failure::new(Class::Auth, code, title, detail);
    failure.next_action = NextAction::Reconsent;
    Box::new(failure)
}

/// The client is refused: all connections of the application wait for the same thing.
pub(super) fn client_refused(id: &ConnectionId) -> Box<Failure> {
    let detail = format!(
        "the token endpoint of `{}` refuses the client itself; check its id and its secret or key",
        id.text()
    );
    let mut failure = Failure::new(
        Class::Auth,
        codes::CLIENT_REFUSED,
        "The token endpoint refuses the client",
        detail,
    );
    failure.next_action = NextAction::ContactOwner;
    Box::new(failure)
}

/// The token endpoint is away; the call that needed the token was not sent.
pub(super) fn away(id: &ConnectionId, pause: Option<Duration>) -> Box<Failure> {
    let detail = format!("no new token can be had for `{}` now", id.text());
    let title = "The token endpoint is not available";
    let mut failure = Failure::new(Class::Transient, codes::UNAVAILABLE, title, detail);
    let stated_ms = pause.map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
    failure.retry = Retry::After { stated_ms };
    Box::new(failure)
}

/// The refresh goes on, and the call has no time to wait for it.
pub(super) fn slow(id: &ConnectionId) -> Box<Failure> {
    let detail = format!("a new token for `{}` is asked for and did not come in time", id.text());
    let title = "The token endpoint is slow";
    Box::new(Failure::new(Class::Timeout, codes::UNAVAILABLE, title, detail))
}

/// There is no such connection, and no way to make it without people.
pub(super) fn nothing(id: &ConnectionId) -> Box<Failure> {
    let (environment, name) = (&id.environment, &id.name);
    let detail = format!(
        "there is no connection `{}` yet; make one with `qc conn connect {environment} {name}`",
        id.text()
    );
    waits(codes::CONSENT_NEEDED, CONSENT, detail)
}

/// The store or the vault does not do it. What stands there opens again when somebody mends it, so work waits.
pub(super) fn not_kept(id: &ConnectionId, error: &VaultError) -> Box<Failure> {
    let class = match error {
        VaultError::Store(_) | VaultError::Busy | VaultError::Ring(_) => Class::Dependency,
        _ => Class::Auth,
    };
    let detail = format!("`{}`: {error}", id.text());
    Box::new(Failure::new(class, codes::NOT_KEPT, "A connection cannot be used here", detail))
}

pub(super) fn store(id: &ConnectionId, error: StoreError) -> Box<Failure> {
    not_kept(id, &VaultError::Store(error))
}

/// A request cannot be made with what is configured.
pub(super) fn unsendable(id: &ConnectionId, error: &Unsendable) -> Box<Failure> {
    let detail = format!("`{}`: {error}", id.text());
    let title = "The client cannot prove itself";
    Box::new(Failure::new(Class::Auth, codes::CLIENT_REFUSED, title, detail))
}

/// What a refusal is told as.
pub(super) fn refused(word: Word) -> String {
    format!("the token endpoint said `{}`", word.as_str())
}

/// What a person asked for is not done.
pub(super) fn refusal(code: Code, title: &str, detail: String) -> Box<Failure> {
    Box::new(Failure::new(Class::Invalid, code, title, detail))
}

/// Others changed it each time that it was tried.
pub(super) fn busy(id: &ConnectionId) -> Box<Failure> {
    not_kept(id, &VaultError::Busy)
}
