//! Rights for a time.

pub(super) mod decide;
pub(super) mod list;
pub(super) mod request;
pub(super) mod revoke;

use qc_access::{Grant, GrantError, GrantState};
use qc_model::{Name, Timestamp};
use qc_store::ChangeOutcome;

use super::{Call, Permit, wire};
use crate::{Problem, State, codes};

fn shown(grant: &Grant, now: Timestamp) -> wire::Grant {
    let over = grant.state == GrantState::Given && !grant.holds(now);
    wire::Grant {
        schema_version: 1,
        id: grant.id.clone(),
        person: grant.person.to_string(),
        actions: grant.actions.iter().map(|action| action.as_str().to_owned()).collect(),
        environment: grant.environment.to_string(),
        integration: grant.integration.as_ref().map(ToString::to_string),
        unit: grant.unit.as_ref().map(ToString::to_string),
        reason: grant.reason.clone(),
        ticket: grant.ticket.clone(),
        state: if over { "over" } else { grant.state.as_str() }.to_owned(),
        seconds: grant.seconds,
        requested_at: grant.requested_at.to_string(),
        decided_by: grant.decided_by.as_ref().map(ToString::to_string),
        expires_at: grant.expires_at.map(|at| at.to_string()),
    }
}

/// The grant that the path names, with the revision of its document.
async fn named(call: &Call, state: &State) -> Result<(Grant, u64), Problem> {
    let id: String = call.path("grant")?;
    let found = state.grants.one(&id).await?;
    found.ok_or_else(|| {
        let detail = format!("there is no grant {}", id.chars().take(40).collect::<String>());
        Problem::new(404, codes::NO_GRANT, "No such grant", detail)
    })
}

/// The person who asks: rights for a time are a matter between two persons.
pub(super) fn person(call: &Call) -> Result<Name, Problem> {
    call.principal().person.clone().ok_or_else(|| {
        let detail = "rights for a time are asked for and given by persons: sign in, or use a token with `--person`";
        Problem::new(422, codes::GRANT, "No person", detail)
    })
}

fn unfit(error: &GrantError) -> Problem {
    let status = match error {
        GrantError::Decided(_) => 409,
        GrantError::OwnRequest | GrantError::OtherUnit(_) => 403,
        _ => 422,
    };
    Problem::new(status, codes::GRANT, "The grant cannot be so", error.to_string())
}

/// Keeps what became of a grant.
async fn keep(permit: &Permit<'_>, grant: &Grant, before: Option<u64>) -> Result<(), Problem> {
    let state = permit.state;
    let change = grant.change(before, &permit.actor, state.clock.now(), &*state.entropy);
    match state.committer.change(change).await? {
        ChangeOutcome::Changed => {
            state.grants.forget();
            Ok(())
        }
        ChangeOutcome::Conflict { .. } => {
            let detail = "somebody else decided at the same time; look at it again";
            Err(Problem::new(409, codes::CHANGED_MEANWHILE, "Changed meanwhile", detail))
        }
    }
}
