//! What a rehearsal compares: only runs that come out as they did, with the data that may go, and with the answer that
//! belongs to each effect.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use qc_data::{DataClass, Labels, Movement, Rule, Verdict as Movable};
use qc_engine::{
    DataRules, Deployment, EngineSettings, Idempotency, Incomparable, Replay, Spot, Verdict,
};
use qc_model::Name;
use qc_store::memory::MemoryStore;
use serde_json::{Value, json};

use crate::{
    rehearsals::{asked, desk, rehearsed, told},
    world::{Answer, Outside, VirtualClock, World, deployment, ok, output},
};

const SLOW: &str =
    "- first: { call: desk.putState, with: { body: { a: 1 } }, output: { as: '${ $input }' } }\n";

/// A run whose server's clock goes a minute back while it waits for its first answer.
async fn went_back(rest: &str) -> Verdict {
    let tasks = format!("{SLOW}{rest}");
    let outside = Outside::new(|path, nth| match (path, nth) {
        ("/state", 0) => Answer::Slow(Duration::from_secs(10), json!({"ok": 1})),
        (_, nth) => ok(json!({"id": nth})),
    });
    let world = World::new(&tasks, outside);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let began = qc_model::Clock::now(&*world.clock).as_millis() / 1000;
    let run = world.start(json!({ "began": began })).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.clock.jump(-60_000);
    world.end(run).await;
    rehearsed(&world, deployment("candidate", &tasks)).await.remove(0).verdict
}

#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_come_out_as_it_did_is_not_compared() {
    let done = "- done: { set: { ok: true } }\n";
    let effect = "- tell: { call: desk.putState, with: { body: { at: '${ now }' } } }\n";
    let end = "- done: { set: { at: '${ now }' } }\n";
    let more = "- which: { switch: [ { early: { when: '${ now < .began }', then: tell } }, { late: { then: done } } ] }\n\
                - tell: { call: desk.putState, with: { body: { b: 1 } } }\n";
    for (what, rest) in [
        ("another request", format!("{effect}{done}")),
        ("another end", end.to_owned()),
        ("one effect less", format!("{more}{done}")),
    ] {
        let verdict = went_back(&rest).await;
        assert_eq!(verdict, Verdict::Incomparable(Incomparable::ClockWentBack), "{what}");
    }
    assert_eq!(went_back(done).await, Verdict::Same, "what no time is in comes out as it did");
}

/// The process is away when a timer is due; it fires as late again.
#[tokio::test(start_paused = true)]
async fn a_timer_that_was_late_is_late_again() {
    let tasks = "
- nap: { wait: { seconds: 10 } }
- tell: { call: desk.putState, with: { body: { at: '${ now }' } } }
- done: { set: { ok: true } }
";
    let outside = desk();
    let world = World::new(tasks, outside.clone());
    let run = world.start(json!({})).await;
    world.until(run, qc_store::RunStatus::Waiting).await;
    let (store, clock) = world.kill();
    tokio::time::sleep(Duration::from_secs(100)).await;
    let world = World::over(store, clock, deployment("r1", tasks), outside, 2);
    output(world.end(run).await);
    let runs = rehearsed(&world, deployment("candidate", tasks)).await;
    assert_eq!(runs[0].verdict, Verdict::Same);
}

/// What another person is paid with stays an own effect: nobody knows what would be answered.
#[tokio::test(start_paused = true)]
async fn what_is_not_harmless_gets_no_answer_twice() {
    let pay =
        |name: &str| format!("- {name}: {{ call: desk.charge, with: {{ body: {{ a: 1 }} }} }}\n");
    let world = World::new(&pay("pay"), desk());
    output(world.end(world.start(json!({})).await).await);
    let twice = rehearsed(&world, deployment("candidate", &(pay("pay") + &pay("again")))).await;
    assert_eq!(told(&twice[0]), ["added desk.charge ", "unfinished  "]);
}

/// A new request of an operation does not take the answer for which another place of the candidate waits.
#[tokio::test(start_paused = true)]
async fn an_answer_waits_for_the_place_that_asked_for_it() {
    let call = |task: &str, n: u32| {
        format!(
            "- {task}: {{ call: desk.createTicket, with: {{ body: {{ n: {n} }} }}, output: {{ as: '${{ $input }}' }} }}\n"
        )
    };
    let done = "- done: { set: { ok: true } }\n";
    let world = World::new(&(call("a", 1) + &call("b", 2) + done), desk());
    output(world.end(world.start(json!({})).await).await);
    let more = deployment("candidate", &(call("x", 3) + &call("a", 4) + &call("b", 2) + done));
    let runs = rehearsed(&world, more).await;
    assert_eq!(told(&runs[0]), ["added desk.createTicket ", "unfinished  "]);
}

