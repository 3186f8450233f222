use http::Method;
use qc_access::{Action, Policies, policy::KeptPolicies};

use super::shown;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, query, schema},
        wire::{PolicyFile, PolicySet},
    },
    codes,
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "showPolicies",
    method: Method::GET,
    path: "/api/v1/policies",
    action: Action::PoliciesRead,
    summary: "Show the policies in force, or those of a version that was",
    parameters: &[query("version", "The version, as the audit has it in `via.policy`")],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<PolicySet>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let store = &*permit.state.store;
    let Some(version) = call.query::<String>("version")? else {
        let kept = KeptPolicies::current(store).await?.map(|(kept, _)| kept);
        return Ok(Reply::ok(&shown(&permit.state.access.policies(), kept.as_ref())));
    };
    if version == Policies::shipped().version() {
        return Ok(Reply::ok(&shown(&Policies::shipped(), None)));
    }
    let Some(kept) = KeptPolicies::of_version(store, &version).await? else {
        let detail = format!(
            "no policies of version {} were in force here",
            version.chars().take(40).collect::<String>()
        );
        return Err(Problem::new(404, codes::NO_POLICIES, "No such policies", detail));
    };
    // As they were kept: an older program may have had other policies of its own.
    let files = kept.files.iter();
    Ok(Reply::ok(&PolicySet {
        schema_version: 1,
        version: kept.version.clone(),
        files: files
            .map(|(name, text)| PolicyFile { name: name.clone(), text: text.clone() })
            .collect(),
        by: Some(kept.by.clone()),
        at: Some(kept.at.to_string()),
    }))
}
