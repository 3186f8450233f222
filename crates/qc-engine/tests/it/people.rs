//! What people are asked, and what they answer.

mod handoffs;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use qc_engine::{
    Deployment, EngineError, FailureMode, Failures, Level, People, PersonTask, RunEnd, StuckAct,
    TaskAnswer, TaskFilter, TaskId, TaskKind, TaskState, shown_hash,
};
use qc_model::{Actor, ActorKind, RunId, Timestamp};
use qc_store::{
    DeadFilter, DeadState, LedgerFilter, LedgerKind, LiveCause, RunStatus, Store,
    memory::MemoryStore,
};
use serde_json::{Value, json};

use crate::world::{Answer, Outside, World, compensated, deployment, ok, output, peopled};

const REFUND: &str = r#"
- ask:
    call: human.approve
    with:
      title: '${ "Refund " + .case + "?" }'
      of: { case: '${ .case }', amount: '${ .amount }' }
      assignee: finance
      deadline: 24h
      escalation:
        - { to: bob, after: 4h }
        - { to: cto, after: 8h }
- pay:
    if: ${ .decision == "approved" }
    call: desk.createTicket
    with: { body: { title: paid } }
"#;

const TICKET: &str = "
- createTicket:
    call: desk.createTicket
    with: { body: { title: x } }
";

const CHARGE: &str = "
- charge:
    call: desk.charge
    with: { body: { amount: 7 } }
- createTicket:
    call: desk.createTicket
    with: { body: { of: '${ .receipt }' } }
";

fn people() -> People {
    let team = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    People {
        people: team(&["ada", "bob", "cto", "eve"]),
        teams: BTreeMap::from([("finance".to_owned(), team(&["ada"]))]),
        asked: Some("finance".to_owned()),
        ..People::default()
    }
}

/// One whose integration has an escalation: the team at once, bob after an hour, the CTO after two.
fn escalating() -> People {
    let level = |to: &str, hours: u64| Level {
        to: to.to_owned(),
        after: Duration::from_secs(hours * 3600),
    };
    People { escalation: vec![level("finance", 0), level("bob", 1), level("cto", 2)], ..people() }
}

fn person(id: &str) -> Actor {
    Actor::new(ActorKind::Human, id)
}

fn with(tasks: &str, people: People) -> Deployment {
    peopled(deployment("r1", tasks), people)
}

