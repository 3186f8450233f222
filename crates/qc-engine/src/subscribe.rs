//! Begins runs with events of the bus, for the integrations that subscribed to them. Each subscription has a place of its
//! own, which moves with the accept of each run: one that refuses, is slow or is not deployed stops nobody else.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use qc_model::{Actor, EnvironmentName, Event, EventData, Failure, Name, TenantName, TxnId};
use qc_store::{
    Change, ChangeOutcome, DocumentOp, Expect, LedgerKind, LedgerRow, Priority, Signal,
    SignalEntry, SignalFilter, StoreError,
};
use qc_workflow::Gathering;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    task::JoinSet,
    time::sleep,
};

use crate::{
    Deployment, Engine, EngineError, Incoming, Subscription, Takes, TriggerName,
    accept::Taking,
    bus::{self, Published, Told},
    codes,
    gather::{Gathered, gather},
    pace::Pace,
    start::over_event,
    unwind::how,
};

/// The kind of the documents.
const KIND: &str = "subscription";
/// How many signals one look brings.
const PAGE: usize = 200;
/// So many signals that it does not want are passed over before the place is written down.
const PASSED_MAX: u64 = 1_000;
/// How many refusals are written at once.
const ROWS_MAX: usize = 100;
/// The pause after the store failed to answer.
const STORE_AGAIN: Duration = Duration::from_secs(1);
/// The longest pause.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How many subscriptions go on at a time.
const AT_A_TIME: usize = 32;
/// How long an event is remembered as one that had its run, beyond the time for which it is kept.
const LONGER: Duration = Duration::from_secs(24 * 3_600);

/// Where a subscription stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Standing {
    v: u32,
    /// Up to which place it has dealt with the signals.
    after: u64,
    /// Events that wait for the others that are needed too, by what they have in common.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    gathering: BTreeMap<String, Gathering>,
}

#[derive(Debug, Clone)]
struct Known {
    standing: Standing,
    revision: u64,
    /// Up to which place it has looked; what is between is not wanted.
    looked: u64,
    pace: Pace,
}

/// A subscription with where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionView {
    /// Where it is deployed.
    pub environment: EnvironmentName,
    /// Who subscribed.
    pub integration: Name,
    /// With which trigger.
    pub trigger: Name,
    /// Whose events it takes; None for every tenant's.
    pub tenant: Option<TenantName>,
    /// The types that it takes; empty when events of any type may fit.
    pub types: Vec<String>,
    /// Its place among the signals, once it has begun.
    pub after: Option<u64>,
}

/// One subscription of what is deployed.
#[derive(Clone)]
struct One {
    deployment: Arc<Deployment>,
    trigger: Name,
    name: String,
}

impl One {
    fn subscription(&self) -> &Subscription {
        // Made from what stands there.
        &self.deployment.release.bus.subscriptions[&self.trigger]
    }
}

/// What is known of each subscription while this node follows.
#[derive(Default)]
struct Desk {
    known: HashMap<String, Slot>,
}

/// What is known of one subscription.
#[derive(Clone, Default)]
struct Slot {
    /// Locked while somebody is at work on it.
    known: Arc<Mutex<Option<Known>>>,
    /// One more than the place up to which it has looked; 0 while that is not known.
    looked: Arc<AtomicU64>,
}

impl Engine {
    /// Follows the bus for all subscriptions that are this node's.
    pub(crate) async fn follow_subscriptions(&self) {
        let shared = &self.shared;
        let mut desk = Desk::default();
        let mut under_way: JoinSet<bool> = JoinSet::new();
        loop {
            let news = shared.news.published.notified();
            let mut pause = LOOK_AGAIN;
            if !shared.leases.is_alone() || !shared.leases.any() {
                // A subscription may come with a group.
                pause = pause.min(shared.settings.lease_ttl / 3);
            }
            let left = self.send_out(&mut desk, &mut under_way);
            tokio::select! {
                () = news => {}
                failed = one_ended(&mut under_way, left) => if failed {
                    sleep(STORE_AGAIN).await;
                },
                () = sleep(pause) => {}
                () = self.draining() => return,
            }
        }
    }

