//! Files of an integration that nothing reads: mostly names with a slip.

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
    "acceptance/",
    "fixtures/",
    "migrations/",
];

pub(super) fn check(project: &Project, out: &mut Vec<Finding>) {
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

fn unread(path: &str, help: String) -> Finding {
    Finding::warning(codes::UNREAD_FILE, format!("nothing reads `{path}`"))
        .at(file_place(path))
        .help(help)
}
