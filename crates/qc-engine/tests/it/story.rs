//! The main path, and what a sender sees.

use std::time::Duration;

use qc_engine::{Accepted, EngineError, RunEnd};
use qc_store::{LedgerFilter, LedgerKind, RunStatus, Store};
use serde_json::json;

use crate::world::{Answer, Outside, World, ok, output};

const TICKET: &str = "
- createTicket:
    call: desk.createTicket
    with: { body: { title: '${ .title }' } }
";

#[tokio::test(start_paused = true)]
async fn a_run_with_one_call_costs_two_commits() {
    let outside = Outside::new(|_, _| ok(json!({"id": 7})));
    let world = World::new(TICKET, outside.clone());
    let run = world.start(json!({"title": "down"})).await;
    assert_eq!(output(world.end(run).await), json!({"id": 7}));
    // The first one may come while the node still writes down what it took over.
    let before = world.store.batch_sizes().len();
    let next = world.start(json!({"title": "down again"})).await;
    assert_eq!(output(world.end(next).await), json!({"id": 7}));
    assert_eq!(world.store.batch_sizes().len() - before, 2);
    assert_eq!(outside.seen.lock().unwrap()[0].body, json!({"title": "down"}));
    let key = outside.seen.lock().unwrap()[0].key.clone().unwrap();
    assert_eq!(key, format!("qc:{run}:/do/0/createTicket:0"));
}

#[tokio::test(start_paused = true)]
async fn a_repeat_finds_the_first_run_and_a_misused_key_is_refused() {
    let world = World::new(TICKET, Outside::new(|_, _| ok(json!({"id": 7}))));
    let Accepted::New { run } = world.send(Some("k"), json!({"title": "a"})).await.unwrap() else {
        panic!()
    };
    let again = world.send(Some("k"), json!({"title": "a"})).await.unwrap();
    assert_eq!(again, Accepted::Repeat { run });
    let misuse = world.send(Some("k"), json!({"title": "b"})).await.unwrap_err();
    assert_eq!(misuse, EngineError::KeyReused { run });
    world.end(run).await;
    assert_eq!(
        world.send(Some("k"), json!({"title": "a"})).await.unwrap(),
        Accepted::Repeat { run }
    );
}

