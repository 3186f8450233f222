//! The versions of a trigger's contract, as the engine takes them.

use std::collections::BTreeMap;

use qc_contract::Schema;
use qc_document::Span;
use qc_expression::Expression;
use qc_model::{Code, Finding};
use qc_version::{
    Chain, Entry, Fill, Guide, Jq as JqStep, Move, Naming, Select, Step, VersionName, Versions,
    Words, codes,
};

use super::triggers::{compile_jq, load_schema};
use crate::{
    Project,
    integration::{TriggerForm, TriggerSpec},
    project::{IntegrationFolder, Loaded},
    shape::{Named, ProjectPath, Spanned},
    versions::{Change, StepSpec, VersionSpec, VersionsFile},
};

/// The largest guide, in bytes.
const GUIDE_LARGEST: usize = 256 << 10;

/// Compiles the versions of a trigger's contract. What is wrong is among the findings; then there is no result.
pub(crate) fn versions(
    project: &Project,
    folder: &IntegrationFolder,
    trigger: &TriggerSpec,
    findings: &mut Vec<Finding>,
) -> Option<Versions> {
    let file = folder.versions.get(&trigger.versions.as_ref()?.path)?;
    let mut compiling = Compiling { project, folder, file, found: Vec::new() };
    let made = compiling.versions(trigger);
    let clean = compiling.found.is_empty();
    findings.append(&mut compiling.found);
    made.filter(|_| clean)
}

struct Compiling<'a> {
    project: &'a Project,
    folder: &'a IntegrationFolder,
    file: &'a Loaded<VersionsFile>,
    found: Vec<Finding>,
}

