//! A run in memory: the machine, what is known of its calls, and what the next commit will say.
//! Decides; performing and waiting is `drive`'s.

mod asked;
mod context;
mod custody;
mod drifted;
mod gated;
mod held;
mod kept;
mod log;
mod people;
mod stands;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use qc_model::{Applied, Class, Failure, Timestamp};
use qc_store::{DeadLetter, DeadState, RunFacts, RunState};
use qc_workflow::{
    Action, CallId, CallOutput, CallRequest, CallTarget, Compensated, Effect, Happening as Told,
    Input, LifecycleFact, Machine, NoteKind, Outcome, TaskNote,
};
use serde_json::Value;

use crate::{
    RunEnd, bus,
    chain::Earlier,
    children::Children,
    claim::Claim,
    codes,
    data::Custody,
    draft::Draft,
    drift::{Broken, Unfit},
    entry::Journaled,
    fair::Permit,
    listening::Hearing,
    outbox,
    person::Tasks,
    record, search,
    settle::Performed,
    tail::Hold,
    tenure::Tenure,
};

pub(crate) use context::RunContext;
pub(crate) use log::CallLog;

/// A run in memory.
pub(crate) struct ActiveRun {
    pub(crate) context: Arc<RunContext>,
    /// The run's version on disk.
    pub(crate) version: u64,
    pub(crate) end: Option<RunEnd>,
    /// How the run stood on disk when it was taken up.
    pub(crate) stored: Option<RunState>,
    /// Whether it was in quarantine when it was taken up.
    pub(crate) aside: bool,
    /// That it was claimed, as long as nothing of it has been written since.
    pub(crate) claim: Option<Claim>,
    /// What taking the run up again has to write before anything else.
    pub(crate) resume_with: Option<Draft>,
    /// Calls whose intent is on disk and which are to be performed now.
    pub(crate) ready: Vec<Ready>,
    /// Calls cut off by the machine, to be told to those who perform them.
    pub(crate) cuts: Vec<CallId>,
    /// Performed calls that have something of their own to write before they are taken in.
    pub(crate) postponed: VecDeque<Performed>,
    machine: Option<Machine>,
    log: HashMap<CallId, CallLog>,
    /// What earlier runs of the replay chain did, as far as this one has not come to it.
    pub(crate) earlier: HashMap<CallId, Earlier>,
    parked: BTreeMap<CallId, Parked>,
    in_flight: HashMap<CallId, CallRequest>,
    /// What people are asked.
    pub(crate) tasks: Tasks,
    /// The task by which a person has the run go on just now: it is not closed, it is done.
    acting: Option<u32>,
    /// The call that a person answers in place of the other side.
    skip: Option<people::Skip>,
    /// Calls that wait at the gate.
    gated: BTreeMap<CallId, gated::Gated>,
    /// Calls that come to the gate again later: when, and why.
    pub(crate) put_off: BTreeMap<CallId, (Timestamp, String)>,
    /// Of calls that are about to be sent.
    pub(crate) permits: HashMap<CallId, Permit>,
    /// Calls wait for the next one who takes the run up: this process is ending.
    withheld: bool,
    /// What is known of its data; in a box, since runs are held in many futures.
    pub(crate) custody: Box<Custody>,
    /// What it waits for, and what it was offered.
    pub(crate) hearing: Hearing,
    /// What is done about the runs that it runs.
    pub(crate) children: Children,
    /// It is in memory only to be looked at: it does not stay.
    pub(crate) brief: bool,
    /// Keeps what came in since its waits were asked for, until it was offered.
    pub(crate) hold: Option<Hold>,
}

/// A call to be performed.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    pub(crate) request: CallRequest,
    /// When it may have been sent for the first time.
    pub(crate) first_sent_at: Timestamp,
    /// Why it is performed.
    pub(crate) purpose: Purpose,
}

