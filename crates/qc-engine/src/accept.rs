//! Taking an event: one commit with its key, the event, its run and the run's first step. What
//! this answers with `New` is on disk.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use base64::Engine as _;
use bytes::Bytes;
use qc_expression::Expression;
use qc_model::{Class, EventId, Failure, RunId, Timestamp, TxnId};
use qc_store::{
    Accept, AcceptOutcome, DocumentOp, IdempotencyKey, KEYS_MAX, LedgerRow, RunFacts, RunKey,
    RunState, Signal, StoreError, StoredEvent,
};
use qc_workflow::{Machine, Start};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::{
    Accepted, Deployment, Does, Engine, EngineError, Incoming, Queued, Trigger, TriggerName, bus,
    chain::EarlierCall,
    children, codes,
    data::Custody,
    draft::Draft,
    drive::tell,
    engine::{Place, Reserved},
    entry::{Journaled, Keyed, Lineage},
    groups::{bucket_of, in_bucket},
    happening::What,
    line::{Line, joins, line_of, standing},
    pause,
    publish::incoming_signal,
    queue, record,
    repeat::{key_scope, keyed},
    run::{ActiveRun, RunContext},
    search,
    start::workflow_start,
    subject,
    unwind::how,
};

/// How long a key is remembered that the sender gave and the trigger does not rule.
const SENDER_KEY_WINDOW: Duration = Duration::from_secs(24 * 3_600);

/// How long a sender waits for its answer at most. The accept goes on.
const ANSWER_IN: Duration = Duration::from_secs(30);

/// The pause before an accept of unknown outcome is read back again.
const READ_AGAIN: Duration = Duration::from_millis(200);

impl Engine {
    /// Takes an event. Returns when it is on disk, or known from before.
    pub async fn accept(
        &self,
        deployment: &Arc<Deployment>,
        incoming: Incoming,
    ) -> Result<Accepted, EngineError> {
        self.accept_with(deployment, incoming, Vec::new(), Vec::new()).await
    }

    /// Takes an event as [`Engine::accept`] does; documents and ledger rows are written with a new one.
    pub(crate) async fn accept_with(
        &self,
        deployment: &Arc<Deployment>,
        incoming: Incoming,
        documents: Vec<DocumentOp>,
        rows: Vec<LedgerRow>,
    ) -> Result<Accepted, EngineError> {
        if self.shared.is_draining() {
            return Err(EngineError::Draining);
        }
        self.shared.refuses(&incoming.tenant, deployment.release.class)?;
        let trigger = deployment.release.triggers.get(&incoming.trigger).ok_or_else(|| {
            failed(format!("the integration has no trigger `{}`", incoming.trigger))
        })?;
        let name = TriggerName::in_deployment(deployment, &incoming.trigger);
        let held = self.holds_events(&name).await?;
        if let Some(rule) = deployment.release.kept.echo.heard.get(&trigger.name)
            && let Some(echo) = self.echo(deployment, rule, &incoming).await?
        {
            return Ok(echo);
        }
        let taking = Taking::by(trigger, incoming.hops);
        match self.prepare(deployment, &taking, &incoming, held) {
            Ok(mut prepared) => {
                if trigger.does == Does::Both {
                    prepared.signals.push(incoming_signal(deployment, &incoming));
                }
                let accepted = self.write(Prepared { documents, rows, ..prepared }).await?;
                if let Accepted::New { run } = accepted {
                    self.capture_event(deployment, &incoming, run).await;
                }
                Ok(accepted)
            }
            // A repeat gets its run also when the trigger's expressions no longer do for it.
            Err(unfit) => self.repeat(deployment, &incoming).await?.ok_or(unfit),
        }
    }