fn world_of(deployment: Deployment, outside: Arc<Outside>) -> World {
    let clock = Arc::new(crate::world::VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    World::over(store, clock, deployment, outside, 1)
}

fn paying() -> Arc<Outside> {
    Outside::new(|_, _| ok(json!({"id": 7})))
}

fn id(run: RunId, number: u32) -> TaskId {
    TaskId { run, number }
}

async fn opened(world: &World, run: RunId, number: u32) -> PersonTask {
    for _ in 0..10_000 {
        match world.engine.task(id(run, number)).await {
            Ok(task) => return task,
            Err(EngineError::NoTask(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("nobody is asked: {:#?}", world.engine.inspect(run).await.unwrap());
}

fn answer(answer: &str, task: &PersonTask) -> TaskAnswer {
    TaskAnswer {
        answer: answer.to_owned(),
        data: None,
        reason: Some("looks right".to_owned()),
        hash: Some(task.hash.clone()),
    }
}

/// What the ledger says of a task, with the time.
async fn told(world: &World, task: TaskId) -> Vec<(Timestamp, String)> {
    let filter = LedgerFilter {
        run: Some(task.run),
        kinds: vec![LedgerKind::Task],
        limit: 500,
        ..LedgerFilter::default()
    };
    let rows = world.store.ledger(&filter).await.unwrap().into_iter();
    let of = rows.filter(|row| row.row.subject == task.to_string());
    of.map(|row| (row.row.at, row.row.outcome)).collect()
}

fn code(error: &EngineError) -> &str {
    match error {
        EngineError::Refused(failure) => failure.code.as_str(),
        other => panic!("{other:?}"),
    }
}

/// The process ends, and the next one is there once its lease has run out.
async fn restart(world: World, deployment: Deployment, outside: Arc<Outside>, seed: u64) -> World {
    let (store, clock) = world.kill();
    tokio::time::sleep(Duration::from_secs(15)).await;
    World::over(store, clock, deployment, outside, seed)
}

#[tokio::test(start_paused = true)]
async fn an_approval_waits_over_a_restart_and_its_answer_is_evidence() {
    let outside = paying();
    let world = world_of(with(REFUND, people()), outside.clone());
    let run = world.start(json!({"case": "C-7", "amount": 700})).await;
    let task = opened(&world, run, 1).await;
    assert_eq!((task.kind, task.title.as_str()), (TaskKind::Approve, "Refund C-7?"));
    assert_eq!(task.hash, shown_hash(&json!({"amount": 700, "case": "C-7"})));
    let head = world.store.run(run).await.unwrap().unwrap();
    assert_eq!((head.state.status, head.state.cause), (RunStatus::Waiting, LiveCause::Person));
    assert_eq!(head.state.wake_at, Some(task.opened_at + Duration::from_secs(4 * 3600)));

    let world = restart(world, with(REFUND, people()), outside.clone(), 2).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(outside.requests("/tickets"), 0, "nothing is paid before somebody approves");
    let done = world.engine.answer_task(task.id(), answer("approved", &task), &person("ada")).await;
    let TaskState::Decided { decision } = done.unwrap().state else { panic!("it is decided") };
    assert_eq!((decision.by.id.as_str(), decision.reason.as_deref()), ("ada", Some("looks right")));
    output(world.end(run).await);
    assert_eq!(outside.effects("/tickets"), 1);

    // The journal holds who, when, why, and what was seen.
    let view = world.engine.inspect(run).await.unwrap();
    let decided = view.journal.iter().find(|entry| entry["step"]["to"]["state"] == "decided");
    let decision = &decided.unwrap()["step"]["to"]["decision"];
    assert_eq!((&decision["by"]["id"], &decision["hash"]), (&json!("ada"), &json!(task.hash)));
    // So does the ledger, as a deed of the person.
    let filter = LedgerFilter {
        run: Some(run),
        kinds: vec![LedgerKind::Audit],
        limit: 9,
        ..LedgerFilter::default()
    };
    let audit = world.store.ledger(&filter).await.unwrap();
    assert_eq!(
        (audit[0].row.actor.as_str(), audit[0].row.outcome.as_str()),
        ("human:ada", "task.decide")
    );
    assert_eq!(world.engine.gauges().stuck, 0);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_an_answer() {
    let outside = paying();
    let world = world_of(with(REFUND, people()), outside.clone());
    let run = world.start(json!({"case": "C-8", "amount": 1})).await;
    let task = opened(&world, run, 1).await;
    world.engine.answer_task(task.id(), answer("rejected", &task), &person("ada")).await.unwrap();
    let result = output(world.end(run).await);
    assert_eq!((&result["decision"], &result["by"]), (&json!("rejected"), &json!("ada")));
    assert_eq!(outside.requests("/tickets"), 0);
}

#[tokio::test(start_paused = true)]
async fn only_those_who_are_asked_answer_and_only_to_what_is_shown() {
    let world = world_of(with(REFUND, people()), paying());
    let run = world.start(json!({"case": "C-9", "amount": 1})).await;
    let task = opened(&world, run, 1).await;
    let engine = &world.engine;
    let refused = |who: Actor, given: TaskAnswer| async move {
        let error = engine.answer_task(id(run, 1), given, &who).await.unwrap_err();
        code(&error).to_owned()
    };
    let yes = answer("approved", &task);
    assert_eq!(refused(person("eve"), yes.clone()).await, "QC-H007");
    assert_eq!(refused(person("bob"), yes.clone()).await, "QC-H007", "he is asked later");
    let service = Actor::new(ActorKind::Service, "ada");
    assert_eq!(refused(service, yes.clone()).await, "QC-H006");
    let stale = TaskAnswer { hash: Some(shown_hash(&json!(1))), ..yes.clone() };
    assert_eq!(refused(person("ada"), stale).await, "QC-H004");
    assert_eq!(refused(person("ada"), TaskAnswer { hash: None, ..yes.clone() }).await, "QC-H010");
    assert_eq!(refused(person("ada"), answer("maybe", &task)).await, "QC-H008");
    let act = engine.act_on_task(task.id(), StuckAct::Discard, None, None, &person("ada")).await;
    assert_eq!(code(&act.unwrap_err()), "QC-H009");
    let missing = engine.task(id(run, 2)).await.unwrap_err();
    assert!(matches!(missing, EngineError::NoTask(_)));
    // Nothing of that moved it; and the same answer twice is one.
    assert_eq!(engine.task(task.id()).await.unwrap(), task);
    engine.answer_task(task.id(), yes.clone(), &person("ada")).await.unwrap();
    world.end(run).await;
    engine.answer_task(task.id(), yes, &person("ada")).await.unwrap();
    assert_eq!(refused(person("ada"), answer("rejected", &task)).await, "QC-H005");
    let decisions = told(&world, task.id()).await;
    assert_eq!(decisions.iter().filter(|(_, what)| what == "decided").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_nobody_takes_reaches_each_level_in_its_time_also_after_a_restart() {
    let outside = paying();
    let world = world_of(with(REFUND, people()), outside.clone());
    let run = world.start(json!({"case": "C-1", "amount": 1})).await;
    let task = opened(&world, run, 1).await;
    tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
    let world = restart(world, with(REFUND, people()), outside.clone(), 2).await;
    tokio::time::sleep(Duration::from_secs(7 * 3600)).await;
    let after = |hours: u64| task.opened_at + Duration::from_secs(hours * 3600);
    let happened = told(&world, task.id()).await;
    let wanted = [(after(0), "opened"), (after(4), "escalated"), (after(8), "escalated")];
    let wanted: Vec<_> = wanted.into_iter().map(|(at, what)| (at, what.to_owned())).collect();
    assert_eq!(happened, wanted);
    let now = world.engine.task(task.id()).await.unwrap();
    assert_eq!(now.asked().collect::<Vec<_>>(), ["finance", "bob", "cto"]);
    // Whoever was asked later may answer, too.
    world.engine.answer_task(task.id(), answer("approved", &task), &person("cto")).await.unwrap();
    output(world.end(run).await);
    assert_eq!(outside.effects("/tickets"), 1);
}

#[tokio::test(start_paused = true)]
async fn who_takes_a_task_stops_the_escalation_and_not_the_deadline() {
    let caught = format!(
        "
- whole:
    try: {}
    catch:
      errors: {{ with: {{ status: 408 }} }}
      as: error
      do:
        - late: {{ set: {{ late: '${{ $error.detail }}' }} }}
",
        REFUND.replace('\n', "\n      ")
    );
    let world = world_of(with(&caught, people()), paying());
    let run = world.start(json!({"case": "C-1", "amount": 1})).await;
    let task = opened(&world, run, 1).await;
    world.engine.claim_task(task.id(), &person("ada")).await.unwrap();
    world.engine.claim_task(task.id(), &person("ada")).await.unwrap();
    let head = world.store.run(run).await.unwrap().unwrap();
    assert_eq!(head.state.wake_at, task.deadline);
    let result = output(world.end(run).await);
    assert!(result["late"].as_str().unwrap().contains("deadline"), "{result}");
    let what: Vec<String> =
        told(&world, task.id()).await.into_iter().map(|(_, what)| what).collect();
    assert_eq!(what, ["opened", "claimed", "expired"]);
    let late = world.engine.answer_task(task.id(), answer("approved", &task), &person("ada")).await;
    assert_eq!(code(&late.unwrap_err()), "QC-H005");
}

#[tokio::test(start_paused = true)]
async fn the_answer_for_an_expiry_counts_when_nobody_gives_one() {
    let tasks = "
- ask:
    call: human.choose
    with: { title: Which?, options: [wait, { id: go, title: Go on }], deadline: 1h, on_expiry: wait, assignee: ada }
";
    let world = world_of(with(tasks, people()), paying());
    let run = world.start(json!({})).await;
    let task = opened(&world, run, 1).await;
    let result = output(world.end(run).await);
    assert_eq!((&result["decision"], &result["expired"]), (&json!("wait"), &json!(true)));
    let over = world.engine.task(task.id()).await.unwrap();
    assert_eq!(over.state.as_str(), "expired");
    // Without what is shown there is nothing to have seen.
    let run = world.start(json!({})).await;
    opened(&world, run, 1).await;
    let go = TaskAnswer { answer: "go".to_owned(), data: None, reason: None, hash: None };
    world.engine.answer_task(id(run, 1), go, &person("ada")).await.unwrap();
    assert_eq!(output(world.end(run).await)["decision"], "go");
}

#[tokio::test(start_paused = true)]
async fn a_form_takes_only_what_fits_its_schema() {
    let tasks = "
- ask:
    call: human.fill
    with:
      title: How much?
      assignee: ada
      schema: { type: object, required: [amount], properties: { amount: { type: integer, minimum: 1 } } }
";
    let world = world_of(with(tasks, people()), paying());
    let run = world.start(json!({})).await;
    opened(&world, run, 1).await;
    let form = |data: Value| TaskAnswer {
        answer: "filled".to_owned(),
        data: Some(data),
        reason: None,
        hash: None,
    };
    for bad in [json!({}), json!({"amount": 0}), json!("x")] {
        let error =
            world.engine.answer_task(id(run, 1), form(bad), &person("ada")).await.unwrap_err();
        assert_eq!(code(&error), "QC-H008");
    }
    world.engine.answer_task(id(run, 1), form(json!({"amount": 5})), &person("ada")).await.unwrap();
    assert_eq!(output(world.end(run).await)["data"], json!({"amount": 5}));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_fails_the_call_at_once() {
    for (bad, said) in [
        ("{ title: t, assignee: nobody }", "no person and no team"),
        ("{ title: t, assignee: ada, deadline: '${ \"soon\" }' }", "duration"),
        ("{ title: '${ .nothing }' }", "`title`"),
    ] {
        let tasks = format!("- ask: {{ call: human.approve, with: {bad} }}\n");
        let world = world_of(with(&tasks, people()), paying());
        let run = world.start(json!({})).await;
        let RunEnd::Faulted { failure, .. } = world.end(run).await else { panic!("{bad}") };
        assert_eq!(failure.code.as_str(), "QC-H001");
        assert!(failure.detail.contains(said), "{}", failure.detail);
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_closes_what_it_asked_and_so_does_the_end_of_its_patience() {
    let world = world_of(with(REFUND, people()), paying());
    let run = world.start(json!({"case": "C-1", "amount": 1})).await;
    let task = opened(&world, run, 1).await;
    world.engine.cancel(run, "no longer needed", &person("ada")).await.unwrap();
    world.end(run).await;
    assert_eq!(world.engine.task(task.id()).await.unwrap().state.as_str(), "closed");
    let waiting = TaskFilter { limit: 9, ..TaskFilter::default() };
    assert_eq!(world.engine.tasks(&waiting).await.unwrap().tasks, []);
    let late = world.engine.answer_task(task.id(), answer("approved", &task), &person("ada")).await;
    assert_eq!(code(&late.unwrap_err()), "QC-H005");
    // A branch that wins a race, and a task's own timeout.
    let raced = "
- race:
    fork:
      compete: true
      branches:
        - ask: { call: human.approve, with: { title: t, assignee: ada } }
        - nap: { wait: { seconds: 30 } }
";
    let world = world_of(with(raced, people()), paying());
    let run = world.start(json!({})).await;
    opened(&world, run, 1).await;
    output(world.end(run).await);
    let TaskState::Closed { why, .. } = world.engine.task(id(run, 1)).await.unwrap().state else {
        panic!("it is closed")
    };
    assert!(why.contains("no longer waits"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_task_without_an_escalation_takes_the_integrations() {
    for (with_, asked, later) in [
        ("{ title: t }", "finance", vec!["bob", "cto"]),
        ("{ title: t, assignee: eve }", "eve", vec!["bob", "cto"]),
        ("{ title: t, assignee: eve, deadline: 90m }", "eve", vec!["bob"]),
    ] {
        let tasks = format!("- ask: {{ call: human.approve, with: {with_} }}\n");
        let world = world_of(with(&tasks, escalating()), paying());
        let run = world.start(json!({})).await;
        let task = opened(&world, run, 1).await;
        assert_eq!(task.asked().collect::<Vec<_>>(), [asked]);
        let ladder: Vec<&str> = task.ladder[1..].iter().map(|rung| rung.to.as_str()).collect();
        assert_eq!(ladder, later, "{with_}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_asks_again() {
    let world = world_of(with(REFUND, people()), paying());
    let run = world.start(json!({"case": "C-1", "amount": 1})).await;
    let task = opened(&world, run, 1).await;
    world.engine.answer_task(task.id(), answer("approved", &task), &person("ada")).await.unwrap();
    world.end(run).await;
    let again =
        world.engine.replay(run, qc_engine::Replay::default(), &person("ada")).await.unwrap();
    let task = opened(&world, again, 1).await;
    assert_eq!(task.state, TaskState::Open);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_climbs_the_ladder_and_a_person_has_it_tried_again() {
    let outside =
        Outside::new(
            |_, nth| if nth == 0 { Answer::Status(400, json!({})) } else { ok(json!({"id": 7})) },
        );
    let world = world_of(with(TICKET, escalating()), outside.clone());
    let run = world.start(json!({})).await;
    assert!(matches!(world.end(run).await, RunEnd::Faulted { .. }));
    let task = opened(&world, run, 1).await;
    assert_eq!(task.actions, [StuckAct::Resume, StuckAct::Skip, StuckAct::Discard]);
    tokio::time::sleep(Duration::from_secs(1800)).await;
    let world = restart(world, with(TICKET, escalating()), outside.clone(), 2).await;
    tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
    let happened = told(&world, task.id()).await;
    for (hours, at) in [(1, 1), (2, 2)] {
        let (when, what) = &happened[at];
        assert_eq!(what, "escalated");
        let late = when.since(task.opened_at + Duration::from_secs(hours * 3600));
        assert!(late < Duration::from_secs(2), "level {hours} is {late:?} late");
    }
    // The run stays at its end meanwhile.
    let head = world.store.run(run).await.unwrap().unwrap();
    assert_eq!((head.state.status, head.state.cause), (RunStatus::Faulted, LiveCause::Ended));
    world
        .engine
        .act_on_task(task.id(), StuckAct::Resume, None, Some("fixed".to_owned()), &person("bob"))
        .await
        .unwrap();
    output(world.end(run).await);
    assert_eq!(outside.effects("/tickets"), 1);
    assert_eq!(world.engine.task(task.id()).await.unwrap().state.as_str(), "acted");
}

#[tokio::test(start_paused = true)]
async fn a_person_answers_in_place_of_the_call_that_failed() {
    let outside = Outside::new(|path, _| {
        if path == "/charges" { Answer::Status(400, json!({})) } else { ok(json!({"id": 7})) }
    });
    let world = world_of(with(CHARGE, escalating()), outside.clone());
    let run = world.start(json!({})).await;
    world.end(run).await;
    let task = opened(&world, run, 1).await;
    let none =
        world.engine.act_on_task(task.id(), StuckAct::Skip, None, None, &person("ada")).await;
    assert_eq!(code(&none.unwrap_err()), "QC-H008");
    let by_hand = Some(json!({"receipt": "R-1"}));
    world
        .engine
        .act_on_task(task.id(), StuckAct::Skip, by_hand, None, &person("ada"))
        .await
        .unwrap();
    output(world.end(run).await);
    assert_eq!(outside.requests("/charges"), 1, "the call is not made again");
    let seen = outside
        .seen
        .lock()
        .unwrap()
        .iter()
        .find(|seen| seen.path == "/tickets")
        .unwrap()
        .body
        .clone();
    assert_eq!(seen, json!({"of": "R-1"}));
    let letters =
        world.store.dead_letters(&DeadFilter { limit: 9, ..Default::default() }).await.unwrap();
    assert_eq!(letters[0].state, DeadState::Retried);
    // The journal says the same after a restart.
    assert!(matches!(world.engine.inspect(run).await.unwrap().end, Some(RunEnd::Completed { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_given_up_takes_its_task_with_it() {
    for by_task in [true, false] {
        let world = world_of(
            with(TICKET, escalating()),
            Outside::new(|_, _| Answer::Status(400, json!({}))),
        );
        let run = world.start(json!({})).await;
        world.end(run).await;
        let task = opened(&world, run, 1).await;
        if by_task {
            let done = world
                .engine
                .act_on_task(task.id(), StuckAct::Discard, None, None, &person("ada"))
                .await;
            assert_eq!(done.unwrap().state.as_str(), "closed");
            let eve = world
                .engine
                .act_on_task(task.id(), StuckAct::Resume, None, None, &person("eve"))
                .await;
            assert_eq!(code(&eve.unwrap_err()), "QC-H007");
        } else {
            world.engine.discard_dead(run, "by hand", &person("eve")).await.unwrap();
        }
        assert_eq!(world.engine.task(task.id()).await.unwrap().state.as_str(), "closed");
        let letters =
            world.store.dead_letters(&DeadFilter { limit: 9, ..Default::default() }).await.unwrap();
        assert_eq!(letters[0].state, DeadState::Discarded);
        // The journal knows it, too: nothing is asked when the run is looked at again.
        let again = world.engine.retry_dead(run, &person("ada")).await;
        drop(again);
        tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
        let what: Vec<String> =
            told(&world, task.id()).await.into_iter().map(|(_, what)| what).collect();
        assert_eq!(what, ["opened"], "nobody else is asked");
    }
}

#[tokio::test(start_paused = true)]
async fn an_ambiguous_call_is_decided_by_its_task() {
    for act in [StuckAct::Resume, StuckAct::Skip, StuckAct::Discard] {
        let outside = Outside::new(|path, nth| match path {
            "/charges" if nth == 0 => Answer::AppliedThenBroken,
            _ => ok(json!({"receipt": "R-2"})),
        });
        let world = world_of(with(CHARGE, escalating()), outside.clone());
        let run = world.start(json!({})).await;
        world.until(run, RunStatus::Parked).await;
        let task = opened(&world, run, 1).await;
        assert_eq!(task.of["code"], "QC-R002");
        tokio::time::sleep(Duration::from_secs(90 * 60)).await;
        let now = world.engine.task(task.id()).await.unwrap();
        assert_eq!(now.asked().collect::<Vec<_>>(), ["finance", "bob"]);
        let given = (act == StuckAct::Skip).then(|| json!({"receipt": "R-2"}));
        world.engine.act_on_task(task.id(), act, given, None, &person("bob")).await.unwrap();
        let end = world.end(run).await;
        let charges = outside.requests("/charges");
        match act {
            StuckAct::Resume => assert_eq!((charges, output(end)), (2, json!({"receipt": "R-2"}))),
            StuckAct::Skip => assert_eq!((charges, output(end)), (1, json!({"receipt": "R-2"}))),
            _ => assert!(matches!(end, RunEnd::Cancelled { .. })),
        }
        assert_eq!(world.engine.task(task.id()).await.unwrap().state.as_str(), "acted");
    }
}

#[tokio::test(start_paused = true)]
async fn the_failure_mode_says_who_is_asked_and_else_the_integration() {
    let codes = BTreeSet::from(["QC-R002".to_owned()]);
    let failures = Failures::Of { classes: BTreeSet::new(), codes };
    let at_once = Level { to: "cto".to_owned(), after: Duration::ZERO };
    let escalation = vec![at_once, escalating().escalation[1].clone()];
    let mode = FailureMode { id: "lost".to_owned(), tasks: None, failures, escalation };
    let people = People { failure_modes: vec![mode], ..escalating() };
    for (answer, mode, asked) in [
        (Answer::AppliedThenBroken, json!("lost"), ["cto", "bob"]),
        (Answer::Status(400, json!({})), json!(null), ["finance", "bob"]),
    ] {
        let outside = Outside::new(move |_, _| answer.clone());
        let world = world_of(with(CHARGE, people.clone()), outside);
        let run = world.start(json!({})).await;
        opened(&world, run, 1).await;
        tokio::time::sleep(Duration::from_secs(90 * 60)).await;
        let task = world.engine.task(id(run, 1)).await.unwrap();
        assert_eq!(task.of["failure_mode"], mode);
        assert_eq!(task.asked().collect::<Vec<_>>(), asked);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_goes_on_by_other_means_closes_its_task() {
    let outside = Outside::new(|path, nth| match path {
        "/charges" if nth == 0 => Answer::AppliedThenBroken,
        _ => ok(json!({"receipt": "R-2"})),
    });
    let world = world_of(with(CHARGE, escalating()), outside);
    let run = world.start(json!({})).await;
    world.until(run, RunStatus::Parked).await;
    let resolution = qc_engine::Resolution::Applied { output: json!({"receipt": "R-3"}) };
    world.engine.resolve(run, resolution, &person("eve")).await.unwrap();
    output(world.end(run).await);
    assert_eq!(world.engine.task(id(run, 1)).await.unwrap().state.as_str(), "closed");
}

#[tokio::test(start_paused = true)]
async fn a_run_is_undone_by_its_task() {
    let undo = "createTicket: { do: desk.putState, with: { body: { state: open } } }";
    let tasks = "
- createTicket: { call: desk.createTicket, with: { body: { title: x } } }
- charge: { call: desk.charge, with: { body: { amount: 7 } } }
";
    let outside = Outside::new(|path, _| match path {
        "/charges" => Answer::AppliedThenBroken,
        _ => ok(json!({"id": 7})),
    });
    let deployment = peopled(compensated("r1", tasks, undo), escalating());
    let world = world_of(deployment, outside.clone());
    let run = world.start(json!({})).await;
    world.until(run, RunStatus::Parked).await;
    let task = opened(&world, run, 1).await;
    assert!(task.actions.contains(&StuckAct::Compensate));
    world
        .engine
        .act_on_task(task.id(), StuckAct::Compensate, None, None, &person("ada"))
        .await
        .unwrap();
    assert!(matches!(world.end(run).await, RunEnd::Cancelled { .. }));
    assert_eq!(outside.effects("/state"), 1);
    assert_eq!(world.engine.task(task.id()).await.unwrap().state.as_str(), "acted");
}

#[tokio::test(start_paused = true)]
async fn a_dead_credential_keeps_its_task_while_it_is_probed() {
    let outside =
        Outside::new(
            |_, nth| if nth < 6 { Answer::Status(401, json!({})) } else { ok(json!({"id": 7})) },
        );
    let world = world_of(with(TICKET, escalating()), outside);
    let run = world.start(json!({})).await;
    world.until(run, RunStatus::Parked).await;
    opened(&world, run, 1).await;
    output(world.end(run).await);
    assert_eq!(world.engine.task(id(run, 1)).await.unwrap().state.as_str(), "closed");
    let more = world.engine.task(id(run, 2)).await;
    assert!(matches!(more, Err(EngineError::NoTask(_))), "each probe asks anew");
}

#[tokio::test(start_paused = true)]
async fn tasks_are_found_by_who_is_asked_and_page_by_page() {
    let world = world_of(with(REFUND, people()), paying());
    let mut runs = Vec::new();
    for n in 0..5 {
        let run = world.start(json!({"case": n.to_string(), "amount": n})).await;
        opened(&world, run, 1).await;
        runs.push(run);
    }
    let engine = &world.engine;
    let list = |filter: TaskFilter| async move { engine.tasks(&filter).await.unwrap() };
    let of = |who: &str| TaskFilter {
        assignee: Some(who.to_owned()),
        limit: 9,
        ..TaskFilter::default()
    };
    assert_eq!(list(of("ada")).await.tasks.len(), 5);
    assert_eq!(list(of("finance")).await.tasks.len(), 5);
    assert_eq!(list(of("bob")).await.tasks.len(), 0);
    let one = TaskFilter { run: Some(runs[3]), limit: 9, ..TaskFilter::default() };
    assert_eq!(list(one).await.tasks.iter().map(|task| task.run).collect::<Vec<_>>(), [runs[3]]);
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = list(TaskFilter { after, limit: 2, ..TaskFilter::default() }).await;
        seen.extend(page.tasks.iter().map(|task| task.run));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    runs.sort_unstable();
    assert_eq!(seen, runs);
}

/// For every number of commits that the first process may still make: the second one ends the story, the person is
/// asked once and answers once, and there is one effect.
#[tokio::test(start_paused = true)]
async fn every_commit_of_an_approval_may_be_the_last_one() {
    for last in 0..=5 {
        let outside = paying();
        let world = world_of(with(REFUND, people()), outside.clone());
        let run = world.start(json!({"case": "C-1", "amount": 1})).await;
        let task = opened(&world, run, 1).await;
        world.store.stop_after(last);
        // Each of these may find the store gone.
        let (claim, yes) = (world.engine.clone(), answer("approved", &task));
        let given = yes.clone();
        let asking = tokio::spawn(async move {
            drop(claim.claim_task(task.id(), &person("ada")).await);
            drop(claim.answer_task(task.id(), given, &person("ada")).await);
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        asking.abort();
        let (store, clock) = world.kill();
        tokio::time::sleep(Duration::from_secs(15)).await;
        store.go_on();
        let world = World::over(store, clock, with(REFUND, people()), outside.clone(), 2);
        // The same answer once more: whether or not the first one was taken, it counts once.
        let mut taken = world.engine.answer_task(id(run, 1), yes.clone(), &person("ada")).await;
        while let Err(EngineError::Store(_)) = &taken {
            tokio::time::sleep(Duration::from_millis(100)).await;
            taken = world.engine.answer_task(id(run, 1), yes.clone(), &person("ada")).await;
        }
        assert_eq!(taken.unwrap().state.as_str(), "decided", "after {last} commits");
        output(world.end(run).await);
        assert_eq!(outside.effects("/tickets"), 1, "after {last} commits");
        let decided = told(&world, id(run, 1)).await;
        let decided = decided.iter().filter(|(_, what)| what == "decided").count();
        assert_eq!(decided, 1, "after {last} commits");
        let open = TaskFilter { limit: 9, ..TaskFilter::default() };
        assert_eq!(world.engine.tasks(&open).await.unwrap().tasks, [], "after {last} commits");
        assert_eq!(world.engine.gauges().stuck, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn any_node_takes_the_answer_and_what_a_dead_node_asked_is_asked_on() {
    let clock = Arc::new(crate::world::VirtualClock::now());
    let store = Arc::new(MemoryStore::shared_with_clock(clock.clone()));
    let (book, outside) = (Arc::<crate::link::Book>::default(), paying());
    let node = |name: &str, seed: u64| {
        let link = crate::link::Link::new(Duration::from_millis(2), seed);
        let reached = crate::link::Reached { store: store.clone(), link, book: book.clone() };
        let settings = qc_engine::EngineSettings {
            node: name.to_owned(),
            ..qc_engine::EngineSettings::default()
        };
        let deployments = vec![with(REFUND, people())];
        World::node(reached, Arc::new(clock.beside()), deployments, outside.clone(), seed, settings)
    };
    let (owner, other) = (node("one", 2), node("two", 3));
    let even = async {
        while [&owner, &other].iter().any(|node| node.engine.gauges().groups != 32) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), even).await.unwrap();
    let (first, second) = (
        owner.start(json!({"case": "C-1", "amount": 1})).await,
        owner.start(json!({"case": "C-2", "amount": 2})).await,
    );
    let task = opened(&other, first, 1).await;
    other.engine.claim_task(task.id(), &person("ada")).await.unwrap();
    let stale = TaskAnswer { hash: Some("sha256:0".to_owned()), ..answer("approved", &task) };
    let refused = other.engine.answer_task(task.id(), stale, &person("ada")).await.unwrap_err();
    assert_eq!(code(&refused), "QC-H004", "a refusal travels as it is");
    let yes = answer("approved", &task);
    other.engine.answer_task(task.id(), yes.clone(), &person("ada")).await.unwrap();
    other.engine.answer_task(task.id(), yes, &person("ada")).await.unwrap();
    output(other.end(first).await);
    // Its owner dies; the other node asks the next ones in their time, and takes the answer.
    let task = opened(&other, second, 1).await;
    owner.kill();
    tokio::time::sleep(Duration::from_secs(5 * 3600)).await;
    let now = other.engine.task(task.id()).await.unwrap();
    assert_eq!(now.asked().collect::<Vec<_>>(), ["finance", "bob"]);
    let (at, _) = told(&other, task.id()).await[1];
    let late = at.since(task.opened_at + Duration::from_secs(4 * 3600));
    assert!(late < Duration::from_secs(1), "{late:?} late");
    other.engine.answer_task(task.id(), answer("approved", &task), &person("bob")).await.unwrap();
    output(other.end(second).await);
    assert_eq!(outside.effects("/tickets"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_tried_again_by_hand_closes_its_task_and_a_new_failure_opens_another()
{
    let outside =
        Outside::new(
            |_, nth| {
                if nth < 2 { Answer::Status(400, json!({})) } else { ok(json!({"id": 7})) }
            },
        );
    let world = world_of(with(TICKET, escalating()), outside);
    let run = world.start(json!({})).await;
    world.end(run).await;
    opened(&world, run, 1).await;
    world.engine.retry_dead(run, &person("eve")).await.unwrap();
    let second = opened(&world, run, 2).await;
    assert_eq!(world.engine.task(id(run, 1)).await.unwrap().state.as_str(), "closed");
    world.until(run, RunStatus::Faulted).await;
    world
        .engine
        .act_on_task(second.id(), StuckAct::Resume, None, None, &person("ada"))
        .await
        .unwrap();
    output(world.end(run).await);
    let open = TaskFilter { limit: 9, ..TaskFilter::default() };
    assert_eq!(world.engine.tasks(&open).await.unwrap().tasks, []);
}

#[tokio::test(start_paused = true)]
async fn tasks_of_runs_that_are_gone_are_removed() {
    let world = world_of(with(REFUND, people()), paying());
    let run = world.start(json!({"case": "C-1", "amount": 1})).await;
    let task = opened(&world, run, 1).await;
    world.engine.answer_task(task.id(), answer("rejected", &task), &person("ada")).await.unwrap();
    output(world.end(run).await);
    world.engine.tidy_tasks(None).await.unwrap();
    assert!(world.engine.task(task.id()).await.is_ok());
    let now = qc_model::Clock::now(&*world.clock);
    let later = now + Duration::from_secs(400 * 86_400);
    world.store.prune(&qc_store::Retention::at(later, later), 1_000).await.unwrap();
    assert_eq!(world.store.run(run).await.unwrap(), None);
    world.engine.tidy_tasks(None).await.unwrap();
    assert!(matches!(world.engine.task(task.id()).await, Err(EngineError::NoTask(_))));
}
