//! Owners resolve in the directory.

use qc_model::{Finding, Name};

use super::{Subject, closest_or_list};
use crate::{Project, codes, project::CONNECTORS, shape::Spanned};

pub(super) fn check(subject: &mut Subject<'_>) {
    let Some(directory) = subject.project.organisation() else { return };
    let it = &subject.file.value;
    let mut named: Vec<(String, &Spanned<Name>)> = Vec::new();
    if let Some(owners) = &it.owners {
        named.extend(owners.all().map(|(slot, who)| (format!("`owners.{slot}`"), who)));
    }
    for (name, system) in it.systems.iter() {
        named.push((format!("the owner of `{}`", name.value), &system.owner));
    }
    for mode in &it.failure_modes {
        named.extend(
            mode.escalation
                .iter()
                .map(|level| (format!("the escalation of `{}`", mode.id.value), &level.to)),
        );
    }
    named.extend(it.escalation.iter().map(|level| ("the `escalation`".to_owned(), &level.to)));
    named.extend(
        it.rollout
            .iter()
            .map(|rollout| ("`rollback_authority`".to_owned(), &rollout.rollback_authority)),
    );
    named.extend(it.review.iter().map(|review| ("the reviewer".to_owned(), &review.by)));
    for (what, who) in named {
        if !directory.value.knows_owner(who.as_str()) {
            let message = format!(
                "{what} is `{}`, who is no person and no team of the organisation",
                who.value
            );
            let help = closest_or_list(who.as_str(), directory.value.owner_ids());
            let finding = subject.file.error(codes::UNKNOWN_OWNER, who.span, message);
            subject.out.push(finding.cause("not in the directory").help(help));
        }
    }
    for who in it.communication.iter().flat_map(|communication| &communication.audience) {
        if !who.contains('@') && !directory.value.knows_owner(&who.value) {
            let message = format!("`{}` is no person, no team and no mail address", who.value);
            let help = closest_or_list(&who.value, directory.value.owner_ids());
            subject.error(codes::UNKNOWN_OWNER, who.span, message, help);
        }
    }
}

/// The owners of connectors.
pub(super) fn connectors(project: &Project, out: &mut Vec<Finding>) {
    let Some(directory) = project.organisation() else { return };
    for connector in project.connectors().iter() {
        let Some(owner) = connector.owner() else { continue };
        if directory.value.knows_owner(owner) {
            continue;
        }
        let path = format!("{CONNECTORS}/{}/connector.yaml", connector.name());
        let message = format!(
            "the owner of the connector `{}` is `{owner}`, who is no person and no team of the organisation",
            connector.name()
        );
        let help = closest_or_list(owner, directory.value.owner_ids());
        let file = crate::project::parse_file(project.files(), &path, &mut Vec::new());
        let place = file.and_then(|file| Some(file.source.place(file.root.get("owner")?.span)));
        let finding = Finding::error(codes::UNKNOWN_OWNER, message).help(help);
        out.push(finding.at(place.unwrap_or_else(|| crate::files::file_place(&path))));
    }
}