    /// Makes the run of an event.
    pub(crate) fn prepare(
        &self,
        deployment: &Arc<Deployment>,
        taking: &Taking<'_>,
        incoming: &Incoming,
        held: bool,
    ) -> Result<Prepared, EngineError> {
        let shared = &self.shared;
        let at = incoming.received_at;
        let event = EventId::new(at, &*shared.entropy);
        let mut structured = incoming
            .event
            .to_structured(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes));
        let evaluate = |expression: &qc_expression::Expression, what: &str| {
            crate::start::over_event(expression, &structured, at)
                .map_err(|e| failed(format!("the trigger's `{what}` cannot be evaluated: {e}")))
        };
        let input = match taking.input {
            Some(expression) => evaluate(expression, "input")?,
            None => incoming.event.data_value(),
        };
        let subject = match taking.subject {
            Some(expression) => Some(text_of(&evaluate(expression, "subject")?)),
            None => incoming.event.subject.clone(),
        };
        let rules = &deployment.release.data;
        let roots = &shared.settings.token_roots;
        let looks = rules.looks_at(&incoming.trigger);
        let data = if looks { incoming.event.data_value() } else { Value::Null };
        let custody = Custody::of_data(roots, rules, &incoming.trigger, &data);
        let subject =
            subject.map(|it| custody.subject(it, &shared.settings.ledger_key, &incoming.tenant));
        let line = line_of(deployment, &incoming.tenant, &structured, at)?;
        let run = line.as_ref().map_or_else(|| self.new_run_id(at), |it| self.run_id_in(it, at));
        let facts = Arc::new(RunFacts {
            id: run,
            bucket: bucket_of(run),
            tenant: incoming.tenant.clone(),
            environment: deployment.environment.clone(),
            integration: deployment.release.integration.clone(),
            trigger: incoming.trigger.clone(),
            release: deployment.release.hash.clone(),
            event,
            subject,
            origin: run,
            replay_of: None,
            accepted_at: at,
            trace: search::trace_of(incoming.traceparent.as_deref()),
            priority: deployment.release.class.priority(incoming.priority),
        });
        let place = (&incoming.tenant, &deployment.environment);
        let ledger_key = &shared.settings.ledger_key;
        // First: what a run is erased by must not fall behind the most that a run has.
        let mut keys = subject::keys_of_data(rules, &incoming.trigger, place, &data, ledger_key);
        keys.extend(search::keys_of_event(&deployment.release, &structured, at));
        // Equal payloads have one text and one hash, in whichever order their keys came.
        structured.sort_all_objects();
        let body = Bytes::from(structured.to_string());
        let payload = record::canonical_payload(&structured);
        let hash = record::payload_hash(ledger_key, &incoming.tenant, payload.as_bytes());
        let version = incoming.version.as_deref();
        let first_row = record::event_accepted(&facts, &incoming.actor, &hash, body.len(), version);
        let mut start = workflow_start(deployment, &facts, input, at, shared.entropy.next_u64());
        if incoming.terms.degraded {
            start.runtime.metadata["degraded"] = true.into();
        }
        let traceparent = incoming.traceparent.clone();
        let key = incoming.key.as_ref().map(|key| IdempotencyKey {
            scope: key_scope(deployment, incoming),
            key: key.clone(),
            body_hash: incoming.body_hash,
            expires_at: at + taking.window,
        });
        let keyed = key.as_ref().map(|key| keyed(key.body_hash, key.expires_at));
        let lineage = Lineage { hops: taking.hops, parent: None };
        let queued = incoming.terms.queued.clone();
        let beginning = Beginning { keyed, lineage, held, queued, custody, ..Beginning::default() };
        let begun = begin(deployment, facts, start, traceparent, beginning, line);
        let event = StoredEvent { id: event, received_at: at, body };
        let degraded = incoming.terms.degraded;
        Ok(Prepared { key, keys, degraded, ..Prepared::of(begun, event, first_row) })
    }

    /// A new run's id: of this node's own buckets when it has some, so that nobody has to hand the
    /// run over.
    pub(crate) fn new_run_id(&self, at: Timestamp) -> RunId {
        let shared = &self.shared;
        let run = RunId::new(at, &*shared.entropy);
        let bucket = shared.leases.pick(shared.entropy.next_u64());
        bucket.map_or(run, |bucket| in_bucket(run, bucket))
    }

    /// Commits a prepared run and, when there is room, starts it. Goes on to its end when the
    /// caller goes away meanwhile: a run that is on disk has its calls sent at once.
    pub(crate) async fn write(&self, prepared: Prepared) -> Result<Accepted, EngineError> {
        let engine = self.clone();
        let writing = tokio::spawn(async move { engine.write_out(prepared).await });
        let Ok(written) = timeout(ANSWER_IN, writing).await else {
            return Err(StoreError::Unknown("the store did not answer in time".to_owned()).into());
        };
        written.unwrap_or_else(|broken| {
            tracing::error!("an accept broke off: {}", how(&broken));
            Err(StoreError::Unknown("the accept broke off".to_owned()).into())
        })
    }

    async fn write_out(&self, prepared: Prepared) -> Result<Accepted, EngineError> {
        let Prepared { begun, key, event, first_row, mut documents, rows, keys, signals, degraded } =
            prepared;
        let Begun { facts, mut run, mut draft, line, held, queued } = begun;
        draft.signals.extend(signals);
        let shared = &self.shared;
        let at = facts.accepted_at;
        let place = self.seat_new(&facts, run.as_mut(), &mut draft);
        let (state, waits, parent) = match &mut run {
            Some(run) => {
                run.begin_hearing(place.as_ref().map(|place| &*place.tenure), &mut draft);
                let (_, waits) = run.wait_changes(&draft);
                let lineage = &run.context.lineage;
                if draft.end.is_some() && lineage.parent.is_some() {
                    draft.signals.push(bus::ended(facts.id, 1, at, &run.context.deployment));
                }
                (run.state(&draft, at), waits, lineage.parent.clone())
            }
            None => (waiting(held, queued.as_ref(), at), BTreeMap::new(), None),
        };
        let mut ledger = vec![first_row];
        ledger.extend(rows);
        ledger.append(&mut draft.ledger);
        // The child's own comes first: a parent finds it by that.
        let keys = parent.iter().map(children::key_of).chain(keys).chain(draft.keys.drain(..));
        let keys = keys.take(KEYS_MAX).collect();
        documents.extend(draft.take_documents());
        let emits = !draft.signals.is_empty();
        for row in &mut ledger {
            record::signed(row, &shared.settings.node);
        }
        let accept = Accept {
            txn: TxnId::new(at, &*shared.entropy),
            key,
            event,
            run: (*facts).clone(),
            state,
            journal: draft.take_journal(),
            ledger,
            dead: draft.dead.take(),
            signals: std::mem::take(&mut draft.signals),
            waits: waits.values().cloned().collect(),
            turn: line.as_ref().map(Line::turn),
            documents,
            keys,
        };
        let txn = accept.txn;
        let outcome = match shared.committer.accept(accept).await {
            #[cfg(feature = "planted-bugs")]
            Err(StoreError::Unknown(why))
                if crate::planted::planted(crate::planted::Bug::UnknownTakenForNotWritten) =>
            {
                Err(StoreError::Unavailable(why))
            }
            Err(StoreError::Unknown(why)) => {
                self.read_back(&facts, txn, parent.is_some(), why).await
            }
            other => other,
        };
        match outcome {
            Ok(AcceptOutcome::Accepted) => {
                // Nobody sent a replay or a child: they are no events.
                self.count_new(&facts, facts.replay_of.is_none() && parent.is_none(), emits);
                shared.counters.degraded.fetch_add(u64::from(degraded), Ordering::Relaxed);
                if let Some(mut run) = run {
                    run.hearing.waits = waits;
                    self.go_on(run, draft, place);
                } else {
                    self.comes_later(&facts, held, queued).await;
                }
                Ok(Accepted::New { run: facts.id })
            }
            Ok(AcceptOutcome::Duplicate { run: first, same_body }) => {
                if let Some(hold) = run.and_then(|run| run.hold) {
                    hold.done();
                }
                shared.counters.repeated.fetch_add(1, Ordering::Relaxed);
                if same_body {
                    Ok(Accepted::Repeat { run: first })
                } else {
                    Err(EngineError::KeyReused { run: first })
                }
            }
            Ok(AcceptOutcome::Conflict { kind, name, .. }) => Err(StoreError::Unavailable(
                format!("the {kind} `{name}` changed meanwhile; try again"),
            )
            .into()),
            Err(error) => Err(error.into()),
        }
    }

    /// A new run is on disk that does not begin at once.
    async fn comes_later(&self, facts: &RunFacts, held: bool, queued: Option<Queued>) {
        match queued {
            _ if held => {}
            Some(queued) => {
                self.shared.counters.queued.fetch_add(1, Ordering::Relaxed);
                self.has_queued(facts.id, queued.until);
            }
            None => self.joined(facts).await,
        }
    }

    /// The place in memory of a new run. It is taken before the commit, so that recovery cannot take the run up between
    /// the commit and its start. Without one its calls are not sent now, and nothing may say that they were about to be.
    fn seat_new(
        &self,
        facts: &RunFacts,
        run: Option<&mut ActiveRun>,
        draft: &mut Draft,
    ) -> Option<Place> {
        let Some(run) = run else {
            draft.withhold();
            return None;
        };
        // Whoever waits for events begins where it is known how far they were read.
        let waits = run.hearing.is_due();
        let place = self.place_for_new(facts);
        let place = place.filter(|place| !waits || place.tenure.tail.has_begun());
        if place.is_some() {
            run.pass(&self.shared.gate, draft);
        } else {
            draft.withhold();
        }
        place
    }

    /// A new run is on disk: it is counted and told of.
    fn count_new(&self, facts: &RunFacts, is_event: bool, emits: bool) {
        let shared = &self.shared;
        if is_event {
            shared.counters.accepted.fetch_add(1, Ordering::Relaxed);
        }
        shared.admission.opened(facts);
        if emits {
            shared.emitted.send_modify(|commits| *commits += 1);
            shared.news.wake();
        }
        let subject = || What::Accepted { subject: facts.subject.clone() };
        shared.tell(facts.id, &facts.integration, subject);
    }

    /// A new run is on disk: here it goes on when it has a place in memory, else with its owner.
    fn go_on(&self, mut run: ActiveRun, draft: Draft, place: Option<Place>) {
        tell(&self.shared, &run, &draft);
        match place {
            Some(place) => {
                run.version = 1;
                run.commit_draft(draft);
                self.spawn(run, place, None);
            }
            None if self.shared.leases.owns(run.context.facts.id) => {
                self.shared.places.line_up(&run.context.facts);
            }
            None => self.wake_owner(run.context.facts.id),
        }
    }

    /// A place for a run that begins: when this node may run it, there is room, and nobody has
    /// waited for that room longer.
    fn place_for_new(&self, facts: &RunFacts) -> Option<Place> {
        let shared = &self.shared;
        if !shared.places.may_begin(&facts.tenant) {
            return None;
        }
        match shared.reserve(facts) {
            // A call that might not be sent from here is not journaled as about to be.
            Reserved::Place(place) => Some(place).filter(|place| place.tenure.is_certain()),
            Reserved::NotOurs | Reserved::There | Reserved::Full => None,
        }
    }

    /// Finds out whether an accept of unknown outcome took place, however long that takes: its
    /// calls were never sent, and nobody but us knows that. When not, its sender has to ask again:
    /// another run may own the key, for this body or for another one.
    async fn read_back(
        &self,
        facts: &RunFacts,
        txn: TxnId,
        child: bool,
        why: String,
    ) -> Result<AcceptOutcome, StoreError> {
        loop {
            match self.shared.store.run(facts.id).await {
                // A child has the same id whoever begins it.
                Ok(Some(head)) if child && head.last_txn != txn => {
                    return Ok(AcceptOutcome::Duplicate { run: facts.id, same_body: true });
                }
                Ok(Some(_)) => return Ok(AcceptOutcome::Accepted),
                Ok(None) => return Err(StoreError::Unavailable(why)),
                Err(_) if self.shared.is_draining() => return Err(StoreError::Unknown(why)),
                Err(error) => {
                    tracing::warn!(run = %facts.id, "an accept cannot be read back now: {error}");
                    sleep(READ_AGAIN).await;
                }
            }
        }
    }
}

