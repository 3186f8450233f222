use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};
use qc_model::{Clock, Timestamp};

use super::NameLabel;
use crate::upkeep::{Standing, Standings};

/// How long the tokens of connections still live, and whether they can be used.
pub(super) struct Connections {
    pub(super) standings: Arc<Standings>,
    pub(super) clock: Arc<dyn Clock>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    environment: NameLabel,
    connection: String,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connections")
    }
}

impl Collector for Connections {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (all, now) = (self.standings.seen(), self.clock.now());
        if all.is_empty() {
            return Ok(());
        }
        let labels = |one: &Standing| ConnectionLabels {
            environment: NameLabel(one.id.environment.clone()),
            connection: one.id.name.clone(),
        };
        let left = |end: Timestamp| {
            let seconds = end.since(now).as_secs();
            ConstGauge::new(i64::try_from(seconds).unwrap_or(i64::MAX))
        };
        let help = "Seconds until the access token of a connection ends; 0 when it cannot be used";
        let mut family =
            encoder.encode_descriptor("token_expires_seconds", help, None, MetricType::Gauge)?;
        for one in all.iter() {
            left(one.usable_until.unwrap_or(now)).encode(family.encode_family(&labels(one))?)?;
        }
        let help = "Seconds until a connection ends for good unless somebody consents again";
        let mut family =
            encoder.encode_descriptor("connection_ends_seconds", help, None, MetricType::Gauge)?;
        for one in all.iter() {
            let Some(end) = one.ends_at else { continue };
            left(end).encode(family.encode_family(&labels(one))?)?;
        }
        Ok(())
    }
}
