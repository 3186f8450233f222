use std::sync::Arc;

use http::Method;
use qc_access::{Action, Approved, Policies, policy::KeptPolicies};
use qc_store::ChangeOutcome;

use super::shown;
use crate::{
    Problem,
    api::{
        Call, Reply, Route, approvals,
        route::{Answer, schema},
        wire::{ApplyPolicies, PolicySet},
    },
    codes,
};

/// So many cells that differ are told.
const CELLS: usize = 20;

pub(in crate::api) const ROUTE: Route = Route {
    id: "applyPolicies",
    method: Method::POST,
    path: "/api/v1/policies",
    action: Action::PoliciesWrite,
    summary: "Put policies in force, whose matrix was reviewed: at once on this node, within a second elsewhere",
    parameters: &[],
    body: Some(schema::<ApplyPolicies>),
    status: 200,
    answer: Answer::Json(schema::<PolicySet>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let ApplyPolicies { files, matrix } = call.body()?;
    let files: Vec<(String, String)> =
        files.into_iter().map(|file| (file.name, file.text)).collect();
    // Compiling and asking for every cell takes a while.
    let checked = tokio::task::spawn_blocking(move || checked(&files, &matrix));
    let policies = checked.await.map_err(|_| Problem::internal(""))??;
    let change = Approved {
        action: Action::PoliciesWrite,
        environment: None,
        integration: None,
        what: policies.version().to_owned(),
    };
    // By the rules that are in force now: no change of them approves itself.
    approvals::demand(&permit, &change, &[&permit.actor]).await?;
    let state = permit.state;
    let before = KeptPolicies::current(&*state.store).await?.map(|(_, revision)| revision);
    let now = state.clock.now();
    let change = KeptPolicies::change(&policies, before, &permit.actor, now, &*state.entropy);
    match state.committer.change(change).await? {
        ChangeOutcome::Changed => {}
        ChangeOutcome::Conflict { .. } => {
            let detail = "somebody else put policies in force at the same time; look at them first";
            return Err(Problem::new(409, codes::CHANGED_MEANWHILE, "Changed meanwhile", detail));
        }
    }
    let kept = KeptPolicies::current(&*state.store).await?.map(|(kept, _)| kept);
    state.access.enforce(Arc::clone(&policies));
    Ok(Reply::ok(&shown(&policies, kept.as_ref())))
}

fn checked(files: &[(String, String)], matrix: &str) -> Result<Arc<Policies>, Problem> {
    let policies = Policies::with(files).map_err(|errors| {
        let detail = "the policies cannot be used; those before stay in force";
        errors.iter().fold(
            Problem::new(422, codes::POLICY, "Unusable policies", detail),
            |problem, error| problem.pointing("/files", error.to_string()),
        )
    })?;
    let changes = policies.matrix().differs_from(matrix).map_err(|(line, reason)| {
        let detail = format!("the matrix, line {line}: {reason}");
        Problem::new(422, codes::NOT_REVIEWED, "Unusable matrix", detail)
    })?;
    if changes.is_empty() {
        return Ok(Arc::new(policies));
    }
    let detail = format!(
        "{} cells of the matrix are not as reviewed: write it anew with `qc access matrix`, and have it reviewed",
        changes.len()
    );
    Err(changes
        .iter()
        .take(CELLS)
        .fold(Problem::new(409, codes::NOT_REVIEWED, "Not reviewed", detail), |problem, change| {
            problem.pointing("/matrix", change.to_string())
        }))
}
