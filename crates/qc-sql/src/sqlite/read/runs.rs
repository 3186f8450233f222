use std::ops::Range;

use bytes::Bytes;
use qc_model::{RunId, Timestamp};
use qc_store::{Entry, PAGE_MAX, RunFacts, RunFilter, RunHead, RunState, StoredEvent, filter_page};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::Clauses;
use crate::sqlite::{
    stored::{cause_of, count_of, id_blob, id_of, status_number, status_of, time_of},
    trouble::{Outcome, Trouble},
    words::{WordTexts, find},
};

const HEAD: &str = "SELECT id, bucket, tenant, environment, integration, trigger, release, event, \
     subject, origin, replay_of, accepted_at, status, cause, wake_at, summary, updated_at, \
     version, last_txn FROM run";

/// One run.
pub(in crate::sqlite) fn run(
    db: &Connection,
    words: &WordTexts,
    id: RunId,
) -> Outcome<Option<RunHead>> {
    let mut query = db.prepare_cached(&format!("{HEAD} WHERE id = ?1"))?;
    let mut rows = query.query([id_blob(id)])?;
    rows.next()?.map(|row| head(db, words, row)).transpose()
}

/// Runs that are not at their end.
pub(in crate::sqlite) fn open_runs(
    db: &Connection,
    words: &WordTexts,
    buckets: &Range<u16>,
    after: Option<RunId>,
    limit: usize,
) -> Outcome<Vec<RunHead>> {
    // `id >= ''` is true of every id; `>` leaves out the last of the page before.
    let after = after.map(|id| id_blob(id).to_vec()).unwrap_or_default();
    let mut query = db.prepare_cached(&format!(
        "{HEAD} INDEXED BY run_open WHERE ended_at IS NULL AND id > ?1 AND bucket >= ?2 \
         AND bucket < ?3 ORDER BY id LIMIT ?4"
    ))?;
    let rows = query.query(params![after, buckets.start, buckets.end, page(limit)])?;
    heads(db, words, rows)
}

/// Runs whose timer is due.
pub(in crate::sqlite) fn due_runs(
    db: &Connection,
    words: &WordTexts,
    buckets: &Range<u16>,
    until: Timestamp,
    limit: usize,
) -> Outcome<Vec<RunHead>> {
    let mut query = db.prepare_cached(&format!(
        "{HEAD} INDEXED BY run_due WHERE wake_at <= ?1 AND bucket >= ?2 AND bucket < ?3 \
         ORDER BY wake_at, id LIMIT ?4"
    ))?;
    let until = until.as_millis();
    let rows = query.query(params![until, buckets.start, buckets.end, page(limit)])?;
    heads(db, words, rows)
}

/// Lists runs.
pub(in crate::sqlite) fn runs(
    db: &Connection,
    words: &WordTexts,
    filter: &RunFilter,
) -> Outcome<Vec<RunHead>> {
    let mut clauses = Clauses::default();
    if let Some(before) = filter.before {
        clauses.and("id < ?", id_blob(before).to_vec());
    }
    if !filter.statuses.is_empty() {
        clauses.and_in("status", filter.statuses.iter().map(|status| status_number(*status)));
    }
    for (column, name) in
        [("environment = ?", &filter.environment), ("integration = ?", &filter.integration)]
    {
        let Some(name) = name else { continue };
        let Some(word) = find(db, name.as_str())? else { return Ok(Vec::new()) };
        clauses.and(column, word);
    }
    if let Some(subject) = &filter.subject {
        clauses.and("subject = ?", subject.clone());
    }
    if let Some(since) = filter.since {
        clauses.and("accepted_at >= ?", since.as_millis());
    }
    // A subject has few runs and an index; everything else goes along the ids.
    let index = if filter.subject.is_some() { "run_subject" } else { "run_id" };
    let mut query = db.prepare_cached(&format!(
        "{HEAD} INDEXED BY {index}{} ORDER BY id DESC LIMIT {}",
        clauses.text,
        filter_page(filter.limit)
    ))?;
    let rows = query.query(params_from_iter(clauses.values))?;
    heads(db, words, rows)
}

