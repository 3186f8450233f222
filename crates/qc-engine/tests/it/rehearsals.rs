//! Past runs, played again on another release with nobody at the other end.

use std::{sync::Arc, time::Duration};

use qc_engine::{Deployment, Incomparable, RehearsedRun, Rehearsing, Resolution, Verdict};
use qc_model::{Actor, Name, RunId};
use qc_store::RunStatus;
use serde_json::json;

use crate::{
    children, listening,
    world::{Answer, Outside, World, deployment, ok, output},
};

const ORDER: &str = "
- createTicket:
    call: desk.createTicket
    with: { body: { order: '${ .order }', amount: '${ .gross }' } }
    output: { as: '${ {ticket: .id, order: $input.order} }' }
- remember:
    call: desk.putState
    with: { body: { ticket: '${ .ticket }' } }
    output: { as: '${ $input }' }
- tell:
    call: desk.postMessage
    with: { body: { ref: '${ .ticket }' } }
- done: { set: { ok: true } }
";

pub(crate) fn asked(integration: &str) -> Rehearsing {
    Rehearsing {
        environment: Name::new("production").unwrap(),
        integration: Name::new(integration).unwrap(),
        since: None,
        run: None,
        sample: 200,
        seed: 1,
    }
}

pub(crate) async fn rehearsed(world: &World, candidate: Deployment) -> Vec<RehearsedRun> {
    let asked = asked(candidate.release.integration.as_str());
    world.engine.rehearse(&asked, Arc::new(candidate)).await.unwrap().runs
}

/// What differs, in short: kind, effect, and the places of fields.
pub(crate) fn told(run: &RehearsedRun) -> Vec<String> {
    match &run.verdict {
        Verdict::Same => Vec::new(),
        Verdict::Differs(differences) => differences
            .iter()
            .map(|one| {
                let fields: Vec<&str> = one.fields.iter().map(|it| &*it.pointer).collect();
                format!("{} {} {}", one.kind.as_str(), one.effect, fields.join(","))
            })
            .collect(),
        Verdict::Incomparable(why) => vec![format!("incomparable: {}", why.as_str())],
    }
}

pub(crate) fn desk() -> Arc<Outside> {
    Outside::new(|_, nth| ok(json!({"id": 900 + nth})))
}

async fn one_order(outside: &Arc<Outside>) -> World {
    let world = World::new(ORDER, outside.clone());
    let run = world.start(json!({"order": 5, "gross": 119, "net": 100})).await;
    output(world.end(run).await);
    world
}

async fn on(tasks: &str) -> Vec<String> {
    let outside = desk();
    let world = one_order(&outside).await;
    let before = outside.seen.lock().unwrap().len();
    let runs = rehearsed(&world, deployment("candidate", tasks)).await;
    assert_eq!(outside.seen.lock().unwrap().len(), before, "nothing is sent");
    assert_eq!(runs.len(), 1);
    told(&runs[0])
}