/// Of two equal requests each has the answer of its place, so what is made of the answers stays.
#[tokio::test(start_paused = true)]
async fn equal_requests_keep_the_answers_of_their_places() {
    let call = |task: &str| {
        format!(
            "- {task}: {{ call: desk.createTicket, with: {{ body: {{ n: 1 }} }}, export: {{ as: '${{ ($context // {{}}) + {{{task}: .id}} }}' }} }}\n"
        )
    };
    let done = "- done: { set: { a: '${ $context.a }', b: '${ $context.b }' } }\n";
    let world = World::new(&(call("a") + &call("b") + done), desk());
    let end = output(world.end(world.start(json!({})).await).await);
    assert_ne!(end["a"], end["b"]);
    let turned = deployment("candidate", &(call("b") + &call("a") + done));
    let runs = rehearsed(&world, turned).await;
    assert_eq!(told(&runs[0]), ["moved desk.createTicket "]);
}

/// Asks who a customer is, and says it on.
const PASSES_ON: &str = "
- find: { call: desk.putState, with: { body: { who: '${ .who }' } } }
- createTicket: { call: desk.createTicket, with: { body: { mail: '${ .mail }' } } }
- done: { set: { ok: true } }
";

/// Nothing personal goes out but as `personal` says: the name in the event's answer, and the mail that is found.
fn policy(personal: Option<Movable>) -> DataRules {
    let rule = |class, then| Rule {
        classes: BTreeSet::from([class]),
        to: BTreeSet::new(),
        environments: BTreeSet::new(),
        regions: BTreeSet::new(),
        then,
    };
    let Some(personal) = personal else { return DataRules::default() };
    let all = vec![rule(DataClass::Internal, Movable::Allow), rule(DataClass::Personal, personal)];
    let of = |name: &str| Labels::new([(name, DataClass::Personal)], Some(DataClass::Internal));
    let mut rules =
        DataRules { movement: Some(Movement::new(all, Movable::Deny)), ..DataRules::default() };
    rules.connectors.insert("desk".to_owned(), Spot { name: "desk".to_owned(), region: None });
    rules.requests.insert("/do/0/find".to_owned(), vec![of("who").below("body")]);
    rules.answers.insert("/do/0/find".to_owned(), vec![of("mail")]);
    let plain = Labels::new([], Some(DataClass::Internal));
    rules.replies.insert(Name::new("in").unwrap(), vec![plain.clone()]);
    rules.requests.insert("/do/1/createTicket".to_owned(), vec![plain.below("body")]);
    rules
}

fn ruled(hash: &str, personal: Option<Movable>) -> Deployment {
    let mut one = deployment(hash, PASSES_ON);
    Arc::get_mut(&mut one.release).unwrap().data = policy(personal);
    one
}

async fn under(then: Option<Movable>, now: Option<Movable>) -> Vec<String> {
    let outside = Outside::new(|_, _| ok(json!({"mail": "ada@lovelace.example", "id": 1})));
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let world = World::over(store, clock, ruled("r1", then), outside, 1);
    world.end(world.start(json!({"who": "Ada Lovelace"})).await).await;
    let runs = rehearsed(&world, ruled("candidate", now)).await;
    let shown = format!("{:?}", runs[0].verdict);
    assert!(!shown.contains("Ada") && !shown.contains("lovelace"), "{shown}");
    told(&runs[0])
}

#[tokio::test(start_paused = true)]
async fn effects_are_compared_as_the_policy_of_data_lets_them_go() {
    let (mask, allow, deny) = (Some(Movable::Mask), Some(Movable::Allow), Some(Movable::Deny));
    assert!(under(mask, mask).await.is_empty());
    let both = ["changed desk.createTicket /body/mail", "changed desk.putState /body/who"];
    for (then, now) in [(mask, allow), (allow, mask), (mask, None)] {
        assert_eq!(under(then, now).await, both, "{then:?} {now:?}");
    }
    assert_eq!(
        under(allow, deny).await,
        ["missing desk.createTicket ", "policy desk.putState ", "outcome  "]
    );
    // What was not let go was never answered.
    assert_eq!(under(deny, allow).await, ["policy desk.putState ", "unfinished  "]);
    assert!(under(deny, deny).await.is_empty());
}

/// Only of the environment and from the time that is asked for, and nothing that somebody replayed.
#[tokio::test(start_paused = true)]
async fn only_what_is_asked_for_is_drawn() {
    let tasks = "- done: { set: { ok: true } }\n";
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let settings = EngineSettings::default();
    let world = World::with(store, clock, vec![deployment("r1", tasks)], desk(), 1, settings);
    let early = world.start(json!({})).await;
    world.end(early).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let noon = qc_model::Clock::now(&*world.clock);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let late = world.start(json!({})).await;
    world.end(late).await;
    let candidate = Arc::new(deployment("candidate", tasks));
    let mut wanted = asked("test");
    wanted.since = Some(noon);
    let played = world.engine.rehearse(&wanted, candidate.clone()).await.unwrap();
    assert_eq!(played.runs.iter().map(|one| one.run).collect::<Vec<_>>(), [late]);
    wanted.since = None;
    wanted.run = Some(late);
    wanted.environment = Name::new("staging").unwrap();
    world.engine.rehearse(&wanted, candidate).await.unwrap_err();
}

