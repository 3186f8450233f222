//! Trying again: the call's own policy, the policy of a `try`, and what is never repeated.

use std::time::Duration;

use qc_model::{Class, Retry};
use qc_workflow::{CallPolicy, Deadline, Effect, Happening, NoteKind, Outcome, Start};
use serde_json::json;

use crate::driver::{
    Bound, Run, ambiguous, answer, failure, policy, program_of, start_with, stated, with_head,
};

const READ: &str = "\ndo:\n  - get: { call: crm.read }\n";
const CREATE: &str = "\ndo:\n  - make: { call: crm.create }\n";

#[test]
fn the_calls_own_policy_pauses_longer_every_time_and_gives_up() {
    let mut run = Run::of(READ, json!({}));
    let mut pauses = Vec::new();
    for _ in 0..4 {
        run.fail("get", failure(Class::Overloaded));
        pauses.push(run.wake().as_millis());
    }
    assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000]);
    run.fail("get", failure(Class::Overloaded));
    assert_eq!(run.error()["status"], 503);
    let attempts: Vec<u32> = run.sent.iter().map(|request| request.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4, 5]);
}

#[test]
fn permanent_failures_are_not_repeated() {
    for class in [Class::NotFound, Class::Invalid, Class::Permanent, Class::Auth] {
        let mut run = Run::of(READ, json!({}));
        run.fail("get", failure(class));
        run.error();
        assert_eq!(run.sent.len(), 1, "{class:?}");
    }
}

#[test]
fn an_ambiguous_outcome_is_repeated_only_where_that_is_safe() {
    for (operation, repeated) in
        [("read", true), ("upsert", true), ("verified", false), ("create", false)]
    {
        let mut run = Run::of(&format!("\ndo:\n  - it: {{ call: crm.{operation} }}\n"), json!({}));
        run.fail("it", ambiguous(Class::Timeout));
        assert_eq!(run.machine().next_wake().is_some(), repeated, "{operation}");
    }
}

#[test]
fn a_stated_pause_does_not_count_and_is_kept_exactly() {
    let mut run = Run::of(READ, json!({}));
    for _ in 0..20 {
        run.fail("get", stated(30_000));
        assert_eq!(run.wake(), Duration::from_secs(30));
    }
    for _ in 0..4 {
        run.fail("get", failure(Class::Throttled));
        run.wake();
    }
    run.fail("get", failure(Class::Throttled));
    assert_eq!(run.error()["status"], 429);
    assert_eq!(run.sent.len(), 25);
}

#[test]
fn stated_pauses_are_bounded_in_sum_and_number() {
    let mut run = Run::of(READ, json!({}));
    run.fail("get", stated(20 * 3_600_000));
    run.wake();
    run.fail("get", stated(5 * 3_600_000));
    // Beyond 24 hours it counts as an ordinary failure, and the time for attempts is over.
    assert!(run.machine().outcome().is_some());
    let mut run = Run::of(READ, json!({}));
    let outcome = run.finish(|_| Err(Box::new(stated(1))));
    assert!(matches!(outcome, Outcome::Faulted { .. }));
    assert_eq!(run.sent.len(), 105);
}

#[test]
fn an_answer_that_was_given_before_changes_nothing() {
    let mut run = Run::of(READ, json!({}));
    let request = run.open[0].clone();
    run.fail("get", failure(Class::Overloaded));
    run.wake();
    let before = run.actions.len();
    run.tell(qc_workflow::Happening::CallSucceeded {
        call: request.id,
        attempt: 1,
        output: answer(json!(1)),
    });
    assert!(run.actions[before].is_empty(), "attempt 1 was answered already");
    run.succeed("get", json!("fine"));
    assert_eq!(run.output(), "fine");
}

fn guarded(task: &str, retry: &str) -> String {
    format!(
        "
do:
  - guarded:
      try:
        - first: {{ call: {task} }}
        - second: {{ call: crm.read }}
      catch:
        retry: {retry}
"
    )
}

#[test]
fn the_policy_of_an_enclosing_try_replaces_the_calls() {
    let mut run = Run::of(
        &guarded(
            "crm.read",
            "{ delay: PT3S, backoff: { linear: {} }, limit: { attempt: { count: 3 } } }",
        ),
        json!({}),
    );
    run.fail("first", failure(Class::Overloaded));
    assert_eq!(run.wake(), Duration::from_secs(3));
    run.succeed("first", json!(1)).fail("second", failure(Class::Overloaded));
    assert_eq!(run.wake(), Duration::from_secs(6));
    // Idempotent calls run again, under the same visit and with a new attempt.
    run.succeed("first", json!(1)).fail("second", failure(Class::Overloaded));
    assert_eq!(run.error()["instance"], "/do/0/guarded/try/1/second", "exhausted: rethrown");
    let firsts: Vec<(u32, &str)> = run
        .sent
        .iter()
        .filter(|request| &*request.task == "first")
        .map(|request| (request.attempt, &*request.id.visit))
        .collect();
    assert_eq!(firsts, [(1, "0.0"), (2, "0.0"), (3, "0.0")]);
}

