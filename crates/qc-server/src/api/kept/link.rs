use http::Method;
use qc_access::Action;

use super::scope;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{LinkRefused, LinkRequest, Linked},
    },
};

/// The most links of one request.
const LINKS_MAX: usize = 500;

pub(in crate::api) const ROUTE: Route = Route {
    id: "linkIds",
    method: Method::POST,
    path: "/api/v1/crossrefs/link",
    action: Action::RunsResolve,
    summary: "Link ids of two systems; what is linked otherwise is told and left",
    parameters: &[],
    body: Some(schema::<LinkRequest>),
    status: 200,
    answer: Answer::Json(schema::<Linked>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let LinkRequest { tenant, environment, integration, table, links, plan } = call.body()?;
    let permit = call.may(Some(&environment), Some(&integration)).await?;
    if links.len() > LINKS_MAX {
        let detail = format!("{} links; the limit is {LINKS_MAX}", links.len());
        return Err(Problem::new(422, crate::codes::BAD_BODY, "Unusable body", detail));
    }
    let scope = scope(&tenant, &environment, &integration)?;
    let engine = &permit.state.engine;
    let counts = engine.link_all(&scope, &table, &links, plan, &permit.actor).await?;
    let refused = counts.refused.into_iter().map(|(number, why)| LinkRefused { number, why });
    let (new, same) = (counts.new, counts.same);
    Ok(Reply::ok(&Linked { new, same, refused: refused.collect() }))
}
