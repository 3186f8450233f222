//! Runs that go on with the answers that they were parked with: each with the release, the contract and the keys that are
//! right for it, and with nothing forgotten that any other answer leaves behind.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use qc_connect::connector::Repairs;
use qc_data::{DataClass, Labels, Movement, Rule, Verdict};
use qc_engine::{Bus, DataRules, Deployment, DriftFilter, Resolution, Spot};
use qc_model::RunId;
use qc_store::{RunFilter, RunKey, RunStatus, Store};
use serde_json::{Value, json};

use crate::{
    drifted::{CHARGE, OPENAPI, REPAIRS, changed, described, finding, me, over, parked, release},
    echo::rule,
    nodes::Hall,
    world::{Answer, Outside, World, ok, output, with_bus},
};

/// A process over these releases; the first one is deployed.
async fn begun(releases: Vec<Deployment>, outside: &Arc<Outside>) -> World {
    let world = over(World::new(CHARGE, outside.clone()), releases, outside, 2);
    tokio::time::sleep(Duration::from_secs(15)).await;
    world
}

/// The next process, with what is deployed then.
async fn then(world: World, releases: Vec<Deployment>, outside: &Arc<Outside>) -> World {
    let world = over(world, releases, outside, 3);
    tokio::time::sleep(Duration::from_secs(15)).await;
    world
}

/// All answers are as they are now: the id has another name, the sum is a text.
fn now() -> Arc<Outside> {
    Outside::new(|_, nth| ok(json!({"charge_id": format!("c{nth}"), "sum": "2.5"})))
}

fn repairs() -> Repairs {
    let all = json!({"aliases": {"/charge_id": "id"}, "coerce": {"/sum": "number"}});
    serde_json::from_value(all).unwrap()
}

/// The run is the deployed release's from then on: what it asks next is put right there as well.
#[tokio::test(start_paused = true)]
async fn a_run_goes_on_with_the_deployed_release() {
    let twice = format!("{CHARGE}- more: {{ call: desk.charge, with: {{ body: {{ n: 2 }} }} }}\n");
    let outside = now();
    let world = begun(vec![release("r1", &twice, "")], &outside).await;
    let run = parked(&world, 1).await;
    let found = finding(&world).await;
    let both = vec![release("r2", &twice, REPAIRS), release("r1", &twice, "")];
    let world = then(world, both, &outside).await;
    let done = world.engine.release_drift(&found, &Repairs::default(), None, &me()).await.unwrap();
    assert_eq!(done.going_on, [run]);
    assert_eq!(output(world.end(run).await), json!({"id": "c1", "sum": 2.5}));
}

/// A corrected contract counts where the run goes on with it, and nowhere else.
#[tokio::test(start_paused = true)]
async fn an_answer_is_held_against_the_contract_of_the_release_that_goes_on() {
    let corrected = OPENAPI
        .replace("sum: { type: number }", "sum: { type: string }")
        .replace("required: [id, sum]", "required: [charge_id, sum]");
    assert_ne!(corrected, OPENAPI);
    let other = format!("{CHARGE}- last: {{ set: {{ x: 1 }} }}\n");
    for (tasks, goes_on) in [(CHARGE, 1), (other.as_str(), 0)] {
        let outside = now();
        let world = begun(vec![release("r1", CHARGE, "")], &outside).await;
        let run = parked(&world, 1).await;
        let found = finding(&world).await;
        let both = vec![described("r2", tasks, &corrected, ""), release("r1", CHARGE, "")];
        let world = then(world, both, &outside).await;
        let done = world.engine.release_drift(&found, &Repairs::default(), None, &me()).await;
        assert_eq!(done.unwrap().going_on.len(), goes_on, "{tasks}");
        if goes_on == 1 {
            output(world.end(run).await);
        }
    }
}

/// Two calls of a run wait with their answers.
const BOTH: &str = "
- both:
    fork:
      branches:
        - one: { call: desk.charge, with: { body: { n: 1 } } }
        - two: { call: desk.charge, with: { body: { n: 2 } } }
- done: { set: { ok: true } }
";

