//! A batch as one transaction: presumed or read, decided, put; decided again when others were faster.

use std::sync::atomic::{AtomicU32, Ordering};

use qc_store::{StoreError, Write, WriteOutcome};

use super::{
    apply::{self, Known},
    connection::Connection,
    connections::Connections,
    load::{self, load},
    put::{self, Failed, put},
    server_check::Backend,
    trouble::{Meaning, Outcome, Trouble},
};

/// So often a batch is decided: each further time because another transaction was faster.
const TRIES_MAX: usize = 16;

/// So many batches are read first after a presumption was wrong: duplicates come in swarms.
const WARY: u32 = 32;

/// Writes batches.
pub(super) struct Writer {
    connections: Connections,
    /// How many batches are still to be read first.
    wary: AtomicU32,
}

impl Writer {
    pub(super) fn new(connections: Connections) -> Self {
        Self { connections, wary: AtomicU32::new(0) }
    }

    pub(super) fn close(&self) {
        self.connections.close();
    }

    /// Writes a batch. When the connection ends after the commit was sent, the answer is `Unknown`
    /// and the server's process of that connection is gone, so that what is read back is final.
    pub(super) async fn write(&self, batch: &[Write]) -> Result<Vec<WriteOutcome>, StoreError> {
        for write in batch {
            write.check()?;
        }
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let mut again = true;
        loop {
            let mut lent = self.connections.take().await.map_err(|trouble| trouble.classify())?;
            let backend = lent.backend().clone();
            match self.decide(&mut lent, batch).await {
                Ok(outcomes) => {
                    lent.give_back();
                    return Ok(outcomes);
                }
                Err(Failed::Undone(trouble)) => {
                    // It broke while it was idle: nothing was sent that could have been done.
                    if again && lent.used && lent.is_closed() && trouble.meaning() == Meaning::Lost
                    {
                        again = false;
                        continue;
                    }
                    return Err(trouble.classify());
                }
                Err(Failed::Unknown(trouble)) => {
                    drop(lent);
                    self.end(&backend).await;
                    return Err(StoreError::Unknown(trouble.classify().to_string()));
                }
            }
        }
    }

    async fn decide(
        &self,
        connection: &mut Connection,
        batch: &[Write],
    ) -> Result<Vec<WriteOutcome>, Failed> {
        connection.prepare(&load::STATEMENTS).await.map_err(Failed::Undone)?;
        connection.prepare(&put::STATEMENTS).await.map_err(Failed::Undone)?;
        let mut presumed = if self.is_wary() { None } else { Known::presumed(batch) };
        let mut tries = 0;
        loop {
            tries += 1;
            let presuming = presumed.is_some();
            let known = match presumed.take() {
                Some(known) => known,
                None => self.read(connection, batch).await.map_err(Failed::Undone)?,
            };
            let (outcomes, deeds) = apply::batch(batch, known);
            match put(connection, &deeds, presuming).await {
                Ok(()) => return Ok(outcomes),
                Err(Failed::Undone(trouble)) if trouble.is_worth_another_try() => {
                    if presuming {
                        self.wary.store(WARY, Ordering::Relaxed);
                    }
                    if tries >= TRIES_MAX {
                        let why = format!("other transactions were faster {tries} times: ");
                        let last = trouble.classify();
                        let late = StoreError::Unavailable(format!("{why}{last}"));
                        return Err(Failed::Undone(late.into()));
                    }
                }
                Err(failed) => return Err(failed),
            }
        }
    }

    async fn read<'a>(
        &self,
        connection: &mut Connection,
        batch: &'a [Write],
    ) -> Outcome<Known<'a>> {
        let mut tries = 0;
        loop {
            tries += 1;
            match load(connection, batch).await {
                Ok(known) => return Ok(known),
                Err(trouble) if trouble.is_worth_another_try() && tries < TRIES_MAX => {
                    connection.run("ROLLBACK").await?;
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// Whether this batch is to be read first; counts down.
    fn is_wary(&self) -> bool {
        self.wary
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .is_ok()
    }

    /// Ends the server's process behind a lost connection and waits until it is gone: it could
    /// still commit what it was sent, after somebody has read back that nothing is there.
    async fn end(&self, backend: &Backend) {
        for _ in 0..3 {
            let Ok(mut lent) = self.connections.take().await else { continue };
            match lent.end(backend).await {
                Ok(()) => return lent.give_back(),
                Err(error) => tracing::debug!(?error, "a lost connection is not ended yet"),
            }
        }
        tracing::warn!("the server's end of a lost connection could not be ended");
    }
}

impl Trouble {
    fn is_worth_another_try(&self) -> bool {
        matches!(self.meaning(), Meaning::Stale | Meaning::Collision)
    }
}
