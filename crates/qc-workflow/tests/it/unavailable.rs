//! Calls whose system is not there: held, made in another way, left out, or failed.

use std::{sync::Arc, time::Duration};

use qc_document::{Node, ParseLimits, Source, Span, parse_yaml};
use qc_model::{Applied, Class, Failure, Finding};
use qc_workflow::{
    Bindings, CallId, CallPolicy, CallTarget, Happening, Machine, Outcome, Program, Substitute,
    Unavailable, WhenUnavailable, compile_compensated, load,
};
use serde_json::json;

use crate::driver::{Bound, Run, ambiguous, document, failure, with_head};

/// The tests' bindings, with what is declared for the system that all calls go to.
struct Absent(WhenUnavailable);

impl Bindings for Absent {
    fn operation(&self, connector: &str, operation: &str) -> Option<CallPolicy> {
        Bound::default().operation(connector, operation)
    }
    fn operation_names(&self, connector: &str) -> Vec<String> {
        Bound::default().operation_names(connector)
    }
    fn http_default(&self, method: &str) -> CallPolicy {
        Bound::default().http_default(method)
    }
    fn task_override(&self, _: &str, _: &str) -> Option<CallPolicy> {
        None
    }
    fn openapi(&self, document: &str, operation: &str) -> Result<CallPolicy, Box<Finding>> {
        Bound::default().openapi(document, operation)
    }
    fn unavailable(&self, _: &str) -> Option<Unavailable> {
        let source = Source::new("integration.yaml", "");
        let (span, answer) = (Span::default(), self.0.clone());
        Some(Unavailable { system: Arc::from("crm"), source, span, answer })
    }
}

fn compiled(body: &str, answer: WhenUnavailable) -> Result<Arc<Program>, Vec<Finding>> {
    let (workflow, findings) = load(&document(&with_head(body)));
    let workflow = workflow.ok_or(findings)?;
    let (program, findings) = compile_compensated(&workflow, &Absent(answer), None);
    program.map(Arc::new).ok_or(findings)
}

fn run(body: &str, answer: WhenUnavailable) -> Run {
    Run::start(compiled(body, answer).expect("it compiles"), json!({"n": 4}), 42)
}

fn node(text: &str) -> Node {
    parse_yaml(Source::new("integration.yaml", text), &ParseLimits::default()).expect("YAML").root
}

fn queue(hours: u64) -> WhenUnavailable {
    WhenUnavailable::Queue { ttl_ms: hours * 3_600_000, max: 10 }
}

const READ: &str =
    "\ndo:\n  - get: { call: crm.read, with: { a: 1 } }\n  - after: { set: { got: '${ . }' } }\n";

/// Lets all attempts of a call's own policy fail.
fn exhaust(run: &mut Run, task: &str, failed: &Failure) {
    for attempt in 1..=5 {
        run.fail(task, failed.clone());
        if attempt < 5 {
            run.wake();
        }
    }
}

/// What the fold of the journal gives is what the run in memory is.
fn folds(run: &Run) {
    let program = Arc::clone(run.machine().program());
    let (mut machine, _) = Machine::start(program, &run.start);
    for input in &run.inputs {
        machine = machine.step(input).0;
    }
    assert_eq!(machine.held(), run.machine().held());
    assert_eq!(machine.outstanding(), run.machine().outstanding());
    assert_eq!(machine.outcome(), run.machine().outcome());
    assert_eq!(machine.substituted(), run.machine().substituted());
}

fn probe(run: &mut Run) {
    let call = run.machine().held()[0].call.clone();
    run.tell(Happening::Probed { call });
}

