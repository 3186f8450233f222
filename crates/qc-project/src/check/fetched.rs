//! Triggers whose events the platform fetches by itself: queues and polls.

use std::time::Duration;

use qc_document::Span;

use super::{Subject, closest_or_list};
use crate::{
    codes,
    compile::broker,
    integration::{BrokerSpec, PollSpec, TriggerForm},
    shape::Spanned,
};

/// Asking more often than this is a load test.
const MOST_OFTEN: Duration = Duration::from_secs(1);
/// Methods that change nothing.
const SAFE: [&str; 4] = ["GET", "HEAD", "OPTIONS", "QUERY"];

pub(super) fn check(subject: &mut Subject<'_>) {
    let file = subject.file;
    for (_, trigger) in file.value.triggers.iter() {
        match &trigger.form {
            TriggerForm::Amqp { source, .. } => variables(subject, &source.broker),
            TriggerForm::Poll { poll, .. } => asked(subject, poll),
            TriggerForm::CloudEvents { .. }
            | TriggerForm::Json { .. }
            | TriggerForm::Webhook { .. }
            | TriggerForm::Schedule(_)
            | TriggerForm::Event(_) => {}
        }
    }
}

/// A broker's address is made of variables that are there.
pub(super) fn variables(subject: &mut Subject<'_>, spec: &Spanned<BrokerSpec>) {
    let Some(organisation) = subject.project.organisation() else { return };
    let known = &organisation.value.vars;
    for name in broker(&spec.value).variables().filter(|name| known.get(*name).is_none()) {
        let message = format!("the variable `{name}` is not declared");
        let help = closest_or_list(name, known.names().map(String::as_str));
        let help = format!("declare it in `vars` of quickconnect.yaml; {help}");
        subject.error(codes::VARIABLE, spec.span, message, help);
    }
}

/// What is polled is an operation of a declared system that changes nothing.
fn asked(subject: &mut Subject<'_>, poll: &PollSpec) {
    if poll.every.value < MOST_OFTEN {
        let message = "a system is asked at most once a second".to_owned();
        subject.error(codes::CONTRADICTION, poll.every.span, message, "write `every: 1m`, say");
    }
    let name = poll.connector.value.as_str();
    let systems = &subject.file.value.systems;
    let declared = systems.iter().any(|(system, details)| {
        subject
            .project
            .connector_of(&system.value, details)
            .is_some_and(|used| used.as_str() == name)
    });
    if !declared {
        let message =
            format!("the poll goes through the connector `{name}`, which is no declared system");
        let help = "declare the system, with its owner and criticality, in `systems`";
        subject.error(codes::UNDECLARED_SYSTEM, poll.connector.span, message, help);
    }
    let project = subject.project;
    let Some(connector) = project.connectors().get(name) else {
        if !project.has_connector_folder(name) {
            let message = format!("there is no connector `{name}`");
            let help = closest_or_list(name, project.connector_names());
            subject.error(codes::UNKNOWN_CONNECTOR, poll.connector.span, message, help);
        }
        return;
    };
    let at: Span = poll.operation.span;
    let Some(operation) = connector.operation(&poll.operation.value) else {
        let message = format!("the connector `{name}` has no operation `{}`", poll.operation.value);
        let names = connector.operation_names();
        let help = closest_or_list(&poll.operation.value, names.iter().map(String::as_str));
        subject.error(qc_workflow::codes::UNKNOWN_OPERATION, at, message, help);
        return;
    };
    let method = operation.method.as_str();
    if !SAFE.contains(&method) {
        let message =
            format!("`{}` is a {method}: a poll must change nothing", poll.operation.value);
        subject.error(codes::CONTRADICTION, at, message, "poll an operation that only reads");
    }
}
