//! A system that is not there: what is declared for it is done, across restarts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use qc_document::{ParseLimits, Source};
use qc_engine::RunEnd;
use qc_model::{Class, RunId};
use qc_store::{DeadFilter, LiveCause, RunFilter, RunStatus, Store};
use qc_workflow::WhenUnavailable;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::{Answer, Outside, World, absent, ok, output};

const PUT: &str = "
- sync: { call: desk.putState, with: { body: { n: '${ .n }' } } }
";

const ORDER: &str = "
- order: { call: desk.createTicket, with: { body: { n: '${ .n }' } } }
- sync: { call: desk.putState, with: { body: { n: '${ .n }' } } }
";

fn queue(hours: u64, max: u32) -> WhenUnavailable {
    WhenUnavailable::Queue { ttl_ms: hours * 3_600_000, max }
}

fn node(text: &str) -> qc_document::Node {
    qc_document::parse_yaml(Source::new("integration.yaml", text), &ParseLimits::default())
        .unwrap()
        .root
}

/// An outside on which one path may be away.
fn away(path: &'static str) -> (Arc<Outside>, Arc<AtomicBool>) {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = down.clone();
    let outside = Outside::new(move |asked, _| {
        if asked == path && is_down.load(Ordering::SeqCst) {
            Answer::Unreachable
        } else {
            ok(json!({"id": 7}))
        }
    });
    (outside, down)
}

async fn until_held(world: &World, run: RunId) {
    for _ in 0..100_000 {
        let head = world.store.run(run).await.unwrap().unwrap();
        if head.state.cause == LiveCause::Held {
            assert_eq!(head.state.status, RunStatus::Waiting);
            assert_eq!(
                head.state.summary.as_deref(),
                Some("waits for `desk`, which is not available")
            );
            assert!(head.state.wake_at.is_some());
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("{run} is never held: {:#?}", world.engine.inspect(run).await.unwrap());
}

fn numbers(outside: &Outside, path: &str) -> Vec<Value> {
    let seen = outside.seen.lock().unwrap();
    seen.iter().filter(|one| one.path == path).map(|one| one.body["n"].clone()).collect()
}

/// The process ends while the run is held, and another one goes on when the system is there again.
#[tokio::test(start_paused = true)]
async fn a_run_is_held_across_a_restart_until_its_system_answers() {
    let (outside, down) = away("/state");
    let there = absent("r1", ORDER, queue(24, 10));
    let clock = Arc::new(crate::world::VirtualClock::now());
    let store = Arc::new(qc_store::memory::MemoryStore::with_clock(clock.clone()));
    let world = World::over(store, clock, there.clone(), outside.clone(), 1);
    let run = world.start(json!({"n": 1})).await;
    until_held(&world, run).await;
    let (store, clock) = world.kill();
    sleep(Duration::from_secs(15)).await;
    let world = World::over(store, clock, there, outside.clone(), 2);
    sleep(Duration::from_secs(3 * 3_600)).await;
    let head = world.store.run(run).await.unwrap().unwrap();
    assert_eq!(head.state.cause, LiveCause::Held, "it waits on, and nobody else is asked");
    down.store(false, Ordering::SeqCst);
    output(world.end(run).await);
    assert_eq!(outside.effects("/tickets"), 1);
    assert_eq!(outside.requests("/tickets"), 1, "what was done before is not done again");
    assert_eq!(outside.effects("/state"), 1);
    assert_eq!(world.engine.gauges().stuck, 0);
}

/// The time runs out: a dead letter of the class `expired`, with everything that happened before.
#[tokio::test(start_paused = true)]
async fn what_waits_too_long_becomes_a_dead_letter() {
    let (outside, down) = away("/state");
    let there = absent("r1", PUT, queue(2, 10));
    let clock = Arc::new(crate::world::VirtualClock::now());
    let store = Arc::new(qc_store::memory::MemoryStore::with_clock(clock.clone()));
    let world = World::over(store, clock, there.clone(), outside.clone(), 1);
    let run = world.start(json!({"n": 1})).await;
    until_held(&world, run).await;
    let (store, clock) = world.kill();
    sleep(Duration::from_secs(15)).await;
    let world = World::over(store, clock, there, outside.clone(), 2);
    let RunEnd::Faulted { failure, .. } = world.end(run).await else { panic!("it did not fail") };
    assert_eq!((failure.class, failure.code.as_str()), (Class::Expired, "QC-R030"));
    assert!(failure.detail.contains("did not come back within 2 h"), "{}", failure.detail);
    assert_eq!(failure.owner.as_deref(), Some("team-desk"));
    let letters = world.store.dead_letters(&DeadFilter::default()).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].code, "QC-R030");
    // A retry begins anew: it waits again, and is done when the system is there.
    down.store(false, Ordering::SeqCst);
    world.engine.retry_dead(run, &qc_model::Actor::platform("test")).await.unwrap();
    output(world.end(run).await);
    assert_eq!(outside.effects("/state"), 1);
}

