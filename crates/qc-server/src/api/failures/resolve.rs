use http::Method;
use qc_access::Action;
use qc_engine::Word;

use super::GROUP;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{DeadGroupShown, Note},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "resolveFailures",
    method: Method::POST,
    path: "/api/v1/failures/{group}/resolve",
    action: Action::DlqTriage,
    summary: "Say that the cause of a group of failures is mended; who dies of it from now on opens it again",
    parameters: &[GROUP],
    body: Some(schema::<Note>),
    status: 200,
    answer: Answer::Json(schema::<DeadGroupShown>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Note { note } = call.body()?;
    super::say(&call, Word::Resolve, note.as_deref()).await
}
