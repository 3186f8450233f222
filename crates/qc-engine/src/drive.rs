//! Drives one run: performs its calls, waits for what happens next, commits, and goes on. Ends
//! when the run is at its end, or has nothing to do in memory for a while.

mod keep;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use qc_model::{Timestamp, TxnId};
use qc_store::{LedgerKind, LedgerRow, Op, StoreError, Txn, TxnOutcome, Wait};
use qc_workflow::{CallId, ListenId, NoteKind};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::sleep,
};

use crate::{
    Engine, EngineError, RunEnd, bus,
    children::{Errands, News, tend_children},
    command::Command,
    draft::Draft,
    engine::{Place, Shared},
    fair::Grant,
    happening::{Failed, What},
    record,
    run::ActiveRun,
    settle::{Performed, settle},
    tenure::{Standing, Tenure},
    trace::run_traceparent,
    unavailable,
    unwind::how,
};

/// The pause before a commit is tried again that the store could not take.
const COMMIT_AGAIN: Duration = Duration::from_millis(200);

/// The longest single sleep: a clock that is set is heard of by nobody, so the time is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

impl Engine {
    /// Starts a run's task. `first` is a request that brought the run into memory.
    pub(crate) fn spawn(&self, run: ActiveRun, place: Place, first: Option<Command>) {
        let shared = self.shared.clone();
        tokio::spawn(async move { drive(shared, run, place, first).await });
    }
}

/// A run leaves memory with a step that was not written.
enum NotWritten {
    /// Somebody else has taken it a step further, or this node lost its group, or is ending.
    NotOurs,
    /// Another run of its chain went on at the same time.
    Overtaken,
}

impl NotWritten {
    /// What whoever asked for the step is told.
    async fn answer(&self, shared: &Shared, run: &ActiveRun) -> EngineError {
        let facts = &run.context.facts;
        if let Self::Overtaken = self
            && let Ok(chain) = shared.chain(facts.origin).await
            && let Some(barred) = chain.bars(facts.id)
        {
            let (run, status) = (facts.id, qc_store::RunStatus::Faulted.as_str());
            return EngineError::WrongState { run, status, reason: barred.reason() };
        }
        StoreError::Unavailable("the run moved on; try again".to_owned()).into()
    }
}

async fn drive(
    shared: Arc<Shared>,
    mut run: ActiveRun,
    mut place: Place,
    mut first: Option<Command>,
) {
    let mut calls: JoinSet<Performed> = JoinSet::new();
    let mut cuts: HashMap<CallId, oneshot::Sender<()>> = HashMap::new();
    let mut errands: Errands = JoinSet::new();
    let tenure = place.tenure.clone();
    let mut standing = tenure.watch();
    let mut contended = keep::Contended::default();
    if !first_step(&shared, &tenure, &mut run).await {
        return;
    }
    loop {
        if run.end.is_some() && first.is_none() {
            break;
        }
        start_calls(&shared, &tenure, &mut run, &mut calls, &mut cuts);
        tend_children(&shared, &tenure, &mut run, &mut errands).await;
        let rests = first.is_none() && run.postponed.is_empty();
        if rests && run.rests_suspected(shared.now()) {
            // Its count ends with this: it is not the one that ends the process.
            let nothing = Draft::new(shared.now());
            if commit(&shared, &tenure, &mut run, nothing).await.is_err() {
                return;
            }
        }
        let event = match (first.take(), run.postponed.pop_front()) {
            (Some(command), None) => Some(Woken::Asked(command)),
            (asked, Some(done)) => {
                first = asked;
                Some(Woken::Done(Box::new(done)))
            }
            (None, None) => {
                let work = (&mut calls, &mut errands);
                wait(&shared, &mut run, work, &mut place.mailbox, &mut standing).await
            }
        };
        let event = match event {
            Some(Woken::Done(done)) => {
                use keep::Keeping;
                let (calls, cuts) = (&mut calls, &mut cuts);
                match keep::keep(&shared, &tenure, &mut run, done, &mut contended, calls, cuts)
                    .await
                {
                    Keeping::Told(done) => Woken::Done(done),
                    Keeping::Again => continue,
                    Keeping::NotOurs => return,
                }
            }
            Some(event) => event,
            None => break,
        };
        let mut draft = Draft::new(shared.now());
        let replies = take_in(&shared, &mut run, event, &mut calls, &mut cuts, &mut draft);
        unavailable::bound(&shared, &mut run, &mut draft);
        if !tenure.is_ours() {
            draft.withhold();
        }
        run.pass(&shared.gate, &mut draft);
        #[cfg(feature = "planted-bugs")]
        let early = sent_early(&shared, &tenure, &mut run, &draft, &mut calls, &mut cuts);
        let written = step(&shared, &tenure, &mut run, draft).await;
        #[cfg(feature = "planted-bugs")]
        if early {
            run.ready.clear();
        }
        for (reply, answer) in replies {
            let answer = match &written {
                Ok(()) => answer,
                Err(why) => Err(why.answer(&shared, &run).await),
            };
            // Whoever asked may have gone away.
            drop(reply.send(answer));
        }
        if written.is_err() {
            // Whoever holds the right to run it, and be it this node again, finds it in the store.
            return;
        }
        unavailable::report(&shared, &run);
    }
    unavailable::report(&shared, &run);
    drop(place);
    left(&shared, &run);
}

