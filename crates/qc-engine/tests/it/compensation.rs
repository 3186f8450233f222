//! What a run did is undone by durable calls.

use std::{sync::Arc, time::Duration};

use qc_engine::{Deployment, EngineError, Replay, Resolution, RunEnd};
use qc_model::Actor;
use qc_store::{LedgerFilter, LedgerKind, RunStatus, Store, memory::MemoryStore};
use serde_json::json;

use crate::world::{Answer, Outside, VirtualClock, World, compensated, ok};

const STORY: &str = "
- open: { call: desk.createTicket, with: { body: { what: open } } }
- tell: { call: desk.createTicket, with: { body: { what: tell } } }
- pay: { call: desk.charge, with: { body: { what: pay } } }
";

const WAITING: &str = "
- open: { call: desk.createTicket, with: { body: { what: open } } }
- nap: { wait: { hours: 5 } }
";

const UNDO_OPEN: &str = "
open: { do: desk.createTicket, with: { body: { what: close, id: '${ .output.id }' } } }
";

const UNDO_TELL: &str = "
tell: { do: desk.createTicket, with: { body: { what: untell } } }
";

fn me() -> Actor {
    Actor::platform("test")
}

fn undone(tasks: &str) -> Deployment {
    let tell = if tasks == STORY { UNDO_TELL } else { "" };
    compensated("r1", tasks, &format!("{UNDO_OPEN}{tell}"))
}

fn world(tasks: &str, outside: &Arc<Outside>) -> World {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    World::over(store, clock, undone(tasks), outside.clone(), 1)
}

/// What was asked for, in order.
fn asked(outside: &Outside) -> Vec<String> {
    let seen = outside.seen.lock().unwrap();
    seen.iter().map(|seen| seen.body["what"].as_str().unwrap().to_owned()).collect()
}

