//! Canary calls: an operation is asked on a schedule, so that a change of its answers is seen before a run meets it.

use std::time::Duration;

use qc_contract::{OpenApi, Operation};
use qc_document::{Node, ObjectReader};
use qc_workflow::Effect;
use serde_json::{Map, Value};

use super::EffectRule;

/// How often an operation is asked when nothing is said, and the most often that can be said.
const EVERY: Duration = Duration::from_secs(5 * 60);
const EVERY_AT_LEAST: Duration = Duration::from_secs(60);
/// The most rarely that can be said.
const EVERY_AT_MOST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// That an operation is asked by the platform itself.
#[derive(Debug, Clone, PartialEq)]
pub struct CanaryRule {
    /// How often.
    pub every: Duration,
    /// With which arguments.
    pub arguments: Value,
}

impl CanaryRule {
    pub(super) fn read(mut object: ObjectReader<'_, '_>) -> Self {
        let node = object.optional("every");
        let every = object.optional_duration("every").unwrap_or(EVERY);
        if let (Some(node), false) = (node, (EVERY_AT_LEAST..=EVERY_AT_MOST).contains(&every)) {
            object.reader().invalid(node, "`every` of a canary is at least 1m and at most 7d");
        }
        let node = object.optional("with");
        let with = object.optional_object("with").map(|mut with| {
            drop(with.rest());
            with.finish();
            node.map_or(Value::Null, Node::to_value)
        });
        object.finish();
        Self { every, arguments: with.unwrap_or_else(|| Value::Object(Map::new())) }
    }

    /// Why an operation cannot be asked so, in words; None: it can.
    pub(super) fn refused(
        &self,
        api: &OpenApi,
        operation: &Operation,
        declared: Option<&EffectRule>,
    ) -> Option<String> {
        let (id, method) = (&operation.id, operation.method.as_str());
        let class = declared.map(|rule| rule.class);
        let reads = match method {
            "GET" | "HEAD" | "QUERY" => class.is_none_or(|class| class == Effect::Idempotent),
            "POST" => class == Some(Effect::Idempotent),
            _ => false,
        };
        if !reads {
            return Some(format!(
                "a canary must not change anything: `{id}` is a {method} of the effect class `{}`; only a GET, HEAD or \
                 QUERY, or a POST that is declared `idempotent` because it only searches, can be asked on a schedule",
                class.unwrap_or_else(|| EffectRule::derived(method).class).as_str(),
            ));
        }
        let built = api.build(operation, &self.arguments).err()?;
        let of = |one: &qc_contract::Mismatch| format!("`{}`: {}", one.pointer, one.message);
        let first: Vec<String> = built.iter().take(3).map(of).collect();
        Some(format!("`with` is no legal call of `{id}`: {}", first.join("; ")))
    }
}
