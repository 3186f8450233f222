//! Who has approved which changes.

pub(super) mod give;
pub(super) mod list;
pub(super) mod withdraw;

use qc_access::{Approval, Approved};
use qc_model::{Actor, ActorKind, Name};
use qc_store::ChangeOutcome;

use super::{Permit, wire};
use crate::{Problem, codes};

/// Refuses a change that takes approvals which are not there. `authors`: who made it, and who asks for it.
pub(super) async fn demand(
    permit: &Permit<'_>,
    change: &Approved,
    authors: &[&Actor],
) -> Result<(), Problem> {
    let state = permit.state;
    let policies = state.access.policies();
    if policies.approvals().iter().next().is_none() {
        return Ok(());
    }
    let given = Approval::all(&*state.store).await?;
    let authors: Vec<Name> = authors
        .iter()
        .filter(|actor| actor.kind == ActorKind::Human)
        .filter_map(|actor| Name::new(&actor.id).ok())
        .collect();
    let now = state.clock.now();
    let Some(missing) = policies.approvals().missing(change, &given, &authors, now) else {
        return Ok(());
    };
    let names = |names: &[Name]| {
        let names: Vec<&str> = names.iter().map(Name::as_str).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
    };
    let detail = format!(
        "it takes {} approvals and has those of {}; of {} more are needed: `qc approvals give {}`",
        missing.need,
        names(&missing.have),
        names(&missing.could),
        command(change),
    );
    Err(Problem::new(403, codes::NOT_APPROVED, "Approvals are missing", detail))
}

/// What follows `qc approvals give`.
fn command(change: &Approved) -> String {
    let mut words = vec![change.action.as_str().to_owned(), change.what.clone()];
    let places = [("--environment", &change.environment), ("--integration", &change.integration)];
    for (flag, place) in places {
        words.extend(place.as_ref().map(|place| format!("{flag} {place}")));
    }
    words.join(" ")
}

fn shown(approval: &Approval) -> wire::Approval {
    let approved = &approval.approved;
    wire::Approval {
        schema_version: 1,
        id: approval.id.clone(),
        action: approved.action.as_str().to_owned(),
        environment: approved.environment.as_ref().map(ToString::to_string),
        integration: approved.integration.as_ref().map(ToString::to_string),
        what: approved.what.clone(),
        person: approval.person.to_string(),
        at: approval.at.to_string(),
        withdrawn: approval.withdrawn,
    }
}

/// Keeps what became of an approval.
async fn keep(
    permit: &Permit<'_>,
    approval: &Approval,
    before: Option<u64>,
) -> Result<(), Problem> {
    let state = permit.state;
    let change = approval.change(before, &permit.actor, state.clock.now(), &*state.entropy);
    match state.committer.change(change).await? {
        ChangeOutcome::Changed => Ok(()),
        ChangeOutcome::Conflict { .. } => {
            let detail = "somebody changed it at the same time; look at it again";
            Err(Problem::new(409, codes::CHANGED_MEANWHILE, "Changed meanwhile", detail))
        }
    }
}
