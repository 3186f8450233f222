use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};

use crate::traffic::Traffics;

/// How many triggers get more than their briefs declare.
pub(super) struct TrafficNumbers(pub(super) Arc<Traffics>);

impl fmt::Debug for TrafficNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrafficNumbers")
    }
}

impl Collector for TrafficNumbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Findings that more comes in at a trigger than its brief declares";
        let gauge = ConstGauge::new(i64::try_from(self.0.open()).unwrap_or(i64::MAX));
        gauge.encode(encoder.encode_descriptor(
            "traffic_findings",
            help,
            None,
            MetricType::Gauge,
        )?)
    }
}
