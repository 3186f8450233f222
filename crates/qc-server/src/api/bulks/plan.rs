use http::Method;
use qc_access::Action;
use qc_engine::{BulkFilter, BulkRequest, Deed};
use qc_model::{EventId, Name, Timestamp};
use qc_store::RunStatus;

use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{Bulk, PlanBulk, WhichRelease},
    },
    codes,
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "planBulk",
    method: Method::POST,
    path: "/api/v1/bulks",
    action: Action::RunsBulk,
    summary: "Plan work on many runs: find them, count them and write them down; nothing is done to them yet",
    parameters: &[],
    body: Some(schema::<PlanBulk>),
    status: 201,
    answer: Answer::Json(schema::<Bulk>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let request: PlanBulk = call.body()?;
    let deed = Deed::parse(&request.deed).ok_or_else(|| {
        unusable("/deed", "it is `replay`, `retry`, `discard` or `cancel`".to_owned())
    })?;
    let mut filter = filter(&call, &request)?;
    if let Some(group) = &request.group {
        let letters = call.state.engine.failure_group(group).await?.letters;
        let contradicts = filter.environment.as_ref().is_some_and(|it| *it != letters.environment)
            || filter.integration.as_ref().is_some_and(|it| *it != letters.integration)
            || filter.fingerprint.as_ref().is_some_and(|it| *it != letters.fingerprint);
        if contradicts {
            let why = "the group is of another environment, integration or fingerprint";
            return Err(unusable("/group", why.to_owned()));
        }
        filter.tenant = Some(letters.tenant);
        filter.environment = Some(letters.environment);
        filter.integration = Some(letters.integration);
        filter.fingerprint = Some(letters.fingerprint);
    }
    let permit = super::permitted(&call, &filter).await?;
    super::permitted_deed(&call, deed, &filter)?;
    let PlanBulk { reason, out_of_order, compensate, retry_release, .. } = request;
    let newest = retry_release == WhichRelease::Newest;
    let request = BulkRequest { deed, filter, reason, out_of_order, compensate, newest };
    let bulk = permit.state.engine.plan_bulk(request, &permit.actor).await?;
    Ok(Reply::created(&Bulk::from(&bulk)))
}

fn filter(call: &Call, request: &PlanBulk) -> Result<BulkFilter, Problem> {
    let environment = name("/environment", request.environment.as_deref())?;
    let environment = environment.or_else(|| call.principal().environment.clone());
    let statuses = request.statuses.iter().map(|word| {
        RunStatus::parse(word)
            .ok_or_else(|| unusable("/statuses", format!("`{word}` is no run's status")))
    });
    let key = request.key.as_deref().map(|key| {
        let parts =
            key.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
        let parts = parts.map(|(name, value)| (name.to_owned(), value.to_owned()));
        parts.ok_or_else(|| unusable("/key", "it is `name=value`".to_owned()))
    });
    Ok(BulkFilter {
        environment,
        integration: name("/integration", request.integration.as_deref())?,
        tenant: name("/tenant", request.tenant.as_deref())?,
        statuses: statuses.collect::<Result<_, _>>()?,
        since: time("/since", request.since.as_deref())?,
        until: time("/until", request.until.as_deref())?,
        trigger: name("/trigger", request.trigger.as_deref())?,
        release: request.release.clone(),
        subject: request.subject.clone(),
        key: key.transpose()?,
        value: request.value.clone(),
        event: parsed::<EventId>("/event", request.event.as_deref())?,
        trace: request.trace.clone(),
        fingerprint: request.fingerprint.clone(),
        code: request.code.clone(),
    })
}

fn name(pointer: &str, text: Option<&str>) -> Result<Option<Name>, Problem> {
    parsed(pointer, text)
}

fn time(pointer: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    parsed(pointer, text)
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    pointer: &str,
    text: Option<&str>,
) -> Result<Option<T>, Problem> {
    text.map(str::parse).transpose().map_err(|error: T::Err| unusable(pointer, error.to_string()))
}

fn unusable(pointer: &str, why: String) -> Problem {
    let detail = format!("`{}`: {why}", pointer.trim_start_matches('/'));
    Problem::new(422, codes::BAD_BODY, "Unusable body", detail).pointing(pointer, why)
}
