//! What an integration may do with its connectors and see of them, as the outbound stack takes it.

use std::collections::BTreeMap;

use qc_connect::call::{Binding, Quota, View};
use qc_model::Finding;

use super::triggers::compile_jq;
use crate::{
    Project,
    integration::{BindingSpec, Integration, ViewSpec},
    project::{IntegrationFolder, Loaded},
};

/// The bindings of an integration, by connector. What is wrong is among the findings, and not in the result.
pub(crate) fn narrowing(
    project: &Project,
    folder: &IntegrationFolder,
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, Binding> {
    let Some(definition) = &folder.definition else { return BTreeMap::new() };
    let bound = definition.value.systems.iter().filter_map(|(name, system)| {
        let spec = system.binding.as_ref()?;
        let connector = project.connector_of(&name.value, system)?;
        Some((connector.to_string(), binding(definition, &spec.value, findings)))
    });
    bound.collect()
}

fn binding(
    definition: &Loaded<Integration>,
    spec: &BindingSpec,
    findings: &mut Vec<Finding>,
) -> Binding {
    let operations: BTreeMap<String, View> = spec
        .operations
        .iter()
        .map(|(name, spec)| (name.value.clone(), view(definition, spec, findings)))
        .collect();
    let quota = spec.quota.as_ref();
    Binding {
        operations: (!operations.is_empty()).then_some(operations),
        quota: quota.map(|quota| Quota {
            calls: u32::try_from(quota.calls.0).unwrap_or(u32::MAX),
            per: quota.per.value,
        }),
    }
}

fn view(definition: &Loaded<Integration>, spec: &ViewSpec, findings: &mut Vec<Finding>) -> View {
    let rows = spec.rows.as_ref().and_then(|rows| {
        compile_jq(definition, rows, &[]).map_err(|finding| findings.push(*finding)).ok()
    });
    let fields = spec.fields.iter().map(|field| field.value.keys());
    View {
        items: spec.items.as_ref().map(|items| items.value.keys()).unwrap_or_default(),
        rows,
        fields: (!spec.fields.is_empty()).then(|| fields.collect()),
        beside: spec.beside.iter().map(|field| field.value.keys()).collect(),
    }
}