/// Why a call is performed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be sent; nothing of it is in doubt.
    Send,
    /// An earlier sending may have taken effect: settle that, then send it if need be.
    SettleAndSend,
    /// The run no longer waits for its effect: settle the earlier sending, and send nothing.
    Settle,
}

/// A call that waits for a person or for something to be mended.
struct Parked {
    request: CallRequest,
    failure: Failure,
    probe_at: Option<Timestamp>,
    /// Its answer, when it has one that does not fit: it is not sent again.
    unfit: Option<Box<Unfit>>,
}

/// Why a call is parked, as the journal says it.
pub(crate) struct Aside {
    pub(crate) failure: Failure,
    pub(crate) unfit: Option<Box<Unfit>>,
}

/// How a performed call came out, after its effect class was applied.
#[derive(Debug)]
pub(crate) enum Settled {
    /// It brought an answer.
    Answered(CallOutput),
    /// It failed, and the machine decides what follows.
    Failed(Failure),
    /// It must wait: ambiguous, or its credential is dead.
    Park(Failure),
    /// It was answered, and its answer does not fit: it waits to be put right.
    Unfit { failure: Failure, broken: Box<Broken> },
    /// It is ambiguous, and its system does not answer: it waits for that, or else is parked.
    Hold { failure: Failure, parked: Failure },
}

/// So many emitted events of one step have a row of their own in the ledger; all of them are on the bus.
const EMITTED_ROWS: usize = 1_000;

/// At so many ends of the process while a call was in flight the run is taken for their cause.
const POISON_MAX: u32 = 16;

/// The first pause before a parked call is probed, and the longest.
const PROBE_FIRST: Duration = Duration::from_secs(15);
const PROBE_LAST: Duration = Duration::from_secs(15 * 60);

impl ActiveRun {
    pub(crate) fn new(
        context: Arc<RunContext>,
        machine: Machine,
        log: HashMap<CallId, CallLog>,
        custody: Custody,
    ) -> Self {
        Self {
            context,
            version: 0,
            end: None,
            stored: None,
            aside: false,
            claim: None,
            resume_with: None,
            ready: Vec::new(),
            cuts: Vec::new(),
            postponed: VecDeque::new(),
            machine: Some(machine),
            log,
            earlier: HashMap::new(),
            parked: BTreeMap::new(),
            in_flight: HashMap::new(),
            gated: BTreeMap::new(),
            put_off: BTreeMap::new(),
            tasks: Tasks::default(),
            acting: None,
            skip: None,
            permits: HashMap::new(),
            withheld: false,
            custody: Box::new(custody),
            hearing: Hearing::default(),
            children: Children::default(),
            brief: false,
            hold: None,
        }
    }

    fn facts(&self) -> &RunFacts {
        &self.context.facts
    }

    pub(crate) fn machine(&self) -> &Machine {
        self.machine.as_ref().expect("the machine is only away while it steps")
    }

    /// Tells the machine one thing and takes up what it wants done.
    pub(crate) fn tell(&mut self, told: Told, entropy: u64, draft: &mut Draft) {
        draft.told.push_front(told);
        self.tell_on(entropy, draft);
    }

    /// Tells the machine what has come up, one after the other: what it wants done is all taken up
    /// before it hears the next.
    fn tell_on(&mut self, entropy: u64, draft: &mut Draft) {
        while let Some(told) = draft.told.pop_front() {
            self.people_hear(&told, draft);
            let input = Input { at: draft.at, entropy, happening: told };
            let machine = self.machine.take().expect("the machine is only away while it steps");
            let (machine, actions) = machine.step(&input);
            self.machine = Some(machine);
            draft.journal(Journaled::Input { input: Box::new(input) });
            self.absorb(actions, draft);
        }
    }

    /// Takes up what the machine wants done at its start.
    pub(crate) fn begin(&mut self, actions: Vec<Action>, draft: &mut Draft) {
        self.publish_life(LifecycleFact::Started, draft);
        self.absorb(actions, draft);
        self.tell_on(0, draft);
    }

