//! Large event bodies and journal entries lie among the blobs, under their hashes: the same body is kept once, and the
//! database stays small. In the row stands a marker.
//!
//! The [`Committer`](crate::Committer) takes them out before a write is handed over, so that nobody else's commit waits
//! for them; a [`SpillStore`] puts them back when they are read. A blob is durable before the row that names it. One
//! that no row came to name is removed with the others that no run holds. Rows that were written before, or that are
//! small, stand as they are.

use std::{fmt, ops::Range, str, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use qc_model::{BlobHash, Body, EnvironmentName, Name, RunId, Timestamp};

use crate::{
    Accept, Caps, DeadFilter, DeadGroup, DeadLetter, Document, Draw, Drawn, Entry, Erased, Lease,
    LeaseSeen, LedgerEntry, LedgerFilter, Op, OpenWait, Pruned, Retention, RunFilter, RunHead,
    RunKey, SignalEntry, SignalFilter, Store, StoreError, StoredEvent, Tally, TurnPlace,
    WRITE_BYTES_MAX, Wait, WaitFilter, Write, WriteOutcome,
    blobs::{Blobs, PutError},
};

/// Bodies with more bytes than this lie among the blobs.
pub const SPILL_BYTES: usize = 16 * 1024;

/// What a marker begins with; its version is the last character. No body of ours begins with NUL, and one that does
/// is taken out whatever its size, so that a marker is always one.
const MARK: &[u8] = b"\0qc:blob:1";
/// What a marker of any version begins with.
const MARKS: &[u8] = b"\0qc:blob:";

/// Takes large bodies out of writes.
#[derive(Clone)]
pub(crate) struct Spill {
    pub(crate) blobs: Arc<dyn Blobs>,
    /// Asked whether an event is a repeat.
    pub(crate) store: Arc<dyn Store>,
}

impl fmt::Debug for Spill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spill")
    }
}

impl Spill {
    /// Whether a write has a large body.
    pub(crate) fn concerns(write: &Write) -> bool {
        let goes = |body: &Bytes| is_large(body) || is_marker(body);
        match write {
            Write::Accept(accept) => {
                goes(&accept.event.body) || accept.journal.iter().any(|entry| goes(&entry.body))
            }
            Write::Commit { txn, .. } => {
                txn.ops.iter().any(|op| matches!(op, Op::Journal(entry) if goes(&entry.body)))
            }
            Write::Change(_) | Write::Claim { .. } => false,
        }
    }

    /// Puts the large bodies of a write among the blobs, and markers in their places.
    pub(crate) async fn take_out(&self, write: &mut Write) -> Result<(), StoreError> {
        match write {
            Write::Accept(accept) => {
                let run = accept.run.id;
                // Of a repeat nothing is written, so nothing need lie among the blobs. (When its key ends in this very
                // moment its bodies stand in the rows, where they are read all the same.)
                let leave = self.is_repeat(accept).await?;
                let bodies = accept.journal.iter_mut().map(|entry| &mut entry.body);
                for body in bodies.chain([&mut accept.event.body]) {
                    if is_marker(body) || (is_large(body) && !leave) {
                        self.one(run, body).await?;
                    }
                }
            }
            Write::Commit { txn, .. } => {
                let run = txn.run;
                for op in &mut txn.ops {
                    if let Op::Journal(entry) = op
                        && (is_marker(&entry.body) || is_large(&entry.body))
                    {
                        self.one(run, &mut entry.body).await?;
                    }
                }
            }
            Write::Change(_) | Write::Claim { .. } => {}
        }
        Ok(())
    }

    async fn is_repeat(&self, accept: &Accept) -> Result<bool, StoreError> {
        let Some(key) = &accept.key else { return Ok(false) };
        Ok(self.store.key_owner(&key.scope, &key.key).await?.is_some())
    }

