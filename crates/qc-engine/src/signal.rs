//! Something that happens once and that many wait for.

use std::{
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
};

use tokio::sync::Notify;

/// Raised once, for good. Those who wait are woken in the order in which they began to: a channel
/// of tokio's would wake them in a random one, and no run of a simulation would be like another.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    raised: AtomicBool,
    waiting: Notify,
}

impl Signal {
    /// Raises it.
    pub(crate) fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        self.waiting.notify_waiters();
    }

    /// Whether it is raised.
    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }

    /// Waits until it is raised.
    pub(crate) async fn raised(&self) {
        let mut woken = pin!(self.waiting.notified());
        // Lined up before the look, so that nothing is missed between the two.
        woken.as_mut().enable();
        if !self.is_raised() {
            woken.await;
        }
    }
}
