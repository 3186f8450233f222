//! What a brief declares of its traffic and of how it is to be borne.

use std::{fmt::Write as _, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use qc_model::{Finding, Name};
use serde::Serialize;

use crate::{
    codes,
    integration::{Integration, TriggerForm, TriggerSpec},
    project::IntegrationFolder,
    shape::Rate,
};

/// What a brief declares.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadProfile {
    /// What comes in at triggers, which are those that can be sent to.
    pub sources: Vec<Source>,
    /// How many events come at once.
    pub burst: Option<u64>,
    /// Growth per year, in percent: a peak is that much higher.
    pub growth_percent: u32,
    /// From an event to the end of its run, for half of them.
    pub p50_ms: Option<u64>,
    /// For 95 of 100.
    pub p95_ms: Option<u64>,
    /// For 99 of 100.
    pub p99_ms: Option<u64>,
    /// No run may take longer.
    pub deadline_ms: Option<u64>,
    /// Triggers with declared traffic that a load test does not send to: nobody sends there.
    #[serde(skip)]
    pub left_out: Vec<String>,
}

/// What comes in at a trigger.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Source {
    /// The trigger.
    pub trigger: String,
    /// Usually, in events a second.
    pub average: f64,
    /// At the busiest time, in events a second.
    pub peak: f64,
    /// How long a peak lasts.
    pub peak_lasts_ms: Option<u64>,
    /// The usual size of a body, in bytes.
    pub typical_size: Option<usize>,
}

impl LoadProfile {
    /// What an integration's brief declares. What `nfr.throughput` asks of the whole integration is spread over its
    /// triggers, when it is more than they declare.
    ///
    /// Errors: it declares no traffic.
    pub fn of(folder: &IntegrationFolder) -> Result<Self, Box<Finding>> {
        let nothing = || {
            let message = format!("`{}` declares no traffic", folder.name());
            let help = "say how many events come: `expected_rate` and `traffic` of a trigger, or `nfr.throughput`";
            Box::new(Finding::error(codes::NO_LOAD, message).help(help))
        };
        let definition = folder.definition.as_ref().ok_or_else(nothing)?;
        let brief = &definition.value;
        let throughput = brief.nfr.as_ref().and_then(|nfr| nfr.throughput.as_ref());
        let sent: Vec<(&Name, &TriggerSpec)> = brief
            .triggers
            .iter()
            .map(|(name, spec)| (&name.value, spec))
            .filter(|(_, spec)| is_sent_to(spec))
            .collect();
        let declared = sent.iter().any(|(_, spec)| declares(spec));
        let mut sources: Vec<Source> = sent
            .iter()
            .filter(|(_, spec)| !declared || declares(spec))
            .map(|(name, spec)| source(name, spec))
            .collect();
        if sources.is_empty() || (!declared && throughput.is_none()) {
            let span = definition.root.key_span_at("/triggers").unwrap_or_default();
            return Err(Box::new(nothing().at(definition.place(span))));
        }
        if let Some(throughput) = throughput {
            let average = throughput.average.per_second();
            let peak = throughput.peak.map_or(average, Rate::per_second);
            at_least(&mut sources, average, |source| &mut source.average);
            at_least(&mut sources, peak, |source| &mut source.peak);
        }
        let latency = brief.nfr.as_ref().and_then(|nfr| nfr.latency.as_ref());
        let of = |pick: fn(&crate::integration::Latency) -> Option<Duration>| {
            latency.and_then(pick).map(millis)
        };
        Ok(Self {
            sources,
            burst: throughput
                .and_then(|throughput| throughput.burst.as_ref())
                .map(|burst| burst.0.unsigned_abs()),
            growth_percent: throughput
                .and_then(|throughput| throughput.growth_percent.as_ref())
                .map_or(0, |growth| u32::try_from(growth.0).unwrap_or(0)),
            p50_ms: of(|it| it.p50),
            p95_ms: of(|it| it.p95),
            p99_ms: of(|it| it.p99),
            deadline_ms: of(|it| it.deadline),
            left_out: left_out(brief),
        })
    }

    /// What stands for all of it: another one when anything that is declared changes. Hex SHA-256.
    pub fn digest(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        digest(&SHA256, &text).as_ref().iter().fold(String::new(), |mut hex, byte| {
            // A String takes whatever is written.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// Whether its events come over HTTP.
fn is_sent_to(spec: &TriggerSpec) -> bool {
    matches!(
        spec.form,
        TriggerForm::CloudEvents { .. } | TriggerForm::Json { .. } | TriggerForm::Webhook { .. }
    )
}

fn declares(spec: &TriggerSpec) -> bool {
    spec.expected_rate.is_some() || spec.traffic.is_some()
}

fn left_out(brief: &Integration) -> Vec<String> {
    let others = brief.triggers.iter().filter(|(_, spec)| declares(spec) && !is_sent_to(spec));
    others.map(|(name, _)| name.value.to_string()).collect()
}

/// What a trigger declares. Of two rates that are not both there one stands for the other.
fn source(name: &Name, spec: &TriggerSpec) -> Source {
    let traffic = spec.traffic.as_ref();
    let (average, peak) = (
        spec.expected_rate.map(Rate::per_second),
        traffic.map(|traffic| traffic.peak.per_second()),
    );
    let average_or_peak = average.or(peak).unwrap_or_default();
    Source {
        trigger: name.to_string(),
        average: average_or_peak,
        peak: peak.unwrap_or(average_or_peak),
        peak_lasts_ms: traffic.and_then(|traffic| traffic.peak_lasts).map(millis),
        typical_size: traffic.and_then(|traffic| traffic.typical_size.map(|size| size.0)),
    }
}

/// Raises what the sources have together to a rate, each in its part.
fn at_least(sources: &mut [Source], rate: f64, of: fn(&mut Source) -> &mut f64) {
    let together: f64 = sources.iter_mut().map(|source| *of(source)).sum();
    if together >= rate {
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "a handful of triggers")]
    let each = rate / sources.len() as f64;
    for source in sources {
        let own = of(source);
        *own = if together > 0.0 { *own * rate / together } else { each };
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
