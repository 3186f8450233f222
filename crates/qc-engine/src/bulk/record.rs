//! A bulk as stored: the plan, how far it has come, and how it stands. Pure.

use std::{collections::BTreeMap, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use qc_model::{Actor, Id, IdKind, RunId, Timestamp};
use qc_store::{Document, DocumentOp, Expect, RunStatus, StoreError};
use serde::{Deserialize, Serialize};

use super::{BulkFilter, Deed};
use crate::record::hex;

/// The kind of bulks; they bear their ids.
pub(super) const KIND: &str = "bulk";
/// The kind of the pages of their runs: `<bulk>/<page>`.
pub(super) const PAGE_KIND: &str = "bulk-page";
/// The kind of what says that a bulk is to be driven.
pub(super) const ACTIVE_KIND: &str = "bulk-active";

/// So many runs are on a page, and so many pages has a bulk.
pub(super) const PAGE_RUNS: usize = 1_000;
pub(super) const PAGES_MAX: usize = 100;

/// The most runs per second.
pub const RATE_MAX: u32 = 1_000;

/// So many runs of a plan are named for a look.
pub(super) const SAMPLE: usize = 10;

/// So many different things of a kind are counted; the rest together.
const COUNTED: usize = 50;

/// So many refusals are named with their reasons; all are counted.
const REFUSALS: usize = 50;

/// How long a plan may be started.
pub(super) const PLAN_KEPT: Duration = Duration::from_secs(24 * 3_600);
/// How long a plan is remembered that was not started.
const PLAN_REMEMBERED: Duration = Duration::from_secs(7 * 86_400);
/// How long a bulk is remembered after its end.
pub(super) const END_KEPT: Duration = Duration::from_secs(30 * 86_400);

/// The version that is written.
const VERSION: u32 = 1;

/// Marks the ids of bulks.
pub enum BulkKind {}

impl IdKind for BulkKind {
    const PREFIX: &'static str = "blk";
    const WHAT: &'static str = "a bulk's id";
}

/// One bulk.
pub type BulkId = Id<BulkKind>;

/// Work on many runs, planned or begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bulk {
    v: u32,
    /// Which.
    pub id: BulkId,
    /// What is done to each run.
    pub deed: Deed,
    /// Why; it stands in the audit of each run.
    pub reason: String,
    /// Also when the line of a run's key has gone on without it.
    pub out_of_order: bool,
    /// Cancelled runs undo what they did.
    pub compensate: bool,
    /// Retried runs go on with the release that is deployed then.
    #[serde(default)]
    pub newest: bool,
    /// Which runs were looked for.
    pub filter: BulkFilter,
    /// When.
    pub planned_at: Timestamp,
    /// By whom.
    pub planned_by: Actor,
    /// How many runs it has, and of what.
    pub total: u64,
    /// By environment and integration.
    pub by_integration: BTreeMap<String, u64>,
    /// By status, when it was planned.
    pub by_status: BTreeMap<String, u64>,
    /// By what they died of.
    pub by_fingerprint: BTreeMap<String, u64>,
    /// Some of the runs.
    pub sample: Vec<RunId>,
    /// SHA-256 over deed and runs, in hex: two plans with one digest do the same.
    pub digest: String,
    /// How it stands.
    pub state: BulkState,
    /// Runs per second.
    pub rate: u32,
    /// When and by whom it was started.
    pub started: Option<(Timestamp, Actor)>,
    /// How far it has come.
    pub progress: Progress,
}

/// How a bulk stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum BulkState {
    /// It is a plan.
    Planned,
    /// It is at work.
    Running,
    /// All its runs were gone through.
    Done {
        /// When.
        at: Timestamp,
    },
    /// It was stopped.
    Aborted {
        /// When.
        at: Timestamp,
        /// By whom.
        by: Actor,
        /// Why.
        reason: String,
    },
}

impl BulkState {
    /// The name as shown.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Done { .. } => "done",
            Self::Aborted { .. } => "aborted",
        }
    }
}

