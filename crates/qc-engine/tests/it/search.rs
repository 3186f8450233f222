//! Finding runs by what people know of them.

use std::{collections::BTreeMap, sync::Arc};

use qc_engine::{CORRELATION_ATTRIBUTE, Incoming, REQUEST_ATTRIBUTE, Replay, RunEnd};
use qc_model::{Actor, Clock, EnvironmentName, Event, EventData, Name, RunId};
use qc_store::{RunKey, Store};
use serde_json::{Value, json};

use crate::world::{Outside, World, ok};

const TICKET: &str = "
- createTicket:
    call: desk.createTicket
    with: { body: { title: x } }
";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Sends an event; its run is the newest by a second.
async fn sent(world: &World, data: Value) -> RunId {
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    while !world.engine.gauges().leased {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let event = Event {
        id: "delivery-9".to_owned(),
        source: "/shop".to_owned(),
        kind: "test".to_owned(),
        subject: Some("case 12".to_owned()),
        time: None,
        datacontenttype: None,
        dataschema: None,
        extensions: BTreeMap::from([
            (CORRELATION_ATTRIBUTE.to_owned(), json!("corr-5")),
            (REQUEST_ATTRIBUTE.to_owned(), json!("req-6")),
        ]),
        data: EventData::Json(data),
    };
    let incoming = Incoming {
        trigger: Name::new("in").unwrap(),
        tenant: Name::new("default").unwrap(),
        event,
        body_hash: [0; 32],
        key: None,
        actor: Actor::platform("test"),
        received_at: world.clock.now(),
        traceparent: Some(format!("00-{TRACE}-b7ad6b7169203331-01")),
        priority: qc_store::Priority::Normal,
        version: None,
        terms: qc_engine::Terms::default(),
        hops: 0,
    };
    match world.engine.accept(&world.deployment, incoming).await.unwrap() {
        qc_engine::Accepted::New { run } => run,
        qc_engine::Accepted::Repeat { run } => panic!("{run} is a repeat"),
    }
}

fn keys(keys: &[RunKey]) -> Vec<String> {
    keys.iter().map(|key| format!("{}={}", key.name, key.value)).collect()
}

async fn found(world: &World, text: &str) -> Vec<RunId> {
    let heads = world.engine.find_runs(text, None, None, 10).await.unwrap();
    heads.iter().map(|head| head.facts.id).collect()
}

#[tokio::test(start_paused = true)]
async fn a_run_is_found_by_everything_that_is_known_of_it() {
    let world = World::new(TICKET, Outside::new(|_, _| ok(json!({"ticket": "T-77"}))));
    let data = json!({"order": 4711, "lines": [{"sku": "red"}, {"sku": "blue"}]});
    let run = sent(&world, data).await;
    let other = sent(&world, json!({"order": 4712, "lines": []})).await;
    assert!(matches!(world.end(run).await, RunEnd::Completed { .. }));
    assert!(matches!(world.end(other).await, RunEnd::Completed { .. }));
    let told = keys(&world.store.keys_of(run).await.unwrap());
    assert_eq!(
        told,
        [
            "correlation_id=corr-5",
            "event_id=delivery-9",
            "line=blue",
            "line=red",
            "order=4711",
            "request_id=req-6",
            "ticket=T-77"
        ],
        "`wrong` fails on the event, and is left out"
    );
    let head = world.store.run(run).await.unwrap().unwrap();
    let own = [
        "4711".to_owned(),
        "red".to_owned(),
        run.to_string(),
        head.facts.event.to_string(),
        format!("qc:{run}:/do/0/createTicket:0"),
        format!("{:032x}", run.bits()),
        format!("  {run}\n"),
    ];
    for text in &own {
        assert_eq!(found(&world, text).await, [run], "{text}");
    }
    let trace = format!("00-{TRACE}-b7ad6b7169203331-01");
    for text in ["delivery-9", "corr-5", "req-6", "case 12", "T-77", TRACE, &*trace] {
        assert_eq!(found(&world, text).await, [other, run], "{text}: newest first");
    }
    for text in ["471", "ticket", "", "run_1", "0".repeat(32).as_str()] {
        assert_eq!(found(&world, text).await, [], "{text}");
    }
    let elsewhere = EnvironmentName::new("sandbox").unwrap();
    assert_eq!(world.engine.find_runs("4711", Some(&elsewhere), None, 10).await.unwrap(), []);
    assert_eq!(world.engine.find_runs("corr-5", None, None, 1).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_replay_has_the_keys_of_its_event_and_of_what_was_answered_before() {
    let outside = Outside::new(|_, _| ok(json!({"ticket": "T-78"})));
    let world = World::new(TICKET, Arc::clone(&outside));
    let run = sent(&world, json!({"order": 4713})).await;
    world.end(run).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let actor = Actor::platform("test");
    let replay = world.engine.replay(run, Replay::default(), &actor).await.unwrap();
    world.end(replay).await;
    assert_eq!(outside.requests("/tickets"), 1);
    assert_eq!(found(&world, "4713").await, [replay, run]);
    assert_eq!(found(&world, "T-78").await, [replay, run], "answered from the journal");
    assert_eq!(found(&world, &run.to_string()).await, [replay, run], "the whole chain");
}
