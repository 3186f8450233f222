//! Work on many runs: planned, throttled, once to each, over the ends of processes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use qc_engine::{
    Bulk, BulkError, BulkFilter, BulkId, BulkRequest, BulkState, Deed, EngineSettings, OnFailure,
};
use qc_model::{Actor, Clock, Name, RunId, TxnId};
use qc_store::{
    Change, DeadFilter, DeadState, DocumentOp, Expect, LedgerFilter, LedgerKind, Priority,
    RunFilter, RunStatus, Store, Write, memory::MemoryStore,
};
use serde_json::{Value, json};

use crate::{
    link::{Link, Reached},
    nodes::Hall,
    ordering::ordered,
    world::{Answer, Outside, VirtualClock, World, deployment, ok},
};

const TICKET: &str = "
- createTicket:
    call: desk.createTicket
    with: { body: { title: '${ .title }' } }
";
const NAP: &str = "- nap: { wait: { hours: 30 } }\n";

fn me() -> Actor {
    Actor::platform("test")
}

/// A provider that refuses everything until it is mended.
fn provider() -> (Arc<Outside>, Arc<AtomicBool>) {
    let mended = Arc::new(AtomicBool::new(false));
    let up = Arc::clone(&mended);
    let outside = Outside::new(move |_, _| {
        if up.load(Ordering::Relaxed) {
            ok(json!({"id": 7}))
        } else {
            Answer::Status(400, json!({}))
        }
    });
    (outside, mended)
}

fn request(deed: Deed) -> BulkRequest {
    let filter =
        BulkFilter { integration: Some(Name::new("test").unwrap()), ..BulkFilter::default() };
    let reason = "the provider is back".to_owned();
    BulkRequest { deed, filter, reason, out_of_order: false, compensate: false, newest: false }
}

async fn dead(world: &World, count: usize) -> Vec<RunId> {
    let mut runs = Vec::new();
    for n in 0..count {
        runs.push(world.start(json!({"title": format!("t{n}")})).await);
    }
    for run in &runs {
        world.until(*run, RunStatus::Faulted).await;
    }
    runs
}

