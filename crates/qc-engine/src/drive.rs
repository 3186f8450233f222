//! Drives one run: performs its calls, waits for what happens next, commits, and goes on. Ends
//! when the run is at its end, or has nothing to do in memory for a while.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use qc_model::{Timestamp, TxnId};
use qc_store::{StoreError, Txn, TxnOutcome};
use qc_workflow::{CallId, NoteKind};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::sleep,
};

use crate::{
    Engine, EngineError, RunEnd, bus,
    children::{Errands, News, tend_children},
    command::Command,
    draft::Draft,
    engine::{Place, Shared},
    happening::{Failed, What},
    run::ActiveRun,
    settle::{Performed, settle},
    trace::run_traceparent,
};

/// The pause before a commit is tried again that the store could not take.
const COMMIT_AGAIN: Duration = Duration::from_millis(200);

/// The longest single sleep: clocks may jump, so the time is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

impl Engine {
    /// Starts a run's task. `first` is a request that brought the run into memory.
    pub(crate) fn spawn(&self, run: ActiveRun, place: Place, first: Option<Command>) {
        let shared = self.shared.clone();
        tokio::spawn(async move { drive(shared, run, place, first).await });
    }
}

/// Why a run leaves memory before its end.
enum Leave {
    /// Somebody else has taken it a step further, or this node lost its lease.
    NotOurs,
    /// The engine is ending.
    Draining,
}

async fn drive(
    shared: Arc<Shared>,
    mut run: ActiveRun,
    mut place: Place,
    mut first: Option<Command>,
) {
    let id = run.context.facts.id;
    let mut calls: JoinSet<Performed> = JoinSet::new();
    let mut cuts: HashMap<CallId, oneshot::Sender<()>> = HashMap::new();
    let mut errands: Errands = JoinSet::new();
    let mut draining = shared.draining.subscribe();
    if let Some(mut draft) = run.resume_with.take() {
        if shared.is_draining() {
            draft.withhold();
        }
        if step(&shared, &mut run, draft).await.is_err() {
            return;
        }
    } else if run.hearing.is_due() {
        // What came in while its first step was written.
        let draft = Draft::new(shared.now());
        if step(&shared, &mut run, draft).await.is_err() {
            return;
        }
    }
    loop {
        if run.end.is_some() && first.is_none() {
            break;
        }
        start_calls(&shared, &mut run, &mut calls, &mut cuts);
        tend_children(&shared, &mut run, &mut errands);
        let event = match first.take() {
            Some(command) => Some(Woken::Asked(command)),
            None => {
                let work = (&mut calls, &mut errands);
                wait(&shared, &run, work, &mut place.mailbox, &mut draining).await
            }
        };
        let Some(event) = event else { break };
        let mut draft = Draft::new(shared.now());
        let replies = take_in(&shared, &mut run, event, &mut calls, &mut cuts, &mut draft);
        if shared.is_draining() {
            draft.withhold();
        }
        let written = step(&shared, &mut run, draft).await;
        for (reply, answer) in replies {
            let answer = match &written {
                Ok(()) => answer,
                Err(_) => {
                    Err(StoreError::Unavailable("the run moved on; try again".to_owned()).into())
                }
            };
            // Whoever asked may have gone away.
            drop(reply.send(answer));
        }
        if written.is_err() {
            break;
        }
    }
    drop(place);
    match &run.end {
        Some(end) => {
            shared.waiting.ended(id, end);
            let facts = &run.context.facts;
            if run.context.deployment.release.bus.schedules.contains_key(&facts.trigger) {
                shared.clockwork.notify_one();
            }
        }
        None => {
            if let Some(at) = run.next_wake() {
                shared.sleeping.add(at, id);
            }
        }
    }
}

/// What ends a wait.
enum Woken {
    Done(Box<Performed>),
    Asked(Command),
    Timer,
    Child(Box<News>),
}

fn start_calls(
    shared: &Arc<Shared>,
    run: &mut ActiveRun,
    calls: &mut JoinSet<Performed>,
    cuts: &mut HashMap<CallId, oneshot::Sender<()>>,
) {
    for ready in run.ready.drain(..) {
        let (cut, cut_off) = oneshot::channel();
        cuts.insert(ready.request.id.clone(), cut);
        calls.spawn(settle(shared.clone(), run.context.clone(), ready, cut_off));
    }
    for call in run.cuts.drain(..) {
        if let Some(cut) = cuts.remove(&call) {
            // A call that has just ended needs no cutting.
            let _ = cut.send(());
        }
    }
}