/// One tries; once it came through, the others follow in their order, more and more at a time, also
/// when the process ends in the middle of it.
#[tokio::test(start_paused = true)]
async fn those_who_wait_are_let_through_in_order_behind_one_who_tries() {
    let (outside, down) = away("/state");
    let there = absent("r1", PUT, queue(24, 100));
    let clock = Arc::new(crate::world::VirtualClock::now());
    let store = Arc::new(qc_store::memory::MemoryStore::with_clock(clock.clone()));
    let world = World::over(store, clock, there.clone(), outside.clone(), 1);
    let mut runs = Vec::new();
    for n in 0..20 {
        runs.push(world.start(json!({"n": n})).await);
        sleep(Duration::from_millis(100)).await;
    }
    for run in &runs {
        until_held(&world, *run).await;
    }
    // The first five come through, then the process ends.
    down.store(false, Ordering::SeqCst);
    while outside.requests("/state") < 5 {
        sleep(Duration::from_millis(1)).await;
    }
    let (store, clock) = world.kill();
    sleep(Duration::from_secs(15)).await;
    let world = World::over(store, clock, there, outside.clone(), 2);
    for run in &runs {
        output(world.end(*run).await);
    }
    let mut order: Vec<i64> = Vec::new();
    for n in numbers(&outside, "/state") {
        let n = n.as_i64().unwrap();
        // What was under way when the process ended is sent once more.
        if !order.contains(&n) {
            order.push(n);
        }
    }
    assert_eq!(order.len(), 20);
    assert_eq!(order[..3], [0, 1, 2], "one, then the next ones: {order:?}");
    // Those who try side by side may pass each other, no more than that.
    for (place, n) in order.iter().enumerate() {
        let off = place.abs_diff(usize::try_from(*n).unwrap());
        assert!(off <= 4, "{n} came at {place}: {order:?}");
    }
    assert_eq!(world.engine.gauges().stuck, 0);
}

/// One probe at a time, whatever waits: the system that comes back is not run over.
#[tokio::test(start_paused = true)]
async fn while_it_is_away_one_run_tries_and_no_more() {
    let requests = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let asked = requests.clone();
    let outside = Outside::new(move |_, _| {
        asked.fetch_add(1, Ordering::SeqCst);
        Answer::Status(503, json!({"error": "away"}))
    });
    let there = absent("r1", PUT, queue(24, 100));
    let clock = Arc::new(crate::world::VirtualClock::now());
    let store = Arc::new(qc_store::memory::MemoryStore::with_clock(clock.clone()));
    let world = World::over(store, clock, there, outside.clone(), 1);
    let mut runs = Vec::new();
    for n in 0..30 {
        runs.push(world.start(json!({"n": n})).await);
    }
    for run in &runs {
        until_held(&world, *run).await;
    }
    let before = requests.load(Ordering::SeqCst);
    sleep(Duration::from_secs(3_600)).await;
    let probes = requests.load(Ordering::SeqCst) - before;
    assert!((10..=20).contains(&probes), "{probes} probes in an hour");
}

/// No more than `max` wait: the next one fails at once, and says why.
#[tokio::test(start_paused = true)]
async fn no_more_runs_wait_than_may() {
    let (outside, down) = away("/state");
    let there = absent("r1", PUT, queue(24, 3));
    let clock = Arc::new(crate::world::VirtualClock::now());
    let store = Arc::new(qc_store::memory::MemoryStore::with_clock(clock.clone()));
    let world = World::over(store, clock, there, outside.clone(), 1);
    let mut runs = Vec::new();
    for n in 0..5 {
        runs.push(world.start(json!({"n": n})).await);
    }
    sleep(Duration::from_secs(1_200)).await;
    let heads = world.store.runs(&RunFilter::default()).await.unwrap();
    let held = heads.iter().filter(|head| head.state.cause == LiveCause::Held).count();
    let dead = world.store.dead_letters(&DeadFilter::default()).await.unwrap();
    assert_eq!((held, dead.len()), (3, 2));
    assert!(dead.iter().all(|letter| letter.code == "QC-R031"), "{dead:?}");
    down.store(false, Ordering::SeqCst);
    sleep(Duration::from_secs(1_200)).await;
    assert_eq!(numbers(&outside, "/state").len(), 3);
}

