//! How data move: input, output, export, schemas, loops, jumps, functions, events.

use std::collections::BTreeMap;

use qc_contract::Schema;
use serde_json::{Value, json};

use crate::driver::{Bound, Run, error_of, output_of};

#[test]
fn input_output_and_export_of_workflow_and_task() {
    let body = "
input: { from: .outer }
do:
  - one:
      input: { from: .n }
      set: { doubled: '${ . * 2 }', raw: '${ $task.input }' }
      output: { as: '{ result: .doubled, was: $input }' }
      export: { as: '$context + { kept: $output.result }' }
  - two: { set: { context: '${ $context }', input: '${ $input }' } }
output: { as: '{ last: ., context: $context.kept }' }
";
    let output = output_of(body, json!({"outer": {"n": 21}}));
    assert_eq!(
        output,
        json!({
            "last": {"context": {"n": 21, "kept": 42}, "input": {"result": 42, "was": 21}},
            "context": 42
        })
    );
}

#[test]
fn a_skipped_task_passes_its_input_on_and_ignores_then() {
    let body = "
do:
  - skipped: { if: .no, set: { a: 1 }, then: end }
  - after: { set: { seen: '${ . }' } }
";
    assert_eq!(output_of(body, json!({"no": false})), json!({"seen": {"no": false}}));
}

#[test]
fn schemas_are_enforced_at_every_door() {
    let schema = "schema: { document: { type: object, required: [a] } }";
    for (body, instance) in [
        (format!("\ninput: {{ {schema} }}\ndo:\n  - x: {{ set: {{ b: 1 }} }}\n"), "/"),
        (format!("\ndo:\n  - x: {{ input: {{ {schema} }}, set: {{ b: 1 }} }}\n"), "/do/0/x"),
        (format!("\ndo:\n  - x: {{ output: {{ {schema} }}, set: {{ b: 1 }} }}\n"), "/do/0/x"),
        (
            format!("\ndo:\n  - x: {{ export: {{ as: ., {schema} }}, set: {{ b: 1 }} }}\n"),
            "/do/0/x",
        ),
        (format!("\noutput: {{ {schema} }}\ndo:\n  - x: {{ set: {{ b: 1 }} }}\n"), "/"),
    ] {
        let error = error_of(&body, json!({}));
        assert_eq!(error["instance"], instance, "{body}");
        assert!(error["type"].as_str().expect("a type").ends_with("/validation"), "{body}");
        assert_eq!(error["status"], 400);
    }
}

#[test]
fn a_loop_hands_its_data_from_iteration_to_iteration() {
    let body = "
do:
  - sum:
      for: { in: .numbers, each: n, at: i }
      while: '(.total // 0) < 10'
      do:
        - add: { set: { total: '${ (.total // 0) + $n }', last: '${ $i }' } }
";
    assert_eq!(output_of(body, json!({"numbers": [1, 4, 6, 9]})), json!({"total": 11, "last": 2}));
    assert_eq!(output_of(body, json!({"numbers": []})), json!({"numbers": []}), "empty: the input");
    let error = error_of(body, json!({"numbers": {"a": 1}}));
    assert_eq!(error["instance"], "/do/0/sum");
}

#[test]
fn an_inner_loop_hides_the_variables_of_the_outer_one() {
    let body = "
do:
  - outer:
      for: { in: '[[1, 2], [3]]' }
      do:
        - inner:
            for: { in: $item }
            do:
              - add: { set: { all: '${ (.all // []) + [$item, $index] }' } }
";
    assert_eq!(output_of(body, json!({})), json!({"all": [1, 0, 2, 1, 3, 0]}));
}

#[test]
fn visits_count_iterations_and_jumps() {
    let body = "
do:
  - begin: { set: { n: '${ (.n // 0) + 1 }' } }
  - each:
      for: { in: '[1, 2]' }
      do:
        - get: { call: crm.read, output: { as: $input } }
  - again:
      switch:
        - more: { when: .n < 2, then: begin }
";
    let mut run = Run::of(body, json!({}));
    run.finish(|_| Ok(crate::driver::answer(json!(0))));
    let visits: Vec<String> = run.sent.iter().map(|request| request.id.to_string()).collect();
    let expected = ["0.0.0", "0.1.0", "1.0.0", "1.1.0"];
    assert_eq!(visits, expected.map(|visit| format!("/do/1/each/do/0/get:{visit}")));
}

