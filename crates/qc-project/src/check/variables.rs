//! Variables that workflows and connectors use, and the addresses that come of them.

use qc_document::{Document, Node, NodeValue};
use qc_model::{Finding, Name};

use super::closest_or_list;
use crate::{
    Project, codes,
    compile::{used_connectors, vars},
    files::file_place,
    organisation::Organisation,
    project::{CONNECTORS, Loaded, parse_file},
};

pub(super) fn check(project: &Project, out: &mut Vec<Finding>) {
    let Some(organisation) = project.organisation() else { return };
    for folder in project.integrations().values() {
        let Some(workflow) = &folder.workflow else { continue };
        texts(&workflow.root, &mut |node, text| {
            for name in mentioned(text).filter(|name| organisation.value.vars.get(*name).is_none())
            {
                let message = format!("the variable `{name}` is not declared");
                let help =
                    closest_or_list(name, organisation.value.vars.names().map(String::as_str));
                let finding =
                    Finding::error(codes::VARIABLE, message).at(workflow.place(node.span));
                out.push(
                    finding.help(format!("declare it in `vars` of quickconnect.yaml; {help}")),
                );
            }
        });
    }
    let mut used: Vec<Name> = project
        .integrations()
        .values()
        .flat_map(|folder| used_connectors(project, folder))
        .map(|(name, _)| name)
        .collect();
    used.sort();
    used.dedup();
    for name in used {
        connector(project, organisation, &name, out);
    }
}

/// A used connector has an address in every environment, made of variables that are there.
fn connector(
    project: &Project,
    organisation: &Loaded<Organisation>,
    name: &Name,
    out: &mut Vec<Finding>,
) {
    let Some(connector) = project.connectors().get(name.as_str()) else { return };
    let path = format!("{CONNECTORS}/{name}/connector.yaml");
    let file = parse_file(project.files(), &path, &mut Vec::new());
    let place = |key: &str| {
        let span =
            file.as_ref().and_then(|file: &Document| file.root.key_span_at(&format!("/{key}")));
        file.as_ref()
            .zip(span)
            .map_or_else(|| file_place(&path), |(file, span)| file.source.place(span))
    };
    for environment in organisation.value.environments.names() {
        let known = &organisation.value.vars;
        let mut complete = true;
        for variable in connector.variables(environment) {
            if known.get(variable).is_none() {
                complete = false;
                let message = format!(
                    "the connector `{name}` uses the variable `{variable}`, which is not declared"
                );
                let help = closest_or_list(variable, known.names().map(String::as_str));
                out.push(
                    Finding::error(codes::VARIABLE, message).at(place("base_urls")).help(help),
                );
            }
        }
        let Ok(values) = vars(&organisation.value, environment) else { continue };
        if complete
            && known.iter().all(|(key, _)| values.contains_key(&key.value))
            && let Err(failure) = connector.base_url(environment, &values)
        {
            let message = format!(
                "the connector `{name}` cannot be used in `{environment}`: {}",
                failure.detail
            );
            let finding = Finding::error(codes::VARIABLE, message).at(place("base_urls"));
            out.push(finding.help(format!("add `{environment}` to its `base_urls`")));
        }
    }
}

fn texts(node: &Node, visit: &mut impl FnMut(&Node, &str)) {
    match &node.value {
        NodeValue::String(text) => visit(node, text),
        NodeValue::Sequence(items) => items.iter().for_each(|item| texts(item, visit)),
        NodeValue::Mapping(entries) => entries.iter().for_each(|(_, value)| texts(value, visit)),
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) => {}
    }
}

/// The names after `.vars.` in a text: `$runtime.metadata.vars.team_channel`.
pub(super) fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("metadata.vars.").filter_map(|(at, found)| {
        let rest = &text[at + found.len()..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    })
}