#[test]
fn a_call_is_held_once_its_own_attempts_are_over_and_goes_on_when_it_is_answered() {
    let mut run = run(READ, queue(24));
    exhaust(&mut run, "get", &failure(Class::Overloaded));
    assert_eq!(run.sent.len(), 5);
    let held = run.machine().held();
    assert_eq!((held.len(), &*held[0].system, held[0].max), (1, "crm", 10));
    assert_eq!(run.machine().next_wake(), Some(held[0].until));
    folds(&run);
    for n in 6..9 {
        run.pass(60_000);
        probe(&mut run);
        assert!(run.machine().held().is_empty() && run.machine().is_probing());
        let other = CallId { pointer: "/do/1/after".into(), visit: "0".into() };
        assert!(run.machine().is_probed(&held[0].call) && !run.machine().is_probed(&other));
        assert_eq!(run.sent.len(), n, "one attempt each");
        run.fail("get", failure(Class::Timeout));
        assert!(!run.machine().is_probing() && !run.machine().is_probed(&held[0].call));
        let again = run.machine().held();
        assert_eq!((again[0].since, again[0].until), (held[0].since, held[0].until));
        folds(&run);
    }
    probe(&mut run);
    run.succeed("get", json!({"x": 1}));
    assert_eq!(*run.output(), json!({"got": {"x": 1}}));
    folds(&run);
}

#[test]
fn other_failures_are_no_absence_and_end_one() {
    for class in [Class::Invalid, Class::NotFound, Class::Auth, Class::Throttled, Class::Drift] {
        let mut run = run(READ, queue(24));
        run.fail("get", failure(class));
        assert!(run.machine().held().is_empty(), "{class:?}");
    }
    let mut run = run(READ, queue(24));
    exhaust(&mut run, "get", &failure(Class::Dependency));
    probe(&mut run);
    run.fail("get", failure(Class::Invalid));
    assert_eq!(run.error()["status"], 400, "the system is there, and refuses");
    folds(&run);
}

#[test]
fn the_time_runs_out_and_a_retry_of_the_run_begins_anew() {
    let mut run = run(READ, queue(1));
    exhaust(&mut run, "get", &failure(Class::Overloaded));
    let until = run.machine().held()[0].until;
    run.wake();
    assert_eq!(run.now, until);
    let Outcome::Faulted { failure: failed, .. } = run.outcome().clone() else {
        panic!("it goes on")
    };
    assert_eq!((failed.class, failed.code.as_str()), (Class::Expired, "QC-R030"));
    assert!(failed.detail.starts_with("`crm` did not come back within 1 h"), "{}", failed.detail);
    run.pass(3_600_000);
    run.tell(Happening::Reopened);
    assert_eq!(run.sent.len(), 6, "it is sent at once");
    exhaust(&mut run, "get", &failure(Class::Overloaded));
    assert_eq!(run.machine().held().len(), 1, "with a budget and a time of its own");
    folds(&run);
}

#[test]
fn an_attempt_under_way_when_the_time_is_up_gets_its_answer() {
    let mut run = run(READ, queue(1));
    exhaust(&mut run, "get", &failure(Class::Overloaded));
    probe(&mut run);
    run.wake();
    assert!(run.machine().outcome().is_none());
    run.succeed("get", json!(1));
    assert_eq!(*run.output(), json!({"got": 1}));
    let mut late = self::run(READ, queue(1));
    exhaust(&mut late, "get", &failure(Class::Overloaded));
    probe(&mut late);
    late.wake();
    late.fail("get", failure(Class::Overloaded));
    assert_eq!(late.error()["status"], 408);
    folds(&late);
}

#[test]
fn one_for_which_there_is_no_room_fails_at_once_and_an_old_word_changes_nothing() {
    let mut run = run(READ, queue(1));
    exhaust(&mut run, "get", &failure(Class::Overloaded));
    let call = run.machine().held()[0].call.clone();
    run.tell(Happening::NotHeld { call: call.clone() });
    let Outcome::Faulted { failure: failed, .. } = run.outcome().clone() else {
        panic!("it goes on")
    };
    assert_eq!(failed.code.as_str(), "QC-R031");
    run.tell(Happening::Probed { call: call.clone() });
    run.tell(Happening::NotHeld { call });
    assert_eq!(run.sent.len(), 5);
    folds(&run);
}

