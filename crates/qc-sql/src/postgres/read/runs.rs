use std::ops::Range;

use qc_model::{RunId, Timestamp};
use qc_store::{
    Entry, PAGE_MAX, Priority, RunFacts, RunFilter, RunHead, RunKey, RunState, StoredEvent,
    filter_page,
};
use tokio_postgres::Row;

use super::Clauses;
use crate::postgres::{
    connection::Connection,
    load::bucket,
    stored::{Fields, Uuid, cause_of, claims_of, number, status_of, text},
    trouble::Outcome,
};

pub(super) const HEAD: &str = "SELECT id, bucket, tenant, environment, integration, trigger, release, event, \
     subject, origin, replay_of, accepted_at, status, cause, wake_at, summary, updated_at, \
     version, last_txn, trace, claims, low FROM run";

/// One run.
pub(in crate::postgres) async fn run(db: &mut Connection, id: RunId) -> Outcome<Option<RunHead>> {
    let rows = db.query(&format!("{HEAD} WHERE id = $1"), &[&Uuid::from(id)]).await?;
    rows.first().map(head).transpose()
}

/// Runs that are not at their end.
pub(in crate::postgres) async fn open_runs(
    db: &mut Connection,
    buckets: &Range<u16>,
    after: Option<RunId>,
    limit: usize,
) -> Outcome<Vec<RunHead>> {
    let question = format!(
        "{HEAD} WHERE ended_at IS NULL AND ($1::uuid IS NULL OR id > $1) AND bucket >= $2 \
         AND bucket < $3 ORDER BY id LIMIT $4"
    );
    let (first, beyond) = (i32::from(buckets.start), i32::from(buckets.end));
    let after = after.map(Uuid::from);
    heads(&db.query(&question, &[&after, &first, &beyond, &page(limit)]).await?)
}

/// Runs whose timer is due.
pub(in crate::postgres) async fn due_runs(
    db: &mut Connection,
    buckets: &Range<u16>,
    until: Timestamp,
    limit: usize,
) -> Outcome<Vec<RunHead>> {
    let question = format!(
        "{HEAD} WHERE wake_at <= $1 AND bucket >= $2 AND bucket < $3 ORDER BY wake_at, id LIMIT $4"
    );
    let (first, beyond) = (i32::from(buckets.start), i32::from(buckets.end));
    heads(&db.query(&question, &[&until.as_millis(), &first, &beyond, &page(limit)]).await?)
}

/// Lists runs.
pub(in crate::postgres) async fn runs(
    db: &mut Connection,
    filter: &RunFilter,
) -> Outcome<Vec<RunHead>> {
    let mut clauses = Clauses::default();
    if let Some(before) = filter.before {
        clauses.and("id < ?", Uuid::from(before));
    }
    if !filter.statuses.is_empty() {
        let statuses: Vec<&'static str> = filter.statuses.iter().map(|s| s.as_str()).collect();
        clauses.and("status = ANY(?)", statuses);
    }
    if let Some(environment) = &filter.environment {
        clauses.and("environment = ?", environment.as_str().to_owned());
    }
    if let Some(integration) = &filter.integration {
        clauses.and("integration = ?", integration.as_str().to_owned());
    }
    if let Some(subject) = &filter.subject {
        let subject = text(subject).into_owned();
        // Once for the index, once for all of it.
        clauses.and("left(subject, 200) = left(?::text, 200)", subject.clone());
        clauses.and("subject = ?", subject);
    }
    if let Some(since) = filter.since {
        clauses.and("accepted_at >= ?", since.as_millis());
    }
    if let Some(until) = filter.until {
        clauses.and("accepted_at < ?", until.as_millis());
    }
    if let Some(trigger) = &filter.trigger {
        clauses.and("trigger = ?", trigger.as_str().to_owned());
    }
    if let Some(release) = &filter.release {
        clauses.and("release = ?", text(release).into_owned());
    }
    find(filter, &mut clauses);
    let page = filter_page(filter.limit);
    let question = format!("{HEAD}{} ORDER BY id DESC LIMIT {page}", clauses.text);
    heads(&db.query(&question, &clauses.values()).await?)
}

