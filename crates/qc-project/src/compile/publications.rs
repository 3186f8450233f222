//! What is published, as the engine takes it.

use std::collections::BTreeMap;

use qc_engine::{Publication, Target};
use qc_model::{Finding, Name};

use super::triggers::{broker, compile_jq};
use crate::project::IntegrationFolder;

/// Compiles all publications of an integration. What is wrong is among the findings, and not in the result.
pub(crate) fn publications(
    folder: &IntegrationFolder,
    findings: &mut Vec<Finding>,
) -> BTreeMap<Name, Publication> {
    let Some(definition) = &folder.definition else { return BTreeMap::new() };
    let mut compiled = BTreeMap::new();
    for (name, spec) in definition.value.publishes.iter() {
        let amqp = &spec.to.amqp;
        match compile_jq(definition, &amqp.routing_key, &[]) {
            Ok(routing_key) => {
                let to = Target::Amqp {
                    broker: broker(&amqp.broker.value),
                    exchange: amqp.exchange.0.clone(),
                    routing_key,
                };
                let kind = spec.kind.value.0.clone();
                compiled.insert(name.value.clone(), Publication { kind, to });
            }
            Err(finding) => findings.push(*finding),
        }
    }
    compiled
}