    /// Takes up what the machine wants done.
    fn absorb(&mut self, actions: Vec<Action>, draft: &mut Draft) {
        for action in actions {
            match action {
                Action::Call(request) => self.call(request, draft),
                Action::Interrupt { call, .. } => self.interrupt(call, draft),
                Action::Emit { event, .. } => self.emit(event, draft),
                Action::Note(note) => self.note(note, draft),
                Action::Finish(outcome) => self.finish(outcome, draft),
                Action::Listen(subscription) => self.hearing.listens(subscription.id),
                Action::StopListening { id } => self.hearing.stops(&id),
                // The machine says at any time which children there are to be: see `tend_children`.
                Action::StartChild(_) => {}
                Action::CancelChild { id, compensate, .. } => {
                    self.children.cancelled(id, compensate);
                }
            }
        }
    }

    /// The workflow publishes an event: on the bus, and for those outside whom its release names.
    fn emit(&mut self, event: Value, draft: &mut Draft) {
        draft.emitted += 1;
        if draft.emitted <= EMITTED_ROWS {
            draft.ledger(record::event_emitted(self.facts(), draft.at, &event));
        }
        let context = &self.context;
        let (facts, deployment) = (&context.facts, &context.deployment);
        let (release, ledger) = (&deployment.release, &mut draft.ledger);
        draft.signals.extend(outbox::signals(release, facts, draft.at, &event, |name, event| {
            self.let_publish(name, event, ledger, draft.at)
        }));
        let hops = context.lineage.hops + 1;
        draft.signals.push(bus::of_run(facts, deployment, hops, event, draft.at));
    }

    /// The machine wants a call made. One that an earlier run of the chain made is not made again;
    /// one that may have taken effect before is settled first.
    fn call(&mut self, request: CallRequest, draft: &mut Draft) {
        let Some(request) = self.skipped(request, draft) else { return };
        if matches!(request.target, CallTarget::Human { .. }) {
            if let Some(request) = self.let_out(request, false, draft) {
                self.ask_person(request, draft);
            }
            return;
        }
        let known = match request.effect {
            Effect::Idempotent => None,
            Effect::Keyed | Effect::Verify | Effect::Once => self.earlier.remove(&request.id),
        };
        // Or made in another way, while its system was not there.
        let known = known.or_else(|| match self.earlier.get(&request.id.fallback())? {
            Earlier::Answered { .. } => self.earlier.remove(&request.id.fallback()),
            Earlier::Doubtful { .. } => None,
        });
        match known {
            Some(Earlier::Answered { output }) => {
                self.keys_of(&request.id, &output, draft);
                self.learn(&request.id, &output);
                let (call, attempt) = (request.id, request.attempt);
                draft.told.push_back(Told::CallSucceeded { call, attempt, output });
                return;
            }
            doubtful @ Some(Earlier::Doubtful { .. }) => {
                self.log.insert(request.id.clone(), CallLog::after(doubtful, draft.at));
            }
            None => {}
        }
        let doubtful = self.log.get(&request.id).is_some_and(|log| log.doubtful);
        let purpose = if doubtful { Purpose::SettleAndSend } else { Purpose::Send };
        let Some(request) = self.let_out(request, doubtful, draft) else { return };
        self.intend(request, purpose, draft);
    }

    /// Takes up what an answer says that the run is found by.
    fn keys_of(&self, call: &CallId, output: &CallOutput, draft: &mut Draft) {
        let release = &self.context.deployment.release;
        draft.keys.extend(search::keys_of_answer(release, call, output, draft.at));
    }

