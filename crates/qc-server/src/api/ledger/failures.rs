use std::collections::BTreeMap;

use http::Method;
use qc_access::Action;
use qc_document::parse_duration;
use qc_model::Timestamp;
use qc_store::{LedgerEntry, LedgerFilter, LedgerKind, PAGE_MAX};
use serde_json::Value;

use super::shows;
use crate::{
    Problem,
    api::{
        Call, Listed, Reply, Route,
        call::bad_parameter,
        route::{Answer, query, schema},
        wire::{FailureGroup, Failures},
    },
};

/// The most rows that one question looks at.
const ROWS: usize = 50_000;
/// The most groups in an answer.
const GROUPS: usize = 200;
/// The time that is looked at when none is given.
const USUAL: std::time::Duration = std::time::Duration::from_secs(3_600);

pub(in crate::api) const ROUTE: Route = Route {
    id: "askFailures",
    method: Method::GET,
    path: "/api/v1/questions/failures",
    action: Action::LedgerRead,
    summary: "What failed lately, grouped by code, subject and integration",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
        query("last", "How far to look back, such as `1h` (when left out) or `7d`"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Failures>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let last: Option<String> = call.query("last")?;
    let last = match last.as_deref().map(parse_duration) {
        None => USUAL,
        Some(Ok(last)) => last,
        Some(Err(error)) => return Err(bad_parameter("last", &error.to_string())),
    };
    let since = permit.state.clock.now() - last;
    let mut groups: BTreeMap<Group, Tally> = BTreeMap::new();
    let (mut after, mut looked, mut truncated) = (0, 0, false);
    loop {
        let filter = LedgerFilter {
            after,
            since: Some(since),
            environment: environment.clone(),
            integration: integration.clone(),
            limit: PAGE_MAX,
            ..LedgerFilter::default()
        };
        let page = permit.state.store.ledger(&filter).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        looked += page.len();
        for entry in &page {
            if shows(&cut, &entry.row) {
                count(&mut groups, entry);
            }
        }
        if looked >= ROWS {
            truncated = true;
            break;
        }
    }
    let mut groups: Vec<FailureGroup> = groups.into_iter().map(shown).collect();
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| b.last_at.cmp(&a.last_at)));
    truncated |= groups.len() > GROUPS;
    groups.truncate(GROUPS);
    let (since, of_units) = (since.to_string(), cut.units().to_vec());
    Ok(Reply::ok(&Failures { schema_version: 1, since, groups, truncated, of_units }))
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    kind: &'static str,
    code: String,
    subject: String,
    integration: Option<String>,
    environment: Option<String>,
}

struct Tally {
    count: u64,
    first_at: Timestamp,
    last_at: Timestamp,
    detail: Option<String>,
    run: Option<String>,
}

/// Every row with a code is a failure, but for tasks that are tried again: the call that failed
/// tells the same.
fn count(groups: &mut BTreeMap<Group, Tally>, entry: &LedgerEntry) {
    let row = &entry.row;
    let Some(code) = &row.code else { return };
    if row.kind == LedgerKind::Task && row.outcome == "retrying" {
        return;
    }
    let group = Group {
        kind: row.kind.as_str(),
        code: code.clone(),
        subject: row.subject.clone(),
        integration: row.integration.as_ref().map(ToString::to_string),
        environment: row.environment.as_ref().map(ToString::to_string),
    };
    let tally = groups.entry(group).or_insert_with(|| Tally {
        count: 0,
        first_at: row.at,
        last_at: row.at,
        detail: None,
        run: None,
    });
    tally.count += 1;
    tally.first_at = tally.first_at.min(row.at);
    tally.last_at = tally.last_at.max(row.at);
    let facts: Value = serde_json::from_slice(&row.facts).unwrap_or(Value::Null);
    if let Some(detail) = facts.get("detail").and_then(Value::as_str) {
        tally.detail = Some(detail.to_owned());
    }
    if let Some(run) = row.run {
        tally.run = Some(run.to_string());
    }
}

fn shown((group, tally): (Group, Tally)) -> FailureGroup {
    FailureGroup {
        kind: group.kind.to_owned(),
        page: format!("https://quickconnect.app/errors/{}", group.code),
        code: group.code,
        subject: group.subject,
        integration: group.integration,
        environment: group.environment,
        count: tally.count,
        first_at: tally.first_at.to_string(),
        last_at: tally.last_at.to_string(),
        detail: tally.detail,
        example_run: tally.run,
    }
}
