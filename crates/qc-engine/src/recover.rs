//! Taking a run up again from the store: its journal is folded into the machine.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use qc_model::{Code, Failure, RunId, Timestamp, TxnId};
use qc_store::{LiveCause, Op, RunHead, RunState, RunStatus, StoreError, Txn, TxnOutcome};
use qc_workflow::{CallId, CallOutput, Compensated, Happening as Told, Machine, Outcome};

use crate::{
    Deployment, Engine, EngineError, RunEnd,
    chain::Earlier,
    claim::{Claim, is_quarantined},
    codes,
    command::Command,
    data::Custody,
    draft::Draft,
    engine::{Place, Reserved},
    entry::{self, Journaled, Lineage},
    line::{Line, Standing},
    person::Tasks,
    record,
    run::{ActiveRun, Aside, CallLog, RunContext, in_a_line, undone_of},
    unwind::caught,
};

/// How long a run stays aside that could not be taken up.
const ASIDE: Duration = Duration::from_secs(5 * 60);

/// Why a run could not be taken up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecoverError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("[{code}] {0}", code = codes::JOURNAL)]
    Journal(#[from] entry::EntryError),
    #[error("[{code}] the run's journal does not begin with its start", code = codes::JOURNAL)]
    NoStart,
    #[error("[{code}] the release {0} is not in the store", code = codes::NO_RELEASE)]
    NoRelease(String),
    #[error("there is no such run")]
    NoRun,
    #[error("[{code}] the run cannot be rebuilt from its journal: {0}", code = codes::JOURNAL)]
    Broken(String),
    #[error("the run is in memory already")]
    There,
    #[error("there is no room for the run now")]
    NoRoom,
    #[error("another node owns the run")]
    NotOurs,
}

impl RecoverError {
    /// The code under which a run is set aside: what fails now fails again when it is tried at once.
    fn parks(&self) -> Option<Code> {
        match self {
            Self::NoRelease(_) => Some(codes::NO_RELEASE),
            Self::Journal(_) | Self::NoStart | Self::Broken(_) => Some(codes::JOURNAL),
            Self::Store(_) | Self::NoRun | Self::There | Self::NoRoom | Self::NotOurs => None,
        }
    }
}

impl From<RecoverError> for EngineError {
    fn from(error: RecoverError) -> Self {
        match error {
            RecoverError::Store(error) => Self::Store(error),
            RecoverError::NoRelease(hash) => Self::NoRelease(hash),
            RecoverError::There
            | RecoverError::NoRoom
            | RecoverError::NoRun
            | RecoverError::NotOurs => Self::Store(StoreError::Unavailable(error.to_string())),
            RecoverError::Journal(_) | RecoverError::NoStart | RecoverError::Broken(_) => {
                Self::Store(StoreError::Corrupt(error.to_string()))
            }
        }
    }
}

/// What the fold of a journal gives.
pub(crate) struct Folded {
    pub(crate) machine: Machine,
    pub(crate) traceparent: Option<String>,
    pub(crate) lineage: Lineage,
    pub(crate) earlier: HashMap<CallId, Earlier>,
    pub(crate) log: HashMap<CallId, CallLog>,
    pub(crate) parked: HashMap<CallId, Aside>,
    /// Answers of writes that are on disk, and of which the machine has not heard.
    pub(crate) kept: HashMap<CallId, CallOutput>,
    pub(crate) line: Option<Line>,
    /// Calls that were put off: until when, and why.
    pub(crate) put_off: BTreeMap<CallId, (Timestamp, String)>,
    /// What people were asked.
    pub(crate) tasks: Tasks,
    /// Why it was cancelled while it waited for its turn.
    pub(crate) never_begun: Option<String>,
}

impl Folded {
    /// What was undone of it, when something was to be.
    pub(crate) fn undone(&self) -> Option<Compensated> {
        self.machine.outcome().and_then(undone_of).cloned()
    }

    /// Its end, when it is there.
    pub(crate) fn end(&self, deployment: &Deployment) -> Option<RunEnd> {
        let never_begun = self.never_begun.clone().map(|reason| RunEnd::Cancelled { reason });
        never_begun.or_else(|| self.machine.outcome().map(|outcome| end_of(outcome, deployment)))
    }
}