    /// Whether this node is the one that has it go on.
    fn tends(&self, one: &One) -> bool {
        self.does(&format!("{KIND} {}", one.name))
    }

    /// Has every subscription go on that is not at work already. True when one was left out.
    fn send_out(&self, desk: &mut Desk, under_way: &mut JoinSet<bool>) -> bool {
        let mut subscriptions = all(&self.deployments());
        subscriptions.retain(|one| self.tends(one));
        desk.known.retain(|name, _| subscriptions.iter().any(|one| one.name == *name));
        let mut left = false;
        for one in subscriptions {
            let Slot { known, looked } = desk.known.entry(one.name.clone()).or_default().clone();
            let at = looked.load(Ordering::Acquire);
            if at > 0 && at > self.shared.news.head() {
                // Nothing has come since.
                continue;
            }
            match known.try_lock_owned() {
                Ok(known) if under_way.len() < AT_A_TIME => {
                    let engine = self.clone();
                    under_way.spawn(async move { engine.catch_up_slot(one, known, &looked).await });
                }
                Ok(_) | Err(_) => left = true,
            }
        }
        left
    }

    /// Goes on with one subscription as far as the signals were read; true when it has to be tried again.
    async fn catch_up_slot(
        &self,
        one: One,
        mut known: OwnedMutexGuard<Option<Known>>,
        looked: &AtomicU64,
    ) -> bool {
        let done = self.catch_up(&one, &mut known).await;
        // One more than the place, so that the very beginning is known from not knowing.
        let at = known.as_ref().map_or(0, |known| known.looked.saturating_add(1));
        looked.store(if done.is_ok() { at } else { 0 }, Ordering::Release);
        if let Err(error) = &done {
            // What it knew of its place may be wrong.
            *known = None;
            if !matches!(error, EngineError::Draining | EngineError::Busy(_)) {
                tracing::warn!(subscription = one.name, "a subscription cannot go on now: {error}");
            }
        }
        done.is_err()
    }

    async fn catch_up(&self, one: &One, known: &mut Option<Known>) -> Result<(), EngineError> {
        let mut at = match known.take() {
            Some(known) => known,
            None => self.standing_of_subscription(one).await?,
        };
        let mut rows = Vec::new();
        loop {
            // Read before the page: what is written meanwhile comes with the next news.
            let head = self.shared.news.head();
            if at.looked >= head {
                break;
            }
            let filter = SignalFilter {
                kind: only_kind(one),
                after: at.looked,
                limit: PAGE,
                ..SignalFilter::default()
            };
            let page = self.shared.store.signals(&filter).await?;
            let last = page.len() < PAGE;
            for entry in page {
                if self.shared.is_draining() || !self.tends(one) {
                    return Err(EngineError::Draining);
                }
                self.deal_with(one, &mut at, &entry, &mut rows).await?;
                at.looked = entry.seq;
            }
            if last {
                at.looked = at.looked.max(head);
            }
            if rows.len() >= ROWS_MAX || at.looked - at.standing.after >= PASSED_MAX {
                self.move_to(one, &mut at, std::mem::take(&mut rows)).await?;
            }
        }
        if !rows.is_empty() {
            self.move_to(one, &mut at, rows).await?;
        }
        *known = Some(at);
        Ok(())
    }

