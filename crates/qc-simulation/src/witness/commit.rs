//! One write, and what the store holds after it.

use qc_model::Timestamp;
use qc_store::{
    Accept, AcceptOutcome, ChangeOutcome, DeadLetter, DeadState, Entry, Lease, LedgerRow, Op,
    RunHead, Signal, Store, Txn, TxnOutcome, Write, WriteOutcome,
};

use super::{Known, Run, Witness, Writer, entries::Journaled, order::first_at};
use crate::{Invariant, desk::SECRET_MARK};

/// What there is to see of one write that took place.
pub(super) struct Look<'a> {
    pub(super) writer: Writer,
    /// What time it is.
    pub(super) now: Timestamp,
    /// When its first entry was written.
    pub(super) first_at: Timestamp,
    pub(super) head: RunHead,
    pub(super) dead: Option<DeadLetter>,
    pub(super) rows: Vec<&'a LedgerRow>,
    pub(super) entries: Vec<Journaled>,
}

impl Witness {
    pub(super) async fn look(&self, writer: Writer, write: &Write, outcome: &WriteOutcome) {
        match (write, outcome) {
            (Write::Accept(accept), WriteOutcome::Accept(outcome)) => {
                self.look_at_accept(writer, accept, outcome).await;
            }
            (Write::Commit { lease, txn }, WriteOutcome::Commit(outcome)) => {
                self.look_at_commit(writer, lease, txn, outcome).await;
            }
            (Write::Change(change), WriteOutcome::Change(ChangeOutcome::Changed)) => {
                let mut known = self.known();
                self.published(&mut known, &change.signals);
                self.paused_or_not(&mut known, &change.documents);
            }
            _ => {}
        }
    }

    async fn look_at_accept(&self, writer: Writer, accept: &Accept, outcome: &AcceptOutcome) {
        let run = accept.run.id;
        let key = accept.key.as_ref().map(|key| key.key.clone());
        if let AcceptOutcome::Duplicate { run: first, .. } = outcome {
            let of_key = key.and_then(|key| self.known().keys.get(&key).copied());
            // What comes without a key is known by itself.
            let of_key = of_key.or((accept.key.is_none() && run == *first).then_some(run));
            if of_key != Some(*first) {
                self.broken(
                    Invariant::OneRunForAKey,
                    format_args!("a repeat of {of_key:?} was told to be one of {first}"),
                );
            }
            return;
        }
        self.scan("an event", &accept.event.body);
        let (head, dead, entries) = self.after(run, &accept.journal).await;
        let Some(head) = head else {
            return self.broken(Invariant::AcceptedIsKept, format_args!("{run} is not there"));
        };
        self.record.tell(format_args!("accepted {run} v1 {:?} {entries:?}", head.state.status));
        let rows = accept.ledger.iter().collect();
        let now = accept.run.accepted_at;
        let look = Look { writer, now, first_at: now, head, dead, rows, entries };
        let mut known = self.known();
        self.published(&mut known, &accept.signals);
        if let Some(key) = key
            && let Some(first) = known.keys.insert(key.clone(), run)
        {
            self.broken(
                Invariant::OneRunForAKey,
                format_args!("{key} has the runs {first} and {run}"),
            );
        }
        let Some(mut seen) = Run::begun(self, &look, accept) else {
            return self.broken(
                Invariant::JournalIsAppendOnly,
                format_args!("the journal of {run} does not begin with its start"),
            );
        };
        self.lined_up(&mut known, &look, &seen, accept);
        self.queue_up(&mut known, &look, &mut seen);
        self.child_begun(&mut known, &look, &seen);
        self.go_over(&mut known, &mut seen, &look);
        known.runs.insert(run, seen);
    }

    async fn look_at_commit(&self, writer: Writer, lease: &Lease, txn: &Txn, outcome: &TxnOutcome) {
        let writer = Writer { epoch: lease.epoch, ..writer };
        let version = match outcome {
            TxnOutcome::Committed { version } => *version,
            TxnOutcome::Conflict { .. } => return self.look_at_conflict(writer, txn),
            // A person's wish that came too late: nothing was written.
            TxnOutcome::DocumentConflict { .. } => return,
            TxnOutcome::Fenced => {
                return self.record.tell(format_args!("fenced: {} by {writer:?}", txn.run));
            }
        };
        let run = txn.run;
        let journaled: Vec<Entry> = txn.ops.iter().filter_map(journaled).cloned().collect();
        let (head, dead, entries) = self.after(run, &journaled).await;
        let mut known = self.known();
        let (Some(head), Some(mut seen)) = (head, known.runs.remove(&run)) else {
            return self.broken(
                Invariant::VersionsRise,
                format_args!("{run} was committed and never accepted"),
            );
        };
        let (status, cause) = (head.state.status, head.state.cause);
        self.record.tell(format_args!(
            "commit {run} v{version} by {}/{} {status:?} {cause:?} {entries:?}",
            writer.process, writer.epoch
        ));
        if version != seen.version + 1 || txn.expect != seen.version || head.version != version {
            self.broken(
                Invariant::VersionsRise,
                format_args!(
                    "{run} went from {} to {version}, expecting {}",
                    seen.version, txn.expect
                ),
            );
        }
        if known.newest_lease.as_ref().is_some_and(|newest| newest.epoch > lease.epoch) {
            self.broken(
                Invariant::FenceHolds,
                format_args!("{run} was committed under the old epoch {}", lease.epoch),
            );
        }
        self.published(&mut known, txn.ops.iter().filter_map(told));
        let rows = txn.ops.iter().filter_map(noted).collect();
        let now = self.clock_now();
        let first_at = first_at(&journaled, now);
        let look = Look { writer, now, first_at, head, dead, rows, entries };
        seen.journal.extend(journaled);
        self.keep(&mut known, &mut seen, &look, &txn.ops);
        self.take_turn(&mut known, &mut seen, &look);
        self.leave_line(&mut known, &seen, &look, &txn.ops);
        self.go_over(&mut known, &mut seen, &look);
        seen.version = version;
        seen.last_writer = writer;
        seen.last_txn = txn.id;
        seen.last_from_memory = !look.entries.is_empty() && !txn.ops.iter().any(gives_up);
        known.runs.insert(run, seen);
    }

