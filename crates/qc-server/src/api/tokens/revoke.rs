use http::Method;
use qc_access::{Action, revoke};

use super::{may_of, record_of};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, path},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "revokeToken",
    method: Method::DELETE,
    path: "/api/v1/tokens/{token}",
    action: Action::TokensWrite,
    summary: "End a token: at once on this node, within five seconds elsewhere",
    parameters: &[path("token", "Its id")],
    body: None,
    status: 204,
    answer: Answer::Nothing,
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let id: String = call.path("token")?;
    // Looked at before the decision, as whose it is is what is decided on.
    let (record, _) = record_of(&call.state, &id).await?;
    let permit = may_of(&call, record.person.as_ref(), record.owner.as_deref()).await?;
    let state = permit.state;
    let change = revoke(&record, &permit.actor, state.clock.now(), &*state.entropy);
    state.committer.change(change).await?;
    state.tokens.forget(&id);
    Ok(Reply::done())
}