/// A run as it was loaded.
enum Loaded {
    /// To be driven.
    Active(Box<ActiveRun>),
    /// It waits for its turn.
    Standing(Box<RunHead>),
    /// At its end, and nobody asks anything of it.
    Ended,
}

impl Engine {
    /// Takes a run up of which somebody asks something, be it at its end, and drives it on.
    pub(crate) async fn take_up(&self, run: RunId, first: Command) -> Result<(), RecoverError> {
        let facts = match self.shared.store.run(run).await? {
            Some(head) => head.facts,
            None if self.shared.leases.owns(run) => return Err(RecoverError::NoRun),
            None => return Err(RecoverError::NotOurs),
        };
        let by_people = first.what.is_by_people();
        let reserved =
            if by_people { self.shared.reserve_asked(&facts) } else { self.shared.reserve(&facts) };
        let place = match reserved {
            Reserved::Place(place) => place,
            Reserved::There => return Err(RecoverError::There),
            Reserved::Full => return Err(RecoverError::NoRoom),
            Reserved::NotOurs => return Err(RecoverError::NotOurs),
        };
        // As it stands now that nobody else takes it up.
        let head = self.shared.store.run(run).await?.ok_or(RecoverError::NoRun)?;
        if by_people {
            self.take_in_place(head, place, Some(first), None).await
        } else {
            self.take_up_woken(head, place, first).await
        }
    }

    /// Loads a run that has its place, and drives it on.
    pub(crate) async fn take_in_place(
        &self,
        head: RunHead,
        place: Place,
        first: Option<Command>,
        claim: Option<Claim>,
    ) -> Result<(), RecoverError> {
        self.shared.counters.taken_up.fetch_add(1, Ordering::Relaxed);
        let loaded = caught(Box::pin(self.load(head, first.is_some()))).await;
        let mut active = match loaded.map_err(RecoverError::Broken)?? {
            Loaded::Active(active) => *active,
            Loaded::Standing(head) => {
                if let Some(command) = first {
                    self.ask_standing(*head, command, &place).await;
                }
                return Ok(());
            }
            Loaded::Ended => return Ok(()),
        };
        // One that a person asked for, or whose time has come, was not left behind by anybody.
        let at_work =
            active.stored.as_ref().is_some_and(|stored| stored.cause == LiveCause::Activity);
        if first.is_none() && at_work {
            self.shared.counters.recovered.fetch_add(1, Ordering::Relaxed);
        }
        active.claim = claim;
        self.spawn(active, place, first);
        Ok(())
    }

    async fn load(&self, head: RunHead, at_its_end_too: bool) -> Result<Loaded, RecoverError> {
        let shared = &self.shared;
        let run = head.facts.id;
        if head.state.status.is_terminal() && !at_its_end_too {
            return Ok(Loaded::Ended);
        }
        let journal = shared.store.journal(run).await?;
        let deployment = self.release_of(&head, &journal).await?;
        let custody = Box::pin(self.custody_of(&head, &deployment, &journal)).await?;
        if let Some(standing) = Standing::of(&journal)? {
            // One that stands in no line any more has nobody ahead of it.
            let place = shared.store.turn_of(run).await?;
            let waits = place.is_some_and(|place| place.ahead > 0);
            #[cfg(feature = "planted-bugs")]
            let waits = waits && !crate::planted::planted(crate::planted::Bug::OrderIgnored);
            if head.state.cause == LiveCause::Queue {
                let goes = Box::pin(self.leaves_queue(&head, waits)).await?;
                if !goes {
                    return Ok(Loaded::Standing(Box::new(head)));
                }
            }
            return Ok(if waits || shared.pauses.keep(&head) {
                Loaded::Standing(Box::new(head))
            } else {
                Loaded::Active(Box::new(standing.begin(head, deployment, shared.now(), custody)))
            });
        }
        let folded = fold(&deployment, &journal)?;
        let end = folded.end(&deployment);
        let Folded {
            machine,
            traceparent,
            lineage,
            earlier,
            log,
            parked,
            kept,
            line,
            put_off,
            tasks,
            never_begun: _,
        } = folded;
        let context =
            RunContext::in_line(Arc::new(head.facts), deployment, traceparent, line, lineage);
        let mut active = ActiveRun::new(context, machine, log, custody);
        active.version = head.version;
        let cause = head.state.cause;
        active.aside = is_quarantined(&head.state);
        active.stored = Some(head.state);
        active.earlier = earlier;
        active.put_off = put_off;
        active.tasks = tasks;
        active.end = end;
        if active.end.is_none() {
            let mut draft = Draft::new(shared.now());
            active.recover(parked, kept, &mut draft);
            if active.listens()
                || active.has_children()
                || matches!(cause, LiveCause::Event | LiveCause::Child)
            {
                let waits = shared.store.waits_of(run).await?;
                active.hearing.waits =
                    waits.into_iter().map(|wait| (wait.id.clone(), wait)).collect();
            }
            // One that was left waiting was offered everything; of another one nobody knows.
            if !matches!(cause, LiveCause::Event | LiveCause::Child | LiveCause::Timer) {
                active.hear_anew();
            }
            active.resume_with = Some(draft);
        }
        Ok(Loaded::Active(Box::new(active)))
    }