#[tokio::test(start_paused = true)]
async fn the_same_workflow_has_the_same_effects() {
    assert!(on(ORDER).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn another_way_to_say_the_same_is_no_difference() {
    let rewritten = "
- prepare: { set: { order: '${ .order }', body: { order: '${ .order }', amount: '${ .gross + 0 }' } } }
- guarded:
    try:
      - open: { call: desk.createTicket, with: { body: '${ .body }' } }
    catch: { errors: { with: { status: 418 } }, do: [ { never: { set: { x: 1 } } } ] }
    output: { as: '${ {ticket: .id} }' }
- keep: { call: desk.putState, with: { body: { ticket: '${ .ticket }' } }, output: { as: '${ $input }' } }
- say: { call: desk.postMessage, with: { body: { ref: '${ .ticket }' } } }
- done: { set: { ok: true } }
";
    assert!(on(rewritten).await.is_empty(), "{:?}", on(rewritten).await);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_field_is_found_where_it_is_and_nothing_else() {
    let wrong = ORDER.replace(".gross", ".net");
    assert_eq!(on(&wrong).await, ["changed desk.createTicket /body/amount"]);
    let world = one_order(&desk()).await;
    let runs = rehearsed(&world, deployment("candidate", &wrong)).await;
    let Verdict::Differs(differences) = &runs[0].verdict else { panic!("{runs:?}") };
    let field = &differences[0].fields[0];
    assert_eq!(field.was, "a number, the event's `/data/gross`");
    assert_eq!(field.is, "a number, the event's `/data/net`");
    let all = format!("{differences:?}");
    assert!(!all.contains("119") && !all.contains("100"), "{all}");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_out_added_or_moved_is_told() {
    let dropped = ORDER.replace(
        "- tell:\n    call: desk.postMessage\n    with: { body: { ref: '${ .ticket }' } }\n",
        "",
    );
    assert_ne!(dropped, ORDER);
    assert_eq!(on(&dropped).await, ["missing desk.postMessage "]);
    let added = format!("{ORDER}- more: {{ call: desk.charge, with: {{ body: {{ a: 1 }} }} }}\n");
    assert_eq!(on(&added).await, ["added desk.charge ", "unfinished  "]);
    let moved = "
- createTicket:
    call: desk.createTicket
    with: { body: { order: '${ .order }', amount: '${ .gross }' } }
    output: { as: '${ {ticket: .id} }' }
- tell: { call: desk.postMessage, with: { body: { ref: '${ .ticket }' } }, output: { as: '${ $input }' } }
- remember: { call: desk.putState, with: { body: { ticket: '${ .ticket }' } } }
- done: { set: { ok: true } }
";
    assert_eq!(on(moved).await.len(), 1, "{:?}", on(moved).await);
    assert!(on(moved).await[0].starts_with("moved desk."));
    let reply = ORDER.replace("{ ok: true }", "{ ok: false }");
    assert_eq!(on(&reply).await, ["reply  /output/ok"]);
    let fails = format!("{ORDER}- no: {{ raise: {{ error: {{ type: 'x:y', status: 400 }} }} }}\n");
    assert_eq!(on(&fails).await, ["outcome  "]);
}

#[tokio::test(start_paused = true)]
async fn a_harmless_question_may_be_asked_twice_and_that_is_told() {
    let again = "- again: { call: desk.putState, with: { body: { ticket: '${ .ticket }' } }, output: { as: '${ $input }' } }";
    let twice = ORDER.replace("- tell:", &format!("{again}\n- tell:"));
    assert_eq!(on(&twice).await, ["added desk.putState "]);
}

/// A run that was throttled, that lost answers, that timed out.
#[tokio::test(start_paused = true)]
async fn runs_of_a_messy_past_come_out_as_they_did() {
    let outside = Outside::new(|path, nth| match (path, nth) {
        ("/tickets", 0) => Answer::Throttle(7),
        ("/tickets", 1) | ("/messages", 0) => Answer::AppliedThenBroken,
        ("/state", 0) => Answer::Unreachable,
        ("/state", 1) => Answer::Status(500, json!({"no": 1})),
        ("/find", _) => ok(json!({"messages": []})),
        ("/messages", 2) => Answer::Slow(Duration::from_secs(90), json!({"id": 1})),
        (_, nth) => ok(json!({"id": 900 + nth})),
    });
    let world = World::new(ORDER, outside);
    for order in 0..6 {
        let run = world.start(json!({"order": order, "gross": 119 + order, "net": 1})).await;
        world.end(run).await;
    }
    let runs = rehearsed(&world, deployment("candidate", ORDER)).await;
    assert_eq!(runs.len(), 6);
    for run in &runs {
        assert_eq!(run.verdict, Verdict::Same);
    }
    let wrong = ORDER.replace(".gross", ".net");
    for run in rehearsed(&world, deployment("candidate", &wrong)).await {
        assert_eq!(told(&run), ["changed desk.createTicket /body/amount"]);
    }
}

#[tokio::test(start_paused = true)]
async fn retries_that_the_candidate_does_not_do_are_told() {
    let once = "
- guarded:
    try:
      - createTicket:
          call: desk.createTicket
          with: { body: { order: '${ .order }' } }
    catch:
      errors: { with: { status: 503 } }
      retry: { delay: { seconds: 1 }, limit: { attempt: { count: 5 } } }
";
    let outside =
        Outside::new(
            |_, nth| {
                if nth < 2 { Answer::Status(503, json!({})) } else { ok(json!({"id": nth})) }
            },
        );
    let world = World::new(once, outside);
    let run = world.start(json!({"order": 1})).await;
    output(world.end(run).await);
    let same = rehearsed(&world, deployment("candidate", once)).await;
    assert_eq!(same[0].verdict, Verdict::Same);
    let fewer = once.replace("count: 5", "count: 1");
    let runs = rehearsed(&world, deployment("candidate", &fewer)).await;
    assert_eq!(told(&runs[0]), ["attempts desk.createTicket ", "outcome  "]);
}

#[tokio::test(start_paused = true)]
async fn what_people_and_other_runs_said_is_said_again() {
    let charge = "- pay: { call: desk.charge, with: { body: { ref: '${ .order }' } } }\n";
    let outside = Outside::new(|_, _| Answer::AppliedThenBroken);
    let world = World::new(charge, outside);
    let run = world.start(json!({"order": 1})).await;
    world.until(run, RunStatus::Parked).await;
    let applied = Resolution::Applied { output: json!({"charge": 1}) };
    world.engine.resolve(run, applied, &Actor::platform("test")).await.unwrap();
    output(world.end(run).await);
    let cancelled = world.start(json!({"order": 2})).await;
    world.until(cancelled, RunStatus::Parked).await;
    world.engine.cancel(cancelled, "no more", &Actor::platform("test")).await.unwrap();
    world.end(cancelled).await;
    let runs = rehearsed(&world, deployment("candidate", charge)).await;
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|run| run.verdict == Verdict::Same), "{runs:?}");
}

#[tokio::test(start_paused = true)]
async fn events_and_children_come_as_they_came() {
    let outside = desk();
    let world = World::new(listening::ORDERS, outside.clone());
    let waits = world.start(json!({"order": 1})).await;
    world.until(waits, RunStatus::Waiting).await;
    let pays = world.start(json!({"pays": 1, "amount": 10})).await;
    output(world.end(pays).await);
    output(world.end(waits).await);
    let runs = rehearsed(&world, deployment("candidate", listening::ORDERS)).await;
    assert!(runs.len() == 2 && runs.iter().all(|run| run.verdict == Verdict::Same), "{runs:?}");
    let more = listening::ORDERS.replace("amount: '${ .amount }'", "amount: '${ .amount + 1 }'");
    let runs = rehearsed(&world, deployment("candidate", &more)).await;
    let differ: Vec<String> = runs.iter().flat_map(told).collect();
    assert_eq!(differ, ["changed emit paid /event/data/amount", "reply  /output/data/amount"]);
    let deaf = listening::ORDERS.replace("with: { type: paid }", "with: { type: settled }");
    let runs = rehearsed(&world, deployment("candidate", &deaf)).await;
    let differ: Vec<String> = runs.iter().flat_map(told).collect();
    assert_eq!(differ, ["unfinished  "]);

    let family = children::both(children::PARENT, children::CHILD);
    let world = children::family(family.clone(), outside);
    let run = world.start(json!({"order": 5})).await;
    output(world.end(run).await);
    let parents = rehearsed(&world, family[0].clone()).await;
    assert!(parents.iter().all(|run| run.verdict == Verdict::Same), "{parents:?}");
    let them = rehearsed(&world, family[1].clone()).await;
    assert_eq!(them[0].verdict, Verdict::Incomparable(Incomparable::Child));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_at_work_or_elsewhere_is_not_played() {
    let world = World::new("- nap: { wait: { hours: 5 } }\n", desk());
    let run = world.start(json!({})).await;
    world.until(run, RunStatus::Waiting).await;
    let candidate = Arc::new(deployment("candidate", ORDER));
    let one = |run: RunId, integration: &str| Rehearsing { run: Some(run), ..asked(integration) };
    let of_it = world.engine.rehearse(&one(run, "test"), candidate.clone()).await.unwrap();
    assert_eq!(of_it.runs[0].verdict, Verdict::Incomparable(Incomparable::NotOver));
    world.engine.rehearse(&one(run, "other"), candidate.clone()).await.unwrap_err();
    let none = world.engine.rehearse(&asked("test"), candidate).await.unwrap();
    assert!(none.runs.is_empty() && none.found == 0);
}

/// The candidate's trigger stands before its workflow.
#[tokio::test(start_paused = true)]
async fn an_event_that_the_candidate_does_not_take_is_told() {
    let world = one_order(&desk()).await;
    let mut gone = deployment("candidate", ORDER);
    let release = Arc::get_mut(&mut gone.release).unwrap();
    let mut trigger = release.triggers.remove(&Name::new("in").unwrap()).unwrap();
    let runs = rehearsed(&world, gone).await;
    assert_eq!(told(&runs[0]), ["event  "]);
    let mut mapped = deployment("candidate", ORDER);
    let expression = "{order: .data.order, gross: .data.net}";
    trigger.input = Some(qc_expression::Expression::parse(expression, &[]).unwrap());
    let release = Arc::get_mut(&mut mapped.release).unwrap();
    release.triggers.insert(trigger.name.clone(), trigger);
    let runs = rehearsed(&world, mapped).await;
    assert_eq!(told(&runs[0]), ["changed desk.createTicket /body/amount"]);
}

/// By place and keyword, and not by what stands in the event.
#[tokio::test(start_paused = true)]
async fn an_event_that_breaks_the_candidates_contract_is_told_without_its_values() {
    let world = World::new(ORDER, desk());
    let event = json!({"order": 5, "gross": 119, "by": {"ada@example.com": "two"}});
    let run = world.start(event).await;
    output(world.end(run).await);
    let refused = |schema: serde_json::Value| {
        let mut candidate = deployment("candidate", ORDER);
        let release = Arc::get_mut(&mut candidate.release).unwrap();
        let trigger = release.triggers.get_mut(&Name::new("in").unwrap()).unwrap();
        let none = std::collections::BTreeMap::<String, String>::new();
        trigger.contract = Some(qc_contract::Schema::compile(&schema, &none).unwrap());
        candidate
    };
    for (schema, wanted) in [
        (json!({"properties": {"gross": {"type": "string"}}}), "at `/gross` its contract's `type`"),
        (
            json!({"properties": {"by": {"additionalProperties": {"type": "integer"}}}}),
            "at `/by/*` its contract's `type`",
        ),
        (json!({"properties": {"by": {"additionalProperties": false}}}), "at `/by` its"),
    ] {
        let runs = rehearsed(&world, refused(schema)).await;
        let Verdict::Differs(differences) = &runs[0].verdict else { panic!("{runs:?}") };
        let detail = &differences[0].detail;
        assert!(detail.contains("QC-I") && detail.contains(wanted), "{detail}");
        assert!(!detail.contains("ada"), "{detail}");
    }
    let fits = rehearsed(&world, refused(json!({"required": ["order"]}))).await;
    assert_eq!(fits[0].verdict, Verdict::Same);
}

/// The first one cannot go on while the only thread for it is taken.
#[test]
fn one_rehearsal_is_at_work_at_a_time() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let world = one_order(&desk()).await;
        let candidate = Arc::new(deployment("candidate", ORDER));
        let asked = asked("test");
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let taken = tokio::task::spawn_blocking(move || wait.recv());
        let (first, second) =
            tokio::join!(world.engine.rehearse(&asked, candidate.clone()), async {
                let refused = world.engine.rehearse(&asked, candidate.clone()).await;
                go_on.send(()).unwrap();
                refused
            });
        taken.await.unwrap().unwrap();
        assert_eq!(first.unwrap().runs.len(), 1);
        let refused = second.unwrap_err().to_string();
        assert!(refused.contains("one request at a time"), "{refused}");
        world.engine.rehearse(&asked, candidate).await.unwrap();
    });
}