/// How far a bulk has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// So many of its runs were gone through, in their order: the cursor.
    pub looked_at: u64,
    /// To so many it was done.
    pub done: u64,
    /// So many could not be worked on as they are now.
    pub refused: u64,
    /// The last of those, with the reason.
    pub refusals: Vec<Refused>,
    /// When it went on last.
    pub at: Option<Timestamp>,
}

/// A run to which it could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The run.
    pub run: RunId,
    /// Why.
    pub reason: String,
}

impl Progress {
    /// Counts what became of one run.
    pub(super) fn count(&mut self, run: RunId, came: Result<(), String>, at: Timestamp) {
        self.looked_at += 1;
        self.at = Some(at);
        match came {
            Ok(()) => self.done += 1,
            Err(reason) => {
                self.refused += 1;
                self.refusals.push(Refused { run, reason });
                let over = self.refusals.len().saturating_sub(REFUSALS);
                self.refusals.drain(..over);
            }
        }
    }
}

/// One run that passes a filter, with what it is counted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) run: RunId,
    pub(super) place: String,
    pub(super) status: RunStatus,
    pub(super) fingerprint: Option<String>,
}

/// What a plan is made from.
pub(super) struct Draft {
    pub(super) id: BulkId,
    pub(super) deed: Deed,
    pub(super) reason: String,
    pub(super) out_of_order: bool,
    pub(super) compensate: bool,
    pub(super) newest: bool,
    pub(super) filter: BulkFilter,
    pub(super) at: Timestamp,
    pub(super) by: Actor,
}

impl Bulk {
    /// A plan for these runs, which come oldest first.
    pub(super) fn planned(draft: Draft, found: &[Counted]) -> Self {
        let mut by_integration = BTreeMap::new();
        let mut by_status = BTreeMap::new();
        let mut by_fingerprint = BTreeMap::new();
        for one in found {
            add(&mut by_integration, &one.place);
            add(&mut by_status, one.status.as_str());
            if let Some(fingerprint) = &one.fingerprint {
                add(&mut by_fingerprint, fingerprint);
            }
        }
        let Draft { id, deed, reason, out_of_order, compensate, newest, filter, at, by } = draft;
        let mut text = format!("{} {out_of_order} {compensate} {newest}\n", deed.as_str());
        for one in found {
            text.push_str(&one.run.to_string());
            text.push('\n');
        }
        Self {
            v: VERSION,
            id,
            deed,
            reason,
            out_of_order,
            compensate,
            newest,
            filter,
            planned_at: at,
            planned_by: by,
            total: u64::try_from(found.len()).unwrap_or(u64::MAX),
            by_integration,
            by_status,
            by_fingerprint,
            sample: found.iter().take(SAMPLE).map(|one| one.run).collect(),
            digest: hex(digest(&SHA256, text.as_bytes()).as_ref()),
            state: BulkState::Planned,
            rate: 0,
            started: None,
            progress: Progress::default(),
        }
    }

    /// Until when a plan may be started.
    pub fn startable_until(&self) -> Timestamp {
        self.planned_at + PLAN_KEPT
    }

    /// Whether nothing of it is needed any longer.
    pub(super) fn is_past(&self, now: Timestamp) -> bool {
        match &self.state {
            BulkState::Running => false,
            BulkState::Planned => now.since(self.planned_at) > PLAN_REMEMBERED,
            BulkState::Done { at } | BulkState::Aborted { at, .. } => now.since(*at) > END_KEPT,
        }
    }

    /// How many pages its runs are on.
    pub(super) fn pages(&self) -> usize {
        usize::try_from(self.total).unwrap_or(usize::MAX).div_ceil(PAGE_RUNS)
    }

    /// The key under which it does its deed to a run: the same after every restart.
    pub(super) fn key(&self, run: RunId) -> String {
        format!("{}:{run}", self.id)
    }

    /// The change that writes it.
    pub(super) fn put(&self, expect: Expect, at: Timestamp) -> DocumentOp {
        DocumentOp::Put {
            kind: KIND.to_owned(),
            name: self.id.to_string(),
            expect,
            body: serde_json::to_vec(self).expect("bulks are plain data").into(),
            at,
        }
    }