/// Waits for what happens next. None: the run has nothing to do in memory.
async fn wait(
    shared: &Shared,
    run: &ActiveRun,
    (calls, errands): (&mut JoinSet<Performed>, &mut Errands),
    mailbox: &mut mpsc::Receiver<Command>,
    draining: &mut tokio::sync::watch::Receiver<bool>,
) -> Option<Woken> {
    // One that waits for an event stays for a while: the event may be about to come.
    let waits = (run.listens() || run.has_children()) && !run.hearing.is_due() && !run.brief;
    let stays = waits.then(|| shared.now() + shared.settings.linger);
    loop {
        let wake = run.next_wake();
        let now = shared.now();
        let idle = calls.is_empty() && errands.is_empty();
        let far = wake.is_none_or(|at| at.since(now) > shared.settings.linger);
        let stay = stays.filter(|until| now < *until && !shared.is_crowded());
        if idle && ((far && stay.is_none()) || *draining.borrow()) {
            if run.is_stuck() {
                shared.counters.stuck.fetch_add(1, Ordering::Relaxed);
                tracing::error!(run = %run.context.facts.id, code = %crate::codes::STUCK, "a run has no reason to go on");
            }
            return None;
        }
        if wake.is_some_and(|at| at <= now) {
            return Some(Woken::Timer);
        }
        let wake = wake.into_iter().chain(stay).min();
        let pause = wake.map_or(LOOK_AGAIN, |at| at.since(now).min(LOOK_AGAIN));
        tokio::select! {
            biased;
            Some(done) = calls.join_next() => match done {
                Ok(done) => return Some(Woken::Done(Box::new(done))),
                Err(broken) => {
                    // Cannot be: a call keeps its own panics. Leaving memory has recovery judge
                    // it by its effect class.
                    tracing::error!(run = %run.context.facts.id, "a call broke off: {broken}");
                    return None;
                }
            },
            Some(Ok(news)) = errands.join_next() => return Some(Woken::Child(Box::new(news))),
            Some(command) = mailbox.recv() => return Some(Woken::Asked(command)),
            () = sleep(pause) => {}
            _ = draining.changed() => {}
        }
    }
}

type Replies = Vec<(oneshot::Sender<Result<(), EngineError>>, Result<(), EngineError>)>;

/// Takes in what woke the run, and whatever else is there already: one commit for all of it.
fn take_in(
    shared: &Shared,
    run: &mut ActiveRun,
    event: Woken,
    calls: &mut JoinSet<Performed>,
    cuts: &mut HashMap<CallId, oneshot::Sender<()>>,
    draft: &mut Draft,
) -> Replies {
    let mut replies = Vec::new();
    let mut next = Some(event);
    while let Some(event) = next {
        match event {
            Woken::Done(done) => {
                cuts.remove(&done.call);
                done.record(shared, run, draft);
                if draft.end.is_none() {
                    run.settle(&done.call, done.settled, shared.entropy.next_u64(), draft);
                }
            }
            Woken::Asked(command) => {
                let entropy = shared.entropy.next_u64();
                let answer = run.operate(&command.what, &command.actor, entropy, draft);
                replies.push((command.reply, answer));
            }
            Woken::Child(news) => run.hear_of_child(*news, shared.entropy.next_u64(), draft),
            Woken::Timer => run.wake(|| shared.entropy.next_u64(), draft),
        }
        next = if draft.end.is_some() {
            None
        } else {
            calls.try_join_next().and_then(Result::ok).map(|done| Woken::Done(Box::new(done)))
        };
    }
    replies
}

/// Writes a draft, offering the run what came in before it waited for it. Nothing that comes in meanwhile is missed.
async fn step(shared: &Shared, run: &mut ActiveRun, mut draft: Draft) -> Result<(), Leave> {
    loop {
        let (mut offered, mut failed) = (BTreeSet::new(), false);
        if run.hearing.is_due() {
            if run.hold.is_none() {
                run.hold = Some(shared.tail.hold());
            }
            match run.hear(shared, &mut draft).await {
                Ok(listens) => offered = listens,
                Err(error) => {
                    // Whoever takes it up next offers it everything.
                    tracing::warn!(run = %run.context.facts.id, "what came in cannot be read now: {error}");
                    draft.withheld = true;
                    failed = true;
                }
            }
            if shared.is_draining() {
                draft.withhold();
            }
        }
        let unchanged = draft.is_empty() && !failed && (run.end.is_some() || run.stands(&draft));
        if !unchanged && let Err(leave) = commit(shared, run, draft).await {
            if let Some(hold) = run.hold.take() {
                hold.forfeit();
            }
            return Err(leave);
        }
        if unchanged || offered.is_empty() || run.end.is_some() {
            run.hold = None;
            return Ok(());
        }
        run.hear_again(offered);
        draft = Draft::new(shared.now());
    }
}

