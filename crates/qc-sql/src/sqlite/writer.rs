//! The one thread that writes. It owns the write connection, the leases and the caches; everything
//! reaches it as a [`Job`].

use std::{
    fs::File,
    ops::Range,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use qc_model::RunId;
use qc_store::{
    BudgetTable, Draw, Drawn, Erased, Lease, LeaseSeen, LeaseTable, NodeTable, Pruned, Retention,
    StoreError, Write, WriteOutcome,
};
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::{mpsc, oneshot};

use super::{
    apply::{self, Desk, LedgerTail, TallyTail},
    checkpoint::{Checkpointer, begin_log_anew, empty_log},
    open::Opened,
    trouble::{Outcome, Trouble},
    words::WordNumbers,
};

/// One request to the writer.
pub(super) enum Job {
    Write { batch: Vec<Write>, reply: Reply<Vec<WriteOutcome>> },
    Lease { buckets: Range<u16>, node: String, ttl: Duration, reply: Reply<Option<Lease>> },
    Renew { leases: Vec<Lease>, ttl: Duration, reply: Reply<Vec<bool>> },
    Release { leases: Vec<Lease>, reply: Reply<()> },
    Leases { reply: Reply<Vec<LeaseSeen>> },
    Announce { node: String, ttl: Duration, reply: Reply<()> },
    Nodes { reply: Reply<Vec<String>> },
    Draw { holder: u64, draws: Vec<Draw>, lease: Duration, reply: Reply<Vec<Drawn>> },
    PruneRows { retention: Retention, at_most: Pruned, reply: Reply<Pruned> },
    PruneRuns { runs: Vec<i64>, retention: Retention, reply: Reply<usize> },
    Erase { runs: Vec<RunId>, signals: Vec<u64>, reply: Reply<Erased> },
    Scrub { reply: Reply<()> },
}

/// Where the answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

pub(super) struct Writer {
    db: Connection,
    words: WordNumbers,
    leases: LeaseTable,
    nodes: NodeTable,
    budgets: BudgetTable,
    epoch: i64,
    ledger: LedgerTail,
    tally: TallyTail,
    checkpointer: Checkpointer,
    wal_pages_max: u32,
    /// The size of the log at which emptying it is tried again.
    force_at: u32,
    /// Set when the disk did not keep what it was given: nothing is written after that.
    broken: Option<StoreError>,
    started: Instant,
    /// Released when the writer is gone, and the connection with it.
    _lock: File,
}

impl Writer {
    pub(super) fn new(
        opened: Opened,
        checkpointer: Checkpointer,
        wal_bytes_max: u64,
    ) -> Outcome<Self> {
        let Opened { mut db, lock } = opened;
        let wal_pages = Arc::clone(&checkpointer.wal_pages);
        db.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            wal_pages.store(pages.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        }))?;
        let epoch = db
            .query_row("SELECT value FROM fact WHERE name = 'lease_epoch'", [], |row| row.get(0))
            .optional()?
            .unwrap_or(0);
        let page: u64 =
            db.pragma_query_value(None, "page_size", |row| row.get(0)).map(i64::unsigned_abs)?;
        // What a backup or a long question has let grow is cut again when the log begins anew.
        let limit = i64::try_from(wal_bytes_max.saturating_mul(2)).unwrap_or(i64::MAX);
        db.pragma_update_and_check(None, "journal_size_limit", limit, |_| Ok(()))?;
        let wal_pages_max = u32::try_from(wal_bytes_max / page.max(1)).unwrap_or(u32::MAX).max(1);
        Ok(Self {
            ledger: LedgerTail::read(&db)?,
            tally: TallyTail::default(),
            db,
            words: WordNumbers::default(),
            leases: LeaseTable::default(),
            nodes: NodeTable::default(),
            budgets: BudgetTable::default(),
            epoch,
            checkpointer,
            wal_pages_max,
            force_at: wal_pages_max,
            broken: None,
            started: Instant::now(),
            _lock: lock,
        })
    }

    /// Works until all who could send a job are gone.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.blocking_recv() {
            // A caller who has stopped waiting misses the answer, not the deed.
            match job {
                Job::Write { batch, reply } => drop(reply.send(self.write(&batch))),
                Job::Lease { buckets, node, ttl, reply } => {
                    drop(reply.send(self.lease(buckets, &node, ttl)));
                }
                Job::Renew { leases, ttl, reply } => {
                    let until = self.started.elapsed() + ttl;
                    let held = leases.iter().map(|lease| self.leases.renew(lease, until));
                    drop(reply.send(Ok(held.collect())));
                }
                Job::Release { leases, reply } => {
                    for lease in &leases {
                        self.leases.release(lease);
                    }
                    drop(reply.send(Ok(())));
                }
                Job::Leases { reply } => {
                    drop(reply.send(Ok(self.leases.seen(self.started.elapsed()))));
                }
                Job::Announce { node, ttl, reply } => {
                    let now = self.started.elapsed();
                    self.nodes.announce(&node, now, now + ttl);
                    drop(reply.send(Ok(())));
                }
                Job::Nodes { reply } => {
                    drop(reply.send(Ok(self.nodes.live(self.started.elapsed()))));
                }
                Job::Draw { holder, draws, lease, reply } => {
                    let now = self.started.elapsed();
                    drop(reply.send(self.budgets.draw(holder, &draws, lease, now)));
                }
                Job::PruneRows { retention, at_most, reply } => {
                    drop(reply.send(self.in_transaction(|writer| {
                        apply::prune_rows(&writer.desk(), &retention, at_most)
                    })));
                }
                Job::PruneRuns { runs, retention, reply } => {
                    drop(reply.send(self.in_transaction(|writer| {
                        apply::prune_runs(&mut writer.desk(), &runs, &retention)
                    })));
                }
                Job::Erase { runs, signals, reply } => {
                    drop(reply.send(self.in_transaction(|writer| {
                        apply::erase(&mut writer.desk(), &runs, &signals)
                    })));
                }
                Job::Scrub { reply } => drop(reply.send(self.scrub())),
            }
            self.bound_the_log();
        }
    }

    fn write(&mut self, batch: &[Write]) -> Result<Vec<WriteOutcome>, StoreError> {
        for write in batch {
            write.check()?;
        }
        self.in_transaction(|writer| batch.iter().map(|write| writer.apply(write)).collect())
    }

    fn apply(&mut self, write: &Write) -> Outcome<WriteOutcome> {
        let mut desk = self.desk();
        Ok(match write {
            Write::Accept(accept) => WriteOutcome::Accept(apply::accept(&mut desk, accept)?),
            Write::Commit { lease, txn } => {
                WriteOutcome::Commit(apply::commit(&mut desk, lease, txn)?)
            }
            Write::Change(change) => WriteOutcome::Change(apply::change(&mut desk, change)?),
            Write::Claim { lease, runs } => WriteOutcome::Claim(apply::claim(&desk, lease, runs)?),
        })
    }

    fn desk(&mut self) -> Desk<'_> {
        let Self { db, words, leases, ledger, tally, .. } = self;
        Desk { db, words, leases, ledger, tally }
    }

    fn lease(
        &mut self,
        buckets: Range<u16>,
        node: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let now = self.started.elapsed();
        if !self.leases.free_for(&buckets, node, now)? {
            return Ok(None);
        }
        // The epoch is durable before anybody holds it; who holds it lives and dies with this
        // process, which is alone on the database.
        let epoch = self.epoch + 1;
        self.in_transaction(|writer| {
            let put = "INSERT INTO fact (name, value) VALUES ('lease_epoch', ?1) \
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            Ok(writer.db.prepare_cached(put)?.execute([epoch])?)
        })?;
        self.epoch = epoch;
        self.leases.take(buckets, node, epoch.unsigned_abs(), now + ttl).map(Some)
    }

    /// Everything the deed writes, or nothing; durable when this returns.
    fn in_transaction<T>(
        &mut self,
        deed: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let ledger = self.ledger.clone();
        let done = self.begin().and_then(|()| deed(self)).and_then(|answer| {
            self.ledger.settle(&self.db)?;
            self.tally.settle(&self.db)?;
            self.db.prepare_cached("COMMIT")?.execute([])?;
            Ok(answer)
        });
        match done {
            Ok(answer) => Ok(answer),
            Err(trouble) => {
                self.ledger = ledger;
                self.tally.forget();
                Err(self.undo(&trouble))
            }
        }
    }

    fn begin(&self) -> Outcome<()> {
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    fn undo(&mut self, trouble: &Trouble) -> StoreError {
        self.words.forget();
        let error = trouble.classify();
        if trouble.is_failed_sync() {
            self.broken = Some(StoreError::Unavailable(format!(
                "the disk did not keep what it was given ({error}); start again after it was \
                 checked"
            )));
        } else if matches!(error, StoreError::Corrupt(_)) {
            self.broken = Some(error.clone());
        }
        // SQLite has undone it already after some errors.
        if !self.db.is_autocommit()
            && let Err(failed) = self.db.execute_batch("ROLLBACK")
        {
            self.broken = Some(StoreError::Unavailable(format!(
                "a failed write could not be undone: {failed}"
            )));
            return StoreError::Unknown(failed.to_string());
        }
        error
    }

    /// Writes the database anew, without what was removed, and empties the log.
    fn scrub(&mut self) -> Result<(), StoreError> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let done = self.db.execute_batch("VACUUM").and_then(|()| empty_log(&self.db));
        match done {
            Ok(true) => {
                self.checkpointer.wal_pages.store(0, Ordering::Relaxed);
                Ok(())
            }
            Ok(false) => Err(StoreError::Unavailable(
                "somebody reads what is to be overwritten; try again".to_owned(),
            )),
            Err(error) => Err(self.undo(&error.into())),
        }
    }

    /// Begins the log anew when it has grown beyond its bound: the checkpoint thread cannot while
    /// commits follow each other without a pause.
    fn bound_the_log(&mut self) {
        let pages = self.checkpointer.after_commit();
        if pages < self.wal_pages_max {
            self.force_at = self.wal_pages_max;
        }
        if pages < self.force_at {
            return;
        }
        match begin_log_anew(&self.db) {
            Ok(true) => self.checkpointer.wal_pages.store(0, Ordering::Relaxed),
            Ok(false) => {
                // A long question holds it up: again after a further eighth.
                self.force_at = pages.saturating_add((self.wal_pages_max / 8).max(1));
            }
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log could not be begun anew");
                self.force_at = pages.saturating_add((self.wal_pages_max / 8).max(1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use qc_store::conformance::Fixture;
    use rusqlite::ffi;

    use super::*;
    use crate::sqlite::{SqliteOptions, open};

    fn writer(directory: &std::path::Path) -> Writer {
        let path = directory.join("qc.db");
        let opened = open::open(&path, &SqliteOptions::default()).unwrap();
        let checkpointer = Checkpointer::start(open::open_checkpointer(&path).unwrap()).unwrap();
        Writer::new(opened, checkpointer, 1 << 20).unwrap()
    }

    fn accept(n: u128) -> Vec<Write> {
        vec![Write::Accept(Box::new(Fixture::accept(n)))]
    }

    /// Writes a row, then fails as SQLite would.
    fn fail(writer: &mut Writer, code: i32) -> StoreError {
        let failed: Result<(), _> = writer.in_transaction(|writer| {
            writer.words.number(&writer.db, "of a failed write")?;
            Err(Trouble::Sql(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)))
        });
        failed.unwrap_err()
    }

    #[test]
    fn nothing_is_written_after_a_failed_sync() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = writer(directory.path());
        assert!(writer.write(&accept(1)).is_ok());
        assert!(matches!(fail(&mut writer, ffi::SQLITE_IOERR_FSYNC), StoreError::Unknown(_)));
        assert!(matches!(writer.write(&accept(2)), Err(StoreError::Unavailable(_))));
        let refused = writer.lease(0..1, "a", Duration::from_secs(1));
        assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    }

    #[test]
    fn what_failed_for_want_of_room_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = writer(directory.path());
        assert!(matches!(fail(&mut writer, ffi::SQLITE_FULL), StoreError::Full(_)));
        assert!(matches!(fail(&mut writer, ffi::SQLITE_IOERR_WRITE), StoreError::Full(_)));
        assert!(writer.write(&accept(1)).is_ok());
        let words: i64 = writer
            .db
            .query_row("SELECT count(*) FROM word WHERE text LIKE 'of a failed%'", [], |r| r.get(0))
            .unwrap();
        assert_eq!(words, 0);
    }

    #[test]
    fn damage_stops_the_writer() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = writer(directory.path());
        assert!(matches!(fail(&mut writer, ffi::SQLITE_CORRUPT), StoreError::Corrupt(_)));
        assert!(matches!(writer.write(&accept(1)), Err(StoreError::Corrupt(_))));
    }
}
