//! Polls: every item has one run, whatever happens in between, and the cursor says how far it came.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use qc_engine::{
    Deployment, Idempotency, PollTrigger, TenantRule, Trigger, TriggerAuth, TriggerKind,
};
use qc_expression::Expression;
use qc_model::{
    Body, CallError, CallErrorKind, Caller, Clock, Name, OutboundRequest, OutboundResponse, TxnId,
};
use qc_store::{
    Change, DocumentOp, Expect, LedgerFilter, LedgerRow, RunFilter, RunStatus, Store, Write,
    memory::{Fault, MemoryStore},
};
use serde_json::{Value, json};

use crate::world::{VirtualClock, World, deployment_with};

const KIND: &str = "poll-cursor";
const NAME: &str = "production/test/changes";
const EVERY: Duration = Duration::from_secs(60);
/// Items of one answer.
const PAGE: usize = 4;

type Hook = Box<dyn Fn(usize) + Send + Sync>;

/// A system that lists its changes after a place.
#[derive(Default)]
struct Feed {
    items: Mutex<Vec<Value>>,
    /// Statuses that are answered before anything else; 0: the connection cannot be made.
    faults: Mutex<VecDeque<u16>>,
    /// Places after which it was asked, and when.
    asked: Mutex<Vec<(u64, tokio::time::Instant)>>,
    /// Whether the item at the place itself comes again.
    inclusive: bool,
    /// What it answers instead.
    instead: Mutex<Option<Value>>,
    /// Done before the n-th answer.
    before: Option<Hook>,
}

impl Feed {
    fn with(items: usize) -> Self {
        let feed = Self::default();
        feed.add(items);
        feed
    }

    fn add(&self, count: usize) {
        let mut items = self.items.lock().unwrap();
        for _ in 0..count {
            let number = items.len() + 1;
            items.push(json!({ "id": format!("item-{number}"), "seq": number }));
        }
    }

    fn asked(&self) -> Vec<u64> {
        self.asked.lock().unwrap().iter().map(|(since, _)| *since).collect()
    }

    /// The pauses between askings, in seconds.
    fn pauses(&self) -> Vec<u64> {
        let asked = self.asked.lock().unwrap();
        asked.windows(2).map(|pair| (pair[1].1 - pair[0].1).as_secs()).collect()
    }
}

#[async_trait]
impl Caller for Feed {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let since = request.url.split("since=").nth(1).and_then(|text| text.parse().ok());
        let since: u64 = since.unwrap_or_else(|| panic!("asked without a place: {}", request.url));
        let nth = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((since, tokio::time::Instant::now()));
            asked.len()
        };
        if let Some(before) = &self.before {
            before(nth);
        }
        let fault = self.faults.lock().unwrap().pop_front();
        if fault == Some(0) {
            let message = "the test says so".to_owned();
            return Err(CallError { kind: CallErrorKind::Connect, sent: false, message });
        }
        let from = usize::try_from(since).unwrap().saturating_sub(usize::from(self.inclusive));
        let items: Vec<Value> =
            self.items.lock().unwrap().iter().skip(from).take(PAGE).cloned().collect();
        let next = items.last().map(|item| item["seq"].clone());
        let instead = self.instead.lock().unwrap().clone();
        let content = instead.unwrap_or_else(|| json!({ "items": items, "next": next }));
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        let status = StatusCode::from_u16(fault.unwrap_or(200)).unwrap();
        Ok(OutboundResponse { status, headers, body: Body::Bytes(content.to_string().into()) })
    }
}

fn jq(text: &str) -> Expression {
    Expression::parse(text, &[]).unwrap()
}

pub(crate) fn polling(every: Duration) -> Trigger {
    Trigger {
        name: Name::new("changes").unwrap(),
        kind: TriggerKind::Poll(Box::new(PollTrigger {
            connector: "desk".to_owned(),
            operation: "listChanges".to_owned(),
            arguments: Some(jq("{since: .cursor}")),
            every,
            items: jq(".items"),
            cursor: jq(".answer.next // .cursor"),
            start: json!(0),
            event_type: "desk.changed".to_owned(),
        })),
        auth: TriggerAuth::Fetched,
        tenant: TenantRule::Fixed(Name::new("default").unwrap()),
        idempotency: Some(Idempotency {
            key: jq(".data.id"),
            window: Duration::from_secs(72 * 3_600),
        }),
        subject: Some(jq(".data.id")),
        contract: None,
        versions: None,
        input: None,
        body_limit: 1 << 20,
        does: qc_engine::Does::Start,
        cost: 1,
        traffic: qc_engine::Traffic::default(),
    }
}

fn deployed() -> Deployment {
    deployment_with("r1", "\n- keep: { set: { id: '${ .id }' } }\n", polling(EVERY))
}