/// How a run stands that does not begin at once.
fn waiting(held: bool, queued: Option<&Queued>, at: Timestamp) -> RunState {
    match queued {
        _ if held => pause::held(at),
        Some(queued) => queue::queued(queued, at),
        None => standing(at),
    }
}

/// A run that is ready to be committed for the first time.
pub(crate) struct Prepared {
    pub(crate) begun: Begun,
    pub(crate) key: Option<IdempotencyKey>,
    pub(crate) event: StoredEvent,
    pub(crate) first_row: LedgerRow,
    /// What else changes with it.
    pub(crate) documents: Vec<DocumentOp>,
    /// What else the ledger says with it.
    pub(crate) rows: Vec<LedgerRow>,
    /// What people find it by.
    pub(crate) keys: Vec<RunKey>,
    /// What is published with it.
    pub(crate) signals: Vec<Signal>,
    /// Whether its work is done in the lesser way.
    pub(crate) degraded: bool,
}

impl Prepared {
    /// Without a key and without anything beside it.
    pub(crate) fn of(begun: Begun, event: StoredEvent, first_row: LedgerRow) -> Self {
        let (documents, rows, keys, signals) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let degraded = false;
        Self { begun, key: None, event, first_row, documents, rows, keys, signals, degraded }
    }
}