    /// Journals that a call is about to be sent, and has it performed once that is on disk.
    fn intend(&mut self, request: CallRequest, purpose: Purpose, draft: &mut Draft) {
        let log = self.log.entry(request.id.clone()).or_insert_with(|| CallLog::begun(draft.at));
        log.intended(draft.at);
        let first_sent_at = log.first_sent_at;
        if purpose != Purpose::Settle {
            self.mark_echo(&request, None, draft);
        }
        draft.journal(Journaled::Intent { call: request.id.clone(), attempt: request.attempt });
        draft.ready.push(Ready { request, first_sent_at, purpose });
    }

    /// The machine gave a call up. One in flight is cut and settled; a parked one fails at once.
    fn interrupt(&mut self, call: CallId, draft: &mut Draft) {
        if self.withdraw_question(&call, draft) {
            return;
        }
        if let Some(parked) = self.parked.remove(&call) {
            let told =
                Told::CallFailed { call, attempt: parked.request.attempt, failure: parked.failure };
            draft.told.push_back(told);
            return;
        }
        if self.interrupt_gated(&call, draft) {
            return;
        }
        // A call that was only about to be sent is not sent; what was sent before is settled.
        if let Some(at) = draft.ready.iter().position(|ready| ready.request.id == call) {
            if draft.ready[at].purpose == Purpose::Send {
                let ready = draft.ready.remove(at);
                never_sent(ready.request, draft);
            } else {
                draft.ready[at].purpose = Purpose::Settle;
            }
            return;
        }
        self.cuts.push(call);
    }

    fn note(&self, mut note: TaskNote, draft: &mut Draft) {
        self.publish_life(LifecycleFact::Task(&note), draft);
        let outcome = match note.kind {
            NoteKind::Faulted => "faulted",
            NoteKind::Retrying { .. } => "retrying",
            NoteKind::Held { .. } => "held",
            NoteKind::Diverted => "diverted",
            NoteKind::LeftOut => "left_out",
            NoteKind::Started
            | NoteKind::Completed
            | NoteKind::PutOff { .. }
            | NoteKind::Skipped
            | NoteKind::Cancelled => {
                draft.notes.push(note);
                return;
            }
        };
        if let Some(failure) = &mut note.failure {
            self.custody.clean(failure);
        }
        let failure = note.failure.as_ref();
        draft.ledger(record::task_changed(self.facts(), draft.at, &note.pointer, outcome, failure));
        draft.notes.push(note);
    }

    fn finish(&mut self, outcome: Outcome, draft: &mut Draft) {
        self.publish_life(LifecycleFact::Ended(&outcome), draft);
        for one in undone_of(&outcome).iter().flat_map(|undone| &undone.undone) {
            let (pointer, failure) = (&one.task.pointer, one.failure.as_ref());
            let outcome = if failure.is_some() { "not_undone" } else { "undone" };
            draft.ledger(record::task_changed(self.facts(), draft.at, pointer, outcome, failure));
        }
        let end = match outcome {
            Outcome::Completed { output } => {
                draft.ledger(record::run_changed(self.facts(), draft.at, "completed", None));
                RunEnd::Completed { output }
            }
            Outcome::Cancelled { reason, .. } => {
                draft.ledger(record::run_changed(self.facts(), draft.at, "cancelled", None));
                RunEnd::Cancelled { reason }
            }
            Outcome::Faulted { mut failure, mut error, .. } => {
                self.custody.clean(&mut failure);
                self.custody.clean_value(&mut error);
                failure.owner =
                    failure.owner.or_else(|| self.context.deployment.release.owner.clone());
                draft.ledger(record::run_changed(
                    self.facts(),
                    draft.at,
                    "faulted",
                    Some(&failure),
                ));
                draft.dead = Some(dead_letter(self.facts(), draft.at, &failure, &error));
                if let Some(line) = self.parks() {
                    draft.ledger(record::key_parked(self.facts(), draft.at, &line.key));
                }
                #[cfg(feature = "planted-bugs")]
                if crate::planted::planted(crate::planted::Bug::DeadLetterDropped) {
                    draft.dead = None;
                }
                RunEnd::Faulted { failure, error }
            }
        };
        self.parked.clear();
        self.people_at_the_end(&end, draft);
        self.gated.clear();
        draft.end = Some(end);
    }