#[tokio::test(start_paused = true)]
async fn whether_an_event_came_before_is_told_without_writing_and_as_long_as_its_key_counts() {
    let world = World::new(TICKET, Outside::new(|_, _| ok(json!({"id": 7}))));
    let (sender, title) = (world.sender(), |text: &str| json!({ "title": text }));
    assert_eq!(sender.repeat(Some("k"), title("a")).await, Ok(None));
    let Accepted::New { run } = world.send(Some("k"), title("a")).await.unwrap() else { panic!() };
    world.end(run).await;
    let commits = world.store.batch_sizes().len();
    assert_eq!(sender.repeat(Some("k"), title("a")).await, Ok(Some(Accepted::Repeat { run })));
    assert_eq!(sender.repeat(Some("k"), title("b")).await, Err(EngineError::KeyReused { run }));
    assert_eq!(sender.repeat(Some("l"), title("a")).await, Ok(None));
    assert_eq!(sender.repeat(None, title("a")).await, Ok(None));
    assert_eq!(world.store.batch_sizes().len(), commits);
    // A sender's key counts for a day.
    tokio::time::advance(Duration::from_secs(24 * 3_600)).await;
    assert_eq!(sender.repeat(Some("k"), title("a")).await, Ok(None));
    let again = world.send(Some("k"), title("a")).await.unwrap();
    assert!(matches!(again, Accepted::New { run: other } if other != run), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn a_throttled_call_waits_as_long_as_it_was_told() {
    let outside =
        Outside::new(|_, nth| if nth == 0 { Answer::Throttle(90) } else { ok(json!({"id": 7})) });
    let world = World::new(TICKET, outside.clone());
    let began = tokio::time::Instant::now();
    let run = world.start(json!({"title": "x"})).await;
    world.until(run, RunStatus::Waiting).await;
    output(world.end(run).await);
    assert!(began.elapsed() >= Duration::from_secs(90), "{:?}", began.elapsed());
    assert_eq!(outside.requests("/tickets"), 2);
    assert_eq!(outside.effects("/tickets"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_leaves_memory_and_comes_back_in_time() {
    let tasks = "
- nap: { wait: { hours: 30 } }
- createTicket:
    call: desk.createTicket
    with: { body: { title: done } }
";
    let world = World::new(tasks, Outside::new(|_, _| ok(json!({"id": 7}))));
    let began = tokio::time::Instant::now();
    let run = world.start(json!({})).await;
    world.until(run, RunStatus::Waiting).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.engine.gauges().runs_in_memory, 0);
    output(world.end(run).await);
    let took = began.elapsed();
    assert!(
        took >= Duration::from_secs(30 * 3_600)
            && took < Duration::from_secs(30 * 3_600) + Duration::from_secs(20 * 60),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_becomes_a_dead_letter_that_names_the_owner_of_the_hop() {
    let world =
        World::new(TICKET, Outside::new(|_, _| Answer::Status(422, json!({"error": "no"}))));
    let run = world.start(json!({"title": "x"})).await;
    let RunEnd::Faulted { failure, error } = world.end(run).await else { panic!() };
    assert_eq!(failure.owner.as_deref(), Some("team-desk"));
    assert_eq!(error["instance"], "/do/0/createTicket");
    let dead = world
        .store
        .dead_letters(&qc_store::DeadFilter { limit: 10, ..Default::default() })
        .await
        .unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].run, run);
}

#[tokio::test(start_paused = true)]
async fn the_ledger_tells_the_story_without_the_payload() {
    let world = World::new(TICKET, Outside::new(|_, _| ok(json!({"id": 7}))));
    let run = world.start(json!({"title": "a-very-private-title"})).await;
    world.end(run).await;
    let rows = world
        .store
        .ledger(&LedgerFilter { run: Some(run), limit: 100, ..Default::default() })
        .await
        .unwrap();
    let told: Vec<_> =
        rows.iter().map(|entry| (entry.row.kind, entry.row.outcome.as_str())).collect();
    assert_eq!(
        told,
        [(LedgerKind::Event, "accepted"), (LedgerKind::Call, "ok"), (LedgerKind::Run, "completed")]
    );
    for entry in rows {
        assert!(!String::from_utf8_lossy(&entry.row.facts).contains("a-very-private-title"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_store_refuses_new_events_and_keeps_the_results_of_old_ones() {
    let outside = Outside::new(|_, _| Answer::Slow(Duration::from_secs(5), json!({"id": 7})));
    let world = World::new(TICKET, outside.clone());
    let run = world.start(json!({"title": "x"})).await;
    for _ in 0..20 {
        world.store.fail_next(qc_store::memory::Fault::Full);
    }
    let refused = world.send(None, json!({"title": "y"})).await.unwrap_err();
    assert!(matches!(refused, EngineError::Store(qc_store::StoreError::Full(_))), "{refused}");
    assert_eq!(output(world.end(run).await), json!({"id": 7}));
    assert_eq!(outside.requests("/tickets"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_in_its_first_step_is_a_dead_letter_at_once() {
    let world = World::new(
        "- bad: { set: { a: '${ .title + 1 }' } }\n",
        Outside::new(|_, _| ok(json!({}))),
    );
    let run = world.start(json!({"title": "x"})).await;
    assert!(matches!(world.end(run).await, RunEnd::Faulted { .. }));
    let dead = world
        .store
        .dead_letters(&qc_store::DeadFilter { limit: 10, ..Default::default() })
        .await
        .unwrap();
    assert_eq!(dead.iter().map(|letter| letter.run).collect::<Vec<_>>(), [run]);
    assert_eq!(world.engine.gauges().faulted, 1);
}
