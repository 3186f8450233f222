use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use qc_access::Action;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::Happening,
    },
};

const MEDIA_TYPE: &str = "application/x-ndjson";

pub(in crate::api) const ROUTE: Route = Route {
    id: "followHappenings",
    method: Method::GET,
    path: "/api/v1/happenings",
    action: Action::RunsRead,
    summary: "Follow what happens on this node from now on, one JSON object a line; the ledger is the record",
    parameters: &[],
    body: None,
    status: 200,
    answer: Answer::Lines(schema::<Happening>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    // Happenings of all environments: only who may read runs everywhere.
    let permit = call.may(None, None).await?;
    let listener = permit.state.engine.subscribe();
    let lines = stream::unfold(listener, |mut listener| async move {
        let line = match listener.recv().await {
            Ok(happening) => json!(happening),
            Err(RecvError::Lagged(missed)) => json!({ "what": "missed", "count": missed }),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok::<_, Infallible>(Bytes::from(format!("{line}\n"))), listener))
    });
    Ok(Reply::other(MEDIA_TYPE, axum::body::Body::from_stream(lines)))
}