fn begin(feed: &Arc<Feed>) -> World {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    World::over(store, clock, deployed(), feed.clone(), 1)
}

async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// How many runs each item has.
async fn runs(store: &MemoryStore) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for run in store.runs(&RunFilter::default()).await.unwrap() {
        *counts.entry(run.facts.subject.unwrap()).or_default() += 1;
    }
    counts
}

async fn cursor(store: &MemoryStore) -> Value {
    let Some(document) = store.document(KIND, NAME).await.unwrap() else { return Value::Null };
    serde_json::from_slice::<Value>(&document.body).unwrap()["cursor"].clone()
}

/// Each of the first items has one run that ended well, and the cursor is at their end.
async fn all_done(store: &MemoryStore, items: usize) {
    let counts = runs(store).await;
    let expected: BTreeMap<String, usize> =
        (1..=items).map(|number| (format!("item-{number}"), 1)).collect();
    assert_eq!(counts, expected);
    assert_eq!(cursor(store).await, json!(items));
    for run in store.runs(&RunFilter::default()).await.unwrap() {
        assert_eq!(run.state.status, RunStatus::Completed);
    }
}

async fn rows(store: &MemoryStore, outcome: &str) -> Vec<LedgerRow> {
    let filter = LedgerFilter { outcome: Some(outcome.to_owned()), ..LedgerFilter::default() };
    store.ledger(&filter).await.unwrap().into_iter().map(|entry| entry.row).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_new_is_asked_for_from_where_the_last_answer_ended() {
    let feed = Arc::new(Feed::with(6));
    let world = begin(&feed);
    wait(150).await;
    all_done(&world.store, 6).await;
    assert_eq!(feed.asked(), [0, 4, 6]);
    assert_eq!(feed.pauses(), [60, 60]);
    feed.add(1);
    wait(60).await;
    all_done(&world.store, 7).await;
    // What brought nothing wrote nothing.
    assert_eq!(rows(&world.store, "ok").await.len(), 3);
    assert!(world.engine.standings().findings().is_empty());
    assert_eq!(world.engine.standings().list().len(), 1);
}

/// Counts what is fetched.
#[derive(Default)]
struct Counted(Mutex<BTreeMap<String, usize>>);

impl qc_engine::Arrivals for Counted {
    fn came(&self, deployment: &Deployment, trigger: &Trigger) {
        let name = format!("{}/{}", deployment.environment, trigger.name);
        *self.0.lock().unwrap().entry(name).or_default() += 1;
    }
}

/// Each new item is told once, also when the same one comes again.
#[tokio::test(start_paused = true)]
async fn what_is_fetched_is_told_of_once() {
    let feed = Arc::new(Feed { inclusive: true, ..Feed::with(6) });
    let world = begin(&feed);
    let counted = Arc::new(Counted::default());
    world.engine.tell_arrivals(counted.clone());
    wait(150).await;
    feed.add(1);
    wait(60).await;
    assert_eq!(*counted.0.lock().unwrap(), BTreeMap::from([("production/changes".to_owned(), 7)]));
}

/// For every number of commits that the first process may still make: it ends there, and the second one ends the work.
#[tokio::test(start_paused = true)]
async fn every_commit_may_be_the_last_one() {
    for last in 0..16 {
        let feed = Arc::new(Feed::with(10));
        let clock = Arc::new(VirtualClock::now());
        let store = Arc::new(MemoryStore::with_clock(clock.clone()));
        store.stop_after(last);
        let world = World::over(store, clock, deployed(), feed.clone(), 1);
        wait(200).await;
        let (store, clock) = world.kill();
        wait(15).await;
        store.go_on();
        let world = World::over(store, clock, deployed(), feed.clone(), 2);
        wait(400).await;
        all_done(&world.store, 10).await;
        world.kill();
    }
}

/// The answers to the commits that follow an asking are lost, whether they were written or not.
#[tokio::test(start_paused = true)]
async fn the_unknown_outcome_of_a_commit_is_found_out() {
    for (applied, lost) in [(true, 1), (true, 2), (true, 4), (false, 1), (false, 2), (false, 4)] {
        let clock = Arc::new(VirtualClock::now());
        let store = Arc::new(MemoryStore::with_clock(clock.clone()));
        let failing = store.clone();
        let before: Hook = Box::new(move |nth| {
            for _ in 0..if nth == 1 { lost } else { 0 } {
                failing.fail_next(Fault::Unknown { applied });
            }
        });
        let feed = Arc::new(Feed { before: Some(before), ..Feed::with(5) });
        let world = World::over(store, clock, deployed(), feed.clone(), 1);
        wait(400).await;
        all_done(&world.store, 5).await;
        world.kill();
    }
}

#[tokio::test(start_paused = true)]
async fn items_that_come_again_are_known() {
    let feed = Arc::new(Feed { inclusive: true, ..Feed::with(6) });
    let world = begin(&feed);
    wait(600).await;
    all_done(&world.store, 6).await;
    assert!(world.engine.gauges().repeated > 3);
    let written = world.store.batch_sizes().len();
    wait(600).await;
    // Ten more polls, each with an item that is known, wrote no cursor: only asking for the key costs.
    assert_eq!(rows(&world.store, "ok").await.len(), 2);
    assert!(world.store.batch_sizes().len() >= written);
}

#[tokio::test(start_paused = true)]
async fn failures_back_off_and_are_said() {
    let feed = Arc::new(Feed::with(2));
    *feed.faults.lock().unwrap() = VecDeque::from([503, 0, 500]);
    let world = begin(&feed);
    wait(20).await;
    let findings = world.engine.standings().findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].message.starts_with("the poll `changes` of `test` in `production`: "));
    wait(120).await;
    all_done(&world.store, 2).await;
    assert_eq!(feed.pauses()[..3], [5, 10, 20]);
    let failed = rows(&world.store, "failed").await;
    assert_eq!(failed.len(), 3);
    assert!(failed.iter().all(|row| row.code.is_some() && row.subject == "desk.listChanges"));
    assert!(world.engine.standings().findings().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_stops_nothing_for_good() {
    let feed = Arc::new(Feed::with(3));
    let world = begin(&feed);
    world.store.stop_after(1);
    wait(100).await;
    let findings = world.engine.standings().findings();
    assert_eq!(findings[0].code.to_string(), "QC-B021", "{findings:?}");
    world.store.go_on();
    wait(200).await;
    all_done(&world.store, 3).await;
}

#[tokio::test(start_paused = true)]
async fn an_item_that_breaks_the_contract_is_refused_and_the_others_go_on() {
    let feed = Arc::new(Feed::with(3));
    feed.items.lock().unwrap()[1]["id"] = json!(7);
    feed.items.lock().unwrap()[2]["id"] = json!("item-1");
    let world = begin(&feed);
    // A number is a legal key, so the contract must say no.
    let mut trigger = polling(EVERY);
    trigger.contract = Some(contract());
    let tasks = "\n- keep: { set: { id: '${ .id }' } }\n";
    world.engine.set_deployments(vec![deployment_with("r2", tasks, trigger)]);
    wait(90).await;
    let refused = rows(&world.store, "refused").await;
    let codes: Vec<_> = refused.iter().filter_map(|row| row.code.as_deref()).collect();
    assert_eq!(codes, ["QC-I009", "QC-I012"]);
    assert_eq!(runs(&world.store).await, BTreeMap::from([("item-1".to_owned(), 1)]));
    assert_eq!(cursor(&world.store).await, json!(3));
    assert_eq!(world.engine.gauges().refused, 2);
}

fn contract() -> qc_contract::Schema {
    let text = json!({ "type": "object", "properties": { "id": { "type": "string" } } });
    let files = BTreeMap::from([("c.schema.json".to_owned(), text.to_string())]);
    qc_contract::Schema::load(&files, "c.schema.json").unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_used_moves_nothing() {
    let feed = Arc::new(Feed::with(2));
    for instead in [
        json!({ "items": 7 }),
        json!([]),
        json!({ "items": [], "next": { "big": "x".repeat(70 << 10) } }),
    ] {
        *feed.instead.lock().unwrap() = Some(instead);
        let world = begin(&feed);
        wait(10).await;
        let findings = world.engine.standings().findings();
        assert_eq!(findings[0].code.to_string(), "QC-B020", "{findings:?}");
        assert_eq!(cursor(&world.store).await, Value::Null);
        *feed.instead.lock().unwrap() = None;
        wait(90).await;
        all_done(&world.store, 2).await;
        world.kill();
    }
}

/// While this node asks, another one moves the cursor: nothing goes back, and nothing is said to be wrong.
#[tokio::test(start_paused = true)]
async fn a_cursor_that_another_node_moved_stays_where_it_is() {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let (other, at) = (store.clone(), clock.now());
    let before: Hook = Box::new(move |nth| {
        if nth != 1 {
            return;
        }
        let put = DocumentOp::Put {
            kind: KIND.to_owned(),
            name: NAME.to_owned(),
            expect: Expect::Absent,
            body: json!({ "v": 1, "cursor": 5 }).to_string().into(),
            at,
        };
        let id = TxnId::from_bits(9);
        let change = Change { id, documents: vec![put], ledger: vec![], signals: vec![] };
        let write = other.write(vec![Write::Change(Box::new(change))]);
        futures_util::future::FutureExt::now_or_never(write).unwrap().unwrap();
    });
    let feed = Arc::new(Feed { before: Some(before), ..Feed::with(6) });
    let world = World::over(store, clock, deployed(), feed.clone(), 1);
    wait(150).await;
    assert_eq!(feed.asked()[..2], [0, 5]);
    assert_eq!(cursor(&world.store).await, json!(6));
    let counts = runs(&world.store).await;
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    assert!(counts.contains_key("item-6"));
    assert!(rows(&world.store, "failed").await.is_empty());
}

/// Two nodes share the store: one of them asks, whichever has the poll's group; when that one dies the other goes on.
#[tokio::test(start_paused = true)]
async fn only_one_node_asks() {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::shared_with_clock(clock.clone()));
    let feeds = [Arc::new(Feed::with(1)), Arc::new(Feed::with(1))];
    let node = |number: usize| {
        let name = format!("node-{number}");
        let settings = qc_engine::EngineSettings { node: name, ..Default::default() };
        let (store, clock, feed) = (store.clone(), clock.clone(), feeds[number].clone());
        World::with(store, clock, vec![deployed()], feed, number as u64 + 1, settings)
    };
    let (first, second) = (node(0), node(1));
    // They agree on who has what.
    wait(120).await;
    let before: Vec<usize> = feeds.iter().map(|feed| feed.asked().len()).collect();
    wait(600).await;
    let after: Vec<usize> = feeds.iter().map(|feed| feed.asked().len()).collect();
    let owner = usize::from(after[1] > before[1]);
    assert_eq!(after[owner] - before[owner], 10, "{before:?} {after:?}");
    assert_eq!(after[1 - owner], before[1 - owner], "both ask");
    let worlds = [first, second];
    assert_eq!(worlds[owner].engine.standings().list().len(), 1);
    assert!(worlds[1 - owner].engine.standings().list().is_empty());
    let [first, second] = worlds;
    let (dies, stays) = if owner == 0 { (first, second) } else { (second, first) };
    dies.kill();
    feeds[1 - owner].add(1);
    wait(180).await;
    all_done(&stays.store, 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_new_release_goes_on_where_the_old_one_stopped_and_none_ends_it() {
    let feed = Arc::new(Feed::with(3));
    let world = begin(&feed);
    wait(30).await;
    let tasks = "\n- keep: { set: { id: '${ .id }' } }\n";
    world.engine.set_deployments(vec![deployment_with("r2", tasks, polling(EVERY))]);
    feed.add(1);
    wait(60).await;
    all_done(&world.store, 4).await;
    assert_eq!(feed.asked()[..2], [0, 3]);
    world.engine.set_deployments(Vec::new());
    wait(600).await;
    let asked = feed.asked().len();
    wait(600).await;
    assert_eq!(feed.asked().len(), asked);
    assert!(world.engine.standings().list().is_empty());
}

/// The law, over many days that go wrong in many ways: each item has one run.
#[tokio::test(start_paused = true)]
async fn every_item_has_one_run_on_any_day() {
    for seed in 1..=12_u64 {
        let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut roll = move |sides: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice % sides
        };
        let feed = Arc::new(Feed { inclusive: roll(2) == 0, ..Feed::with(3) });
        let clock = Arc::new(VirtualClock::now());
        let store = Arc::new(MemoryStore::with_clock(clock.clone()));
        let mut world = World::over(store, clock, deployed(), feed.clone(), seed << 8);
        let mut items = 3;
        for day in 1..=8 {
            let new = usize::try_from(roll(6)).unwrap();
            feed.add(new);
            items += new;
            for _ in 0..roll(3) {
                let fault = match roll(4) {
                    0 => Fault::Unavailable,
                    1 => Fault::Unknown { applied: true },
                    2 => Fault::Unknown { applied: false },
                    _ => Fault::Full,
                };
                world.store.fail_next(fault);
            }
            for _ in 0..roll(3) {
                feed.faults
                    .lock()
                    .unwrap()
                    .push_back([0, 429, 503][usize::try_from(roll(3)).unwrap()]);
            }
            if roll(3) == 0 {
                world.store.stop_after(usize::try_from(roll(5)).unwrap());
            }
            wait(roll(200)).await;
            if roll(2) == 0 {
                let (store, clock) = world.kill();
                wait(roll(20)).await;
                store.go_on();
                world = World::over(store, clock, deployed(), feed.clone(), (seed << 8) + day);
            }
            world.store.go_on();
        }
        // Faults that are left hit what comes next; then all is well.
        wait(3_600).await;
        let counts = runs(&world.store).await;
        assert_eq!(counts.len(), items, "seed {seed}");
        assert!(counts.values().all(|count| *count == 1), "seed {seed}: {counts:?}");
        assert_eq!(cursor(&world.store).await, json!(items), "seed {seed}");
        world.kill();
    }
}