#[test]
fn exit_leaves_the_list_and_end_the_workflow() {
    let body = |then: &str| {
        format!(
            "
do:
  - group:
      do:
        - a: {{ set: {{ a: 1 }}, then: {then} }}
        - b: {{ set: {{ b: 1 }} }}
      output: {{ as: '{{ group: . }}' }}
  - after: {{ set: {{ after: '${{ . }}' }} }}
output: {{ as: '{{ out: . }}' }}
"
        )
    };
    assert_eq!(output_of(&body("exit"), json!({})), json!({"out": {"after": {"group": {"a": 1}}}}));
    assert_eq!(output_of(&body("end"), json!({})), json!({"out": {"a": 1}}));
}

#[test]
fn functions_get_their_arguments_and_nothing_else() {
    let body = "
use:
  functions:
    greet:
      input: { schema: { document: { type: object, required: [name] } } }
      do:
        - hello: { set: { text: '${ \"Hello \\(.name)\" }', input: '${ $input }' } }
do:
  - one:
      for: { in: '[\"Ada\"]' }
      do:
        - call: { call: greet, with: { name: '${ $item }' } }
  - two: { call: greet, with: { nom: x } }
";
    let mut run = Run::of(body, json!({}));
    run.finish(|_| unreachable!());
    let error = run.error();
    assert_eq!(error["instance"], "/do/1/two/call/greet");
    let names: Vec<&str> = run.machine().program().tasks().map(|task| &*task.pointer).collect();
    assert!(names.contains(&"/do/0/one/do/0/call/call/greet/do/0/hello"), "{names:?}");
}

#[test]
fn an_event_has_the_same_id_whenever_it_is_sent() {
    let body = "
do:
  - guarded:
      try:
        - tell: { emit: { event: { with: { type: com.example.told, data: { n: '${ .n }' } } } } }
        - get: { call: crm.read }
      catch: { retry: { delay: PT1S } }
";
    let mut run = Run::of(body, json!({"n": 5}));
    run.fail("get", crate::driver::failure(qc_model::Class::Overloaded));
    run.wake();
    run.succeed("get", json!(1));
    let ids: Vec<&Value> = run.events.iter().map(|event| &event["id"]).collect();
    assert_eq!(ids, ["run-0:/do/0/guarded/try/0/tell:0.0"; 2]);
    assert_eq!(run.events[0]["source"], "/test/demo");
    assert_eq!(run.events[0]["data"], json!({"n": 5}));
    assert_eq!(run.events[0]["specversion"], "1.0");
}

#[test]
fn an_event_that_is_not_what_was_promised_is_not_emitted() {
    let body = "
do:
  - guarded:
      try:
        - tell: { emit: { event: { with: { type: com.example.told, data: '${ .data }' } } } }
      catch:
        errors: { with: { type: https://serverlessworkflow.io/spec/1.0.0/errors/validation } }
        as: error
        do:
          - say: { set: { was: '${ $error }' } }
  - other: { emit: { event: { with: { type: com.example.other, data: '${ 1 }' } } }, output: { as: '${ $input }' } }
";
    let contract = json!({
        "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } },
    });
    let files = BTreeMap::<String, String>::new();
    let schema = Schema::compile(&contract, &files).unwrap();
    let promised = BTreeMap::from([("com.example.told".to_owned(), vec![schema])]);
    let bound = Bound { promised, ..Bound::default() };
    let emitted = |data: Value| {
        let mut run = Run::with(body, json!({ "data": data }), &bound);
        run.finish(|_| unreachable!());
        let kinds = run.events.iter().map(|event| event["type"].as_str().unwrap().to_owned());
        (kinds.collect::<Vec<_>>(), run.output()["was"].clone())
    };
    let (told, other) = ("com.example.told", "com.example.other");
    assert_eq!(emitted(json!({"n": 5})).0, [told, other]);
    let (kinds, was) = emitted(json!({"n": "five, a secret"}));
    assert_eq!(kinds, [other]);
    let was = was.to_string();
    assert!(was.contains("do not fit its contract: `/n`"), "{was}");
    assert!(!was.contains("secret"), "{was}");
}

#[test]
fn descriptors_tell_of_workflow_runtime_and_task() {
    let body = "
do:
  - look:
      set:
        id: ${ $workflow.id }
        version: ${ $workflow.definition.document.version }
        tenant: ${ $runtime.metadata.tenant }
        reference: ${ $task.reference }
        began: ${ $task.startedAt.epoch.seconds }
        now: ${ now | floor }
";
    let output = output_of(body, json!({}));
    assert_eq!(output["id"], "run-1");
    assert_eq!(output["version"], "1.0.0");
    assert_eq!(output["tenant"], "acme");
    assert_eq!(output["reference"], "/do/0/look");
    assert_eq!(output["began"], 1_795_358_400);
    assert_eq!(output["now"], 1_795_358_400);
}