impl Compiling<'_> {
    fn report(&mut self, code: Code, span: Span, message: impl Into<String>, help: &str) {
        let finding = Finding::error(code, message).at(self.file.place(span));
        self.found.push(finding.help(help));
    }

    fn versions(&mut self, trigger: &TriggerSpec) -> Option<Versions> {
        let all: Vec<(&Spanned<String>, &VersionSpec)> = self.file.value.versions.iter().collect();
        if all.len() > Chain::VERSIONS_MAX {
            let message = format!("a contract has at most {} versions", Chain::VERSIONS_MAX);
            self.report(codes::ORDER, all[0].0.span, message, "take the retired ones out");
            return None;
        }
        let names = self.names(&all);
        self.windows(&all);
        self.majors(&all, &names);
        self.current(&all, trigger);
        let events = self.chain(&all, |spec| &spec.to_next);
        let replies = self.chain(&all, |spec| &spec.reply_to_next);
        self.replies(&all);
        let select = self.select(trigger);
        let mut entries = Vec::new();
        for ((_, spec), name) in all.iter().zip(&names) {
            let contract = self.schema(&spec.contract);
            let reply = spec.reply.as_ref().map(|path| self.schema(path));
            let guide = self.guide(spec);
            if let (Some(name), Some(contract)) = (name, contract) {
                entries.push(Entry {
                    name: name.clone(),
                    released: spec.released.as_ref().map(|date| date.value),
                    contract,
                    reply: reply.flatten(),
                    window: spec.window(),
                    guide,
                });
            }
        }
        // What is missing was reported.
        if entries.len() != all.len() {
            return None;
        }
        let mut versions = Versions::new(select, entries, events, replies)?;
        versions.quiet = self.project.quiet();
        Some(self.told(versions))
    }

    /// Names that are what the policy says, each newer than the one before it.
    fn names(&mut self, all: &[(&Spanned<String>, &VersionSpec)]) -> Vec<Option<VersionName>> {
        let naming = self.naming();
        let mut names: Vec<Option<VersionName>> = Vec::new();
        for (at, (key, spec)) in all.iter().enumerate() {
            let name = match naming.name(&key.value) {
                Ok(name) => Some(name),
                Err(why) => {
                    let help = "`naming` here, or `versioning.naming` of quickconnect.yaml, says how versions are named";
                    self.report(codes::NAME, key.span, why, help);
                    None
                }
            };
            let before = names.last().cloned().flatten();
            if let (Some(name), Some(before)) = (&name, &before)
                && !name.is_after(before)
            {
                let message = format!("`{name}` is not newer than `{before}` before it");
                self.report(codes::ORDER, key.span, message, "write the oldest version first");
            }
            self.released(naming, key, spec, at.checked_sub(1).map(|at| all[at].1));
            names.push(name);
        }
        names
    }

    fn naming(&self) -> Naming {
        let policy = || {
            let organisation = self.project.organisation()?;
            organisation.value.versioning.as_ref()?.naming
        };
        let own = self.file.value.naming.as_ref().map(|naming| naming.value);
        own.or_else(policy).unwrap_or(Naming::Semver)
    }

    /// Days belong to `both`, where each version has one, later than the one before.
    fn released(
        &mut self,
        naming: Naming,
        key: &Spanned<String>,
        spec: &VersionSpec,
        before: Option<&VersionSpec>,
    ) {
        let before = before.and_then(|before| before.released.as_ref());
        match (naming, &spec.released) {
            (Naming::Both, None) if !spec.draft => {
                let message = format!("version `{}` has no `released`", key.value);
                let help = "with `naming: both` each version has a number and a day";
                self.report(codes::NAME, key.span, message, help);
            }
            (Naming::Both, Some(released))
                if before.is_some_and(|it| it.value >= released.value) =>
            {
                let message = format!("`{}` was not released after the version before", key.value);
                self.report(codes::ORDER, released.span, message, "write the oldest version first");
            }
            (Naming::Semver | Naming::Date, Some(released)) => {
                let message = "`released` has no meaning but with `naming: both`";
                self.report(crate::codes::MISPLACED_KEY, released.span, message, "remove it");
            }
            _ => {}
        }
    }

    fn windows(&mut self, all: &[(&Spanned<String>, &VersionSpec)]) {
        let versioning = self.project.organisation().and_then(|it| it.value.versioning.as_ref());
        let minimum = versioning.and_then(|versioning| versioning.minimum_support);
        for (key, spec) in all {
            if let Err(why) = spec.window().check(minimum) {
                let date = spec.sunset.as_ref().or(spec.deprecated.as_ref());
                let span = date.map_or(key.span, |date| date.span);
                let help = "`versioning.minimum_support` of quickconnect.yaml is the promise";
                self.report(codes::WINDOW, span, why, help);
            }
        }
    }

    /// At most as many major versions without an end as the policy serves side by side.
    fn majors(&mut self, all: &[(&Spanned<String>, &VersionSpec)], names: &[Option<VersionName>]) {
        let versioning = self.project.organisation().and_then(|it| it.value.versioning.as_ref());
        let Some(most) = versioning.and_then(|versioning| versioning.supported_majors) else {
            return;
        };
        let mut majors: Vec<(String, Span)> = Vec::new();
        for ((key, spec), name) in all.iter().zip(names) {
            let Some(name) = name else { continue };
            if !spec.draft
                && spec.sunset.is_none()
                && majors.iter().all(|(it, _)| *it != name.major())
            {
                majors.push((name.major(), key.span));
            }
        }
        if let (true, Some((major, span))) =
            (i64::try_from(majors.len()).is_ok_and(|count| count > most.0), majors.first())
        {
            let message = format!(
                "{} major versions have no end, and at most {} are served side by side",
                majors.len(),
                most.0
            );
            let help = format!("give the versions of `{major}` a `deprecated` and a `sunset`");
            self.report(codes::MAJORS, *span, message, &help);
        }
    }

    /// Drafts come last, and the version before them is the one that the workflow works with.
    fn current(&mut self, all: &[(&Spanned<String>, &VersionSpec)], trigger: &TriggerSpec) {
        for pair in all.windows(2) {
            if pair[0].1.draft && !pair[1].1.draft {
                let message = format!(
                    "`{}` is a draft and `{}` after it is not",
                    pair[0].0.value, pair[1].0.value
                );
                self.report(codes::CURRENT, pair[0].0.span, message, "drafts come last");
            }
        }
        let Some((key, current)) = all.iter().rev().find(|(_, spec)| !spec.draft) else {
            let span = self.file.root.key_span_at("/versions").unwrap_or_default();
            let message = "there is no version that is agreed";
            self.report(codes::CURRENT, span, message, "write at least one that is no draft");
            return;
        };
        let agreed = trigger.contract.as_ref().map(|contract| contract.path.as_str());
        if agreed != Some(current.contract.path.as_str()) {
            let message = format!(
                "the current version, `{}`, has the contract `{}`, and the trigger {}",
                key.value,
                current.contract.path,
                agreed.map_or_else(|| "none".to_owned(), |path| format!("`{path}`"))
            );
            let help = "the trigger's `contract` is that of the current version: the workflow works with it";
            self.report(codes::CURRENT, current.contract.span, message, help);
        }
    }

    fn chain<'s>(
        &mut self,
        all: &[(&'s Spanned<String>, &'s VersionSpec)],
        steps: impl Fn(&'s VersionSpec) -> &'s [StepSpec],
    ) -> Chain {
        let mut links = Vec::new();
        for (at, (key, spec)) in all.iter().enumerate() {
            let written = steps(spec);
            if let (true, Some(first)) = (at + 1 == all.len(), written.first()) {
                let message =
                    format!("`{}` is the newest version: its steps lead nowhere", key.value);
                self.report(codes::STEP, first.span, message, "steps stand at the older version");
            }
            if let Some(over) = written.get(Chain::STEPS_MAX) {
                let message = format!("there are at most {} steps", Chain::STEPS_MAX);
                self.report(codes::STEP, over.span, message, "say it with `jq`");
            }
            let taken = written.iter().filter_map(|step| self.step(step));
            links.push((key.value.clone(), taken.collect()));
        }
        Chain::new(links)
    }

    fn step(&mut self, spec: &StepSpec) -> Option<Step> {
        let made = match &spec.change {
            Change::Rename(it) => Move::new(it.from.clone(), it.to.clone()).map(Step::Rename),
            Change::Default(it) => Fill::new(it.at.clone(), it.value.clone()).map(Step::Default),
            Change::Drop(it) => Fill::new(it.at.clone(), it.value.clone()).map(Step::Drop),
            Change::Map(it) => {
                let down = it.down.as_ref().map(words);
                Words::new(it.at.clone(), words(&it.values), down).map(Step::Map)
            }
            Change::Jq(it) => {
                let (up, down) = (self.expression(&it.up), self.expression(&it.down));
                return Some(Step::Jq(JqStep::new(up?, down?, it.loses.clone())));
            }
        };
        match made {
            Ok(step) => Some(step),
            Err(why) => {
                let message = format!("the step cannot be taken: {why}");
                self.report(
                    codes::STEP,
                    spec.span,
                    message,
                    "docs/versions.md has each kind of step",
                );
                None
            }
        }
    }

    fn expression(&mut self, jq: &crate::Jq) -> Option<Expression> {
        match compile_jq(self.file, jq, &[]) {
            Ok(expression) => Some(expression),
            Err(finding) => {
                self.found.push(*finding);
                None
            }
        }
    }

    /// Answers have versions in all versions, or in none.
    fn replies(&mut self, all: &[(&Spanned<String>, &VersionSpec)]) {
        let some = all.iter().any(|(_, spec)| spec.reply.is_some());
        for (key, spec) in all {
            if some && spec.reply.is_none() {
                let message =
                    format!("version `{}` has no `reply`, and others have one", key.value);
                let help =
                    "an answer is taken from version to version: each of them says what it is";
                self.report(codes::STEP, key.span, message, help);
            }
            if let (false, Some(step)) = (some, spec.reply_to_next.first()) {
                let message = "`reply_to_next` has no meaning without `reply`";
                self.report(
                    crate::codes::MISPLACED_KEY,
                    step.span,
                    message,
                    "say the `reply` of each version",
                );
            }
        }
    }

    fn select(&mut self, trigger: &TriggerSpec) -> Select {
        let spec = &self.file.value.select;
        let mut select = Select { path: spec.path, ..Select::default() };
        if let Some(header) = &spec.header {
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if header.bytes().all(legal) {
                select.header = header.value.to_ascii_lowercase();
            } else {
                let message = format!("`{}` is no name of a header field", header.value);
                self.report(
                    codes::REFERENCE,
                    header.span,
                    message,
                    "write `X-Contract-Version`, say",
                );
            }
        }
        if let Some(attribute) = &spec.attribute {
            let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let events = matches!(
                trigger.form,
                TriggerForm::CloudEvents { .. } | TriggerForm::Amqp { event_type: None, .. }
            );
            if !events {
                let message = "`attribute` has no meaning: the trigger takes no CloudEvents";
                self.report(crate::codes::MISPLACED_KEY, attribute.span, message, "use `header`");
            } else if attribute.len() > 20 || !attribute.bytes().all(legal) {
                let message = format!("`{}` is no name of an attribute", attribute.value);
                let help = "CloudEvents have names of at most 20 lower-case letters and digits";
                self.report(codes::REFERENCE, attribute.span, message, help);
            } else {
                select.attribute = Some(attribute.value.clone());
            }
        }
        select
    }

    fn schema(&mut self, path: &ProjectPath) -> Option<Schema> {
        let whole = self.folder.path(&path.path);
        if !self.project.files().has(&whole) {
            let message = format!("`{whole}` is not there");
            self.report(
                crate::codes::MISSING_FILE,
                path.span,
                message,
                "create it, or mend the path",
            );
            return None;
        }
        match load_schema(self.project, self.folder, &path.path) {
            Ok(schema) => Some(schema),
            Err(found) => {
                self.found.extend(found);
                None
            }
        }
    }

    fn guide(&mut self, spec: &VersionSpec) -> Option<Guide> {
        let guide = spec.guide.as_ref()?;
        if guide.starts_with("https://") || guide.starts_with("http://") {
            let legal =
                guide.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"".contains(&byte));
            if !legal {
                let message = format!("`{}` is no URL that can be linked to", guide.value);
                self.report(
                    codes::REFERENCE,
                    guide.span,
                    message,
                    "encode what is no part of a URL",
                );
            }
            return Some(Guide::Url(guide.value.clone()));
        }
        let whole = self.folder.path(&guide.value);
        match self.project.files().text(&whole) {
            None => {
                let message = format!("`{whole}` is not there, or no text");
                self.report(
                    crate::codes::MISSING_FILE,
                    guide.span,
                    message,
                    "create it, or mend the path",
                );
                None
            }
            Some(text) if text.len() > GUIDE_LARGEST => {
                let message = format!("a guide has at most {GUIDE_LARGEST} bytes");
                self.report(codes::REFERENCE, guide.span, message, "write a URL instead");
                None
            }
            Some(text) => Some(Guide::File { path: guide.value.clone(), text: text.to_owned() }),
        }
    }

    /// The default and the pins.
    fn told(&mut self, mut versions: Versions) -> Versions {
        let file = self.file;
        let default = file.value.select.default.iter().map(|name| (None, name));
        let pins = file.value.pins.iter().map(|(consumer, name)| (Some(&consumer.value), name));
        for (consumer, name) in default.chain(pins) {
            let told = match consumer {
                None => versions.clone().with_usual(name),
                Some(consumer) => versions.clone().with_pin(consumer, name),
            };
            match told {
                Err(unknown) => {
                    let known = versions.entries().iter().map(|entry| entry.name.as_str());
                    let help = crate::check::closest_or_list(name, known);
                    self.report(codes::REFERENCE, name.span, unknown.to_string(), &help);
                }
                Ok(_) if consumer.is_none() && is_draft(&versions, name) => {
                    let message = format!("`{}` is a draft: nobody gets it unasked", name.value);
                    self.report(
                        codes::REFERENCE,
                        name.span,
                        message,
                        "name a version that is agreed",
                    );
                }
                Ok(told) => versions = told,
            }
        }
        versions
    }
}

fn is_draft(versions: &Versions, name: &str) -> bool {
    versions.named(name).is_ok_and(|at| versions.entries()[at].window.draft)
}

fn words(named: &Named<String, String>) -> BTreeMap<String, String> {
    named.iter().map(|(one, other)| (one.value.clone(), other.clone())).collect()
}
