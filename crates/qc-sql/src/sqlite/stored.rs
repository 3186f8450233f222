//! How values stand in the database.

use qc_model::{Id, Timestamp};
use qc_store::{DeadState, LedgerKind, LiveCause, RunStatus};

use super::trouble::{Outcome, Trouble};

pub(super) fn id_blob<K>(id: Id<K>) -> [u8; 16] {
    id.bits().to_be_bytes()
}

pub(super) fn id_of<K>(blob: &[u8]) -> Outcome<Id<K>> {
    let bytes: [u8; 16] = blob
        .try_into()
        .map_err(|_| Trouble::Damaged(format!("an id of {} bytes is stored", blob.len())))?;
    Ok(Id::from_bits(u128::from_be_bytes(bytes)))
}

pub(super) const fn time_of(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// SQLite's integers are signed; ours that count never are, and never reach 2^63.
pub(super) fn count_of(stored: i64) -> Outcome<u64> {
    u64::try_from(stored).map_err(|_| Trouble::Damaged(format!("the count {stored} is stored")))
}

/// A count as stored; one beyond 2^63 equals no stored one.
pub(super) fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) const fn status_number(status: RunStatus) -> i64 {
    match status {
        RunStatus::Running => 0,
        RunStatus::Waiting => 1,
        RunStatus::Parked => 2,
        RunStatus::Completed => 3,
        RunStatus::Faulted => 4,
        RunStatus::Cancelled => 5,
    }
}

pub(super) fn status_of(number: i64) -> Outcome<RunStatus> {
    RunStatus::ALL
        .into_iter()
        .find(|status| status_number(*status) == number)
        .ok_or_else(|| unknown("run status", number))
}

pub(super) const fn cause_number(cause: LiveCause) -> i64 {
    match cause {
        LiveCause::Ended => 0,
        LiveCause::Activity => 1,
        LiveCause::Timer => 2,
        LiveCause::Parked => 3,
        LiveCause::Turn => 4,
        LiveCause::Event => 5,
        LiveCause::Child => 6,
        LiveCause::Person => 7,
        LiveCause::Held => 8,
        LiveCause::Queue => 9,
    }
}

pub(super) fn cause_of(number: i64) -> Outcome<LiveCause> {
    LiveCause::ALL
        .into_iter()
        .find(|cause| cause_number(*cause) == number)
        .ok_or_else(|| unknown("live cause", number))
}

pub(super) const fn dead_number(state: DeadState) -> i64 {
    match state {
        DeadState::Open => 0,
        DeadState::Retried => 1,
        DeadState::Discarded => 2,
    }
}

pub(super) fn dead_of(number: i64) -> Outcome<DeadState> {
    [DeadState::Open, DeadState::Retried, DeadState::Discarded]
        .into_iter()
        .find(|state| dead_number(*state) == number)
        .ok_or_else(|| unknown("dead letter state", number))
}

pub(super) const fn kind_number(kind: LedgerKind) -> i64 {
    match kind {
        LedgerKind::Event => 0,
        LedgerKind::Run => 1,
        LedgerKind::Task => 2,
        LedgerKind::Call => 3,
        LedgerKind::Decision => 4,
        LedgerKind::Audit => 5,
    }
}

pub(super) fn kind_of(number: i64) -> Outcome<LedgerKind> {
    LedgerKind::ALL
        .into_iter()
        .find(|kind| kind_number(*kind) == number)
        .ok_or_else(|| unknown("ledger kind", number))
}

fn unknown(what: &str, number: i64) -> Trouble {
    Trouble::Damaged(format!("the {what} {number} is stored, which no version knows"))
}
