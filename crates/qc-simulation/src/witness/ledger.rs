//! The ledger's rows of a write, and whether they say what the write says.

use qc_store::{LedgerKind, LedgerRow, RunStatus};
use qc_workflow::Happening;

use super::{Run, Witness, commit::Look, entries::Journaled};
use crate::Invariant;

impl Witness {
    pub(super) fn check_ledger(&self, seen: &Run, look: &Look<'_>, before: RunStatus) {
        let told = Told::of(look);
        let rows = |kind, outcome: &str| count(&look.rows, kind, outcome);
        let fresh = look.head.version == 1;
        let ended = |status: RunStatus| {
            let now = seen.status == status && (fresh || before != status || told.reopened > 0);
            usize::from(now)
        };
        let resolved = look.rows.iter().filter(|row| {
            row.outcome == "run.resolve" && row.facts.ends_with(br#""reason":"not applied"}"#)
        });
        let begun = usize::from(fresh);
        let pairs = [
            ("ends", ended(RunStatus::Completed), rows(LedgerKind::Run, "completed")),
            ("failures", ended(RunStatus::Faulted), rows(LedgerKind::Run, "faulted")),
            ("cancellations", ended(RunStatus::Cancelled), rows(LedgerKind::Run, "cancelled")),
            ("parkings", told.parked, rows(LedgerKind::Run, "parked")),
            ("decisions", told.decided, resolved.count()),
            ("requests to cancel", told.cancelled, rows(LedgerKind::Audit, "run.cancel")),
            ("retries of dead letters", told.reopened, rows(LedgerKind::Audit, "dlq.retry")),
            (
                "beginnings",
                begun,
                rows(LedgerKind::Event, "accepted")
                    + rows(LedgerKind::Audit, "run.replay")
                    + rows(LedgerKind::Run, "begun"),
            ),
        ];
        for (what, journaled, noted) in pairs {
            if journaled != noted {
                self.broken(
                    Invariant::LedgerIsTrue,
                    format_args!(
                        "{} v{}: {journaled} {what}, and the ledger tells of {noted}",
                        seen.facts.id, look.head.version
                    ),
                );
            }
        }
        let ok = rows(LedgerKind::Call, "ok");
        let results = told.succeeded + told.failed + told.parked;
        if ok + rows(LedgerKind::Call, "failed") > results
            || ok < seen.answers
            || ok > told.succeeded
        {
            self.broken(
                Invariant::LedgerIsTrue,
                format_args!(
                    "{} v{}: {} answers ({} sent for), {results} results, {ok} rows of answers",
                    seen.facts.id, look.head.version, told.succeeded, seen.answers
                ),
            );
        }
        if look.rows.iter().any(|row| row.run != Some(seen.facts.id)) {
            self.broken(
                Invariant::LedgerIsTrue,
                format_args!("a step of {} noted rows of another run", seen.facts.id),
            );
        }
    }
}

fn count(rows: &[&LedgerRow], kind: LedgerKind, outcome: &str) -> usize {
    rows.iter().filter(|row| row.kind == kind && row.outcome == outcome).count()
}

/// What the journal says in one write, counted.
#[derive(Default)]
struct Told {
    parked: usize,
    decided: usize,
    cancelled: usize,
    reopened: usize,
    succeeded: usize,
    failed: usize,
}

impl Told {
    fn of(look: &Look<'_>) -> Self {
        let mut told = Self::default();
        for entry in &look.entries {
            match entry {
                Journaled::Parked { .. } => told.parked += 1,
                Journaled::NotApplied { .. } => told.decided += 1,
                Journaled::NeverBegun => told.cancelled += 1,
                Journaled::Input { input } => match &input.happening {
                    Happening::CallSucceeded { .. } => told.succeeded += 1,
                    Happening::CallFailed { .. } => told.failed += 1,
                    Happening::Cancelled { .. } => told.cancelled += 1,
                    Happening::Reopened => told.reopened += 1,
                    _ => {}
                },
                _ => {}
            }
        }
        told
    }
}