    /// A process that has a run in memory once conflicts with nobody but with others, and with
    /// what people write beside it.
    fn look_at_conflict(&self, writer: Writer, txn: &Txn) {
        let known = self.known();
        self.record.tell(format_args!("conflict: {} by {writer:?}", txn.run));
        let Some(seen) = known.runs.get(&txn.run) else { return };
        let by_itself = seen.last_writer == writer && seen.last_txn != txn.id;
        let of_a_run = txn.ops.iter().any(|op| journaled(op).is_some());
        if by_itself && of_a_run && seen.last_from_memory {
            self.broken(
                Invariant::LoadedOnce,
                format_args!("process {} has {} in memory twice", writer.process, txn.run),
            );
        }
    }

    /// What the store holds of a run after a write, and the new entries, decoded.
    async fn after(
        &self,
        run: qc_model::RunId,
        new: &[Entry],
    ) -> (Option<RunHead>, Option<DeadLetter>, Vec<Journaled>) {
        let head = self.store.run(run).await.ok().flatten();
        let journal = self.store.journal(run).await.unwrap_or_default();
        let dead = self.dead_letter(run).await;
        let known = self.known();
        let before = known.runs.get(&run).map_or(&[][..], |seen| &seen.journal);
        let grown = journal.len() == before.len() + new.len()
            && journal.starts_with(before)
            && journal.ends_with(new);
        drop(known);
        if !grown {
            self.broken(
                Invariant::JournalIsAppendOnly,
                format_args!("the journal of {run} is not what it was and {} more", new.len()),
            );
        }
        let entries = new
            .iter()
            .map(|entry| {
                self.scan("a journal", &entry.body);
                Journaled::of(entry)
            })
            .collect();
        (head, dead, entries)
    }

    /// All checks of a write that took place.
    fn go_over(&self, known: &mut Known, seen: &mut Run, look: &Look<'_>) {
        let before = (seen.status, seen.wake_at);
        if seen.standing.is_none() {
            self.fold(known, seen, look);
        }
        seen.status = look.head.state.status;
        seen.cause = look.head.state.cause;
        seen.stood_at = self.clock.uptime();
        seen.wake_at = look.head.state.wake_at;
        if !seen.status.is_terminal() {
            seen.ended_at = None;
        } else if !before.0.is_terminal() {
            seen.ended_at = Some(self.clock.uptime());
        }
        if seen.standing.is_some() {
            self.check_waiting(seen, &look.head.state);
        } else {
            self.check_standing(seen, look);
            self.check_children(known, seen);
            self.check_tasks(seen, look);
            Self::note_listens(seen);
        }
        self.check_ledger(seen, look, before.0);
        for row in &look.rows {
            self.scan("the ledger", &row.facts);
        }
    }

    /// No secret may be in what is stored.
    fn scan(&self, place: &str, body: &[u8]) {
        if holds_secret(body) {
            let text = String::from_utf8_lossy(body);
            self.broken(Invariant::SecretsStayOut, format_args!("in {place}: {text}"));
        }
    }

    pub(super) fn clock_now(&self) -> Timestamp {
        qc_model::Clock::now(&*self.clock)
    }
}

fn journaled(op: &Op) -> Option<&Entry> {
    if let Op::Journal(entry) = op { Some(entry) } else { None }
}

/// A dead letter is given up beside the run, whose tasks are closed with it.
fn gives_up(op: &Op) -> bool {
    matches!(op, Op::SettleDead(DeadState::Discarded))
}

fn told(op: &Op) -> Option<&Signal> {
    if let Op::Signal(signal) = op { Some(signal) } else { None }
}

fn noted(op: &Op) -> Option<&LedgerRow> {
    if let Op::Ledger(row) = op { Some(row) } else { None }
}

fn holds_secret(body: &[u8]) -> bool {
    body.windows(SECRET_MARK.len()).any(|window| window == SECRET_MARK.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_wherever_it_stands() {
        let text = format!("{{\"detail\":\"bad key {SECRET_MARK}-3\"}}");
        assert!(holds_secret(text.as_bytes()));
        assert!(!holds_secret(b"{}"));
    }
}
