//! What people do with runs.

use qc_engine::{EngineError, Replay, RunEnd};
use qc_model::Actor;
use qc_store::{DeadFilter, DeadState, RunStatus, Store};
use serde_json::json;

use crate::world::{Answer, Outside, World, ok, output};

const TICKET: &str = "
- createTicket:
    call: desk.createTicket
    with: { body: { title: '${ .title }' } }
";

fn me() -> Actor {
    Actor::platform("test")
}

#[tokio::test(start_paused = true)]
async fn a_dead_run_is_tried_again_at_its_failed_task_under_the_same_key() {
    let outside =
        Outside::new(
            |_, nth| if nth == 0 { Answer::Status(400, json!({})) } else { ok(json!({"id": 7})) },
        );
    let world = World::new(TICKET, outside.clone());
    let run = world.start(json!({"title": "x"})).await;
    assert!(matches!(world.end(run).await, RunEnd::Faulted { .. }));
    world.engine.retry_dead(run, &me()).await.unwrap();
    assert_eq!(output(world.end(run).await), json!({"id": 7}));
    let keys: Vec<_> = outside.seen.lock().unwrap().iter().map(|s| s.key.clone()).collect();
    assert_eq!(keys[0], keys[1]);
    let letters =
        world.store.dead_letters(&DeadFilter { limit: 9, ..Default::default() }).await.unwrap();
    assert_eq!(letters[0].state, DeadState::Retried);
    let again = world.engine.retry_dead(run, &me()).await.unwrap_err();
    assert!(matches!(again, EngineError::WrongState { status: "completed", .. }), "{again}");
}

#[tokio::test(start_paused = true)]
async fn a_replay_keeps_the_keys_and_new_effects_change_them() {
    let outside = Outside::new(|_, _| ok(json!({"id": 7})));
    let world = World::new(TICKET, outside.clone());
    let run = world.start(json!({"title": "x"})).await;
    world.end(run).await;
    let same = world.engine.replay(run, Replay::default(), &me()).await.unwrap();
    world.end(same).await;
    assert_eq!(outside.effects("/tickets"), 1);
    let input = Some(json!({"title": "y"}));
    let anew = Replay { new_effects: true, input, ..Replay::default() };
    let other = world.engine.replay(run, anew, &me()).await.unwrap();
    world.end(other).await;
    assert_eq!(outside.effects("/tickets"), 2);
    assert_eq!(outside.requests("/tickets"), 2, "the replay answers from the first run's journal");
    assert_eq!(outside.seen.lock().unwrap()[1].body, json!({"title": "y"}));
    let edited = Replay { input: Some(json!({})), ..Replay::default() };
    assert!(world.engine.replay(run, edited, &me()).await.is_err());
    let head = world.store.run(same).await.unwrap().unwrap();
    assert_eq!((head.facts.origin, head.facts.replay_of), (run, Some(run)));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_run_is_cancelled_and_an_ended_one_is_not() {
    let world = World::new("- nap: { wait: { hours: 30 } }\n", Outside::new(|_, _| ok(json!({}))));
    let run = world.start(json!({})).await;
    world.until(run, RunStatus::Waiting).await;
    world.engine.cancel(run, "no longer needed", &me()).await.unwrap();
    assert_eq!(world.end(run).await, RunEnd::Cancelled { reason: "no longer needed".to_owned() });
    let again = world.engine.cancel(run, "twice", &me()).await.unwrap_err();
    assert!(matches!(again, EngineError::WrongState { .. }), "{again}");
}

#[tokio::test(start_paused = true)]
async fn a_discarded_letter_stays_settled() {
    let world = World::new(TICKET, Outside::new(|_, _| Answer::Status(400, json!({}))));
    let run = world.start(json!({"title": "x"})).await;
    world.end(run).await;
    world.engine.discard_dead(run, "a test", &me()).await.unwrap();
    let open = DeadFilter { state: Some(DeadState::Open), limit: 9, ..Default::default() };
    assert!(world.store.dead_letters(&open).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_run_is_said_to_be_unknown() {
    let world = World::new(TICKET, Outside::new(|_, _| ok(json!({}))));
    let run = qc_model::RunId::from_bits(42);
    assert_eq!(world.engine.cancel(run, "x", &me()).await.unwrap_err(), EngineError::NoRun(run));
}

#[tokio::test(start_paused = true)]
async fn draining_refuses_new_events_and_lets_calls_end() {
    let outside =
        Outside::new(|_, _| Answer::Slow(std::time::Duration::from_secs(3), json!({"id": 7})));
    let world = World::new(TICKET, outside.clone());
    let run = world.start(json!({"title": "x"})).await;
    world.engine.drain(std::time::Duration::from_secs(10)).await;
    assert_eq!(world.sender().send(None, json!({})).await.unwrap_err(), EngineError::Draining);
    let head = world.store.run(run).await.unwrap().unwrap();
    assert_eq!(head.state.status, RunStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_replay_is_counted_as_no_event_and_a_run_that_is_asked_for_as_no_recovery() {
    let outside = Outside::new(|_, _| ok(json!({"id": 7})));
    let world = World::new(TICKET, outside.clone());
    let run = world.start(json!({"title": "x"})).await;
    world.end(run).await;
    let replay = world.engine.replay(run, Replay::default(), &me()).await.unwrap();
    world.end(replay).await;
    assert_eq!(world.engine.gauges().accepted, 1);
    // It is at its end, and is looked at in memory for the answer.
    world.engine.cancel(run, "twice", &me()).await.unwrap_err();
    assert_eq!(world.engine.gauges().recovered, 0);
    // One that only slept is not recovered either.
    let world = World::new("- nap: { wait: { hours: 30 } }\n", outside);
    let run = world.start(json!({})).await;
    output(world.end(run).await);
    assert_eq!(world.engine.gauges().recovered, 0);
}