/// What a run does before anything happens to it. False: it is not this node's any more.
async fn first_step(shared: &Arc<Shared>, tenure: &Arc<Tenure>, run: &mut ActiveRun) -> bool {
    let draft = if let Some(mut draft) = run.resume_with.take() {
        if !tenure.is_ours() {
            draft.withhold();
        }
        run.pass(&shared.gate, &mut draft);
        draft
    } else if run.hearing.is_due() {
        // What came in while its first step was written.
        Draft::new(shared.now())
    } else {
        return true;
    };
    step(shared, tenure, run, draft).await.is_ok()
}

/// A run has left memory: whoever waits for that is told.
fn left(shared: &Shared, run: &ActiveRun) {
    let id = run.context.facts.id;
    match &run.end {
        Some(end) => {
            shared.waiting.ended(id, end);
            if let Some(line) = run.line_left(end) {
                shared.lines.moved(line.clone());
            }
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
    /// A call's wait at the gate is over.
    Granted(CallId, Grant),
    Timer,
    Child(Box<News>),
}

fn start_calls(
    shared: &Arc<Shared>,
    tenure: &Arc<Tenure>,
    run: &mut ActiveRun,
    calls: &mut JoinSet<Performed>,
    cuts: &mut HashMap<CallId, oneshot::Sender<()>>,
) {
    for ready in run.ready.drain(..) {
        let (cut, cut_off) = oneshot::channel();
        cuts.insert(ready.request.id.clone(), cut);
        let permit = run.permits.remove(&ready.request.id);
        // Apart: what a call needs is too large to be moved about.
        let (shared, tenure) = (shared.clone(), tenure.clone());
        calls.spawn(Box::pin(settle(shared, tenure, run.context.clone(), ready, permit, cut_off)));
    }
    for call in run.cuts.drain(..) {
        if let Some(cut) = cuts.remove(&call) {
            // A call that has just ended needs no cutting.
            let _ = cut.send(());
        }
    }
}

/// Planted: sends the calls of a step whose commit is still to come.
#[cfg(feature = "planted-bugs")]
fn sent_early(
    shared: &Arc<Shared>,
    tenure: &Arc<Tenure>,
    run: &mut ActiveRun,
    draft: &Draft,
    calls: &mut JoinSet<Performed>,
    cuts: &mut HashMap<CallId, oneshot::Sender<()>>,
) -> bool {
    if !crate::planted::planted(crate::planted::Bug::SentBeforeIntent) {
        return false;
    }
    run.ready.clone_from(&draft.ready);
    start_calls(shared, tenure, run, calls, cuts);
    true
}

/// Waits for what happens next. None: the run has nothing to do in memory.
async fn wait(
    shared: &Shared,
    run: &mut ActiveRun,
    (calls, errands): (&mut JoinSet<Performed>, &mut Errands),
    mailbox: &mut mpsc::Receiver<Command>,
    standing: &mut watch::Receiver<Standing>,
) -> Option<Woken> {
    // One that waits for an event stays for a while: the event may be about to come.
    let waits = (run.listens() || run.has_children()) && !run.hearing.is_due() && !run.brief;
    let stays = waits.then(|| shared.now() + shared.settings.linger);
    loop {
        let leaving = match *standing.borrow_and_update() {
            // At once, with its calls: whoever owns the run now judges them as after a crash.
            Standing::Lost => return None,
            Standing::Leaving => true,
            Standing::Ours => false,
        };
        let wake = run.next_wake();
        let now = shared.now();
        // Errands are run again by whoever owns the run next. What waits at the gate when its group leaves was not sent:
        // the next owner sends it.
        let idle = calls.is_empty() && (leaving || (errands.is_empty() && !run.waits_at_gate()));
        let far = wake.is_none_or(|at| at.since(now) > shared.settings.linger);
        let stay = stays.filter(|until| now < *until && !shared.is_crowded());
        if idle && ((far && stay.is_none()) || leaving) {
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
        let id = run.context.facts.id;
        tokio::select! {
            biased;
            Some(done) = calls.join_next() => match done {
                Ok(done) => return Some(Woken::Done(Box::new(done))),
                Err(broken) => {
                    // Cannot be: a call keeps its own panics. Leaving memory has recovery judge
                    // it by its effect class.
                    tracing::error!(run = %id, "a call broke off: {}", how(&broken));
                    return None;
                }
            },
            Some(news) = errands.join_next() => match news {
                Ok(news) => return Some(Woken::Child(Box::new(news))),
                Err(broken) => {
                    // Out of memory, and taken up again: what it needs follows from its journal.
                    tracing::error!(run = %id, "what is done about a child broke off: {}", how(&broken));
                    return None;
                }
            },
            Some(command) = mailbox.recv() => return Some(Woken::Asked(command)),
            (call, grant) = run.next_grant(), if !leaving => {
                return Some(Woken::Granted(call, grant));
            }
            () = sleep(pause) => {}
            _ = standing.changed() => {}
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
                let before = draft.ledger.len();
                let answer = run.operate(&command, entropy, draft);
                if let Some(letter) = &command.letter {
                    let audit = |row: &&mut LedgerRow| row.kind == LedgerKind::Audit;
                    let rows = draft.ledger.iter_mut().skip(before).filter(audit);
                    rows.for_each(|row| record::by_letter(row, letter));
                }
                replies.push((command.reply, answer));
            }
            Woken::Child(news) => run.hear_of_child(*news, shared.entropy.next_u64(), draft),
            Woken::Granted(call, grant) => {
                run.granted(call, grant, shared.entropy.next_u64(), draft);
            }
            Woken::Timer => run.wake(|| shared.entropy.next_u64(), draft),
        }
        next = if draft.end.is_some() {
            None
        } else {
            // What has something of its own to write first is taken in by itself.
            let done = calls.try_join_next().and_then(Result::ok);
            done.and_then(|done| run.postpone(done)).map(|done| Woken::Done(Box::new(done)))
        };
    }
    replies
}

/// Writes a draft, offering the run what came in before it waited for it. Nothing that comes in meanwhile is missed.
async fn step(
    shared: &Shared,
    tenure: &Tenure,
    run: &mut ActiveRun,
    mut draft: Draft,
) -> Result<(), NotWritten> {
    loop {
        let (mut offered, mut failed) = (BTreeSet::new(), false);
        if run.hearing.is_due() {
            match hear(shared, tenure, run, &mut draft).await {
                Some(listens) => offered = listens,
                None => failed = true,
            }
            if !tenure.is_ours() {
                draft.withhold();
            }
            run.pass(&shared.gate, &mut draft);
        }
        let unchanged = draft.is_empty() && !failed && (run.end.is_some() || run.stands(&draft));
        if unchanged {
            // What is withheld stays withheld: the run is not stuck.
            run.commit_draft(draft);
        } else {
            commit(shared, tenure, run, draft).await?;
        }
        if unchanged || offered.is_empty() || run.end.is_some() {
            // When it could not be read, the hold is given up undone, and the signals are read again.
            if let Some(hold) = run.hold.take().filter(|_| !failed) {
                hold.done();
            }
            run.children.written();
            return Ok(());
        }
        run.hear_again(offered);
        draft = Draft::new(shared.now());
    }
}

/// Offers the run what came in before. None when that is not possible now: whoever takes it up next does.
async fn hear(
    shared: &Shared,
    tenure: &Tenure,
    run: &mut ActiveRun,
    draft: &mut Draft,
) -> Option<BTreeSet<ListenId>> {
    if run.hold.is_none() {
        if !tenure.can_wait().await {
            run.hearing.was_offered(false);
            return None;
        }
        run.hold = Some(tenure.tail.hold());
    }
    let heard = run.hear(shared, draft).await;
    run.hearing.was_offered(heard.is_ok());
    match heard {
        Ok(listens) => Some(listens),
        Err(error) => {
            tracing::warn!(run = %run.context.facts.id, "what came in cannot be read now: {error}");
            None
        }
    }
}

/// What a draft writes, and the waits that the run has then.
fn write_of(shared: &Shared, run: &ActiveRun, draft: &mut Draft) -> (Txn, BTreeMap<String, Wait>) {
    let facts = &run.context.facts;
    if draft.end.is_some() && run.context.lineage.parent.is_some() {
        let ended = bus::ended(facts.id, run.version + 1, draft.at, &run.context.deployment);
        draft.signals.push(ended);
    }
    let (changes, waits) = run.wait_changes(draft);
    let mut ops = draft.take_writes();
    for op in &mut ops {
        if let Op::Ledger(row) = op {
            record::signed(row, &shared.settings.node);
        }
    }
    let left = draft.end.as_ref().and_then(|end| run.line_left(end));
    ops.extend(left.map(|_| Op::EndTurn));
    ops.extend(changes);
    let txn = Txn {
        id: TxnId::new(draft.at, &*shared.entropy),
        run: facts.id,
        expect: run.version,
        state: run.state(draft, draft.at),
        ops,
    };
    (txn, waits)
}

/// Writes a draft, again and again while the store cannot take it: results must not be lost.
async fn commit(
    shared: &Shared,
    tenure: &Tenure,
    run: &mut ActiveRun,
    mut draft: Draft,
) -> Result<(), NotWritten> {
    let facts = run.context.facts.clone();
    let (txn, waits) = write_of(shared, run, &mut draft);
    let emits = txn.ops.iter().any(|op| matches!(op, Op::Signal(_)));
    #[cfg(feature = "planted-bugs")]
    let mut txn = txn;
    loop {
        if !tenure.certain().await {
            return Err(NotWritten::NotOurs);
        }
        match shared.committer.commit(&tenure.lease, txn.clone()).await {
            Ok(TxnOutcome::Committed { version }) => {
                run.version = version;
                break;
            }
            Ok(outcome @ (TxnOutcome::Conflict { .. } | TxnOutcome::Fenced)) => {
                if outcome == TxnOutcome::Fenced {
                    shared.leases.numbers.fenced.fetch_add(1, Ordering::Relaxed);
                    tenure.lose();
                }
                match written(shared, &txn).await {
                    Ok(Some(version)) => {
                        run.version = version;
                        break;
                    }
                    Ok(None) => {
                        tracing::warn!(run = %facts.id, "another owner took the run further; leaving it");
                        return Err(NotWritten::NotOurs);
                    }
                    // To leave it now would put calls in doubt that were never sent.
                    Err(error) => {
                        tracing::warn!(run = %facts.id, "a run's step cannot be read back: {error}");
                        sleep(COMMIT_AGAIN).await;
                    }
                }
            }
            #[cfg(feature = "planted-bugs")]
            Err(StoreError::Unknown(_))
                if crate::planted::planted(crate::planted::Bug::UnknownTakenForWritten) =>
            {
                run.version += 1;
                break;
            }
            Ok(TxnOutcome::DocumentConflict { kind, name, .. }) => {
                tracing::info!(run = %facts.id, "the {kind} `{name}` is not as a step expected it");
                return Err(NotWritten::Overtaken);
            }
            Err(error @ (StoreError::Corrupt(_) | StoreError::Refused(_))) => {
                tracing::error!(run = %facts.id, "a run's step cannot be stored: {error}");
                // It is taken up again, and will fail again: not at full speed.
                sleep(COMMIT_AGAIN).await;
                return Err(NotWritten::NotOurs);
            }
            Err(error) => {
                tracing::warn!(run = %facts.id, "a run's step waits to be stored: {error}");
                #[cfg(feature = "planted-bugs")]
                if crate::planted::planted(crate::planted::Bug::UnknownTakenForNotWritten) {
                    txn.id = TxnId::new(draft.at, &*shared.entropy);
                }
                sleep(COMMIT_AGAIN).await;
            }
        }
    }
    if emits {
        shared.emitted.send_modify(|commits| *commits += 1);
        shared.news.wake();
    }
    if run.claim.take().is_some() {
        shared.claims.forget(facts.id);
    }
    tell(shared, run, &draft);
    run.hearing.waits = waits;
    run.stored = None;
    run.brief = false;
    run.commit_draft(draft);
    Ok(())
}

/// Whether a step whose outcome is in doubt is on disk: the run's version if it is.
async fn written(shared: &Shared, txn: &Txn) -> Result<Option<u64>, StoreError> {
    let head = shared.store.run(txn.run).await?;
    Ok(head.filter(|head| head.last_txn == txn.id).map(|head| head.version))
}

/// Tells the listeners and counts, once the step is on disk.
pub(crate) fn tell(shared: &Shared, run: &ActiveRun, draft: &Draft) {
    let facts = &run.context.facts;
    for what in &draft.people {
        shared.tell(facts.id, &facts.integration, || what.clone());
    }
    if draft.end.is_some() && !draft.tasks.is_empty() {
        shared.task_opened.notify_one();
    }
    for note in &draft.notes {
        shared.tell(facts.id, &facts.integration, || {
            let (state, detail) = match note.kind {
                NoteKind::Started => ("started", None),
                NoteKind::Completed => ("completed", None),
                NoteKind::Faulted => ("faulted", note.failure.as_ref().map(|f| f.detail.clone())),
                NoteKind::Retrying { at, attempt } => {
                    ("retrying", Some(retry_text(draft.at, at, attempt)))
                }
                NoteKind::PutOff { at } => ("put_off", Some(format!("until {at}"))),
                NoteKind::Skipped => ("skipped", None),
                NoteKind::Cancelled => ("cancelled", None),
                NoteKind::Held { .. } => ("held", note.failure.as_ref().map(|f| f.detail.clone())),
                NoteKind::Diverted => ("diverted", None),
                NoteKind::LeftOut => ("left_out", None),
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
        shared.admission.ended(facts);
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
