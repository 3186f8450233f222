//! Debug captures.

pub(super) mod decide;
pub(super) mod end;
pub(super) mod list;
pub(super) mod read;
pub(super) mod request;

use qc_capture::{Capture, ReadError, Stage};
use qc_model::{Name, Timestamp};

use super::{Call, Permit, wire};
use crate::Problem;

/// The capture that the path names, when the caller may do the route's action to its integration.
async fn named(call: &Call) -> Result<(Capture, Permit<'_>), Problem> {
    let id: String = call.path("capture")?;
    // Looked at before the decision, as its environment and integration are what is decided on.
    let found = call.state.captures.one(&id).await?;
    let (capture, _) = found.ok_or(ReadError::Nothing)?;
    let (environment, integration) = (capture.environment.as_str(), capture.integration.as_str());
    let permit = call.may(Some(environment), Some(integration)).await?;
    Ok((capture, permit))
}

fn shown(capture: &Capture, now: Timestamp) -> wire::Capture {
    let window = capture.window();
    let decided_by = match &capture.stage {
        Stage::Refused { by, .. } => Some(by),
        _ => window.map(|window| &window.by),
    };
    wire::Capture {
        schema_version: 1,
        id: capture.id.clone(),
        person: capture.person.to_string(),
        tenant: capture.tenant.to_string(),
        environment: capture.environment.to_string(),
        integration: capture.integration.to_string(),
        task: capture.task.clone(),
        system: capture.system.clone(),
        events: capture.events,
        reason: capture.reason.clone(),
        ticket: capture.ticket.clone(),
        state: capture.word(now).to_owned(),
        seconds: capture.seconds,
        keep_seconds: capture.keep_seconds,
        max: capture.max,
        taken: capture.taken,
        requested_at: capture.requested_at.to_string(),
        decided_by: decided_by.map(Name::to_string),
        records_until: window.map(|window| window.until.to_string()),
        expires_at: window.map(|window| window.expires_at.to_string()),
    }
}
