use qc_store::{DeadFilter, DeadGroup, DeadLetter, filter_page};

use super::Clauses;
use crate::postgres::{
    connection::Connection,
    stored::{Fields, Uuid, dead_of, text},
    trouble::Outcome,
};

/// Lists dead letters.
pub(in crate::postgres) async fn dead_letters(
    db: &mut Connection,
    filter: &DeadFilter,
) -> Outcome<Vec<DeadLetter>> {
    let clauses = restrict(filter);
    let question = format!(
        "SELECT run, tenant, environment, integration, at, state, fingerprint, code, summary \
         FROM dead{} ORDER BY run DESC LIMIT {}",
        clauses.text,
        filter_page(filter.limit)
    );
    let rows = db.query(&question, &clauses.values()).await?;
    rows.iter()
        .map(|row| {
            let row = Fields(row);
            Ok(DeadLetter {
                run: row.id(0)?,
                tenant: row.name(1)?,
                environment: row.name(2)?,
                integration: row.name(3)?,
                at: row.time(4)?,
                state: dead_of(row.get(5)?)?,
                fingerprint: row.text(6)?,
                code: row.text(7)?,
                summary: row.text(8)?,
            })
        })
        .collect()
}

fn restrict(filter: &DeadFilter) -> Clauses {
    let mut clauses = Clauses::default();
    if let Some(before) = filter.before {
        clauses.and("run < ?", Uuid::from(before));
    }
    if let Some(state) = filter.state {
        clauses.and("state = ?", state.as_str());
    }
    if let Some(environment) = &filter.environment {
        clauses.and("environment = ?", environment.as_str().to_owned());
    }
    if let Some(integration) = &filter.integration {
        clauses.and("integration = ?", integration.as_str().to_owned());
    }
    if let Some(fingerprint) = &filter.fingerprint {
        clauses.and("fingerprint = ?", text(fingerprint).into_owned());
    }
    if let Some(code) = &filter.code {
        clauses.and("code = ?", text(code).into_owned());
    }
    if let Some(since) = filter.since {
        clauses.and("at >= ?", since.as_millis());
    }
    if let Some(until) = filter.until {
        clauses.and("at < ?", until.as_millis());
    }
    clauses
}

/// Groups dead letters. A failure that struck many runs is told by the newest of them. (There is no
/// greatest UUID before PostgreSQL 18; their texts are in the same order.)
pub(in crate::postgres) async fn dead_groups(
    db: &mut Connection,
    filter: &DeadFilter,
) -> Outcome<Vec<DeadGroup>> {
    let clauses = restrict(filter);
    let question = format!(
        "SELECT part.tenant, part.environment, part.fingerprint, dead.code, dead.summary, \
         dead.integration, part.open, part.total, part.first_at, part.last_at \
         FROM (SELECT tenant, environment, fingerprint, \
         count(*) FILTER (WHERE state = 'open') AS open, count(*) AS total, \
         min(at) AS first_at, max(at) AS last_at, \
         max(run::text COLLATE \"C\")::uuid AS newest \
         FROM dead{} GROUP BY tenant, environment, fingerprint \
         ORDER BY last_at DESC, newest DESC LIMIT {}) AS part \
         JOIN dead ON dead.run = part.newest ORDER BY part.last_at DESC, part.newest DESC",
        clauses.text,
        filter_page(filter.limit)
    );
    let rows = db.query(&question, &clauses.values()).await?;
    rows.iter()
        .map(|row| {
            let row = Fields(row);
            Ok(DeadGroup {
                tenant: row.name(0)?,
                environment: row.name(1)?,
                fingerprint: row.text(2)?,
                code: row.text(3)?,
                summary: row.text(4)?,
                integration: row.name(5)?,
                open: row.count(6)?,
                total: row.count(7)?,
                first_at: row.time(8)?,
                last_at: row.time(9)?,
            })
        })
        .collect()
}