#[test]
fn effects_that_took_place_answer_from_memory() {
    for operation in ["crm.upsert", "crm.verified", "crm.create"] {
        let mut run = Run::of(&guarded(operation, "{ delay: PT1S }"), json!({}));
        run.succeed("first", json!({"made": 7})).fail("second", failure(Class::Overloaded));
        run.wake();
        assert_eq!(run.waiting(), ["second"], "{operation} is not sent again");
        run.succeed("second", json!("done"));
        assert_eq!(run.output(), "done");
    }
}

#[test]
fn a_try_does_not_repeat_what_must_not_be_repeated() {
    let mut run = Run::of(&guarded("crm.create", "{ delay: PT1S }"), json!({}));
    run.fail("first", ambiguous(Class::Timeout));
    run.error();
    let mut run = Run::of(&guarded("crm.read", "{ delay: PT1S }"), json!({}));
    run.fail("first", failure(Class::NotFound));
    run.error();
}

#[test]
fn retry_comes_first_and_the_handler_once_after_it() {
    let body = "
do:
  - guarded:
      try:
        - fail: { raise: { error: { type: 'https://example.com/a', status: 500 } } }
      catch:
        retry: { delay: PT1S, limit: { attempt: { count: 3 } } }
        do:
          - handled: { set: { handled: true } }
";
    let mut run = Run::of(body, json!({}));
    run.finish(|_| unreachable!());
    assert_eq!(run.output(), &json!({"handled": true}));
    assert_eq!(run.started(), ["guarded", "fail", "fail", "fail", "handled"]);
    let retries = run.noted(|kind| matches!(kind, NoteKind::Retrying { .. }));
    assert_eq!(retries, ["guarded", "guarded"]);
}

#[test]
fn without_limits_there_are_five_attempts() {
    let body = "
do:
  - guarded:
      try:
        - fail: { raise: { error: { type: 'https://example.com/a', status: 500 } } }
      catch: { retry: {} }
";
    let mut run = Run::of(body, json!({}));
    run.finish(|_| unreachable!());
    run.error();
    assert_eq!(run.started().iter().filter(|name| **name == "fail").count(), 5);
}

#[test]
fn conditions_and_durations_limit_retries() {
    let attempts = |retry: &str| {
        let body = format!(
            "
do:
  - guarded:
      try:
        - fail: {{ raise: {{ error: {{ type: 'https://example.com/a', status: 500 }} }} }}
      catch: {{ as: e, retry: {retry} }}
"
        );
        let mut run = Run::of(&body, json!({"n": 1}));
        run.finish(|_| unreachable!());
        run.started().iter().filter(|name| **name == "fail").count()
    };
    assert_eq!(attempts("{ when: '$e.status == 404' }"), 1);
    assert_eq!(attempts("{ exceptWhen: '$e.status == 500' }"), 1);
    assert_eq!(attempts("{ when: '.n == 1', limit: { attempt: { count: 2 } } }"), 2);
    assert_eq!(attempts("{ delay: PT10S, limit: { duration: PT35S } }"), 4);
    assert_eq!(
        attempts("{ delay: PT1S, backoff: { exponential: {} }, limit: { duration: PT10S } }"),
        4
    );
    assert_eq!(
        attempts("{ delay: PT1S, jitter: { from: PT9S, to: PT9S }, limit: { duration: PT25S } }"),
        3
    );
}

#[test]
fn every_attempt_starts_from_the_same_context() {
    let body = "
do:
  - guarded:
      try:
        - count: { set: { n: 1 }, export: { as: '{ count: (($context.count // 0) + 1) }' } }
        - get: { call: crm.read }
      catch: { retry: { delay: PT1S } }
output: { as: $context }
";
    let mut run = Run::of(body, json!({}));
    run.fail("get", failure(Class::Overloaded));
    run.wake();
    run.succeed("get", json!(1));
    assert_eq!(run.output(), &json!({"count": 1}));
}

#[test]
fn a_failure_that_waits_for_an_event_is_handed_on() {
    let mut run = Run::of(CREATE, json!({}));
    let parked = qc_model::Failure { retry: Retry::OnEvent, ..failure(Class::Auth) };
    run.fail("make", parked.clone());
    match run.outcome() {
        Outcome::Faulted { failure, .. } => assert_eq!(failure, &parked),
        other => panic!("{other:?}"),
    }
}

/// When a run's first call is made, from its beginning, when calls are spread over a minute.
fn put_off(entropy: u64, within_ms: Option<u64>) -> (Run, u64) {
    let policy = CallPolicy { spread_ms: 60_000, ..policy(Effect::Idempotent) };
    let overrides = [("get".to_owned(), policy)].into();
    let program = program_of(&with_head(TWICE), &Bound { overrides, ..Bound::default() });
    let start = start_with(json!({}), entropy);
    let deadline = within_ms
        .map(|within_ms| Deadline { at: start.at + Duration::from_millis(within_ms), within_ms });
    let mut run = Run::began(program, Start { deadline, ..start });
    assert!(run.sent.is_empty());
    assert_eq!(run.noted(|kind| matches!(kind, NoteKind::PutOff { .. })), ["get"]);
    let pause = run.wake().as_millis();
    assert_eq!(run.waiting(), ["get"]);
    (run, u64::try_from(pause).expect("a pause in milliseconds"))
}