/// A run that begins, at once or when its turn comes.
pub(crate) struct Begun {
    pub(crate) facts: Arc<RunFacts>,
    /// The run in memory; None when it waits for its turn.
    pub(crate) run: Option<ActiveRun>,
    /// What its first commit says.
    pub(crate) draft: Draft,
    /// The line that it joins.
    pub(crate) line: Option<Line>,
    /// Whether its trigger is paused.
    pub(crate) held: bool,
    /// When it begins, where a limit says so.
    pub(crate) queued: Option<Queued>,
}

/// How an event is taken by whoever begins a run with it.
pub(crate) struct Taking<'t> {
    /// The workflow's input, over the event; its data otherwise.
    pub(crate) input: Option<&'t Expression>,
    /// What it is about, over the event; its own subject otherwise.
    pub(crate) subject: Option<&'t Expression>,
    /// How long its key is remembered.
    pub(crate) window: Duration,
    /// How many runs stand between it and one from outside.
    pub(crate) hops: u32,
}

impl<'t> Taking<'t> {
    fn by(trigger: &'t Trigger, hops: u32) -> Self {
        Self {
            input: trigger.input.as_ref(),
            subject: trigger.subject.as_ref(),
            window: trigger.idempotency.as_ref().map_or(SENDER_KEY_WINDOW, |rule| rule.window),
            hops,
        }
    }
}

