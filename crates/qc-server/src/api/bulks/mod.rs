//! Work on many runs: plan it, look at the plan, start it, follow it, stop it.

pub(super) mod abort;
pub(super) mod list;
pub(super) mod plan;
pub(super) mod show;
pub(super) mod start;

use qc_access::Action;
use qc_engine::{Bulk, BulkId, Deed};

use super::{
    Call, Permit,
    route::{Parameter, path},
};
use crate::Problem;

const BULK: Parameter = path("bulk", "The bulk's id");

/// The bulk that the path names, when the caller may do the action to it.
async fn bulk(call: &Call) -> Result<(Bulk, Permit<'_>), Problem> {
    let id: BulkId = call.path("bulk")?;
    // Looked at before the decision, as its environment and integration are what is decided on.
    let bulk = call.state.engine.bulk(id).await?;
    let permit = permitted(call, &bulk.filter).await?;
    Ok((bulk, permit))
}

async fn permitted<'a>(
    call: &'a Call,
    filter: &qc_engine::BulkFilter,
) -> Result<Permit<'a>, Problem> {
    let environment = filter.environment.as_ref().map(qc_model::Name::as_str);
    call.may(environment, filter.integration.as_ref().map(qc_model::Name::as_str)).await
}

/// Whoever has something done to many runs must be allowed to do it to each.
fn permitted_deed(call: &Call, deed: Deed, filter: &qc_engine::BulkFilter) -> Result<(), Problem> {
    let action = match deed {
        Deed::Replay => Action::RunsReplay,
        Deed::Retry => Action::DlqRetry,
        Deed::Discard => Action::DlqDiscard,
        Deed::Cancel => Action::RunsCancel,
    };
    let environment = filter.environment.as_ref().map(qc_model::Name::as_str);
    call.may_also(action, environment, filter.integration.as_ref().map(qc_model::Name::as_str))
}
