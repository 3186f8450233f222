//! Large bodies from run to run, over restarts and replays, and to their end.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use qc_engine::{EngineSettings, Replay, RunEnd};
use qc_model::{Actor, BlobHash, Clock, RunId};
use qc_store::{
    Retention, RunStatus, Store,
    blobs::{Asked, Blobs, Swept},
};
use serde_json::{Value, json};

use crate::world::{Answer, Outside, World, deployment, ok, output};

/// Gets bytes by a call that is not made twice, and sends them on.
const PASS_ON: &str = "
- createTicket:
    call: desk.createTicket
    with: { body: { title: x } }
- send:
    call: http
    with: { method: post, endpoint: 'http://desk.test/upload', body: '${ . }' }
";

/// Sends on what came in.
const SEND: &str = "
- send:
    call: http
    with: { method: post, endpoint: 'http://desk.test/upload', body: '${ . }' }
";

fn large() -> Bytes {
    (0..100_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn me() -> Actor {
    Actor::platform("test")
}

/// Removes what no run holds that is in the store.
async fn sweep(world: &World) -> Swept {
    let exists = |run: RunId| -> Asked<'_> {
        let store = world.store.clone();
        Box::pin(async move { Ok(store.run(run).await?.is_some()) })
    };
    world.blobs.sweep(world.clock.now(), &exists).await.unwrap()
}

fn code_of(end: RunEnd) -> String {
    match end {
        RunEnd::Faulted { failure, .. } => failure.code.as_str().to_owned(),
        other => panic!("the run did not fail: {other:#?}"),
    }
}

fn uploads(outside: &Outside) -> Vec<Bytes> {
    let seen = outside.seen.lock().unwrap();
    seen.iter().filter(|one| one.path == "/upload").map(|one| one.raw.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_replay_keeps_the_blobs_that_it_inherits() {
    let outside = Outside::new(|path, nth| match (path, nth) {
        ("/tickets", _) => Answer::Bytes(large()),
        (_, 0) => Answer::Status(400, json!({})),
        _ => ok(json!("stored")),
    });
    let world = World::new(PASS_ON, outside.clone());
    let run = world.start(json!({})).await;
    assert!(matches!(world.end(run).await, RunEnd::Faulted { .. }));
    let journal = world.store.journal(run).await.unwrap();
    assert!(journal.iter().all(|entry| entry.body.len() < 10_000), "the bytes are in the journal");

    world.engine.discard_dead(run, "a test", &me()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(7_200)).await;
    let between = world.clock.now();
    let replay = world.engine.replay(run, Replay::default(), &me()).await.unwrap();
    assert_eq!(output(world.end(replay).await), json!("stored"));
    assert_eq!(outside.requests("/tickets"), 1);
    assert_eq!(uploads(&outside), [large(), large()]);

    // The run that received it is gone first: the replay's own marker holds the blob, until it is gone itself.
    tokio::time::sleep(Duration::from_secs(7_200)).await;
    for (keep_since, swept) in [
        (between, Swept { markers: 1, ..Swept::default() }),
        (world.clock.now(), Swept { markers: 1, blobs: 1, bytes: 400_000, unfinished: 0 }),
    ] {
        let retention = Retention::at(world.clock.now(), keep_since);
        assert!(world.store.prune(&retention, 100).await.unwrap().runs > 0);
        assert_eq!(sweep(&world).await, swept);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_with_its_blobs_after_a_crash() {
    let tasks = PASS_ON.replace("- send:", "- nap: { wait: { hours: 1 } }\n- send:");
    let outside = Outside::new(|path, _| match path {
        "/tickets" => Answer::Bytes(large()),
        _ => ok(json!("stored")),
    });
    let world = World::new(&tasks, outside.clone());
    let run = world.start(json!({})).await;
    world.until(run, RunStatus::Waiting).await;
    let blobs = world.blobs.clone();
    let (store, clock) = world.kill();
    let (deployments, settings) = (vec![deployment("r1", &tasks)], EngineSettings::default());
    let world = World::with_blobs(store, blobs, clock, deployments, outside.clone(), 2, settings);
    assert_eq!(output(world.end(run).await), json!("stored"));
    assert_eq!((outside.requests("/tickets"), uploads(&outside)), (1, vec![large()]));
}

/// A hash that is held by another run, as an event or a hostile system may write it.
async fn foreign(world: &World) -> Value {
    let body = qc_model::Body::Bytes(large()).into_stream();
    let blob = world.blobs.put(RunId::from_bits(1), body, 1 << 20).await.unwrap();
    json!({"blob": blob.hash.to_string(), "size": blob.size, "mediaType": "application/pdf"})
}

#[tokio::test(start_paused = true)]
async fn an_event_that_names_a_blob_gets_nothing() {
    let outside = Outside::new(|_, _| ok(json!("stored")));
    let world = World::new(SEND, outside.clone());
    let forged = foreign(&world).await;
    let run = world.start(forged).await;
    assert_eq!(code_of(world.end(run).await), "QC-N130");
    assert_eq!(outside.requests("/upload"), 0);
    // Nor does a replay of it, or a new run with an edited input.
    let replay = world.engine.replay(run, Replay::default(), &me()).await.unwrap();
    assert_eq!(code_of(world.end(replay).await), "QC-N130");
}

#[tokio::test(start_paused = true)]
async fn a_replay_gets_no_blob_that_its_run_only_heard_of() {
    let heard: Arc<std::sync::OnceLock<Value>> = Arc::default();
    let told = heard.clone();
    let outside = Outside::new(move |path, _| match path {
        "/tickets" => ok(told.get().unwrap().clone()),
        _ => ok(json!("stored")),
    });
    let world = World::new(PASS_ON, outside.clone());
    let forged = foreign(&world).await;
    heard.set(forged.clone()).unwrap();
    let run = world.start(json!({})).await;
    assert_eq!(code_of(world.end(run).await), "QC-N130");
    let replay = world.engine.replay(run, Replay::default(), &me()).await.unwrap();
    assert_eq!(code_of(world.end(replay).await), "QC-N130");
    assert_eq!((outside.requests("/tickets"), outside.requests("/upload")), (1, 0));
    let hash: BlobHash = forged["blob"].as_str().unwrap().parse().unwrap();
    for run in [run, replay] {
        assert!(world.blobs.get(run, hash).await.unwrap().is_none());
    }
}
