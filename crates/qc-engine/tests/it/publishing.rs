//! What a workflow emits waits in the outbox of its publications, in the commit of the step that emits it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use qc_data::{DataClass, Labels, Movement, Rule, Verdict};
use qc_engine::{
    BrokerAccess, Departure, Deployment, OutboxEntry, Publication, Replay, Spot, Target, Tie,
    TieKind,
};
use qc_expression::Expression;
use qc_model::{Actor, Clock, EnvironmentName, Name};
use qc_store::{LedgerFilter, Store, memory::MemoryStore};
use qc_vault::SecretRef;
use serde_json::{Value, json};

use crate::world::{Answer, Outside, VirtualClock, World, deployment, ok, output};

const STORY: &str = "
- first: { emit: { event: { with: { type: case.opened, data: { case: '${ .case }' } } } } }
- createTicket:
    call: desk.createTicket
    with: { body: { ref: a } }
- other: { emit: { event: { with: { type: not.published, data: {} } } } }
- last: { emit: { event: { with: { type: case.closed, data: {} } } } }
";

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn published() -> Deployment {
    let mut deployed = deployment("r1", STORY);
    let to = |key: &str| Target::Amqp {
        broker: BrokerAccess::Url(SecretRef::parse("secret://broker/url").unwrap()),
        exchange: "out".to_owned(),
        routing_key: Expression::parse(key, &[]).unwrap(),
    };
    let release = Arc::get_mut(&mut deployed.release).unwrap();
    for (own, kind, key) in [
        ("opened", "case.opened", r#""case." + .data.case"#),
        ("opened-too", "case.opened", "7"),
        ("closed", "case.closed", r#""x""#),
    ] {
        let publication = Publication { kind: kind.to_owned(), to: to(key) };
        release.publications.insert(name(own), publication);
    }
    deployed
}

fn tie(own: &str) -> Tie {
    Tie {
        kind: TieKind::Route,
        environment: EnvironmentName::new("production").unwrap(),
        integration: name("test"),
        name: name(own),
    }
}

async fn waiting(world: &World, own: &str) -> Vec<OutboxEntry> {
    world.engine.outbox(tie(own)).waiting().await.unwrap()
}

async fn kinds(world: &World) -> BTreeMap<&'static str, usize> {
    let mut kinds = BTreeMap::new();
    for own in ["opened", "opened-too", "closed"] {
        kinds.insert(own, waiting(world, own).await.len());
    }
    kinds
}

fn begin(outside: &Arc<Outside>) -> World {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    World::over(store, clock, published(), outside.clone(), 1)
}

fn outside() -> Arc<Outside> {
    Outside::new(|_, _| ok(json!({ "id": 7 })))
}

#[tokio::test(start_paused = true)]
async fn what_is_published_waits_in_order_and_what_is_not_does_not() {
    let world = begin(&outside());
    let mut news = world.engine.emissions();
    let mut runs = Vec::new();
    for case in ["a", "b", "c"] {
        let run = world.start(json!({ "case": case })).await;
        output(world.end(run).await);
        runs.push(run);
    }
    assert!(news.has_changed().unwrap());
    news.borrow_and_update();
    assert_eq!(
        kinds(&world).await,
        BTreeMap::from([("opened", 3), ("opened-too", 3), ("closed", 3)])
    );
    let entries = waiting(&world, "opened").await;
    let cases: Vec<&Value> = entries.iter().map(|entry| &entry.event["data"]["case"]).collect();
    assert_eq!(cases, [&json!("a"), &json!("b"), &json!("c")]);
    assert_eq!(entries.iter().map(|entry| entry.run).collect::<Vec<_>>(), runs);
    assert!(entries.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    let at = world.clock.now();
    let publication = |own: &str| &world.deployment.release.publications[&name(own)];
    let event = &entries[0].event;
    assert_eq!(publication("opened").routing_key(event, at).unwrap(), "case.a");
    assert!(publication("opened-too").routing_key(event, at).unwrap_err().contains("no text"));
}

#[tokio::test(start_paused = true)]
async fn the_cursor_moves_behind_what_departed_and_never_back() {
    let world = begin(&outside());
    for case in ["a", "b", "c"] {
        let run = world.start(json!({ "case": case })).await;
        output(world.end(run).await);
    }
    let outbox = world.engine.outbox(tie("opened"));
    let entries = outbox.waiting().await.unwrap();
    let departures: Vec<Departure> = entries
        .iter()
        .enumerate()
        .map(|(at, entry)| Departure {
            entry: entry.clone(),
            result: if at == 1 { Err("nowhere".to_owned()) } else { Ok("amqp:out:x".to_owned()) },
        })
        .collect();
    assert!(outbox.departed(&departures[..2]).await.unwrap());
    assert_eq!(outbox.waiting().await.unwrap(), entries[2..]);
    // Another node had read the same page.
    assert!(!world.engine.outbox(tie("opened")).departed(&departures).await.unwrap());
    assert_eq!(outbox.waiting().await.unwrap(), entries[2..]);
    assert!(outbox.departed(&departures[2..]).await.unwrap());
    assert!(outbox.waiting().await.unwrap().is_empty());
    let outcomes: Vec<_> = world
        .store
        .ledger(&LedgerFilter::default())
        .await
        .unwrap()
        .into_iter()
        .map(|entry| (entry.row.outcome, entry.row.code))
        .filter(|(outcome, _)| outcome.ends_with("published"))
        .collect();
    let unpublished = ("unpublished".to_owned(), Some("QC-B022".to_owned()));
    let published = ("published".to_owned(), None);
    assert_eq!(outcomes, [published.clone(), unpublished, published]);
    // The other outboxes have their own cursors.
    assert_eq!(waiting(&world, "closed").await.len(), 3);
}

/// For every number of commits that the first process may still make: each event waits once, and none is there without
/// the step that emitted it.
#[tokio::test(start_paused = true)]
async fn every_commit_may_be_the_last_one() {
    for last in 0..5 {
        let outside =
            Outside::new(|_, nth| if nth == 0 { Answer::Throttle(1) } else { ok(json!({})) });
        let world = begin(&outside);
        let run = world.start(json!({ "case": "a" })).await;
        world.store.stop_after(last);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (store, clock) = world.kill();
        tokio::time::sleep(Duration::from_secs(15)).await;
        store.go_on();
        let world = World::over(store, clock, published(), outside.clone(), 2);
        assert_eq!(kinds(&world).await["opened"], 1, "the accept itself emitted it");
        output(world.end(run).await);
        assert_eq!(
            kinds(&world).await,
            BTreeMap::from([("opened", 1), ("opened-too", 1), ("closed", 1)]),
            "after {last} commits"
        );
    }
}

/// A replay emits the same events, under the same ids: they went out already.
#[tokio::test(start_paused = true)]
async fn a_replay_publishes_nothing_twice() {
    let world = begin(&outside());
    let run = world.start(json!({ "case": "a" })).await;
    output(world.end(run).await);
    let replayed =
        world.engine.replay(run, Replay::default(), &Actor::platform("test")).await.unwrap();
    output(world.end(replayed).await);
    assert_eq!(
        kinds(&world).await,
        BTreeMap::from([("opened", 1), ("opened-too", 1), ("closed", 1)])
    );
    let again = Replay { new_effects: true, ..Replay::default() };
    let replayed = world.engine.replay(run, again, &Actor::platform("test")).await.unwrap();
    output(world.end(replayed).await);
    assert_eq!(kinds(&world).await["opened"], 2, "new effects are new events");
}

/// What is personal goes to one publication as it is, is masked for another one, and goes to no third.
#[tokio::test(start_paused = true)]
async fn a_publication_gets_what_the_policy_lets_it_have() {
    let mut deployed = published();
    let release = Arc::get_mut(&mut deployed.release).unwrap();
    let data = release.publications.remove(&name("closed")).unwrap();
    let Target::Amqp { broker, exchange, .. } = data.to;
    let to =
        Target::Amqp { broker, exchange, routing_key: Expression::parse(r#""x""#, &[]).unwrap() };
    let third = Publication { kind: "case.opened".to_owned(), to };
    release.publications.insert(name("closed"), third);
    let labels = || vec![Labels::new([("case", DataClass::Personal)], Some(DataClass::Internal))];
    for own in ["opened", "opened-too", "closed"] {
        let spot = Spot { name: format!("to-{own}"), region: None };
        release.data.publications.insert(name(own), (labels(), spot));
    }
    let rule = |to: &str, then| Rule {
        classes: [DataClass::Personal].into(),
        to: [to.to_owned()].into(),
        environments: [].into(),
        regions: [].into(),
        then,
    };
    let mut rules = vec![rule("to-opened", Verdict::Allow), rule("to-opened-too", Verdict::Mask)];
    rules.push(rule("desk", Verdict::Allow));
    let rest =
        Rule { classes: [DataClass::Internal].into(), to: [].into(), ..rule("", Verdict::Allow) };
    let rules = rules.into_iter().chain([rest]).collect();
    release.data.movement = Some(Movement::new(rules, Verdict::Deny));
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let world = World::over(store, clock, deployed, outside(), 1);
    let run = world.start(json!({ "case": "ada@example.test" })).await;
    output(world.end(run).await);
    let data = async |own: &str| -> Vec<Value> {
        waiting(&world, own).await.iter().map(|entry| entry.event["data"].clone()).collect()
    };
    assert_eq!(data("opened").await, [json!({ "case": "ada@example.test" })]);
    assert_eq!(data("opened-too").await, [json!({ "case": "***" })]);
    assert_eq!(data("closed").await, [] as [Value; 0], "nothing at all");
    let filter = LedgerFilter { run: Some(run), limit: 100, ..LedgerFilter::default() };
    let rows = world.store.ledger(&filter).await.unwrap();
    let told: Vec<_> = rows.iter().filter(|it| it.row.code.is_some()).collect();
    assert_eq!(told.len(), 1, "the ledger says that it was denied");
    assert_eq!(told[0].row.code.as_ref().unwrap().as_str(), "QC-R070");
    let all = rows.iter().map(|it| String::from_utf8_lossy(&it.row.facts).into_owned());
    assert!(all.clone().any(|facts| facts.contains("/case")), "and what was masked, by its place");
    assert!(!all.clone().any(|facts| facts.contains("ada@example.test")), "and no value");
}
