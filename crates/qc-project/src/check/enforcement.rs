//! What can be declared and is not enforced yet. The table must be empty in the end.

use qc_document::{Node, NodeValue, Span};
use qc_model::Finding;

use super::Subject;
use crate::{codes, organisation::Organisation, project::Loaded};

/// A key that is read and checked, and that nothing enforces at run time yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotYet {
    /// The kind of file.
    pub file: FileKind,
    /// The key's path; `*` stands for every name or item.
    pub path: &'static [&'static str],
    /// What will enforce it.
    pub missing: &'static str,
}

/// The kinds of files of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// `quickconnect.yaml`.
    Organisation,
    /// `integration.yaml`.
    Integration,
}

const fn org(path: &'static [&'static str], missing: &'static str) -> NotYet {
    NotYet { file: FileKind::Organisation, path, missing }
}

const fn int(path: &'static [&'static str], missing: &'static str) -> NotYet {
    NotYet { file: FileKind::Integration, path, missing }
}

/// The one table. A key leaves it in the change that gives it its force.
pub const NOT_ENFORCED_YET: &[NotYet] = &[
    org(
        &["environments", "*", "tenants"],
        "tenants that come from the event are not held against it",
    ),
    org(&["rotation"], "rotation of credentials"),
    int(&["outcome"], "business metrics"),
    int(&["systems", "*", "criticality"], "alert routing"),
    int(&["nfr", "sensitivity"], "the classes of fields are not held against it"),
    int(&["nfr", "audit"], "what is kept, and for how long, is not held against it"),
    int(&["nfr", "recovery"], "drills of recovery"),
    int(&["rollout"], "staged rollout"),
    int(&["communication"], "announcements"),
    int(&["review"], "scheduled reviews"),
];

pub(super) fn organisation(file: &Loaded<Organisation>, out: &mut Vec<Finding>) {
    out.extend(note(file, FileKind::Organisation));
}

pub(super) fn integration(subject: &mut Subject<'_>) {
    subject.out.extend(note(subject.file, FileKind::Integration));
}

/// One note a file, with a label at each key.
fn note<T>(file: &Loaded<T>, kind: FileKind) -> Option<Finding> {
    let mut found: Vec<(Span, String, &'static str)> = Vec::new();
    for entry in NOT_ENFORCED_YET.iter().filter(|entry| entry.file == kind) {
        if let Some(span) = first(&file.root, entry.path) {
            found.push((span, entry.path.join("."), entry.missing));
        }
    }
    found.sort_by_key(|(span, ..)| *span);
    let ((span, _, missing), others) = found.split_first()?;
    let names: Vec<String> = found.iter().map(|(_, name, _)| format!("`{name}`")).collect();
    let message =
        format!("declared and checked, but not enforced at run time yet: {}", names.join(", "));
    let finding = Finding::note(codes::NOT_ENFORCED, message)
        .at(file.place(*span))
        .cause(format!("waits for: {missing}"));
    Some(others.iter().fold(finding, |finding, (span, _, missing)| {
        finding.label(file.place(*span), format!("waits for: {missing}"))
    }))
}

/// Where the path is met first.
fn first(node: &Node, path: &[&str]) -> Option<Span> {
    let (key, rest) = path.split_first()?;
    match (&node.value, *key) {
        (NodeValue::Mapping(entries), "*") => {
            entries.iter().find_map(|(_, value)| first(value, rest))
        }
        (NodeValue::Sequence(items), "*") => items.iter().find_map(|item| first(item, rest)),
        (NodeValue::Mapping(_), key) => {
            let (name, value) = node.entry(key)?;
            if rest.is_empty() { Some(name.span) } else { first(value, rest) }
        }
        _ => None,
    }
}
