//! Limits: steps, size, nesting.

use std::fmt::Write as _;

use qc_workflow::STEP_BUDGET;
use serde_json::json;

use crate::driver::{Run, error_of, errors_of};

#[test]
fn a_loop_without_end_runs_out_of_steps_and_nothing_catches_that() {
    let body = "
do:
  - guarded:
      try:
        - round: { set: { n: '${ (.n // 0) + 1 }' } }
        - back: { switch: [ always: { then: round } ] }
      catch: { do: [ handled: { set: { handled: true } } ] }
";
    let error = error_of(body, json!({}));
    assert!(error["type"].as_str().expect("a type").ends_with("/runtime"));
    assert!(error["detail"].as_str().expect("a text").contains(&STEP_BUDGET.to_string()));
}

#[test]
fn functions_that_multiply_are_refused() {
    let mut text = "\nuse:\n  functions:\n    f0: { set: { a: 1 } }\n".to_owned();
    for n in 1..=12 {
        let _ = writeln!(
            text,
            "    f{n}: {{ do: [ a: {{ call: f{m} }}, b: {{ call: f{m} }} ] }}",
            m = n - 1
        );
    }
    text += "do:\n  - go: { call: f12 }\n";
    assert!(errors_of(&text).contains(&"QC-W016".to_owned()));
}

#[test]
fn a_function_cannot_call_itself() {
    let body = "
use:
  functions:
    a: { do: [ x: { call: b } ] }
    b: { do: [ y: { call: a } ] }
do:
  - go: { call: a }
";
    assert!(errors_of(body).contains(&"QC-W015".to_owned()));
}

#[test]
fn deep_nesting_is_refused() {
    let mut task = "{ set: { a: 1 } }".to_owned();
    for _ in 0..35 {
        task = format!("{{ do: [ t: {task} ] }}");
    }
    assert!(errors_of(&format!("\ndo:\n  - top: {task}\n")).contains(&"QC-W016".to_owned()));
}

#[test]
fn a_large_loop_is_fine() {
    let body = "\ndo:\n  - each: { for: { in: '[range(4000)]' }, do: [ keep: { set: { n: '${ $item }' } } ] }\n";
    let mut run = Run::of(body, json!({}));
    run.finish(|_| unreachable!());
    assert_eq!(run.output(), &json!({"n": 3999}));
}
