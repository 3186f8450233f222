//! Where data may go: the policy speaks of what is there, and what the integration sends is said and may go.

use std::collections::BTreeSet;

use qc_data::{DataClass, Destination, Verdict};
use qc_model::{Code, Finding, Name};
use qc_workflow::{CallSite, SiteTarget};

use super::{Subject, closest_or_list};
use crate::{
    Project, codes,
    compile::{movement, names_site, rule_of, system_at},
    integration::DataObject,
    organisation::{Organisation, PEOPLE, SENDERS},
    project::Loaded,
    shape::Spanned,
};

/// The organisation's policy.
pub(super) fn policy(project: &Project, file: &Loaded<Organisation>, out: &mut Vec<Finding>) {
    let Some(spec) = &file.value.data_movement else { return };
    let integrations = || {
        let folders = project.integrations().values();
        folders.filter_map(|folder| folder.definition.as_ref()).map(|file| &file.value)
    };
    let (mut places, mut regions) = (BTreeSet::from([PEOPLE, SENDERS]), BTreeSet::new());
    for it in integrations() {
        places.extend(it.systems.names().chain(it.publishes.names()).map(Name::as_str));
        let of_systems = it.systems.iter().filter_map(|(_, system)| system.region.as_ref());
        let of_publications = it.publishes.iter().filter_map(|(_, one)| one.region.as_ref());
        regions.extend(of_systems.chain(of_publications).map(|region| region.value.as_str()));
    }
    let environments: BTreeSet<&str> = file.value.environments.names().map(Name::as_str).collect();
    let mut earlier = Vec::new();
    for rule in &spec.value.rules {
        for (what, named, known) in [
            ("destination", &rule.value.to, &places),
            ("environment", &rule.value.environments, &environments),
            ("region", &rule.value.regions, &regions),
        ] {
            for name in named.0.iter().filter(|name| !known.contains(name.value.as_str())) {
                let message = format!("there is no {what} `{}`", name.value);
                let help = closest_or_list(name.value.as_str(), known.iter().copied());
                let finding = file.error(codes::MOVEMENT_NAME, name.span, message);
                out.push(finding.help(help));
            }
        }
        let compiled = rule_of(&rule.value);
        if earlier.iter().any(|one: &qc_data::Rule| one.covers(&compiled)) {
            let message = "this rule decides nothing: an earlier one speaks of all that it does";
            let finding = file.warning(codes::MOVEMENT_IDLE, rule.span, message);
            out.push(finding.help("move it up, or take it out"));
        }
        earlier.push(compiled);
    }
}

pub(super) fn check(subject: &mut Subject<'_>) {
    places(subject);
    let Some(organisation) = subject.project.organisation() else { return };
    let it = &subject.file.value;
    let Some(spec) = &organisation.value.data_movement else {
        let of = |object: &DataObject| {
            let fields = object.fields.iter().map(|(_, class)| class.value);
            fields.chain(object.default).any(|class| class >= DataClass::Personal)
        };
        if let Some((name, _)) = it.objects.iter().find(|(_, object)| of(object)) {
            let message = format!(
                "`{}` has personal data, and nothing says where they may go: they go everywhere",
                name.value
            );
            let finding = Finding::note(codes::NO_MOVEMENT, message);
            let help = "declare `data_movement` in quickconnect.yaml";
            subject.out.push(finding.at(subject.file.place(name.span)).help(help));
        }
        return;
    };
    if spec.value.rules.iter().any(|rule| !rule.value.regions.0.is_empty()) {
        regions(subject);
    }
    let policy = movement(&spec.value);
    let environments: Vec<&str> =
        organisation.value.environments.names().map(Name::as_str).collect();
    let folder = subject.folder;
    for site in folder.program.iter().flat_map(|program| program.calls()) {
        let to = match &site.target {
            SiteTarget::Kept { .. } => continue,
            SiteTarget::Human { .. } => Some(PEOPLE),
            _ => system_at(subject.project, folder, it, site).map(Name::as_str),
        };
        let Some(to) = to else { continue };
        let region = it.systems.get(to).and_then(|system| system.region.as_ref());
        let region = region.map(|region| region.value.as_str());
        let denied = |class: DataClass| {
            environments.iter().copied().find(|environment| {
                policy.decide(class, &Destination { name: to, environment, region })
                    == Verdict::Deny
            })
        };
        sent(subject, site, to, policy.highest(), &denied);
    }
}

