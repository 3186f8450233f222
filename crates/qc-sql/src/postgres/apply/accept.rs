use qc_store::{Accept, AcceptOutcome};

use super::{
    Desk, HeadDeed, Key, Place, Run,
    deeds::KeyDeed,
    documents::{Conflict, change_documents},
    letters::put_letter,
};

/// Accepts an event, unless its key or its run is known.
pub(super) fn accept<'a>(desk: &mut Desk<'a>, accept: &'a Accept) -> AcceptOutcome {
    let run = accept.run.id;
    if let Some(key) = &accept.key
        && let Some(known) = desk.known.keys.get(&(key.scope.as_str(), key.key.as_str()))
        && known.expires_at > accept.run.accepted_at
    {
        let same_body = known.body_hash == key.body_hash;
        return AcceptOutcome::Duplicate { run: known.run, same_body };
    }
    if let Some(known) = desk.known.runs.get(&run) {
        let same_body = known.event.as_ref() == Some(&accept.event);
        return AcceptOutcome::Duplicate { run, same_body };
    }
    if let Err(Conflict { kind, name, revision }) = change_documents(desk, &accept.documents) {
        return AcceptOutcome::Conflict { kind, name, revision };
    }
    if let Some(key) = &accept.key {
        let id = (key.scope.as_str(), key.key.as_str());
        let claimed = Key { run, body_hash: key.body_hash, expires_at: key.expires_at };
        desk.known.keys.insert(id, claimed);
        let claimed_at = desk.deeds.keys.get(&id).map_or(accept.run.accepted_at, |d| d.claimed_at);
        desk.deeds.keys.insert(id, KeyDeed { run, key, claimed_at });
    }
    begin(desk, accept);
    if let Some(letter) = &accept.dead {
        put_letter(desk, letter);
    }
    desk.deeds.signals(&accept.signals);
    if !accept.state.status.is_terminal() {
        for wait in &accept.waits {
            desk.deeds.waits.entry(run).or_default().put(wait);
        }
    }
    if let Some(turn) = &accept.turn {
        desk.deeds.join_line(run, turn, accept.run.replay_of);
    }
    desk.deeds.run_keys(run, &accept.keys);
    AcceptOutcome::Accepted
}

/// The run itself, with its journal and what is said of it.
fn begin<'a>(desk: &mut Desk<'a>, accept: &'a Accept) {
    let run = accept.run.id;
    let place = Place::of_run(&accept.run);
    let counted = desk.deeds.counted(place.clone());
    counted.accepted += 1;
    counted.replays += u64::from(accept.run.replay_of.is_some());
    counted.ended.add(accept.state.status);
    let known = Run {
        bucket: Some(accept.run.bucket),
        version: 1,
        claims: 0,
        place: Some(place),
        event: Some(accept.event.clone()),
    };
    desk.known.runs.insert(run, known);
    let head = HeadDeed {
        accept: Some(accept),
        before: 0,
        version: 1,
        first: accept.state.status,
        state: &accept.state,
        txn: accept.txn,
        lease: None,
    };
    desk.deeds.heads.insert(run, head);
    desk.deeds.journal(run, 1, accept.journal.iter());
    desk.deeds.ledger.extend(&accept.ledger);
}