/// Writes a draft, again and again while the store cannot take it: results must not be lost.
async fn commit(shared: &Shared, run: &mut ActiveRun, mut draft: Draft) -> Result<(), Leave> {
    let facts = run.context.facts.clone();
    if draft.end.is_some() && run.context.lineage.parent.is_some() {
        let ended = bus::ended(facts.id, run.version + 1, draft.at, &run.context.deployment);
        draft.signals.push(ended);
    }
    let publishes = !draft.signals.is_empty();
    let (changes, waits) = run.wait_changes(&draft);
    let mut txn = Txn {
        id: TxnId::new(draft.at, &*shared.entropy),
        run: facts.id,
        expect: run.version,
        state: run.state(&draft, draft.at),
        ops: draft.take_writes(),
    };
    txn.ops.extend(changes);
    loop {
        let lease = shared.lease.load_full();
        let Some(lease) = lease.as_ref() else {
            return Err(Leave::NotOurs);
        };
        match shared.committer.commit(lease, txn.clone()).await {
            Ok(TxnOutcome::Committed { version }) => {
                run.version = version;
                break;
            }
            Ok(TxnOutcome::Conflict { .. } | TxnOutcome::Fenced) => {
                if let Some(version) = written(shared, &txn).await {
                    run.version = version;
                    break;
                }
                tracing::warn!(run = %facts.id, "another owner took the run further; leaving it");
                return Err(Leave::NotOurs);
            }
            Ok(TxnOutcome::DocumentConflict { kind, name, .. }) => {
                tracing::error!(run = %facts.id, "the {kind} `{name}` is not as a step expected it");
                return Err(Leave::NotOurs);
            }
            Err(error @ (StoreError::Corrupt(_) | StoreError::Refused(_))) => {
                tracing::error!(run = %facts.id, "a run's step cannot be stored: {error}");
                return Err(Leave::NotOurs);
            }
            Err(error) => {
                if shared.is_draining() {
                    return Err(Leave::Draining);
                }
                tracing::warn!(run = %facts.id, "a run's step waits to be stored: {error}");
                sleep(COMMIT_AGAIN).await;
            }
        }
    }
    if publishes {
        shared.tail.wake();
    }
    tell(shared, run, &draft);
    run.hearing.waits = waits;
    run.stored = None;
    run.brief = false;
    run.commit_draft(draft);
    Ok(())
}

/// Whether a step whose outcome is in doubt is on disk: the run's version if it is.
async fn written(shared: &Shared, txn: &Txn) -> Option<u64> {
    let head = shared.store.run(txn.run).await.ok()??;
    (head.last_txn == txn.id).then_some(head.version)
}

/// Tells the listeners and counts, once the step is on disk.
pub(crate) fn tell(shared: &Shared, run: &ActiveRun, draft: &Draft) {
    let facts = &run.context.facts;
    for note in &draft.notes {
        shared.tell(facts.id, &facts.integration, || {
            let (state, detail) = match note.kind {
                NoteKind::Started => ("started", None),
                NoteKind::Completed => ("completed", None),
                NoteKind::Faulted => ("faulted", note.failure.as_ref().map(|f| f.detail.clone())),
                NoteKind::Retrying { at, attempt } => {
                    ("retrying", Some(retry_text(draft.at, at, attempt)))
                }
                NoteKind::Skipped => ("skipped", None),
                NoteKind::Cancelled => ("cancelled", None),
            };
            What::Task { task: note.task.to_string(), state, detail }
        });
    }
    if let Some(failure) = &draft.parked {
        shared.counters.parked.fetch_add(1, Ordering::Relaxed);
        shared
            .tell(facts.id, &facts.integration, || What::Parked { reason: failure.detail.clone() });
    }
    if let Some(end) = &draft.end {
        let counters = &shared.counters;
        let (counter, status, failure) = match end {
            RunEnd::Completed { .. } => (&counters.completed, qc_store::RunStatus::Completed, None),
            RunEnd::Cancelled { .. } => (&counters.cancelled, qc_store::RunStatus::Cancelled, None),
            RunEnd::Faulted { failure, .. } => {
                (&counters.faulted, qc_store::RunStatus::Faulted, Some(failure))
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let incoming = &run.context.traceparent;
        shared.tell(facts.id, &facts.integration, || What::Ended {
            status,
            failure: failure.map(|f| f.detail.clone()),
            failed: failure.map(|f| Failed { class: f.class, code: f.code.clone() }),
            environment: facts.environment.clone(),
            accepted_at: facts.accepted_at,
            traceparent: run_traceparent(incoming.as_deref(), facts.id),
            parent: incoming.clone(),
        });
    }
}

fn retry_text(now: Timestamp, at: Timestamp, attempt: u32) -> String {
    format!("attempt {attempt} in {} ms", at.since(now).as_millis())
}
