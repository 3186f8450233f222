use super::state::{KnownKey, Place, Run, State};
use crate::{
    Accept, AcceptOutcome, Change, ChangeOutcome, Lease, Op, RunHead, Txn, TxnOutcome, Write,
    WriteOutcome,
};

impl State {
    pub(super) fn apply_all(&mut self, batch: Vec<Write>) -> Vec<WriteOutcome> {
        batch
            .into_iter()
            .map(|write| match write {
                Write::Accept(accept) => WriteOutcome::Accept(self.accept(*accept)),
                Write::Commit { lease, txn } => WriteOutcome::Commit(self.commit(&lease, *txn)),
                Write::Change(change) => WriteOutcome::Change(self.change(*change)),
                Write::Claim { lease, runs } => WriteOutcome::Claim(self.claim(&lease, &runs)),
            })
            .collect()
    }

    fn accept(&mut self, accept: Accept) -> AcceptOutcome {
        if let Some(known) = self.known(&accept) {
            return known;
        }
        if let Err(conflict) = self.change_documents(accept.documents) {
            let (kind, name, revision) = conflict;
            return AcceptOutcome::Conflict { kind, name, revision };
        }
        if let Some(key) = accept.key {
            let known = KnownKey {
                run: accept.run.id,
                body_hash: key.body_hash,
                expires_at: key.expires_at,
            };
            self.keys.insert((key.scope, key.key), known);
        }
        self.note(accept.ledger);
        let id = accept.run.id;
        let counted = self.counted.entry(Place::of_run(&accept.run)).or_default();
        counted.accepted += 1;
        counted.replays += u64::from(accept.run.replay_of.is_some());
        counted.ended.add(accept.state.status);
        if let Some(letter) = accept.dead {
            self.put_letter(letter);
        }
        self.signal(accept.signals);
        if !accept.state.status.is_terminal() {
            for wait in accept.waits {
                self.waits.insert((id, wait.id.clone()), wait);
            }
        }
        if let Some(turn) = &accept.turn {
            self.join_line(turn, id, accept.run.replay_of);
        }
        let head = RunHead {
            facts: accept.run,
            state: accept.state,
            version: 1,
            last_txn: accept.txn,
            claims: 0,
        };
        let mut run = Run {
            head,
            event: accept.event,
            journal: accept.journal,
            keys: [].into(),
            turn: accept.turn,
        };
        run.add_keys(accept.keys);
        self.runs.insert(id, run);
        AcceptOutcome::Accepted
    }

    /// Whether the accept repeats another one.
    fn known(&self, accept: &Accept) -> Option<AcceptOutcome> {
        if let Some(key) = &accept.key
            && let Some(known) = self.keys.get(&(key.scope.clone(), key.key.clone()))
            && known.expires_at > accept.run.accepted_at
        {
            let same_body = known.body_hash == key.body_hash;
            return Some(AcceptOutcome::Duplicate { run: known.run, same_body });
        }
        let run = self.runs.get(&accept.run.id)?;
        let same_body = run.event == accept.event;
        Some(AcceptOutcome::Duplicate { run: accept.run.id, same_body })
    }

    fn commit(&mut self, lease: &Lease, txn: Txn) -> TxnOutcome {
        let Some(run) = self.runs.get(&txn.run) else {
            return TxnOutcome::Conflict { version: None };
        };
        if !self.leases.covers(lease, run.head.facts.bucket) {
            return TxnOutcome::Fenced;
        }
        if run.head.version != txn.expect {
            return TxnOutcome::Conflict { version: Some(run.head.version) };
        }
        let documents = txn.ops.iter().filter_map(|op| match op {
            Op::Document(document) => Some(document.clone()),
            _ => None,
        });
        if let Err((kind, name, revision)) = self.change_documents(documents.collect()) {
            return TxnOutcome::DocumentConflict { kind, name, revision };
        }
        for op in txn.ops {
            self.apply(txn.run, op);
        }
        let Some(run) = self.runs.get_mut(&txn.run) else {
            return TxnOutcome::Conflict { version: None };
        };
        run.head.version += 1;
        run.head.last_txn = txn.id;
        run.head.claims = 0;
        let before = std::mem::replace(&mut run.head.state, txn.state).status;
        let (version, now) = (run.head.version, run.head.state.status);
        if before != now {
            let counted = self.counted.entry(Place::of_run(&run.head.facts)).or_default();
            counted.reopened.add(before);
            counted.ended.add(now);
        }
        if now.is_terminal() {
            self.waits.retain(|(of, _), _| *of != txn.run);
        }
        TxnOutcome::Committed { version }
    }

    fn apply(&mut self, id: qc_model::RunId, op: Op) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        match op {
            Op::Journal(entry) => run.journal.push(entry),
            Op::Ledger(row) => self.note([row]),
            Op::Dead(letter) => self.put_letter(letter),
            Op::SettleDead(state) => self.settle_letter(id, state),
            Op::Signal(signal) => self.signal([signal]),
            Op::Wait(wait) => {
                self.waits.insert((id, wait.id.clone()), wait);
            }
            Op::Unwait(wait) => {
                self.waits.remove(&(id, wait));
            }
            Op::EndTurn => self.end_turn(id),
            // Changed before everything else.
            Op::Document(_) => {}
            Op::Keys(keys) => run.add_keys(keys),
        }
    }

    fn change(&mut self, change: Change) -> ChangeOutcome {
        if let Err((kind, name, revision)) = self.change_documents(change.documents) {
            return ChangeOutcome::Conflict { kind, name, revision };
        }
        self.note(change.ledger);
        self.signal(change.signals);
        ChangeOutcome::Changed
    }

    fn claim(&mut self, lease: &Lease, runs: &[qc_model::RunId]) -> Vec<Option<u32>> {
        let Self { runs: known, leases, .. } = self;
        runs.iter()
            .map(|id| {
                let head = &mut known.get_mut(id)?.head;
                if !leases.covers(lease, head.facts.bucket) {
                    return None;
                }
                head.claims = head.claims.saturating_add(1);
                Some(head.claims)
            })
            .collect()
    }
}
