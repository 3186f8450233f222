//! What the operations do to the provider's resources.

use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use qc_model::Finding;
use serde_json::{Map, Value, json};

use super::visit::Visit;
use super::{Outcome, list, stamp};
use crate::blueprint::{Blueprint, CollectionRule, Operation, Parameters, Role, Routing};
use crate::codes;
use crate::exchange::SimResponse;
use crate::problem::Fields;
use crate::random::Random;
use crate::spec::{IdPart, Named};
use crate::state::Resources;

/// Performs an operation whose request is in order.
pub(super) fn act(
    resources: &mut Resources,
    lots: &mut Random,
    operation: &Operation,
    visit: &Visit<'_>,
) -> Outcome {
    let Routing::Found { parameters, .. } = &visit.routing else {
        return Outcome::unchanged(SimResponse::empty(StatusCode::NOT_FOUND));
    };
    let Some(rule) = operation.role.rule() else {
        let answer = operation.success.answer(None, operation.success.status, None);
        return Outcome { answer, applied: operation.changes(), replayed: false };
    };
    if let Some(parent) = missing_parent(resources, rule, parameters) {
        return refuse(operation, StatusCode::NOT_FOUND, &format!("there is no {parent}"));
    }
    match &operation.role {
        Role::Create(rule) => create(resources, lots, operation, rule, parameters, visit),
        Role::List(listing) => {
            let path = rule.path(parameters);
            Outcome::unchanged(list::answer(resources.collection(&path), operation, listing, visit))
        }
        Role::Read(rule) => match find(resources, rule, parameters) {
            Some(found) => Outcome::unchanged(operation.success.answer(
                Some(found),
                operation.success.status,
                None,
            )),
            None => missing(operation, rule, parameters),
        },
        Role::Put(rule) => put(resources, operation, rule, parameters, visit),
        Role::Patch(rule) => patch(resources, operation, rule, parameters, visit),
        Role::Delete(rule) => {
            let (path, id) = (rule.path(parameters), rule.item_id(parameters));
            match resources.remove(&path, &id) {
                Some(gone) => {
                    let status = operation.success.status;
                    let answer = operation.success.answer(Some(&gone), status, None);
                    Outcome { answer, applied: true, replayed: false }
                }
                None => missing(operation, rule, parameters),
            }
        }
        Role::Token | Role::Sample => {
            Outcome::unchanged(SimResponse::empty(operation.success.status))
        }
    }
}

fn find<'r>(
    resources: &'r Resources,
    rule: &CollectionRule,
    parameters: &Parameters,
) -> Option<&'r Value> {
    resources.get(&rule.path(parameters), &rule.item_id(parameters))
}

/// The resource above, when the provider itself makes such resources and this one is not there.
fn missing_parent(
    resources: &Resources,
    rule: &CollectionRule,
    parameters: &Parameters,
) -> Option<String> {
    let parent = rule.parent.as_ref()?;
    let (path, id) = (parent.path(parameters), parent.item_id(parameters));
    match resources.get(&path, &id) {
        Some(_) => missing_parent(resources, parent, parameters),
        None => Some(format!("{path}/{id}")),
    }
}

fn create(
    resources: &mut Resources,
    lots: &mut Random,
    operation: &Operation,
    rule: &CollectionRule,
    parameters: &Parameters,
    visit: &Visit<'_>,
) -> Outcome {
    let path = rule.path(parameters);
    let mut id = make_id(resources, lots, rule);
    // Ids that came with the initial state are passed over.
    for _ in 0..1000 {
        if resources.get(&path, &id).is_none() {
            break;
        }
        id = make_id(resources, lots, rule);
    }
    let mut resource = rule.blank.clone();
    rule.place_parameters(&mut resource, parameters);
    for field in rule.created.iter().chain(&rule.updated) {
        resource.insert(field.clone(), stamp(visit.now));
    }
    resource.extend(visit.fields());
    resource.insert(rule.id_field.clone(), rule.id_value(&id));
    let resource = Value::Object(resource);
    let location = format!("{}/{}", visit.path, utf8_percent_encode(&id, UNRESERVED));
    let answer =
        operation.success.answer(Some(&resource), operation.success.status, Some(&location));
    store(resources, operation, rule, &path, &id, resource, answer)
}

