//! Single changes of one description, by area: each is told by its rule, weighs what it should, and is told on the way back.

use qc_contract::{Area, Level};
use serde_json::{Value, json};

use crate::{compared, edited, shop};

/// Fewest changes of an area.
const FEWEST: usize = 17;

/// One change and what must be told of it.
#[derive(Default)]
struct Mutation {
    level: String,
    rule: String,
    edits: Vec<(String, Option<Value>)>,
}

fn read(text: &str) -> Vec<Mutation> {
    let mut mutations: Vec<Mutation> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(edit) = line.strip_prefix("  ") {
            let (pointer, value) = edit.split_once(' ').expect("has a value");
            let value = value.strip_prefix("= ");
            let value = value.map(|value| serde_json::from_str(value).expect("is JSON"));
            let mutation = mutations.last_mut().expect("an edit is below a rule");
            mutation.edits.push((pointer.to_owned(), value));
        } else {
            let (level, rule) = line.split_once(' ').expect("a level and a rule");
            let (level, rule) = (level.to_owned(), rule.to_owned());
            mutations.push(Mutation { level, rule, edits: Vec::new() });
        }
    }
    mutations
}

fn are_found(text: &str) {
    let mutations = read(text);
    assert!(mutations.len() >= FEWEST, "{}", mutations.len());
    let base = shop();
    let mut wrong = Vec::new();
    for Mutation { level, rule, edits } in mutations {
        let new = edited(&base, &edits);
        let comparison = compared(&base, &new);
        let all: Vec<String> = comparison
            .changes
            .iter()
            .map(|change| format!("{} {}", change.level, change.rule.id))
            .collect();
        // A break is followed by what is said about the version: that is never heavier.
        let heaviest = comparison.changes.first().map(|change| change.level.as_str());
        if !all.contains(&format!("{level} {rule}")) || heaviest != Some(&level) {
            wrong.push(format!("{edits:?}\n   wanted {level} {rule}, got {all:?}"));
        }
        for change in &comparison.changes {
            let is_placed = change.old.place.is_some() && change.new.place.is_some();
            assert!(is_placed, "{}: {:?} {:?}", change.rule.id, change.old, change.new);
        }
        assert!(!compared(&new, &base).changes.is_empty(), "{edits:?}: nothing on the way back");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_callers_send() {
    are_found(include_str!("mutations/requests.txt"));
}

#[test]
fn what_callers_get() {
    are_found(include_str!("mutations/responses.txt"));
}

#[test]
fn how_callers_prove_who_they_are() {
    are_found(include_str!("mutations/authentication.txt"));
}

#[test]
fn how_failures_are_told() {
    are_found(include_str!("mutations/errors.txt"));
}

#[test]
fn operations_servers_limits_and_events() {
    are_found(include_str!("mutations/operations.txt"));
}

#[test]
fn a_scheme_under_another_name_is_the_same() {
    let renamed = shop().to_string().replace("\"oauth\"", "\"login\"");
    let renamed: Value = serde_json::from_str(&renamed).expect("is JSON");
    let comparison = compared(&shop(), &renamed);
    assert_eq!(comparison.changes.len(), 0, "{:?}", comparison.changes);
}

#[test]
fn what_is_about_failures_says_so_and_is_told_once() {
    let base = shop();
    let edits = [("/components/schemas/Problem/properties/detail", None)];
    let comparison = compared(&base, &edited(&base, &edits));
    assert_eq!(comparison.changes.len(), 1, "one change, however many answers use it");
    assert_eq!(comparison.changes[0].area, Area::Errors);
    assert_eq!(comparison.changes[0].uses.named, ["GET /orders", "POST /orders"]);
}

#[test]
fn what_a_provider_sends_by_itself_is_read_by_its_consumers() {
    let event = json!({"paid": {"post": {
        "requestBody": {"content": {"application/json": {"schema": {
            "type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}
        }}}},
        "responses": {"200": {"description": "ok"}}
    }}});
    let base = edited(&shop(), &[("/webhooks", Some(event))]);
    let schema = "/webhooks/paid/post/requestBody/content/application~1json/schema/required";
    let comparison = compared(&base, &edited(&base, &[(schema, None)]));
    let found: Vec<&str> = comparison.changes.iter().map(|change| &*change.rule.id).collect();
    assert_eq!(found[0], "response-property-became-optional", "{found:?}");
    let comparison = compared(&base, &edited(&base, &[("/webhooks", None)]));
    let first = &comparison.changes[0];
    assert_eq!((&*first.rule.id, first.level), ("webhook-removed", Level::Breaking));
}

#[test]
fn a_union_that_gives_way_to_what_held_for_all_of_it_breaks_nobody() {
    let at = "/components/schemas/NewOrder";
    let union = json!([
        {"properties": {"note": {"enum": ["gift"]}}, "required": ["note"], "additionalProperties": true},
        {"properties": {"priority": {"enum": ["low"]}}, "additionalProperties": true}
    ]);
    let old = edited(&shop(), &[(format!("{at}/anyOf"), Some(union))]);
    let comparison = compared(&old, &shop());
    let heaviest = comparison.changes.first().map(|change| (change.level, &*change.rule.id));
    assert!(heaviest.is_some_and(|(level, _)| level <= Level::Additive), "{heaviest:?}");
    // An alternative that named what nobody names any more is missed.
    let union = json!([
        {"properties": {"note": {"enum": ["gift"]}}},
        {"properties": {"wish": {"type": "string"}}, "required": ["wish"]}
    ]);
    let old = edited(&shop(), &[(format!("{at}/anyOf"), Some(union))]);
    assert_eq!(compared(&old, &shop()).changes[0].level, Level::Breaking);
}

#[test]
fn the_widest_format_of_a_number_refuses_nothing_that_is_in_use() {
    for (at, rule) in [
        ("/components/schemas/NewOrder/properties/discount", "request-format-narrowed"),
        ("/paths/~1orders/get/parameters/1/schema", "request-format-narrowed"),
    ] {
        for (format, level) in [("int64", Level::Risky), ("int32", Level::Breaking)] {
            let new = edited(&shop(), &[(format!("{at}/format"), Some(format.into()))]);
            let comparison = compared(&shop(), &new);
            let first = &comparison.changes[0];
            assert_eq!((&*first.rule.id, first.level), (rule, level), "{format}");
        }
    }
    let at = "/paths/~1orders/get/responses/200/headers/X-Total/schema/format";
    for (format, level) in [("int64", Level::Risky), ("int32", Level::Breaking)] {
        let old = edited(&shop(), &[(at, Some(format.into()))]);
        let comparison = compared(&old, &shop());
        let first = &comparison.changes[0];
        assert_eq!((&*first.rule.id, first.level), ("response-format-widened", level), "{format}");
    }
}