    async fn one(&self, run: RunId, body: &mut Bytes) -> Result<(), StoreError> {
        let stream = Body::Bytes(body.clone()).into_stream();
        let put =
            self.blobs.put(run, stream, body.len() as u64).await.map_err(|error| match error {
                PutError::Store(error) => error,
                other => StoreError::Unavailable(other.to_string()),
            })?;
        let mut marker = MARK.to_vec();
        marker.extend(format!(":{}:{}", put.hash, put.size).bytes());
        *body = marker.into();
        Ok(())
    }
}

/// Whether a body is too large for a row.
fn is_large(body: &Bytes) -> bool {
    body.len() > SPILL_BYTES
}

/// Whether a body would be taken for a marker in a row.
fn is_marker(body: &Bytes) -> bool {
    body.starts_with(MARKS)
}

/// A marker in a row.
#[derive(Debug, PartialEq, Eq)]
struct Marker {
    hash: BlobHash,
    size: u64,
}

/// Reads a marker; None when the body is one that stands as it is.
fn marker(body: &[u8]) -> Result<Option<Marker>, StoreError> {
    if !body.starts_with(MARKS) {
        return Ok(None);
    }
    let read = || {
        let text = str::from_utf8(body.strip_prefix(MARK)?.strip_prefix(b":")?).ok()?;
        let (hash, size) = text.split_once(':')?;
        Some(Marker { hash: hash.parse().ok()?, size: size.parse().ok()? })
    };
    read().map(Some).ok_or_else(|| {
        let shown = String::from_utf8_lossy(body.get(..40).unwrap_or(body)).into_owned();
        StoreError::Corrupt(format!("a body's marker {shown:?} is none that this version knows"))
    })
}

/// A store that gives bodies back whole, wherever they lie.
pub struct SpillStore {
    inner: Arc<dyn Store>,
    blobs: Arc<dyn Blobs>,
}

impl SpillStore {
    /// Over a store and the place of large bodies that belongs to it.
    pub fn new(inner: Arc<dyn Store>, blobs: Arc<dyn Blobs>) -> Self {
        Self { inner, blobs }
    }

    async fn whole(&self, run: RunId, body: Bytes) -> Result<Bytes, StoreError> {
        let Some(Marker { hash, size }) = marker(&body)? else { return Ok(body) };
        let lost = |why: &str| StoreError::Corrupt(format!("the body {hash} of {run} {why}"));
        if size > WRITE_BYTES_MAX as u64 {
            return Err(lost("is larger than any that is written"));
        }
        let blob = self.blobs.get(run, hash).await?.ok_or_else(|| lost("is not there"))?;
        if blob.size != size {
            return Err(lost("has another size"));
        }
        let collect = async |mut all: BytesMut, chunk: Bytes| {
            all.extend_from_slice(&chunk);
            Ok(all)
        };
        let empty = BytesMut::with_capacity(usize::try_from(size).unwrap_or(0));
        Ok(blob.stream.try_fold(empty, collect).await?.freeze())
    }
}

#[async_trait]
impl Store for SpillStore {
    async fn event(&self, run: RunId) -> Result<Option<StoredEvent>, StoreError> {
        let Some(mut event) = self.inner.event(run).await? else { return Ok(None) };
        event.body = self.whole(run, event.body).await?;
        Ok(Some(event))
    }

    async fn journal(&self, run: RunId) -> Result<Vec<Entry>, StoreError> {
        let mut journal = self.inner.journal(run).await?;
        for entry in &mut journal {
            entry.body = self.whole(run, std::mem::take(&mut entry.body)).await?;
        }
        Ok(journal)
    }

    fn caps(&self) -> Caps {
        self.inner.caps()
    }

    async fn lease(
        &self,
        buckets: Range<u16>,
        node: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        self.inner.lease(buckets, node, ttl).await
    }

    async fn renew(&self, leases: &[Lease], ttl: Duration) -> Result<Vec<bool>, StoreError> {
        self.inner.renew(leases, ttl).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        self.inner.release(leases).await
    }

    async fn leases(&self) -> Result<Vec<LeaseSeen>, StoreError> {
        self.inner.leases().await
    }

    async fn announce(&self, node: &str, ttl: Duration) -> Result<(), StoreError> {
        self.inner.announce(node, ttl).await
    }

