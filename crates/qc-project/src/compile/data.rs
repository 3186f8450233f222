//! The classes of an integration's data, and the policy of where they may go, as the engine takes them.

use std::collections::BTreeMap;

use qc_data::{Labels, Movement, Rule, Verdict};
use qc_engine::{DataRules, Spot};
use qc_workflow::{CallSite, SiteTarget};
use serde_json::Value;

use crate::{
    Project,
    check::{declared_system, servers_of},
    integration::{DataObject, Integration},
    organisation::{MovementRule, MovementSpec, Organisation},
    project::{IntegrationFolder, Loaded},
};

/// Compiles what the brief says of its data, and the organisation's policy.
pub(crate) fn data_rules(
    project: &Project,
    folder: &IntegrationFolder,
    definition: &Loaded<Integration>,
    organisation: &Organisation,
) -> DataRules {
    let it = &definition.value;
    let movement = organisation.data_movement.as_ref().map(|spec| movement(&spec.value));
    let mut rules = DataRules { movement, ..DataRules::default() };
    for (_, object) in it.objects.iter() {
        events(it, object, &mut rules);
        for name in &object.answered_to {
            rules.replies.entry(name.value.clone()).or_default().push(labels(object));
        }
        for operation in object.sent_by.iter().filter(|one| one.contains('.')) {
            let known = rules.operations.entry(operation.value.clone()).or_default();
            known.push(labels(object));
        }
    }
    for (name, publication) in it.publishes.iter() {
        let of = it.objects.iter().filter(|(_, object)| {
            object.published_as.iter().any(|published| published.value == name.value)
        });
        let all = of.map(|(_, object)| labels(object)).collect();
        let region = publication.region.as_ref().map(|region| region.value.to_string());
        let spot = Spot { name: name.value.to_string(), region };
        rules.publications.insert(name.value.clone(), (all, spot));
    }
    for (name, system) in it.systems.iter() {
        let region = system.region.as_ref().map(|region| region.value.to_string());
        let spot = Spot { name: name.value.to_string(), region };
        if let Some(connector) = project.connector_of(&name.value, system) {
            rules.connectors.insert(connector.to_string(), spot);
        }
    }
    for site in folder.program.iter().flat_map(|program| program.calls()) {
        call(project, folder, it, site, &mut rules);
    }
    rules
}

/// The policy.
pub(crate) fn movement(spec: &MovementSpec) -> Movement {
    let rules = spec.rules.iter().map(|rule| rule_of(&rule.value)).collect();
    Movement::new(rules, spec.otherwise.unwrap_or(Verdict::Deny))
}

/// One of its rules.
pub(crate) fn rule_of(spec: &MovementRule) -> Rule {
    let names = |several: &crate::organisation::Several<crate::shape::Spanned<qc_model::Name>>| {
        several.0.iter().map(|name| name.value.to_string()).collect()
    };
    Rule {
        classes: spec.classes.0.iter().map(|class| class.value).collect(),
        to: names(&spec.to),
        environments: names(&spec.environments),
        regions: names(&spec.regions),
        then: spec.then,
    }
}

/// The classes of an object's fields.
pub(crate) fn labels(object: &DataObject) -> Labels {
    let fields = object.fields.iter().map(|(path, class)| (path.value.as_str(), class.value));
    Labels::new(fields, object.default)
}

/// Events of a trigger whose contract is the object's schema are such objects.
fn events(it: &Integration, object: &DataObject, rules: &mut DataRules) {
    for (name, trigger) in it.triggers.iter() {
        if trigger.contract.as_ref().is_some_and(|path| path.path == object.schema.path) {
            rules.events.entry(name.value.clone()).or_default().push(labels(object));
            let known = rules.subjects.entry(name.value.clone()).or_default();
            known.extend(object.subject.iter().map(|path| path.value.clone()));
        }
    }
}

/// Whether a list of tasks names the task of a place.
pub(crate) fn names(list: &[crate::shape::Spanned<String>], site: &CallSite) -> bool {
    list.iter().any(|name| *name.value == *site.task_name || *name.value == *site.pointer)
}

/// The system that a place calls.
pub(crate) fn system_at<'i>(
    project: &Project,
    folder: &IntegrationFolder,
    it: &'i Integration,
    site: &CallSite,
) -> Option<&'i qc_model::Name> {
    let has_connector = |name: &str| project.has_connector_folder(name);
    let servers = |document: &str| {
        let known = folder.documents.iter().find(|(address, _)| *address == document);
        known.map(|(_, api)| servers_of(api)).unwrap_or_default()
    };
    declared_system(&it.systems, &has_connector, &servers, site)
}

fn call(
    project: &Project,
    folder: &IntegrationFolder,
    it: &Integration,
    site: &CallSite,
    rules: &mut DataRules,
) {
    let place = site.pointer.to_string();
    let plain = matches!(site.target, SiteTarget::Http { .. });
    for (_, object) in it.objects.iter() {
        if names(&object.sent_by, site) {
            let labels = labels(object);
            let labels = if plain { labels.below("body") } else { labels };
            rules.requests.entry(place.clone()).or_default().push(labels);
        }
        if names(&object.received_by, site) {
            rules.answers.entry(place.clone()).or_default().push(labels(object));
        }
    }
    if let Some(name) = system_at(project, folder, it, site) {
        let region = it.systems.get(name).and_then(|system| system.region.as_ref());
        let region = region.map(|region| region.value.to_string());
        rules.places.insert(place.clone(), Spot { name: name.to_string(), region });
    }
    let definition = folder.program.as_ref().map(|program| program.definition());
    if let Some(with) = definition.and_then(|it| it.pointer(&format!("{place}/with"))) {
        let mut own = BTreeMap::new();
        match &site.target {
            SiteTarget::OpenApi { .. } => literals(&with["parameters"], String::new(), &mut own),
            SiteTarget::Http { .. } => {
                for part in ["headers", "query", "body"] {
                    literals(&with[part], format!("/{part}"), &mut own);
                }
                let endpoint = with.pointer("/endpoint/uri").unwrap_or(&with["endpoint"]);
                // In braces stands what is put in from the input.
                if endpoint.as_str().is_some_and(|text| !text.contains('{')) {
                    own.insert("/endpoint".to_owned(), endpoint.clone());
                }
            }
            _ => literals(with, String::new(), &mut own),
        }
        rules.own.insert(place, own);
    }
}

/// What stands in a task as it is, and is no expression.
fn literals(value: &Value, pointer: String, own: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                literals(field, format!("{pointer}/{name}"), own);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                literals(item, format!("{pointer}/{index}"), own);
            }
        }
        Value::String(text) if text.contains("${") => {}
        Value::Null => {}
        leaf => drop(own.insert(pointer, leaf.clone())),
    }
}
