//! Calls that the gate let go together meet here, each with its intent on disk, and go in one request. Whoever does not
//! come in time goes alone; whoever goes away before the request is made was not sent.

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use qc_connect::call::{Deviation, DriftNote, EffectContext, Member, Performed, Whole};
use qc_model::{Class, Timestamp};
use qc_pace::Outcome;
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
    tenure::Tenure,
    unwind::caught,
};

/// So long whoever is there waits for those who still write their intents.
const GATHER: Duration = Duration::from_millis(500);

/// Calls that were let go together.
pub(crate) struct Group<C = Call> {
    state: Mutex<State<C>>,
    /// Nobody is still to come.
    complete: Notify,
}

struct State<C> {
    /// Who has neither come nor gone away.
    coming: usize,
    here: Vec<Rider<C>>,
    /// The request is made; whoever comes now goes alone.
    departed: bool,
    /// The one departure that the gate counted.
    counted: Option<Counted>,
    /// The number of the next one who comes.
    next: u64,
}

/// Who has come.
struct Rider<C> {
    number: u64,
    call: C,
    sent: Arc<OnceLock<Timestamp>>,
    told: oneshot::Sender<Came>,
}

/// Those who go, and the departure that the gate counted.
struct Departing<C> {
    riders: Vec<Rider<C>>,
    counted: Option<Counted>,
}

/// A call that goes with others.
pub(crate) struct Call {
    request: CallRequest,
    effect: EffectContext,
    context: Arc<RunContext>,
    tenure: Arc<Tenure>,
}

/// What comes of going together.
pub(crate) enum Came {
    /// It was performed; what was seen of the contract of the request as a whole is told to one of them.
    Done(Box<Performed>, Vec<DriftNote>),
    /// It was not sent: it goes alone.
    Alone,
}

/// A call's place in a group. Dropping it gives it up.
pub(crate) struct Seat<C = Call> {
    group: Arc<Group<C>>,
    came: bool,
}

impl<C> Group<C> {
    /// A group of so many, whose departure was counted, and the seats of it.
    pub(crate) fn of(counted: Option<Counted>, members: usize) -> (Arc<Self>, Vec<Seat<C>>) {
        let state = State {
            coming: members,
            here: Vec::with_capacity(members),
            departed: false,
            counted,
            next: 0,
        };
        let group = Arc::new(Self { state: Mutex::new(state), complete: Notify::new() });
        let seats = (0..members).map(|_| Seat { group: group.clone(), came: false }).collect();
        (group, seats)
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The departure that was counted, for whoever goes alone first.
    pub(crate) fn take_counted(&self) -> Option<Counted> {
        self.state().counted.take()
    }

    /// Those who go in the request that is made now, once, with its departure. One alone is told to go alone.
    fn depart(&self, now: Timestamp) -> Option<Departing<C>> {
        let mut state = self.state();
        if state.departed || state.here.is_empty() {
            return None;
        }
        state.departed = true;
        let mut riders = std::mem::take(&mut state.here);
        if let [_] = &riders[..] {
            drop(state);
            // Whoever was cut off in this moment goes nowhere.
            riders.pop().map(|one| one.told.send(Came::Alone));
            return None;
        }
        for rider in &riders {
            // Under the lock under which others leave: whoever is still in it knows that it is sent. Set once, for nobody
            // departs twice.
            let _ = rider.sent.set(now);
        }
        // Theirs, whoever comes later and goes alone.
        Some(Departing { riders, counted: state.counted.take() })
    }

    /// The request was not made: its departure is that of whoever goes alone first.
    fn give_back(&self, counted: Option<Counted>) {
        self.state().counted = counted;
    }

    /// Who comes now; None: the others have gone.
    fn enter(
        &self,
        call: C,
        sent: &Arc<OnceLock<Timestamp>>,
    ) -> Option<(u64, oneshot::Receiver<Came>)> {
        let (told, hears) = oneshot::channel();
        let mut state = self.state();
        if state.departed {
            return None;
        }
        let number = state.next;
        (state.next, state.coming) = (number + 1, state.coming - 1);
        state.here.push(Rider { number, call, sent: sent.clone(), told });
        if state.coming == 0 {
            self.complete.notify_one();
        }
        Some((number, hears))
    }
}

impl Seat {
    /// Goes with the others. `sent` says since when the request is under way, once it is. None: what performs it broke
    /// off. Dropping this before then leaves the group.
    pub(crate) async fn go(
        self,
        (request, effect): (&CallRequest, &EffectContext),
        (context, tenure): (&Arc<RunContext>, &Arc<Tenure>),
        sent: &Arc<OnceLock<Timestamp>>,
        shared: &Arc<Shared>,
    ) -> Option<Came> {
        let call = Call {
            request: request.clone(),
            effect: effect.clone(),
            context: context.clone(),
            tenure: tenure.clone(),
        };
        let group = self.group.clone();
        self.gather(
            call,
            sent,
            || shared.now(),
            |departing| {
                let (group, shared) = (group.clone(), shared.clone());
                // Apart from all of them: whoever is cut off does not cut off the others.
                tokio::spawn(Box::pin(async move { perform(&shared, &group, departing).await }));
            },
        )
        .await
    }
}

impl<C> Seat<C> {
    async fn gather(
        mut self,
        call: C,
        sent: &Arc<OnceLock<Timestamp>>,
        now: impl Fn() -> Timestamp,
        begin: impl Fn(Departing<C>),
    ) -> Option<Came> {
        let Some((number, hears)) = self.group.enter(call, sent) else { return Some(Came::Alone) };
        self.came = true;
        let group = self.group.clone();
        let _leaves = Leaves { group: &group, number };
        let (mut hears, mut over) = (pin!(hears), pin!(sleep(GATHER)));
        let mut late = false;
        loop {
            tokio::select! {
                biased;
                came = &mut hears => return came.ok(),
                () = group.complete.notified() => {}
                () = &mut over, if !late => late = true,
            }
            if let Some(departing) = group.depart(now()) {
                begin(departing);
            }
        }
    }
}

impl<C> Drop for Seat<C> {
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
struct Leaves<'a, C> {
    group: &'a Group<C>,
    number: u64,
}

impl<C> Drop for Leaves<'_, C> {
    fn drop(&mut self) {
        self.group.state().here.retain(|rider| rider.number != self.number);
    }
}

