use std::ops::Range;

use bytes::Bytes;
use qc_model::{RunId, Timestamp};
use qc_store::{
    Entry, PAGE_MAX, Priority, RunFacts, RunFilter, RunHead, RunKey, RunState, StoredEvent,
    filter_page,
};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::Clauses;
use crate::sqlite::{
    stored::{cause_of, count_of, id_blob, id_of, status_number, status_of, time_of},
    trouble::{Outcome, Trouble},
    words::{WordTexts, find},
};

/// The columns of a head. No other table has one of their names that is read beside it.
pub(super) const HEAD_COLUMNS: &str = "id, bucket, tenant, environment, integration, trigger, \
     release, event, subject, origin, replay_of, accepted_at, status, cause, wake_at, summary, \
     updated_at, version, last_txn, trace, claims, low";

/// One run.
pub(in crate::sqlite) fn run(
    db: &Connection,
    words: &WordTexts,
    id: RunId,
) -> Outcome<Option<RunHead>> {
    let mut query = db.prepare_cached(&format!("SELECT {HEAD_COLUMNS} FROM run WHERE id = ?1"))?;
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
        "SELECT {HEAD_COLUMNS} FROM run INDEXED BY run_open WHERE ended_at IS NULL AND id > ?1 AND bucket >= ?2 \
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
        "SELECT {HEAD_COLUMNS} FROM run INDEXED BY run_due WHERE wake_at <= ?1 AND bucket >= ?2 AND bucket < ?3 \
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
    let Some(clauses) = restrict(db, filter)? else { return Ok(Vec::new()) };
    // What names few runs has an index; everything else goes along the ids.
    let index = if filter.key.is_some() || filter.value.is_some() {
        // By the runs' numbers, which need no index.
        "NOT INDEXED"
    } else if filter.event.is_some() {
        "INDEXED BY run_event"
    } else if filter.trace.is_some() {
        "INDEXED BY run_trace"
    } else if filter.subject.is_some() {
        "INDEXED BY run_subject"
    } else {
        "INDEXED BY run_id"
    };
    let mut query = db.prepare_cached(&format!(
        "SELECT {HEAD_COLUMNS} FROM run {index}{} ORDER BY id DESC LIMIT {}",
        clauses.text,
        filter_page(filter.limit)
    ))?;
    let rows = query.query(params_from_iter(clauses.values))?;
    heads(db, words, rows)
}

/// The filter as clauses; None when nothing can pass it.
fn restrict(db: &Connection, filter: &RunFilter) -> Outcome<Option<Clauses>> {
    let mut clauses = Clauses::default();
    if let Some(before) = filter.before {
        clauses.and("id < ?", id_blob(before).to_vec());
    }
    if !filter.statuses.is_empty() {
        clauses.and_in("status", filter.statuses.iter().map(|status| status_number(*status)));
    }
    let named = [
        ("environment = ?", filter.environment.as_ref().map(AsRef::as_ref)),
        ("integration = ?", filter.integration.as_ref().map(AsRef::as_ref)),
        ("trigger = ?", filter.trigger.as_ref().map(AsRef::as_ref)),
        ("release = ?", filter.release.as_deref()),
    ];
    for (column, text) in named {
        let Some(text) = text else { continue };
        let Some(word) = find(db, text)? else { return Ok(None) };
        clauses.and(column, word);
    }
    for (column, text) in [("subject = ?", &filter.subject), ("trace = ?", &filter.trace)] {
        if let Some(text) = text {
            clauses.and(column, text.clone());
        }
    }
    if let Some(event) = filter.event {
        clauses.and("event = ?", id_blob(event).to_vec());
    }
    for (column, moment) in [("accepted_at >= ?", filter.since), ("accepted_at < ?", filter.until)]
    {
        if let Some(moment) = moment {
            clauses.and(column, moment.as_millis());
        }
    }
    if let Some(RunKey { name, value }) = &filter.key {
        clauses.and("no IN (SELECT run FROM run_key WHERE value = ? AND name = ?)", value.clone());
        clauses.values.push(name.clone().into());
    }
    if let Some(value) = &filter.value {
        clauses.and("no IN (SELECT run FROM run_key WHERE value = ?)", value.clone());
    }
    Ok(Some(clauses))
}

/// A run's business keys.
pub(in crate::sqlite) fn keys_of(db: &Connection, id: RunId) -> Outcome<Vec<RunKey>> {
    let mut query = db.prepare_cached(
        "SELECT run_key.name, run_key.value FROM run JOIN run_key ON run_key.run = run.no \
         WHERE run.id = ?1 ORDER BY run_key.name, run_key.value",
    )?;
    let keys = query
        .query_map([id_blob(id)], |row| Ok(RunKey { name: row.get(0)?, value: row.get(1)? }))?
        .collect::<Result<_, _>>()?;
    Ok(keys)
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

pub(super) fn page(limit: usize) -> i64 {
    i64::try_from(limit.min(PAGE_MAX)).unwrap_or(0)
}

pub(super) fn heads(
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
        trace: row.get(19)?,
        priority: Priority::of_behind(row.get(21)?),
    };
    let state = RunState {
        status: status_of(row.get(12)?)?,
        cause: cause_of(row.get(13)?)?,
        wake_at: row.get::<_, Option<i64>>(14)?.map(time_of),
        summary: row.get(15)?,
        updated_at: time_of(row.get(16)?),
    };
    let version = count_of(row.get(17)?)?;
    Ok(RunHead { facts, state, version, last_txn: id_of(&blob(row, 18)?)?, claims: row.get(20)? })
}
