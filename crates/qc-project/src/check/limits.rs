//! Limits that cannot be kept as they are declared.

use std::collections::BTreeMap;

use qc_document::Span;
use qc_limit::{QuotaError, RULES_EACH};

use super::Subject;
use crate::{
    codes,
    compile::limits::quota,
    integration::{Excess, Limit, LimitScope},
    shape::Spanned,
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
    let Spanned { value, span } = limit.on_excess;
    let word = match value {
        Excess::Reject => return,
        Excess::Queue => "queue",
        Excess::Degrade => "degrade",
    };
    let message = format!(
        "the limit `{}` says `on_excess: {word}`, which this version does not do yet",
        limit.name.value
    );
    let help = "say `reject`: senders are told when to come again";
    subject.error(codes::LIMIT, span, message, help);
}
