//! Plain JSON Schemas, in the modes of registries.

use std::collections::BTreeMap;

use qc_contract::{Comparison, Mode, Options, Profile, SchemaDocument, Verdict, compare_schemas};
use serde_json::{Value, json};

fn compared(old: &Value, new: &Value, mode: Mode) -> Comparison {
    let load = |value: &Value| {
        let files = BTreeMap::from([("s.json".to_owned(), value.to_string())]);
        SchemaDocument::load(&files, "s.json").expect("loads")
    };
    let profile = Profile::default();
    compare_schemas(&load(old), &load(new), mode, Options { profile: &profile, today: None })
}

#[test]
fn each_mode_asks_its_own_question() {
    let narrow = json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "maxLength": 5}}});
    let wide = json!({"type": "object", "properties": {"a": {"type": "string", "maxLength": 9}}});
    let verdict = |old: &Value, new: &Value, mode: Mode| compared(old, new, mode).verdict;
    assert_eq!(verdict(&narrow, &wide, Mode::Backward), Verdict::NonBreaking);
    assert_eq!(verdict(&narrow, &wide, Mode::Forward), Verdict::Breaking);
    assert_eq!(verdict(&narrow, &wide, Mode::Full), Verdict::Breaking);
    assert_eq!(verdict(&wide, &narrow, Mode::Backward), Verdict::Breaking);
    assert_eq!(verdict(&wide, &narrow, Mode::Forward), Verdict::NonBreaking);
    assert_eq!(verdict(&wide, &wide, Mode::Full), Verdict::NoChange);
}

#[test]
fn a_break_is_shown_by_a_value() {
    let old = json!({"type": "integer"});
    let new = json!({"type": "integer", "minimum": 10});
    let comparison = compared(&old, &new, Mode::Backward);
    let witness = comparison.changes.iter().find_map(|change| change.witness.as_ref());
    let witness = witness.and_then(Value::as_i64).expect("there is one");
    assert!(witness < 10);
}

#[test]
fn silence_is_read_to_the_letter() {
    // An open schema admits any value under a name that is not described yet.
    let old = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let new =
        json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}});
    assert_eq!(compared(&old, &new, Mode::Backward).verdict, Verdict::Breaking);
    assert_eq!(compared(&old, &new, Mode::Forward).verdict, Verdict::NonBreaking);
}

#[test]
fn modes_have_names() {
    assert_eq!(Mode::parse("backward"), Some((Mode::Backward, false)));
    assert_eq!(Mode::parse("full-transitive"), Some((Mode::Full, true)));
    assert_eq!(Mode::parse("sideways"), None);
}