    /// Begins a run with an event, gathers it, passes it over or refuses it.
    async fn deal_with(
        &self,
        one: &One,
        at: &mut Known,
        entry: &SignalEntry,
        rows: &mut Vec<LedgerRow>,
    ) -> Result<(), EngineError> {
        let Some((tenant, published)) = wanted_at_all(one, &entry.signal) else { return Ok(()) };
        let subscription = one.subscription();
        let mut standing = Standing { after: entry.seq, ..at.standing.clone() };
        let judged = match &subscription.takes {
            Takes::Types { filter, .. } => self.judge(subscription, filter.as_ref(), &published),
            Takes::Workflow => {
                let Some(qc_workflow::Schedule::On(start)) =
                    one.deployment.release.program.schedule()
                else {
                    return Ok(());
                };
                match gather(start, &mut standing.gathering, &published.event) {
                    Gathered::Unfit => return Ok(()),
                    Gathered::Waits => {
                        return Ok(self
                            .write_subscription(one, at, standing, std::mem::take(rows))
                            .await?);
                    }
                    Gathered::Complete(input) => Ok(Some(input)),
                }
            }
        };
        let refused = match judged {
            Ok(None) => return Ok(()),
            Ok(Some(data)) => {
                at.pace.keep(subscription.max_rate).await;
                match self.begin_with(one, at, (&tenant, &published), data, standing, rows).await {
                    Ok(()) => return Ok(()),
                    Err(EngineError::Failed(failure)) => failure,
                    Err(error) => return Err(error),
                }
            }
            Err(failure) => failure,
        };
        rows.push(self.refusal(one, &tenant, &published, &refused));
        Ok(())
    }

    /// The data with which a run begins; None when the filter does not take the event.
    fn judge(
        &self,
        subscription: &Subscription,
        filter: Option<&qc_expression::Expression>,
        published: &Published,
    ) -> Result<Option<Value>, Box<Failure>> {
        let event = &published.event;
        if let Some(filter) = filter {
            match over_event(filter, event, self.shared.now()) {
                Ok(Value::Bool(true)) => {}
                Ok(_) => return Ok(None),
                Err(error) => {
                    let detail =
                        format!("the subscription's `filter` cannot be evaluated: {error}");
                    return Err(unfit(
                        codes::TRIGGER_EXPRESSION,
                        "the event does not fit the trigger",
                        detail,
                    ));
                }
            }
        }
        let data = event.get("data").cloned().unwrap_or(Value::Null);
        if let Some(contract) = &subscription.contract
            && let Some(first) = contract.check(&data).first()
        {
            let detail = format!("at `{}`: {}", first.pointer, first.message);
            return Err(unfit(
                codes::SUBSCRIPTION_CONTRACT,
                "the event breaks the subscription's contract",
                detail,
            ));
        }
        if published.hops >= bus::HOPS_MAX {
            let detail = format!("{} runs began one another by events", published.hops);
            return Err(unfit(codes::ROUND, "events go round in a circle", detail));
        }
        Ok(Some(data))
    }

    async fn begin_with(
        &self,
        one: &One,
        at: &mut Known,
        (tenant, published): (&TenantName, &Published),
        data: Value,
        standing: Standing,
        rows: &mut Vec<LedgerRow>,
    ) -> Result<(), EngineError> {
        // It waits in its place until there is room: nothing is lost, and nobody is told to send it again.
        self.shared.refuses(tenant, one.deployment.release.class)?;
        let subscription = one.subscription();
        let event = match &subscription.takes {
            Takes::Types { .. } => bus::event_of(published),
            Takes::Workflow => {
                bus::event_of(published).map(|event| Event { data: EventData::Json(data), ..event })
            }
        };
        // What cannot be read as an event was never one.
        let Some(event) = event else { return Ok(()) };
        let incoming = Incoming {
            trigger: one.trigger.clone(),
            tenant: tenant.clone(),
            body_hash: [0; 32],
            key: Some(bus::id_of(&published.event)),
            event,
            actor: Actor::platform("subscription"),
            received_at: self.shared.now(),
            traceparent: None,
            priority: Priority::Normal,
            version: None,
            terms: crate::Terms::default(),
            hops: 0,
        };
        let taking = Taking {
            input: subscription.input.as_ref(),
            subject: subscription.subject.as_ref(),
            window: one.deployment.release.bus.retention + LONGER,
            hops: published.hops,
        };
        let name = TriggerName::in_deployment(&one.deployment, &one.trigger);
        let held = self.holds_events(&name).await?;
        let mut prepared = self.prepare(&one.deployment, &taking, &incoming, held)?;
        prepared.documents.push(self.put_subscription(one, &standing, at.revision));
        // Those that were refused before it are passed with it.
        prepared.rows.clone_from(rows);
        match self.write(prepared).await? {
            crate::Accepted::New { .. } => {
                rows.clear();
                at.standing = standing;
                at.revision += 1;
                Ok(())
            }
            // It had its run already, before its place was known to have moved.
            crate::Accepted::Repeat { .. } => {
                Ok(self.write_subscription(one, at, standing, std::mem::take(rows)).await?)
            }
        }
    }

