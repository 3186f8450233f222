use http::Method;
use qc_access::Action;

use crate::{
    Problem,
    api::{
        Call, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{DeclaredTraffic, Page, TrafficAbove, TriggerTraffic},
    },
    codes,
    traffic::Standing,
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listTraffic",
    method: Method::GET,
    path: "/api/v1/limits/traffic",
    action: Action::RunsRead,
    summary: "List what comes in at the triggers whose traffic is declared, at all nodes, and where it is more than declared",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<TriggerTraffic>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let standings = permit.state.traffic_standings().await?;
    let wanted = standings.into_iter().filter(|standing| {
        let (there, own) =
            (&standing.deployment.environment, &standing.deployment.release.integration);
        environment.as_ref().is_none_or(|it| it == there)
            && integration.as_ref().is_none_or(|it| it == own)
            && cut.shows(there.as_str(), own.as_str())
    });
    let items = wanted.map(shown).collect();
    Ok(Reply::ok(&Page::whole(items, None).of(cut.units())))
}

fn shown(standing: Standing) -> TriggerTraffic {
    let Standing { deployment, trigger, declared, came, findings } = standing;
    let [minute, hour, day] = came;
    let findings = findings.into_iter().map(|(excess, finding)| TrafficAbove {
        code: codes::TRAFFIC_ABOVE.to_string(),
        above: excess.as_str().to_owned(),
        seen: finding.seen,
        declared: finding.declared,
        seconds: finding.seconds,
        first_at: finding.first_at.to_string(),
        last_at: finding.last_at.to_string(),
        owner: deployment.release.owner.clone(),
    });
    TriggerTraffic {
        environment: deployment.environment.to_string(),
        integration: deployment.release.integration.to_string(),
        trigger,
        findings: findings.collect(),
        declared: DeclaredTraffic {
            average: declared.average,
            peak: declared.peak,
            burst: declared.burst,
        },
        minute,
        hour,
        day,
    }
}
