//! Moves committed pages from the write-ahead log into the database, on a thread and a connection
//! of its own, so that commits do not wait for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::Connection;

use super::pragmas::BUSY_WAIT;

/// So many new pages in the log are worth a checkpoint (4 MiB).
const WORTH_PAGES: u32 = 1000;

/// The thread, from the writer's side.
pub(super) struct Checkpointer {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Pages in the log after the last commit.
    pub(super) wal_pages: Arc<AtomicU32>,
    /// Pages in the log when the thread was woken last.
    seen: u32,
}

impl Checkpointer {
    /// Starts the thread.
    pub(super) fn start(db: Connection) -> std::io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("qc-checkpoint".to_owned())
            .spawn(move || run(&db, &woken))?;
        let wal_pages = Arc::new(AtomicU32::new(0));
        Ok(Self { wake: Some(wake), thread: Some(thread), wal_pages, seen: 0 })
    }

    /// After a commit: wakes the thread when there is enough to do; answers the pages in the log.
    pub(super) fn after_commit(&mut self) -> u32 {
        let pages = self.wal_pages.load(Ordering::Relaxed);
        if pages < self.seen {
            // The log has begun anew.
            self.seen = 0;
        }
        if pages - self.seen >= WORTH_PAGES {
            self.seen = pages;
            if let Some(wake) = &self.wake {
                // Full: it is awake already, and this round or the next moves these pages too.
                let _ = wake.try_send(());
            }
        }
        pages
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(db: &Connection, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        if let Err(error) = checkpoint(db, "PASSIVE") {
            // The pages stay in the log, where they are safe; the next round tries again.
            tracing::warn!(%error, "a checkpoint failed");
        }
    }
}

/// How long the writer waits for readers that are in the way of beginning the log anew.
const READERS_WAIT: Duration = Duration::from_millis(20);

/// Begins the log anew from the writer's connection; false when readers are in the way. A long one,
/// such as a backup, must not hold up commits for as long as other waits may take.
pub(super) fn begin_log_anew(db: &Connection) -> rusqlite::Result<bool> {
    db.busy_timeout(READERS_WAIT)?;
    let done = checkpoint(db, "RESTART");
    db.busy_timeout(BUSY_WAIT)?;
    done
}

/// Empties the log's file from the writer's connection; false when readers are in the way.
pub(super) fn empty_log(db: &Connection) -> rusqlite::Result<bool> {
    checkpoint(db, "TRUNCATE")
}

/// Checkpoints; true when the log could be emptied.
fn checkpoint(db: &Connection, mode: &str) -> rusqlite::Result<bool> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    db.query_row(&sql, [], |row| Ok(row.get::<_, i64>(0)? == 0))
}
