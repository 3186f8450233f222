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
    id: "reopenFailures",
    method: Method::POST,
    path: "/api/v1/failures/{group}/reopen",
    action: Action::DlqTriage,
    summary: "Take back what was said of a group of failures",
    parameters: &[GROUP],
    body: Some(schema::<Note>),
    status: 200,
    answer: Answer::Json(schema::<DeadGroupShown>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Note { note } = call.body()?;
    super::say(&call, Word::Reopen, note.as_deref()).await
}