    /// What is known of a run's data, from its event and its journal.
    pub(crate) async fn custody_of(
        &self,
        head: &RunHead,
        deployment: &Deployment,
        journal: &[qc_store::Entry],
    ) -> Result<Custody, RecoverError> {
        let (shared, rules) = (&self.shared, &deployment.release.data);
        let event = if rules.has_sensitive_events(&head.facts.trigger) {
            shared.store.event(head.facts.id).await?
        } else {
            None
        };
        let roots = &shared.settings.token_roots;
        Ok(Custody::recovered(roots, rules, &head.facts, event.as_ref(), journal)?)
    }

    /// Parks a run that cannot be taken up as it is, saying why; it is looked at again later.
    pub(crate) async fn set_aside(&self, run: RunId, error: &RecoverError) {
        let shared = &self.shared;
        let Some(code) = error.parks() else { return };
        let Ok(Some(head)) = shared.store.run(run).await else { return };
        let Some(tenure) = shared.leases.of(run) else { return };
        if head.state.status.is_terminal() {
            return;
        }
        let at = shared.now();
        let failure = Failure::new(
            qc_model::Class::Internal,
            code,
            "the run cannot be taken up",
            error.to_string(),
        );
        let summary = Some(in_a_line(&failure));
        let told = head.state.summary == summary;
        let row = (!told).then(|| {
            let mut row = record::run_changed(&head.facts, at, "parked", Some(&failure));
            record::signed(&mut row, &shared.settings.node);
            row
        });
        let txn = Txn {
            id: TxnId::new(at, &*shared.entropy),
            run,
            expect: head.version,
            state: RunState {
                status: RunStatus::Parked,
                cause: LiveCause::Parked,
                wake_at: Some(at + ASIDE),
                summary,
                updated_at: at,
            },
            ops: row.map(Op::Ledger).into_iter().collect(),
        };
        match shared.committer.commit(&tenure.lease, txn).await {
            Ok(TxnOutcome::Committed { .. }) => shared.claims.forget(run),
            Ok(_) => {}
            Err(error) => tracing::warn!(%run, "the run cannot be set aside now: {error}"),
        }
    }

    pub(crate) async fn release_of(
        &self,
        head: &RunHead,
        journal: &[qc_store::Entry],
    ) -> Result<Arc<Deployment>, RecoverError> {
        let facts = &head.facts;
        let hash = entry::pinned(&facts.release, journal)?;
        let current = self.deployments();
        let current = current.lookup(facts.environment.as_str(), facts.integration.as_str());
        if let Some(current) = current
            && current.release.hash == hash
        {
            return Ok(current.clone());
        }
        let pinned = self.shared.releases.deployment(&facts.environment, &hash).await?;
        let pinned = pinned.ok_or_else(|| RecoverError::NoRelease(hash.to_string()))?;
        if pinned.release.integration != facts.integration {
            return Err(RecoverError::NoRelease(format!("{hash} of {}", facts.integration)));
        }
        Ok(pinned)
    }
}

