//! Groups of failures, and what people say of them.

use std::time::Duration;

use qc_engine::{FailureGroup, FailuresError, GroupFilter, GroupState, MUTE_LONGEST, RunEnd, Word};
use qc_model::Actor;
use qc_store::{LedgerFilter, LedgerKind, RunStatus, Store};
use serde_json::json;

use crate::world::{Answer, Outside, World, deployment, ok};

const TICKET: &str = "
- createTicket:
    call: desk.createTicket
    with: { body: { title: '${ .title }' } }
";

fn me() -> Actor {
    Actor::platform("test")
}

/// A world in which `bad` tickets are refused while the outside is `down`.
fn world() -> World {
    World::new(
        TICKET,
        Outside::judging(|body| match body["title"].as_str() {
            Some("bad") => Answer::Status(400, json!({})),
            Some("forbidden") => Answer::Status(403, json!({})),
            _ => ok(json!({"id": 7})),
        }),
    )
}

async fn die(world: &World, title: &str) -> qc_model::RunId {
    let run = world.start(json!({"title": title})).await;
    assert!(matches!(world.end(run).await, RunEnd::Faulted { .. }));
    run
}

async fn listed(world: &World, states: &[GroupState]) -> Vec<FailureGroup> {
    let filter = GroupFilter { states: states.to_vec(), limit: 9, ..GroupFilter::default() };
    world.engine.failure_groups(&filter).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_died_of_the_same_is_one_group_with_its_owner_and_its_times() {
    let world = world();
    let began = world.clock.as_ref();
    let before = qc_model::Clock::now(began);
    for _ in 0..3 {
        die(&world, "bad").await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    die(&world, "forbidden").await;
    let groups = listed(&world, &[]).await;
    let told: Vec<_> = groups.iter().map(|it| (it.letters.open, it.letters.total)).collect();
    assert_eq!(told, [(1, 1), (3, 3)], "the one that grew last first: {groups:#?}");
    let bad = &groups[1];
    assert_eq!((bad.owner.as_deref(), bad.state), (Some("team-a"), GroupState::Open));
    let (first, last) = (bad.letters.first_at.since(before), bad.letters.last_at.since(before));
    assert!(first < Duration::from_secs(60) && last >= Duration::from_secs(120));
    assert_ne!(groups[0].id, bad.id);
    assert_eq!(world.engine.failure_group(&bad.id).await.as_ref(), Ok(bad));
    let code = GroupFilter { code: Some("QC-X".to_owned()), limit: 9, ..GroupFilter::default() };
    assert_eq!(world.engine.failure_groups(&code).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_death_after_the_cause_was_said_to_be_mended_is_a_regression() {
    let world = world();
    let run = die(&world, "bad").await;
    let id = listed(&world, &[]).await[0].id.clone();
    let say = async |word: &Word, note| {
        world.engine.tell_failures(&id, word, note, &me()).await.map(|group| group.state)
    };
    assert_eq!(say(&Word::Acknowledge, Some("I look")).await, Ok(GroupState::Acknowledged));
    assert_eq!(listed(&world, &[]).await.len(), 1, "it still wants somebody");
    assert_eq!(say(&Word::Resolve, None).await, Ok(GroupState::Resolved));
    assert_eq!(listed(&world, &[]).await, []);
    // Tried again and dead again: the same run, the same letter, and yet a new death.
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.engine.retry_dead(run, &me()).await.unwrap();
    world.until(run, RunStatus::Faulted).await;
    let group = &listed(&world, &[]).await[0];
    assert_eq!((group.state, group.letters.total), (GroupState::Regressed, 1));
    assert_eq!(say(&Word::Resolve, None).await, Ok(GroupState::Resolved));
    die(&world, "bad").await;
    assert_eq!(listed(&world, &[GroupState::Regressed]).await.len(), 1);
    assert_eq!(say(&Word::Reopen, None).await, Ok(GroupState::Open));
    let words: Vec<_> = listed(&world, &[]).await[0].said.iter().map(|s| s.word.as_str()).collect();
    assert_eq!(words, ["acknowledge", "resolve", "resolve", "reopen"]);
    // Every word is in the audit, with the group and its note.
    let filter = LedgerFilter { kinds: vec![LedgerKind::Audit], ..LedgerFilter::default() };
    let rows = world.store.ledger(&filter).await.unwrap();
    let rows: Vec<_> =
        rows.iter().filter(|it| it.row.subject == format!("failures:{id}")).collect();
    let told: Vec<_> = rows.iter().map(|it| it.row.outcome.as_str()).collect();
    let all = ["failures.acknowledge", "failures.resolve", "failures.resolve", "failures.reopen"];
    assert_eq!(told, all);
    assert!(String::from_utf8_lossy(&rows[0].row.facts).contains("I look"));
    assert_eq!(rows[0].row.actor, "platform:test");
}

#[tokio::test(start_paused = true)]
async fn a_muted_group_is_out_of_sight_for_a_bounded_time() {
    let world = world();
    die(&world, "bad").await;
    let id = listed(&world, &[]).await[0].id.clone();
    let now = || qc_model::Clock::now(world.clock.as_ref());
    for until in [now(), now() + MUTE_LONGEST + Duration::from_secs(1)] {
        let told = world.engine.tell_failures(&id, &Word::Mute { until }, None, &me()).await;
        assert_eq!(told, Err(FailuresError::MuteTime(MUTE_LONGEST)));
    }
    let until = now() + Duration::from_secs(3_600);
    let told = world.engine.tell_failures(&id, &Word::Mute { until }, None, &me()).await.unwrap();
    assert_eq!(told.state, GroupState::Muted);
    die(&world, "bad").await;
    assert_eq!(listed(&world, &[]).await, []);
    assert_eq!(listed(&world, &[GroupState::Muted]).await[0].letters.open, 2);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(listed(&world, &[]).await[0].state, GroupState::Open);
}

#[tokio::test(start_paused = true)]
async fn several_who_speak_at_once_are_all_heard() {
    let world = world();
    die(&world, "bad").await;
    let id = listed(&world, &[]).await[0].id.clone();
    let mut speakers = tokio::task::JoinSet::new();
    for n in 0..6 {
        let (engine, id) = (world.engine.clone(), id.clone());
        speakers.spawn(async move {
            let note = n.to_string();
            engine.tell_failures(&id, &Word::Acknowledge, Some(&note), &me()).await.unwrap();
        });
    }
    while let Some(spoken) = speakers.join_next().await {
        spoken.unwrap();
    }
    let group = world.engine.failure_group(&id).await.unwrap();
    let mut notes: Vec<_> = group.said.iter().filter_map(|said| said.note.clone()).collect();
    notes.sort();
    assert_eq!(notes, ["0", "1", "2", "3", "4", "5"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_said_survives_the_process_and_what_is_not_there_is_said() {
    let world = world();
    let run = die(&world, "bad").await;
    let id = listed(&world, &[]).await[0].id.clone();
    world.engine.tell_failures(&id, &Word::Acknowledge, None, &me()).await.unwrap();
    let long = "x".repeat(3_000);
    let told = world.engine.tell_failures(&id, &Word::Resolve, Some(&long), &me()).await;
    assert!(matches!(told, Err(FailuresError::NoteTooLong { bytes: 3_000, .. })));
    let none = world.engine.failure_group("0123456789abcdef").await;
    assert_eq!(none, Err(FailuresError::NoGroup("0123456789abcdef".to_owned())));
    let (store, clock) = world.kill();
    let outside = Outside::new(|_, _| ok(json!({"id": 7})));
    let world = World::over(store, clock, deployment("r1", TICKET), outside, 2);
    let group = &listed(&world, &[]).await[0];
    assert_eq!((group.state, group.said.len()), (GroupState::Acknowledged, 1));
    while !world.engine.gauges().leased {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // When all of it is dealt with, the group is settled whatever was said before.
    world.engine.retry_dead(run, &me()).await.unwrap();
    world.until(run, RunStatus::Completed).await;
    assert_eq!(listed(&world, &[]).await, []);
    assert_eq!(listed(&world, &[GroupState::Settled]).await[0].id, id);
}

/// The same workflow in another release, as after a change of a connector.
const FIRST_THEN: &str = "
- createTicket:
    call: desk.createTicket
    with: { body: { title: '${ .title }' } }
- tell:
    call: desk.postMessage
    with: { body: { ref: a } }
";

/// The first task goes well, the second one fails until the outside is mended.
fn broken_in_the_middle() -> (std::sync::Arc<Outside>, std::sync::Arc<std::sync::atomic::AtomicBool>)
{
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };
    let mended = Arc::new(AtomicBool::new(false));
    let up = Arc::clone(&mended);
    let outside = Outside::new(move |path, _| match path {
        "/tickets" => ok(json!({"id": 7})),
        _ if up.load(Ordering::Relaxed) => ok(json!({"messages": [1]})),
        _ => Answer::Status(400, json!({})),
    });
    (outside, mended)
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_goes_on_with_a_newer_release_of_the_same_workflow_and_doubles_nothing() {
    use qc_engine::{EngineSettings, Retry};
    let (outside, mended) = broken_in_the_middle();
    let world = World::new(FIRST_THEN, outside.clone());
    let run = world.start(json!({"title": "x"})).await;
    assert!(matches!(world.end(run).await, RunEnd::Faulted { .. }));
    mended.store(true, std::sync::atomic::Ordering::Relaxed);
    let (store, clock) = world.kill();
    // The newer one is deployed, the run's own is still to be had.
    let releases = vec![deployment("r2", FIRST_THEN), deployment("r1", FIRST_THEN)];
    let settings = EngineSettings::default();
    let world = World::with(store, clock, releases, outside.clone(), 2, settings.clone());
    while !world.engine.gauges().leased {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let newest = Retry { newest: true, ..Retry::default() };
    world.engine.retry(run, newest, &me()).await.unwrap();
    world.until(run, RunStatus::Completed).await;
    assert_eq!((outside.requests("/tickets"), outside.effects("/messages")), (1, 1));
    let journal = world.engine.inspect(run).await.unwrap().journal;
    let pinned: Vec<_> = journal.iter().filter(|it| it["what"] == "repinned").collect();
    assert_eq!(pinned.len(), 1, "{journal:#?}");
    assert_eq!((&pinned[0]["release"], &pinned[0]["by"]["id"]), (&json!("r2"), &json!("test")));
    // Where the first release is gone, the run is still understood by the second.
    let (store, clock) = world.kill();
    let world = World::with(store, clock, vec![deployment("r2", FIRST_THEN)], outside, 3, settings);
    assert!(world.engine.inspect(run).await.unwrap().end.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_release_of_another_workflow_takes_no_run_over_in_the_middle() {
    use qc_engine::{EngineError, EngineSettings, Retry};
    let (outside, mended) = broken_in_the_middle();
    let world = World::new(FIRST_THEN, outside.clone());
    let run = world.start(json!({"title": "x"})).await;
    assert!(matches!(world.end(run).await, RunEnd::Faulted { .. }));
    mended.store(true, std::sync::atomic::Ordering::Relaxed);
    let (store, clock) = world.kill();
    let other = FIRST_THEN.replace("ref: a", "ref: b");
    let releases = vec![deployment("r2", &other), deployment("r1", FIRST_THEN)];
    let world = World::with(store, clock, releases, outside.clone(), 2, EngineSettings::default());
    while !world.engine.gauges().leased {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let newest = Retry { newest: true, ..Retry::default() };
    let told = world.engine.retry(run, newest, &me()).await.unwrap_err();
    assert!(
        matches!(&told, EngineError::WrongState { reason, .. } if reason.contains("replay it")),
        "{told}"
    );
    world.until(run, RunStatus::Faulted).await;
    // The replay begins anew on it, and what was done is not done again.
    let replay = world.engine.replay(run, qc_engine::Replay::default(), &me()).await.unwrap();
    world.until(replay, RunStatus::Completed).await;
    let head = world.store.run(replay).await.unwrap().unwrap();
    assert_eq!((&*head.facts.release, outside.requests("/tickets")), ("r2", 1));
    // With its own release it would still go on, but for the replay that has.
    let told = world.engine.retry(run, Retry::default(), &me()).await.unwrap_err();
    assert!(told.to_string().contains(&replay.to_string()), "{told}");
}