/// A call that is read back before it is sent again waits for that, too: nobody has to decide what
/// the system can tell once it is there.
#[tokio::test(start_paused = true)]
async fn a_call_in_doubt_waits_to_be_read_back() {
    for arrived in [true, false] {
        let down = Arc::new(AtomicBool::new(true));
        let is_down = down.clone();
        let outside = Outside::new(move |path, nth| match (path, is_down.load(Ordering::SeqCst)) {
            ("/messages", _) if nth == 0 => Answer::AppliedThenBroken,
            (_, true) => Answer::Status(503, json!({})),
            ("/find", false) => ok(json!({"messages": vec![1; usize::from(arrived)]})),
            _ => ok(json!({"id": 7})),
        });
        let tasks = "\n- notify: { call: desk.postMessage, with: { body: { ref: a } } }\n";
        let there = absent("r1", tasks, queue(24, 10));
        let clock = Arc::new(crate::world::VirtualClock::now());
        let store = Arc::new(qc_store::memory::MemoryStore::with_clock(clock.clone()));
        let world = World::over(store, clock, there.clone(), outside.clone(), 1);
        let run = world.start(json!({})).await;
        until_held(&world, run).await;
        let (store, clock) = world.kill();
        sleep(Duration::from_secs(3_600)).await;
        let world = World::over(store, clock, there, outside.clone(), 2);
        sleep(Duration::from_secs(3_600)).await;
        assert_eq!(outside.requests("/messages"), 1, "nothing is sent while it is in doubt");
        down.store(false, Ordering::SeqCst);
        output(world.end(run).await);
        assert_eq!(outside.requests("/messages"), if arrived { 1 } else { 2 });
    }
}

/// A person who knows that the system is back need not wait for the next look.
#[tokio::test(start_paused = true)]
async fn a_person_has_a_run_try_now() {
    let (outside, down) = away("/state");
    let there = absent("r1", PUT, queue(24, 3));
    let clock = Arc::new(crate::world::VirtualClock::now());
    let store = Arc::new(qc_store::memory::MemoryStore::with_clock(clock.clone()));
    let world = World::over(store, clock, there, outside.clone(), 1);
    let run = world.start(json!({"n": 1})).await;
    until_held(&world, run).await;
    sleep(Duration::from_secs(3_000)).await;
    down.store(false, Ordering::SeqCst);
    world.engine.resume(run, &qc_model::Actor::platform("test")).await.unwrap();
    let end = world.engine.wait(run, Duration::from_secs(5)).await.unwrap();
    output(end.unwrap());
    assert_eq!(outside.effects("/state"), 1);
}

/// A call whose effect is in doubt and may not be repeated is for a person, whatever is declared.
#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_taken_effect_is_not_queued_nor_left_out() {
    for answer in [queue(24, 10), WhenUnavailable::Degrade { value: None }] {
        let outside = Outside::new(|_, _| Answer::AppliedThenBroken);
        let tasks = "\n- charge: { call: desk.charge, with: { body: { n: 1 } } }\n";
        let clock = Arc::new(crate::world::VirtualClock::now());
        let store = Arc::new(qc_store::memory::MemoryStore::with_clock(clock.clone()));
        let world = World::over(store, clock, absent("r1", tasks, answer), outside.clone(), 1);
        let run = world.start(json!({})).await;
        world.until(run, RunStatus::Parked).await;
        sleep(Duration::from_secs(3_600)).await;
        let head = world.store.run(run).await.unwrap().unwrap();
        assert_eq!(head.state.cause, LiveCause::Parked);
        assert_eq!(outside.requests("/charges"), 1);
    }
}

const NOTIFY: &str = "
- notify: { call: desk.createTicket, with: { body: { n: '${ .n }' } } }
- pause: { wait: { seconds: 30 } }
- sync: { call: desk.putState, with: { body: { got: '${ . }' } } }
";