#[tokio::test(start_paused = true)]
async fn what_fits_goes_on_beside_what_does_not_yet() {
    let outside = Outside::judging(|body| match body["n"].as_u64() {
        Some(1) => ok(json!({"charge_id": "c1", "sum": "2.5"})),
        _ => ok(json!({"charge_id": "c2", "sum": "much"})),
    });
    let world = begun(vec![release("r1", BOTH, "")], &outside).await;
    let run = parked(&world, 1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let found = finding(&world).await;
    let done = world.engine.release_drift(&found, &repairs(), None, &me()).await.unwrap();
    assert_eq!((done.going_on, done.staying), (vec![run], Vec::new()), "one of them fits");
    world.until(run, RunStatus::Parked).await;
    let again = world.engine.release_drift(&found, &repairs(), None, &me()).await.unwrap();
    assert!(again.staying[0].1.contains("still does not fit"), "{again:?}");
    let given = Resolution::Applied { output: json!({"id": "by hand", "sum": 9}) };
    world.engine.resolve(run, given, &me()).await.unwrap();
    assert_eq!(output(world.end(run).await), json!({"ok": true}));
    assert_eq!(outside.requests("/charges"), 2);
}

#[tokio::test(start_paused = true)]
async fn only_the_answers_of_the_finding_go_on() {
    let outside = Outside::judging(|body| match body["n"].as_u64() {
        Some(1) => ok(json!({"id": "c1", "sum": "2.5"})),
        _ => ok(json!({"charge_id": "c2", "sum": 2})),
    });
    let world = begun(vec![release("r1", BOTH, "")], &outside).await;
    let run = parked(&world, 1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let all = world.engine.drift_findings(&DriftFilter::default()).await.unwrap();
    let [one, other] = &all[..] else { panic!("{all:#?}") };
    for (found, last) in [(one, false), (other, true)] {
        let done = world.engine.release_drift(found, &repairs(), None, &me()).await.unwrap();
        assert_eq!(done.going_on, [run]);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let head = world.store.run(run).await.unwrap().unwrap();
        assert_eq!(head.state.status == RunStatus::Parked, !last, "{:?}", head.state);
    }
    assert_eq!(output(world.end(run).await), json!({"ok": true}));
}

/// While one of its calls is under way a run is not parked, and its other answer waits all the same; having gone on, it
/// is not told again.
#[tokio::test(start_paused = true)]
async fn a_run_with_a_call_under_way_goes_on_once() {
    let outside = Outside::judging(|body| match body["n"].as_u64() {
        Some(1) => ok(json!({"charge_id": "c1", "sum": "2.5"})),
        _ => Answer::Slow(Duration::from_secs(20), json!({"id": "c2", "sum": 2})),
    });
    let world = begun(vec![release("r1", BOTH, "")], &outside).await;
    let run = world.start(json!({"n": 1})).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let found = finding(&world).await;
    let done = world.engine.release_drift(&found, &repairs(), None, &me()).await.unwrap();
    assert_eq!((done.going_on, done.next), (vec![run], None));
    let again = world.engine.release_drift(&found, &repairs(), None, &me()).await.unwrap();
    assert_eq!((again.going_on, again.staying), (Vec::new(), Vec::new()));
    assert_eq!(output(world.end(run).await), json!({"ok": true}));
    assert_eq!(outside.requests("/charges"), 2);
}

/// One request lets so many runs go on as it says, and says from where to go on.
#[tokio::test(start_paused = true)]
async fn many_runs_go_on_page_by_page() {
    let outside = now();
    let world = begun(vec![release("r1", CHARGE, "")], &outside).await;
    let mut runs = BTreeSet::new();
    for n in 0..203 {
        runs.insert(world.start(json!({ "n": n })).await);
    }
    for run in &runs {
        world.until(*run, RunStatus::Parked).await;
    }
    let found = finding(&world).await;
    let first = world.engine.release_drift(&found, &repairs(), None, &me()).await.unwrap();
    assert_eq!((first.going_on.len(), first.next.is_some()), (200, true));
    let next = first.next;
    let rest = world.engine.release_drift(&found, &repairs(), next, &me()).await.unwrap();
    assert_eq!((rest.going_on.len(), rest.next), (3, None));
    let all: BTreeSet<RunId> = first.going_on.into_iter().chain(rest.going_on).collect();
    assert_eq!(all, runs);
}

/// What comes late leaves behind what any answer does: the keys by which the run is found, and what it is told of.
#[tokio::test(start_paused = true)]
async fn a_late_answer_is_an_answer() {
    let tasks = CHARGE.replace("- pay:", "- createTicket:");
    let outside =
        Outside::new(|_, _| ok(json!({"charge_id": "c1", "sum": "2.5", "ticket_no": "T-77"})));
    let bus = Bus { lifecycle: true, ..Bus::default() };
    let mut one = with_bus(release("r1", &tasks, ""), bus);
    let written = &mut Arc::get_mut(&mut one.release).unwrap().kept.echo.written;
    written.insert("/do/0/createTicket".to_owned(), rule(".answer.id", ".answer.ticket"));
    let world = begun(vec![one], &outside).await;
    let run = parked(&world, 1).await;
    let found = finding(&world).await;
    let ticket = json!({"aliases": {"/charge_id": "id", "/ticket_no": "ticket"}, "coerce": {"/sum": "number"}});
    let given: Repairs = serde_json::from_value(ticket).unwrap();
    world.engine.release_drift(&found, &given, None, &me()).await.unwrap();
    output(world.end(run).await);
    let key = RunKey { name: "ticket".to_owned(), value: "T-77".to_owned() };
    let filter = RunFilter { key: Some(key), limit: 10, ..RunFilter::default() };
    let heads = world.store.runs(&filter).await.unwrap();
    assert_eq!(heads.iter().map(|one| one.facts.id).collect::<Vec<_>>(), [run]);
    let echoes = world.store.documents("echo", None, 10).await.unwrap();
    assert_eq!(echoes.len(), 1, "what the other system will tell of it is known");
    let (events, _) = world.engine.bus_events(0, None, 100).await.unwrap();
    let kind = |event: &Value| event["type"].as_str().unwrap().to_owned();
    let told: Vec<String> = events.iter().map(|one| kind(&one.event)).collect();
    let at = |what: &str| told.iter().position(|kind| kind.contains(what));
    let (suspended, resumed) = (at("workflow.suspended"), at("workflow.resumed"));
    assert!(suspended.is_some() && suspended < resumed, "{told:?}");
}

/// Pays, and says on what it was told.
const PASSES_ON: &str = "
- pay:
    call: desk.charge
    with: { body: { n: '${ .n }' } }
- tell:
    call: desk.charge
    with: { body: { note: '${ .note // .mail }' } }
- done: { set: { ok: true } }
";

/// Personal is what the contract calls `mail`; nothing personal goes out but masked.
fn watched(mut one: Deployment) -> Deployment {
    let rule = |class, then| Rule {
        classes: BTreeSet::from([class]),
        to: BTreeSet::new(),
        environments: BTreeSet::new(),
        regions: BTreeSet::new(),
        then,
    };
    let all =
        vec![rule(DataClass::Internal, Verdict::Allow), rule(DataClass::Personal, Verdict::Mask)];
    let mail = Labels::new([("mail", DataClass::Personal)], Some(DataClass::Internal));
    let plain = Labels::new([], Some(DataClass::Internal));
    let mut rules =
        DataRules { movement: Some(Movement::new(all, Verdict::Deny)), ..DataRules::default() };
    rules.connectors.insert("desk".to_owned(), Spot { name: "desk".to_owned(), region: None });
    rules.answers.insert("/do/0/pay".to_owned(), vec![mail]);
    for place in ["/do/0/pay", "/do/1/tell"] {
        rules.requests.insert(place.to_owned(), vec![plain.clone().below("body")]);
    }
    Arc::get_mut(&mut one.release).unwrap().data = rules;
    one
}

#[tokio::test(start_paused = true)]
async fn what_is_sensitive_in_such_an_answer_is_known() {
    let mail = "ada@lovelace.example";
    // Under the name that the contract has: it is known though somebody gives another answer in its place.
    let outside = Outside::new(move |_, nth| match nth {
        0 => ok(json!({"id": "c1", "sum": "2.5", "mail": mail})),
        _ => ok(json!({"id": "c2", "sum": 1})),
    });
    let world = begun(vec![watched(release("r1", PASSES_ON, ""))], &outside).await;
    let run = parked(&world, 1).await;
    let note = format!("tell {mail}");
    let given = Resolution::Applied { output: json!({"id": "by hand", "sum": 9, "note": note}) };
    world.engine.resolve(run, given, &me()).await.unwrap();
    output(world.end(run).await);
    let sent = outside.seen.lock().unwrap()[1].body.to_string();
    assert!(!sent.contains(mail), "{sent}");
    // Under another name, which a repair puts right.
    let outside = Outside::new(move |_, nth| match nth {
        0 => ok(json!({"id": "c1", "sum": "2.5", "mail_address": mail})),
        _ => ok(json!({"id": "c2", "sum": 1})),
    });
    let world = begun(vec![watched(release("r1", PASSES_ON, ""))], &outside).await;
    let run = parked(&world, 1).await;
    let found = finding(&world).await;
    let given = json!({"aliases": {"/mail_address": "mail"}, "coerce": {"/sum": "number"}});
    let given: Repairs = serde_json::from_value(given).unwrap();
    let done = world.engine.release_drift(&found, &given, None, &me()).await.unwrap();
    assert_eq!(done.going_on, [run]);
    output(world.end(run).await);
    let sent = outside.seen.lock().unwrap()[1].body.to_string();
    assert!(!sent.contains(mail), "{sent}");
}

/// What was counted since it was written last is written with the end of the process.
#[tokio::test(start_paused = true)]
async fn nothing_that_was_seen_is_lost_with_a_drain() {
    let outside = now();
    let world = begun(vec![release("r1", CHARGE, REPAIRS)], &outside).await;
    for n in 0..3 {
        output(world.end(world.start(json!({ "n": n })).await).await);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    world.engine.drain(Duration::from_secs(10)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let seen = world.engine.drift_seen(&DriftFilter::default()).await.unwrap();
    assert_eq!(seen[0].shapes.iter().map(|one| one.count).collect::<Vec<_>>(), [3, 3]);
    let of = |connector: &str| DriftFilter {
        connector: Some(connector.to_owned()),
        ..DriftFilter::default()
    };
    assert_eq!(world.engine.drift_seen(&of("desk")).await.unwrap().len(), 1);
    assert!(world.engine.drift_seen(&of("other")).await.unwrap().is_empty());
}

/// Two nodes write the same documents in the same moment: each count is in them.
#[tokio::test(start_paused = true)]
async fn what_two_nodes_see_at_once_is_counted_for_both() {
    let hall = Hall::of(vec![release("r1", CHARGE, REPAIRS)], now());
    let nodes = [hall.node("a"), hall.node("b")];
    hall.even(&[&nodes[0], &nodes[1]], &[32, 32]).await;
    let mut runs = Vec::new();
    for n in 0..12 {
        runs.push((n % 2, nodes[n % 2].start(json!({ "n": n })).await));
    }
    for (node, run) in runs {
        nodes[node].until(run, RunStatus::Completed).await;
    }
    tokio::time::sleep(Duration::from_secs(70)).await;
    let seen = nodes[0].engine.drift_seen(&DriftFilter::default()).await.unwrap();
    assert_eq!(seen[0].shapes.iter().map(|one| one.count).collect::<Vec<_>>(), [12, 12]);
}

/// Whose connector nobody owns is told to the owner of the integration.
#[tokio::test(start_paused = true)]
async fn a_finding_is_somebodys() {
    let outside = changed();
    let mut one = release("r1", CHARGE, "");
    let own = Arc::get_mut(&mut one.release).unwrap();
    own.system_owners.clear();
    let files = [
        (
            "connectors/desk/connector.yaml".to_owned(),
            "name: desk\nversion: 1.0.0\ntitle: A desk\nopenapi: openapi.yaml\nbase_urls: { production: http://desk.test }\n\
             auth: { none: {} }\nresponse_validation: enforce\noperations:\n  charge: { effect: { class: once } }\n"
                .to_owned(),
        ),
        ("connectors/desk/openapi.yaml".to_owned(), OPENAPI.to_owned()),
    ];
    let files = std::collections::BTreeMap::from(files);
    let (connector, findings) = qc_connect::connector::Connector::load(&files, "connectors/desk");
    let connector = connector.unwrap_or_else(|| panic!("{findings:#?}"));
    own.connectors = Arc::new(qc_connect::call::Connectors::new([connector], []));
    let world = begun(vec![one], &outside).await;
    output(world.end(world.start(json!({"n": 0})).await).await);
    parked(&world, 1).await;
    assert_eq!(finding(&world).await.owner.as_deref(), Some("team-a"));
}
