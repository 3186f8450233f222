use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric, LabelValueEncoder,
    },
    metrics::{MetricType, gauge::ConstGauge},
};
use qc_engine::{Engine, TieKind};

use super::NameLabel;

/// Whether each tie to the outside works: a subscription to a queue, a poll, a route.
pub(super) struct Ties(pub(super) Engine);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TieLabels {
    kind: KindLabel,
    environment: NameLabel,
    integration: NameLabel,
    name: NameLabel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct KindLabel(TieKind);

impl EncodeLabelValue for KindLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        fmt::Write::write_str(encoder, self.0.as_str())
    }
}

impl fmt::Debug for Ties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ties")
    }
}

impl Collector for Ties {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let all = self.0.standings().list();
        if all.is_empty() {
            return Ok(());
        }
        let help =
            "Whether a queue, poll or route works: 1, or 0 when something keeps it from working";
        let mut family = encoder.encode_descriptor("tie_works", help, None, MetricType::Gauge)?;
        for (tie, standing) in all {
            let labels = TieLabels {
                kind: KindLabel(tie.kind),
                environment: NameLabel(tie.environment),
                integration: NameLabel(tie.integration),
                name: NameLabel(tie.name),
            };
            let gauge = ConstGauge::new(i64::from(standing.finding.is_none()));
            gauge.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
