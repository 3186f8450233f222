//! Calls that wait for a limit and go in one request.

use std::{sync::Arc, time::Duration};

use qc_engine::{Resolution, RunEnd};
use qc_model::{Actor, RunId};
use qc_store::{LedgerFilter, RunStatus, Store, memory::MemoryStore};
use serde_json::{Value, json};

use crate::world::{Answer, Outside, VirtualClock, World, connected, ok, output};

const TASKS: &str = "- place: { call: desk.order, with: { body: { n: '${ .n }' } } }\n";

/// A desk with one request a second, whose orders go together.
fn desk(effect: &str, max: usize) -> String {
    format!(
        "
name: desk
version: 1.0.0
title: A desk
owner: team-desk
openapi: openapi.yaml
base_urls: {{ production: http://desk.test }}
auth: {{ none: {{}} }}
limits: [{{ requests: 1, per: 1s }}]
operations:
  order:
    effect: {effect}
    batch:
      operation: takeMany
      max: {max}
      body: '{{ all: . }}'
      results: .results
      status: .status
      output: .order
"
    )
}

const ONCE: &str = "{ class: once }";
const KEYED: &str = "{ class: keyed, key: { in: body, name: ref, window: 24h } }";

/// What the desk answers to many: to each its own number, and a refusal to those with this one.
fn each(body: &Value, refused: u64) -> Value {
    let of = |one: &Value| match one["n"].as_u64() {
        Some(n) if n == refused => json!({"status": 422, "why": "not this one"}),
        n => json!({"status": 201, "order": {"id": n}}),
    };
    let all = body["all"].as_array().expect("many come as a list");
    json!({"results": all.iter().map(of).collect::<Vec<_>>()})
}

fn answering(refused: u64) -> Arc<Outside> {
    Outside::seeing(move |path, _, body| match path {
        "/many" => ok(each(body, refused)),
        _ => Answer::Status(201, json!({"id": body["n"]})),
    })
}

struct Desk {
    world: World,
    outside: Arc<Outside>,
    runs: Vec<RunId>,
}

impl Desk {
    async fn with(connector: &str, outside: Arc<Outside>, runs: u64) -> Self {
        let clock = Arc::new(VirtualClock::now());
        let store = Arc::new(MemoryStore::with_clock(clock.clone()));
        let deployment = connected("r1", TASKS, connector);
        let world = World::over(store, clock, deployment, outside.clone(), 1);
        let mut desk = Self { world, outside, runs: Vec::new() };
        for n in 0..runs {
            desk.runs.push(desk.world.start(json!({"n": n})).await);
        }
        desk
    }

    /// How many calls went in each request that took many.
    fn batches(&self) -> Vec<usize> {
        let seen = self.outside.seen.lock().unwrap();
        let many = seen.iter().filter(|seen| seen.path == "/many");
        many.map(|seen| seen.body["all"].as_array().unwrap().len()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_limit_goes_in_few_requests_and_each_run_has_its_own_answer() {
    let desk = Desk::with(&desk(ONCE, 50), answering(70), 100).await;
    for (n, run) in desk.runs.iter().enumerate() {
        match desk.world.end(*run).await {
            RunEnd::Faulted { failure, .. } => {
                assert_eq!((n, failure.status), (70, 422), "{failure:?}");
            }
            end => assert_eq!(output(end), json!({"id": n})),
        }
    }
    // One found nobody waiting; the others waited for a second, and for another.
    assert_eq!((desk.outside.requests("/orders"), desk.batches()), (1, vec![50, 49]));
    assert!(desk.world.uptime() < Duration::from_secs(4), "{:?}", desk.world.uptime());
    let gauges = desk.world.engine.gauges();
    assert_eq!((gauges.batches, gauges.calls_together, gauges.calls), (2, 99, 100));
    // The ledger tells of each call, and of each request once.
    let rows = calls(&desk.world, desk.runs[1]).await;
    assert_eq!(
        (rows.len(), &rows[0]["together"], &rows[0]["status"]),
        (1, &json!(50), &json!(201))
    );
    let mut requests = 0;
    for run in &desk.runs {
        requests += calls(&desk.world, *run).await[0]["requests"].as_u64().unwrap();
    }
    assert_eq!(requests, 3);
}

async fn calls(world: &World, run: RunId) -> Vec<Value> {
    let filter = LedgerFilter { run: Some(run), limit: 100, ..LedgerFilter::default() };
    let rows = world.store.ledger(&filter).await.unwrap();
    let facts = rows.iter().map(|entry| serde_json::from_slice(&entry.row.facts).unwrap());
    facts.filter(|facts: &Value| facts["connector"] == "desk").collect()
}

#[tokio::test(start_paused = true)]
async fn the_doubt_of_the_request_is_the_doubt_of_each_call() {
    let broken = |keyed: bool| {
        Outside::seeing(move |path, nth, body| match (path, nth) {
            ("/many", 0) => Answer::AppliedThenBroken,
            ("/many", _) if keyed => ok(each(body, u64::MAX)),
            ("/many", _) => panic!("what must not be sent twice was"),
            _ => Answer::Status(201, json!({"id": body["n"]})),
        })
    };
    let once = Desk::with(&desk(ONCE, 10), broken(false), 6).await;
    output(once.world.end(once.runs[0]).await);
    for run in &once.runs[1..] {
        once.world.until(*run, RunStatus::Parked).await;
    }
    let resolution = Resolution::NotApplied;
    let by = Actor::platform("test");
    once.world.engine.resolve(once.runs[3], resolution, &by).await.unwrap();
    output(once.world.end(once.runs[3]).await);
    assert_eq!((once.batches(), once.outside.requests("/orders")), (vec![5], 2));

    let keyed = Desk::with(&desk(KEYED, 10), broken(true), 6).await;
    for (n, run) in keyed.runs.iter().enumerate() {
        assert_eq!(output(keyed.world.end(*run).await), json!({"id": n}));
    }
    let seen = keyed.outside.seen.lock().unwrap();
    let mut refs: Vec<String> = Vec::new();
    for one in seen.iter() {
        let bodies = one.body["all"].as_array().cloned().unwrap_or_else(|| vec![one.body.clone()]);
        refs.extend(bodies.iter().map(|body| body["ref"].as_str().unwrap().to_owned()));
    }
    let sent = refs.len();
    refs.sort();
    refs.dedup();
    assert_eq!((refs.len(), sent), (6, 11), "each has its key, and keeps it");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_fit_its_contract_leaves_the_others_alone() {
    let outside = answering(u64::MAX);
    let desk = Desk::with(&desk(ONCE, 10), outside, 3).await;
    let wrong = desk.world.start(json!({"n": "many"})).await;
    for run in &desk.runs {
        output(desk.world.end(*run).await);
    }
    let RunEnd::Faulted { failure, .. } = desk.world.end(wrong).await else {
        panic!("it is wrong")
    };
    assert_eq!(failure.code.to_string(), "QC-N101");
    assert_eq!(desk.batches(), [2]);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_at_once_goes_in_parts() {
    // The connector says 100, the document at most 60.
    let desk = Desk::with(&desk(ONCE, 100), answering(u64::MAX), 80).await;
    for (n, run) in desk.runs.iter().enumerate() {
        assert_eq!(output(desk.world.end(*run).await), json!({"id": n}));
    }
    assert_eq!((desk.batches(), desk.outside.requests("/orders")), (vec![39, 40], 1));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_taken_apart_leaves_each_in_doubt() {
    for effect in [ONCE, KEYED] {
        let outside = Outside::seeing(|path, nth, body| match (path, nth) {
            ("/many", 0) => ok(json!({"results": [{"status": 201}]})),
            ("/many", _) => ok(each(body, u64::MAX)),
            _ => Answer::Status(201, json!({"id": body["n"]})),
        });
        let desk = Desk::with(&desk(effect, 10), outside, 3).await;
        output(desk.world.end(desk.runs[0]).await);
        for run in &desk.runs[1..] {
            // Its effect may have taken place: nobody is told that it failed.
            desk.world.until(*run, RunStatus::Parked).await;
            let rows = calls_failed(&desk.world, *run).await;
            assert!(!rows.is_empty() && rows.iter().all(|code| code == "QC-N126"), "{rows:?}");
        }
        if effect == KEYED {
            // Once the connector is mended it goes again, under its key.
            let by = Actor::platform("test");
            for run in &desk.runs[1..] {
                desk.world.engine.resume(*run, &by).await.unwrap();
                output(desk.world.end(*run).await);
            }
        }
    }
}

/// The request is taken, and each of its calls is told that there are too many: that is what the gate learns, too.
#[tokio::test(start_paused = true)]
async fn a_refusal_of_its_calls_is_one_of_the_request() {
    let outside = Outside::seeing(|path, nth, body| match (path, nth) {
        ("/many", 0) => {
            let all = body["all"].as_array().unwrap();
            ok(json!({"results": vec![json!({"status": 429}); all.len()]}))
        }
        ("/many", _) => ok(each(body, u64::MAX)),
        _ => Answer::Status(201, json!({"id": body["n"]})),
    });
    let desk = Desk::with(&desk(ONCE, 10), outside, 4).await;
    for (n, run) in desk.runs.iter().enumerate() {
        assert_eq!(output(desk.world.end(*run).await), json!({"id": n}));
    }
    assert_eq!(desk.world.engine.gauges().throttled, 1);
}

async fn calls_failed(world: &World, run: RunId) -> Vec<String> {
    let filter = LedgerFilter { run: Some(run), limit: 100, ..LedgerFilter::default() };
    let rows = world.store.ledger(&filter).await.unwrap();
    rows.iter()
        .filter_map(|entry| entry.row.code.clone())
        .filter(|it| it.starts_with("QC-N"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_request_is_told_holds_for_all_of_its_calls() {
    let outside = Outside::seeing(|path, nth, body| match (path, nth) {
        ("/many", 0) => Answer::Throttle(60),
        ("/many", _) => ok(each(body, u64::MAX)),
        _ => Answer::Status(201, json!({"id": body["n"]})),
    });
    let mut desk = Desk::with(&desk(ONCE, 10), outside, 5).await;
    while desk.batches().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Also for who was not in it.
    desk.runs.push(desk.world.start(json!({"n": 5})).await);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!((desk.batches(), desk.outside.requests("/orders")), (vec![4], 1));
    for (n, run) in desk.runs.iter().enumerate() {
        assert_eq!(output(desk.world.end(*run).await), json!({"id": n}));
    }
    // Each comes again in a moment of its own: whoever finds nobody waiting goes alone.
    let again = desk.batches()[1..].iter().sum::<usize>() + desk.outside.requests("/orders");
    assert_eq!(again, 6);
    assert!(desk.outside.seen.lock().unwrap().len() <= 5);
    assert!(desk.world.uptime() > Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_kill_while_the_request_is_under_way_sends_nothing_again_that_must_not_be() {
    let hangs = || {
        Outside::seeing(|path, nth, body| match (path, nth) {
            ("/many", 0) => Answer::Slow(Duration::from_secs(20), Value::Null),
            ("/many", _) => ok(each(body, u64::MAX)),
            _ => Answer::Status(201, json!({"id": body["n"]})),
        })
    };
    for (effect, again) in [(ONCE, false), (KEYED, true)] {
        let desk = Desk::with(&desk(effect, 10), hangs(), 6).await;
        while desk.batches().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (outside, runs) = (desk.outside.clone(), desk.runs.clone());
        let connector = super::together::desk(effect, 10);
        let (store, clock) = desk.world.kill();
        let next = connected("r1", TASKS, &connector);
        let world = World::over(store, clock, next, outside.clone(), 2);
        for run in &runs[1..] {
            if again {
                output(world.end(*run).await);
            } else {
                world.until(*run, RunStatus::Parked).await;
            }
        }
        // What may have been sent goes again, alone: it is settled first, and nobody waits for that.
        let orders = |path| outside.requests(path);
        let wanted = if again { (1, 6) } else { (1, 1) };
        assert_eq!((orders("/many"), orders("/orders")), wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_cancelled_while_it_waits_is_not_in_the_request() {
    let desk = Desk::with(&desk(ONCE, 10), answering(u64::MAX), 6).await;
    while desk.outside.requests("/orders") == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let by = Actor::platform("test");
    desk.world.engine.cancel(desk.runs[4], "nobody wants it", &by).await.unwrap();
    for (n, run) in desk.runs.iter().enumerate() {
        match desk.world.end(*run).await {
            RunEnd::Cancelled { .. } => assert_eq!(n, 4),
            end => assert_eq!(output(end), json!({"id": n})),
        }
    }
    assert_eq!(desk.batches(), [4]);
}
