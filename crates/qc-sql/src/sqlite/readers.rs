use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use qc_store::StoreError;
use rusqlite::Connection;
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{
    SqliteOptions,
    open::open_reader,
    trouble::{Outcome, Trouble},
    words::WordTexts,
};

/// So many questions may wait for a reader.
const WAITING_MAX: usize = 1024;

/// A few connections that only read, used on the runtime's blocking threads.
pub(super) struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    time: Duration,
    words: Arc<WordTexts>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, options: &SqliteOptions) -> Self {
        Self {
            path,
            idle: Arc::default(),
            permits: Arc::new(Semaphore::new(options.readers.max(1))),
            waiting: AtomicUsize::new(0),
            time: options.read_time,
            words: Arc::default(),
        }
    }

    /// Answers a question within its time.
    pub(super) async fn read<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &WordTexts) -> Outcome<T> + Send + 'static,
    {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(StoreError::Unavailable("too many questions wait already".to_owned()));
        }
        let _waiting = Waiting(&self.waiting);
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Unavailable("the store is closed".to_owned()))?;
        let (idle, words) = (Arc::clone(&self.idle), Arc::clone(&self.words));
        let (path, time) = (self.path.clone(), self.time);
        let answered = spawn_blocking(move || {
            let _permit = permit;
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut db = match kept {
                Some(db) => db,
                None => open_reader(&path)
                    .map_err(|error| StoreError::Unavailable(error.to_string()))?,
            };
            let end = Instant::now() + time;
            let answer = db
                .progress_handler(20_000, Some(move || Instant::now() >= end))
                .map_err(Trouble::from)
                .and_then(|()| question(&db, &words));
            match answer {
                Ok(answer) => {
                    idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
                    Ok(answer)
                }
                // The connection goes too: a fresh one has seen nothing of the trouble.
                Err(trouble) => Err(trouble.classify()),
            }
        });
        // The error would repeat what a panic said.
        answered.await.unwrap_or_else(|_| {
            Err(StoreError::Unavailable("the question was not answered: it broke off".to_owned()))
        })
    }

    /// Closes what is idle; questions under way close theirs by ending.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Counts down when the question is answered or given up.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
