use qc_model::Timestamp;
use qc_store::{Accept, AcceptOutcome, IdempotencyKey};
use rusqlite::{OptionalExtension, named_params, params};

use super::{
    Desk,
    belongings::{join_line, put_keys},
    dead::put_letter,
    documents::{Conflict, change_documents},
    listening::put_wait,
    note, put_signal,
    tally::Place,
};
use crate::sqlite::{
    stored::{cause_number, id_blob, id_of, status_number},
    trouble::Outcome,
};

const FIND_KEY: &str =
    "SELECT body_hash, run, expires_at FROM idempotency WHERE scope = ?1 AND key = ?2";
const PUT_KEY: &str = "INSERT OR REPLACE INTO idempotency (scope, key, body_hash, run, expires_at) \
     VALUES (?1, ?2, ?3, ?4, ?5)";
const FIND_RUN: &str = "SELECT no FROM run WHERE id = ?1";
const FIND_EVENT: &str = "SELECT event.body, event.received_at, run.event FROM event \
     JOIN run ON run.no = event.run WHERE event.run = ?1";
const PUT_RUN: &str = "INSERT INTO run (id, bucket, tenant, environment, integration, trigger, \
     release, event, subject, origin, replay_of, accepted_at, status, cause, wake_at, summary, \
     updated_at, ended_at, version, last_txn, trace, low) VALUES (:id, :bucket, :tenant, :environment, \
     :integration, :trigger, :release, :event, :subject, :origin, :replay_of, :accepted_at, \
     :status, :cause, :wake_at, :summary, :updated_at, :ended_at, 1, :last_txn, :trace, :low)";
const PUT_EVENT: &str = "INSERT INTO event (run, received_at, body) VALUES (?1, ?2, ?3)";
pub(super) const PUT_ENTRY: &str = "INSERT INTO journal (run, at, body) VALUES (?1, ?2, ?3)";

/// Accepts an event, unless its key or its run is known.
pub(in crate::sqlite) fn accept(desk: &mut Desk<'_>, accept: &Accept) -> Outcome<AcceptOutcome> {
    let scope = match &accept.key {
        Some(key) => {
            let scope = desk.words.number(desk.db, &key.scope)?;
            if let Some(known) = known_key(desk, scope, key, accept)? {
                return Ok(known);
            }
            Some(scope)
        }
        None => None,
    };
    if let Some(known) = known_run(desk, accept)? {
        return Ok(known);
    }
    let documents: Vec<_> = accept.documents.iter().collect();
    if let Some(conflict) = change_documents(desk, &documents)? {
        let Conflict { kind, name, revision } = conflict;
        return Ok(AcceptOutcome::Conflict { kind, name, revision });
    }
    if let (Some(scope), Some(key)) = (scope, &accept.key) {
        desk.db.prepare_cached(PUT_KEY)?.execute(params![
            scope,
            key.key,
            key.body_hash,
            id_blob(accept.run.id),
            key.expires_at.as_millis()
        ])?;
    }
    let run = put_run(desk, accept)?;
    let received_at = accept.event.received_at.as_millis();
    desk.db.prepare_cached(PUT_EVENT)?.execute(params![
        run,
        received_at,
        &accept.event.body[..]
    ])?;
    let mut put_entry = desk.db.prepare_cached(PUT_ENTRY)?;
    for entry in &accept.journal {
        put_entry.execute(params![run, entry.at.as_millis(), &entry.body[..]])?;
    }
    for row in &accept.ledger {
        note(desk, row)?;
    }
    if let Some(letter) = &accept.dead {
        put_letter(desk, letter)?;
    }
    put_extras(desk, run, accept)?;
    Ok(AcceptOutcome::Accepted)
}

/// What few accepts bring.
fn put_extras(desk: &mut Desk<'_>, run: i64, accept: &Accept) -> Outcome<()> {
    for signal in &accept.signals {
        put_signal(desk, signal)?;
    }
    if !accept.state.status.is_terminal() {
        for wait in &accept.waits {
            put_wait(desk, accept.run.id, accept.run.bucket, wait)?;
        }
    }
    if let Some(turn) = &accept.turn {
        join_line(desk, run, turn, accept.run.replay_of)?;
    }
    put_keys(desk, run, &accept.keys)
}

fn known_key(
    desk: &Desk<'_>,
    scope: i64,
    key: &IdempotencyKey,
    accept: &Accept,
) -> Outcome<Option<AcceptOutcome>> {
    let mut find = desk.db.prepare_cached(FIND_KEY)?;
    let mut rows = find.query(params![scope, key.key])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let expires_at: i64 = row.get(2)?;
    if expires_at <= accept.run.accepted_at.as_millis() {
        return Ok(None);
    }
    let body_hash: [u8; 32] = row.get(0)?;
    let run = id_of(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?;
    Ok(Some(AcceptOutcome::Duplicate { run, same_body: body_hash == key.body_hash }))
}

fn known_run(desk: &Desk<'_>, accept: &Accept) -> Outcome<Option<AcceptOutcome>> {
    let id = id_blob(accept.run.id);
    let no: Option<i64> =
        desk.db.prepare_cached(FIND_RUN)?.query_row([id], |row| row.get(0)).optional()?;
    let Some(no) = no else { return Ok(None) };
    let same_body = desk.db.prepare_cached(FIND_EVENT)?.query_row([no], |row| {
        Ok(row.get_ref(0)?.as_blob()? == &accept.event.body[..]
            && row.get::<_, i64>(1)? == accept.event.received_at.as_millis()
            && row.get_ref(2)?.as_blob()? == id_blob(accept.event.id))
    })?;
    Ok(Some(AcceptOutcome::Duplicate { run: accept.run.id, same_body }))
}

fn put_run(desk: &mut Desk<'_>, accept: &Accept) -> Outcome<i64> {
    let (run, state, db) = (&accept.run, &accept.state, desk.db);
    let updated_at = state.updated_at.as_millis();
    let place = Place {
        tenant: desk.words.number(db, run.tenant.as_str())?,
        environment: desk.words.number(db, run.environment.as_str())?,
        integration: desk.words.number(db, run.integration.as_str())?,
    };
    let counted = desk.tally.at(place);
    counted.accepted += 1;
    counted.replays += u64::from(run.replay_of.is_some());
    counted.ended.add(state.status);
    Ok(db.prepare_cached(PUT_RUN)?.insert(named_params! {
        ":id": id_blob(run.id),
        ":bucket": run.bucket,
        ":tenant": place.tenant,
        ":environment": place.environment,
        ":integration": place.integration,
        ":trigger": desk.words.number(db, run.trigger.as_str())?,
        ":release": desk.words.number(db, &run.release)?,
        ":event": id_blob(run.event),
        ":subject": run.subject,
        ":origin": (run.origin != run.id).then(|| id_blob(run.origin)),
        ":replay_of": run.replay_of.map(id_blob),
        ":accepted_at": run.accepted_at.as_millis(),
        ":status": status_number(state.status),
        ":cause": cause_number(state.cause),
        ":wake_at": state.wake_at.map(Timestamp::as_millis),
        ":summary": state.summary,
        ":updated_at": updated_at,
        ":ended_at": state.status.is_terminal().then_some(updated_at),
        ":last_txn": id_blob(accept.txn),
        ":trace": run.trace,
        ":low": run.priority.behind(),
    })?)
}