#[test]
fn a_held_run_is_cancelled_and_timed_out_as_any_other() {
    let mut run = run(READ, queue(1));
    exhaust(&mut run, "get", &failure(Class::Overloaded));
    run.tell(Happening::Cancelled { reason: "enough".into(), compensate: false });
    assert!(matches!(run.outcome(), Outcome::Cancelled { .. }));
    assert!(run.machine().held().is_empty());
    let timed = "\ntimeout: { after: PT10M }\ndo:\n  - get: { call: crm.read }\n";
    let mut run = self::run(timed, queue(24));
    exhaust(&mut run, "get", &failure(Class::Overloaded));
    assert!(run.wake() < Duration::from_secs(600));
    assert_eq!(run.error()["status"], 408);
    folds(&run);
}

/// What the workflow itself says of an error goes first.
#[test]
fn a_catch_goes_before_the_declaration_and_a_retry_that_is_over_does_not() {
    let caught = "\ndo:\n  - all:\n      try: [ { get: { call: crm.read } } ]\n      catch: { do: [ { other: { set: { other: true } } } ] }\n";
    let mut run = run(caught, queue(24));
    exhaust(&mut run, "get", &failure(Class::Overloaded));
    assert_eq!(*run.output(), json!({"other": true}));
    let retried = "\ndo:\n  - all:\n      try: [ { get: { call: crm.read } } ]\n      catch: { retry: { delay: PT1S, limit: { attempt: { count: 2 } } } }\n";
    let mut run = self::run(retried, queue(24));
    run.fail("get", failure(Class::Overloaded));
    assert!(run.machine().held().is_empty(), "the block is tried again");
    run.wake();
    run.fail("get", failure(Class::Overloaded));
    assert_eq!(run.machine().held().len(), 1, "nothing takes it up any more");
    probe(&mut run);
    run.succeed("get", json!(7));
    assert_eq!(*run.output(), json!(7));
    folds(&run);
}

#[test]
fn a_call_in_doubt_keeps_its_class() {
    let one = |operation: &str, answer: WhenUnavailable| {
        run(&format!("\ndo:\n  - it: {{ call: crm.{operation} }}\n"), answer)
    };
    let fallback = || WhenUnavailable::Fallback { call: "crm.read".into(), with: None };
    let degrade = || WhenUnavailable::Degrade { value: None };
    // Once: nothing but failing, when the engine did not park it.
    for answer in [queue(1), fallback(), degrade()] {
        let mut run = one("create", answer);
        run.fail("it", ambiguous(Class::Timeout));
        assert!(matches!(run.outcome(), Outcome::Faulted { .. }));
    }
    // Keyed: it may wait and be left out, and nothing else is done in its place.
    let mut run = one("upsert", fallback());
    run.fail("it", ambiguous(Class::Timeout));
    for _ in 2..=5 {
        run.wake();
        run.fail("it", failure(Class::Overloaded));
    }
    let Outcome::Faulted { failure: failed, .. } = run.outcome() else { panic!("it goes on") };
    assert_eq!((failed.class, run.sent.len()), (Class::Overloaded, 5), "no other operation");
    let mut run = one("upsert", queue(1));
    exhaust(&mut run, "it", &ambiguous(Class::Timeout));
    assert_eq!(run.machine().held().len(), 1);
    run.wake();
    let Outcome::Faulted { failure: failed, .. } = run.outcome() else { panic!("it goes on") };
    assert_eq!(failed.applied, Applied::Maybe, "and what is in doubt stays so");
    // Verify: it waits to be read back.
    let mut run = one("verified", queue(1));
    run.fail("it", ambiguous(Class::Timeout));
    assert_eq!(run.machine().held().len(), 1);
    let mut run = one("verified", degrade());
    run.fail("it", ambiguous(Class::Timeout));
    assert!(matches!(run.outcome(), Outcome::Faulted { .. }));
}

