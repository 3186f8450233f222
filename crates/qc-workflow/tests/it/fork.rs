//! `fork`: branches side by side, and races.

use qc_model::Class;
use serde_json::json;

use crate::driver::{Run, ambiguous, failure, output_of};

const BOTH: &str = "
do:
  - both:
      fork:
        branches:
          - left: { call: crm.read }
          - right: { call: crm.upsert }
";

const RACE: &str = "
do:
  - race:
      fork:
        compete: true
        branches:
          - left: { call: crm.read }
          - right: { call: crm.create }
  - after: { set: { won: '${ . }' } }
";

#[test]
fn outputs_stand_in_the_order_of_the_branches() {
    let mut run = Run::of(BOTH, json!({}));
    run.succeed("right", json!("r")).succeed("left", json!("l"));
    assert_eq!(run.output(), &json!(["l", "r"]));
}

#[test]
fn branches_have_a_context_of_their_own_that_ends_with_them() {
    let body = "
do:
  - before: { set: { n: 0 }, export: { as: '{ who: \"main\" }' } }
  - both:
      fork:
        branches:
          - left: { set: { saw: '${ $context.who }' }, export: { as: '{ who: \"left\" }' } }
          - right: { set: { saw: '${ $context.who }' }, export: { as: '{ who: \"right\" }' } }
output: { as: '{ branches: ., context: $context }' }
";
    let output = output_of(body, json!({}));
    assert_eq!(output["branches"], json!([{"saw": "main"}, {"saw": "main"}]));
    assert_eq!(output["context"], json!({"who": "main"}));
}

#[test]
fn the_first_failure_ends_the_fork_after_the_others_are_settled() {
    let mut run = Run::of(BOTH, json!({}));
    run.fail("left", failure(Class::NotFound));
    assert!(run.machine().outcome().is_none());
    assert_eq!(run.interrupted, ["/do/0/both/fork/branches/1/right:0"]);
    run.succeed("right", json!(1));
    assert_eq!(run.error()["instance"], "/do/0/both/fork/branches/0/left");
    assert_eq!(run.finished.len(), 1);
}

#[test]
fn a_race_is_won_by_the_first_that_completes_and_settles_the_losers() {
    let mut run = Run::of(RACE, json!({}));
    run.succeed("left", json!("l"));
    assert_eq!(run.interrupted, ["/do/0/race/fork/branches/1/right:0"]);
    assert!(!run.started().contains(&"after"));
    run.fail("right", ambiguous(Class::Timeout));
    assert_eq!(run.output(), &json!({"won": "l"}));
}

#[test]
fn a_race_survives_failing_branches_and_fails_with_the_last() {
    let mut run = Run::of(RACE, json!({}));
    run.fail("left", failure(Class::NotFound)).succeed("right", json!("r"));
    assert_eq!(run.output(), &json!({"won": "r"}));
    let mut run = Run::of(RACE, json!({}));
    run.fail("left", failure(Class::NotFound)).fail("right", failure(Class::Conflict));
    assert_eq!(run.error()["status"], 409);
}

#[test]
fn a_race_decided_at_once_sends_nothing_for_the_losers() {
    let body = "
do:
  - race:
      fork:
        compete: true
        branches:
          - slow: { call: crm.create }
          - quick: { set: { quick: true } }
";
    let mut run = Run::of(body, json!({}));
    run.finish(|_| unreachable!());
    assert_eq!(run.output(), &json!({"quick": true}));
    assert!(run.sent.is_empty() && run.interrupted.is_empty(), "withdrawn in the same step");
}

#[test]
fn end_in_a_branch_ends_the_workflow() {
    let body = "
do:
  - both:
      fork:
        branches:
          - left: { call: crm.read }
          - right: { set: { ended: true }, then: end }
  - never: { set: { never: true } }
";
    let mut run = Run::of(body, json!({}));
    run.finish(|_| unreachable!());
    assert_eq!(run.output(), &json!({"ended": true}));
}

#[test]
fn what_is_cut_short_leaves_no_timer_behind() {
    let body = "
do:
  - race:
      fork:
        compete: true
        branches:
          - slow: { wait: PT1H }
          - quick: { call: crm.read }
  - after: { call: crm.read }
";
    let mut run = Run::of(body, json!({}));
    run.succeed("quick", json!(1));
    assert_eq!(run.machine().timers(), []);
    run.succeed("after", json!(2));
    assert_eq!(run.output(), 2);
}
