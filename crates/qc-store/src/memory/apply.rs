use std::collections::BTreeMap;

use super::state::{KnownKey, Run, State};
use crate::{
    Accept, AcceptOutcome, Change, ChangeOutcome, Document, DocumentOp, Expect, Lease, Op, RunHead,
    Txn, TxnOutcome, Write, WriteOutcome,
};

type Staged = BTreeMap<(String, String), Option<Document>>;

impl State {
    pub(super) fn apply_all(&mut self, batch: Vec<Write>) -> Vec<WriteOutcome> {
        batch
            .into_iter()
            .map(|write| match write {
                Write::Accept(accept) => WriteOutcome::Accept(self.accept(*accept)),
                Write::Commit { lease, txn } => WriteOutcome::Commit(self.commit(&lease, *txn)),
                Write::Change(change) => WriteOutcome::Change(self.change(*change)),
            })
            .collect()
    }

    fn accept(&mut self, accept: Accept) -> AcceptOutcome {
        if let Some(key) = &accept.key
            && let Some(known) = self.keys.get(&(key.scope.clone(), key.key.clone()))
            && known.expires_at > accept.run.accepted_at
        {
            let same_body = known.body_hash == key.body_hash;
            return AcceptOutcome::Duplicate { run: known.run, same_body };
        }
        if let Some(run) = self.runs.get(&accept.run.id) {
            let same_body = run.event == accept.event;
            return AcceptOutcome::Duplicate { run: accept.run.id, same_body };
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
        if let Some(letter) = accept.dead {
            self.dead.insert(id, letter);
        }
        let head =
            RunHead { facts: accept.run, state: accept.state, version: 1, last_txn: accept.txn };
        self.runs.insert(id, Run { head, event: accept.event, journal: accept.journal });
        AcceptOutcome::Accepted
    }

    fn commit(&mut self, lease: &Lease, txn: Txn) -> TxnOutcome {
        let Some(run) = self.runs.get_mut(&txn.run) else {
            return TxnOutcome::Conflict { version: None };
        };
        if !self.leases.covers(lease, run.head.facts.bucket) {
            return TxnOutcome::Fenced;
        }
        if run.head.version != txn.expect {
            return TxnOutcome::Conflict { version: Some(run.head.version) };
        }
        run.head.version += 1;
        run.head.state = txn.state;
        run.head.last_txn = txn.id;
        let version = run.head.version;
        let mut rows = Vec::new();
        for op in txn.ops {
            match op {
                Op::Journal(entry) => run.journal.push(entry),
                Op::Ledger(row) => rows.push(row),
                Op::Dead(letter) => {
                    self.dead.insert(txn.run, letter);
                }
                Op::SettleDead(state) => {
                    if let Some(letter) = self.dead.get_mut(&txn.run) {
                        letter.state = state;
                    }
                }
            }
        }
        self.note(rows);
        TxnOutcome::Committed { version }
    }

    fn change(&mut self, change: Change) -> ChangeOutcome {
        let mut staged = Staged::new();
        for op in change.documents {
            if let Err(conflict) = self.stage(&mut staged, op) {
                return conflict;
            }
        }
        for (key, document) in staged {
            match document {
                Some(document) => self.documents.insert(key, document),
                None => self.documents.remove(&key),
            };
        }
        self.note(change.ledger);
        ChangeOutcome::Changed
    }

    fn stage(&self, staged: &mut Staged, op: DocumentOp) -> Result<(), ChangeOutcome> {
        let (kind, name, expect) = match &op {
            DocumentOp::Put { kind, name, expect, .. }
            | DocumentOp::Delete { kind, name, expect } => (kind, name, *expect),
        };
        let key = (kind.clone(), name.clone());
        let before = staged.get(&key).cloned().unwrap_or_else(|| self.documents.get(&key).cloned());
        let revision = before.as_ref().map(|document| document.revision);
        let put_body = match &op {
            DocumentOp::Put { body, .. } => Some(body),
            DocumentOp::Delete { .. } => None,
        };
        let same = before.as_ref().is_some_and(|there| Some(&there.body) == put_body);
        let as_expected = match expect {
            Expect::Any => true,
            Expect::Absent => revision.is_none(),
            Expect::Revision(wanted) => revision == Some(wanted),
            Expect::AbsentOrSame => revision.is_none() || same,
        };
        if !as_expected {
            return Err(ChangeOutcome::Conflict { kind: key.0, name: key.1, revision });
        }
        if expect == Expect::AbsentOrSame && same {
            return Ok(());
        }
        let after = match op {
            DocumentOp::Put { kind, name, body, at, .. } => {
                let revision = revision.unwrap_or(0) + 1;
                Some(Document { kind, name, revision, body, updated_at: at })
            }
            DocumentOp::Delete { .. } => None,
        };
        staged.insert(key, after);
        Ok(())
    }
}
