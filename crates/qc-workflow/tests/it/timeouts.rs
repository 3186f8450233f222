//! Timeouts: of tasks, attempts and the workflow; and waiting.

use std::time::Duration;

use qc_model::Class;
use qc_workflow::Happening;
use serde_json::json;

use crate::driver::{Run, ambiguous, errors_of, failure};

#[test]
fn a_wait_lasts_as_long_as_it_says_and_passes_its_input_on() {
    for (wait, seconds) in [("PT30S", 30), ("{ minutes: 1, seconds: 5 }", 65), ("'${ .pause }'", 7)]
    {
        let mut run = Run::of(
            &format!("\ndo:\n  - pause: {{ wait: {wait} }}\n"),
            json!({"pause": {"seconds": 7}}),
        );
        assert_eq!(run.wake(), Duration::from_secs(seconds), "{wait}");
        assert_eq!(run.output(), &json!({"pause": {"seconds": 7}}));
    }
}

#[test]
fn a_timer_never_fires_early_or_twice() {
    let mut run =
        Run::of("\ndo:\n  - pause: { wait: PT30S }\n  - again: { wait: PT1S }\n", json!({}));
    let (timer, _) = run.machine().timers()[0];
    run.pass(29_999).tell(Happening::TimerFired { timer });
    assert_eq!(run.started(), ["pause"]);
    run.pass(1).tell(Happening::TimerFired { timer });
    run.pass(60_000).tell(Happening::TimerFired { timer });
    assert_eq!(run.started(), ["pause", "again"]);
}

const SLOW: &str = "
use: { timeouts: { short: { after: PT5S } } }
do:
  - guarded:
      try:
        - slow: { call: crm.read, timeout: short }
      catch:
        errors: { with: { type: 'https://open-workflow-specification.org/spec/1.0.0/errors/timeout', status: 408 } }
        do:
          - late: { set: { late: true } }
";

#[test]
fn a_timeout_is_caught_after_the_call_is_settled() {
    let mut run = Run::of(SLOW, json!({}));
    assert_eq!(run.wake(), Duration::from_secs(5));
    assert_eq!(run.interrupted.len(), 1);
    assert!(!run.started().contains(&"late"));
    run.succeed("slow", json!("too late"));
    assert_eq!(run.output(), &json!({"late": true}));
}

#[test]
fn a_call_in_time_disarms_the_timeout() {
    let mut run = Run::of(SLOW, json!({}));
    run.succeed("slow", json!("in time"));
    assert_eq!(run.output(), "in time");
    assert!(run.machine().timers().is_empty());
}

#[test]
fn the_workflows_timeout_ends_the_run() {
    let mut run =
        Run::of("\ntimeout: { after: PT1M }\ndo:\n  - slow: { call: crm.create }\n", json!({}));
    run.wake();
    assert!(run.machine().outcome().is_none() && run.machine().next_wake().is_none());
    run.fail("slow", ambiguous(Class::Timeout));
    assert_eq!(run.error()["status"], 408);
}

#[test]
fn an_attempt_that_takes_too_long_is_tried_again() {
    let body = "
do:
  - guarded:
      try:
        - slow: { call: crm.read }
      catch:
        retry: { delay: PT1S, limit: { attempt: { count: 2, duration: PT10S } } }
";
    let mut run = Run::of(body, json!({}));
    assert_eq!(run.wake(), Duration::from_secs(10));
    run.fail("slow", failure(Class::Timeout));
    assert_eq!(run.wake(), Duration::from_secs(1));
    run.succeed("slow", json!("second"));
    assert_eq!(run.output(), "second");
}

#[test]
fn an_unknown_timeout_is_reported() {
    let body = "\nuse: { timeouts: { shrot: { after: PT5S } } }\ndo:\n  - a: { set: { a: 1 }, timeout: short }\n";
    assert_eq!(errors_of(body), ["QC-W006"]);
}
