use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use qc_model::RunId;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    Accept, AcceptOutcome, Change, ChangeOutcome, Lease, ReadBack, Resolution, Store, StoreError,
    Txn, TxnOutcome, Write, WriteOutcome, blobs::Blobs, spill::Spill,
};

/// The bounds of group commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitLimits {
    /// The most writes in one commit.
    pub batch_writes: usize,
    /// The most bytes in one commit; a heavier single write goes alone.
    pub batch_bytes: usize,
    /// The most writes that wait for the commit in flight.
    pub queue: usize,
    /// The most bytes that wait for the commit in flight.
    pub queue_bytes: usize,
}

impl Default for CommitLimits {
    fn default() -> Self {
        Self { batch_writes: 512, batch_bytes: 4 << 20, queue: 4096, queue_bytes: 128 << 20 }
    }
}

/// Lets many callers share one fsync: commits at once when idle; what arrives while a commit is in
/// flight goes into the next one. Never waits for a batch to fill.
///
/// Writes are committed in the order in which they were handed over. A full queue answers
/// [`StoreError::Unavailable`] at once. When the store does not know what became of a batch, each
/// of its writes is read back, so that callers see [`StoreError::Unknown`] only when that fails
/// too. Dropping the future of a write does not take the write back.
#[derive(Debug, Clone)]
pub struct Committer {
    queue: mpsc::Sender<Pending>,
    waiting_bytes: Arc<AtomicUsize>,
    queue_bytes: usize,
    since: Since,
    spill: Option<Arc<Spill>>,
}

/// Since when the oldest write waits for its commit: it is in the batch in flight.
#[derive(Debug, Clone)]
struct Since(Arc<Mutex<Option<Instant>>>);

impl Since {
    fn set(&self, at: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

#[derive(Debug)]
struct Pending {
    write: Write,
    weight: usize,
    at: Instant,
    reply: oneshot::Sender<Result<WriteOutcome, StoreError>>,
}

impl Committer {
    /// A committer and its loop. The loop ends when all committers are gone and what they handed
    /// over is settled.
    pub fn new(
        store: Arc<dyn Store>,
        limits: CommitLimits,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, arrivals) = mpsc::channel(limits.queue.max(1));
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let since = Since(Arc::default());
        let commit_loop = CommitLoop {
            since: since.clone(),
            store,
            limits,
            arrivals,
            waiting_bytes: Arc::clone(&waiting_bytes),
            carried: None,
        };
        let queue_bytes = limits.queue_bytes;
        (Self { queue, waiting_bytes, queue_bytes, since, spill: None }, commit_loop.run())
    }

    /// For how long the oldest write that is not settled has waited.
    pub fn oldest_wait(&self) -> Duration {
        let since = *self.since.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.map_or(Duration::ZERO, |at| at.elapsed())
    }

    /// One that takes large bodies out of what it is given, before it is handed over. Reads must then go through a
    /// [`SpillStore`](crate::SpillStore).
    #[must_use]
    pub fn with_blobs(self, blobs: Arc<dyn Blobs>, store: Arc<dyn Store>) -> Self {
        Self { spill: Some(Arc::new(Spill { blobs, store })), ..self }
    }

    /// Writes, and returns when it is durable.
    pub async fn write(&self, mut write: Write) -> Result<WriteOutcome, StoreError> {
        write.check()?;
        if let Some(spill) = &self.spill
            && Spill::concerns(&write)
        {
            // In a box: few writes need it, and it would make all futures larger.
            Box::pin(spill.take_out(&mut write)).await?;
        }
        let weight = write.weight();
        let waiting = self.waiting_bytes.fetch_add(weight, Ordering::Relaxed);
        // An empty queue takes any legal write, however small the cap.
        if waiting > 0 && waiting + weight > self.queue_bytes {
            self.waiting_bytes.fetch_sub(weight, Ordering::Relaxed);
            return Err(StoreError::Unavailable(format!(
                "{waiting} bytes wait to be committed already"
            )));
        }
        let (reply, outcome) = oneshot::channel();
        if let Err(refused) =
            self.queue.try_send(Pending { write, weight, at: Instant::now(), reply })
        {
            self.waiting_bytes.fetch_sub(weight, Ordering::Relaxed);
            return Err(StoreError::Unavailable(match refused {
                mpsc::error::TrySendError::Full(_) => {
                    "too many writes wait to be committed already".to_owned()
                }
                mpsc::error::TrySendError::Closed(_) => "the committer has stopped".to_owned(),
            }));
        }
        outcome.await.unwrap_or_else(|_| {
            Err(StoreError::Unknown("the committer stopped before it answered".to_owned()))
        })
    }

    /// Accepts an event.
    pub async fn accept(&self, accept: Accept) -> Result<AcceptOutcome, StoreError> {
        match self.write(Write::Accept(Box::new(accept))).await? {
            WriteOutcome::Accept(outcome) => Ok(outcome),
            other => Err(mismatch(&other)),
        }
    }

    /// Takes a run a step further.
    pub async fn commit(&self, lease: &Lease, txn: Txn) -> Result<TxnOutcome, StoreError> {
        let write = Write::Commit { lease: lease.clone(), txn: Box::new(txn) };
        match self.write(write).await? {
            WriteOutcome::Commit(outcome) => Ok(outcome),
            other => Err(mismatch(&other)),
        }
    }

    /// Changes documents.
    pub async fn change(&self, change: Change) -> Result<ChangeOutcome, StoreError> {
        match self.write(Write::Change(Box::new(change))).await? {
            WriteOutcome::Change(outcome) => Ok(outcome),
            other => Err(mismatch(&other)),
        }
    }

    /// Counts that these runs are about to be taken up; see [`Write::Claim`].
    pub async fn claim(
        &self,
        lease: &Lease,
        runs: Vec<RunId>,
    ) -> Result<Vec<Option<u32>>, StoreError> {
        match self.write(Write::Claim { lease: lease.clone(), runs }).await? {
            WriteOutcome::Claim(counts) => Ok(counts),
            other => Err(mismatch(&other)),
        }
    }
}

fn mismatch(outcome: &WriteOutcome) -> StoreError {
    StoreError::Corrupt(format!("the store answered another kind of write: {outcome:?}"))
}

/// Who waits for one write of the batch in flight.
struct Caller {
    reply: oneshot::Sender<Result<WriteOutcome, StoreError>>,
    read_back: ReadBack,
}

struct CommitLoop {
    since: Since,
    store: Arc<dyn Store>,
    limits: CommitLimits,
    arrivals: mpsc::Receiver<Pending>,
    waiting_bytes: Arc<AtomicUsize>,
    /// What did not fit into the batch before.
    carried: Option<Pending>,
}

impl CommitLoop {
    async fn run(mut self) {
        while let Some(batch) = self.next_batch().await {
            self.since.set(batch.first().map(|first| first.at));
            self.commit(batch).await;
            self.since.set(None);
            // Lets the callers just answered hand over their next write, so that closed loops
            // share commits instead of taking turns.
            tokio::task::yield_now().await;
        }
    }

