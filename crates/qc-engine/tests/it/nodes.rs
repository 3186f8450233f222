//! Several nodes over one store: each has its share, takes over from the others, and reaches their runs.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use qc_engine::{Accepted, Deployment, EngineError, EngineSettings, Replay, Resolution, RunEnd};
use qc_model::{Actor, RunId};
use qc_store::{
    DeadFilter, DeadState, LedgerFilter, RunStatus, Store, StoreError, memory::MemoryStore,
};
use serde_json::json;

use crate::{
    link::{Book, Link, Mode, Reached},
    world::{Answer, Outside, VirtualClock, World, deployment, ok, output},
};

const CHARGE: &str = "- pay: { call: desk.charge, with: { body: { n: '${ .n }' } } }\n";
const MESSAGE: &str = "- notify: { call: desk.postMessage, with: { body: { ref: a } } }\n";
const TICKET: &str = "- open: { call: desk.createTicket, with: { body: {} } }\n";

const SECOND: Duration = Duration::from_secs(1);

/// What several nodes share.
pub(crate) struct Hall {
    pub(crate) store: Arc<MemoryStore>,
    clock: Arc<VirtualClock>,
    pub(crate) book: Arc<Book>,
    outside: Arc<Outside>,
    deployments: Vec<Deployment>,
    seed: std::cell::Cell<u64>,
    lease_ttl: Duration,
}

impl Hall {
    pub(crate) fn new(tasks: &str, outside: Arc<Outside>) -> Self {
        Self::of(vec![deployment("r1", tasks)], outside)
    }

    /// The same with these releases on all nodes.
    pub(crate) fn of(deployments: Vec<Deployment>, outside: Arc<Outside>) -> Self {
        let clock = Arc::new(VirtualClock::now());
        let store = Arc::new(MemoryStore::shared_with_clock(clock.clone()));
        let seed = std::cell::Cell::new(1);
        let book = Arc::default();
        Self { store, clock, book, outside, deployments, seed, lease_ttl: 10 * SECOND }
    }

    fn settings(&self, name: &str) -> EngineSettings {
        let (node, lease_ttl) = (name.to_owned(), self.lease_ttl);
        EngineSettings { node, lease_ttl, ..EngineSettings::default() }
    }

    pub(crate) fn node(&self, name: &str) -> World {
        self.node_with(self.settings(name))
    }

    fn node_with(&self, settings: EngineSettings) -> World {
        self.seed.set(self.seed.get() + 1);
        let link = Link::new(Duration::from_millis(2), self.seed.get());
        let reached = Reached { store: self.store.clone(), link, book: self.book.clone() };
        let node = World::node(
            reached,
            Arc::new(self.clock.beside()),
            self.deployments.clone(),
            self.outside.clone(),
            self.seed.get(),
            settings,
        );
        node.engine.set_deployments(self.deployments.clone());
        node
    }

