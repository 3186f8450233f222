use http::Method;
use qc_access::{Action, Approval, Approved};

use super::{keep, shown};
use crate::{
    Problem,
    api::{
        Call, Permit, Reply, Route, grants, releases,
        route::{Answer, schema},
        unusable,
        wire::{self, GiveApproval},
    },
    codes,
};

/// The longest name of a version, in bytes.
const TEXT: usize = 100;

pub(in crate::api) const ROUTE: Route = Route {
    id: "giveApproval",
    method: Method::POST,
    path: "/api/v1/approvals",
    action: Action::ApprovalsGive,
    summary: "Approve a change exactly as it is, as one of those whom the rules in force name",
    parameters: &[],
    body: Some(schema::<GiveApproval>),
    status: 201,
    answer: Answer::Json(schema::<wire::Approval>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let asked: GiveApproval = call.body()?;
    let permit = call.may(asked.environment.as_deref(), asked.integration.as_deref()).await?;
    let person = grants::person(&call)?;
    let approved = approved(&permit, asked).await?;
    if !permit.state.access.policies().approvals().lets(&person, &approved) {
        let detail = format!(
            "no rule in force has {person} approve this: `approvals.yaml` of the policies names who does"
        );
        return Err(Problem::new(403, codes::APPROVAL, "Not yours to approve", detail));
    }
    let state = permit.state;
    let approval = Approval::give(approved, person, state.clock.now(), &*state.entropy);
    keep(&permit, &approval, None).await?;
    Ok(Reply::created(&shown(&approval)))
}

/// What is approved, found out as far as it is there already.
async fn approved(permit: &Permit<'_>, asked: GiveApproval) -> Result<Approved, Problem> {
    let action = Action::parse(&asked.action).filter(|action| action.takes_approvals());
    let action = action.ok_or_else(|| {
        unusable("action", &"it is `deployments:write`, `deployments:override`, `policies:write` or `captures:approve`")
    })?;
    if asked.what.is_empty() || asked.what.len() > TEXT {
        return Err(unusable("what", &format!("it has 1 to {TEXT} bytes")));
    }
    let environment = asked.environment.map(|name| name.parse());
    let environment = environment.transpose().map_err(|error| unusable("environment", &error))?;
    let integration = asked.integration.map(|name| name.parse());
    let integration = integration.transpose().map_err(|error| unusable("integration", &error))?;
    let deploys = matches!(action, Action::DeploymentsWrite | Action::DeploymentsOverride);
    if (action != Action::PoliciesWrite) != (environment.is_some() && integration.is_some()) {
        let why = "a deployment and a capture have an environment and an integration, policies have neither";
        return Err(unusable("environment", &why));
    }
    // A version that ends is `TRIGGER/VERSION`; no release has a slash.
    let is_release =
        deploys && !(action == Action::DeploymentsOverride && asked.what.contains('/'));
    let what =
        if is_release { releases::find(permit.state, &asked.what).await?.hash } else { asked.what };
    Ok(Approved { action, environment, integration, what })
}