/// From what a run begins.
#[derive(Default)]
pub(crate) struct Beginning {
    /// The key with which its event came.
    pub(crate) keyed: Option<Keyed>,
    /// What the runs before it in a chain of replays have done already.
    pub(crate) earlier: Vec<EarlierCall>,
    /// From where it comes.
    pub(crate) lineage: Lineage,
    /// Its trigger is paused.
    pub(crate) held: bool,
    /// A limit has it begin later.
    pub(crate) queued: Option<Queued>,
    /// What is known of its data.
    pub(crate) custody: Custody,
}

/// Starts the machine, unless the run has to wait for its turn.
pub(crate) fn begin(
    deployment: &Arc<Deployment>,
    facts: Arc<RunFacts>,
    start: Start,
    traceparent: Option<String>,
    beginning: Beginning,
    line: Option<Line>,
) -> Begun {
    let Beginning { keyed, earlier, lineage, held, queued, custody } = beginning;
    let waits = held || queued.is_some();
    if line.is_some() || waits {
        let draft = joins(start, traceparent, earlier, keyed, lineage, line.clone(), waits);
        return Begun { facts, run: None, draft, line, held, queued };
    }
    let at = facts.accepted_at;
    let (machine, actions) = Machine::start(deployment.release.program.clone(), &start);
    let context =
        RunContext::new(facts.clone(), deployment.clone(), traceparent.clone(), lineage.clone());
    let mut run = ActiveRun::new(context, machine, HashMap::new(), custody);
    run.earlier = earlier.iter().cloned().map(|one| (one.call, one.outcome)).collect();
    let mut draft = Draft::new(at);
    let start = Box::new(start);
    draft.journal(Journaled::Start {
        start,
        traceparent,
        earlier,
        keyed,
        line: None,
        lineage,
        held,
    });
    run.begin(actions, &mut draft);
    Begun { facts, run: Some(run), draft, line: None, held, queued }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.chars().take(256).collect(),
        other => other.to_string().chars().take(256).collect(),
    }
}

fn failed(detail: String) -> EngineError {
    EngineError::Failed(Box::new(Failure::new(
        Class::Invalid,
        codes::TRIGGER_EXPRESSION,
        "the event does not fit the trigger",
        detail,
    )))
}