/// Refuses to be paid.
fn no_payment() -> Arc<Outside> {
    Outside::judging(|body| match body["what"].as_str() {
        Some("pay") => Answer::Status(400, json!({})),
        _ => ok(json!({"id": 7})),
    })
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_undoes_what_it_did_under_keys_of_their_own() {
    let outside = no_payment();
    let world = world(STORY, &outside);
    let run = world.start(json!({})).await;
    assert!(matches!(world.end(run).await, RunEnd::Faulted { .. }));
    assert_eq!(asked(&outside), ["open", "tell", "pay", "untell", "close"]);
    let seen: Vec<_> = outside.seen.lock().unwrap().iter().map(|s| s.key.clone()).collect();
    let undone = |n: usize| seen[n].clone().unwrap();
    assert!(undone(3).contains("/compensate/") && undone(4).contains("/compensate/"), "{seen:?}");
    assert_ne!(undone(3), undone(4));
    assert_eq!(outside.seen.lock().unwrap()[4].body["id"], 7);
    let view = world.engine.inspect(run).await.unwrap();
    let report = view.undone.unwrap();
    assert!(report.is_whole() && report.undone.len() == 2, "{report:?}");
    let filter = LedgerFilter { run: Some(run), limit: 100, ..LedgerFilter::default() };
    let rows = world.store.ledger(&filter).await.unwrap();
    let told = |entry: &&qc_store::LedgerEntry| {
        entry.row.kind == LedgerKind::Task && entry.row.outcome == "undone"
    };
    assert_eq!(rows.iter().filter(told).count(), 2);
    // Its keys stand for what is gone.
    let retry = world.engine.retry_dead(run, &me()).await.unwrap_err();
    assert!(retry.to_string().contains("was undone"), "{retry}");
    let replay = world.engine.replay(run, Replay::default(), &me()).await.unwrap_err();
    assert!(replay.to_string().contains("was undone"), "{replay}");
    let anew = Replay { new_effects: true, ..Replay::default() };
    let anew = world.engine.replay(run, anew, &me()).await.unwrap();
    world.until(anew, RunStatus::Faulted).await;
    assert_eq!(asked(&outside).len(), 10);
    assert_eq!(world.engine.gauges().stuck, 0);
}

/// For every number of commits that the first process may still make.
#[tokio::test(start_paused = true)]
async fn undoing_survives_whichever_commit_was_the_last_one() {
    for last in 0..7 {
        let outside = no_payment();
        let world = world(STORY, &outside);
        let run = world.start(json!({})).await;
        world.store.stop_after(last);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (store, clock) = world.kill();
        tokio::time::sleep(Duration::from_secs(15)).await;
        store.go_on();
        let world = World::over(store, clock, undone(STORY), outside.clone(), 2);
        // A charge that may have been sent is for a person to decide.
        tokio::time::sleep(Duration::from_secs(30)).await;
        if world.store.run(run).await.unwrap().unwrap().state.status == RunStatus::Parked {
            world.engine.resolve(run, Resolution::NotApplied, &me()).await.unwrap();
        }
        assert!(matches!(world.end(run).await, RunEnd::Faulted { .. }), "after {last} commits");
        let keys: std::collections::BTreeSet<_> =
            outside.seen.lock().unwrap().iter().filter_map(|seen| seen.key.clone()).collect();
        assert_eq!(keys.len(), 4, "four keyed effects after {last} commits: {keys:?}");
        let mut order = asked(&outside);
        order.dedup();
        assert_eq!(order, ["open", "tell", "pay", "untell", "close"], "after {last} commits");
        assert!(world.engine.inspect(run).await.unwrap().undone.unwrap().is_whole());
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_undone_is_told_and_does_not_stop_the_others() {
    let outside = Outside::judging(|body| match body["what"].as_str() {
        Some("pay" | "untell") => Answer::Status(400, json!({})),
        _ => ok(json!({"id": 7})),
    });
    let world = world(STORY, &outside);
    let run = world.start(json!({})).await;
    assert!(matches!(world.end(run).await, RunEnd::Faulted { .. }));
    assert_eq!(asked(&outside), ["open", "tell", "pay", "untell", "close"]);
    let report = world.engine.inspect(run).await.unwrap().undone.unwrap();
    let failed: Vec<bool> = report.undone.iter().map(|one| one.failure.is_some()).collect();
    assert_eq!(failed, [true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_undoes_what_it_did_when_that_is_asked_for() {
    for compensate in [false, true] {
        let outside = no_payment();
        let world = world(WAITING, &outside);
        let run = world.start(json!({})).await;
        world.until(run, RunStatus::Waiting).await;
        if compensate {
            world.engine.cancel_and_undo(run, "a mistake", &me()).await.unwrap();
        } else {
            world.engine.cancel(run, "a mistake", &me()).await.unwrap();
        }
        assert_eq!(world.end(run).await, RunEnd::Cancelled { reason: "a mistake".to_owned() });
        let wanted: &[&str] = if compensate { &["open", "close"] } else { &["open"] };
        assert_eq!(asked(&outside), wanted);
        assert_eq!(world.engine.inspect(run).await.unwrap().undone.is_some(), compensate);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_being_undone_is_not_cancelled_and_who_undoes_nothing_says_so() {
    let outside = Outside::judging(|body| match body["what"].as_str() {
        Some("close") => Answer::Slow(Duration::from_secs(20), json!({})),
        _ => ok(json!({"id": 7})),
    });
    let world = world(WAITING, &outside);
    let run = world.start(json!({})).await;
    world.until(run, RunStatus::Waiting).await;
    world.engine.cancel_and_undo(run, "a mistake", &me()).await.unwrap();
    let again = world.engine.cancel(run, "again", &me()).await.unwrap_err();
    assert!(again.to_string().contains("being undone"), "{again}");
    world.end(run).await;
    let plain = World::new(WAITING, outside);
    let run = plain.start(json!({})).await;
    plain.until(run, RunStatus::Waiting).await;
    let none = plain.engine.cancel_and_undo(run, "x", &me()).await.unwrap_err();
    assert!(matches!(none, EngineError::WrongState { .. }), "{none:?}");
}
