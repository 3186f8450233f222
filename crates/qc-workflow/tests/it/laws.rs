//! Laws that hold for every workflow and every order of events.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::prelude::*;
use qc_model::{Applied, Class, Failure};
use qc_workflow::{Action, Happening, Machine, Outcome, Subscription};
use serde_json::json;

use crate::driver::{Run, answer, compensated, failure, stated, with_head};

/// A task without children.
fn leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["read", "upsert", "verified", "create"])
            .prop_map(|operation| format!("{{ call: crm.{operation}, with: {{ n: '${{ .n }}' }} }}")),
        2 => Just("{ set: { n: '${ (.n // 0) + 1 }' }, export: { as: '{ seen: . }' } }".to_owned()),
        1 => Just("{ wait: PT2S }".to_owned()),
        1 => Just("{ raise: { error: { type: 'https://example.com/x', status: 500 } } }".to_owned()),
        1 => Just("{ emit: { event: { with: { type: com.example.x, data: { n: '${ .n }' } } } } }".to_owned()),
        1 => Just("{ set: '${ .missing.deeper | error }' }".to_owned()),
        1 => Just("{ if: '(.n // 0) < 3', set: { n: 9 } }".to_owned()),
        1 => Just("{ call: crm.read, timeout: { after: PT1S } }".to_owned()),
        1 => Just("{ call: fun, with: { n: 1 } }".to_owned()),
        1 => Just("{ set: { n: 5 }, then: end }".to_owned()),
        1 => Just("{ set: { n: 5 }, then: exit }".to_owned()),
        1 => Just("{ listen: { to: { one: { with: { type: a } } } } }".to_owned()),
        1 => Just("{ listen: { to: { any: [], until: { one: { with: { type: c } } } }, read: envelope } }".to_owned()),
        1 => Just("{ listen: { to: { any: [ { with: { type: a } }, { with: { type: b } } ], until: '(. | length) > 1' } }, foreach: { item: e, at: i, do: [ { t0: { call: crm.create } } ] } }".to_owned()),
        1 => Just("{ listen: { to: { all: [ { with: { type: a }, correlate: { k: { from: .subject } } }, { with: { type: '[bc]' }, correlate: { k: { from: .subject } } } ] } }, timeout: { after: PT9S } }".to_owned()),
        1 => Just("{ run: { workflow: { namespace: n, name: w } } }".to_owned()),
        1 => Just("{ run: { workflow: { namespace: n, name: w, version: '1.0.0' }, await: false } }".to_owned()),
        1 => Just("{ switch: [ { back: { when: '(.n // 9) < 2', then: t0 } } ] }".to_owned()),
    ]
}

fn list(tasks: &[String]) -> String {
    let named = tasks.iter().enumerate().map(|(at, task)| format!("{{ t{at}: {task} }}"));
    format!("[ {} ]", named.collect::<Vec<_>>().join(", "))
}

/// `switch` to `t0` is not possible in a branch.
fn branches(tasks: &[String]) -> String {
    let free: Vec<String> =
        tasks.iter().map(|task| format!("{{ do: [ {{ t0: {task} }} ] }}")).collect();
    list(&free)
}

fn task() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 24, 3, |inner| {
        let tasks = prop::collection::vec(inner, 1..4);
        prop_oneof![
            tasks.clone().prop_map(|tasks| format!("{{ do: {} }}", list(&tasks))),
            tasks.clone().prop_map(|tasks| format!("{{ do: {}, timeout: {{ after: PT3S }} }}", list(&tasks))),
            tasks.clone().prop_map(|tasks| format!("{{ for: {{ in: '[1, 2]' }}, do: {} }}", list(&tasks))),
            (tasks.clone(), any::<bool>()).prop_map(|(tasks, compete)| format!(
                "{{ fork: {{ compete: {compete}, branches: {} }} }}",
                branches(&tasks)
            )),
            (tasks.clone(), tasks.clone(), 0..5u8).prop_map(|(tasks, handler, form)| {
                let catch = match form {
                    0 => "{}".to_owned(),
                    1 => "{ retry: { delay: PT1S, limit: { attempt: { count: 2 } } } }".to_owned(),
                    2 => format!("{{ retry: {{ delay: PT1S, limit: {{ attempt: {{ count: 3, duration: PT4S }} }} }}, do: {} }}", list(&handler)),
                    3 => format!("{{ do: {} }}", list(&handler)),
                    _ => "{ errors: { with: { status: 503 } }, retry: { when: '.n != 3', limit: { duration: PT9S } } }".to_owned(),
                };
                format!("{{ try: {}, catch: {catch} }}", list(&tasks))
            }),
        ]
    })
}

