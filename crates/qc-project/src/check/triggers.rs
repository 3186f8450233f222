//! Triggers: everything in them compiles; who may send; whose events they are.

use qc_workflow::Schedule;

use super::Subject;
use crate::{
    codes,
    compile::{compile_jq, standing, triggers},
    integration::{Rhythm, ScheduleSpec, TenantSpec, TriggerAccess, TriggerForm, TriggerSpec},
};

pub(super) fn check(subject: &mut Subject<'_>) {
    // Compiling is the check; the result is made again when a release is compiled.
    drop(triggers(subject.project, subject.folder, subject.out));
    drop(standing(subject.project, subject.folder, subject.out));
    let it = &subject.file.value;
    if it.triggers.is_empty()
        && subject
            .file
            .root
            .get("triggers")
            .is_some_and(|node| node.as_mapping().is_some_and(<[_]>::is_empty))
    {
        let span = subject.file.root.key_span_at("/triggers").unwrap_or_default();
        subject.error(
            qc_document::codes::MISSING_KEY,
            span,
            "there is no trigger".to_owned(),
            "say how events come in",
        );
    }
    if let Some(ordering) = &it.ordering
        && let Err(finding) = compile_jq(subject.file, &ordering.key, &[])
    {
        subject.out.push(*finding);
    }
    schedule(subject);
    for (name, trigger) in it.triggers.iter() {
        if let TriggerForm::Schedule(schedule) = &trigger.form {
            scheduled(subject, schedule, &trigger.tenant);
            tenant(subject, &trigger.tenant);
            continue;
        }
        if let (TriggerForm::Event(_), TenantSpec::FromEvent(jq)) = (&trigger.form, &trigger.tenant)
        {
            let message = "an event of the bus is its own tenant's".to_owned();
            let help = "write a tenant's name to take only that one's events, or leave it out";
            subject.error(codes::CONTRADICTION, jq.span, message, help);
        }
        published(subject, trigger);
        if matches!(trigger.access.value, TriggerAccess::Open) {
            let message = format!("anybody may send to the trigger `{}`", name.value);
            subject.warning(
                codes::OPEN_TRIGGER,
                trigger.access.span,
                message,
                "prefer `auth: token` or `auth: signature`",
            );
        }
        if trigger.contract.is_none() {
            let message = format!(
                "the trigger `{}` has no contract: whatever comes in starts a run",
                name.value
            );
            subject.warning(
                codes::CONTRACT,
                name.span,
                message,
                "write the event's JSON Schema and name it in `contract`",
            );
        }
        if let Some(rule) = &trigger.idempotency
            && rule.window.is_zero()
        {
            let message = "a window of no time remembers nothing".to_owned();
            subject.error(
                codes::CONTRADICTION,
                rule.key.span,
                message,
                "write how long senders may repeat, such as `72h`",
            );
        }
        if let Some((rate, traffic)) = trigger.expected_rate.zip(trigger.traffic.as_ref())
            && traffic.peak.per_second() < rate.per_second()
        {
            let message = format!("the peak of `{}` is below its expected rate", name.value);
            subject.error(
                codes::CONTRADICTION,
                name.span,
                message,
                "the peak is the highest rate, the expected one the usual",
            );
        }
        tenant(subject, &trigger.tenant);
    }
}

/// What has no meaning when no run begins.
fn published(subject: &mut Subject<'_>, trigger: &TriggerSpec) {
    if trigger.does.value != qc_engine::Does::Publish {
        return;
    }
    for (key, jq) in [("input", &trigger.input), ("subject", &trigger.subject)] {
        if let Some(jq) = jq {
            let message = format!("`{key}` has no meaning for a trigger that `does: publish`");
            let help = "no run begins with the event; remove it, or write `does: both`";
            subject.error(codes::MISPLACED_KEY, jq.span, message, help);
        }
    }
}

/// A workflow's own schedule needs a trigger that says whose runs they are.
fn schedule(subject: &mut Subject<'_>) {
    let Some(program) = subject.folder.program.as_ref().filter(|one| one.schedule().is_some())
    else {
        return;
    };
    let mut triggers = subject.file.value.triggers.iter();
    let taken_up = triggers.any(|(_, trigger)| {
        matches!(&trigger.form, TriggerForm::Schedule(schedule) if matches!(schedule.rhythm, Some(Rhythm::OfWorkflow)))
    });
    if !taken_up {
        let message = format!("no trigger takes up the `schedule` of `{}`", program.name());
        let span = subject.file.root.key_span_at("/triggers").unwrap_or_default();
        let help =
            "add a trigger of `kind: schedule` without `cron` and `every`, with its `tenant`";
        subject.error(codes::CONTRADICTION, span, message, help);
    }
}

fn scheduled(subject: &mut Subject<'_>, schedule: &ScheduleSpec, tenant: &TenantSpec) {
    let own = subject.folder.program.as_ref().map(|program| program.schedule());
    if let TenantSpec::FromEvent(jq) = tenant {
        let message = "nothing comes in from which the tenant could be known".to_owned();
        subject.error(codes::CONTRADICTION, jq.span, message, "write the tenant's name");
    }
    let by_clock = match (&schedule.rhythm, own) {
        (Some(Rhythm::Cron(_)), _) | (Some(Rhythm::OfWorkflow), Some(Some(Schedule::Cron(_)))) => {
            true
        }
        (Some(Rhythm::OfWorkflow), Some(None)) => {
            let span = subject.file.root.key_span_at("/triggers").unwrap_or_default();
            let message = "the trigger does not say when, and the workflow has no `schedule`";
            let help = "write `cron` or `every`";
            subject.error(codes::CONTRADICTION, span, message.to_owned(), help);
            return;
        }
        // What cannot be read has findings of its own.
        (None, _) | (Some(Rhythm::OfWorkflow), None) => return,
        (Some(Rhythm::Every(_)), _) | (Some(Rhythm::OfWorkflow), Some(Some(_))) => false,
    };
    if let Some(zone) = schedule.time_zone.as_ref().filter(|_| !by_clock) {
        let message = "`time_zone` has no meaning for an interval".to_owned();
        subject.error(codes::CONTRADICTION, zone.span, message, "it is for `cron`: remove it");
    }
}

fn tenant(subject: &mut Subject<'_>, tenant: &TenantSpec) {
    let (TenantSpec::Fixed(tenant), Some(organisation)) = (tenant, subject.project.organisation())
    else {
        return;
    };
    for (environment, details) in organisation.value.environments.iter() {
        let Some(tenants) = &details.tenants else { continue };
        if !tenants.only.iter().any(|one| one.value == tenant.value) {
            let message = format!(
                "the environment `{}` takes no events of the tenant `{}`",
                environment.value, tenant.value
            );
            let finding = subject.file.error(codes::TENANT, tenant.span, message);
            let at = organisation.place(environment.span);
            subject.out.push(
                finding
                    .label(at, "declared here")
                    .help("add it to `tenants.only`, or change the trigger's `tenant`"),
            );
        }
    }
}