/// What a task sends may go where it goes, as far as its labels tell.
fn sent<'e>(
    subject: &mut Subject<'_>,
    site: &CallSite,
    to: &str,
    highest: DataClass,
    denied: &dyn Fn(DataClass) -> Option<&'e str>,
) {
    let (file, task) = (subject.file, &site.task_name);
    let operation = match &site.target {
        SiteTarget::Connector { connector, operation } => format!("{connector}.{operation}"),
        _ => String::new(),
    };
    let says = |object: &DataObject| {
        names_site(&object.sent_by, site) || object.sent_by.iter().any(|one| one.value == operation)
    };
    let mut said = file.value.objects.iter().filter(|(_, object)| says(object)).peekable();
    if said.peek().is_none() {
        if let Some(environment) = denied(highest) {
            let message = format!(
                "nothing says what `{task}` sends: all of it counts as `{}`, which does not go to `{to}` in `{environment}`",
                highest.as_str()
            );
            let help = format!("name `{task}` in `sent_by` of the object that it sends");
            subject.out.push(
                Finding::warning(codes::MOVEMENT_DENIES, message).at(site.place.clone()).help(help),
            );
        }
        return;
    }
    for (_, object) in said {
        for (field, class) in object.fields.iter() {
            if let Some(environment) = denied(class.value) {
                let message = format!(
                    "`{task}` sends `{}`, which is `{}` and does not go to `{to}` in `{environment}`",
                    field.value,
                    class.value.as_str()
                );
                let help = "send something else, or have the policy mask it or let it go";
                subject.warning(codes::MOVEMENT_DENIES, class.span, message, help);
            }
        }
    }
}

/// Where rules go by regions, every system that is called has one.
fn regions(subject: &mut Subject<'_>) {
    for (name, system) in subject.file.value.systems.iter() {
        if system.region.is_none() && system.direction != crate::integration::Direction::Inbound {
            let message = format!("`{}` has no `region`, by which rules decide", name.value);
            let help = "say in which region its data is";
            subject.error(codes::NO_REGION, name.span, message, help);
        }
    }
}

/// What objects are said to be is there.
fn places(subject: &mut Subject<'_>) {
    let (file, folder) = (subject.file, subject.folder);
    let mut wrong: Vec<(Code, qc_document::Span, String, String)> = Vec::new();
    for (_, object) in file.value.objects.iter() {
        if let Some(program) = &folder.program {
            let calls = || program.calls().map(|site| &*site.task_name);
            for task in object.sent_by.iter().chain(&object.received_by) {
                let is_operation = task.contains('.') && !task.starts_with('/');
                let there = is_operation
                    || program.calls().any(|site| names_site(std::slice::from_ref(task), site));
                if !there {
                    let message = format!("no task `{}` calls anything", task.value);
                    let help = closest_or_list(&task.value, calls());
                    wrong.push((codes::OBJECT_PLACE, task.span, message, help));
                }
            }
        }
        let publications: Vec<&str> = file.value.publishes.names().map(Name::as_str).collect();
        let triggers: Vec<&str> = file.value.triggers.names().map(Name::as_str).collect();
        for (what, named, known) in [
            ("publication", &object.published_as, &publications),
            ("trigger", &object.answered_to, &triggers),
        ] {
            for name in named {
                wrong.extend(missing(what, name, known));
            }
        }
    }
    for (code, span, message, help) in wrong {
        subject.error(code, span, message, help);
    }
}

fn missing(
    what: &str,
    name: &Spanned<Name>,
    known: &[&str],
) -> Option<(Code, qc_document::Span, String, String)> {
    if known.contains(&name.value.as_str()) {
        return None;
    }
    let message = format!("there is no {what} `{}`", name.value);
    let help = closest_or_list(name.value.as_str(), known.iter().copied());
    Some((codes::OBJECT_PLACE, name.span, message, help))
}
