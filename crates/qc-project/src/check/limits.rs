//! Limits that cannot be kept as they are declared.

use std::{collections::BTreeMap, time::Duration};

use qc_document::Span;
use qc_limit::{QuotaError, RULES_EACH};

use super::Subject;
use crate::{
    codes,
    compile::limits::{lesser_quota, quota},
    integration::{Excess, Lesser, Limit, LimitScope, ServiceClass},
};

pub(super) fn check(subject: &mut Subject<'_>) {
    let file = subject.file;
    twice(subject);
    if file.value.limits.len() > RULES_EACH {
        let span = file.root.key_span_at("/limits").unwrap_or_default();
        let message = format!("the integration has {} limits", file.value.limits.len());
        let help = format!("at most {RULES_EACH}: every event is held against each of them");
        subject.error(codes::LIMIT, span, message, &help);
    }
    for limit in &file.value.limits {
        over_time(subject, limit);
        at_once(subject, limit);
        excess(subject, limit);
    }
    class(subject);
}

fn twice(subject: &mut Subject<'_>) {
    let mut seen = BTreeMap::new();
    for limit in &subject.file.value.limits {
        if let Some(first) = seen.insert(limit.name.as_str(), limit.name.span) {
            let finding = subject.file.error(
                codes::DUPLICATE_ID,
                limit.name.span,
                format!("the limit `{}` is there twice", limit.name.value),
            );
            subject.out.push(finding.label(subject.file.place(first), "the first one is here"));
        }
    }
}

/// Whether its quota can be kept, and every trigger's event can come at all.
fn over_time(subject: &mut Subject<'_>, limit: &Limit) {
    let (Some(rate), Some(quota)) = (&limit.rate, quota(limit)) else { return };
    let burst = limit.burst.as_ref().map_or(rate.span, |burst| burst.span);
    let quota = match quota {
        Ok(quota) => quota,
        Err(error) => {
            let help = match error {
                QuotaError::TooFast | QuotaError::Nothing => "say a lower rate",
                QuotaError::TooLarge => "say a smaller burst, or a higher rate",
            };
            let message = format!("the limit `{}` cannot be kept: {error}", limit.name.value);
            subject.error(codes::LIMIT, rate.span, message, help);
            return;
        }
    };
    let dear: Vec<(Span, String)> = subject
        .file
        .value
        .triggers
        .iter()
        .filter(|(_, trigger)| trigger.cost.value.0.unsigned_abs() > quota.burst())
        .map(|(name, trigger)| {
            let (cost, most) = (trigger.cost.value.0, quota.burst());
            let message = format!(
                "an event of `{}` takes {cost} units, and `{}` never has more than {most}: none would come in",
                name.value, limit.name.value
            );
            (burst, message)
        })
        .collect();
    for (span, message) in dear {
        subject.error(codes::LIMIT, span, message, "say a larger `burst`, or a lower `cost`");
    }
}

/// What is counted of open runs is what their records say.
fn at_once(subject: &mut Subject<'_>, limit: &Limit) {
    if limit.concurrency.is_some() && limit.scope == LimitScope::Token {
        let message = format!("the limit `{}` counts open runs for each token", limit.name.value);
        let help = "a run does not remember with which token its event came: count for each tenant";
        subject.error(codes::LIMIT, limit.name.span, message, help);
    }
}

/// What is declared is done, or refused here: nothing is left out in silence.
fn excess(subject: &mut Subject<'_>, limit: &Limit) {
    let span = limit.on_excess.span;
    let name = &limit.name.value;
    match &limit.on_excess.value {
        Excess::Reject => {}
        Excess::Queue { .. } if limit.concurrency.is_some() => {
            let message = format!(
                "the limit `{name}` queues for open runs: nobody knows when one ends, so no event could be told when it begins"
            );
            let help = "limit the rate, or say `reject` or `{degrade: {concurrency: …}}`";
            subject.error(codes::LIMIT, span, message, help);
        }
        Excess::Queue { max, ttl } => {
            too_dear_to_wait(subject, limit, *max);
            too_slow_to_wait(subject, limit, *ttl);
        }
        Excess::Degrade(lesser) => lesser_way(subject, limit, lesser),
    }
}

