use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use qc_access::Action;
use serde_json::json;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, sleep_until},
};

use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::Happening,
    },
};

const MEDIA_TYPE: &str = "application/x-ndjson";
/// How often it is looked whether who follows still may.
const LOOK: Duration = Duration::from_secs(5);

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
    let following = Following { call, listener, look_at: Instant::now() + LOOK };
    let lines = stream::unfold(following, |following| Box::pin(following.next()));
    Ok(Reply::other(MEDIA_TYPE, axum::body::Body::from_stream(lines)))
}

/// Somebody who follows, for as long as they may.
struct Following {
    call: Call,
    listener: Receiver<qc_engine::Happening>,
    look_at: Instant,
}

impl Following {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let line = loop {
            tokio::select! {
                biased;
                () = sleep_until(self.look_at) => {
                    if !self.may_go_on().await {
                        return None;
                    }
                    self.look_at = Instant::now() + LOOK;
                }
                heard = self.listener.recv() => break match heard {
                    Ok(happening) => json!(happening),
                    Err(RecvError::Lagged(missed)) => json!({ "what": "missed", "count": missed }),
                    Err(RecvError::Closed) => return None,
                },
            }
        };
        Some((Ok(Bytes::from(format!("{line}\n"))), self))
    }

    /// Whether the token or session still holds: what was ended meanwhile does not follow on.
    async fn may_go_on(&self) -> bool {
        let Call { state, credential, asker, route, .. } = &self.call;
        let Ok(principal) = state.authenticate(credential.expose(), &asker.from).await else {
            return false;
        };
        let asker = state.asker(principal, asker.from.clone()).await;
        asker.is_ok_and(|now| now.decide(&state.access, route.action, None, None).is_ok())
    }
}
