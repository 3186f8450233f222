//! What a run costs in the machine alone: `cargo run --release -p qc-workflow --example cost`.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use qc_document::{ParseLimits, Source, parse_yaml};
use qc_model::{Finding, Timestamp};
use qc_workflow::{
    Action, Bindings, CallOutput, CallPolicy, Effect, Happening, Input, Machine, RequestFacts,
    RuntimeFacts, Start, compile, load,
};
use serde_json::{Value, json};

struct Everything;

impl Bindings for Everything {
    fn operation(&self, _: &str, _: &str) -> Option<CallPolicy> {
        Some(CallPolicy { effect: Effect::Keyed, ..CallPolicy::default() })
    }

    fn operation_names(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn http_default(&self, _: &str) -> CallPolicy {
        CallPolicy::default()
    }

    fn task_override(&self, _: &str, _: &str) -> Option<CallPolicy> {
        None
    }

    fn openapi(&self, _: &str, _: &str) -> Result<CallPolicy, Box<Finding>> {
        Ok(CallPolicy::default())
    }
}

const ONE: &str = "
document: { dsl: '1.0.3', namespace: cost, name: one, version: '1.0.0' }
do:
  - create: { call: crm.create, with: { title: '${ .title }', id: '${ .customer.id }' } }
";

const THREE: &str = "
document: { dsl: '1.0.3', namespace: cost, name: three, version: '1.0.0' }
do:
  - create: { call: crm.create, with: { title: '${ .title }' }, export: { as: '{ ticket: .id }' } }
  - sync: { call: crm.sync, with: { ticket: '${ $context.ticket }' } }
  - tell: { call: chat.post, with: { text: '${ \"ticket \\($context.ticket)\" }' } }
";

fn main() {
    let small = json!({"title": "It is broken", "customer": {"id": 7}});
    let mut large = small.clone();
    large["padding"] =
        (0..1_000).map(|n| json!({"n": n, "text": "some text of a line's length"})).collect();
    for (name, text) in [("one call", ONE), ("three calls", THREE)] {
        for (size, input) in [("small input", &small), ("70 KB input", &large)] {
            measure(&format!("{name}, {size}"), text, input);
        }
    }
}

fn measure(name: &str, text: &str, input: &Value) {
    let document = parse_yaml(Source::new("cost.yaml", text), &ParseLimits::default());
    let document = document.expect("is YAML");
    let workflow = load(&document).0.expect("loads");
    let program = Arc::new(compile(&workflow, &Everything).0.expect("compiles"));
    let at = Timestamp::from_millis(1_795_358_400_000);
    let start = Start {
        run: "run".into(),
        origin: "run".into(),
        input: input.clone(),
        at,
        entropy: 1,
        runtime: RuntimeFacts {
            name: "quickconnect".into(),
            version: "0".into(),
            metadata: Value::Null,
        },
        depth: 0,
        deadline: None,
    };
    let output = CallOutput {
        status: 200,
        headers: BTreeMap::new(),
        content: json!({"id": 99}),
        request: RequestFacts::default(),
    };
    let rounds = 20_000u32;
    let mut steps = 0u32;
    let began = Instant::now();
    for _ in 0..rounds {
        let (mut machine, mut actions) = Machine::start(Arc::clone(&program), &start);
        steps += 1;
        while let Some(Action::Call(call)) =
            actions.into_iter().find(|action| matches!(action, Action::Call(_)))
        {
            let (call, attempt, output) = (call.id, call.attempt, output.clone());
            let happening = Happening::CallSucceeded { call, attempt, output };
            (machine, actions) = machine.step(&Input { at, entropy: 1, happening });
            steps += 1;
        }
        assert!(machine.outcome().is_some(), "the run ends");
    }
    let each = began.elapsed().as_nanos() / u128::from(steps);
    println!(
        "{name}: {each} ns a step, {} ns a run",
        began.elapsed().as_nanos() / u128::from(rounds)
    );
}