fn workflow() -> impl Strategy<Value = String> {
    (prop::collection::vec(task(), 1..4), any::<bool>()).prop_map(|(tasks, limited)| {
        let timeout = if limited { "timeout: { after: PT30S }\n" } else { "" };
        let function = "use: { functions: { fun: { do: [ { t0: { call: crm.upsert } } ] } } }\n";
        with_head(&format!("{function}{timeout}do: {}\n", list(&tasks)))
    })
}

/// What the world does next.
#[derive(Debug, Clone)]
enum Move {
    Succeed(usize),
    Fail(usize, u8),
    PutOff(usize, u8),
    Wake,
    Offer(u8),
    Begin(usize),
    End(usize, u8),
    Repeat(usize),
    Stray(u64),
    Cancel(bool),
    Reopen,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        10 => any::<usize>().prop_map(Move::Succeed),
        8 => (any::<usize>(), any::<u8>()).prop_map(|(at, kind)| Move::Fail(at, kind)),
        3 => (any::<usize>(), any::<u8>()).prop_map(|(at, secs)| Move::PutOff(at, secs)),
        6 => Just(Move::Wake),
        6 => any::<u8>().prop_map(Move::Offer),
        3 => any::<usize>().prop_map(Move::Begin),
        4 => (any::<usize>(), any::<u8>()).prop_map(|(at, how)| Move::End(at, how)),
        2 => any::<usize>().prop_map(Move::Repeat),
        1 => (0..40u64).prop_map(Move::Stray),
        1 => any::<bool>().prop_map(Move::Cancel),
        4 => Just(Move::Reopen),
    ];
    prop::collection::vec(one, 0..60)
}

fn failing(kind: u8) -> Failure {
    match kind % 6 {
        0 => failure(Class::NotFound),
        1 => failure(Class::Overloaded),
        2 => Failure { applied: Applied::Maybe, ..failure(Class::Timeout) },
        3 => stated(1_500),
        4 => failure(Class::Auth),
        _ => Failure { applied: Applied::Yes, ..failure(Class::Transient) },
    }
}