const TWICE: &str = "
do:
  - each:
      for: { in: '${ [1, 2] }' }
      do:
        - get: { call: crm.read }
";

#[test]
fn a_spread_call_waits_for_its_moment_and_adds_up_with_nothing() {
    let (mut run, pause) = put_off(7, None);
    run.fail("get", failure(Class::Overloaded));
    assert_eq!(run.wake(), Duration::from_secs(1), "what is tried again has its own pause");
    run.succeed("get", json!(1));
    assert_eq!(run.waiting(), ["get"], "the second iteration's moment is over");
    assert_eq!(put_off(7, None).1, pause, "the same for the same run");
}

#[test]
fn spread_calls_come_evenly_and_in_the_first_half_of_the_time_that_there_is() {
    let mut quarters = [0; 4];
    for entropy in 0..400 {
        let quarter = put_off(entropy, None).1 / 15_000;
        quarters[usize::try_from(quarter).expect("a quarter")] += 1;
        assert!(put_off(entropy, Some(10_000)).1 <= 5_000);
    }
    assert!(quarters.iter().all(|count| (60..=140).contains(count)), "{quarters:?}");
}

#[test]
fn the_attempts_of_a_spread_call_have_their_time_from_its_moment_on() {
    let policy = CallPolicy { spread_ms: 86_400_000, ..policy(Effect::Idempotent) };
    let overrides = [("get".to_owned(), policy)].into();
    let program = program_of(&with_head(READ), &Bound { overrides, ..Bound::default() });
    let mut run = Run::began(program, start_with(json!({}), 3));
    assert!(run.wake() > Duration::from_mins(15), "longer than attempts may take in all");
    run.fail("get", failure(Class::Overloaded));
    assert_eq!(run.wake(), Duration::from_secs(1));
}

/// The open call is not sent, and is to come again so many seconds later.
fn not_sent(run: &mut Run, secs: u64) {
    let request = run.open.remove(0);
    let until = run.now + Duration::from_secs(secs);
    let (call, attempt, why) = (request.id, request.attempt, "for the test".to_owned());
    run.tell(Happening::PutOff { call, attempt, until, why });
}

#[test]
fn what_is_put_off_is_no_attempt_and_takes_nothing_of_their_time() {
    let mut run = Run::of(READ, json!({}));
    run.fail("get", failure(Class::Overloaded));
    run.wake();
    // Longer than attempts may take in all, and more often than there are attempts.
    for _ in 0..10 {
        not_sent(&mut run, 3_600);
        assert!(run.open.is_empty());
        assert_eq!(run.wake(), Duration::from_hours(1));
    }
    let mut pauses = Vec::new();
    for _ in 0..3 {
        run.fail("get", failure(Class::Overloaded));
        pauses.push(run.wake().as_millis());
    }
    assert_eq!(pauses, [2_000, 4_000, 8_000], "it goes on where it was");
    run.fail("get", failure(Class::Overloaded));
    assert_eq!(run.error()["status"], 503);
    assert_eq!(run.sent.last().unwrap().attempt, 5);
}

#[test]
fn a_deadline_and_a_timeout_bound_what_is_put_off() {
    let body = "\ndo:\n  - get: { call: crm.read, timeout: { after: PT30S } }\n";
    let mut run = Run::of(body, json!({}));
    not_sent(&mut run, 3_600);
    assert_eq!(run.wake(), Duration::from_secs(30));
    assert_eq!(run.error()["status"], 408);
    let program = program_of(&with_head(READ), &Bound::default());
    let mut run = Run::within(program, 10_000, 0);
    not_sent(&mut run, 3_600);
    assert_eq!(run.wake(), Duration::from_secs(10));
    assert_eq!(run.error()["status"], 408);
}

#[test]
fn what_is_put_off_in_a_block_that_is_tried_again_keeps_counting_there() {
    let body = "
do:
  - guarded:
      try:
        - get: { call: crm.read }
      catch: { retry: { delay: PT1S, limit: { attempt: { count: 3 } } } }
";
    let mut run = Run::of(body, json!({}));
    run.fail("get", failure(Class::Overloaded));
    run.wake();
    not_sent(&mut run, 60);
    run.wake();
    run.fail("get", failure(Class::Overloaded));
    run.wake();
    run.succeed("get", json!(1));
    let attempts: Vec<u32> = run.sent.iter().map(|request| request.attempt).collect();
    assert_eq!(attempts, [1, 2, 2, 3]);
}

#[test]
fn a_stated_pause_for_which_there_is_no_time_is_named() {
    let program = program_of(&with_head(READ), &Bound::default());
    let mut run = Run::within(program, 5_000, 0);
    run.fail("get", stated(30_000));
    let Outcome::Faulted { failure, .. } = run.outcome() else { panic!("it waits") };
    let said = "it asks for a pause of 30 s, and the run has 5 s until its deadline";
    assert!(failure.detail.contains(said), "{}", failure.detail);
}
