//! Every rule over the files of a project. One file for each group of rules.

mod bindings;
mod breaking;
mod calls;
mod children;
mod data;
mod echo;
mod enforcement;
mod failure_modes;
mod fetched;
mod kept;
pub mod leaks;
mod limits;
mod movement;
mod numbers;
mod organisation;
mod owners;
mod papers;
mod people;
mod publications;
mod quiet;
mod scenarios;
mod search_keys;
mod secrets;
mod simulators;
mod steps;
mod systems;
mod triggers;
mod unavailable;
mod unread;
mod variables;
mod versions;

#[cfg(test)]
mod excess_tests;
#[cfg(test)]
mod fetched_tests;
#[cfg(test)]
mod kept_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod versions_tests;

use qc_document::Span;
use qc_model::{Code, Finding, Severity};

pub(crate) use systems::{declared_system, servers_of};
pub(crate) use versions::{examples, is_versions};

pub use enforcement::{FileKind, NOT_ENFORCED_YET, NotYet};

use crate::{
    Project,
    integration::Integration,
    project::{IntegrationFolder, Loaded},
};

/// One integration under examination.
pub(crate) struct Subject<'a> {
    pub(crate) project: &'a Project,
    pub(crate) folder: &'a IntegrationFolder,
    pub(crate) file: &'a Loaded<Integration>,
    pub(crate) out: &'a mut Vec<Finding>,
}

impl Subject<'_> {
    fn error(&mut self, code: Code, span: Span, message: String, help: impl Into<String>) {
        self.out.push(self.file.error(code, span, message).help(help));
    }

    pub(crate) fn warning(
        &mut self,
        code: Code,
        span: Span,
        message: String,
        help: impl Into<String>,
    ) {
        self.out.push(self.file.warning(code, span, message).help(help));
    }
}

impl<T> Loaded<T> {
    pub(crate) fn error(&self, code: Code, span: Span, message: impl Into<String>) -> Finding {
        Finding::error(code, message).at(self.place(span))
    }

    pub(crate) fn warning(&self, code: Code, span: Span, message: impl Into<String>) -> Finding {
        Finding::warning(code, message).at(self.place(span))
    }
}

/// "did you mean", or what there is.
pub(crate) fn closest_or_list<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let known: Vec<&str> = known.collect();
    if let Some(name) = qc_document::closest(typed, known.iter().copied()) {
        return format!("did you mean `{name}`?");
    }
    let names: Vec<String> = known.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match (names.is_empty(), known.len() > SHOWN) {
        (true, _) => "there is none".to_owned(),
        (false, false) => format!("there is {}", names.join(", ")),
        (false, true) => format!("there is {}, and more", names.join(", ")),
    }
}

/// Whether a check fails: on errors, and on warnings when it is strict. Notes never fail it.
pub fn fails(findings: &[Finding], strict: bool) -> bool {
    let least = if strict { Severity::Warning } else { Severity::Error };
    findings.iter().any(|finding| finding.severity >= least)
}

impl Project {
    /// Everything that is wrong with the project, in the order of files and lines.
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = self.load_findings().to_vec();
        if let Some(organisation) = self.organisation() {
            organisation::check(organisation, &mut findings);
            enforcement::organisation(organisation, &mut findings);
            movement::policy(self, organisation, &mut findings);
        }
        crate::access::check(self, &mut findings);
        owners::connectors(self, &mut findings);
        people::connectors(self, &mut findings);
        for (name, folder) in self.integrations() {
            findings.extend(crate::consumers::check(self, name));
            findings.extend(crate::expected::check(self, folder));
            let Some(file) = &folder.definition else { continue };
            let mut subject = Subject { project: self, folder, file, out: &mut findings };
            steps::check(&mut subject);
            systems::check(&mut subject);
            bindings::check(&mut subject);
            breaking::check(&mut subject);
            calls::check(&mut subject);
            children::check(&mut subject);
            triggers::check(&mut subject);
            versions::check(&mut subject);
            papers::check(&mut subject);
            fetched::check(&mut subject);
            publications::check(&mut subject);
            search_keys::check(&mut subject);
            kept::check(&mut subject);
            echo::check(&mut subject);
            data::check(&mut subject);
            movement::check(&mut subject);
            owners::check(&mut subject);
            people::check(&mut subject);
            failure_modes::check(&mut subject);
            unavailable::check(&mut subject);
            limits::check(&mut subject);
            crate::load::check(&mut subject);
            numbers::check(&mut subject);
            quiet::check(&mut subject);
            secrets::check(&mut subject);
            scenarios::check(&mut subject);
            enforcement::integration(&mut subject);
        }
        simulators::check(self, &mut findings);
        variables::check(self, &mut findings);
        unread::check(self, &mut findings);
        leaks::check(self, &mut findings);
        findings.sort_by(|a, b| {
            let key = |finding: &Finding| {
                finding.place.as_ref().map(|p| (p.file.clone(), p.start, p.end))
            };
            key(a).cmp(&key(b)).then_with(|| b.severity.cmp(&a.severity))
        });
        findings.dedup();
        findings
    }
}
