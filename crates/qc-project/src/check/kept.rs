//! What the integration keeps: declared rightly, and used.

use std::collections::BTreeSet;

use qc_model::Finding;
use qc_workflow::{CROSSREF, KeptDeed, NOT_A_SYSTEM, STATE, SiteTarget};

use super::{Subject, closest_or_list};
use crate::{
    codes,
    compile::{kept, rules_of},
};

pub(super) fn check(subject: &mut Subject<'_>) {
    // Compiling is the check; the result is made again when a release is compiled.
    drop(kept(subject.project, subject.folder, subject.out));
    for reserved in [STATE, CROSSREF] {
        reserved_name(subject, reserved);
    }
    tables(subject);
    let Some(program) = subject.folder.program.clone() else { return };
    let mut used: BTreeSet<(&str, &str)> = BTreeSet::new();
    for site in program.calls() {
        let SiteTarget::Kept { deed, place } = &site.target else { continue };
        used.insert((section(*deed), place));
        effect(subject, site);
    }
    let it = &subject.file.value;
    let states = it.state.iter().map(|(name, _)| ("state", name));
    let declared: Vec<_> =
        states.chain(it.crossrefs.iter().map(|(n, _)| ("crossrefs", n))).collect();
    for (section, name) in declared {
        if !used.contains(&(section, name.as_str())) {
            let message = format!("no task reads or writes `{section}.{}`", name.value);
            let help = "call it in the workflow, or remove it";
            subject.warning(codes::KEPT_UNUSED, name.span, message, help);
        }
    }
}

fn section(deed: KeptDeed) -> &'static str {
    if deed.connector() == STATE { "state" } else { "crossrefs" }
}

/// Calls of this name go to what the integration keeps, so no connector can have it.
fn reserved_name(subject: &mut Subject<'_>, reserved: &'static str) {
    let systems = &subject.file.value.systems;
    for (name, system) in systems.iter() {
        let used = subject.project.connector_of(&name.value, system);
        if used.is_some_and(|used| used.as_str() == reserved) {
            let message = format!("a connector cannot be called `{reserved}`");
            let help = format!(
                "calls of `{reserved}.…` go to what the integration keeps; rename the connector"
            );
            subject.error(codes::RESERVED_CONNECTOR, name.span, message, help);
        }
    }
}

fn tables(subject: &mut Subject<'_>) {
    let file = subject.file;
    for (table, spec) in file.value.crossrefs.iter() {
        let [a, b] = &spec.between.0;
        if a.value == b.value {
            let message = format!("`{}` has the same system twice", table.value);
            subject.error(codes::TABLE_SYSTEMS, b.span, message, "name the other system");
        }
        for system in [a, b] {
            if NOT_A_SYSTEM.contains(&system.as_str()) {
                let message = format!("a system of a table cannot be called `{}`", system.value);
                let help =
                    format!("these words have a meaning of their own: {}", NOT_A_SYSTEM.join(", "));
                subject.error(codes::TABLE_SYSTEMS, system.span, message, help);
            } else if file.value.systems.get(system.as_str()).is_none() {
                let message = format!("`{}` is no system of the integration", system.value);
                let names = file.value.systems.names().map(qc_model::Name::as_str);
                let help = closest_or_list(system.as_str(), names);
                subject.error(codes::TABLE_SYSTEMS, system.span, message, help);
            }
        }
    }
}

/// Nothing of it is ever in doubt, so an effect class would say nothing.
fn effect(subject: &mut Subject<'_>, site: &qc_workflow::CallSite) {
    let Some((_, rules)) = rules_of(&subject.file.value, site) else { return };
    let (spread, quiet) = (rules.own.spread.as_ref(), rules.own.quiet_hours.as_ref());
    for (span, word) in [
        (spread.map(|spread| spread.span), "spread"),
        (quiet.map(|quiet| quiet.span), "quiet_hours"),
    ] {
        let Some(span) = span else { continue };
        let message = format!("`{}` calls no system: it waits for nothing", site.task_name);
        let finding = subject.file.error(codes::KEPT_EFFECT, span, message);
        let finding = finding.label(site.place.clone(), "called here");
        subject.out.push(finding.help(format!("remove `{word}`")));
    }
    let Some(effect) = &rules.own.effect else { return };
    let message = format!("`{}` has no effect class to be declared", site.task_name);
    let finding: Finding = subject
        .file
        .error(codes::KEPT_EFFECT, effect.span, message)
        .label(site.place.clone(), "called here")
        .cause("what the integration keeps is written in the run's own commit: its outcome is never unknown")
        .help("remove `effect`; `retry` and `timeout` may stay");
    subject.out.push(finding);
}
