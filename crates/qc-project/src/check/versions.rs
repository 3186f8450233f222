//! Versions of contracts: they compile, their files are there, and their steps keep the laws.

use std::collections::BTreeSet;

use qc_contract::Schema;
use qc_document::Span;
use qc_model::Finding;
use qc_version::{
    Chain, Direction, Versions, codes,
    laws::{Broken, Link},
};
use serde_json::Value;

use super::Subject;
use crate::{
    Project,
    codes::{MISSING_FILE, UNREAD_FILE},
    compile::versions,
    files::file_place,
    project::{IntegrationFolder, Loaded, parse_file},
    versions::{StepSpec, VERSIONS_SUFFIX, VersionSpec, VersionsFile},
};

/// The most of a document that a finding shows, in characters.
const SHOWN: usize = 400;

pub(super) fn check(subject: &mut Subject<'_>) {
    let mut read: BTreeSet<&str> = BTreeSet::new();
    let (file, folder) = (subject.file, subject.folder);
    for (_, trigger) in file.value.triggers.iter() {
        let Some(path) = &trigger.versions else { continue };
        let whole = folder.path(&path.path);
        let Some(written) = folder.versions.get(&path.path) else {
            if !subject.project.files().has(&whole) {
                let message = format!("`{whole}` is not there");
                subject.error(MISSING_FILE, path.span, message, "create it, or mend the path");
            } else if !is_versions(&path.path) {
                let message = format!("`{whole}` is no file of versions");
                let help = format!("it is `contracts/<name>{VERSIONS_SUFFIX}`");
                subject.error(MISSING_FILE, path.span, message, help);
            }
            continue;
        };
        let first = read.insert(&path.path);
        // What is wrong with them was said with the triggers.
        let made = versions(subject.project, folder, trigger, &mut Vec::new());
        if let (Some(made), true) = (made, first) {
            laws(subject, written, &made);
            travels(subject, written, &made);
        }
    }
    for path in folder.versions.keys().filter(|path| !read.contains(path.as_str())) {
        let finding =
            Finding::warning(UNREAD_FILE, format!("no trigger has the versions `{path}`"));
        let help = "name it in the `versions` of a trigger";
        subject.out.push(finding.at(file_place(&folder.path(path))).help(help));
    }
}

/// Whether a path of an integration's folder is one of a file of versions.
pub(crate) fn is_versions(path: &str) -> bool {
    let stem = path.strip_prefix("contracts/").and_then(|rest| rest.strip_suffix(VERSIONS_SUFFIX));
    stem.is_some_and(|stem| !stem.is_empty() && !stem.contains('/'))
}

fn laws(subject: &mut Subject<'_>, file: &Loaded<VersionsFile>, made: &Versions) {
    let written: Vec<_> = file.value.versions.iter().collect();
    for (at, pair) in made.entries().windows(2).enumerate() {
        let (key, spec): (_, &VersionSpec) = written[at];
        let events = Side {
            span: key.span,
            steps: &spec.to_next,
            chain: made.events(),
            contracts: [&pair[0].contract, &pair[1].contract],
            paths: [&spec.contract.path, &written[at + 1].1.contract.path],
        };
        events.check(subject, file, at);
        if let (Some(older), Some(newer)) = (&pair[0].reply, &pair[1].reply) {
            let path = |spec: &'_ VersionSpec| {
                spec.reply.as_ref().map(|reply| reply.path.clone()).unwrap_or_default()
            };
            let paths = [path(spec), path(written[at + 1].1)];
            let replies = Side {
                span: key.span,
                steps: &spec.reply_to_next,
                chain: made.replies(),
                contracts: [older, newer],
                paths: [&paths[0], &paths[1]],
            };
            replies.check(subject, file, at);
        }
    }
}

