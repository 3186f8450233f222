//! The one cable between a process and the outside.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use async_trait::async_trait;
use qc_model::{CallError, CallErrorKind, Caller, OutboundRequest, OutboundResponse};
use tokio::{sync::Notify, time::sleep};

const IN: u8 = 0;
const PULLED: u8 = 1;
const CUT: u8 = 2;

/// What a process sends goes through here for as long as it lives and is plugged in. Those under
/// way are told in the order in which they began.
pub(crate) struct Plug {
    outside: Arc<dyn Caller>,
    state: AtomicU8,
    changed: Notify,
}

impl Plug {
    pub(crate) fn new(outside: Arc<dyn Caller>) -> Self {
        Self { outside, state: AtomicU8::new(IN), changed: Notify::new() }
    }

    /// The process lives and hears nothing more: every call hangs.
    pub(crate) fn pull(&self) {
        self.state.store(PULLED, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// The process is dead: nothing more comes from it.
    pub(crate) fn cut(&self) {
        self.state.store(CUT, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Whether the process can be heard.
    pub(crate) fn is_in(&self) -> bool {
        self.state.load(Ordering::Acquire) == IN
    }

    /// Waits until it is not plugged in any more, and says how it stands.
    async fn out(&self) -> u8 {
        let mut changed = pin!(self.changed.notified());
        changed.as_mut().enable();
        if self.state.load(Ordering::Acquire) == IN {
            changed.await;
        }
        self.state.load(Ordering::Acquire)
    }

    async fn cut_off(&self) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.state.load(Ordering::Acquire) == CUT {
                return;
            }
            changed.await;
        }
    }
}

#[async_trait]
impl Caller for Plug {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let error = |kind, sent, message: &str| CallError { kind, sent, message: message.into() };
        let timeout = request.timeout;
        let state = tokio::select! {
            biased;
            state = self.out() => state,
            answer = self.outside.call(request) => return answer,
        };
        if state == PULLED {
            tokio::select! {
                biased;
                () = self.cut_off() => {}
                () = sleep(timeout) => {
                    return Err(error(CallErrorKind::Timeout, true, "nothing is heard any more"));
                }
            }
        }
        Err(error(CallErrorKind::Connect, false, "the process is dead"))
    }
}