/// Whether every trigger's event can wait at all.
fn too_dear_to_wait(subject: &mut Subject<'_>, limit: &Limit, max: u64) {
    let triggers = subject.file.value.triggers.iter();
    let dear = triggers.filter(|(_, trigger)| trigger.cost.value.0.unsigned_abs() > max);
    let dear: Vec<String> = dear.map(|(name, _)| format!("`{}`", name.value)).collect();
    if !dear.is_empty() {
        let message = format!(
            "the queue of `{}` holds {max} units, and an event of {} takes more: none would wait",
            limit.name.value,
            dear.join(", ")
        );
        subject.error(codes::LIMIT, limit.on_excess.span, message, "say a larger `max`");
    }
}

/// Whether anybody's units can come before its time is over: the first comes after one interval of the rate.
fn too_slow_to_wait(subject: &mut Subject<'_>, limit: &Limit, ttl: Duration) {
    let Some(Ok(quota)) = quota(limit) else { return };
    if ttl < Duration::from_nanos(quota.interval()) {
        let message = format!(
            "the queue of `{}` lets events wait for {} ms, and the next unit comes after {} ms: none would wait",
            limit.name.value,
            ttl.as_millis(),
            quota.interval() / 1_000_000
        );
        subject.error(codes::LIMIT, limit.on_excess.span, message, "say a longer `ttl`");
    }
}

fn lesser_way(subject: &mut Subject<'_>, limit: &Limit, lesser: &Lesser) {
    let (span, name) = (limit.on_excess.span, limit.name.value.clone());
    let more = match (&limit.concurrency, &lesser.concurrency) {
        (None, None) => true,
        (Some(runs), Some(in_all)) => in_all.0 > runs.0,
        _ => {
            let message = format!("the limit `{name}` and its `degrade` count different things");
            let help = "say `rate` in both, or `concurrency` in both";
            return subject.error(codes::LIMIT, span, message, help);
        }
    };
    if !more {
        let message =
            format!("the limit `{name}` would never degrade: its `degrade` lets no more runs in");
        let help = "`concurrency` of `degrade` counts all open runs: say more than the limit's own";
        return subject.error(codes::LIMIT, span, message, help);
    }
    if let Some(Err(error)) = lesser_quota(lesser) {
        let message = format!("what `{name}` lets in in the lesser way cannot be kept: {error}");
        return subject.error(codes::LIMIT, span, message, "say another `rate` or `burst`");
    }
    // By its words alone: what a workflow makes of it is seen by running it.
    let workflow = subject.folder.workflow.as_ref().map(|workflow| &workflow.source.text);
    if !workflow.is_some_and(|text| text.contains("metadata.degraded")) {
        let message = format!("the limit `{name}` degrades, and the workflow has no lesser way");
        let help = "have a task look at `$runtime.metadata.degraded`, such as `if: ${ $runtime.metadata.degraded | not }`";
        subject.error(codes::LIMIT, span, message, help);
    }
}

/// What may become of the excess is a matter of the integration's class.
fn class(subject: &mut Subject<'_>) {
    let class = subject.file.value.class.as_ref().map(|class| class.value).unwrap_or_default();
    let found: Vec<(Span, String, &str)> = subject
        .file
        .value
        .limits
        .iter()
        .filter_map(|limit| {
            let name = &limit.name.value;
            let (message, help) = match (class, &limit.on_excess.value) {
                (ServiceClass::Critical, Excess::Reject) => (
                    format!("the integration is `critical`, and its limit `{name}` turns events away"),
                    "say what becomes of them: `{degrade: …}` or `{queue: …}`",
                ),
                (ServiceClass::Standard, Excess::Queue { .. }) => (
                    format!("the limit `{name}` has events wait, and nothing says that they may"),
                    "say `class: deferrable`, or `class: critical` where they must come through; else `reject` or `{degrade: …}`",
                ),
                _ => return None,
            };
            Some((limit.on_excess.span, message, help))
        })
        .collect();
    for (span, message, help) in found {
        subject.error(codes::CLASS, span, message, help);
    }
}
