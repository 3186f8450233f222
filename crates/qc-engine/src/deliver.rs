//! Hands to runs what woke them, each run's in order, until it is done: a run that cannot be reached now is tried again.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use qc_model::{Actor, RunId};
use qc_store::StoreError;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};

use crate::{Engine, EngineError, command::Request, engine::Reserved, operate::Asking, tail::Hold};

/// How many deliveries may wait; whoever reads the signals waits then.
const WAITING_MAX: usize = 10_000;
/// How many runs are woken at a time.
const AT_A_TIME: usize = 128;
/// The first pause before a run is tried again, and the longest.
const AGAIN_FIRST: Duration = Duration::from_millis(100);
const AGAIN_LAST: Duration = Duration::from_secs(10);

/// What waits to be handed over, by run.
#[derive(Debug)]
pub(crate) struct Deliveries {
    queues: Mutex<HashMap<RunId, VecDeque<Delivery>>>,
    room: Arc<Semaphore>,
    slots: Semaphore,
}

#[derive(Debug)]
struct Delivery {
    what: Request,
    /// Until it is done, the next process would read it again.
    hold: Hold,
    _room: OwnedSemaphorePermit,
}

impl Default for Deliveries {
    fn default() -> Self {
        Self {
            queues: Mutex::default(),
            room: Arc::new(Semaphore::new(WAITING_MAX)),
            slots: Semaphore::new(AT_A_TIME),
        }
    }
}

impl Deliveries {
    fn queues(&self) -> MutexGuard<'_, HashMap<RunId, VecDeque<Delivery>>> {
        // Nothing panics while it holds the lock between two halves of a change.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lines a delivery up; true when nobody works on the run's line yet.
    fn line_up(&self, run: RunId, delivery: Delivery) -> bool {
        match self.queues().entry(run) {
            Entry::Occupied(mut line) => {
                line.get_mut().push_back(delivery);
                false
            }
            Entry::Vacant(line) => {
                line.insert(VecDeque::from([delivery]));
                true
            }
        }
    }

    /// The next delivery of a run; None when there is none, and then nobody works on its line any more.
    fn next(&self, run: RunId) -> Option<Delivery> {
        let mut queues = self.queues();
        let next = queues.get_mut(&run).and_then(VecDeque::pop_front);
        if next.is_none() {
            queues.remove(&run);
        }
        next
    }
}

impl Engine {
    /// Hands something to a run, in its turn. Returns when it is lined up.
    pub(crate) async fn hand_over(&self, run: RunId, what: Request, hold: Hold) {
        let deliveries = &self.shared.deliveries;
        let Ok(room) = Arc::clone(&deliveries.room).acquire_owned().await else { return };
        if deliveries.line_up(run, Delivery { what, hold, _room: room }) {
            let engine = self.clone();
            tokio::spawn(async move { Box::pin(engine.work_off(run)).await });
        }
    }

    async fn work_off(&self, run: RunId) {
        let deliveries = &self.shared.deliveries;
        while let Some(delivery) = deliveries.next(run) {
            let mut pause = AGAIN_FIRST;
            loop {
                let Ok(slot) = deliveries.slots.acquire().await else { return };
                let asked = self.deliver(run, &delivery.what).await;
                drop(slot);
                match asked {
                    // One that is gone, or at its end, wants nothing any more.
                    Ok(())
                    | Err(Asking::Failed(EngineError::NoRun(_) | EngineError::WrongState { .. })) =>
                    {
                        break;
                    }
                    Err(Asking::Elsewhere | Asking::Failed(EngineError::Draining)) => {
                        drop(delivery);
                        return self.leave_undone(run);
                    }
                    Err(Asking::Failed(
                        EngineError::NoRelease(_) | EngineError::Store(StoreError::Corrupt(_)),
                    )) if self.put_aside(run).await => break,
                    Err(Asking::Failed(error)) => {
                        if !self.shared.leases.owns(run) {
                            drop(delivery);
                            return self.leave_undone(run);
                        }
                        tracing::debug!(%run, "a run is told again of a signal: {error}");
                        sleep(pause).await;
                        pause = (pause * 2).min(AGAIN_LAST);
                    }
                }
            }
            delivery.hold.done();
        }
    }

    async fn deliver(&self, run: RunId, what: &Request) -> Result<(), Asking> {
        let actor = Actor::platform("engine");
        let Request::Ended { run: ended } = what else {
            return self.ask_here(run, what, &actor, None).await;
        };
        // One that was opened again meanwhile will end again.
        let Some(outcome) = self.outcome_of(*ended).await? else { return Ok(()) };
        let told = Request::ChildEnded { run: *ended, outcome: Arc::new(outcome) };
        self.ask_here(run, &told, &actor, None).await
    }

    /// What is lined up for a run is left to whoever owns it next, and read again.
    fn leave_undone(&self, run: RunId) {
        drop(self.shared.deliveries.queues().remove(&run));
        self.shared.news.wake();
    }

    /// Parks a run that cannot be taken up, with the reason. False: that has to be tried again.
    async fn put_aside(&self, run: RunId) -> bool {
        let Ok(Some(head)) = self.shared.store.run(run).await else { return false };
        let Reserved::Place(place) = self.shared.reserve(&head.facts) else { return false };
        if let Err(error) = self.take_in_place(head, place, None, None).await {
            tracing::error!(%run, "a run cannot be taken up: {error}");
            self.set_aside(run, &error).await;
        }
        true
    }
}
