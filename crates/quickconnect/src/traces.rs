//! Traces: every run a span, every attempt of a call a span below it, exported by OTLP over HTTP.
//!
//! Here: the way from the engine's live happenings (`span` says what they mean) through a bounded queue to the collector
//! (`post`). The engine never waits for any of it: who falls behind loses spans, which are counted and logged.
//!
//! Deliberately not here: the ids, which the engine gives since they travel with its calls; metrics, which are scraped.

mod post;
mod span;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use qc_engine::Happening;
use qc_model::{Caller, Clock, Finding, Timestamp};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        mpsc, oneshot,
    },
    task::JoinHandle,
    time::timeout,
};

use self::{post::Post, span::Span};
use crate::codes;

/// How many spans wait for the collector at most.
const QUEUE: usize = 8_192;
/// How many spans one request carries at most.
const BATCH: usize = 512;
/// How long a span waits for others at most.
const LINGER: Duration = Duration::from_secs(1);
/// How long the last spans may take to be handed over.
const FLUSH: Duration = Duration::from_secs(5);
/// Losses are logged so often at most.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// The export of traces, at work.
pub(crate) struct Traces {
    stop: oneshot::Sender<()>,
    collecting: JoinHandle<()>,
    exporting: JoinHandle<()>,
    book: Arc<Book>,
}

/// How many spans there were, and what became of them.
#[derive(Debug, Default)]
struct Book {
    made: AtomicU64,
    exported: AtomicU64,
    dropped: AtomicU64,
}

impl Book {
    fn count(counter: &AtomicU64, spans: u64) {
        counter.fetch_add(spans, Ordering::Relaxed);
    }

    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Spans of which nobody has decided yet.
    fn open(&self) -> u64 {
        let settled = self.exported.load(Ordering::Relaxed) + self.dropped();
        self.made.load(Ordering::Relaxed).saturating_sub(settled)
    }
}

impl Traces {
    /// Begins to export what is heard from now on.
    pub(crate) fn begin(
        listener: broadcast::Receiver<Happening>,
        caller: Arc<dyn Caller>,
        clock: Arc<dyn Clock>,
        endpoint: &str,
        node: &str,
    ) -> Result<Self, Box<Finding>> {
        let post = Post::new(caller, endpoint, node)?;
        let book = Arc::new(Book::default());
        let (queue, spans) = mpsc::channel(QUEUE);
        let (stop, stopped) = oneshot::channel();
        let collecting = tokio::spawn(collect(listener, queue, Arc::clone(&book), stopped));
        let exporting = tokio::spawn(export(spans, post, Arc::clone(&book), clock));
        Ok(Self { stop, collecting, exporting, book })
    }

    /// Hands over what was heard until now, within a bound.
    pub(crate) async fn end(self) {
        let Self { stop, collecting, mut exporting, book } = self;
        // The collecting task may have ended with the engine.
        let _ = stop.send(());
        let last = async {
            drop(collecting.await);
            drop((&mut exporting).await);
        };
        if timeout(FLUSH, last).await.is_err() {
            exporting.abort();
            Book::count(&book.dropped, book.open());
        }
        let (exported, dropped) = (book.exported.load(Ordering::Relaxed), book.dropped());
        if dropped > 0 {
            tracing::warn!(code = %codes::SPANS_DROPPED, exported, dropped, "traces ended; spans were dropped");
        } else {
            tracing::debug!(exported, "traces ended");
        }
    }
}

/// Takes in what the engine tells, until it is asked to stop and all that was told is taken in.
async fn collect(
    mut listener: broadcast::Receiver<Happening>,
    queue: mpsc::Sender<Span>,
    book: Arc<Book>,
    mut stop: oneshot::Receiver<()>,
) {
    loop {
        let heard = tokio::select! {
            biased;
            heard = listener.recv() => heard,
            _ = &mut stop => return,
        };
        match heard {
            Ok(happening) => {
                let Some(span) = Span::of(&happening) else { continue };
                Book::count(&book.made, 1);
                if queue.try_send(span).is_err() {
                    Book::count(&book.dropped, 1);
                }
            }
            // At most so many spans: some of what was missed would not have been one.
            Err(RecvError::Lagged(missed)) => {
                Book::count(&book.made, missed);
                Book::count(&book.dropped, missed);
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// Sends batches until nothing more can come.
async fn export(
    mut spans: mpsc::Receiver<Span>,
    post: Post,
    book: Arc<Book>,
    clock: Arc<dyn Clock>,
) {
    let mut losses = Losses::default();
    loop {
        let mut batch = Vec::with_capacity(BATCH);
        let Some(first) = spans.recv().await else { return };
        batch.push(first);
        let filling = async {
            while batch.len() < BATCH {
                let Some(next) = spans.recv().await else { return };
                batch.push(next);
            }
        };
        // Either way the batch holds what there is.
        let _ = timeout(LINGER, filling).await;
        let count = batch.len() as u64;
        let refused = match post.send(&batch).await {
            Ok(()) => 0,
            Err(lost) => {
                losses.why = lost.why;
                lost.spans.min(count)
            }
        };
        Book::count(&book.dropped, refused);
        Book::count(&book.exported, count - refused);
        losses.tell(&book, clock.now());
    }
}

/// What was logged of losses.
#[derive(Default)]
struct Losses {
    why: String,
    told: u64,
    told_at: Option<Timestamp>,
}

impl Losses {
    fn tell(&mut self, book: &Book, now: Timestamp) {
        let dropped = book.dropped();
        let soon = self.told_at.is_some_and(|at| now.since(at) < TELL_EVERY);
        if dropped == self.told || soon {
            return;
        }
        let more = dropped - self.told;
        let why = if self.why.is_empty() {
            "they came faster than they could be sent"
        } else {
            &self.why
        };
        tracing::warn!(code = %codes::SPANS_DROPPED, more, dropped, "spans were dropped: {why}");
        self.why.clear();
        (self.told, self.told_at) = (dropped, Some(now));
    }
}

#[cfg(test)]
mod tests;
