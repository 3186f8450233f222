//! Runs that begin at their times.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use qc_engine::{Bus, Deployment, EngineSettings, Schedule, ScheduleView, Times};
use qc_model::{Actor, Name, Timestamp};
use qc_store::{
    LedgerFilter, LiveCause, RunFilter, RunHead, RunStatus, Store, memory::MemoryStore,
};
use qc_workflow::{CatchUp, Overlap, Zone};
use serde_json::json;

use crate::{
    pausing::trigger_of,
    world::{Outside, VirtualClock, World, deployment, ok, output, with_bus},
};

pub(crate) const QUICK: &str = "- note: { set: { at: '${ .scheduled_at }' } }\n";
/// Takes ninety seconds.
const SLOW: &str = "- nap: { wait: { seconds: 90 } }\n";

pub(crate) fn every(ms: u64) -> Schedule {
    Schedule {
        tenant: Name::new("default").unwrap(),
        times: Times::Every { ms },
        overlap: Overlap::Skip,
        catch_up: CatchUp::Last,
        jitter: Duration::ZERO,
        subject: None,
        input: None,
    }
}

fn cron(pattern: &str, zone: &str) -> Schedule {
    let times = Times::Cron {
        cron: pattern.parse().unwrap(),
        zone: Zone::named(zone).unwrap(),
        zone_name: zone.to_owned(),
    };
    Schedule { times, ..every(1) }
}

pub(crate) fn scheduled(hash: &str, tasks: &str, schedule: Schedule) -> Deployment {
    let schedules = BTreeMap::from([(Name::new("tick").unwrap(), schedule)]);
    with_bus(deployment(hash, tasks), Bus { schedules, ..Bus::default() })
}

fn world(tasks: &str, schedule: Schedule) -> World {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    over(store, clock, scheduled("r1", tasks, schedule), 1)
}

fn over(
    store: Arc<MemoryStore>,
    clock: Arc<VirtualClock>,
    deployment: Deployment,
    seed: u64,
) -> World {
    let outside = Outside::new(|_, _| ok(json!({})));
    World::with(store, clock, vec![deployment], outside, seed, EngineSettings::default())
}

/// The runs, the oldest first.
async fn runs(world: &World) -> Vec<RunHead> {
    let filter = RunFilter { trigger: Some(Name::new("tick").unwrap()), ..RunFilter::default() };
    let mut runs = world.store.runs(&filter).await.unwrap();
    runs.reverse();
    runs
}

/// The instants for which runs began.
async fn instants(world: &World) -> Vec<Timestamp> {
    let mut found = Vec::new();
    for head in runs(world).await {
        let input = world.engine.inspect(head.facts.id).await.unwrap().input;
        found.push(input["scheduled_at"].as_str().unwrap().parse().unwrap());
    }
    // Runs that begin in one millisecond are listed in any order.
    found.sort();
    found
}

async fn outcomes(world: &World, outcome: &str) -> usize {
    let filter = LedgerFilter { outcome: Some(outcome.to_owned()), ..LedgerFilter::default() };
    world.store.ledger(&filter).await.unwrap().len()
}

async fn view(world: &World) -> ScheduleView {
    world.engine.schedules().await.unwrap().remove(0)
}

#[tokio::test(start_paused = true)]
async fn runs_begin_at_their_times_and_the_next_one_is_told() {
    let world = world(QUICK, every(60_000));
    tokio::time::sleep(Duration::from_secs(5 * 60 + 10)).await;
    let found = instants(&world).await;
    assert_eq!(found.len(), 5);
    let apart: Vec<_> = found.windows(2).map(|two| two[1].since(two[0])).collect();
    assert_eq!(apart, [Duration::from_secs(60); 4]);
    for (head, instant) in runs(&world).await.iter().zip(&found) {
        assert!(head.facts.accepted_at.since(*instant) < Duration::from_millis(100));
        assert_eq!(head.state.status, RunStatus::Completed);
    }
    let view = view(&world).await;
    assert_eq!(view.plan, "every 1m");
    assert_eq!(view.last, found.last().copied());
    assert_eq!(view.next, Some(found[4] + Duration::from_secs(60)));
}

