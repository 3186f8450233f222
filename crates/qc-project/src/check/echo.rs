//! Echoes: they speak of tasks, triggers and systems that are there, and of both sides.

use std::collections::BTreeSet;

use super::{Subject, closest_or_list};
use crate::{codes, compile::echo_places};

pub(super) fn check(subject: &mut Subject<'_>) {
    let (file, folder) = (subject.file, subject.folder);
    let it = &file.value;
    let mut spoken: BTreeSet<String> = BTreeSet::new();
    for (system, spec) in it.echo.iter() {
        if it.systems.get(system.as_str()).is_none() {
            let message = format!("`{}` is no system of the integration", system.value);
            let names = it.systems.names().map(qc_model::Name::as_str);
            let help = closest_or_list(system.as_str(), names);
            subject.error(codes::ECHO, system.span, message, help);
        }
        if spec.tasks.iter().next().is_none() || spec.triggers.iter().next().is_none() {
            let message = format!("nothing is compared for `{}`", system.value);
            let help = "name the tasks that write into it and the triggers that hear from it";
            subject.error(codes::ECHO, system.span, message, help);
        }
        for (task, _) in spec.tasks.iter() {
            let places = echo_places(folder, &task.value);
            if folder.program.is_some() && places.is_empty() {
                let message =
                    format!("the workflow has no task `{}` that calls something", task.value);
                let calls = folder.program.iter().flat_map(|program| program.calls());
                let help = closest_or_list(&task.value, calls.map(|site| &*site.task_name));
                subject.error(codes::ECHO_NAME, task.span, message, help);
            }
            for place in places.into_iter().filter(|place| !spoken.insert(place.clone())) {
                let message = format!("the task at `{place}` writes into two systems at once");
                let help = "a call has one echo; name it once";
                subject.error(codes::ECHO_NAME, task.span, message, help);
            }
        }
        for (trigger, _) in spec.triggers.iter() {
            let name = trigger.as_str();
            if it.triggers.get(name).is_none() {
                let message = format!("there is no trigger `{name}`");
                let names = it.triggers.names().map(qc_model::Name::as_str);
                let help = closest_or_list(name, names);
                subject.error(codes::ECHO_NAME, trigger.span, message, help);
            } else if !spoken.insert(format!("trigger {name}")) {
                let message = format!("the trigger `{name}` hears from two systems at once");
                let help = "a trigger has one echo; name it once";
                subject.error(codes::ECHO_NAME, trigger.span, message, help);
            }
        }
    }
}