    /// A performed call came out.
    pub(crate) fn settle(
        &mut self,
        call: &CallId,
        settled: Settled,
        entropy: u64,
        draft: &mut Draft,
    ) {
        let Some(request) = self.in_flight.remove(call) else { return };
        match self.cleaned(settled) {
            Settled::Answered(output) => {
                self.keys_of(call, &output, draft);
                self.learn(call, &output);
                self.mark_echo(&request, Some(&output), draft);
                self.log.remove(call);
                let told =
                    Told::CallSucceeded { call: call.clone(), attempt: request.attempt, output };
                #[cfg(feature = "planted-bugs")]
                if crate::planted::planted(crate::planted::Bug::ResultAppliedTwice) {
                    self.tell(told.clone(), entropy, draft);
                }
                self.tell(told, entropy, draft);
            }
            Settled::Failed(failure) => self.settle_as_failed(request, failure, entropy, draft),
            // Nobody waits for it any more: what certainly was not done need not be mended.
            Settled::Park(failure)
                if failure.applied == Applied::No
                    && self.machine().interrupted().contains(call) =>
            {
                self.settle_as_failed(request, failure, entropy, draft);
            }
            Settled::Hold { parked, .. } if self.machine().interrupted().contains(call) => {
                self.park(request, parked, draft);
            }
            Settled::Hold { failure, .. } => {
                self.settle_as_failed(request, failure, entropy, draft);
            }
            // Nobody waits for its answer any more, and it is known to have taken place.
            Settled::Unfit { failure, .. } if self.machine().interrupted().contains(call) => {
                self.settle_as_failed(request, failure, entropy, draft);
            }
            Settled::Unfit { failure, broken } => {
                self.park_unfit(request, failure, *broken, draft);
            }
            Settled::Park(failure) => self.park(request, failure, draft),
        }
    }

    fn settle_as_failed(
        &mut self,
        request: CallRequest,
        failure: Failure,
        entropy: u64,
        draft: &mut Draft,
    ) {
        let call = request.id;
        #[cfg(feature = "planted-bugs")]
        let failure = without_stated_pause(failure);
        if self.log.get_mut(&call).is_some_and(|log| !log.failed(failure.applied)) {
            self.log.remove(&call);
        }
        let told = Told::CallFailed { call, attempt: request.attempt, failure };
        self.tell(told, entropy, draft);
    }

    /// Parks a call. One that waits for a credential is probed now and then; an ambiguous one
    /// waits for a person.
    pub(crate) fn park(&mut self, request: CallRequest, failure: Failure, draft: &mut Draft) {
        let call = request.id.clone();
        let times = self.log.get_mut(&call).map_or(0, |log| {
            log.failed(failure.applied);
            log.parked += 1;
            log.parked - 1
        });
        let probe_at = (failure.class == Class::Auth).then(|| {
            let pause =
                PROBE_FIRST.saturating_mul(2u32.saturating_pow(times.min(8))).min(PROBE_LAST);
            draft.at + pause
        });
        #[cfg(feature = "planted-bugs")]
        let probe_at =
            probe_at.filter(|_| !crate::planted::planted(crate::planted::Bug::ProbeNeverArmed));
        draft.journal(Journaled::Parked {
            call: call.clone(),
            failure: failure.clone(),
            unfit: None,
        });
        draft.ledger(record::run_changed(self.facts(), draft.at, "parked", Some(&failure)));
        draft.parked = Some(failure.clone());
        self.ask_about_parked(&call, &failure, draft);
        self.publish_life(LifecycleFact::Suspended, draft);
        self.parked.insert(call, Parked { request, failure, probe_at, unfit: None });
    }

