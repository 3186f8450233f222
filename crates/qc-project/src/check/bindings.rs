//! Bindings of connectors: they name operations that there are, and those that are called.

use std::collections::BTreeMap;

use qc_document::Span;
use qc_model::{Finding, Name};
use qc_workflow::SiteTarget;

use super::{Subject, closest_or_list};
use crate::{
    codes,
    compile::narrowing,
    integration::{BindingSpec, OnUnavailable, TriggerForm},
};

pub(super) fn check(subject: &mut Subject<'_>) {
    // Compiling is the check; the result is made again when a release is compiled.
    drop(narrowing(subject.project, subject.folder, subject.out));
    let file = subject.file;
    let mut bound: BTreeMap<&str, (&Name, &BindingSpec)> = BTreeMap::new();
    for (name, system) in file.value.systems.iter() {
        let Some(spec) = &system.binding else { continue };
        let connector = subject.project.connector_of(&name.value, system);
        let Some(connector) =
            connector.filter(|one| subject.project.has_connector_folder(one.as_str()))
        else {
            let message = format!("the system `{}` has a binding and no connector", name.value);
            let help = "a binding is about a connector's operations: reach the system through one";
            subject.error(codes::BINDING, spec.span, message, help);
            continue;
        };
        if let Some((other, _)) = bound.insert(connector.as_str(), (&name.value, &spec.value)) {
            let message =
                format!("the connector `{connector}` is bound by the system `{other}` already");
            let help = "say in one place what the integration may do with it";
            subject.error(codes::BINDING, spec.span, message, help);
        }
        operations(subject, connector.as_str(), &spec.value);
    }
    called(subject, &bound);
}

fn operations(subject: &mut Subject<'_>, connector: &str, spec: &BindingSpec) {
    let known = subject.project.connectors().operation_names(connector);
    if known.is_empty() {
        // What is wrong with the connector is reported once, at its own place.
        return;
    }
    for (name, view) in spec.operations.iter() {
        if !known.contains(&name.value) {
            let message = format!("the connector `{connector}` has no operation `{}`", name.value);
            let help = closest_or_list(&name.value, known.iter().map(String::as_str));
            subject.error(codes::BINDING, name.span, message, help);
        }
        let narrows = view.rows.is_some() || !view.fields.is_empty();
        let place = view.items.as_ref().map(|items| items.span);
        let place = place.or_else(|| view.beside.first().map(|field| field.span));
        if let Some(span) = place.filter(|_| !narrows) {
            let message =
                "there are neither `rows` nor `fields`, so that everything is seen".into();
            subject.error(codes::BINDING, span, message, "say which, or leave this out");
        }
    }
}

/// What the integration calls is among what it may call.
fn called(subject: &mut Subject<'_>, bound: &BTreeMap<&str, (&Name, &BindingSpec)>) {
    let outside = |connector: &str, operation: &str| {
        let (system, spec) = bound.get(connector)?;
        let known = spec.operations.iter().any(|(name, _)| name.value == operation);
        (!spec.operations.is_empty() && !known).then(|| {
            format!(
                "`{connector}.{operation}` is not among the operations of the binding of `{system}`"
            )
        })
    };
    let help = "add the operation to the binding, or call another";
    let mut findings = Vec::new();
    for site in subject.folder.program.iter().flat_map(|program| program.calls()) {
        if let SiteTarget::Connector { connector, operation } = &site.target
            && let Some(message) = outside(connector, operation)
        {
            findings
                .push(Finding::error(codes::BINDING, message).at(site.place.clone()).help(help));
        }
    }
    subject.out.append(&mut findings);
    let file = &subject.file.value;
    let polled = file.triggers.iter().filter_map(|(_, trigger)| match &trigger.form {
        TriggerForm::Poll { poll, .. } => {
            Some((poll.operation.span, poll.connector.to_string(), poll.operation.to_string()))
        }
        _ => None,
    });
    let instead =
        file.systems.iter().filter_map(|(_, system)| match &system.on_unavailable.value {
            OnUnavailable::Fallback(fallback) => {
                let (connector, operation) = fallback.call.value.0.split_once('.')?;
                Some((fallback.call.span, connector.to_owned(), operation.to_owned()))
            }
            _ => None,
        });
    let undone = file.compensation.iter().filter_map(|(_, spec)| {
        let (connector, operation) = spec.call.split_once('.')?;
        Some((spec.call.span, connector.to_owned(), operation.to_owned()))
    });
    let written: Vec<(Span, String)> = polled
        .chain(instead)
        .chain(undone)
        .filter_map(|(span, connector, operation)| Some((span, outside(&connector, &operation)?)))
        .collect();
    for (span, message) in written {
        subject.error(codes::BINDING, span, message, help);
    }
}
