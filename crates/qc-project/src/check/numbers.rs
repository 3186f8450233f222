//! Numbers that contradict each other.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Subject;
use crate::{
    codes,
    integration::{Excess, Latency, OnUnavailable},
};

pub(super) fn check(subject: &mut Subject<'_>) {
    if let Some(nfr) = &subject.file.value.nfr {
        if let Some(latency) = &nfr.latency {
            percentiles(subject, latency);
            held_beyond(subject, latency);
            spread_beyond(subject, latency);
            queued_beyond(subject, latency);
        }
        if let Some(throughput) = &nfr.throughput
            && let Some(peak) = throughput.peak
            && peak.per_second() < throughput.average.per_second()
        {
            let span = key(subject, "/nfr/throughput/peak");
            subject.error(
                codes::CONTRADICTION,
                span,
                "the peak is below the average".to_owned(),
                "mend one of them",
            );
        }
        audit(subject);
    }
    rollout(subject);
}

fn key(subject: &Subject<'_>, pointer: &str) -> qc_document::Span {
    subject.file.root.key_span_at(pointer).unwrap_or_default()
}

fn percentiles(subject: &mut Subject<'_>, latency: &Latency) {
    let Latency { p50, p95, p99, deadline } = *latency;
    if deadline.is_some_and(|deadline| deadline.is_zero()) {
        let span = key(subject, "/nfr/latency/deadline");
        let message = "no run can be over within no time: every one would end at its deadline";
        let help = "say how long a run may take, or leave `deadline` out";
        subject.error(codes::CONTRADICTION, span, message.to_owned(), help);
    }
    let named: [(&str, Option<Duration>); 4] =
        [("p50", p50), ("p95", p95), ("p99", p99), ("deadline", deadline)];
    let mut before: Option<(&str, Duration)> = None;
    for (name, value) in named {
        let Some(value) = value else { continue };
        if let Some((earlier, least)) = before
            && value < least
        {
            let span = key(subject, &format!("/nfr/latency/{name}"));
            let message = format!("`{name}` is shorter than `{earlier}`, which it includes");
            subject.error(codes::CONTRADICTION, span, message, "mend one of them");
        }
        before = Some((name, value));
    }
}

/// Whether runs are held for a system for longer than they may take.
fn held_beyond(subject: &mut Subject<'_>, latency: &Latency) {
    let Some(deadline) = latency.deadline else { return };
    for (name, system) in subject.file.value.systems.iter() {
        let OnUnavailable::Queue { ttl, .. } = system.on_unavailable.value else { continue };
        if ttl > deadline {
            let message = format!(
                "runs wait for `{}` longer than a run may take: they end at the deadline of {} s",
                name.value,
                deadline.as_secs()
            );
            let help = "mend one of them: `ttl`, or `nfr.latency.deadline`";
            let finding =
                subject.file.warning(codes::CONTRADICTION, system.on_unavailable.span, message);
            subject.out.push(finding.help(help));
        }
    }
}

/// Whether calls are spread over longer than a run may take.
fn spread_beyond(subject: &mut Subject<'_>, latency: &Latency) {
    let Some(deadline) = latency.deadline else { return };
    let file = &subject.file;
    let named = file.value.policies.iter().map(|(_, rules)| rules);
    let of_tasks = file.value.tasks.iter().map(|(_, rules)| &rules.own);
    let spreads = named.chain(of_tasks).filter_map(|rules| rules.spread.as_ref());
    let found = spreads.filter(|spread| spread.value > deadline / 2).map(|spread| {
        let message = format!(
            "calls are spread over more than half of the {} s that a run may take: that half is what they get",
            deadline.as_secs()
        );
        let help = "mend one of them: `spread`, or `nfr.latency.deadline`";
        file.warning(codes::CONTRADICTION, spread.span, message).help(help)
    });
    let found: Vec<_> = found.collect();
    subject.out.extend(found);
}

/// Whether events may wait for a limit for longer than their runs may take.
fn queued_beyond(subject: &mut Subject<'_>, latency: &Latency) {
    let Some(deadline) = latency.deadline else { return };
    let file = subject.file;
    for limit in &file.value.limits {
        let Excess::Queue { ttl, .. } = &limit.on_excess.value else { continue };
        if *ttl >= deadline {
            let message = format!(
                "events wait for `{}` as long as a run may take, or longer: such runs end at the deadline of {} s before they begin",
                limit.name.value,
                deadline.as_secs()
            );
            let help = "mend one of them: `ttl`, or `nfr.latency.deadline`";
            let finding = file.warning(codes::CONTRADICTION, limit.on_excess.span, message);
            subject.out.push(finding.help(help));
        }
    }
}

fn audit(subject: &mut Subject<'_>) {
    let Some(audit) = subject.file.value.nfr.as_ref().and_then(|nfr| nfr.audit.as_ref()) else {
        return;
    };
    for event in &audit.events {
        if qc_store::LedgerKind::parse(&event.value).is_none() {
            let names = qc_store::LedgerKind::ALL.map(qc_store::LedgerKind::as_str);
            let message = format!("the ledger has no rows of the kind `{}`", event.value);
            let help = super::closest_or_list(&event.value, names.into_iter());
            subject
                .out
                .push(subject.file.error(codes::CONTRADICTION, event.span, message).help(help));
        }
    }
}

fn rollout(subject: &mut Subject<'_>) {
    let Some(rollout) = &subject.file.value.rollout else { return };
    let stages = &rollout.stages;
    for pair in stages.windows(2) {
        if pair[1].percent.value.0 < pair[0].percent.value.0 {
            let message = format!(
                "the stage `{}` takes less traffic than the one before",
                pair[1].name.value
            );
            subject.error(
                codes::CONTRADICTION,
                pair[1].percent.span,
                message,
                "each stage takes at least as much as the one before",
            );
        }
    }
    if let Some(last) = stages.last()
        && last.percent.value.0 != 100
    {
        let message = format!("the last stage, `{}`, does not take all traffic", last.name.value);
        subject.error(codes::CONTRADICTION, last.percent.span, message, "end with `percent: 100`");
    }
    let mut seen = BTreeMap::new();
    for stage in stages {
        if let Some(first) = seen.insert(stage.name.as_str(), stage.name.span) {
            let finding = subject.file.error(
                codes::DUPLICATE_ID,
                stage.name.span,
                format!("the stage `{}` is there twice", stage.name.value),
            );
            subject.out.push(finding.label(subject.file.place(first), "the first one is here"));
        }
    }
}