/// Vars are the candidate's: they are a part of what would be deployed.
#[tokio::test(start_paused = true)]
async fn a_candidate_is_played_with_its_own_vars() {
    let tasks = "
- tell: { call: desk.putState, with: { body: { at: '${ $runtime.metadata.vars.place }' } } }
- done: { set: { ok: true } }
";
    let placed = |hash: &str, place: &str| {
        let mut one = deployment(hash, tasks);
        one.vars = Arc::new([("place".to_owned(), Value::from(place))].into_iter().collect());
        one
    };
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let world = World::over(store, clock, placed("r1", "here"), desk(), 1);
    output(world.end(world.start(json!({})).await).await);
    let runs = rehearsed(&world, placed("candidate", "there")).await;
    assert_eq!(told(&runs[0]), ["changed desk.putState /body/at"]);
    assert!(told(&rehearsed(&world, placed("candidate", "here")).await[0]).is_empty());
}

/// What begins a run is judged by the candidate's trigger.
#[tokio::test(start_paused = true)]
async fn another_idempotency_key_is_told() {
    let keyed = |hash: &str, key: &str| {
        let mut one = deployment(hash, "- done: { set: { ok: true } }\n");
        let release = Arc::get_mut(&mut one.release).unwrap();
        let trigger = release.triggers.get_mut(&Name::new("in").unwrap()).unwrap();
        let key = qc_expression::Expression::parse(key, &[]).unwrap();
        trigger.idempotency = Some(Idempotency { key, window: Duration::from_secs(60) });
        one
    };
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let world = World::over(store, clock, keyed("r1", ".data.id"), desk(), 1);
    output(world.end(world.start(json!({"id": "a", "other": "b"})).await).await);
    let other = rehearsed(&world, keyed("candidate", ".data.other")).await;
    assert_eq!(told(&other[0]), ["event  "]);
    let Verdict::Differs(found) = &other[0].verdict else { panic!("{other:?}") };
    assert_eq!(found[0].detail, "its idempotency key is another one");
    let same = rehearsed(&world, keyed("candidate", "(.data.id | tostring)")).await;
    assert_eq!(same[0].verdict, Verdict::Same);
}

/// A replay is no run of its own; one that is asked for by name works with the input that somebody gave it.
#[tokio::test(start_paused = true)]
async fn replays_are_not_drawn_and_keep_the_input_that_they_were_given() {
    let world = World::new("- done: { set: { id: '${ .id }' } }\n", desk());
    let run = world.start(json!({"id": "a"})).await;
    world.end(run).await;
    let edited = Replay { new_effects: true, input: Some(json!({"id": "b"})), out_of_order: false };
    let replay =
        world.engine.replay(run, edited, &qc_model::Actor::platform("test")).await.unwrap();
    assert_eq!(output(world.end(replay).await), json!({"id": "b"}));
    let tasks = "- done: { set: { id: '${ .id }' } }\n";
    let drawn = rehearsed(&world, deployment("candidate", tasks)).await;
    assert_eq!(drawn.iter().map(|one| one.run).collect::<Vec<_>>(), [run]);
    let mut wanted = asked("test");
    wanted.run = Some(replay);
    let candidate = Arc::new(deployment("candidate", tasks));
    let played = world.engine.rehearse(&wanted, candidate).await.unwrap();
    assert_eq!(played.runs[0].verdict, Verdict::Same);
}

/// Whoever stood in a line began later than the event came, and works with that time.
#[tokio::test(start_paused = true)]
async fn a_run_that_stood_in_a_line_begins_when_it_began() {
    let tasks = "
- tell: { call: desk.putState, with: { body: { at: '${ now }' } } }
- done: { set: { ok: true } }
";
    let outside =
        Outside::new(|_, nth| Answer::Slow(Duration::from_secs(30), json!({ "id": nth })));
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let one = crate::ordering::ordered(tasks, qc_engine::OnFailure::Skip);
    let world = World::over(store, clock, one, outside, 1);
    let (first, second) =
        (world.start(json!({"key": "k"})).await, world.start(json!({"key": "k"})).await);
    world.end(first).await;
    world.end(second).await;
    let runs = rehearsed(&world, deployment("candidate", tasks)).await;
    assert!(runs.len() == 2 && runs.iter().all(|run| run.verdict == Verdict::Same), "{runs:?}");
}
