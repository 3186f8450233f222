//! Calls that the gate let go together meet here, each with its intent on disk, and go in one request. Whoever does not
//! come in time goes alone; whoever goes away before the request is made was not sent.

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use qc_connect::call::{Deviation, DriftNote, EffectContext, Member, Performed};
use qc_model::Timestamp;
use qc_workflow::CallRequest;
use tokio::{
    sync::{Notify, oneshot},
    time::sleep,
};

use crate::{
    drift::Watched,
    engine::Shared,
    fair::{Counted, Told},
    run::RunContext,
    unwind::caught,
};

/// So long whoever is there waits for those who still write their intents.
const GATHER: Duration = Duration::from_millis(500);

/// Calls that were let go together.
pub(crate) struct Group {
    state: Mutex<State>,
    /// Nobody is still to come.
    complete: Notify,
}

struct State {
    /// Who has neither come nor gone away.
    coming: usize,
    here: Vec<Rider>,
    /// The request is made; whoever comes now goes alone.
    departed: bool,
    /// The one departure that the gate counted.
    counted: Option<Counted>,
    /// The number of the next one who comes.
    next: u64,
}

/// A call that has come.
struct Rider {
    number: u64,
    request: CallRequest,
    effect: EffectContext,
    context: Arc<RunContext>,
    sent: Arc<OnceLock<Timestamp>>,
    told: oneshot::Sender<Came>,
}

/// What comes of going together.
pub(crate) enum Came {
    /// It was performed; what was seen of the contract of the request as a whole is told to one of them.
    Done(Box<Performed>, Vec<DriftNote>),
    /// It was not sent: it goes alone.
    Alone,
}

/// A call's place in a group. Dropping it gives it up.
pub(crate) struct Seat {
    group: Arc<Group>,
    came: bool,
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").field("came", &self.came).finish_non_exhaustive()
    }
}

impl Group {
    /// A group of so many, whose departure was counted, and the seats of it.
    pub(crate) fn of(counted: Counted, members: usize) -> (Arc<Self>, Vec<Seat>) {
        let state = State {
            coming: members,
            here: Vec::with_capacity(members),
            departed: false,
            counted: Some(counted),
            next: 0,
        };
        let group = Arc::new(Self { state: Mutex::new(state), complete: Notify::new() });
        let seats = (0..members).map(|_| Seat { group: group.clone(), came: false }).collect();
        (group, seats)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The departure that was counted, for whoever goes alone first.
    pub(crate) fn take_counted(&self) -> Option<Counted> {
        self.state().counted.take()
    }

    /// Makes the request of all that are here, once. One alone is told to go alone.
    fn depart(self: &Arc<Self>, shared: &Arc<Shared>) {
        let mut riders = {
            let mut state = self.state();
            if state.departed || state.here.is_empty() {
                return;
            }
            state.departed = true;
            std::mem::take(&mut state.here)
        };
        if let [_] = &riders[..] {
            if let Some(one) = riders.pop() {
                // Whoever was cut off in this moment goes nowhere.
                drop(one.told.send(Came::Alone));
            }
            return;
        }
        let now = shared.now();
        for rider in &riders {
            // Set once: nobody departs twice.
            let _ = rider.sent.set(now);
        }
        let (group, shared) = (self.clone(), shared.clone());
        // Apart from all of them: whoever is cut off does not cut off the others.
        tokio::spawn(Box::pin(async move { perform(&shared, &group, riders).await }));
    }
}

/// Performs the request and tells each what became of it. Whoever hears nothing knows that this broke off.
async fn perform(shared: &Arc<Shared>, group: &Group, riders: Vec<Rider>) {
    let members: Vec<Member<'_>> = riders
        .iter()
        .map(|rider| Member {
            release: &rider.context.deployment.release.connectors,
            environment: &rider.context.scope,
            call: &rider.request,
            effect: &rider.effect,
        })
        .collect();
    let together = match caught(shared.outbound.perform_together(&members)).await {
        Ok(together) => together,
        Err(said) => {
            tracing::error!(code = %crate::codes::BROKE_OFF, "a request of many calls broke off: {said}");
            return;
        }
    };
    if let Some(failure) = &together.apart {
        let task = &riders[0].request.task;
        tracing::warn!(%task, code = %failure.code, "calls go alone that were to go in one request: {}", failure.detail);
    }
    let mut seen = Vec::new();
    if let Some(whole) = &together.whole {
        shared.counters.batch(whole.record.together);
        seen = watched(shared, &riders[0].context, whole);
        let (outcome, health) = whole.tells();
        let failure = whole.result.as_ref().err().cloned().map(Box::new);
        let (said, requests) = (whole.said.clone(), whole.record.requests);
        let told = Told { outcome, health, said, requests, failure };
        if let Some((limit, until)) = group.take_counted().and_then(|counted| counted.tell(&told)) {
            // On disk before the runs hear of it, as with calls that go alone.
            shared.keep_stated(&limit, until).await;
        }
        // None of them may be there any more to do it.
        shared.gate.go_on();
    }
    for (rider, performed) in riders.into_iter().zip(together.each) {
        let came = match performed {
            Some(performed) => Came::Done(Box::new(performed), std::mem::take(&mut seen)),
            None => Came::Alone,
        };
        // Who went away meanwhile is judged as one whose answer is lost.
        drop(rider.told.send(came));
    }
}

/// Notes how the answer as a whole differed from the contract of the operation that takes many.
fn watched(shared: &Shared, context: &RunContext, whole: &Performed) -> Vec<DriftNote> {
    let _ = shared.drift.watch(Watched {
        environment: &context.facts.environment,
        release: &context.deployment.release,
        performed: whole,
        at: shared.now(),
        canary: false,
    });
    let breaking = |note: &&DriftNote| note.kind == Deviation::Breaking;
    whole.drift.iter().filter(breaking).cloned().collect()
}

impl Seat {
    /// Goes with the others. `sent` says since when the request is under way, once it is. None: what performs it broke
    /// off. Dropping this before then leaves the group.
    pub(crate) async fn go(
        mut self,
        (request, effect): (&CallRequest, &EffectContext),
        context: &Arc<RunContext>,
        sent: &Arc<OnceLock<Timestamp>>,
        shared: &Arc<Shared>,
    ) -> Option<Came> {
        let (told, hears) = oneshot::channel();
        let number = {
            let mut state = self.group.state();
            if state.departed {
                return Some(Came::Alone);
            }
            let number = state.next;
            (state.next, state.coming) = (number + 1, state.coming - 1);
            state.here.push(Rider {
                number,
                request: request.clone(),
                effect: effect.clone(),
                context: context.clone(),
                sent: sent.clone(),
                told,
            });
            if state.coming == 0 {
                self.group.complete.notify_one();
            }
            number
        };
        self.came = true;
        let group = self.group.clone();
        let _leaves = Leaves { group: &group, number };
        let (mut hears, mut over) = (pin!(hears), pin!(sleep(GATHER)));
        let mut late = false;
        loop {
            tokio::select! {
                biased;
                came = &mut hears => return came.ok(),
                () = group.complete.notified() => group.depart(shared),
                () = &mut over, if !late => {
                    late = true;
                    group.depart(shared);
                }
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.came {
            return;
        }
        let mut state = self.group.state();
        state.coming -= 1;
        if state.coming == 0 {
            self.group.complete.notify_one();
        }
    }
}

/// Whoever stops waiting before the request is made is not in it.
struct Leaves<'a> {
    group: &'a Group,
    number: u64,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.group.state().here.retain(|rider| rider.number != self.number);
    }
}
