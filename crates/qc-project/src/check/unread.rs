//! Files that nothing reads: mostly names with a slip, and some that have their place and wait for what will read them.

use std::collections::BTreeSet;

use qc_model::Finding;

use crate::{
    Project, codes,
    files::file_place,
    project::{CONNECTORS, INTEGRATIONS, is_scenario},
};

/// Files and folders of an integration.
const KNOWN: &[&str] = &[
    "integration.yaml",
    "workflow.yaml",
    "CHANGELOG.md",
    "README.md",
    "contracts/",
    "consumers/",
    "expects/",
    "evidence/",
    "acceptance/",
    "fixtures/",
    "migrations/",
];

/// Files and folders that a project may have, and what will read them.
const NOT_YET: &[(&str, &str)] = &[("flags.yaml", "feature flags"), ("slo/", "SLOs")];
/// The same in an integration's folder.
const NOT_YET_INSIDE: &[(&str, &str)] = &[("migrations/", "migration notes")];

pub(super) fn check(project: &Project, out: &mut Vec<Finding>) {
    waiting(project, "", NOT_YET, &BTreeSet::new(), out);
    for folder in project.integrations().values() {
        let guides = folder.versions.values().flat_map(|file| file.value.versions.iter());
        let guides = guides.filter_map(|(_, version)| Some(folder.path(version.guide.as_ref()?)));
        let changes = folder.definition.iter().flat_map(|file| file.value.breaking_changes.iter());
        let notes = changes.map(|(_, change)| {
            let path = change.migration.split('#').next().unwrap_or_default();
            folder.path(path)
        });
        let read = guides.chain(notes).collect();
        waiting(project, &format!("{}/", folder.folder), NOT_YET_INSIDE, &read, out);
    }
    for top in [INTEGRATIONS, CONNECTORS] {
        for (path, _) in project.files().under(top) {
            let local = &path[top.len() + 1..];
            match local.split_once('/') {
                None if local != "README.md" => {
                    out.push(unread(
                        path,
                        format!("every one has a folder of its own under `{top}`"),
                    ));
                }
                Some((name, inside)) if top == INTEGRATIONS => integration(path, name, inside, out),
                _ => {}
            }
        }
    }
}

fn integration(path: &str, name: &str, inside: &str, out: &mut Vec<Finding>) {
    let known = KNOWN
        .iter()
        .any(|known| inside == *known || (known.ends_with('/') && inside.starts_with(known)));
    if !known {
        let first = inside.split_inclusive('/').next().unwrap_or(inside);
        let help = match qc_document::closest(first, KNOWN.iter().copied()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("an integration has {}", KNOWN.join(", ")),
        };
        out.push(unread(path, help));
    } else if inside.starts_with("acceptance/")
        && !is_scenario(&format!("{INTEGRATIONS}/{name}"), path)
        && std::path::Path::new(inside).extension() != Some("md".as_ref())
    {
        out.push(unread(
            path,
            "scenarios are `acceptance/<name>.yaml`; put data into `fixtures/`".to_owned(),
        ));
    }
}

/// A note for each that is there, at its first file; but for those that something reads.
fn waiting(
    project: &Project,
    below: &str,
    known: &[(&str, &str)],
    read: &BTreeSet<String>,
    out: &mut Vec<Finding>,
) {
    for (name, missing) in known {
        let whole = format!("{below}{name}");
        let is_it = |path: &str| {
            if whole.ends_with('/') { path.starts_with(&whole) } else { path == whole }
        };
        if let Some((path, _)) =
            project.files().iter().find(|(path, _)| is_it(path) && !read.contains(*path))
        {
            let message =
                format!("nothing reads `{whole}` yet: it is neither checked nor enforced");
            let note = Finding::note(codes::NOT_ENFORCED, message).at(file_place(path));
            out.push(note.cause(format!("waits for: {missing}")));
        }
    }
}

fn unread(path: &str, help: String) -> Finding {
    Finding::warning(codes::UNREAD_FILE, format!("nothing reads `{path}`"))
        .at(file_place(path))
        .help(help)
}