/// What names few runs.
fn find(filter: &RunFilter, clauses: &mut Clauses) {
    if let Some(event) = filter.event {
        clauses.and("event = ?", Uuid::from(event));
    }
    if let Some(trace) = &filter.trace {
        clauses.and("trace = ?", text(trace).into_owned());
    }
    if let Some(RunKey { name, value }) = &filter.key {
        let name = clauses.value(text(name).into_owned());
        let of = format!("id IN (SELECT run FROM run_key WHERE value = ? AND name = {name})");
        clauses.and(&of, text(value).into_owned());
    }
    if let Some(value) = &filter.value {
        let of = "id IN (SELECT run FROM run_key WHERE value = ?)";
        clauses.and(of, text(value).into_owned());
    }
}

/// A run's business keys.
pub(in crate::postgres) async fn keys_of(db: &mut Connection, id: RunId) -> Outcome<Vec<RunKey>> {
    let question = "SELECT name, value FROM run_key WHERE run = $1 ORDER BY name, value";
    let rows = db.query(question, &[&Uuid::from(id)]).await?;
    rows.iter()
        .map(|row| {
            let row = Fields(row);
            Ok(RunKey { name: row.text(0)?, value: row.text(1)? })
        })
        .collect()
}

/// A run's event.
pub(in crate::postgres) async fn event(
    db: &mut Connection,
    id: RunId,
) -> Outcome<Option<StoredEvent>> {
    let question = "SELECT r.event, e.received_at, e.body FROM run r \
         JOIN event e ON e.run = r.id WHERE r.id = $1";
    let rows = db.query(question, &[&Uuid::from(id)]).await?;
    rows.first()
        .map(|row| {
            let row = Fields(row);
            Ok(StoredEvent { id: row.id(0)?, received_at: row.time(1)?, body: row.bytes(2)? })
        })
        .transpose()
}

/// A run's journal.
pub(in crate::postgres) async fn journal(db: &mut Connection, id: RunId) -> Outcome<Vec<Entry>> {
    let question = "SELECT at, body FROM journal WHERE run = $1 ORDER BY version, no";
    let rows = db.query(question, &[&Uuid::from(id)]).await?;
    rows.iter()
        .map(|row| {
            let row = Fields(row);
            Ok(Entry { at: row.time(0)?, body: row.bytes(1)? })
        })
        .collect()
}

/// The run to which a key belongs.
pub(in crate::postgres) async fn key_owner(
    db: &mut Connection,
    scope: &str,
    key: &str,
) -> Outcome<Option<RunId>> {
    let question = "SELECT run FROM idempotency WHERE scope = $1 AND key = $2";
    let rows = db.query(question, &[&text(scope), &text(key)]).await?;
    rows.first().map(|row| Fields(row).id(0)).transpose()
}

pub(super) fn page(limit: usize) -> i64 {
    number(limit.min(PAGE_MAX))
}

pub(super) fn heads(rows: &[Row]) -> Outcome<Vec<RunHead>> {
    rows.iter().map(head).collect()
}

fn head(row: &Row) -> Outcome<RunHead> {
    let row = Fields(row);
    let id = row.id(0)?;
    let facts = RunFacts {
        id,
        bucket: bucket(row.get(1)?)?,
        tenant: row.name(2)?,
        environment: row.name(3)?,
        integration: row.name(4)?,
        trigger: row.name(5)?,
        release: row.text(6)?,
        event: row.id(7)?,
        subject: row.optional_text(8)?,
        origin: row.optional_id(9)?.unwrap_or(id),
        replay_of: row.optional_id(10)?,
        accepted_at: row.time(11)?,
        trace: row.optional_text(19)?,
        priority: Priority::of_behind(row.get(21)?),
    };
    let state = RunState {
        status: status_of(row.get(12)?)?,
        cause: cause_of(row.get(13)?)?,
        wake_at: row.get::<Option<i64>>(14)?.map(Timestamp::from_millis),
        summary: row.optional_text(15)?,
        updated_at: row.time(16)?,
    };
    let (version, last_txn) = (row.count(17)?, row.id(18)?);
    Ok(RunHead { facts, state, version, last_txn, claims: claims_of(row.get(20)?)? })
}