/// Folds a journal: the machine's state, and what is known of the calls that are not settled.
pub(crate) fn fold(
    deployment: &Deployment,
    journal: &[qc_store::Entry],
) -> Result<Folded, RecoverError> {
    let mut entries = journal.iter().enumerate();
    let Some((index, first)) = entries.next() else { return Err(RecoverError::NoStart) };
    let Journaled::Start { mut start, traceparent, earlier, line, lineage, held, .. } =
        entry::decode(index, first)?
    else {
        return Err(RecoverError::NoStart);
    };
    let mut never_begun = None;
    if (line.is_some() || held)
        && let Some((index, next)) = entries.next()
    {
        match entry::decode(index, next)? {
            Journaled::Begun => start.at = next.at,
            Journaled::NeverBegun { reason } => never_begun = Some(reason),
            _ => return Err(RecoverError::NoStart),
        }
    }
    let (mut machine, _) = Machine::start(deployment.release.program.clone(), &start);
    let mut earlier: HashMap<CallId, Earlier> =
        earlier.into_iter().map(|one| (one.call, one.outcome)).collect();
    let mut log: HashMap<CallId, CallLog> = HashMap::new();
    let mut parked: HashMap<CallId, Aside> = HashMap::new();
    let mut kept: HashMap<CallId, CallOutput> = HashMap::new();
    let mut put_off = BTreeMap::new();
    let mut tasks = Tasks::default();
    for (index, stored) in entries {
        match entry::decode(index, stored)? {
            Journaled::Start { .. } | Journaled::Begun | Journaled::NeverBegun { .. } => {
                return Err(RecoverError::NoStart);
            }
            Journaled::Intent { call, .. } => {
                parked.remove(&call);
                let doubtful = earlier.remove(&call);
                let known = log.entry(call).or_insert_with(|| CallLog::after(doubtful, stored.at));
                known.intended(stored.at);
            }
            Journaled::Input { input } => {
                if let Told::CallSucceeded { call, .. } = &input.happening {
                    earlier.remove(call);
                    kept.remove(call);
                }
                if let Told::PutOff { call, until, why, .. } = &input.happening {
                    put_off.insert(call.clone(), (*until, why.clone()));
                }
                settle_log(&input.happening, &mut log, &mut parked);
                machine = machine.step(&input).0;
            }
            Journaled::Kept { call, output, .. } => {
                kept.insert(call, output);
            }
            Journaled::Parked { call, failure, unfit } => {
                if let Some(known) = log.get_mut(&call) {
                    known.failed(failure.applied);
                    known.parked += 1;
                }
                parked.insert(call, Aside { failure, unfit });
            }
            Journaled::NotApplied { call, .. } => {
                parked.remove(&call);
                #[cfg(feature = "planted-bugs")]
                if crate::planted::planted(crate::planted::Bug::DecisionForgotten) {
                    continue;
                }
                log.remove(&call);
            }
            // Whoever folds it has looked for that: the other release's workflow is the same.
            Journaled::Repinned { .. } => {}
            #[cfg(feature = "planted-bugs")]
            Journaled::Person { .. }
                if crate::planted::planted(crate::planted::Bug::TasksForgotten) => {}
            Journaled::Person { step } => drop(tasks.apply(step).is_some()),
        }
    }
    Ok(Folded {
        machine,
        traceparent,
        lineage,
        earlier,
        log,
        parked,
        kept,
        line,
        put_off,
        tasks,
        never_begun,
    })
}

/// Keeps the log of calls as the run in memory keeps it.
fn settle_log(
    told: &Told,
    log: &mut HashMap<CallId, CallLog>,
    parked: &mut HashMap<CallId, Aside>,
) {
    match told {
        Told::CallSucceeded { call, .. } => {
            parked.remove(call);
            log.remove(call);
        }
        Told::CallFailed { call, failure, .. } => {
            parked.remove(call);
            if log.get_mut(call).is_some_and(|known| !known.failed(failure.applied)) {
                log.remove(call);
            }
        }
        Told::TimerFired { .. }
        | Told::EventReceived { .. }
        | Told::ChildStarted { .. }
        | Told::ChildEnded { .. }
        | Told::Cancelled { .. }
        | Told::Reopened
        | Told::Probed { .. }
        | Told::NotHeld { .. }
        | Told::PutOff { .. } => {}
    }
}

/// The machine's outcome as the engine tells it.
pub(crate) fn end_of(outcome: &Outcome, deployment: &Deployment) -> RunEnd {
    match outcome {
        Outcome::Completed { output } => RunEnd::Completed { output: output.clone() },
        Outcome::Cancelled { reason, .. } => RunEnd::Cancelled { reason: reason.clone() },
        Outcome::Faulted { failure, error, .. } => {
            let mut failure = failure.clone();
            failure.owner = failure.owner.or_else(|| deployment.release.owner.clone());
            RunEnd::Faulted { failure, error: error.clone() }
        }
    }
}