fn play(run: &mut Run, moves: &[Move]) {
    for one in moves {
        match one {
            Move::Succeed(at) if !run.open.is_empty() => {
                let request = run.open.remove(at % run.open.len());
                let (call, attempt, output) =
                    (request.id, request.attempt, answer(json!({"n": at % 5})));
                run.tell(Happening::CallSucceeded { call, attempt, output });
            }
            Move::Fail(at, kind) if !run.open.is_empty() => {
                let request = run.open.remove(at % run.open.len());
                let (call, attempt, failure) = (request.id, request.attempt, failing(*kind));
                run.tell(Happening::CallFailed { call, attempt, failure });
            }
            Move::PutOff(at, secs) if !run.open.is_empty() => put_off(run, *at, *secs),
            Move::Offer(which) => offer(run, *which),
            Move::Begin(at) if !run.children.is_empty() => {
                let child = run.children[at % run.children.len()].clone();
                if !child.awaited {
                    run.children
                        .retain(|open| open.id != child.id || open.attempt != child.attempt);
                }
                let (id, attempt) = (child.id, child.attempt);
                run.tell(Happening::ChildStarted { id, attempt, run: "child".to_owned() });
            }
            Move::End(at, how) if !run.children.is_empty() => {
                let child = run.children[at % run.children.len()].clone();
                let outcome = ending(*how);
                // The end of one that is not awaited is told only when it could not start.
                if child.awaited || matches!(outcome, Outcome::Faulted { .. }) {
                    run.children
                        .retain(|open| open.id != child.id || open.attempt != child.attempt);
                    run.tell(Happening::ChildEnded {
                        id: child.id,
                        attempt: child.attempt,
                        outcome,
                    });
                }
            }
            Move::Wake if !run.machine().timers().is_empty() => {
                run.wake();
            }
            Move::Repeat(at) if !run.inputs.is_empty() => {
                let again = run.inputs[at % run.inputs.len()].happening.clone();
                let answered = match &again {
                    Happening::CallSucceeded { call, attempt, .. }
                    | Happening::CallFailed { call, attempt, .. } => {
                        !run.open.iter().any(|open| open.id == *call && open.attempt == *attempt)
                    }
                    Happening::ChildEnded { id, attempt, .. } => {
                        !run.children.iter().any(|open| open.id == *id && open.attempt == *attempt)
                    }
                    _ => false,
                };
                if answered {
                    run.tell(again);
                    assert_eq!(
                        run.actions.last().map(Vec::len),
                        Some(0),
                        "a repeat changes nothing"
                    );
                }
            }
            Move::Stray(timer) => {
                let due = run
                    .machine()
                    .timers()
                    .into_iter()
                    .any(|(id, at)| id.0 == *timer && at <= run.now);
                if !due {
                    run.tell(Happening::TimerFired { timer: qc_workflow::TimerId(*timer) });
                    assert_eq!(
                        run.actions.last().map(Vec::len),
                        Some(0),
                        "an early timer changes nothing"
                    );
                }
            }
            Move::Cancel(undo) => {
                run.tell(Happening::Cancelled { reason: "the test".into(), compensate: *undo });
            }
            Move::Reopen => run.tell(Happening::Reopened),
            _ => {}
        }
        check_state(run);
    }
}

/// A call that the run waits for, and that was not sent.
fn put_off(run: &mut Run, at: usize, secs: u8) {
    let at = at % run.open.len();
    if run.machine().interrupted().contains(&run.open[at].id) {
        return;
    }
    let request = run.open.remove(at);
    let (call, attempt, why) = (request.id, request.attempt, "the test".to_owned());
    let until = run.now + Duration::from_secs(secs.into());
    run.tell(Happening::PutOff { call, attempt, until, why });
}

/// An event, of which some come again; and one that is none, as its id is no text.
fn offer(run: &mut Run, which: u8) {
    let kind = ["a", "b", "c"][usize::from(which % 3)];
    let subject = if which.is_multiple_of(2) { "x" } else { "y" };
    let event = json!({"source": "/test", "id": which % 16, "type": kind, "subject": subject});
    assert_eq!(run.offer(event.clone()), 0);
    let id = (which % 16).to_string();
    run.offer(json!({"source": "/test", "id": id, "type": kind, "subject": subject}));
}

fn ending(how: u8) -> Outcome {
    match how % 4 {
        0 | 1 => Outcome::Completed { output: json!({"n": how}) },
        2 => Outcome::Cancelled { reason: "the test".into(), compensation: None },
        _ => {
            let failure = failing(how);
            let error = json!({"type": "https://example.com/child", "status": failure.status});
            Outcome::Faulted { failure, error, compensation: None }
        }
    }
}

/// What the machine says about itself agrees with what it asked for.
fn check_state(run: &Run) {
    let open: BTreeSet<(String, u32)> =
        run.open.iter().map(|request| (request.id.to_string(), request.attempt)).collect();
    let outstanding = run.machine().outstanding();
    let said: BTreeSet<(String, u32)> =
        outstanding.iter().map(|request| (request.id.to_string(), request.attempt)).collect();
    assert_eq!(open, said, "outstanding calls are those that were asked for and not answered");
    let ids: BTreeSet<String> = outstanding.iter().map(|request| request.id.to_string()).collect();
    assert_eq!(ids.len(), outstanding.len(), "one live attempt of a call at a time");
    let subscriptions = run.machine().subscriptions();
    let told: Vec<&Subscription> = run.listens.values().collect();
    assert_eq!(told.len(), subscriptions.len(), "open subscriptions are those that were told");
    assert!(subscriptions.iter().all(|one| told.contains(&one)));
    let children = run.machine().children();
    for child in &children {
        assert!(run.children.contains(&child.request), "{} was asked for", child.request.id);
    }
    for child in run.children.iter().filter(|child| child.awaited) {
        assert!(children.iter().any(|open| open.request == *child), "{} is open", child.id);
    }
    if run.machine().outcome().is_some() {
        assert!(said.is_empty() && run.machine().next_wake().is_none());
        assert!(subscriptions.is_empty() && children.is_empty());
    } else {
        let alive = !said.is_empty()
            || run.machine().next_wake().is_some()
            || !subscriptions.is_empty()
            || !children.is_empty();
        assert!(alive, "a run that is not over waits for something");
    }
}

