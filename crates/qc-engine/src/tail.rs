//! How far the signals were read for the runs of a tenure, and from where the next one must read: what was handed over and
//! is not done yet holds the place back. Nothing between reading a signal and doing what it asks for is lost with the process.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, watch};

/// What this node knows of the signals as a whole.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// There are new signals, or there may be.
    pub(crate) came: Notify,
    /// Signals were read: subscriptions may go on.
    pub(crate) published: Notify,
    /// The last place that was read.
    head: AtomicU64,
}

impl News {
    /// Signals were written, or have to be read again.
    pub(crate) fn wake(&self) {
        self.came.notify_one();
    }

    /// Signals were read up to here.
    pub(crate) fn saw(&self, place: u64) {
        self.head.fetch_max(place, Ordering::AcqRel);
    }

    /// The last place that was read for anybody.
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }
}

/// The reading of the signals for the runs of one tenure.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    places: Mutex<Places>,
    /// The place of the owner before is known. Before that nobody may begin to wait: a hold would hold nothing.
    begun: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Places {
    /// All up to here were read, and handed to those who wait for them.
    read: u64,
    /// Who still works on what comes after a place, counted by place.
    held: BTreeMap<u64, usize>,
    /// Something that was read was given up: it has to be read again.
    forfeited: bool,
}

/// Keeps whoever reads next from beginning after a place, until it says that what comes after it is done. One that is only
/// dropped was not done: it is read again.
#[derive(Debug)]
pub(crate) struct Hold {
    tail: Arc<Tail>,
    after: u64,
    done: bool,
}

impl Tail {
    fn places(&self) -> MutexGuard<'_, Places> {
        // Nothing panics while it holds the lock between two halves of a change.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins at a place.
    pub(crate) fn begin(&self, read: u64) {
        let mut places = self.places();
        places.read = read;
        places.forfeited = false;
        drop(places);
        self.begun.send_if_modified(|begun| !std::mem::replace(begun, true));
    }

    /// Whether it has begun.
    pub(crate) fn has_begun(&self) -> bool {
        *self.begun.borrow()
    }

    /// For who waits for that.
    pub(crate) fn begun(&self) -> watch::Receiver<bool> {
        self.begun.subscribe()
    }

    /// Everything up to here was read and handed over.
    pub(crate) fn advance(&self, read: u64) {
        self.places().read = read;
    }

    /// Up to where signals were read.
    pub(crate) fn read(&self) -> u64 {
        self.places().read
    }

    /// Up to where nothing is left to be done: from here the next one reads. None when something was given up: then the
    /// signals are read again from the place that was written down last.
    pub(crate) fn settled(&self) -> Option<u64> {
        let places = self.places();
        let held = places.held.first_key_value().map(|(after, _)| *after);
        let settled = held.map_or(places.read, |held| held.min(places.read));
        (!places.forfeited).then_some(settled)
    }

    /// Holds everything that was not read yet.
    pub(crate) fn hold(self: &Arc<Self>) -> Hold {
        let mut places = self.places();
        let after = places.read;
        *places.held.entry(after).or_default() += 1;
        drop(places);
        Hold { tail: Arc::clone(self), after, done: false }
    }

    /// Holds everything after a place.
    pub(crate) fn hold_after(self: &Arc<Self>, after: u64) -> Hold {
        *self.places().held.entry(after).or_default() += 1;
        Hold { tail: Arc::clone(self), after, done: false }
    }
}

impl Hold {
    /// What comes after the place is done.
    pub(crate) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut places = self.tail.places();
        places.forfeited |= !self.done;
        if let Some(count) = places.held.get_mut(&self.after) {
            *count -= 1;
            if *count == 0 {
                places.held.remove(&self.after);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_done_holds_the_place_back() {
        let tail = Arc::new(Tail::default());
        tail.begin(5);
        let (first, again) = (tail.hold(), tail.hold());
        tail.advance(9);
        let later = tail.hold_after(7);
        assert_eq!((tail.read(), tail.settled()), (9, Some(5)));
        first.done();
        assert_eq!(tail.settled(), Some(5), "another one still works on it");
        again.done();
        assert_eq!(tail.settled(), Some(7));
        later.done();
        assert_eq!(tail.settled(), Some(9));
        drop(tail.hold());
        assert_eq!(tail.settled(), None, "it was not done, and is read again");
        tail.begin(7);
        assert_eq!(tail.settled(), Some(7));
    }
}