/// In the night in which clocks go forward, half past two is three o'clock; in the one in which they go back it comes
/// once.
#[tokio::test(start_paused = true)]
async fn a_pattern_follows_the_clocks_of_its_zone() {
    let world = world(QUICK, cron("30 2 * * *", "Europe/Berlin"));
    let to = |text: &str| {
        let at: Timestamp = text.parse().unwrap();
        let now = qc_model::Clock::now(&*world.clock);
        world.clock.jump(at.as_millis() - now.as_millis());
    };
    let mut expected = Vec::new();
    for (night, due) in [
        ("2027-03-27T23:30:00Z", "2027-03-28T01:00:00Z"),
        ("2027-10-30T22:30:00Z", "2027-10-31T00:30:00Z"),
    ] {
        to(night);
        // What passed since the last night was missed; the last of it is caught up with.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let before = instants(&world).await.len();
        tokio::time::sleep(Duration::from_secs(6 * 3600)).await;
        let found = instants(&world).await;
        assert_eq!(found.len(), before + 1, "once in the night of {night}");
        expected.push(due.parse::<Timestamp>().unwrap());
        assert_eq!(found.last(), expected.last());
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_downtime_as_many_are_caught_up_with_as_is_said() {
    for (catch_up, wanted) in [
        (CatchUp::None, 0),
        (CatchUp::Last, 1),
        (CatchUp::All { limit: 4 }, 4),
        (CatchUp::All { limit: 100 }, 9),
    ] {
        let schedule = || Schedule { catch_up, overlap: Overlap::Allow, ..every(10 * 60_000) };
        let first = world(QUICK, schedule());
        tokio::time::sleep(Duration::from_secs(10 * 60 + 5)).await;
        assert_eq!(instants(&first).await.len(), 1);
        let (store, clock) = first.kill();
        tokio::time::sleep(Duration::from_secs(95 * 60)).await;
        let world = over(store, clock, scheduled("r1", QUICK, schedule()), 2);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let found = instants(&world).await;
        assert_eq!(found.len(), 1 + wanted, "{catch_up:?}");
        assert!(found.windows(2).all(|two| two[0] < two[1]), "each once");
        // Then it goes on as ever.
        tokio::time::sleep(Duration::from_secs(10 * 60)).await;
        assert_eq!(instants(&world).await.len(), 2 + wanted, "{catch_up:?}");
    }
}

/// Wherever the process ends: an occurrence has one run.
#[tokio::test(start_paused = true)]
async fn an_occurrence_has_one_run_whatever_commit_is_the_last_one() {
    for last in 0..6 {
        let first = world(QUICK, every(30_000));
        tokio::time::sleep(Duration::from_secs(5)).await;
        first.store.stop_after(last);
        tokio::time::sleep(Duration::from_secs(40)).await;
        let (store, clock) = first.kill();
        tokio::time::sleep(Duration::from_secs(10)).await;
        store.go_on();
        let world = over(store, clock, scheduled("r1", QUICK, every(30_000)), 2);
        tokio::time::sleep(Duration::from_secs(120)).await;
        let found = instants(&world).await;
        let mut once = found.clone();
        once.dedup();
        assert_eq!(found, once, "after {last} commits");
        assert!(found.len() >= 4, "after {last} commits: {found:?}");
        assert!(runs(&world).await.iter().all(|head| head.state.status == RunStatus::Completed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_begins_nothing_twice() {
    let world = world(QUICK, every(60_000));
    tokio::time::sleep(Duration::from_secs(190)).await;
    assert_eq!(instants(&world).await.len(), 3);
    world.clock.jump(-170_000);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(instants(&world).await.len(), 3, "those had their runs");
    world.clock.jump(170_000);
    tokio::time::sleep(Duration::from_secs(70)).await;
    let found = instants(&world).await;
    let mut once = found.clone();
    once.dedup();
    assert_eq!(found, once);
    assert!(found.len() >= 4, "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_not_over_has_the_next_one_left_out_waiting_or_beside_it() {
    let overlapping = |overlap| Schedule { overlap, ..every(60_000) };
    let lasted = Duration::from_secs(4 * 60 + 20);
    let skipping = world(SLOW, overlapping(Overlap::Skip));
    tokio::time::sleep(lasted).await;
    assert_eq!(runs(&skipping).await.len(), 2, "at the first and third minute");
    assert_eq!(outcomes(&skipping, "skipped").await, 2);

    let queueing = world(SLOW, overlapping(Overlap::Queue));
    tokio::time::sleep(lasted).await;
    let began: Vec<_> = runs(&queueing).await.iter().map(|head| head.facts.accepted_at).collect();
    assert_eq!(began.len(), 3, "one after the other");
    assert!(began.windows(2).all(|two| two[1].since(two[0]) >= Duration::from_secs(90)));
    assert!(began[1].since(began[0]) < Duration::from_secs(91), "as soon as the last one is over");

    let allowing = world(SLOW, overlapping(Overlap::Allow));
    tokio::time::sleep(lasted).await;
    assert_eq!(runs(&allowing).await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_waits_for_the_last_run_counts_from_its_end() {
    let world = world(SLOW, Schedule { times: Times::After { ms: 30_000 }, ..every(1) });
    tokio::time::sleep(Duration::from_secs(5 * 60)).await;
    let began: Vec<_> = runs(&world).await.iter().map(|head| head.facts.accepted_at).collect();
    assert_eq!(began.len(), 3);
    for two in began.windows(2) {
        let apart = two[1].since(two[0]).as_secs();
        assert!((120..=121).contains(&apart), "{apart}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_schedule_counts_from_now_and_a_removed_one_begins_anew() {
    let world = world(QUICK, every(60_000));
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(instants(&world).await.len(), 1);
    world.engine.set_deployments(vec![scheduled("r2", QUICK, every(600_000))]);
    tokio::time::sleep(Duration::from_secs(500)).await;
    assert_eq!(instants(&world).await.len(), 1, "ten minutes from the change on");
    tokio::time::sleep(Duration::from_secs(150)).await;
    assert_eq!(instants(&world).await.len(), 2);
    world.engine.set_deployments(vec![deployment("r3", QUICK)]);
    tokio::time::sleep(Duration::from_secs(7_200)).await;
    world.engine.set_deployments(vec![scheduled("r2", QUICK, every(600_000))]);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(instants(&world).await.len(), 2, "nothing of the meantime is caught up with");
    tokio::time::sleep(Duration::from_secs(310)).await;
    assert_eq!(instants(&world).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_paused_schedule_begins_nothing_and_catches_up_with_nothing() {
    let world = world(QUICK, every(60_000));
    tokio::time::sleep(Duration::from_secs(90)).await;
    let actor = Actor::platform("test");
    let pause = async |pause| {
        world.engine.pause_schedule("production", "test", "tick", pause, &actor).await.unwrap()
    };
    assert!(pause(true).await);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(instants(&world).await.len(), 1);
    let paused = view(&world).await;
    assert!(paused.paused.is_some() && paused.next.is_none());
    assert!(pause(false).await);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(instants(&world).await.len(), 2);
    let unknown = world.engine.pause_schedule("production", "test", "none", true, &actor).await;
    assert!(!unknown.unwrap());
}

/// Unlike a paused schedule, a schedule whose trigger is paused keeps its times: their runs begin afterwards.
#[tokio::test(start_paused = true)]
async fn the_times_of_a_paused_trigger_are_kept() {
    let world = world(QUICK, every(60_000));
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (name, actor) = (trigger_of("test", "tick"), Actor::platform("test"));
    world.engine.pause_trigger(&name, "maintenance", &actor).await.unwrap();
    tokio::time::sleep(Duration::from_secs(70)).await;
    let held = runs(&world).await;
    assert_eq!(held.len(), 1, "the next one waits for this one");
    assert_eq!(held[0].state.cause, LiveCause::Held);
    world.engine.resume_trigger(&name, "done", &actor).await.unwrap();
    output(world.end(held[0].facts.id).await);
}

#[tokio::test(start_paused = true)]
async fn an_occurrence_is_put_off_by_chance_within_its_bound() {
    let jitter = Duration::from_secs(40);
    let world = world(QUICK, Schedule { jitter, ..every(60_000) });
    tokio::time::sleep(Duration::from_secs(20 * 60 + 50)).await;
    let mut put_off = Vec::new();
    for (head, instant) in runs(&world).await.iter().zip(instants(&world).await) {
        put_off.push(head.facts.accepted_at.since(instant));
    }
    assert!(put_off.len() >= 20, "{}", put_off.len());
    assert!(put_off.iter().all(|one| *one < jitter + Duration::from_millis(100)), "{put_off:?}");
    assert!(put_off.iter().any(|one| *one > Duration::from_secs(5)), "{put_off:?}");
    output(world.end(runs(&world).await[0].facts.id).await);
}