    /// Tells the machine of timers that are due, and probes parked calls whose time has come.
    pub(crate) fn wake(&mut self, mut entropy: impl FnMut() -> u64, draft: &mut Draft) {
        let now = draft.at;
        #[cfg(feature = "planted-bugs")]
        let now = now + early();
        let due: Vec<_> = self
            .machine()
            .timers()
            .into_iter()
            .filter(|(_, at)| *at <= now)
            .map(|(id, _)| id)
            .collect();
        for timer in due {
            if draft.end.is_some() {
                return;
            }
            self.tell(Told::TimerFired { timer }, entropy(), draft);
        }
        if draft.end.is_some() {
            return;
        }
        self.wake_people(entropy(), draft);
        if draft.end.is_some() {
            return;
        }
        let now = draft.at;
        self.probe(|parked| parked.probe_at.is_some_and(|at| at <= now), draft);
    }

    /// Sends parked calls again that do not wait for a person's decision.
    fn probe(&mut self, wanted: impl Fn(&Parked) -> bool, draft: &mut Draft) {
        let (sent, kept) = std::mem::take(&mut self.parked)
            .into_iter()
            .partition(|(_, parked)| parked.is_sent_again() && wanted(parked));
        self.parked = kept;
        let sent: BTreeMap<CallId, Parked> = sent;
        for parked in sent.into_values() {
            self.go_on_with(parked.request, parked.failure.applied != Applied::No, draft);
        }
    }

    /// Goes on with a call that is under way for the machine, but not here. `doubtful`: it may
    /// have taken effect already.
    fn go_on_with(&mut self, request: CallRequest, doubtful: bool, draft: &mut Draft) {
        let interrupted = self.machine().interrupted().contains(&request.id);
        match (doubtful, interrupted) {
            (false, false) => self.intend(request, Purpose::Send, draft),
            (true, false) => self.intend(request, Purpose::SettleAndSend, draft),
            (true, true) => self.intend(request, Purpose::Settle, draft),
            (false, true) => {
                never_sent(request, draft);
                self.tell_on(0, draft);
            }
        }
    }

    /// Takes a run up again after its owner ended: what was parked stays parked, what may have
    /// been sent is in doubt, what was never sent is sent.
    pub(crate) fn recover(
        &mut self,
        mut parked: HashMap<CallId, Aside>,
        mut kept: HashMap<CallId, CallOutput>,
        draft: &mut Draft,
    ) {
        for request in self.machine().outstanding() {
            // What an earlier one was answered may have ended it: nobody is asked again then.
            if !self.machine().is_outstanding(&request.id) {
                continue;
            }
            if let Some(output) = kept.remove(&request.id) {
                self.answer_kept(request, output, draft);
                continue;
            }
            if self.still_asks(&request, draft) {
                continue;
            }
            if let Some(earlier) = self.earlier.remove(&request.id) {
                // It was not sent in this run: its intent would have been noted with this.
                let log = CallLog::after(Some(earlier), draft.at);
                self.log.entry(request.id.clone()).or_insert(log);
            }
            let (unanswered, doubtful) =
                self.log.get(&request.id).map_or((0, false), |log| (log.unanswered, log.doubtful));
            let doubted = doubtful || unanswered > 0;
            let Some(request) = self.let_out(request, doubted, draft) else {
                self.tell_on(0, draft);
                continue;
            };
            if let Some(Aside { failure, unfit }) = parked.remove(&request.id) {
                let probe_at = (failure.class == Class::Auth).then_some(draft.at);
                let parked = Parked { request, failure, probe_at, unfit };
                self.parked.insert(parked.request.id.clone(), parked);
            } else if unanswered >= POISON_MAX {
                let failure = Failure {
                    applied: Applied::Maybe,
                    ..Failure::new(
                        Class::Internal,
                        codes::POISON,
                        "the run was in flight at too many ends of the process",
                        format!(
                            "{unanswered} times; if this call is what ends the process, sending it again would too"
                        ),
                    )
                };
                self.park(request, failure, draft);
            } else {
                self.go_on_with(request, doubtful || unanswered > 0, draft);
            }
        }
    }

