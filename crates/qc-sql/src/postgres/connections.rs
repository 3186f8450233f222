use std::{
    ops::{Deref, DerefMut},
    pin::Pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use qc_store::StoreError;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    connection::{Address, Connection, Purpose},
    trouble::{Meaning, Outcome, Trouble},
};

/// So many may wait for a connection.
const WAITING_MAX: usize = 1024;

/// An answer under way on a connection.
pub(super) type Answering<'a, T> = Pin<Box<dyn Future<Output = Outcome<T>> + Send + 'a>>;

/// A fixed number of connections of one purpose, made when they are needed and made again when they
/// broke.
pub(super) struct Connections {
    address: Address,
    purpose: Purpose,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
    waiting: AtomicUsize,
}

impl Connections {
    pub(super) fn new(address: Address, purpose: Purpose, count: usize) -> Self {
        let permits = Semaphore::new(count.max(1));
        Self { address, purpose, idle: Mutex::default(), permits, waiting: AtomicUsize::new(0) }
    }

    /// Waits for a connection.
    pub(super) async fn take(&self) -> Outcome<Lent<'_>> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            let full = "too many wait for a connection to PostgreSQL already";
            return Err(StoreError::Unavailable(full.to_owned()).into());
        }
        let permit = {
            let _waiting = Waiting(&self.waiting);
            self.permits.acquire().await
        };
        let closed = || Trouble::from(StoreError::Unavailable("the store is closed".to_owned()));
        let permit = permit.map_err(|_| closed())?;
        let kept = self.kept();
        let used = kept.is_some();
        let connection = match kept {
            Some(connection) => connection,
            None => self.address.open(self.purpose).await?,
        };
        Ok(Lent { connection: Some(connection), idle: &self.idle, used, _permit: permit })
    }

    /// The newest idle connection that is not known to be broken.
    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = idle.pop() {
            if !connection.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    /// Answers a question. A connection that broke while it was idle shows at its next use: then
    /// the question is asked once more on a fresh one.
    pub(super) async fn ask<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send,
        F: for<'c> Fn(&'c mut Connection) -> Answering<'c, T> + Send + Sync,
    {
        let mut again = true;
        loop {
            let mut lent = self.take().await.map_err(|trouble| trouble.classify())?;
            match question(&mut lent).await {
                Ok(answer) => {
                    lent.give_back();
                    return Ok(answer);
                }
                Err(Trouble::Sql(_)) if again && lent.used && lent.is_closed() => again = false,
                // A connection that has seen trouble goes: a fresh one is in a known state.
                Err(trouble) => return Err(trouble.classify()),
            }
        }
    }

    /// Does something that changes rows and may safely be done twice; collisions with other
    /// transactions are tried again.
    pub(super) async fn change<T, F>(&self, tries: usize, deed: F) -> Result<T, StoreError>
    where
        T: Send,
        F: for<'c> Fn(&'c mut Connection) -> Answering<'c, T> + Send + Sync,
    {
        let mut tried = 0;
        loop {
            let mut lent = self.take().await.map_err(|trouble| trouble.classify())?;
            tried += 1;
            match deed(&mut lent).await {
                Ok(answer) => {
                    lent.give_back();
                    return Ok(answer);
                }
                Err(trouble) => {
                    let broken = lent.used && lent.is_closed();
                    let passes = broken || trouble.meaning() == Meaning::Collision;
                    if !passes || tried >= tries {
                        return Err(trouble.classify());
                    }
                }
            }
        }
    }

    /// Closes what is idle; what is lent closes when it is given back.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A connection in use. Unless it is given back it is closed, and the server undoes what it had
/// begun: also when its user's future is dropped half-way.
pub(super) struct Lent<'a> {
    connection: Option<Connection>,
    idle: &'a Mutex<Vec<Connection>>,
    /// Whether it served before.
    pub(super) used: bool,
    _permit: SemaphorePermit<'a>,
}

impl Lent<'_> {
    /// Keeps the connection for the next; it must be outside a transaction.
    pub(super) fn give_back(mut self) {
        if let Some(connection) = self.connection.take()
            && !connection.is_closed()
        {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

impl Deref for Lent<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("it is there until it is given back")
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("it is there until it is given back")
    }
}

/// Counts down when the wait is over or given up.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
