//! Policies of a project: read, checked against the schema, and kept from undoing what the house promises.

use std::{collections::BTreeSet, str::FromStr};

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic;
use serde_json::Value;

use super::{Matrix, Outcome, SHIPPED};
use crate::{Role, TokenKind};

/// Attributes that the matrix goes through one by one. A policy that asks for another depends on more than a cell says.
const GONE_THROUGH: [&str; 6] = ["kind", "production", "in_scope", "granted", "local", "type"];

/// What is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    /// The file; empty when it is about all together.
    pub file: String,
    /// The line, from 1; None when it is about the whole file.
    pub line: Option<usize>,
    /// What is wrong, in words.
    pub reason: String,
}

impl std::fmt::Display for PolicyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => f.write_str(&self.reason),
            (file, Some(line)) => write!(f, "{file}:{line}: {}", self.reason),
            (file, None) => write!(f, "{file}: {}", self.reason),
        }
    }
}

/// Ours and these, under names that are told when they decide: of ours the `@id`, else `file#id` or `file#number`.
pub(super) fn assemble(
    schema: &Schema,
    files: &[(String, String)],
) -> Result<PolicySet, Vec<PolicyError>> {
    let mut all = PolicySet::new();
    let mut wrong = Vec::new();
    let ours = PolicySet::from_str(SHIPPED).expect("our own policies are legal");
    for policy in ours.policies() {
        let id = policy.annotation("id").expect("each of ours has a name").to_owned();
        all.add(policy.new_id(PolicyId::new(id))).expect("our names differ");
    }
    for (file, text) in files {
        match PolicySet::from_str(text) {
            Ok(set) => add(&mut all, file, text, &set, &mut wrong),
            Err(errors) => wrong.extend(errors.iter().map(|error| PolicyError {
                file: file.clone(),
                line: line(error, text),
                reason: error.to_string(),
            })),
        }
    }
    if wrong.is_empty() {
        let checked = Validator::new(schema.clone()).validate(&all, ValidationMode::Strict);
        wrong.extend(checked.validation_errors().map(|error| {
            let id: &str = error.policy_id().as_ref();
            let file = id.split('#').next().unwrap_or_default();
            let text = files.iter().find(|(name, _)| name == file).map_or("", |(_, text)| text);
            PolicyError {
                file: file.to_owned(),
                line: line(error, text),
                reason: error.to_string(),
            }
        }));
    }
    if wrong.is_empty() { Ok(all) } else { Err(wrong) }
}

fn add(all: &mut PolicySet, file: &str, text: &str, set: &PolicySet, wrong: &mut Vec<PolicyError>) {
    let fail = |reason: String| PolicyError { file: file.to_owned(), line: None, reason };
    if set.templates().next().is_some() {
        wrong.push(fail(
            "it has a template (`?principal` or `?resource`): name who and what".into(),
        ));
    }
    if set.is_empty() && !text.trim().is_empty() {
        wrong.push(fail("there is no policy in it".into()));
    }
    for policy in set.policies() {
        let own: &str = policy.id().as_ref();
        let own = own.strip_prefix("policy").unwrap_or(own);
        let name = format!("{file}#{}", policy.annotation("id").unwrap_or(own));
        if all.add(policy.new_id(PolicyId::new(&name))).is_err() {
            wrong.push(fail(format!("two policies are called `{name}`")));
        }
    }
}

/// The line in which what is wrong begins, from 1.
fn line(error: &dyn Diagnostic, text: &str) -> Option<usize> {
    let at = error.labels()?.next()?.offset();
    Some(text.get(..at)?.lines().count().max(1))
}

/// The same rules, each policy that depends on more than a cell of the matrix says taken as narrow and as wide as it can
/// be: (what is allowed in any case, what may be allowed).
pub(super) fn bounds(set: &PolicySet) -> (PolicySet, PolicySet) {
    let (mut least, mut most) = (PolicySet::new(), PolicySet::new());
    let put = |set: &mut PolicySet, policy: Policy| set.add(policy).expect("names differ already");
    for policy in set.policies() {
        let Some(wide) = freed(policy) else {
            put(&mut least, policy.clone());
            put(&mut most, policy.clone());
            continue;
        };
        match policy.effect() {
            Effect::Permit => put(&mut most, wide),
            Effect::Forbid => put(&mut least, wide),
        }
    }
    (least, most)
}

/// The rules without what the project forbids.
pub(super) fn without_own_forbids(set: &PolicySet) -> PolicySet {
    let kept = set.policies().filter(|policy| {
        policy.effect() == Effect::Permit || !policy.id().to_string().contains('#')
    });
    PolicySet::from_policies(kept.cloned()).expect("names differ already")
}

/// The policy without its conditions, when it depends on what the matrix does not go through.
fn freed(policy: &Policy) -> Option<Policy> {
    // Ours depend on nothing but what the matrix goes through, and on the token's own environment.
    if !policy.id().to_string().contains('#') {
        return None;
    }
    let mut form = policy.to_json().expect("what was read can be written");
    let named = |part: &Value| match part["op"].as_str() {
        None | Some("All" | "is") => false,
        // Roles are gone through.
        Some(_) => part["entity"]["type"] != "QC::Role",
    };
    let (who, what) = (named(&form["principal"]), named(&form["resource"]));
    if !who && !what && !asks_further(&form["conditions"]) {
        return None;
    }
    let all = serde_json::json!({"op": "All"});
    if who {
        form["principal"] = all.clone();
    }
    if what {
        form["resource"] = all;
    }
    form["conditions"] = Value::Array(Vec::new());
    let wide = Policy::from_json(Some(policy.id().clone()), form);
    Some(wide.expect("a policy without conditions is legal"))
}

/// Whether an expression asks for an attribute, or for who or what it is about, beyond what is gone through.
fn asks_further(form: &Value) -> bool {
    match form {
        Value::Object(fields) => fields.iter().any(|(key, inner)| match key.as_str() {
            "." | "has" => {
                let known = inner["attr"].as_str().is_some_and(|attr| GONE_THROUGH.contains(&attr));
                !(known && inner["left"]["Var"].is_string())
            }
            "in" => {
                let role = inner["right"]["Value"]["__entity"]["type"] == "QC::Role";
                let action = inner["left"]["Var"] == "action";
                !(action || (role && inner["left"]["Var"] == "principal"))
            }
            "Var" => inner == "principal" || inner == "resource",
            _ => asks_further(inner),
        }),
        Value::Array(items) => items.iter().any(asks_further),
        _ => false,
    }
}

/// What these rules would break: a role with two of setup, execution and troubleshooting.
pub(super) fn broken_promises(matrix: &Matrix) -> Vec<PolicyError> {
    let mut wrong = Vec::new();
    for role in Role::ALL {
        let powers: BTreeSet<&str> = matrix
            .cells()
            .iter()
            .filter(|cell| cell.role == role && cell.kind != TokenKind::Local)
            .filter(|cell| cell.outcome != Outcome::Deny && cell.action.power().is_exclusive())
            .map(|cell| cell.action.power().as_str())
            .collect();
        if powers.len() > 1 {
            let powers: Vec<&str> = powers.into_iter().collect();
            let reason = format!(
                "the role {} would have {}: setup, execution and troubleshooting are of different roles",
                role.as_str(),
                powers.join(" and "),
            );
            wrong.push(PolicyError { file: String::new(), line: None, reason });
        }
    }
    wrong
}