    /// Waits until the nodes have so many groups each, and says how long that took.
    pub(crate) async fn even(&self, nodes: &[&World], expected: &[usize]) -> Duration {
        let began = tokio::time::Instant::now();
        for _ in 0..6_000 {
            let groups: Vec<usize> = nodes.iter().map(|node| node.engine.gauges().groups).collect();
            if groups == expected {
                return began.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let groups: Vec<_> = nodes.iter().map(|node| node.engine.gauges()).collect();
        panic!("not {expected:?}: {groups:#?}");
    }

    async fn status(&self, run: RunId) -> RunStatus {
        self.store.run(run).await.unwrap().unwrap().state.status
    }
}

fn me() -> Actor {
    Actor::platform("test")
}

fn good() -> Arc<Outside> {
    Outside::new(|_, _| ok(json!({"id": 7})))
}

pub(crate) fn link(node: &World) -> &Link {
    node.link.as_ref().unwrap()
}

pub(crate) async fn accepted(node: &World, data: serde_json::Value) -> RunId {
    match node.sender().send(None, data).await.unwrap() {
        Accepted::New { run } => run,
        Accepted::Repeat { run } => panic!("{run} is a repeat"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_joins_gets_its_share_and_one_that_leaves_gives_it_at_once() {
    let hall = Hall::new(CHARGE, good());
    let one = hall.node("one");
    hall.even(&[&one], &[64]).await;
    let two = hall.node("two");
    hall.even(&[&one, &two], &[32, 32]).await;
    let three = hall.node("three");
    // By name: one, three, two.
    hall.even(&[&one, &three, &two], &[22, 21, 21]).await;
    let leaving = tokio::spawn(three.leave(10 * SECOND));
    let took = hall.even(&[&one, &two], &[32, 32]).await;
    assert!(took < SECOND, "the others went on after {took:?}");
    leaving.await.unwrap();
    let numbers = one.engine.gauges();
    assert_eq!((numbers.nodes, numbers.takeovers, numbers.groups_lost), (2, 0, 0));
    // 64 to 32, then to 22: nothing moved that did not have to.
    assert_eq!(numbers.handed_over, 32 + 10);
    // In peace nothing moves any more.
    tokio::time::sleep(600 * SECOND).await;
    assert_eq!(one.engine.gauges().handed_over, 42);
    assert_eq!(two.engine.gauges().handed_over, 11);
}

#[tokio::test(start_paused = true)]
async fn the_groups_of_a_node_that_dies_go_to_the_others_when_its_leases_run_out() {
    let outside = Outside::new(|_, _| Answer::Slow(5 * SECOND, json!({"id": 7})));
    let hall = Hall::new(TICKET, outside.clone());
    let (one, two) = (hall.node("one"), hall.node("two"));
    hall.even(&[&one, &two], &[32, 32]).await;
    let run = accepted(&two, json!({})).await;
    tokio::time::sleep(SECOND).await;
    two.kill();
    let took = hall.even(&[&one], &[64]).await;
    assert!((5 * SECOND..12 * SECOND).contains(&took), "{took:?}");
    assert_eq!(one.engine.gauges().takeovers, 32);
    output(one.end(run).await);
    assert_eq!((outside.requests("/tickets"), outside.effects("/tickets")), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_run_begins_where_it_is_accepted_and_a_node_without_groups_has_it_run_by_another() {
    let hall = Hall::new(CHARGE, good());
    let nodes: Vec<World> = (0..65).map(|n| hall.node(&format!("n{n:02}"))).collect();
    let expected: Vec<usize> = (0..65).map(|n| usize::from(n < 64)).collect();
    hall.even(&nodes.iter().collect::<Vec<_>>(), &expected).await;
    tokio::time::sleep(10 * SECOND).await;
    let began = tokio::time::Instant::now();
    let run = accepted(&nodes[3], json!({"n": 1})).await;
    output(nodes[3].end(run).await);
    assert_eq!(nodes[3].engine.gauges().completed, 1);
    assert!(began.elapsed() < SECOND / 5, "{:?}", began.elapsed());
    let began = tokio::time::Instant::now();
    let run = accepted(&nodes[64], json!({"n": 2})).await;
    // Whoever waits there is answered there.
    let end = nodes[64].engine.wait(run, 5 * SECOND).await.unwrap();
    output(end.expect("it has ended"));
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    assert_eq!(nodes[64].engine.gauges().completed, 0);
    let total: u64 = nodes.iter().map(|node| node.engine.gauges().completed).sum();
    assert_eq!((total, hall.outside.requests("/charges")), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn what_people_ask_reaches_the_owner_from_every_node() {
    let outside = Outside::new(|path, nth| match (path, nth) {
        ("/charges", 0) => Answer::AppliedThenBroken,
        ("/tickets", 0) => Answer::Status(400, json!({})),
        _ => ok(json!({"id": 7})),
    });
    let tasks = format!("{CHARGE}{TICKET}- nap: {{ wait: {{ hours: 3 }} }}\n");
    let hall = Hall::new(&tasks, outside.clone());
    let (owner, other) = (hall.node("one"), hall.node("two"));
    hall.even(&[&owner, &other], &[32, 32]).await;
    let run = accepted(&owner, json!({"n": 1})).await;
    owner.until(run, RunStatus::Parked).await;
    let began = tokio::time::Instant::now();
    let paid = Resolution::Applied { output: json!(1) };
    other.engine.resolve(run, paid.clone(), &me()).await.unwrap();
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    owner.until(run, RunStatus::Faulted).await;
    let wrong = other.engine.resolve(run, paid, &me()).await.unwrap_err();
    assert!(matches!(wrong, EngineError::WrongState { status: "faulted", .. }), "{wrong:?}");
    other.engine.retry_dead(run, &me()).await.unwrap();
    owner.until(run, RunStatus::Waiting).await;
    let wrong = other.engine.resume(run, &me()).await.unwrap_err();
    assert!(matches!(wrong, EngineError::WrongState { .. }), "{wrong:?}");
    let wrong = other.engine.discard_dead(run, "x", &me()).await.unwrap_err();
    assert!(matches!(wrong, EngineError::WrongState { .. }), "{wrong:?}");
    other.engine.cancel(run, "no longer needed", &me()).await.unwrap();
    let end = other.engine.wait(run, 10 * SECOND).await.unwrap();
    assert_eq!(end, Some(RunEnd::Cancelled { reason: "no longer needed".to_owned() }));
    let replay = other.engine.replay(run, Replay::default(), &me()).await.unwrap();
    other.until(replay, RunStatus::Waiting).await;
    assert_eq!(outside.requests("/charges"), 1, "the first run's charge counts");
    let nobody = RunId::from_bits(4_711);
    let none = other.engine.cancel(nobody, "x", &me()).await.unwrap_err();
    assert_eq!(none, EngineError::NoRun(nobody));
    for kind in ["node-mail", "node-answer"] {
        let left = hall.store.documents(kind, None, 100).await.unwrap();
        assert!(left.iter().all(|document| document.name == "look"), "{left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_discarded_from_another_node() {
    let hall = Hall::new(TICKET, Outside::new(|_, _| Answer::Status(400, json!({}))));
    let (owner, other) = (hall.node("one"), hall.node("two"));
    hall.even(&[&owner, &other], &[32, 32]).await;
    let run = accepted(&owner, json!({})).await;
    owner.until(run, RunStatus::Faulted).await;
    other.engine.discard_dead(run, "not needed", &me()).await.unwrap();
    let open = DeadFilter { state: Some(DeadState::Open), limit: 9, ..Default::default() };
    assert!(hall.store.dead_letters(&open).await.unwrap().is_empty());
}

/// The owner commits the deed and dies before it can answer: the next one sees that it is done.
#[tokio::test(start_paused = true)]
async fn an_owner_that_dies_between_the_deed_and_the_answer_leaves_no_double() {
    let outside = Outside::new(|_, _| Answer::AppliedThenBroken);
    let hall = Hall::new(CHARGE, outside.clone());
    let (owner, other) = (hall.node("one"), hall.node("two"));
    hall.even(&[&owner, &other], &[32, 32]).await;
    let run = accepted(&owner, json!({"n": 1})).await;
    owner.until(run, RunStatus::Parked).await;
    let asking = other.engine.clone();
    let asked =
        tokio::spawn(async move { asking.resolve(run, Resolution::NotApplied, &me()).await });
    let version = hall.store.run(run).await.unwrap().unwrap().version;
    while hall.store.run(run).await.unwrap().unwrap().version == version {
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    link(&owner).set(Mode::Cut);
    owner.kill();
    asked.await.unwrap().unwrap();
    other.until(run, RunStatus::Parked).await;
    tokio::time::sleep(60 * SECOND).await;
    let filter = LedgerFilter { run: Some(run), limit: 100, ..LedgerFilter::default() };
    let rows = hall.store.ledger(&filter).await.unwrap();
    let decided = rows.iter().filter(|entry| entry.row.outcome == "run.resolve").count();
    assert_eq!((decided, other.engine.gauges().groups), (1, 64));
    // The one that was lost, and at most the one that the decision asked for.
    assert!(outside.requests("/charges") <= 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_can_take_is_withdrawn() {
    let mut hall = Hall::new("- nap: { wait: { hours: 3 } }\n", good());
    hall.lease_ttl = 120 * SECOND;
    let (owner, other) = (hall.node("one"), hall.node("two"));
    hall.even(&[&owner, &other], &[32, 32]).await;
    let run = accepted(&owner, json!({})).await;
    owner.until(run, RunStatus::Waiting).await;
    link(&owner).set(Mode::Frozen);
    let answer = other.engine.cancel(run, "x", &me()).await.unwrap_err();
    assert!(matches!(answer, EngineError::Store(StoreError::Unavailable(_))), "{answer:?}");
    link(&owner).set(Mode::Open);
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(owner.engine.gauges().groups, 32, "it owned the run all the time");
    assert_ne!(hall.status(run).await, RunStatus::Cancelled);
    let left = hall.store.documents("node-mail", None, 10).await.unwrap();
    assert!(left.iter().all(|document| !document.name.starts_with("command/")), "{left:?}");
}

/// A node stands still with an intent on disk and the call not sent. When it goes on, another one
/// has sent it.
#[tokio::test(start_paused = true)]
async fn a_node_that_stood_still_beyond_its_lease_sends_and_commits_nothing() {
    let posted = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let there = posted.clone();
    let outside = Outside::new(move |path, _| match path {
        "/messages" => {
            there.fetch_add(1, Ordering::SeqCst);
            ok(json!({"id": 1}))
        }
        "/find" => ok(json!({"messages": vec![1; there.load(Ordering::SeqCst)]})),
        _ => ok(json!({"id": 7})),
    });
    let hall = Hall::new(MESSAGE, outside);
    let (frozen, other) = (hall.node("one"), hall.node("two"));
    hall.even(&[&frozen, &other], &[32, 32]).await;
    let sender = frozen.sender();
    let sending = tokio::spawn(async move { sender.send(None, json!({})).await });
    while hall.store.runs(&qc_store::RunFilter::default()).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_micros(50)).await;
    }
    link(&frozen).set(Mode::Frozen);
    hall.even(&[&other], &[64]).await;
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(posted.load(Ordering::SeqCst), 1, "the next owner sent it");
    link(&frozen).set(Mode::Open);
    sending.await.unwrap().unwrap();
    hall.even(&[&frozen, &other], &[32, 32]).await;
    assert_eq!(posted.load(Ordering::SeqCst), 1, "the former one did not");
    assert_eq!(frozen.engine.gauges().groups_lost, 32);
    assert!(hall.book.problems().is_empty());
}

/// The same with a call that must not be sent twice: a person has decided about it meanwhile.
#[tokio::test(start_paused = true)]
async fn what_a_person_decided_at_the_next_owner_is_not_sent_by_the_former_one() {
    let hall = Hall::new(CHARGE, good());
    let (frozen, other) = (hall.node("one"), hall.node("two"));
    hall.even(&[&frozen, &other], &[32, 32]).await;
    let sender = frozen.sender();
    let sending = tokio::spawn(async move { sender.send(None, json!({"n": 1})).await });
    while hall.store.runs(&qc_store::RunFilter::default()).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_micros(50)).await;
    }
    link(&frozen).set(Mode::Frozen);
    let run = hall.store.runs(&qc_store::RunFilter::default()).await.unwrap()[0].facts.id;
    other.until(run, RunStatus::Parked).await;
    other.engine.resolve(run, Resolution::NotApplied, &me()).await.unwrap();
    output(other.end(run).await);
    link(&frozen).set(Mode::Open);
    sending.await.unwrap().unwrap();
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(hall.outside.requests("/charges"), 1);
}

/// A result is on its way to the store while its node stands still. The next owner has no room for
/// the run, so that nothing but the fence is in the way. Gives what the store took, and what it did not.
async fn too_late(unfenced: bool) -> (u64, u64) {
    let outside = Outside::new(|_, _| Answer::Slow(SECOND, json!({"id": 7})));
    let hall = Hall::new(CHARGE, outside.clone());
    hall.book.unfenced.store(unfenced, Ordering::Relaxed);
    let frozen = hall.node("one");
    hall.even(&[&frozen], &[64]).await;
    let run = accepted(&frozen, json!({"n": 1})).await;
    tokio::time::sleep(SECOND / 2).await;
    while !link(&frozen).is_writing() || outside.requests("/charges") == 0 {
        tokio::time::sleep(Duration::from_micros(20)).await;
    }
    link(&frozen).set(Mode::Frozen);
    let full = hall.node_with(EngineSettings { runs_max: 0, ..hall.settings("two") });
    hall.even(&[&full], &[64]).await;
    link(&frozen).set(Mode::Open);
    tokio::time::sleep(SECOND).await;
    let version = hall.store.run(run).await.unwrap().unwrap().version;
    assert_eq!(version, if unfenced { 2 } else { 1 });
    (hall.book.stale(), hall.book.fenced())
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_comes_after_the_next_owner_is_turned_away() {
    assert_eq!(too_late(false).await, (0, 1));
}

/// The same without the fence: then it is taken, and the test above would see that.
#[tokio::test(start_paused = true)]
async fn without_the_fence_it_would_be_taken() {
    assert_eq!(too_late(true).await, (1, 0));
}

/// The store is away for longer than the leases last, for everybody: what is in flight goes on, and
/// nothing is taken for lost.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_all_costs_time_and_nobody_decides_anything() {
    let outside = Outside::new(|_, _| Answer::Slow(3 * SECOND, json!({"id": 7})));
    let hall = Hall::new(CHARGE, outside.clone());
    let (one, two) = (hall.node("one"), hall.node("two"));
    hall.even(&[&one, &two], &[32, 32]).await;
    let runs = [accepted(&one, json!({"n": 1})).await, accepted(&two, json!({"n": 2})).await];
    tokio::time::sleep(SECOND).await;
    for node in [&one, &two] {
        link(node).set(Mode::Cut);
    }
    tokio::time::sleep(60 * SECOND).await;
    for node in [&one, &two] {
        link(node).set(Mode::Open);
    }
    for run in runs {
        output(one.end(run).await);
    }
    let parked = one.engine.gauges().parked + two.engine.gauges().parked;
    assert_eq!((outside.requests("/charges"), parked), (2, 0));
}

/// One node cannot reach the store, and its read-back call is slow: it is cut off before another
/// node reads back.
#[tokio::test(start_paused = true)]
async fn a_node_that_cannot_renew_cuts_what_the_next_owner_reads_back() {
    struct Late(std::sync::Mutex<Vec<&'static str>>);
    #[async_trait::async_trait]
    impl qc_model::Caller for Late {
        async fn call(
            &self,
            request: qc_model::OutboundRequest,
        ) -> Result<qc_model::OutboundResponse, qc_model::CallError> {
            let content = if request.url.contains("/find") {
                let there = self.0.lock().unwrap().len();
                json!({"messages": vec![1; there]})
            } else {
                // It takes effect at its end, if nobody breaks the connection before.
                tokio::time::sleep(20 * SECOND).await;
                self.0.lock().unwrap().push("posted");
                json!({"id": 7})
            };
            let mut headers = http::HeaderMap::new();
            headers.insert("content-type", "application/json".parse().unwrap());
            let (status, body) = (http::StatusCode::OK, content.to_string().into());
            let body = qc_model::Body::Bytes(body);
            Ok(qc_model::OutboundResponse { status, headers, body })
        }
    }
    let late = Arc::new(Late(std::sync::Mutex::default()));
    let hall = Hall::new(MESSAGE, good());
    let node = |name: &str, seed| {
        let link = Link::new(Duration::from_millis(2), seed);
        let reached = Reached { store: hall.store.clone(), link, book: hall.book.clone() };
        let settings = EngineSettings { node: name.to_owned(), ..EngineSettings::default() };
        let clock = Arc::new(hall.clock.beside());
        let deployments = vec![deployment("r1", MESSAGE)];
        World::node(reached, clock, deployments, late.clone(), seed, settings)
    };
    let (one, two) = (node("one", 1), node("two", 2));
    hall.even(&[&one, &two], &[32, 32]).await;
    let run = accepted(&one, json!({})).await;
    tokio::time::sleep(SECOND).await;
    link(&one).set(Mode::Hole);
    output(two.end(run).await);
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(*late.0.lock().unwrap(), ["posted"]);
}

#[tokio::test(start_paused = true)]
async fn a_rolling_restart_loses_and_doubles_nothing() {
    let outside = Outside::new(|_, _| Answer::Slow(SECOND / 2, json!({"id": 7})));
    let hall = Hall::new(CHARGE, outside.clone());
    let mut nodes: Vec<World> = ["a0", "b0", "c0"].iter().map(|name| hall.node(name)).collect();
    hall.even(&nodes.iter().collect::<Vec<_>>(), &[22, 21, 21]).await;
    let mut runs = BTreeSet::new();
    let mut n = 0;
    for (place, name) in ["a1", "b1", "c1"].into_iter().enumerate() {
        let old = std::mem::replace(&mut nodes[place], hall.node(name));
        let leaving = tokio::spawn(old.leave(25 * SECOND));
        for _ in 0..60 {
            for node in &nodes {
                n += 1;
                runs.insert(accepted(node, json!({"n": n})).await);
            }
            tokio::time::sleep(SECOND / 10).await;
        }
        leaving.await.unwrap();
        tokio::time::sleep(5 * SECOND).await;
    }
    for run in &runs {
        output(nodes[0].end(*run).await);
    }
    assert_eq!((outside.requests("/charges"), runs.len()), (n, n));
    let numbers: Vec<_> = nodes.iter().map(|node| node.engine.gauges()).collect();
    assert!(numbers.iter().all(|numbers| numbers.takeovers == 0 && numbers.fenced == 0));
}
