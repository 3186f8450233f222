//! How far this node has read the signals, and from where the next one must read: what was handed over and is not done
//! yet holds the place back. Nothing between reading a signal and doing what it asks for is lost with the process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// The reading of the signals.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    places: Mutex<Places>,
    /// There are new signals, or there may be.
    pub(crate) news: Notify,
    /// Signals were read: subscriptions may go on.
    pub(crate) published: Notify,
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

/// Keeps whoever reads next from beginning after a place. Dropped when what comes after it is done.
#[derive(Debug)]
pub(crate) struct Hold {
    tail: Arc<Tail>,
    after: u64,
}

impl Tail {
    fn places(&self) -> MutexGuard<'_, Places> {
        // Nothing panics while it holds the lock between two halves of a change.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signals were written.
    pub(crate) fn wake(&self) {
        self.news.notify_one();
    }

    /// Begins at a place.
    pub(crate) fn begin(&self, read: u64) {
        let mut places = self.places();
        places.read = read;
        places.forfeited = false;
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
        Hold { tail: Arc::clone(self), after }
    }

    /// Holds everything after a place.
    pub(crate) fn hold_after(self: &Arc<Self>, after: u64) -> Hold {
        *self.places().held.entry(after).or_default() += 1;
        Hold { tail: Arc::clone(self), after }
    }
}

impl Hold {
    /// What comes after the place cannot be done now: it is read again.
    pub(crate) fn forfeit(self) {
        self.tail.places().forfeited = true;
        self.tail.wake();
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut places = self.tail.places();
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
        drop(first);
        assert_eq!(tail.settled(), Some(5), "another one still works on it");
        drop(again);
        assert_eq!(tail.settled(), Some(7));
        drop(later);
        assert_eq!(tail.settled(), Some(9));
        tail.hold().forfeit();
        assert_eq!(tail.settled(), None, "it was not done, and is read again");
        tail.begin(7);
        assert_eq!(tail.settled(), Some(7));
    }
}