const UNRESERVED: &percent_encoding::AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn put(
    resources: &mut Resources,
    operation: &Operation,
    rule: &CollectionRule,
    parameters: &Parameters,
    visit: &Visit<'_>,
) -> Outcome {
    let (path, id) = (rule.path(parameters), rule.item_id(parameters));
    let old = resources.get(&path, &id);
    let mut resource = rule.blank.clone();
    rule.place_parameters(&mut resource, parameters);
    for field in &rule.created {
        let first = old.and_then(|old| old.get(field)).cloned();
        resource.insert(field.clone(), first.unwrap_or_else(|| stamp(visit.now)));
    }
    for field in &rule.updated {
        resource.insert(field.clone(), stamp(visit.now));
    }
    resource.extend(visit.fields());
    resource.insert(rule.id_field.clone(), rule.id_value(&id));
    let status = operation.success.status_of_put(old.is_none());
    let location = old.is_none().then_some(visit.path);
    let resource = Value::Object(resource);
    let answer = operation.success.answer(Some(&resource), status, location);
    store(resources, operation, rule, &path, &id, resource, answer)
}

fn patch(
    resources: &mut Resources,
    operation: &Operation,
    rule: &CollectionRule,
    parameters: &Parameters,
    visit: &Visit<'_>,
) -> Outcome {
    let (path, id) = (rule.path(parameters), rule.item_id(parameters));
    let Some(mut resource) = resources.get(&path, &id).cloned() else {
        return missing(operation, rule, parameters);
    };
    merge(&mut resource, &Value::Object(visit.fields()));
    if let Some(map) = resource.as_object_mut() {
        map.insert(rule.id_field.clone(), rule.id_value(&id));
        for field in &rule.updated {
            map.insert(field.clone(), stamp(visit.now));
        }
    }
    let answer = operation.success.answer(Some(&resource), operation.success.status, None);
    store(resources, operation, rule, &path, &id, resource, answer)
}

fn store(
    resources: &mut Resources,
    operation: &Operation,
    rule: &CollectionRule,
    path: &str,
    id: &str,
    resource: Value,
    answer: SimResponse,
) -> Outcome {
    match resources.put(path, id, resource, &rule.indexed) {
        Ok(_) => Outcome { answer, applied: true, replayed: false },
        Err(_) => {
            refuse(operation, StatusCode::INSUFFICIENT_STORAGE, "the simulated provider is full")
        }
    }
}

/// JSON Merge Patch (RFC 7396).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(target) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

fn make_id(resources: &mut Resources, lots: &mut Random, rule: &CollectionRule) -> String {
    let parts = rule.pattern.0.iter().map(|part| match part {
        IdPart::Text(text) => text.clone(),
        IdPart::Number => resources.next_number(&rule.template).to_string(),
        IdPart::Uuid => lots.uuid(),
    });
    parts.collect()
}

fn missing(operation: &Operation, rule: &CollectionRule, parameters: &Parameters) -> Outcome {
    let why = format!("there is no {}/{}", rule.path(parameters), rule.item_id(parameters));
    refuse(operation, StatusCode::NOT_FOUND, &why)
}

fn refuse(operation: &Operation, status: StatusCode, why: &str) -> Outcome {
    Outcome::unchanged(operation.errors.answer(status, why, &Fields::default()))
}

/// Puts the initial state of the simulator's file in.
pub(super) fn furnish(
    blueprint: &Blueprint,
    resources: &mut Resources,
    state: &[(Named, Vec<Value>)],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (collection, items) in state {
        let Some((rule, parameters)) = blueprint.collection_at(&collection.text) else {
            let message = format!("the document has no collection `{}`", collection.text);
            let finding = Finding::error(codes::UNKNOWN_COLLECTION, message);
            findings.push(finding.at(collection.place.clone()));
            continue;
        };
        for item in items {
            let id = match item.get(&rule.id_field) {
                Some(Value::String(id)) => id.clone(),
                Some(Value::Number(id)) => id.to_string(),
                _ => {
                    let message = format!(
                        "every resource of `{}` needs its id, `{}`",
                        collection.text, rule.id_field
                    );
                    let finding = Finding::error(codes::INITIAL_STATE, message);
                    findings.push(finding.at(collection.place.clone()));
                    continue;
                }
            };
            let mut resource = rule.blank.clone();
            rule.place_parameters(&mut resource, &parameters);
            resource.extend(item.as_object().cloned().unwrap_or_else(Map::new));
            let path = rule.path(&parameters);
            if resources.put(&path, &id, Value::Object(resource), &rule.indexed).is_err() {
                let message = "the initial state has more resources than a provider may hold";
                findings.push(Finding::error(codes::INITIAL_STATE, message));
                return findings;
            }
        }
    }
    findings
}
