use http::Method;
use qc_access::{Action, Approval};
use qc_model::Name;

use super::shown;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{self, Page},
    },
};

/// So many are shown: the newest.
const SHOWN: usize = 500;

pub(in crate::api) const ROUTE: Route = Route {
    id: "listApprovals",
    method: Method::GET,
    path: "/api/v1/approvals",
    action: Action::ApprovalsRead,
    summary: "List approvals of changes, the newest first",
    parameters: &[],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<wire::Approval>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    // A token that is bound to an environment sees those of that one.
    let own = call.principal().environment.clone();
    let permit = call.may(own.as_ref().map(Name::as_str), None).await?;
    let mut all = Approval::all(&*permit.state.store).await?;
    all.retain(|approval| own.is_none() || approval.approved.environment == own);
    all.sort_by_key(|approval| std::cmp::Reverse(approval.at));
    let approvals = all.iter().take(SHOWN).map(shown).collect();
    Ok(Reply::ok(&Page::new(approvals, SHOWN, |approval: &wire::Approval| approval.id.clone())))
}
