//! A faulted run continues; a cancelled one ends.

use std::time::Duration;

use qc_model::Class;
use qc_workflow::{Happening, Outcome};
use serde_json::json;

use crate::driver::{Run, ambiguous, failure};

fn cancel(run: &mut Run) {
    run.tell(Happening::Cancelled { reason: "no longer needed".into(), compensate: false });
}

#[test]
fn the_failed_task_is_tried_again_with_a_fresh_budget() {
    let body = "\ndo:\n  - before: { call: crm.create }\n  - get: { call: crm.read }\n  - after: { set: { got: '${ . }' } }\n";
    let mut run = Run::of(body, json!({}));
    run.succeed("before", json!(0)).fail("get", failure(Class::NotFound));
    run.error();
    run.pass(3_600_000).tell(Happening::Reopened);
    assert!(run.machine().outcome().is_none());
    assert_eq!(run.waiting(), ["get"]);
    assert_eq!(run.open[0].attempt, 2);
    for _ in 0..4 {
        run.fail("get", failure(Class::Overloaded));
        run.wake();
    }
    run.succeed("get", json!("fine"));
    assert_eq!(run.output(), &json!({"got": "fine"}));
    assert_eq!(run.finished.len(), 2);
}

#[test]
fn what_the_failure_interrupted_goes_on_where_it_was() {
    let body = "
do:
  - both:
      fork:
        branches:
          - sent: { call: crm.create }
          - refused: { call: crm.upsert }
          - pausing: { wait: PT1M }
          - failing: { call: crm.read }
";
    let mut run = Run::of(body, json!({"in": 1}));
    run.pass(10_000).fail("failing", failure(Class::NotFound));
    assert!(run.machine().outcome().is_none(), "two calls are being settled");
    run.succeed("sent", json!("sent")).fail("refused", failure(Class::Overloaded));
    run.error();
    run.pass(3_600_000).tell(Happening::Reopened);
    assert_eq!(run.waiting(), ["failing", "refused"], "what was answered is not sent again");
    run.succeed("failing", json!("f")).succeed("refused", json!("r"));
    assert_eq!(run.wake(), Duration::from_secs(50), "the pause stood still with the run");
    assert_eq!(run.output(), &json!(["sent", "r", {"in": 1}, "f"]));
}

#[test]
fn a_task_that_took_too_long_gets_its_time_anew_and_its_parts_go_on() {
    let body = "
do:
  - group:
      do:
        - one: { call: crm.create }
        - two: { call: crm.read }
      timeout: { after: PT1M }
";
    let mut run = Run::of(body, json!({}));
    run.succeed("one", json!(1));
    run.wake();
    run.fail("two", failure(Class::Timeout));
    assert_eq!(run.error()["instance"], "/do/0/group");
    run.tell(Happening::Reopened);
    assert_eq!(run.waiting(), ["two"], "one is not repeated");
    assert_eq!(run.machine().timers().len(), 1);
    run.succeed("two", json!(2));
    assert_eq!(run.output(), 2);
}

#[test]
fn an_output_that_failed_is_formed_again_without_calling_again() {
    let body = "\ndo:\n  - make: { call: crm.create, output: { as: 'error(\"no\")' } }\n";
    let mut run = Run::of(body, json!({}));
    run.succeed("make", json!(1));
    run.error();
    run.tell(Happening::Reopened);
    run.error();
    assert_eq!(run.sent.len(), 1);
    assert_eq!(run.finished.len(), 2);
}

#[test]
fn an_exhausted_try_begins_anew() {
    let body = "
do:
  - guarded:
      try:
        - get: { call: crm.read }
      catch: { retry: { delay: PT1S, limit: { attempt: { count: 2 } } } }
";
    let mut run = Run::of(body, json!({}));
    run.fail("get", failure(Class::Overloaded));
    run.wake();
    run.fail("get", failure(Class::Overloaded));
    run.error();
    run.tell(Happening::Reopened);
    run.succeed("get", json!("fine"));
    assert_eq!(run.output(), "fine");
}

#[test]
fn cancelling_settles_what_was_sent_first() {
    let mut run = Run::of("\ndo:\n  - make: { call: crm.create }\n", json!({}));
    cancel(&mut run);
    assert!(run.machine().outcome().is_none());
    assert_eq!(run.interrupted.len(), 1);
    cancel(&mut run);
    run.fail("make", ambiguous(Class::Timeout));
    assert_eq!(
        run.outcome(),
        &Outcome::Cancelled { reason: "no longer needed".into(), compensation: None }
    );
    run.tell(Happening::Reopened);
    assert_eq!(run.finished.len(), 1);
}

#[test]
fn a_completed_run_asks_for_nothing_more() {
    let mut run = Run::of("\ndo:\n  - pause: { wait: PT1S }\n", json!({}));
    let (timer, _) = run.machine().timers()[0];
    run.wake();
    let before = run.actions.len();
    run.tell(Happening::TimerFired { timer });
    cancel(&mut run);
    run.tell(Happening::Reopened);
    assert!(run.actions[before..].iter().all(Vec::is_empty));
}

#[test]
fn a_branch_that_had_not_begun_begins_when_the_run_is_reopened() {
    let body = "
do:
  - both:
      fork:
        branches:
          - failing: { set: { n: '${ error(\"no\") }' } }
          - later: { set: { later: true } }
";
    let mut run = Run::of(body, json!({}));
    run.error();
    assert_eq!(run.started(), ["both", "failing"]);
    run.tell(Happening::Reopened);
    run.error();
    assert_eq!(run.started(), ["both", "failing", "failing"]);
}
