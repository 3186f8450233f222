use http::Method;
use qc_access::Action;
use qc_audit::{Checkpoint, proof::consistency};
use qc_store::StoreError;

use super::newest;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        call::bad_parameter,
        route::{Answer, query, schema},
        wire::AuditConsistency,
    },
};

/// The most entries whose hashes are read for one proof: about 75 megabytes of them.
const ENTRIES_MAX: u64 = 1_000_000;

pub(in crate::api) const ROUTE: Route = Route {
    id: "auditConsistency",
    method: Method::GET,
    path: "/api/v1/audit/consistency",
    action: Action::AuditRead,
    summary: "Show that the audit's log only grew since it had so many entries",
    parameters: &[query("from", "How many entries it had")],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<AuditConsistency>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let from: usize = call.query("from")?.unwrap_or(0);
    // The checkpoint first: the log may grow meanwhile, and has these hashes at its beginning then, too.
    let newest = newest(&permit).await?;
    let signed = Checkpoint::unverified(&newest.checkpoint)
        .map_err(|error| StoreError::Corrupt(format!("the audit's checkpoint: {error}")))?;
    let hashes = qc_audit::hashes(&*permit.state.store, ENTRIES_MAX).await?;
    let too_many =
        format!("the log has more than {ENTRIES_MAX} entries; take exports and compare them");
    let mut hashes = hashes.ok_or_else(|| bad_parameter("from", &too_many))?;
    hashes.truncate(usize::try_from(signed.size).unwrap_or(usize::MAX));
    let proof = consistency(&hashes, from)
        .ok_or_else(|| bad_parameter("from", &format!("the log has {} entries", signed.size)))?;
    Ok(Reply::ok(&AuditConsistency {
        schema_version: 1,
        from: from as u64,
        hashes: proof.iter().map(ToString::to_string).collect(),
        checkpoint: newest.checkpoint,
        key: newest.key,
    }))
}