    /// The bulk of a document.
    pub(super) fn parse(document: &Document) -> Result<Self, StoreError> {
        let parsed: Result<Self, _> = serde_json::from_slice(&document.body);
        parsed.ok().filter(|bulk| bulk.v == VERSION).ok_or_else(|| {
            StoreError::Corrupt(format!("the bulk `{}` cannot be read", document.name))
        })
    }
}

/// The name of a page.
pub(super) fn page_name(id: BulkId, page: usize) -> String {
    format!("{id}/{page:06}")
}

fn add(counts: &mut BTreeMap<String, u64>, what: &str) {
    let full = counts.len() >= COUNTED && !counts.contains_key(what);
    let what = if full { "others" } else { what };
    *counts.entry(what.to_owned()).or_default() += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(deed: Deed, runs: u128) -> Bulk {
        let found: Vec<_> = (0..runs)
            .map(|n| Counted {
                run: RunId::from_bits(n),
                place: format!("production/i{}", n % 60),
                status: RunStatus::Faulted,
                fingerprint: (n % 2 == 0).then(|| "f".to_owned()),
            })
            .collect();
        let draft = Draft {
            id: BulkId::from_bits(1),
            deed,
            reason: "a test".to_owned(),
            out_of_order: false,
            compensate: false,
            newest: false,
            filter: BulkFilter::default(),
            at: Timestamp::from_millis(5),
            by: Actor::platform("test"),
        };
        Bulk::planned(draft, &found)
    }

    #[test]
    fn a_plan_counts_what_it_would_do_and_its_digest_is_of_deed_and_runs() {
        let bulk = plan(Deed::Retry, 2_001);
        assert_eq!((bulk.total, bulk.pages(), bulk.sample.len()), (2_001, 3, SAMPLE));
        assert_eq!(bulk.by_integration.len(), COUNTED + 1, "the rest together");
        assert_eq!(bulk.by_integration.values().sum::<u64>(), 2_001);
        assert_eq!(bulk.by_fingerprint["f"], 1_001);
        assert_eq!(bulk.digest, plan(Deed::Retry, 2_001).digest);
        assert_ne!(bulk.digest, plan(Deed::Discard, 2_001).digest);
        assert_ne!(bulk.digest, plan(Deed::Retry, 2_000).digest);
    }

    #[test]
    fn a_bulk_is_read_back_as_it_was() {
        let mut bulk = plan(Deed::Replay, 3);
        let at = Timestamp::from_millis(9);
        bulk.started = Some((at, Actor::platform("test")));
        for n in 0..60 {
            let came = if n == 0 { Ok(()) } else { Err(format!("no {n}")) };
            bulk.progress.count(RunId::from_bits(n), came, at);
        }
        let told = &bulk.progress;
        assert_eq!((told.looked_at, told.done, told.refused), (60, 1, 59));
        assert_eq!((told.refusals.len(), &*told.refusals[0].reason), (REFUSALS, "no 10"));
        for state in [
            BulkState::Running,
            BulkState::Done { at },
            BulkState::Aborted { at, by: Actor::platform("test"), reason: "x".to_owned() },
        ] {
            bulk.state = state;
            let DocumentOp::Put { kind, name, body, .. } = bulk.put(Expect::Any, at) else {
                panic!("it is put")
            };
            let document = Document { kind, name, revision: 1, body, updated_at: at };
            assert_eq!(Bulk::parse(&document).as_ref(), Ok(&bulk));
        }
    }

    #[test]
    fn a_bulk_is_forgotten_some_time_after_its_end_and_never_at_work() {
        let mut bulk = plan(Deed::Replay, 3);
        let late = bulk.planned_at + END_KEPT + END_KEPT;
        assert!(!bulk.is_past(bulk.startable_until()) && bulk.is_past(late));
        bulk.state = BulkState::Running;
        assert!(!bulk.is_past(late));
        bulk.state = BulkState::Done { at: late };
        assert!(!bulk.is_past(late + PLAN_KEPT) && bulk.is_past(late + END_KEPT + PLAN_KEPT));
    }
}