/// Performs the request and tells each what became of it. Whoever hears nothing knows that this broke off.
async fn perform(shared: &Arc<Shared>, group: &Group, departing: Departing<Call>) {
    let Departing { riders, counted } = departing;
    // Nothing is sent that another node could be sending, too. Whoever is not certain finds that out alone.
    let (riders, others): (Vec<_>, Vec<_>) =
        riders.into_iter().partition(|rider| rider.call.tenure.is_certain());
    for other in others {
        drop(other.told.send(Came::Alone));
    }
    let Some(first) = riders.first() else { return group.give_back(counted) };
    let context = first.call.context.clone();
    let members: Vec<Member<'_>> = riders
        .iter()
        .map(|rider| Member {
            release: &rider.call.context.deployment.release.connectors,
            environment: &rider.call.context.scope,
            call: &rider.call.request,
            effect: &rider.call.effect,
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
        let task = &riders[0].call.request.task;
        tracing::warn!(%task, code = %failure.code, "calls go alone that were to go in one request: {}", failure.detail);
    }
    let mut seen = Vec::new();
    if together.wholes.is_empty() {
        group.give_back(counted);
    } else {
        // More than one was not foreseen: the others are counted now.
        let more = together.wholes.iter().skip(1).filter_map(|_| Some(counted.as_ref()?.another()));
        let departures: Vec<Counted> = more.collect();
        for (whole, counted) in together.wholes.iter().zip(counted.into_iter().chain(departures)) {
            shared.counters.batch(whole.performed.record.together);
            seen.extend(watched(shared, &context, &whole.performed));
            if let Some((limit, until)) = counted.tell(&told_of(&context, whole, &together.each)) {
                // On disk before the runs hear of it, as with calls that go alone.
                shared.keep_stated(&limit, until).await;
            }
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

/// What the request tells of the other side. When it refuses some of the calls because there are too many, it is that.
fn told_of(context: &RunContext, whole: &Whole, each: &[Option<Performed>]) -> Told {
    let each = || whole.members.iter().filter_map(|at| each.get(*at)?.as_ref());
    let whole = &whole.performed;
    let (mut outcome, health) = whole.tells();
    let throttled = |one: &Performed| one.record.class == Some(Class::Throttled);
    if outcome == Outcome::Dealt && each().any(throttled) {
        outcome = Outcome::Throttled;
    }
    let failure = whole.result.as_ref().err().cloned().map(|mut failure| {
        let connector = whole.record.connector.as_ref().filter(|_| failure.owner.is_none());
        if let Some(connector) = connector {
            failure.owner = context.deployment.release.system_owners.get(connector).cloned();
        }
        Box::new(failure)
    });
    let passes = |class| {
        use Class::{Dependency, Overloaded, Throttled, Timeout, Transient};
        matches!(class, Throttled | Overloaded | Timeout | Transient | Dependency)
    };
    let dealt = each().filter(|one| !one.record.class.is_some_and(passes)).count();
    let calls = u32::try_from(dealt).unwrap_or(u32::MAX);
    let (said, requests) = (whole.said.clone(), whole.record.requests);
    Told { outcome, health, said, requests, failure, calls }
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

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::fair::{Gate, GateLimits, Share};

    struct Scene {
        seats: Vec<Seat<u32>>,
        sent: Vec<Arc<OnceLock<Timestamp>>>,
        /// Who went, together.
        went: Mutex<Vec<Vec<u32>>>,
        riders: Mutex<Vec<Rider<u32>>>,
    }

    impl Scene {
        fn of(members: usize) -> Self {
            let (_, seats) = Group::of(None, members);
            let sent = (0..members).map(|_| Arc::default()).collect();
            Self { seats, sent, went: Mutex::default(), riders: Mutex::default() }
        }

        fn come(&mut self) -> (Seat<u32>, Arc<OnceLock<Timestamp>>) {
            let seat = self.seats.pop().unwrap();
            (seat, self.sent[self.seats.len()].clone())
        }

        /// Takes a seat and goes when the others do; nobody is told what came of it.
        async fn go(&self, (seat, sent): (Seat<u32>, Arc<OnceLock<Timestamp>>), call: u32) -> bool {
            let now = || Timestamp::from_millis(1);
            let came = seat.gather(call, &sent, now, |departing| {
                let riders = departing.riders;
                self.went.lock().unwrap().push(riders.iter().map(|rider| rider.call).collect());
                self.riders.lock().unwrap().extend(riders);
            });
            matches!(came.await, Some(Came::Alone))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_its_place_up_is_not_waited_for() {
        let began = Instant::now();
        let mut scene = Scene::of(3);
        let (first, second, third) = (scene.come(), scene.come(), scene.come());
        let gives_up = async {
            tokio::task::yield_now().await;
            drop(third);
        };
        tokio::select! {
            _ = async { tokio::join!(scene.go(first, 1), scene.go(second, 2)) } => unreachable!(),
            () = async { gives_up.await; while scene.went.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            } } => {}
        }
        assert_eq!(*scene.went.lock().unwrap(), [[1, 2]]);
        assert_eq!(began.elapsed(), Duration::ZERO);
        let under_way: Vec<bool> = scene.sent.iter().map(|sent| sent.get().is_some()).collect();
        assert_eq!(under_way, [false, true, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_come_in_time_goes_alone() {
        let began = Instant::now();
        let mut scene = Scene::of(3);
        let (first, second, third) = (scene.come(), scene.come(), scene.come());
        let late = async {
            tokio::time::sleep(GATHER * 2).await;
            scene.go(third, 3).await
        };
        tokio::select! {
            _ = async { tokio::join!(scene.go(first, 1), scene.go(second, 2)) } => unreachable!(),
            alone = late => assert!(alone),
        }
        assert_eq!(
            (&*scene.went.lock().unwrap(), began.elapsed()),
            (&vec![vec![1, 2]], GATHER * 2)
        );
        assert!(scene.sent[0].get().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_cut_off_before_is_not_in_it() {
        let mut scene = Scene::of(3);
        let (first, second, third) = (scene.come(), scene.come(), scene.come());
        // It has come, and is cut off while it waits.
        let cut_off = tokio::time::timeout(Duration::from_millis(1), scene.go(first, 1)).await;
        assert!(cut_off.is_err());
        tokio::select! {
            _ = async { tokio::join!(scene.go(second, 2), scene.go(third, 3)) } => unreachable!(),
            () = tokio::time::sleep(GATHER) => {}
        }
        assert_eq!(*scene.went.lock().unwrap(), [[2, 3]]);
        assert!(scene.sent[2].get().is_none(), "nobody doubts that it was not sent");
    }

    /// Whoever comes later and goes alone must not tell the gate what became of the others' request.
    #[test]
    fn the_departure_goes_with_those_who_depart() {
        let clock = Arc::new(qc_model::HandClock::at(1));
        let gate = Gate::new(GateLimits::default(), clock);
        let share = Share {
            tenant: qc_model::Name::new("a").unwrap(),
            integration: qc_model::Name::new("it").unwrap(),
            lane: "x".into(),
            key: "".into(),
            priority: qc_store::Priority::Normal,
        };
        let (group, mut seats) = Group::of(Some(Counted::now(&gate, &share)), 3);
        let mut entered = Vec::new();
        for (call, seat) in seats.iter_mut().take(2).enumerate() {
            entered.push(group.enter(call, &Arc::default()).unwrap());
            seat.came = true;
        }
        let departing = group.depart(Timestamp::from_millis(1)).unwrap();
        assert!(departing.riders.len() == entered.len() && departing.counted.is_some());
        assert!(group.take_counted().is_none() && group.enter(2, &Arc::default()).is_none());
        group.give_back(departing.counted);
        assert!(group.take_counted().is_some(), "no request was made: it is whose who goes first");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_left_goes_alone() {
        let mut scene = Scene::of(2);
        let (first, second) = (scene.come(), scene.come());
        drop(second);
        assert!(scene.go(first, 1).await);
        assert!(scene.went.lock().unwrap().is_empty() && scene.sent[1].get().is_none());
    }
}
