use http::Method;
use qc_access::Action;
use qc_capture::Entry;

use super::named;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, path, query, schema},
        wire::{CaptureEntry, Page},
    },
};

/// It is no `GET`, so that the audit tells of each time that somebody looked.
pub(in crate::api) const ROUTE: Route = Route {
    id: "readCapture",
    method: Method::POST,
    path: "/api/v1/captures/{capture}/read",
    action: Action::CapturesInspect,
    summary: "Show what a debug capture recorded, credentials masked; the audit tells that somebody looked",
    parameters: &[
        path("capture", "The capture's id"),
        query("after", "The next page: the `next` of the one before"),
        query("limit", "How many, 1 to 500"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<CaptureEntry>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (capture, permit) = named(&call).await?;
    let (after, limit) = (call.query::<String>("after")?, call.limit()?);
    let read = permit.state.captures.read(&capture.id, after.as_deref(), limit + 1).await?;
    let entries = read.into_iter().map(shown).collect();
    Ok(Reply::ok(&Page::new(entries, limit, |entry: &CaptureEntry| entry.name.clone())))
}

fn shown(entry: Entry) -> CaptureEntry {
    CaptureEntry {
        name: entry.name,
        at: entry.at.to_string(),
        run: entry.run.to_string(),
        recorded: serde_json::to_value(&entry.recorded).expect("it was JSON before"),
    }
}