    /// Writes down how far a subscription has looked.
    async fn move_to(
        &self,
        one: &One,
        at: &mut Known,
        rows: Vec<LedgerRow>,
    ) -> Result<(), StoreError> {
        let standing = Standing { after: at.looked, ..at.standing.clone() };
        self.write_subscription(one, at, standing, rows).await
    }

    /// Where a subscription stands; a new one begins with what comes next, or with the oldest event that is kept.
    async fn standing_of_subscription(&self, one: &One) -> Result<Known, StoreError> {
        if let Some(document) = self.shared.store.document(KIND, &one.name).await? {
            let standing: Standing = serde_json::from_slice(&document.body)
                .map_err(|error| StoreError::Corrupt(format!("{KIND} `{}`: {error}", one.name)))?;
            let looked = standing.after;
            let (revision, pace) = (document.revision, Pace::default());
            return Ok(Known { standing, revision, looked, pace });
        }
        let after =
            if one.subscription().from_beginning { 0 } else { self.end_of_signals().await? };
        let standing = Standing { v: 1, after, gathering: BTreeMap::new() };
        let (revision, pace) = (0, Pace::default());
        let mut known = Known { standing: standing.clone(), revision, looked: after, pace };
        self.write_subscription(one, &mut known, standing, Vec::new()).await?;
        Ok(known)
    }

    /// The place of the last signal.
    async fn end_of_signals(&self) -> Result<u64, StoreError> {
        let mut after = self.shared.news.head();
        loop {
            let filter = SignalFilter { after, ..SignalFilter::default() };
            match self.shared.store.signals(&filter).await?.last() {
                Some(last) => after = last.seq,
                None => return Ok(after),
            }
        }
    }

    fn put_subscription(&self, one: &One, standing: &Standing, revision: u64) -> DocumentOp {
        let body = serde_json::to_vec(standing).expect("a standing is plain data");
        let expect = if revision == 0 { Expect::Absent } else { Expect::Revision(revision) };
        DocumentOp::Put {
            kind: KIND.to_owned(),
            name: one.name.clone(),
            expect,
            body: Bytes::from(body),
            at: self.shared.now(),
        }
    }

    async fn write_subscription(
        &self,
        one: &One,
        at: &mut Known,
        standing: Standing,
        ledger: Vec<LedgerRow>,
    ) -> Result<(), StoreError> {
        let put = self.put_subscription(one, &standing, at.revision);
        let id = TxnId::new(self.shared.now(), &*self.shared.entropy);
        let change = Change { id, documents: vec![put], ledger, signals: Vec::new() };
        match self.shared.committer.change(change).await? {
            ChangeOutcome::Changed => {
                at.standing = standing;
                at.revision += 1;
                Ok(())
            }
            ChangeOutcome::Conflict { .. } => Err(StoreError::Unavailable(format!(
                "another node moved the subscription `{}`",
                one.name
            ))),
        }
    }