    /// Waits for a first write, then takes along what is there, up to the caps.
    async fn next_batch(&mut self) -> Option<Vec<Pending>> {
        let first = match self.carried.take() {
            Some(pending) => pending,
            None => self.arrivals.recv().await?,
        };
        let mut bytes = first.weight;
        let mut batch = vec![first];
        while batch.len() < self.limits.batch_writes {
            let Ok(next) = self.arrivals.try_recv() else { break };
            if bytes + next.weight > self.limits.batch_bytes {
                self.carried = Some(next);
                break;
            }
            bytes += next.weight;
            batch.push(next);
        }
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        Some(batch)
    }

    async fn commit(&self, batch: Vec<Pending>) {
        let mut callers = Vec::with_capacity(batch.len());
        let mut writes = Vec::with_capacity(batch.len());
        for Pending { write, reply, .. } in batch {
            callers.push(Caller { reply, read_back: ReadBack::of(&write) });
            writes.push(write);
        }
        match self.store.write(writes).await {
            Ok(outcomes) if outcomes.len() == callers.len() => {
                for (caller, outcome) in callers.into_iter().zip(outcomes) {
                    let _ = caller.reply.send(Ok(outcome));
                }
            }
            Ok(outcomes) => {
                let problem = StoreError::Unknown(format!(
                    "the store answered {} of {} writes",
                    outcomes.len(),
                    callers.len()
                ));
                self.read_back(callers, &problem).await;
            }
            Err(problem @ StoreError::Unknown(_)) => self.read_back(callers, &problem).await,
            Err(problem) => {
                for caller in callers {
                    let _ = caller.reply.send(Err(problem.clone()));
                }
            }
        }
    }

    async fn read_back(&self, callers: Vec<Caller>, problem: &StoreError) {
        for caller in callers {
            let answer = match caller.read_back.resolve(self.store.as_ref()).await {
                Ok(Resolution::Settled(outcome)) => Ok(outcome),
                Ok(Resolution::NotWritten) => {
                    Err(StoreError::Unavailable(format!("nothing was written: {problem}")))
                }
                Err(_) => Err(problem.clone()),
            };
            let _ = caller.reply.send(answer);
        }
    }
}

#[cfg(test)]
#[path = "committer_tests.rs"]
mod tests;
