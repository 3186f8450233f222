//! What the simulation has found, each as a story of its own.

use std::{sync::Arc, time::Duration};

use qc_engine::EngineSettings;
use qc_model::RunId;
use qc_simulation::{
    link::{Fault, Link},
    world::{Answer, Outside, Parts, VirtualClock, World, deployment, ok, output},
};
use qc_store::{LiveCause, RunStatus, Store, memory::MemoryStore};
use qc_vault::Secrets;
use serde_json::json;
use tokio::time::sleep;

const CHARGE: &str = "- pay: { call: desk.charge, with: { body: {} } }\n";

const SECOND: Duration = Duration::from_secs(1);

/// A process whose way to the store can fail, with room for one run.
fn world(tasks: &str, outside: &Arc<Outside>, latency: Duration) -> (World, Arc<Link>) {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let link = Link::over(store.clone(), clock.clone(), latency);
    let world = World::of(Parts {
        store,
        link: link.clone(),
        clock,
        deployments: vec![deployment("r1", tasks)],
        outside: outside.clone(),
        secrets: Arc::new(Secrets::none()),
        seed: 1,
        settings: EngineSettings { runs_max: 1, ..EngineSettings::default() },
    });
    (world, link)
}

async fn leased(world: &World) {
    while !world.engine.gauges().leased {
        sleep(Duration::from_millis(1)).await;
    }
}

async fn was_parked(world: &World, run: RunId) -> bool {
    let journal = world.engine.inspect(run).await.unwrap().journal;
    journal.iter().any(|entry| entry["what"] == "parked")
}

fn lost(applied: bool, blind: Duration) -> Fault {
    Fault::Lost { applied, blind }
}

/// Its calls were put in doubt although nobody had sent them, and a person was asked.
#[tokio::test(start_paused = true)]
async fn an_accept_of_unknown_outcome_is_read_back_until_it_is_known() {
    let outside = Outside::new(|_, _| ok(json!({"id": 7})));
    let (world, link) = world(CHARGE, &outside, Duration::ZERO);
    leased(&world).await;
    link.fail_next(lost(true, 3 * SECOND));
    let run = world.start(json!({"n": 1})).await;
    output(world.end(run).await);
    assert!(!was_parked(&world, run).await);
    assert_eq!(outside.requests("/charges"), 1);
}

/// A run whose step could not be read back was left, with calls in doubt that nobody had sent.
#[tokio::test(start_paused = true)]
async fn a_step_of_unknown_outcome_is_read_back_until_it_is_known() {
    let outside = Outside::new(|path, _| match path {
        "/state" => Answer::Slow(SECOND, json!({})),
        _ => ok(json!({"id": 7})),
    });
    let tasks = format!("- sync: {{ call: desk.putState, with: {{ body: {{}} }} }}\n{CHARGE}");
    let (world, link) = world(&tasks, &outside, Duration::ZERO);
    let run = world.start(json!({"n": 1})).await;
    link.fail_next(lost(true, 2 * SECOND));
    output(world.end(run).await);
    assert!(!was_parked(&world, run).await);
    assert_eq!(outside.requests("/charges"), 1);
}

/// In a full house a due run was taken up and given up at full speed until the loss of the lease
/// was noticed.
#[tokio::test(start_paused = true)]
async fn a_node_without_its_lease_does_not_turn_in_circles() {
    let outside = Outside::new(|_, _| ok(json!({})));
    let (world, link) = world("- nap: { wait: { seconds: 15 } }\n", &outside, Duration::ZERO);
    let run = world.start(json!({})).await;
    link.down_for(14 * SECOND);
    sleep(12 * SECOND).await;
    let other = world.store.lease(0..1_024, "another", 20 * SECOND).await.unwrap();
    assert!(other.is_some(), "the lease has run out");
    sleep(10 * SECOND).await;
    assert!(!link.was_halted());
    assert!(!world.engine.gauges().leased);
    output(world.end(run).await);
}

/// A run taken up while the process drains was counted as stuck, and people were alarmed.
#[tokio::test(start_paused = true)]
async fn what_a_drain_withholds_is_not_stuck() {
    let outside = Outside::new(|_, _| ok(json!({"id": 7})));
    let (world, _link) = world(CHARGE, &outside, SECOND);
    // Before it has its lease, a process leaves what it accepts to its first sweep.
    world.sender().send(None, json!({"n": 1})).await.unwrap();
    while world.engine.gauges().runs_in_memory == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    world.engine.drain(5 * SECOND).await;
    assert_eq!(outside.requests("/charges"), 0);
    assert_eq!(world.engine.gauges().stuck, 0);
    assert_eq!(world.engine.gauges().runs_in_memory, 0);
}

/// After a moment without the store, runs that waited to be taken up waited ten seconds more.
#[tokio::test(start_paused = true)]
async fn the_sweep_goes_on_as_soon_as_the_store_can_be_read() {
    let outside = Outside::new(|_, _| ok(json!({"id": 7})));
    let (world, link) = world(CHARGE, &outside, Duration::ZERO);
    // Before it has its lease, a process leaves what it accepts to its first sweep.
    world.sender().send(None, json!({"n": 1})).await.unwrap();
    link.blind_for(2 * SECOND);
    sleep(3 * SECOND).await;
    assert_eq!(outside.requests("/charges"), 1);
}

/// A run that could not be offered what came in while the store could not be read said ever after that something of it
/// was under way, also when it had long stopped listening and only waited for a timer.
#[tokio::test(start_paused = true)]
async fn a_run_that_was_not_offered_what_came_in_says_for_what_it_waits_once_it_listens_no_more() {
    let tasks = "
- race:
    fork:
      compete: true
      branches:
        - hear: { listen: { to: { one: { with: { type: go } } } } }
        - brief: { wait: { seconds: 1 } }
- nap: { wait: { seconds: 3 } }
";
    let outside = Outside::new(|_, _| ok(json!({})));
    let (world, link) = world(tasks, &outside, Duration::ZERO);
    leased(&world).await;
    sleep(SECOND).await;
    link.blind_for(SECOND / 2);
    let run = world.start(json!({"n": 1})).await;
    sleep(2 * SECOND).await;
    let head = world.store.run(run).await.unwrap().unwrap();
    assert_eq!((head.state.status, head.state.cause), (RunStatus::Waiting, LiveCause::Timer));
    output(world.end(run).await);
}

/// A call that had waited for its credential for longer than the other side remembers keys was
/// taken for one whose key is forgotten, and a person was asked; it had never been taken.
#[tokio::test(start_paused = true)]
async fn waiting_for_a_credential_does_not_use_up_a_key() {
    let day = Duration::from_secs(24 * 3_600);
    let tasks = "- open: { call: desk.createTicket, with: { body: {} } }\n";
    for restart in [false, true] {
        let began = tokio::time::Instant::now();
        let outside = Outside::new(move |_, _| {
            if began.elapsed() < day + 600 * SECOND {
                Answer::Status(401, json!({}))
            } else {
                ok(json!({"id": 7}))
            }
        });
        let (mut world, _link) = world(tasks, &outside, Duration::ZERO);
        let run = world.start(json!({})).await;
        world.until(run, RunStatus::Parked).await;
        if restart {
            sleep(day).await;
            let (store, clock) = world.kill();
            world = World::over(store, clock, deployment("r1", tasks), outside.clone(), 2);
        }
        output(world.end(run).await);
    }
}
