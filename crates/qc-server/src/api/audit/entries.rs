use http::Method;
use qc_access::Action;

use super::newest;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, query, schema},
        wire::{AuditEntries, AuditEntry},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listAuditEntries",
    method: Method::GET,
    path: "/api/v1/audit/entries",
    action: Action::AuditRead,
    summary: "Read the entries of the audit's log in their order",
    parameters: &[
        query("from", "The number of the first one (0 when left out)"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<AuditEntries>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let (from, limit) = (call.query("from")?.unwrap_or(0), call.limit()?);
    let size = newest(&permit).await?.size;
    let found = qc_audit::entries(&*permit.state.store, from, limit).await?;
    let peaks = found.before.peaks().iter().map(ToString::to_string).collect();
    let items: Vec<AuditEntry> = found
        .entries
        .into_iter()
        .map(|one| AuditEntry { index: one.index, hash: one.hash.to_string(), leaf: one.leaf })
        .collect();
    let next = items.last().map(|last| last.index + 1).filter(|next| *next < size);
    Ok(Reply::ok(&AuditEntries { schema_version: 1, first: from, peaks, items, next }))
}
