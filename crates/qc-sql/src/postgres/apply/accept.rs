use qc_store::{Accept, AcceptOutcome};

use super::{Desk, HeadDeed, Key, Run, deeds::KeyDeed};

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
    if let Some(key) = &accept.key {
        let id = (key.scope.as_str(), key.key.as_str());
        let claimed = Key { run, body_hash: key.body_hash, expires_at: key.expires_at };
        desk.known.keys.insert(id, claimed);
        let claimed_at = desk.deeds.keys.get(&id).map_or(accept.run.accepted_at, |d| d.claimed_at);
        desk.deeds.keys.insert(id, KeyDeed { run, key, claimed_at });
    }
    let event = Some(accept.event.clone());
    desk.known.runs.insert(run, Run { bucket: Some(accept.run.bucket), version: 1, event });
    let head = HeadDeed {
        accept: Some(accept),
        before: 0,
        version: 1,
        state: &accept.state,
        txn: accept.txn,
        lease: None,
    };
    desk.deeds.heads.insert(run, head);
    desk.deeds.journal(run, 1, accept.journal.iter());
    desk.deeds.ledger.extend(&accept.ledger);
    if let Some(letter) = &accept.dead {
        desk.deeds.put_letter(letter);
    }
    AcceptOutcome::Accepted
}