/// A run's event.
pub(in crate::sqlite) fn event(db: &Connection, id: RunId) -> Outcome<Option<StoredEvent>> {
    let mut query = db.prepare_cached(
        "SELECT run.event, event.received_at, event.body FROM run \
         JOIN event ON event.run = run.no WHERE run.id = ?1",
    )?;
    let mut rows = query.query([id_blob(id)])?;
    rows.next()?
        .map(|row| {
            Ok(StoredEvent {
                id: id_of(&blob(row, 0)?)?,
                received_at: time_of(row.get(1)?),
                body: blob(row, 2)?,
            })
        })
        .transpose()
}

/// A run's journal.
pub(in crate::sqlite) fn journal(db: &Connection, id: RunId) -> Outcome<Vec<Entry>> {
    let mut query = db.prepare_cached(
        "SELECT journal.at, journal.body FROM run JOIN journal ON journal.run = run.no \
         WHERE run.id = ?1 ORDER BY journal.seq",
    )?;
    let mut rows = query.query([id_blob(id)])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(Entry { at: time_of(row.get(0)?), body: blob(row, 1)? });
    }
    Ok(entries)
}

/// The run to which a key belongs.
pub(in crate::sqlite) fn key_owner(
    db: &Connection,
    scope: &str,
    key: &str,
) -> Outcome<Option<RunId>> {
    let Some(scope) = find(db, scope)? else { return Ok(None) };
    let mut query =
        db.prepare_cached("SELECT run FROM idempotency WHERE scope = ?1 AND key = ?2")?;
    let run: Option<Vec<u8>> = query.query_row(params![scope, key], |row| row.get(0)).optional()?;
    run.map(|run| id_of(&run)).transpose()
}

/// The bytes of a column.
pub(super) fn blob(row: &Row<'_>, column: usize) -> Outcome<Bytes> {
    let bytes =
        row.get_ref(column)?.as_blob().map_err(|error| Trouble::Damaged(error.to_string()))?;
    Ok(Bytes::copy_from_slice(bytes))
}

fn page(limit: usize) -> i64 {
    i64::try_from(limit.min(PAGE_MAX)).unwrap_or(0)
}

fn heads(
    db: &Connection,
    words: &WordTexts,
    mut rows: rusqlite::Rows<'_>,
) -> Outcome<Vec<RunHead>> {
    let mut heads = Vec::new();
    while let Some(row) = rows.next()? {
        heads.push(head(db, words, row)?);
    }
    Ok(heads)
}

fn head(db: &Connection, words: &WordTexts, row: &Row<'_>) -> Outcome<RunHead> {
    let id = id_of(&blob(row, 0)?)?;
    let optional_id = |column| -> Outcome<Option<RunId>> {
        let bytes: Option<Vec<u8>> = row.get(column)?;
        bytes.map(|bytes| id_of(&bytes)).transpose()
    };
    let facts = RunFacts {
        id,
        bucket: row.get(1)?,
        tenant: words.name(db, row.get(2)?)?,
        environment: words.name(db, row.get(3)?)?,
        integration: words.name(db, row.get(4)?)?,
        trigger: words.name(db, row.get(5)?)?,
        release: words.text(db, row.get(6)?)?.to_string(),
        event: id_of(&blob(row, 7)?)?,
        subject: row.get(8)?,
        origin: optional_id(9)?.unwrap_or(id),
        replay_of: optional_id(10)?,
        accepted_at: time_of(row.get(11)?),
    };
    let state = RunState {
        status: status_of(row.get(12)?)?,
        cause: cause_of(row.get(13)?)?,
        wake_at: row.get::<_, Option<i64>>(14)?.map(time_of),
        summary: row.get(15)?,
        updated_at: time_of(row.get(16)?),
    };
    let version = count_of(row.get(17)?)?;
    Ok(RunHead { facts, state, version, last_txn: id_of(&blob(row, 18)?)? })
}
