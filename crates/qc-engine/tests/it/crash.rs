//! The process ends at every possible commit, and another one takes over.

use std::{sync::Arc, time::Duration};

use qc_store::{RunStatus, Store};
use serde_json::json;

use crate::world::{Answer, Outside, World, deployment, ok, output};

const STORY: &str = "
- createTicket:
    call: desk.createTicket
    with: { body: { ref: '${ .case }' } }
- pause: { wait: { seconds: 2 } }
- syncState:
    call: desk.putState
    with: { body: { state: escalated } }
- notify:
    call: desk.postMessage
    with: { body: { ref: a } }
";

fn outside() -> Arc<Outside> {
    let posted = std::sync::atomic::AtomicUsize::new(0);
    Outside::new(move |path, nth| match path {
        "/tickets" if nth == 0 => Answer::AppliedThenBroken,
        "/messages" => {
            posted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            ok(json!({"id": 1}))
        }
        "/find" => {
            let there = posted.load(std::sync::atomic::Ordering::SeqCst);
            ok(json!({"messages": vec![1; there]}))
        }
        _ => ok(json!({"id": 7})),
    })
}

/// For every number of commits that the first process may still make: it ends there, the second
/// one ends the story, and each system has exactly one effect.
#[tokio::test(start_paused = true)]
async fn every_commit_may_be_the_last_one() {
    for last in 1..=8 {
        let outside = outside();
        let world = World::new(STORY, outside.clone());
        let run = world.start(json!({"case": "C-1"})).await;
        world.store.stop_after(last - 1);
        tokio::time::sleep(Duration::from_millis(150 * u64::try_from(last).unwrap())).await;
        let (store, clock) = world.kill();
        // The lease of the one that ended runs out.
        tokio::time::sleep(Duration::from_secs(15)).await;
        store.go_on();
        let world = World::over(store, clock, deployment("r1", STORY), outside.clone(), 2);
        output(world.end(run).await);
        let head = world.store.run(run).await.unwrap().unwrap();
        assert_eq!(head.state.status, RunStatus::Completed, "after {last} commits");
        assert_eq!(outside.effects("/tickets"), 1, "tickets after {last} commits");
        assert_eq!(outside.requests("/messages"), 1, "messages after {last} commits");
        assert!(outside.requests("/state") >= 1);
        assert_eq!(world.engine.gauges().stuck, 0);
    }
}

/// A journal read twice gives the same run: the second process sees what the first one saw.
#[tokio::test(start_paused = true)]
async fn what_was_accepted_and_never_begun_is_begun_by_the_next_process() {
    let outside = outside();
    let world = World::new(STORY, outside.clone());
    let run = world.start(json!({"case": "C-2"})).await;
    let (store, clock) = world.kill();
    tokio::time::sleep(Duration::from_secs(15)).await;
    let world = World::over(store, clock, deployment("r1", STORY), outside.clone(), 3);
    output(world.end(run).await);
    assert_eq!(outside.effects("/tickets"), 1);
}

/// A call of the process that ended is still on its way when the next process takes the run up: it is given the time
/// that the other side needs, however long ago the call's first attempt was.
#[tokio::test(start_paused = true)]
async fn what_is_still_on_its_way_after_a_crash_is_waited_for() {
    let there = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let found = there.clone();
    let outside = Outside::new(move |path, _| match path {
        "/messages" => Answer::Slow(Duration::from_secs(3600), json!({"id": 1})),
        "/find" => {
            let there = found.load(std::sync::atomic::Ordering::SeqCst);
            ok(json!({"messages": vec![1; usize::from(there)]}))
        }
        _ => ok(json!({"id": 7})),
    });
    let tasks = "\n- notify: { call: desk.postMessage, with: { body: { ref: a } } }\n";
    let world = World::new(tasks, outside.clone());
    let run = world.start(json!({})).await;
    // Long after the call was sent the process ends, and the next one is there at once.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (store, clock) = world.kill();
    let world = World::over(store, clock, deployment("r1", tasks), outside.clone(), 4);
    let begun = async {
        while world.engine.gauges().recovered == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), begun).await.unwrap();
    // The other side takes its time to do what the dead process asked for.
    tokio::time::sleep(Duration::from_millis(500)).await;
    there.store(true, std::sync::atomic::Ordering::SeqCst);
    output(world.end(run).await);
    assert_eq!(outside.requests("/messages"), 1, "the message was posted once more");
}