    /// Everything that came in since it began is to be offered once more.
    pub(crate) fn hear_anew(&mut self) {
        let machine = self.machine.as_ref().expect("the machine is only away while it steps");
        self.hearing.anew(machine);
    }

    /// What came in while its first step is written is offered to it by whoever has it in memory then: with a hold, so
    /// that it is read again if that is nobody.
    pub(crate) fn begin_hearing(&mut self, tenure: Option<&Tenure>, draft: &mut Draft) {
        if !self.hearing.is_due() {
            return;
        }
        match tenure.filter(|tenure| tenure.tail.has_begun()) {
            Some(tenure) => self.hold = Some(tenure.tail.hold()),
            None => draft.withheld = true,
        }
    }

    /// Whether it waits for events.
    pub(crate) fn listens(&self) -> bool {
        !self.machine().subscriptions().is_empty()
    }

    /// Whether it is suspected to end the process when it is taken up, and has nothing to do now.
    pub(crate) fn rests_suspected(&self, now: Timestamp) -> bool {
        self.claim.as_ref().is_some_and(Claim::is_suspect)
            && self.next_wake().is_none_or(|at| at > now)
            && !self.has_errands()
    }

    /// The draft is on disk: what it promised to do is to be done now.
    pub(crate) fn commit_draft(&mut self, draft: Draft) {
        for ready in &draft.ready {
            self.in_flight.insert(ready.request.id.clone(), ready.request.clone());
        }
        self.ready.extend(draft.ready);
        self.withheld |= draft.withheld;
        if draft.end.is_some() {
            self.end = draft.end;
        }
    }
}

/// What an outcome says was undone.
pub(crate) fn undone_of(outcome: &Outcome) -> Option<&Compensated> {
    match outcome {
        Outcome::Completed { .. } => None,
        Outcome::Faulted { compensation, .. } | Outcome::Cancelled { compensation, .. } => {
            compensation.as_ref()
        }
    }
}

/// Planted: how much too early timers are.
#[cfg(feature = "planted-bugs")]
fn early() -> Duration {
    Duration::from_millis(if crate::planted::planted(crate::planted::Bug::EarlyTimer) {
        700
    } else {
        0
    })
}

/// Planted: a failure that has lost the pause that the other side asked for.
#[cfg(feature = "planted-bugs")]
fn without_stated_pause(mut failure: Failure) -> Failure {
    if crate::planted::planted(crate::planted::Bug::RetryAfterIgnored)
        && let qc_model::Retry::After { stated_ms } = &mut failure.retry
    {
        *stated_ms = None;
    }
    failure
}

/// A call that nobody waits for any more and that certainly was not sent.
fn never_sent(request: CallRequest, draft: &mut Draft) {
    let failure =
        Failure::new(Class::Cancelled, codes::CUT_OFF, "the call was cut off", "it was not sent");
    let told = Told::CallFailed { call: request.id, attempt: request.attempt, failure };
    draft.told.push_back(told);
}

pub(crate) fn in_a_line(failure: &Failure) -> String {
    format!("{}: {}", failure.code, failure.title)
}

fn dead_letter(facts: &RunFacts, at: Timestamp, failure: &Failure, error: &Value) -> DeadLetter {
    let place = error["instance"].as_str().unwrap_or("/");
    DeadLetter {
        run: facts.id,
        tenant: facts.tenant.clone(),
        environment: facts.environment.clone(),
        integration: facts.integration.clone(),
        at,
        state: DeadState::Open,
        fingerprint: format!(
            "{}|{place}|{}|{}",
            facts.integration,
            failure.class.as_str(),
            failure.code
        ),
        code: failure.code.to_string(),
        summary: format!("{}: {}", failure.title, failure.detail),
    }
}