fn check_history(run: &Run) {
    let mut attempts: BTreeMap<String, u32> = BTreeMap::new();
    let mut over: Option<Outcome> = None;
    for (at, batch) in run.actions.iter().enumerate() {
        let told = at.checked_sub(1).map(|at| &run.inputs[at].happening);
        if let Some(Happening::PutOff { call, attempt, .. }) = told {
            attempts.insert(call.to_string(), attempt - 1);
        }
        if let Some(outcome) = &over {
            let reopened = matches!(run.inputs[at - 1].happening, Happening::Reopened);
            if reopened && matches!(outcome, Outcome::Faulted { .. }) {
                over = None;
            } else {
                assert!(batch.is_empty(), "nothing happens after the end");
            }
        }
        for action in batch {
            match action {
                Action::Call(request) => {
                    let last = attempts.entry(request.id.to_string()).or_default();
                    assert_eq!(request.attempt, *last + 1, "attempts of {} count up", request.id);
                    *last = request.attempt;
                }
                Action::StartChild(request) => {
                    let last = attempts.entry(request.id.to_string()).or_default();
                    assert_eq!(request.attempt, *last + 1, "attempts of {} count up", request.id);
                    *last = request.attempt;
                }
                Action::Finish(outcome) => over = Some(outcome.clone()),
                _ => assert!(over.is_none(), "nothing follows the end"),
            }
        }
    }
}

/// A call that may be made only once is never requested again after it took place.
fn check_effects(run: &Run) {
    let mut applied: BTreeSet<String> = BTreeSet::new();
    for (at, batch) in run.actions.iter().enumerate() {
        if let Some(Happening::CallSucceeded { call, .. }) =
            at.checked_sub(1).map(|at| &run.inputs[at].happening)
        {
            applied.insert(call.to_string());
        }
        for action in batch {
            if let Action::Call(request) = action {
                let repeated = applied.contains(&request.id.to_string());
                assert!(
                    !repeated || request.effect == qc_workflow::Effect::Idempotent,
                    "{} took place and is requested again",
                    request.id
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_run_is_sound_and_replays_to_the_same(text in workflow(), moves in moves(), entropy: u64, undo: bool) {
        let undoing = if undo { "t0: { do: fun }\n" } else { "{}" };
        let program = compensated(&text, undoing).expect("it compiles");
        let mut run = Run::start(program.clone(), json!({"n": 0}), entropy);
        check_state(&run);
        play(&mut run, &moves);
        check_history(&run);
        check_effects(&run);

        let (mut machine, actions) = Machine::start(program, &run.start);
        prop_assert_eq!(&actions, &run.actions[0]);
        for (input, expected) in run.inputs.iter().zip(&run.actions[1..]) {
            let (next, actions) = machine.step(input);
            prop_assert_eq!(&actions, expected);
            machine = next;
        }
        prop_assert_eq!(machine.outstanding(), run.machine().outstanding());
        prop_assert_eq!(machine.timers(), run.machine().timers());
        prop_assert_eq!(machine.subscriptions(), run.machine().subscriptions());
        prop_assert_eq!(machine.children(), run.machine().children());
        prop_assert_eq!(machine.outcome(), run.machine().outcome());

        run.finish(|request| Ok(answer(json!({"n": request.attempt}))));
        check_history(&run);
        check_effects(&run);
    }
}
