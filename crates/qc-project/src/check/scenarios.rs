//! Scenarios refer to things that are there.

use qc_model::{Finding, Name};
use qc_simulator::Fault;

use super::{Subject, closest_or_list};
use crate::{
    acceptance::{Scenario, Sending, Step, SystemFault, SystemWanted},
    codes,
    compile::compile_jq,
    project::Loaded,
    shape::Spanned,
};

pub(super) fn check(subject: &mut Subject<'_>) {
    let folder = subject.folder;
    for file in &folder.scenarios {
        let mut checking = Checking { subject: &mut *subject, file };
        checking.all();
    }
}

struct Checking<'a, 'b> {
    subject: &'b mut Subject<'a>,
    file: &'a Loaded<Scenario>,
}

impl<'a> Checking<'a, '_> {
    fn error(&mut self, span: qc_document::Span, message: String, help: impl Into<String>) {
        self.subject.out.push(self.file.error(codes::SCENARIO_REFERENCE, span, message).help(help));
    }

    fn all(&mut self) {
        let scenario = &self.file.value;
        let stem = self
            .file
            .source
            .path
            .rsplit('/')
            .next()
            .and_then(|name| name.strip_suffix(".yaml"))
            .unwrap_or_default();
        if scenario.scenario.as_str() != stem {
            let message = format!(
                "the scenario is named `{}`, but its file `{stem}.yaml`",
                scenario.scenario.value
            );
            let finding = self.file.error(codes::NAME_DIFFERS, scenario.scenario.span, message);
            self.subject.out.push(finding.help("rename one of them"));
        }
        self.world();
        for fault in &scenario.faults {
            self.fault(fault);
        }
        for step in &scenario.when {
            match step {
                Step::Send(sending) => self.sending(sending),
                Step::Fault(fault) => self.fault(fault),
                Step::Mend(system) => drop(self.system(system)),
                Step::Task(deed) => self.person(&deed.by),
                Step::Publish(_) | Step::Wait(_) | Step::Restart => {}
            }
        }
        for jq in &scenario.then.output {
            if let Err(finding) = compile_jq(self.file, jq, &[]) {
                self.subject.out.push(*finding);
            }
        }
        for (integration, _) in scenario.then.children.iter() {
            let known = self.subject.project.integrations();
            if !known.contains_key(integration.as_str()) {
                let help = closest_or_list(integration.as_str(), known.keys().map(String::as_str));
                let message = format!("there is no integration `{}`", integration.value);
                let finding =
                    self.file.error(codes::UNKNOWN_INTEGRATION, integration.span, message);
                self.subject.out.push(finding.help(help));
            }
        }
        for (name, wanted) in scenario.then.systems.iter() {
            if self.system(name) {
                self.wanted(&name.value, wanted);
            }
        }
    }

    /// Only people of the directory do something with tasks.
    fn person(&mut self, who: &Spanned<Name>) {
        let Some(organisation) = self.subject.project.organisation() else { return };
        let people = &organisation.value.people;
        if people.get(who.as_str()).is_none() {
            let help = closest_or_list(who.as_str(), people.names().map(Name::as_str));
            self.error(who.span, format!("there is no person `{}`", who.value), help);
        }
    }

    fn world(&mut self) {
        let Some(organisation) = self.subject.project.organisation() else { return };
        let scenario = &self.file.value;
        if let Some(environment) = &scenario.environment
            && organisation.value.environments.get(environment.as_str()).is_none()
        {
            let names = organisation.value.environments.names().map(Name::as_str);
            let message = format!("there is no environment `{}`", environment.value);
            self.error(environment.span, message, closest_or_list(environment.as_str(), names));
        }
        let Some(given) = &scenario.given else { return };
        for (name, value) in given.vars.iter() {
            match organisation.value.vars.get(name.as_str()) {
                None => {
                    let names = organisation.value.vars.names().map(String::as_str);
                    let message = format!("there is no variable `{}`", name.value);
                    self.error(name.span, message, closest_or_list(&name.value, names));
                }
                Some(variable) => {
                    if let Some(expected) = variable.kind.mismatch(&value.value) {
                        self.error(
                            value.span,
                            format!("`{}` must be {expected}", name.value),
                            "as declared in quickconnect.yaml",
                        );
                    }
                }
            }
        }
        for (system, _) in given.state.iter() {
            self.system(system);
        }
    }

    /// Whether the system is declared and has a connector that can be simulated.
    fn system(&mut self, name: &Spanned<Name>) -> bool {
        let systems = &self.subject.file.value.systems;
        let Some(system) = systems.get(name.as_str()) else {
            let help = closest_or_list(name.as_str(), systems.names().map(Name::as_str));
            self.error(name.span, format!("there is no system `{}`", name.value), help);
            return false;
        };
        if self.subject.project.connector_of(&name.value, system).is_none() {
            let message =
                format!("the system `{}` has no connector, and so no simulator", name.value);
            self.error(
                name.span,
                message,
                "simulators are made from the connector's OpenAPI document",
            );
            return false;
        }
        true
    }

    fn operations(&self, system: &Name) -> Option<Vec<String>> {
        let systems = &self.subject.file.value.systems;
        let connector = self.subject.project.connector_of(system, systems.get(system.as_str())?)?;
        let connector = self.subject.project.connectors().get(connector.as_str())?;
        Some(connector.operation_names())
    }

    fn operation(&mut self, system: &Name, operation: &str, span: qc_document::Span) {
        let Some(known) = self.operations(system) else { return };
        // A token endpoint that the document does not list goes by this name.
        if operation != "token" && !known.iter().any(|name| name == operation) {
            let help = closest_or_list(operation, known.iter().map(String::as_str));
            self.error(span, format!("the system `{system}` has no operation `{operation}`"), help);
        }
    }

    fn fault(&mut self, fault: &SystemFault) {
        if self.system(&fault.system) {
            let Fault { when, .. } = &fault.fault;
            if let Some(operation) = &when.operation {
                self.operation(&fault.system.value, operation, fault.span);
            }
        }
    }

    fn wanted(&mut self, system: &Name, wanted: &'a SystemWanted) {
        for jq in &wanted.state {
            if let Err(finding) = compile_jq(self.file, jq, &[]) {
                self.subject.out.push(*finding);
            }
        }
        for (operation, _) in
            wanted.requests.iter().chain(wanted.effects.iter().flat_map(crate::shape::Named::iter))
        {
            self.operation(system, &operation.value, operation.span);
        }
    }

    fn sending(&mut self, sending: &Sending) {
        let triggers = &self.subject.file.value.triggers;
        // A trigger that is there but cannot be read has findings of its own.
        let written = self
            .subject
            .file
            .root
            .get("triggers")
            .and_then(|all| all.get(sending.trigger.as_str()));
        if triggers.get(sending.trigger.as_str()).is_none() && written.is_none() {
            let help =
                closest_or_list(sending.trigger.as_str(), triggers.names().map(Name::as_str));
            self.error(
                sending.trigger.span,
                format!("there is no trigger `{}`", sending.trigger.value),
                help,
            );
        }
        if let Some(path) = &sending.file {
            let whole = self.subject.folder.path(&path.path);
            let mut findings: Vec<Finding> = Vec::new();
            if !self.subject.project.files().has(&whole) {
                self.error(
                    path.span,
                    format!("`{whole}` is not there"),
                    "paths are relative to the integration's folder",
                );
            } else if sending.refused {
                // Text that cannot be parsed is refused, too.
            } else if crate::project::parse_file(
                self.subject.project.files(),
                &whole,
                &mut findings,
            )
            .is_none()
            {
                self.subject.out.extend(findings);
            }
        }
    }
}