#[test]
fn another_operation_is_called_with_an_id_and_a_policy_of_its_own() {
    let with = Some(node("{ was: '${ .arguments.a }', n: '${ .input.n }' }"));
    let answer = WhenUnavailable::Fallback { call: "crm.upsert".into(), with };
    let mut run = run(READ, answer);
    exhaust(&mut run, "get", &failure(Class::Overloaded));
    let other = run.sent.last().expect("a call").clone();
    assert_eq!((&*other.id.pointer, other.attempt), ("/do/0/get/fallback", 1));
    let CallTarget::Connector { operation, arguments, .. } = &other.target else {
        panic!("a call")
    };
    assert_eq!((&**operation, arguments), ("upsert", &json!({"was": 1, "n": 4})));
    folds(&run);
    run.fail("get", failure(Class::Overloaded));
    run.wake();
    run.succeed("get", json!("instead"));
    assert_eq!(*run.output(), json!({"got": "instead"}));
    let substituted = run.machine().substituted();
    assert_eq!((substituted.len(), substituted[0].by), (1, Substitute::Fallback));
    folds(&run);
}

#[test]
fn when_the_other_operation_fails_too_the_run_fails_with_its_failure() {
    let answer = WhenUnavailable::Fallback { call: "crm.upsert".into(), with: None };
    let mut run = run(READ, answer);
    exhaust(&mut run, "get", &failure(Class::Overloaded));
    exhaust(&mut run, "get", &failure(Class::Dependency));
    let Outcome::Faulted { failure: failed, .. } = run.outcome().clone() else {
        panic!("it goes on")
    };
    assert_eq!((failed.class, run.sent.len()), (Class::Dependency, 10));
    run.tell(Happening::Reopened);
    assert_eq!(&*run.sent.last().expect("a call").id.pointer, "/do/0/get/fallback");
    folds(&run);
}

#[test]
fn a_task_is_left_out_with_what_is_declared_or_null() {
    let value = Some(node("{ none: true, a: '${ .arguments.a }' }"));
    let mut run = run(READ, WhenUnavailable::Degrade { value });
    exhaust(&mut run, "get", &failure(Class::Overloaded));
    assert_eq!(*run.output(), json!({"got": {"none": true, "a": 1}}));
    assert_eq!(run.machine().substituted()[0].by, Substitute::Value);
    folds(&run);
    let mut run = self::run(READ, WhenUnavailable::Degrade { value: None });
    exhaust(&mut run, "get", &failure(Class::Overloaded));
    assert_eq!(*run.output(), json!({"got": null}));
    // An expression that fails fails the task.
    let value = Some(node("{ a: '${ .arguments.a | keys }' }"));
    let mut run = self::run(READ, WhenUnavailable::Degrade { value });
    exhaust(&mut run, "get", &failure(Class::Overloaded));
    assert!(matches!(run.outcome(), Outcome::Faulted { .. }));
}

#[test]
fn a_failure_names_who_takes_over() {
    let escalate = Some("on-call".to_owned());
    let mut run = run(READ, WhenUnavailable::Fail { escalate });
    exhaust(&mut run, "get", &failure(Class::Overloaded));
    let Outcome::Faulted { failure: failed, .. } = run.outcome() else { panic!("it goes on") };
    assert_eq!(failed.owner.as_deref(), Some("on-call"));
    assert_eq!(failed.class, Class::Overloaded);
}

#[test]
fn an_operation_that_is_not_there_is_found_when_it_is_compiled() {
    let answer = WhenUnavailable::Fallback { call: "crm.none".into(), with: None };
    let findings = compiled(READ, answer).expect_err("it is not there");
    assert!(findings.iter().any(|finding| finding.code.as_str() == "QC-W012"), "{findings:?}");
}