/// Two calls of one operation under new names and in another order: each is the one with its arguments.
#[tokio::test(start_paused = true)]
async fn equal_requests_are_the_same_effect_wherever_they_stand() {
    let call = |task: &str, n: u32| {
        format!("- {task}: {{ call: desk.createTicket, with: {{ body: {{ n: {n} }} }} }}\n")
    };
    let done = "- done: { set: { ok: true } }\n";
    let world = World::new(&(call("a", 1) + &call("b", 2) + done), desk());
    let run = world.start(json!({})).await;
    output(world.end(run).await);
    let turned = deployment("candidate", &(call("c", 2) + &call("d", 1) + done));
    let runs = rehearsed(&world, turned).await;
    assert_eq!(told(&runs[0]), ["moved desk.createTicket "]);
}

/// A value of any shape as an event.
#[tokio::test(start_paused = true)]
async fn any_event_comes_out_as_it_did() {
    let tasks = "
- each:
    for: { each: item, in: '${ .items }' }
    do:
      - open: { call: desk.createTicket, with: { body: { item: '${ $item }', at: '${ now }' } } }
- done: { set: { n: '${ . | tostring | length }' } }
";
    let world = World::new(
        tasks,
        Outside::new(|_, nth| {
            Answer::Slow(Duration::from_millis(nth as u64 * 7), json!({"id": nth}))
        }),
    );
    let items = [json!([]), json!([1, "two", null]), json!([{"a": [1.5, {"b": "ü"}]}, true])];
    for items in items {
        let run = world.start(json!({"items": items})).await;
        output(world.end(run).await);
    }
    let runs = rehearsed(&world, deployment("candidate", tasks)).await;
    assert!(runs.len() == 3 && runs.iter().all(|run| run.verdict == Verdict::Same), "{runs:?}");
}