/// The task is left out, the run goes on with what is declared, and says so to its end.
#[tokio::test(start_paused = true)]
async fn a_task_is_left_out_and_the_run_is_marked() {
    let (outside, _down) = away("/tickets");
    let value = node("{ left_out: true, n: '${ .input.n }', asked: '${ .arguments.body.n }' }");
    let there = absent("r1", NOTIFY, WhenUnavailable::Degrade { value: Some(value) });
    let clock = Arc::new(crate::world::VirtualClock::now());
    let store = Arc::new(qc_store::memory::MemoryStore::with_clock(clock.clone()));
    let world = World::over(store, clock, there.clone(), outside.clone(), 1);
    let run = world.start(json!({"n": 4})).await;
    // It waits behind the task that was left out; there the process ends.
    world.until(run, RunStatus::Waiting).await;
    for _ in 0..10_000 {
        let view = world.engine.inspect(run).await.unwrap();
        if view.journal.iter().filter(|entry| entry["what"] == "input").count() >= 9 {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    let (store, clock) = world.kill();
    sleep(Duration::from_secs(15)).await;
    let world = World::over(store, clock, there, outside.clone(), 2);
    output(world.end(run).await);
    let head = world.store.run(run).await.unwrap().unwrap();
    assert_eq!(head.state.status, RunStatus::Completed);
    assert_eq!(head.state.summary.as_deref(), Some("degraded: `notify` without `desk`"));
    let sent =
        outside.seen.lock().unwrap().iter().find(|s| s.path == "/state").unwrap().body.clone();
    assert_eq!(sent["got"], json!({"left_out": true, "n": 4, "asked": 4}));
    let view = world.engine.inspect(run).await.unwrap();
    assert_eq!(view.substituted.len(), 1);
    assert_eq!(&*view.substituted[0].task, "notify");
}

/// Another operation is called, under a key of its own, once; also across a restart, and not again
/// in a replay under the same keys.
#[tokio::test(start_paused = true)]
async fn another_operation_is_called_once_under_its_own_key() {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = down.clone();
    let outside = Outside::new(move |path, nth| match path {
        "/tickets" if is_down.load(Ordering::SeqCst) => Answer::Unreachable,
        // Its first answer is lost with the process.
        "/charges" if nth == 0 => Answer::Slow(Duration::from_secs(20), json!({"id": "c"})),
        "/state" => Answer::Status(400, json!({})),
        _ => ok(json!({"id": 7})),
    });
    let call = "desk.putState".to_owned();
    let with = Some(node("{ body: { instead: '${ .arguments.body.n }' } }"));
    let tasks = "\n- notify: { call: desk.createTicket, with: { body: { n: '${ .n }' } } }\n";
    let there = absent("r1", tasks, WhenUnavailable::Fallback { call, with });
    let clock = Arc::new(crate::world::VirtualClock::now());
    let store = Arc::new(qc_store::memory::MemoryStore::with_clock(clock.clone()));
    let world = World::over(store, clock, there, outside.clone(), 1);
    let run = world.start(json!({"n": 4})).await;
    // The other operation refuses: the run fails with that failure.
    let RunEnd::Faulted { failure, .. } = world.end(run).await else { panic!("it did not fail") };
    assert_eq!(failure.status, 400);
    assert_eq!(numbers(&outside, "/tickets").len(), 0);
    let sent =
        outside.seen.lock().unwrap().iter().find(|s| s.path == "/state").unwrap().body.clone();
    assert_eq!(sent, json!({"instead": 4}));
}

const TWO: &str = "
- notify: { call: desk.createTicket, with: { body: { n: '${ .n }' } } }
- bill: { call: desk.charge, with: { body: { n: 2 } } }
";

#[tokio::test(start_paused = true)]
async fn what_was_done_in_another_way_is_not_done_again_by_a_replay() {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = down.clone();
    let outside = Outside::new(move |path, nth| match path {
        "/tickets" if is_down.load(Ordering::SeqCst) => Answer::Unreachable,
        "/find" => ok(json!({"messages": []})),
        // What comes after it is refused at first.
        "/charges" if nth == 0 => Answer::Status(422, json!({})),
        _ => ok(json!({"id": 7})),
    });
    let call = "desk.postMessage".to_owned();
    let with = Some(node("{ body: { ref: a } }"));
    let there = absent("r1", TWO, WhenUnavailable::Fallback { call, with });
    let clock = Arc::new(crate::world::VirtualClock::now());
    let store = Arc::new(qc_store::memory::MemoryStore::with_clock(clock.clone()));
    let world = World::over(store, clock, there.clone(), outside.clone(), 1);
    let run = world.start(json!({"n": 4})).await;
    while outside.requests("/messages") == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    // The process ends with the answer on its way: the other operation is read back, as it says.
    let (store, clock) = world.kill();
    sleep(Duration::from_secs(15)).await;
    let world = World::over(store, clock, there, outside.clone(), 2);
    let RunEnd::Faulted { failure, .. } = world.end(run).await else { panic!("it did not fail") };
    assert_eq!(failure.status, 422, "{failure:?}");
    let messages = outside.requests("/messages");
    down.store(false, Ordering::SeqCst);
    let actor = qc_model::Actor::platform("test");
    let again = world.engine.replay(run, qc_engine::Replay::default(), &actor).await.unwrap();
    output(world.end(again).await);
    assert_eq!(outside.requests("/messages"), messages);
    assert_eq!(outside.requests("/tickets"), 0, "the message stands for the ticket");
    assert_eq!(outside.effects("/charges"), 1);
}

/// The run fails, and the failure names who takes over.
#[tokio::test(start_paused = true)]
async fn a_failure_names_who_takes_over() {
    let (outside, _down) = away("/state");
    let escalate = Some("on-call".to_owned());
    let there = absent("r1", PUT, WhenUnavailable::Fail { escalate });
    let clock = Arc::new(crate::world::VirtualClock::now());
    let store = Arc::new(qc_store::memory::MemoryStore::with_clock(clock.clone()));
    let world = World::over(store, clock, there.clone(), outside.clone(), 1);
    let run = world.start(json!({"n": 1})).await;
    sleep(Duration::from_secs(3)).await;
    let (store, clock) = world.kill();
    sleep(Duration::from_secs(15)).await;
    let world = World::over(store, clock, there, outside.clone(), 2);
    let RunEnd::Faulted { failure, .. } = world.end(run).await else { panic!("it did not fail") };
    assert_eq!(failure.owner.as_deref(), Some("on-call"));
    let letters = world.store.dead_letters(&DeadFilter::default()).await.unwrap();
    assert!(letters[0].summary.contains("`on-call` takes over"), "{}", letters[0].summary);
}

/// Each node has its own runs try; those of one that is killed are the others'. How many may wait
/// counts those of all nodes.
#[tokio::test(start_paused = true)]
async fn several_nodes_hold_and_let_through_what_is_theirs() {
    let (outside, down) = away("/state");
    let clock = Arc::new(crate::world::VirtualClock::now());
    let store = Arc::new(qc_store::memory::MemoryStore::shared_with_clock(clock.clone()));
    let book: Arc<crate::link::Book> = Arc::default();
    let mut nodes: Vec<World> = (1..=3)
        .map(|seed| {
            let link = crate::link::Link::new(Duration::from_millis(2), seed);
            let reached = crate::link::Reached { store: store.clone(), link, book: book.clone() };
            let node = format!("node-{seed}");
            let settings = qc_engine::EngineSettings { node, ..Default::default() };
            let there = vec![absent("r1", PUT, queue(24, 12))];
            World::node(reached, Arc::new(clock.beside()), there, outside.clone(), seed, settings)
        })
        .collect();
    while nodes.iter().any(|node| node.engine.gauges().groups > 22) {
        sleep(Duration::from_millis(100)).await;
    }
    let mut runs = Vec::new();
    for n in 0..12 {
        runs.push(nodes[n % 3].start(json!({"n": n})).await);
    }
    for run in &runs {
        until_held(&nodes[0], *run).await;
    }
    sleep(Duration::from_secs(30)).await;
    let more = nodes[0].start(json!({"n": 12})).await;
    let RunEnd::Faulted { failure, .. } = nodes[0].end(more).await else { panic!("it waits, too") };
    assert_eq!(failure.code.as_str(), "QC-R031", "twelve wait already, on three nodes");
    nodes.remove(2).kill();
    sleep(Duration::from_secs(600)).await;
    down.store(false, Ordering::SeqCst);
    for run in &runs {
        output(nodes[0].end(*run).await);
    }
    assert_eq!(numbers(&outside, "/state").len(), 12);
}
