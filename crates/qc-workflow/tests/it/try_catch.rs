//! `try` and `catch`: what is caught, and what then happens.

use qc_model::Class;
use qc_workflow::NoteKind;
use serde_json::{Value, json};

use crate::driver::{Run, ambiguous, error_of, failure, output_of};

fn raising(status: u16, catch: &str) -> String {
    format!(
        "
do:
  - guarded:
      try:
        - fail: {{ raise: {{ error: {{ type: 'https://example.com/broken', status: {status}, title: Broken, detail: really }} }} }}
      catch: {catch}
  - after: {{ set: {{ seen: '${{ . }}', context: '${{ $context }}' }} }}
"
    )
}

#[test]
fn a_catch_without_do_passes_the_input_on() {
    let output = output_of(&raising(500, "{}"), json!({"a": 1}));
    assert_eq!(output["seen"], json!({"a": 1}));
}

#[test]
fn the_filter_compares_every_property_that_it_names() {
    let caught = |filter: &str| {
        let mut run = Run::of(&raising(503, filter), json!({}));
        matches!(run.finish(|_| unreachable!()), qc_workflow::Outcome::Completed { .. })
    };
    assert!(caught("{ errors: { with: { status: 503 } } }"));
    assert!(!caught("{ errors: { with: { status: 502 } } }"));
    assert!(caught(
        "{ errors: { with: { type: 'https://example.com/broken', title: Broken, detail: really } } }"
    ));
    assert!(!caught("{ errors: { with: { status: 503, title: Other } } }"));
    assert!(caught("{ errors: { with: { instance: /do/0/guarded/try/0/fail } } }"));
    assert!(!caught("{ errors: { with: { type: 'https://example.com/other' } } }"));
}

#[test]
fn standard_types_are_equal_in_all_spellings() {
    for kind in [
        "https://serverlessworkflow.io/dsl/errors/types/communication",
        "https://open-workflow-specification.org/spec/1.0.0/errors/communication",
    ] {
        let body = format!(
            "
do:
  - guarded:
      try:
        - get: {{ call: http, with: {{ method: get, endpoint: 'https://x.example/' }} }}
      catch: {{ errors: {{ with: {{ type: '{kind}' }} }} }}
"
        );
        let mut run = Run::of(&body, json!({}));
        run.fail("get", failure(Class::NotFound));
        run.output();
    }
}

#[test]
fn conditions_see_the_error_and_the_input() {
    let catch = "{ as: problem, when: '$problem.status == 500 and .go', exceptWhen: .stop }";
    let caught = |input: Value| {
        let mut run = Run::of(&raising(500, catch), input);
        matches!(run.finish(|_| unreachable!()), qc_workflow::Outcome::Completed { .. })
    };
    assert!(caught(json!({"go": true})));
    assert!(!caught(json!({"go": false})));
    assert!(!caught(json!({"go": true, "stop": true})));
}

#[test]
fn a_condition_that_fails_replaces_the_error() {
    let error = error_of(&raising(500, "{ when: '.a | error(\"no\")' }"), json!({}));
    assert_eq!(error["instance"], "/do/0/guarded");
    assert!(error["type"].as_str().expect("a type").ends_with("/expression"));
}

#[test]
fn then_of_the_catch_replaces_the_normal_flow() {
    let body = "
do:
  - guarded:
      try:
        - fail: { raise: { error: { type: 'https://example.com/x', status: 500 } } }
      catch: { then: failed }
      then: fine
  - fine: { set: { way: fine }, then: end }
  - failed: { set: { way: failed } }
";
    assert_eq!(output_of(body, json!({})), json!({"way": "failed"}));
}

#[test]
fn an_error_in_the_handler_is_not_caught_by_the_same_catch() {
    let body = "
do:
  - outer:
      try:
        - inner:
            try:
              - a: { raise: { error: { type: 'https://example.com/a', status: 500 } } }
            catch:
              do:
                - b: { raise: { error: { type: 'https://example.com/b', status: 500 } } }
      catch:
        as: e
        do:
          - keep: { set: { caught: '${ $e.type }', at: '${ $e.instance }' } }
";
    let output = output_of(body, json!({}));
    assert_eq!(output["caught"], "https://example.com/b");
    assert_eq!(output["at"], "/do/0/outer/try/0/inner/catch/do/0/b");
}

#[test]
fn the_handler_begins_with_the_input_of_the_try_and_its_output_is_the_tasks() {
    let body = "
do:
  - guarded:
      try:
        - change: { set: { a: 2 } }
        - fail: { raise: { error: { type: 'https://example.com/a', status: 500 } } }
      catch:
        do:
          - keep: { set: { a: '${ .a }' } }
      output: { as: '{ kept: .a }' }
";
    assert_eq!(output_of(body, json!({"a": 1})), json!({"kept": 1}));
}

#[test]
fn catching_cuts_branches_and_settles_what_they_sent_first() {
    let body = "
do:
  - guarded:
      try:
        - both:
            fork:
              branches:
                - slow: { call: crm.create }
                - quick: { call: crm.read }
      catch:
        do:
          - handled: { set: { handled: true } }
";
    let mut run = Run::of(body, json!({}));
    run.fail("quick", failure(Class::NotFound));
    assert_eq!(run.interrupted, ["/do/0/guarded/try/0/both/fork/branches/0/slow:0.0"]);
    assert!(!run.started().contains(&"handled"), "the sent call is settled first");
    assert_eq!(run.machine().interrupted().len(), 1);
    assert_eq!(run.machine().outstanding().len(), 1);
    run.fail("slow", ambiguous(Class::Timeout));
    assert_eq!(run.output(), &json!({"handled": true}));
    assert_eq!(run.noted(|kind| *kind == NoteKind::Cancelled), ["both", "slow", "quick"]);
}
