//! Publications: they compile, their brokers' addresses can be had, and the workflow emits what they speak of.

use qc_document::{Node, NodeValue};

use super::{Subject, fetched::variables};
use crate::{codes, compile::publications};

pub(super) fn check(subject: &mut Subject<'_>) {
    // Compiling is the check; the result is made again when a release is compiled.
    drop(publications(subject.folder, subject.out));
    let (file, folder) = (subject.file, subject.folder);
    let mut emitted = Vec::new();
    if let Some(workflow) = &folder.workflow {
        types(&workflow.root, &mut emitted);
    }
    // A type that is only known at run time may be any.
    let unknown = folder.workflow.is_none() || emitted.iter().any(|kind| kind.contains("${"));
    for (_, publication) in file.value.publishes.iter() {
        variables(subject, &publication.to.amqp.broker);
        if let Some(contract) = &publication.contract {
            let whole = folder.path(&contract.path);
            if !subject.project.files().has(&whole) {
                let message = format!("`{whole}` is not there");
                let help = "create it, or mend the path";
                subject.error(codes::MISSING_FILE, contract.span, message, help);
            }
        }
        let kind = &publication.kind;
        if !unknown && !emitted.contains(&kind.value.0.as_str()) {
            let message = format!("no task emits an event of the type `{}`", kind.value.0);
            let known = emitted.iter().copied();
            let help = super::closest_or_list(&kind.value.0, known);
            subject.warning(codes::UNEMITTED, kind.span, message, help);
        }
    }
}

/// The types of the events that tasks emit, as they are written.
fn types<'a>(node: &'a Node, found: &mut Vec<&'a str>) {
    match &node.value {
        NodeValue::Mapping(entries) => {
            for (key, value) in entries {
                if &*key.name == "emit"
                    && let Some(kind) = value.at("/event/with/type").and_then(|node| node.as_str())
                {
                    found.push(kind);
                }
                types(value, found);
            }
        }
        NodeValue::Sequence(items) => items.iter().for_each(|item| types(item, found)),
        _ => {}
    }
}