/// Every documented example is taken to every version that is further away than the next, whose steps the laws have tried.
fn travels(subject: &mut Subject<'_>, file: &Loaded<VersionsFile>, made: &Versions) {
    for (from, (_, spec)) in file.value.versions.iter().enumerate() {
        let replies = spec.reply.as_ref().map(|reply| (reply.path.as_str(), made.replies(), true));
        let events = (spec.contract.path.as_str(), made.events(), false);
        for (path, chain, is_reply) in [Some(events), replies].into_iter().flatten() {
            for (example, document) in examples(subject.project, subject.folder, path) {
                let far = (0..made.entries().len()).filter(|to| to.abs_diff(from) > 1);
                for (to, entry) in far.map(|to| (to, &made.entries()[to])) {
                    let contract =
                        if is_reply { entry.reply.as_ref() } else { Some(&entry.contract) };
                    let Some(contract) = contract else { continue };
                    let why = match chain.convert(document.clone(), from, to) {
                        Ok(there) => contract.check(&there).first().map(ToString::to_string),
                        Err(error) => Some(error.to_string()),
                    };
                    let Some(why) = why else { continue };
                    let (of, at) = (&made.entries()[from].name, &entry.name);
                    let message = format!(
                        "the example of version `{of}` does not go at version `{at}`: {why}"
                    );
                    let finding = Finding::error(codes::LAW, message).at(file_place(&example));
                    subject.out.push(finding.help("mend the steps between the two versions"));
                }
            }
        }
    }
}

/// The steps between two versions, of events or of answers.
struct Side<'a> {
    span: Span,
    steps: &'a [StepSpec],
    chain: &'a Chain,
    contracts: [&'a Schema; 2],
    paths: [&'a str; 2],
}

impl Side<'_> {
    fn check(&self, subject: &mut Subject<'_>, file: &Loaded<VersionsFile>, at: usize) {
        let [older, newer] = self.contracts;
        let link = Link { older, newer, steps: self.chain.link(at) };
        let mut documents = Vec::new();
        for (direction, path) in [(Direction::Up, self.paths[0]), (Direction::Down, self.paths[1])]
        {
            let given: Vec<Value> = examples(subject.project, subject.folder, path)
                .into_iter()
                .map(|(_, document)| document)
                .collect();
            let made = link.documents(direction, &given);
            if made.is_empty() {
                let message =
                    format!("no document of `{path}` could be made to check the steps with");
                let finding = file.warning(codes::UNCHECKED, self.span, message);
                let help = "put examples into `contracts/examples/valid`, named after the contract";
                subject.out.push(finding.help(help));
            }
            documents.push(made);
        }
        for broken in link.check(&documents[0], &documents[1]) {
            subject.out.push(self.finding(file, at, &broken));
        }
    }

    fn finding(&self, file: &Loaded<VersionsFile>, at: usize, broken: &Broken) -> Finding {
        let step = broken.step.and_then(|number| self.steps.get(number));
        let span = step.map_or(self.span, |step| step.span);
        let named = broken.step.and_then(|number| self.chain.link(at).get(number));
        let who = named.map_or_else(
            || "the steps to the next version".to_owned(),
            |step| format!("the step `{step}`"),
        );
        let message = format!(
            "{who} break a law going {}: {}: {}",
            broken.direction.as_str(),
            broken.law,
            broken.detail
        );
        let message =
            if named.is_some() { message.replacen(" break ", " breaks ", 1) } else { message };
        let document: String = broken.document.to_string().chars().take(SHOWN).collect();
        file.error(codes::LAW, span, message).help(format!("with the document {document}"))
    }
}

/// The valid examples that are named after a contract, with their paths.
pub(crate) fn examples(
    project: &Project,
    folder: &IntegrationFolder,
    contract: &str,
) -> Vec<(String, Value)> {
    let stem = contract.strip_prefix("contracts/").and_then(|it| it.strip_suffix(".schema.json"));
    let Some(stem) = stem else { return Vec::new() };
    let inside = format!("{}/contracts/examples/valid", folder.folder);
    let files = project.files();
    let named = files.under(&inside).filter(|(path, _)| {
        let rest = path[inside.len() + 1..].strip_prefix(stem);
        rest.is_some_and(|rest| rest.starts_with(['.', '-', '_']))
    });
    // What cannot be parsed was said where examples are checked.
    named
        .filter_map(|(path, _)| {
            let document = parse_file(files, path, &mut Vec::new())?;
            Some((path.to_owned(), document.root.to_value()))
        })
        .collect()
}
