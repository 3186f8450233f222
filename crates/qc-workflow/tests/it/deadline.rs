//! The deadline of a run: it bounds every wait, pause and call, and not what undoes them.

use std::{sync::Arc, time::Duration};

use qc_model::{Class, Failure};
use qc_workflow::{Happening, Outcome, Program};
use serde_json::json;

use crate::driver::{Bound, Run, compensated, failure, program_of, stated, with_head};

const MINUTE: u64 = 60_000;

fn program(body: &str) -> Arc<Program> {
    program_of(&with_head(body), &Bound::default())
}

fn died_of(run: &Run) -> &Failure {
    match run.outcome() {
        Outcome::Faulted { failure, .. } => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_waits_ends_at_the_deadline_and_nothing_catches_that() {
    let body = "
do:
  - guarded:
      try:
        - pause: { wait: PT1H }
      catch: { do: [ { anyway: { set: { caught: true } } } ] }
";
    let mut run = Run::within(program(body), MINUTE, 0);
    assert_eq!(run.wake(), Duration::from_millis(MINUTE));
    let died = died_of(&run);
    assert_eq!((died.code.as_str(), died.class), ("QC-W115", Class::Expired));
    assert!(died.detail.contains("1 min"), "{}", died.detail);
}

#[test]
fn a_run_that_is_over_in_time_hears_nothing_of_it() {
    let mut run = Run::within(program("\ndo:\n  - pause: { wait: PT59S }\n"), MINUTE, 0);
    run.wake();
    assert!(matches!(run.outcome(), Outcome::Completed { .. }));
    assert_eq!(run.machine().timers(), []);
}

#[test]
fn a_run_that_begins_too_late_calls_nothing() {
    let body = "\ndo:\n  - get: { call: crm.read }\n";
    let mut run = Run::within(program(body), MINUTE, MINUTE);
    assert!(run.sent.is_empty());
    assert_eq!(died_of(&run).class, Class::Expired);
    run.tell(Happening::Reopened);
    assert_eq!(run.waiting(), ["get"], "whoever lets it go on gives it its time");
    assert_eq!(run.machine().deadline(), Some(run.now + Duration::from_millis(MINUTE)));
}

#[test]
fn a_call_is_waited_for_no_longer_than_the_run() {
    let body = "\ndo:\n  - one: { call: crm.read }\n  - pause: { wait: PT55S }\n  - two: { call: crm.read }\n";
    let mut run = Run::within(program(body), MINUTE, 0);
    assert_eq!(run.sent[0].timeout_ms, 10_000);
    run.succeed("one", json!(1));
    run.wake();
    assert_eq!(run.sent[1].timeout_ms, 5_000);
    run.wake();
    assert_eq!(run.interrupted.len(), 1);
    assert!(run.machine().outcome().is_none(), "what was sent is settled first");
    run.fail("two", failure(Class::Timeout));
    assert_eq!(died_of(&run).class, Class::Expired);
}

#[test]
fn what_could_not_be_tried_again_in_time_fails_at_once_by_its_own_fault() {
    let body = "\ndo:\n  - get: { call: crm.read }\n";
    let mut run = Run::within(program(body), MINUTE, MINUTE - 100);
    run.fail("get", failure(Class::Overloaded));
    assert_eq!(died_of(&run).class, Class::Overloaded);

    let mut run = Run::within(program(body), MINUTE, 0);
    run.fail("get", stated(MINUTE));
    assert_eq!(
        died_of(&run).class,
        Class::Throttled,
        "the stated pause is longer than there is time"
    );

    let mut run = Run::within(program(body), MINUTE, 0);
    run.fail("get", stated(MINUTE - 1));
    assert_eq!(run.wake(), Duration::from_millis(MINUTE - 1));
    assert_eq!(run.waiting(), ["get"]);
}

#[test]
fn a_block_is_not_tried_again_when_its_pause_ends_too_late() {
    let body = "
do:
  - block:
      try:
        - get: { call: crm.create }
      catch:
        retry: { delay: { seconds: 30 }, limit: { attempt: { count: 9 } } }
";
    let mut run = Run::within(program(body), MINUTE, 0);
    run.fail("get", failure(Class::Overloaded));
    assert_eq!(run.wake(), Duration::from_secs(30));
    run.fail("get", failure(Class::Overloaded));
    assert_eq!(died_of(&run).class, Class::Overloaded, "the next would begin at the deadline");
}

#[test]
fn undoing_takes_the_time_that_it_takes() {
    let text = with_head("\ndo:\n  - made: { call: crm.create }\n  - pause: { wait: PT1H }\n");
    let program = compensated(&text, "made: { do: crm.upsert }").expect("it compiles");
    let mut run = Run::within(program, MINUTE, 0);
    run.succeed("made", json!(1));
    run.wake();
    assert_eq!(run.waiting().len(), 1, "it is being undone");
    let undo = run.open[0].clone();
    assert_eq!((undo.timeout_ms, run.machine().deadline()), (10_000, None));
    run.pass(MINUTE);
    let (call, attempt) = (undo.id, undo.attempt);
    run.tell(Happening::CallFailed { call, attempt, failure: failure(Class::Overloaded) });
    assert!(run.machine().next_wake().is_some(), "it is tried again");
}

#[test]
fn the_time_in_which_a_failed_run_stood_still_does_not_count() {
    let body = "\ndo:\n  - get: { call: crm.read }\n  - pause: { wait: PT1H }\n";
    let mut run = Run::within(program(body), MINUTE, 0);
    run.pass(20_000).fail("get", failure(Class::NotFound));
    run.pass(3_600_000).tell(Happening::Reopened);
    assert_eq!(run.machine().deadline(), Some(run.now + Duration::from_secs(40)));
    run.succeed("get", json!(1));
    assert_eq!(run.wake(), Duration::from_secs(40));
    assert_eq!(died_of(&run).class, Class::Expired);
    run.tell(Happening::Reopened);
    assert_eq!(run.wake(), Duration::from_secs(60), "its time was over: it has all of it again");
}

#[test]
fn a_workflow_that_took_too_long_keeps_its_deadline() {
    let text = "
timeout: { after: PT30S }
do:
  - pause: { wait: PT1H }
";
    let mut run = Run::within(program(text), MINUTE, 0);
    assert_eq!(run.wake(), Duration::from_secs(30));
    assert_eq!(died_of(&run).code.as_str(), "QC-W104");
    run.tell(Happening::Reopened);
    assert_eq!(run.machine().timers().len(), 3, "the wait, the timeout, the deadline");
    assert_eq!(run.wake(), Duration::from_secs(30));
    assert_eq!(died_of(&run).class, Class::Expired);
}

#[test]
fn a_run_that_goes_on_after_its_deadline_has_each_of_its_times_once() {
    let text = "
timeout: { after: PT90S }
do:
  - pause: { wait: PT1H }
";
    let mut run = Run::within(program(text), MINUTE, 0);
    run.wake();
    assert_eq!(died_of(&run).class, Class::Expired);
    run.tell(Happening::Reopened);
    assert_eq!(run.machine().timers().len(), 3, "the wait, the timeout, the deadline");
}

#[test]
fn a_run_at_its_end_that_settles_what_it_cut_short_has_no_deadline() {
    let body = "
do:
  - both:
      fork:
        branches:
          - sent: { call: crm.create }
          - later: { do: [ { pause: { wait: PT1S } }, { stop: { set: { done: true }, then: end } } ] }
";
    let mut run = Run::within(program(body), MINUTE, 0);
    run.wake();
    assert!(run.machine().outcome().is_none(), "the answer is waited for");
    assert_eq!(run.machine().timers(), []);
    run.succeed("sent", json!(1));
    assert_eq!(run.output(), &json!({"done": true}));
}
