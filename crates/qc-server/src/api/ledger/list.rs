use http::Method;
use qc_access::Action;
use qc_model::{RunId, Timestamp};
use qc_store::{LedgerEntry, LedgerFilter, LedgerKind};
use serde_json::Value;

use super::shows;
use crate::{
    Problem,
    api::{
        Call, LOOKS, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{LedgerLine, Page},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listLedger",
    method: Method::GET,
    path: "/api/v1/ledger",
    action: Action::LedgerRead,
    summary: "Read what happened in the platform, oldest first",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
        query("kind", "Only these kinds, separated by commas"),
        query("run", "Only this run"),
        query("outcome", "Only this outcome"),
        query("since", "Only rows at or after this RFC 3339 time"),
        query("until", "Only rows before this RFC 3339 time"),
        query("after", "Only rows after this place: `next` of the page before"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<LedgerLine>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let limit = call.limit()?;
    let mut filter = LedgerFilter {
        after: call.query("after")?.unwrap_or(0),
        since: call.query::<Timestamp>("since")?,
        until: call.query::<Timestamp>("until")?,
        kinds: call.words("kind", &LedgerKind::ALL, LedgerKind::as_str)?,
        environment,
        integration,
        run: call.query::<RunId>("run")?,
        outcome: call.query("outcome")?,
        limit: limit + 1,
    };
    let (mut lines, mut last) = (Vec::new(), None);
    for _ in 0..LOOKS {
        let entries = permit.state.store.ledger(&filter).await?;
        let more = entries.len() == filter.limit;
        last = entries.last().filter(|_| more).map(|entry| entry.seq);
        let shown = entries.iter().filter(|entry| shows(&cut, &entry.row));
        lines.extend(shown.map(line));
        let Some(seq) = last.filter(|_| lines.len() <= limit) else { break };
        filter.after = seq;
    }
    let page = Page::new(lines, limit, |line: &LedgerLine| line.seq.to_string());
    Ok(Reply::ok(&page.or_behind(last).of(cut.units())))
}

fn line(entry: &LedgerEntry) -> LedgerLine {
    let row = &entry.row;
    LedgerLine {
        seq: entry.seq,
        at: row.at.to_string(),
        kind: row.kind.as_str().to_owned(),
        tenant: row.tenant.to_string(),
        environment: row.environment.as_ref().map(ToString::to_string),
        integration: row.integration.as_ref().map(ToString::to_string),
        run: row.run.map(|run| run.to_string()),
        actor: row.actor.clone(),
        subject: row.subject.clone(),
        outcome: row.outcome.clone(),
        code: row.code.clone(),
        facts: serde_json::from_slice(&row.facts).unwrap_or(Value::Null),
    }
}
