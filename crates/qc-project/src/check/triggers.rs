//! Triggers: everything in them compiles; who may send; whose events they are.

use super::Subject;
use crate::{
    codes,
    compile::{compile_jq, triggers},
    integration::{TenantSpec, TriggerAccess},
};

pub(super) fn check(subject: &mut Subject<'_>) {
    // Compiling is the check; the result is made again when a release is compiled.
    drop(triggers(subject.project, subject.folder, subject.out));
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
    for (name, trigger) in it.triggers.iter() {
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
