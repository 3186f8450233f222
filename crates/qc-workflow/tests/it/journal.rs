//! Journals that earlier versions wrote still fold.

use qc_workflow::{Input, Machine, Outcome, Start};
use serde_json::json;

use crate::driver::{Bound, program_of, with_head};

/// A start and its inputs as version 0.1.0 wrote them, before there were depths, events and
/// children.
const START: &str = r#"{"run":"01JD9Z","origin":"01JD9Z","input":{"id":7},"at":"2026-11-22T14:40:00.000Z","entropy":42,"runtime":{"name":"quickconnect","version":"0.1.0","metadata":{"tenant":"acme"}}}"#;
const INPUTS: [&str; 4] = [
    r#"{"at":"2026-11-22T14:40:01.000Z","entropy":1,"happening":{"kind":"call_failed","call":{"pointer":"/do/0/get","visit":"0"},"attempt":1,"failure":{"class":"overloaded","code":"QC-N111","title":"t","detail":"d","status":503,"applied":"no","retry":{"after":{}},"next_action":"wait_until"}}}"#,
    r#"{"at":"2026-11-22T14:40:02.000Z","entropy":2,"happening":{"kind":"timer_fired","timer":1}}"#,
    r#"{"at":"2026-11-22T14:40:03.000Z","entropy":3,"happening":{"kind":"call_succeeded","call":{"pointer":"/do/0/get","visit":"0"},"attempt":2,"output":{"status":200,"headers":{},"content":{"n":1},"request":{"method":"GET","uri":"u","headers":{}}}}}"#,
    r#"{"at":"2026-11-22T14:40:04.000Z","entropy":4,"happening":{"kind":"cancelled","reason":"enough"}}"#,
];

#[test]
fn a_journal_of_the_earlier_version_folds() {
    let body = "\ndo:\n  - get: { call: crm.read }\n  - pause: { wait: PT1H }\n";
    let program = program_of(&with_head(body), &Bound::default());
    let start: Start = serde_json::from_str(START).expect("an earlier start");
    assert_eq!(start.depth, 0);
    let written = serde_json::to_string(&start).expect("it is written");
    assert_eq!(written, START, "what is not used is not written");
    let (mut machine, _) = Machine::start(program, &start);
    for text in INPUTS {
        let input: Input = serde_json::from_str(text).expect("an earlier input");
        machine = machine.step(&input).0;
    }
    let expected = Outcome::Cancelled { reason: "enough".into(), compensation: None };
    assert_eq!(machine.outcome(), Some(&expected));
    let outcome = json!({"kind": "faulted", "failure": serde_json::from_str::<serde_json::Value>(INPUTS[0]).expect("JSON")["happening"]["failure"], "error": {}});
    assert!(matches!(
        serde_json::from_value(outcome),
        Ok(Outcome::Faulted { compensation: None, .. })
    ));
}