    fn refusal(
        &self,
        one: &One,
        tenant: &TenantName,
        published: &Published,
        failure: &Failure,
    ) -> LedgerRow {
        let event = &published.event;
        let facts = json!({
            "id": event["id"], "source": event["source"], "type": event["type"], "detail": failure.detail,
        });
        LedgerRow {
            at: self.shared.now(),
            kind: LedgerKind::Event,
            tenant: tenant.clone(),
            environment: Some(one.deployment.environment.clone()),
            integration: Some(one.deployment.release.integration.clone()),
            run: None,
            event: None,
            actor: "platform:subscription".to_owned(),
            subject: one.trigger.to_string(),
            outcome: "refused".to_owned(),
            code: Some(failure.code.to_string()),
            facts: Bytes::from(facts.to_string()),
        }
    }

    /// All subscriptions of what is deployed, and where they stand.
    ///
    /// Errors: those of the store.
    pub async fn subscriptions(&self) -> Result<Vec<SubscriptionView>, StoreError> {
        let mut views = Vec::new();
        for one in all(&self.deployments()) {
            let stored = self.shared.store.document(KIND, &one.name).await?;
            let standing: Option<Standing> =
                stored.and_then(|document| serde_json::from_slice(&document.body).ok());
            views.push(SubscriptionView {
                environment: one.deployment.environment.clone(),
                integration: one.deployment.release.integration.clone(),
                trigger: one.trigger.clone(),
                tenant: one.subscription().tenant.clone(),
                types: types_of(&one),
                after: standing.map(|standing| standing.after),
            });
        }
        Ok(views)
    }
}

/// Waits for the end of one that leads to another look: one that failed, or any when some were left out.
async fn one_ended(under_way: &mut JoinSet<bool>, left: bool) -> bool {
    while let Some(ended) = under_way.join_next().await {
        let failed = ended.unwrap_or_else(|broken| {
            tracing::error!("a subscription broke off: {}", how(&broken));
            true
        });
        if failed || left {
            return failed;
        }
    }
    std::future::pending().await
}

fn all(deployments: &crate::Deployments) -> Vec<One> {
    let mut found = Vec::new();
    for deployment in deployments.iter() {
        for trigger in deployment.release.bus.subscriptions.keys() {
            let (environment, integration) =
                (&deployment.environment, &deployment.release.integration);
            let name = format!("{environment}/{integration}/{trigger}");
            found.push(One { deployment: Arc::clone(deployment), trigger: trigger.clone(), name });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The types that a subscription takes; none when events of any type may fit.
fn types_of(one: &One) -> Vec<String> {
    match &one.subscription().takes {
        Takes::Types { types, .. } => types.clone(),
        Takes::Workflow => match one.deployment.release.program.schedule() {
            Some(qc_workflow::Schedule::On(start)) => {
                let types: Option<Vec<String>> =
                    start.filters().into_iter().map(|filter| filter.event_type).collect();
                types.unwrap_or_default()
            }
            _ => Vec::new(),
        },
    }
}

fn only_kind(one: &One) -> Option<String> {
    match &types_of(one)[..] {
        [only] => Some(bus::bounded(only)),
        _ => None,
    }
}

/// Tenant and event of a signal, when its bus and its type are those of the subscription.
fn wanted_at_all(one: &One, signal: &Signal) -> Option<(TenantName, Box<Published>)> {
    let (tenant, environment) = bus::parts_of(&signal.scope)?;
    let subscription = one.subscription();
    let whose = subscription.tenant.as_ref().is_none_or(|wanted| *wanted == tenant);
    if environment != one.deployment.environment || !whose {
        return None;
    }
    let Ok(Told::Event(published)) = bus::decode(signal) else { return None };
    if let Takes::Types { types, .. } = &subscription.takes {
        let kind = published.event["type"].as_str()?;
        types.iter().find(|wanted| *wanted == kind)?;
    }
    Some((tenant, published))
}

fn unfit(code: qc_model::Code, title: &str, detail: String) -> Box<Failure> {
    Box::new(Failure::new(qc_model::Class::Invalid, code, title, detail))
}
