use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use qc_model::{RunId, Timestamp};
use qc_store::{DeadState, Lease, Op, RunStatus, StoredEvent, Txn, Write};

use super::Place;

/// Scope and key.
pub(in crate::postgres) type KeyId<'a> = (&'a str, &'a str);
/// Kind and name.
pub(in crate::postgres) type DocumentKey<'a> = (&'a str, &'a str);

/// The rows that a batch touches, as they stand; what is not here is not there.
#[derive(Debug, Default)]
pub(in crate::postgres) struct Known<'a> {
    pub(in crate::postgres) keys: HashMap<KeyId<'a>, Key>,
    pub(in crate::postgres) runs: HashMap<RunId, Run>,
    pub(in crate::postgres) documents: HashMap<DocumentKey<'a>, Document<'a>>,
    pub(in crate::postgres) letters: HashMap<RunId, (Place, DeadState)>,
    pub(in crate::postgres) leases: Vec<Span>,
}

/// An idempotency key.
#[derive(Debug, Clone, Copy)]
pub(in crate::postgres) struct Key {
    pub(in crate::postgres) run: RunId,
    pub(in crate::postgres) body_hash: [u8; 32],
    pub(in crate::postgres) expires_at: Timestamp,
}

/// A run's place and version.
#[derive(Debug, Clone)]
pub(in crate::postgres) struct Run {
    /// None when it is presumed to lie within the lease: then the statement checks it.
    pub(in crate::postgres) bucket: Option<u16>,
    pub(in crate::postgres) version: u64,
    /// How often it was claimed since its last step. Only read for claims.
    pub(in crate::postgres) claims: u32,
    /// Where it is counted. None when it was presumed to be there.
    pub(in crate::postgres) place: Option<Place>,
    /// Loaded for runs that the batch accepts again.
    pub(in crate::postgres) event: Option<StoredEvent>,
}

/// A document.
#[derive(Debug, Clone)]
pub(in crate::postgres) struct Document<'a> {
    pub(in crate::postgres) revision: u64,
    /// Empty when nothing in the batch compares with it.
    pub(in crate::postgres) body: Cow<'a, [u8]>,
}

/// A range of buckets under one epoch.
#[derive(Debug, Clone)]
pub(in crate::postgres) struct Span {
    pub(in crate::postgres) first: u16,
    pub(in crate::postgres) beyond: u16,
    pub(in crate::postgres) node: String,
    pub(in crate::postgres) epoch: u64,
}

impl Known<'_> {
    /// Whether a lease gives the right to commit runs of this bucket.
    pub(super) fn covers(&self, lease: &Lease, bucket: u16) -> bool {
        lease.buckets.contains(&bucket)
            && self.leases.iter().any(|span| {
                (span.first..span.beyond).contains(&bucket)
                    && span.epoch == lease.epoch
                    && span.node == lease.node
            })
    }
}

impl<'a> Known<'a> {
    /// What nearly always holds, so that nothing need be read: keys and accepted runs are new, runs
    /// have the version that their step expects, and the one lease of the batch is held. Each
    /// statement checks that it was so; where it was not, nothing is written. None when a batch
    /// does something about which nothing can be presumed.
    pub(in crate::postgres) fn presumed(batch: &'a [Write]) -> Option<Self> {
        let mut known = Self::default();
        let mut held: Option<&Lease> = None;
        let mut accepted = HashSet::new();
        let mut stands: HashMap<RunId, RunStatus> = HashMap::new();
        for write in batch {
            match write {
                Write::Accept(accept) => {
                    if !accept.documents.is_empty() {
                        return None;
                    }
                    accepted.insert(accept.run.id);
                }
                Write::Commit { lease, txn } => {
                    if accepted.contains(&txn.run) || *held.get_or_insert(lease) != lease {
                        return None;
                    }
                    if i64::try_from(txn.expect).is_err() || i64::try_from(lease.epoch).is_err() {
                        return None;
                    }
                    if must_be_read(txn) {
                        return None;
                    }
                    // Counting one change of the status needs no knowledge, counting more does.
                    let status = txn.state.status;
                    if *stands.entry(txn.run).or_insert(status) != status {
                        return None;
                    }
                    // Later steps of the same run follow from the first.
                    let run = Run {
                        bucket: None,
                        version: txn.expect,
                        claims: 0,
                        place: None,
                        event: None,
                    };
                    known.runs.entry(txn.run).or_insert(run);
                }
                Write::Change(change) => {
                    if !change.documents.is_empty() {
                        return None;
                    }
                }
                // Its answer is what is there.
                Write::Claim { .. } => return None,
            }
        }
        // An accept of a run that the batch has stepped before is a repeat: read what is there.
        if known.runs.keys().any(|run| accepted.contains(run)) {
            return None;
        }
        Some(known)
    }
}

/// Whether what a step does depends on rows about which nothing can be presumed.
fn must_be_read(txn: &Txn) -> bool {
    txn.ops.iter().any(|op| matches!(op, Op::Document(_) | Op::Dead(_) | Op::SettleDead(_)))
}
