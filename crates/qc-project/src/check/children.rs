//! Workflows that workflows run: they are there.

use qc_model::Finding;

use super::Subject;
use crate::codes;

pub(super) fn check(subject: &mut Subject<'_>) {
    let Some(program) = &subject.folder.program else { return };
    for site in program.children() {
        let wanted = &site.workflow;
        let programs = || {
            let folders = subject.project.integrations().values();
            folders.filter_map(|folder| folder.program.as_ref())
        };
        let named = || {
            programs()
                .filter(|one| one.namespace() == wanted.namespace && one.name() == wanted.name)
        };
        let found = named().any(|one| wanted.version.as_deref().is_none_or(|v| one.version() == v));
        if found {
            continue;
        }
        let name = format!("{}/{}", wanted.namespace, wanted.name);
        let message = match &wanted.version {
            Some(version) => {
                format!("no integration has the workflow `{name}` of version {version}")
            }
            None => format!("no integration has the workflow `{name}`"),
        };
        let versions: Vec<&str> = named().map(|one| one.version()).collect();
        let help = if versions.is_empty() {
            let known: Vec<String> =
                programs().map(|one| format!("{}/{}", one.namespace(), one.name())).collect();
            super::closest_or_list(&name, known.iter().map(String::as_str))
        } else {
            format!("there is version {}", versions.join(", "))
        };
        let finding = Finding::error(codes::UNKNOWN_WORKFLOW, message);
        subject.out.push(finding.at(site.place.clone()).help(help));
    }
}
