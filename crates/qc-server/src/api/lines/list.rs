use http::Method;
use qc_access::Action;
use qc_model::{Name, TenantName};

use crate::{
    Problem,
    api::{
        Call, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{Line, Page},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listLines",
    method: Method::GET,
    path: "/api/v1/lines",
    action: Action::RunsRead,
    summary: "List the lines in which runs wait for their turn, by name",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
        query("tenant", "Only this tenant"),
        query("key", "Only the lines of this key"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<Line>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let (limit, tenant, key) =
        (call.limit()?, call.query::<TenantName>("tenant")?, call.query::<String>("key")?);
    let engine = &permit.state.engine;
    let mut lines = engine.lines(environment.as_ref(), integration.as_ref()).await?;
    lines.retain(|line| {
        tenant.as_ref().is_none_or(|wanted: &Name| *wanted == line.name.tenant)
            && key.as_ref().is_none_or(|wanted| *wanted == line.name.key)
            && cut.shows(line.name.environment.as_str(), line.name.integration.as_str())
    });
    let more = lines.len() > limit;
    let items = lines.iter().take(limit).map(Line::from).collect();
    let next = more.then(|| "there are more; ask for one integration or key".to_owned());
    Ok(Reply::ok(&Page::whole(items, next).of(cut.units())))
}
