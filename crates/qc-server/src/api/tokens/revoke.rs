use http::Method;
use qc_access::{Action, TOKEN_KIND, TokenRecord, revoke};
use qc_store::StoreError;

use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, path},
    },
    codes,
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
    let permit = call.may(None, None).await?;
    let id: String = call.path("token")?;
    let state = permit.state;
    let document = state.store.document(TOKEN_KIND, &id).await?.ok_or_else(|| {
        let detail = "there is no token with this id; `qc tokens list` shows them";
        Problem::new(404, codes::NO_TOKEN_RECORD, "No such token", detail)
    })?;
    let record: TokenRecord = serde_json::from_slice(&document.body)
        .map_err(|error| StoreError::Corrupt(format!("the record of token {id}: {error}")))?;
    let change = revoke(&record, &permit.actor, state.clock.now(), &*state.entropy);
    state.committer.change(change).await?;
    state.tokens.forget(&id);
    Ok(Reply::done())
}
