//! Numbers for operators, in the text format that Prometheus and OpenMetrics collectors read. Labels are bounded: names
//! of what is deployed, words of our own, and never anything that a sender chose.

mod commits;
mod connections;
mod engine;
mod ties;
mod traffic;

use std::{fmt, sync::Arc, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use qc_engine::{Deployment, Engine};
use qc_model::{Clock, Name};

use crate::{traffic::Traffics, upkeep::Standings};

pub use commits::{CommitNumbers, MeteredStore};

/// The media type of the text.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A name as a label's value; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct NameLabel(pub(crate) Name);

impl EncodeLabelValue for NameLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        fmt::Write::write_str(encoder, self.0.as_str())
    }
}

/// What became of a request to a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum AcceptOutcome {
    /// It is on disk and will run.
    Accepted,
    /// It had come before.
    Repeat,
    /// It was a provider's handshake.
    Challenge,
    /// Its sender is not known or may not.
    Denied,
    /// Something is wrong with it.
    Refused,
    /// We cannot take it now.
    Unavailable,
}

impl AcceptOutcome {
    /// The outcome that a problem's status tells.
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::Denied,
            500.. => Self::Unavailable,
            _ => Self::Refused,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Repeat => "repeat",
            Self::Challenge => "challenge",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        }
    }
}

impl EncodeLabelValue for AcceptOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        fmt::Write::write_str(encoder, self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TriggerLabels {
    environment: NameLabel,
    integration: NameLabel,
    trigger: NameLabel,
    outcome: AcceptOutcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VersionLabels {
    environment: NameLabel,
    integration: NameLabel,
    trigger: NameLabel,
    /// One of those that the trigger's file names.
    version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    status: u16,
}

/// The server's numbers.
pub(crate) struct Metrics {
    registry: std::sync::RwLock<Registry>,
    accepts: Family<TriggerLabels, Counter>,
    accept_seconds: Histogram,
    versions: Family<VersionLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    connections: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("qc");
        let accepts = Family::<TriggerLabels, Counter>::default();
        registry.register(
            "accepts",
            "Requests to triggers, by what became of them",
            accepts.clone(),
        );
        let accept_seconds = Histogram::new(exponential_buckets(0.000_25, 2.0, 16));
        registry.register(
            "accept_seconds",
            "Time from a request's head to the answer, waits for the run included",
            accept_seconds.clone(),
        );
        let versions = Family::<VersionLabels, Counter>::default();
        registry.register(
            "contract_version_events",
            "Events taken, by the version of the contract that their senders speak",
            versions.clone(),
        );
        let requests = Family::<RequestLabels, Counter>::default();
        registry.register("api_requests", "Requests to the management API", requests.clone());
        let connections = Gauge::default();
        registry.register("connections", "Connections open now", connections.clone());
        let registry = std::sync::RwLock::new(registry);
        Self { registry, accepts, accept_seconds, versions, requests, connections }
    }

    /// Adds the engine's numbers and the store's.
    pub(crate) fn watch(&self, engine: Engine, commits: &Arc<CommitNumbers>) {
        let mut registry = self.registry.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        registry.register_collector(Box::new(ties::Ties(engine.clone())));
        registry.register_collector(Box::new(engine::EngineNumbers(engine)));
        commits.register(&mut registry);
    }

    /// Adds how connections stand.
    pub(crate) fn watch_connections(&self, standings: Arc<Standings>, clock: Arc<dyn Clock>) {
        let mut registry = self.registry.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        registry.register_collector(Box::new(connections::Connections { standings, clock }));
    }

    /// Adds how many triggers get more than is declared.
    pub(crate) fn watch_traffic(&self, traffic: Arc<Traffics>) {
        let mut registry = self.registry.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        registry.register_collector(Box::new(traffic::TrafficNumbers(traffic)));
    }

    pub(crate) fn accepted(
        &self,
        deployment: &Deployment,
        trigger: &Name,
        outcome: AcceptOutcome,
        took: Duration,
    ) {
        let labels = TriggerLabels {
            environment: NameLabel(deployment.environment.clone()),
            integration: NameLabel(deployment.release.integration.clone()),
            trigger: NameLabel(trigger.clone()),
            outcome,
        };
        self.accepts.get_or_create(&labels).inc();
        self.accept_seconds.observe(took.as_secs_f64());
    }

    /// Counts an event by the version that its sender speaks.
    pub(crate) fn spoke(&self, deployment: &Deployment, trigger: &Name, version: String) {
        let labels = VersionLabels {
            environment: NameLabel(deployment.environment.clone()),
            integration: NameLabel(deployment.release.integration.clone()),
            trigger: NameLabel(trigger.clone()),
            version,
        };
        self.versions.get_or_create(&labels).inc();
    }

    pub(crate) fn request(&self, operation: &'static str, status: u16) {
        self.requests.get_or_create(&RequestLabels { operation, status }).inc();
    }

    /// Counts a connection for as long as the guard lives.
    pub(crate) fn connection(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    /// All numbers as text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        match encode(&mut text, &registry) {
            Ok(()) => text,
            // Writing into a String does not fail.
            Err(fmt::Error) => String::new(),
        }
    }
}

/// A connection that is open.
pub(crate) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