    async fn nodes(&self) -> Result<Vec<String>, StoreError> {
        self.inner.nodes().await
    }

    async fn draw(
        &self,
        holder: u64,
        draws: &[Draw],
        lease: Duration,
    ) -> Result<Vec<Drawn>, StoreError> {
        self.inner.draw(holder, draws, lease).await
    }

    async fn write(&self, batch: Vec<Write>) -> Result<Vec<WriteOutcome>, StoreError> {
        self.inner.write(batch).await
    }

    async fn open_runs(
        &self,
        buckets: Range<u16>,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.inner.open_runs(buckets, after, limit).await
    }

    async fn due_runs(
        &self,
        buckets: Range<u16>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.inner.due_runs(buckets, until, limit).await
    }

    async fn run(&self, id: RunId) -> Result<Option<RunHead>, StoreError> {
        self.inner.run(id).await
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunHead>, StoreError> {
        self.inner.runs(filter).await
    }

    async fn dead_letters(&self, filter: &DeadFilter) -> Result<Vec<DeadLetter>, StoreError> {
        self.inner.dead_letters(filter).await
    }

    async fn dead_groups(&self, filter: &DeadFilter) -> Result<Vec<DeadGroup>, StoreError> {
        self.inner.dead_groups(filter).await
    }

    async fn keys_of(&self, run: RunId) -> Result<Vec<RunKey>, StoreError> {
        self.inner.keys_of(run).await
    }

    async fn signals(&self, filter: &SignalFilter) -> Result<Vec<SignalEntry>, StoreError> {
        self.inner.signals(filter).await
    }

    async fn signal(&self, scope: &str, id: &str) -> Result<Option<SignalEntry>, StoreError> {
        self.inner.signal(scope, id).await
    }

    async fn waits(&self, filter: &WaitFilter) -> Result<Vec<OpenWait>, StoreError> {
        self.inner.waits(filter).await
    }

    async fn wait_sites(
        &self,
        scope: &str,
        kind: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        self.inner.wait_sites(scope, kind, after).await
    }

    async fn waits_of(&self, run: RunId) -> Result<Vec<Wait>, StoreError> {
        self.inner.waits_of(run).await
    }

    async fn first_in_line(&self, scope: &str, key: &str) -> Result<Option<RunId>, StoreError> {
        self.inner.first_in_line(scope, key).await
    }

    async fn turn_of(&self, run: RunId) -> Result<Option<TurnPlace>, StoreError> {
        self.inner.turn_of(run).await
    }

    async fn runs_in_turn(
        &self,
        buckets: Range<u16>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.inner.runs_in_turn(buckets, limit).await
    }

    async fn tally(
        &self,
        environment: Option<&EnvironmentName>,
        integration: Option<&Name>,
    ) -> Result<Tally, StoreError> {
        self.inner.tally(environment, integration).await
    }

    async fn tally_places(
        &self,
        after: Option<&(EnvironmentName, Name)>,
    ) -> Result<Vec<(EnvironmentName, Name)>, StoreError> {
        self.inner.tally_places(after).await
    }

    async fn ledger(&self, filter: &LedgerFilter) -> Result<Vec<LedgerEntry>, StoreError> {
        self.inner.ledger(filter).await
    }

    async fn document(&self, kind: &str, name: &str) -> Result<Option<Document>, StoreError> {
        self.inner.document(kind, name).await
    }

    async fn documents(
        &self,
        kind: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        self.inner.documents(kind, after, limit).await
    }

    async fn key_owner(&self, scope: &str, key: &str) -> Result<Option<RunId>, StoreError> {
        self.inner.key_owner(scope, key).await
    }

    async fn erase(&self, runs: &[RunId], signals: &[u64]) -> Result<Erased, StoreError> {
        self.inner.erase(runs, signals).await
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        self.inner.scrub().await
    }

    async fn prune(&self, retention: &Retention, limit: usize) -> Result<Pruned, StoreError> {
        self.inner.prune(retention, limit).await
    }
}

#[cfg(test)]
#[path = "spill_tests.rs"]
mod tests;