async fn until(world: &World, id: BulkId, what: impl Fn(&Bulk) -> bool) -> Bulk {
    for _ in 0..100_000 {
        if let Ok(bulk) = world.engine.bulk(id).await
            && what(&bulk)
        {
            return bulk;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never comes to that: {:#?}", world.engine.bulk(id).await);
}

fn is_done(bulk: &Bulk) -> bool {
    matches!(bulk.state, BulkState::Done { .. })
}

/// How often the audit says that this was done, by run; each row names the bulk.
async fn audited(store: &dyn Store, deed: &str, id: BulkId) -> BTreeMap<RunId, usize> {
    let mut filter = LedgerFilter { kinds: vec![LedgerKind::Audit], ..LedgerFilter::default() };
    let mut counts = BTreeMap::new();
    loop {
        let page = store.ledger(&filter).await.unwrap();
        let Some(last) = page.last() else { return counts };
        filter.after = last.seq;
        for entry in page.iter().filter(|entry| entry.row.outcome == deed) {
            let run = entry.row.run.unwrap();
            let facts: Value = serde_json::from_slice(&entry.row.facts).unwrap();
            assert_eq!(facts["letter"], format!("{id}:{run}"));
            *counts.entry(run).or_default() += 1;
        }
    }
}

/// The replays, by what they replay.
async fn replays(store: &dyn Store) -> BTreeMap<RunId, usize> {
    let mut counts = BTreeMap::new();
    for head in store.runs(&RunFilter::default()).await.unwrap() {
        if let Some(of) = head.facts.replay_of {
            *counts.entry(of).or_default() += 1;
        }
    }
    counts
}

/// Puts a bulk back to where it began, as if nobody had come to move its cursor.
async fn wind_back(store: &dyn Store, id: BulkId) {
    let document = store.document("bulk", &id.to_string()).await.unwrap().unwrap();
    let mut body: Value = serde_json::from_slice(&document.body).unwrap();
    body["state"] = json!({"state": "running"});
    body["progress"] = json!({"looked_at": 0, "done": 0, "refused": 0, "refusals": [], "at": null});
    let at = document.updated_at;
    let put = |kind: &str, body: String| DocumentOp::Put {
        kind: kind.to_owned(),
        name: id.to_string(),
        expect: Expect::Any,
        body: body.into(),
        at,
    };
    let documents = vec![put("bulk", body.to_string()), put("bulk-active", String::new())];
    let (id, ledger, signals) = (TxnId::from_bits(99), Vec::new(), Vec::new());
    let change = Change { id, documents, ledger, signals };
    store.write(vec![Write::Change(Box::new(change))]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_plan_holds_the_runs_that_it_found_and_no_others() {
    let (outside, _) = provider();
    let world = World::new(TICKET, outside);
    let runs = dead(&world, 12).await;
    let everything = BulkRequest { filter: BulkFilter::default(), ..request(Deed::Retry) };
    let told = world.engine.plan_bulk(everything, &me()).await;
    assert_eq!(told, Err(BulkError::EmptyFilter));
    let mute = BulkRequest { reason: " ".to_owned(), ..request(Deed::Retry) };
    let told = world.engine.plan_bulk(mute, &me()).await;
    assert!(matches!(told, Err(BulkError::Unfit(_))));
    let plan = world.engine.plan_bulk(request(Deed::Retry), &me()).await.unwrap();
    assert_eq!((plan.total, plan.sample.len()), (12, 10));
    assert_eq!(plan.by_integration, BTreeMap::from([("production/test".to_owned(), 12)]));
    assert_eq!(plan.by_status, BTreeMap::from([("faulted".to_owned(), 12)]));
    assert_eq!(plan.by_fingerprint.values().sum::<u64>(), 12);
    let same = world.engine.plan_bulk(request(Deed::Retry), &me()).await.unwrap();
    assert_eq!(plan.digest, same.digest);
    let late = dead(&world, 1).await;
    let other = world.engine.plan_bulk(request(Deed::Retry), &me()).await.unwrap();
    assert_ne!(plan.digest, other.digest);
    // Not what was looked at, no rate, and no such bulk.
    let start = async |id, rate, digest| world.engine.start_bulk(id, rate, digest, &me()).await;
    assert!(matches!(
        start(plan.id, 5, Some(&*other.digest)).await,
        Err(BulkError::WrongState { state: "planned", .. })
    ));
    assert_eq!(start(plan.id, 0, None).await, Err(BulkError::Rate));
    let none = BulkId::from_bits(5);
    assert_eq!(start(none, 5, None).await, Err(BulkError::NoBulk(none)));
    start(plan.id, 1_000, Some(&*plan.digest)).await.unwrap();
    let done = until(&world, plan.id, is_done).await;
    assert_eq!((done.progress.done, done.progress.refused), (12, 0));
    let told = audited(&*world.store, "dlq.retry", plan.id).await;
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), {
        let mut all = runs.clone();
        all.sort_unstable();
        all
    });
    assert!(!told.contains_key(&late[0]), "it died after the plan was made");
    // Asking again starts nothing again.
    assert_eq!(start(plan.id, 7, None).await.unwrap(), done);
    tokio::time::sleep(Duration::from_secs(25 * 3_600)).await;
    let told = start(same.id, 5, None).await;
    assert!(matches!(told, Err(BulkError::WrongState { state: "planned", .. })), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_started_bulk_keeps_its_rate_and_each_run_goes_on_once() {
    let (outside, mended) = provider();
    let world = World::new(TICKET, outside.clone());
    dead(&world, 30).await;
    mended.store(true, Ordering::Relaxed);
    let plan = world.engine.plan_bulk(request(Deed::Retry), &me()).await.unwrap();
    let began = world.clock.now();
    world.engine.start_bulk(plan.id, 5, None, &me()).await.unwrap();
    let done = until(&world, plan.id, is_done).await;
    let took = world.clock.now().since(began);
    assert!(took >= Duration::from_millis(5_800) && took < Duration::from_secs(8), "{took:?}");
    assert_eq!((done.progress.looked_at, done.progress.done), (30, 30));
    assert_eq!(outside.effects("/tickets"), 30);
    // As if the process had ended before the cursor moved: all of it once more, and nothing done.
    let before = audited(&*world.store, "dlq.retry", plan.id).await;
    wind_back(&*world.store, plan.id).await;
    let again = until(&world, plan.id, |bulk| is_done(bulk) && bulk.progress.looked_at == 30).await;
    assert_eq!((again.progress.done, again.progress.refused), (30, 0));
    assert_eq!(audited(&*world.store, "dlq.retry", plan.id).await, before);
    assert!(before.values().all(|count| *count == 1) && before.len() == 30);
}

#[tokio::test(start_paused = true)]
async fn a_replay_of_many_survives_the_process_and_makes_one_run_of_each() {
    let (outside, mended) = provider();
    let world = World::new(TICKET, outside.clone());
    let runs = dead(&world, 30).await;
    mended.store(true, Ordering::Relaxed);
    let plan = world.engine.plan_bulk(request(Deed::Replay), &me()).await.unwrap();
    world.engine.start_bulk(plan.id, 10, None, &me()).await.unwrap();
    until(&world, plan.id, |bulk| bulk.progress.looked_at >= 9).await;
    let (store, clock) = world.kill();
    let half = replays(&*store).await.len();
    assert!((9..25).contains(&half), "in the middle: {half}");
    let world = World::over(store, clock, deployment("r1", TICKET), outside.clone(), 2);
    let done = until(&world, plan.id, is_done).await;
    assert_eq!((done.progress.done, done.progress.refused), (30, 0), "{done:#?}");
    let once: BTreeMap<RunId, usize> = runs.iter().map(|run| (*run, 1)).collect();
    assert_eq!(replays(&*world.store).await, once);
    wind_back(&*world.store, plan.id).await;
    until(&world, plan.id, is_done).await;
    assert_eq!(replays(&*world.store).await, once, "the keys say what is done");
    for head in world.store.runs(&RunFilter::default()).await.unwrap() {
        if head.facts.replay_of.is_some() {
            assert_eq!(head.facts.priority, Priority::Low, "what comes in now goes first");
            world.until(head.facts.id, RunStatus::Completed).await;
        }
    }
    assert_eq!(outside.effects("/tickets"), 30);
}

#[tokio::test(start_paused = true)]
async fn replays_of_one_line_join_it_in_the_order_of_their_events() {
    const CHARGE: &str = "- pay: { call: desk.charge, with: { body: { n: '${ .n }' } } }\n";
    let (outside, mended) = provider();
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::shared_with_clock(clock.clone()));
    // Over a link on which one request overtakes another.
    let link = Link::new(Duration::from_millis(20), 3);
    let reached = Reached { store, link, book: Arc::default() };
    let releases = vec![ordered(CHARGE, OnFailure::Skip)];
    let settings = EngineSettings::default();
    let world = World::node(reached, clock, releases, outside.clone(), 1, settings);
    for n in 0..40 {
        // Ids of one millisecond are in no order.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let run = world.start(json!({"key": "a", "n": n})).await;
        world.until(run, RunStatus::Faulted).await;
    }
    mended.store(true, Ordering::Relaxed);
    let before = outside.requests("/charges");
    let plan = world.engine.plan_bulk(request(Deed::Replay), &me()).await.unwrap();
    world.engine.start_bulk(plan.id, 1_000, None, &me()).await.unwrap();
    let done = until(&world, plan.id, is_done).await;
    assert_eq!((done.progress.done, done.progress.refused), (40, 0), "{done:#?}");
    for head in world.store.runs(&RunFilter::default()).await.unwrap() {
        if head.facts.replay_of.is_some() {
            world.until(head.facts.id, RunStatus::Completed).await;
        }
    }
    let seen = outside.seen.lock().unwrap();
    let order: Vec<_> = seen.iter().skip(before).map(|it| it.body["n"].as_u64().unwrap()).collect();
    assert_eq!(order, (0..40).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_stopped_bulk_does_no_more_and_is_not_started_again() {
    let (outside, _) = provider();
    let world = World::new(TICKET, outside);
    dead(&world, 20).await;
    let plan = world.engine.plan_bulk(request(Deed::Discard), &me()).await.unwrap();
    world.engine.start_bulk(plan.id, 1, None, &me()).await.unwrap();
    until(&world, plan.id, |bulk| bulk.progress.done >= 3).await;
    let stopped = world.engine.abort_bulk(plan.id, "enough", &me()).await.unwrap();
    assert_eq!(stopped.state.as_str(), "aborted");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let bulk = world.engine.bulk(plan.id).await.unwrap();
    assert!((3..=4).contains(&bulk.progress.done), "{bulk:#?}");
    let gone = DeadFilter { state: Some(DeadState::Discarded), ..DeadFilter::default() };
    let gone = world.store.dead_letters(&gone).await.unwrap().len();
    assert_eq!(u64::try_from(gone).unwrap(), bulk.progress.done);
    let told = world.engine.start_bulk(plan.id, 1, None, &me()).await;
    assert!(matches!(told, Err(BulkError::WrongState { state: "aborted", .. })), "{told:?}");
    assert_eq!(world.engine.abort_bulk(plan.id, "twice", &me()).await, Ok(bulk));
    assert_eq!(world.engine.bulks().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_any_more_is_counted_with_its_reason() {
    let world = World::new(NAP, Outside::new(|_, _| ok(json!({}))));
    let mut runs = Vec::new();
    for _ in 0..5 {
        runs.push(world.start(json!({})).await);
    }
    for run in &runs {
        world.until(*run, RunStatus::Waiting).await;
    }
    let plan = world.engine.plan_bulk(request(Deed::Cancel), &me()).await.unwrap();
    assert_eq!(plan.total, 5);
    world.engine.cancel(runs[2], "by hand", &me()).await.unwrap();
    world.until(runs[2], RunStatus::Cancelled).await;
    world.engine.start_bulk(plan.id, 100, None, &me()).await.unwrap();
    let done = until(&world, plan.id, is_done).await;
    assert_eq!((done.progress.done, done.progress.refused), (4, 1));
    assert_eq!(done.progress.refusals[0].run, runs[2]);
    assert!(done.progress.refusals[0].reason.contains("at its end"), "{done:#?}");
    for run in runs {
        world.until(run, RunStatus::Cancelled).await;
    }
}

#[tokio::test(start_paused = true)]
async fn another_node_goes_on_when_the_one_that_drives_dies_and_asks_the_owners() {
    let (outside, mended) = provider();
    let hall = Hall::new(TICKET, outside.clone());
    let mut nodes = vec![hall.node("a"), hall.node("b")];
    hall.even(&[&nodes[0], &nodes[1]], &[32, 32]).await;
    let mut runs = dead(&nodes[0], 20).await;
    runs.extend(dead(&nodes[1], 20).await);
    mended.store(true, Ordering::Relaxed);
    // One that the first node will drive: it owns the plan's bucket.
    let plan = loop {
        let plan = nodes[0].engine.plan_bulk(request(Deed::Retry), &me()).await.unwrap();
        let bucket = u16::try_from(plan.id.bits() % 1_024).unwrap();
        let leases = hall.store.leases().await.unwrap();
        let of = leases.iter().find(|seen| seen.lease.buckets.contains(&bucket)).unwrap();
        if of.lease.node == "a" {
            break plan;
        }
    };
    assert_eq!(plan.total, 40);
    // It may be started anywhere.
    nodes[1].engine.start_bulk(plan.id, 10, None, &me()).await.unwrap();
    until(&nodes[0], plan.id, |bulk| bulk.progress.looked_at >= 5).await;
    nodes.remove(0).kill();
    let done = until(&nodes[0], plan.id, is_done).await;
    assert_eq!((done.progress.done, done.progress.refused), (40, 0), "{done:#?}");
    let told = audited(&*hall.store, "dlq.retry", plan.id).await;
    runs.sort_unstable();
    assert_eq!(told, runs.iter().map(|run| (*run, 1)).collect());
    for run in runs {
        nodes[0].until(run, RunStatus::Completed).await;
    }
    assert_eq!(outside.effects("/tickets"), 40);
}
