//! Events and schedules.

use qc_engine::{BusEvent, ScheduleView, Topic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an integration does with the events of a type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventUse {
    /// The type; absent when it is known only when the event is there.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// `publishes`, `subscribes` or `listens`.
    pub role: String,
    /// Where; absent when no server was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Which integration.
    pub integration: String,
    /// By which trigger or task.
    pub place: String,
}

impl EventUse {
    /// Of an integration, in an environment when it is deployed.
    pub fn of(topic: Topic, environment: Option<&str>, integration: &str) -> Self {
        Self {
            event_type: topic.event_type,
            role: topic.role.as_str().to_owned(),
            environment: environment.map(str::to_owned),
            integration: integration.to_owned(),
            place: topic.place,
        }
    }
}

/// An event on the bus of a tenant.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PublishedEvent {
    /// Its place: rises with every event.
    pub seq: u64,
    /// When it was published.
    pub at: String,
    /// Whose bus.
    pub tenant: String,
    /// Where.
    pub environment: String,
    /// Which integration published it.
    pub integration: String,
    /// The run that published it; absent when it came in from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The CloudEvent in structured form.
    pub event: Value,
}

impl From<BusEvent> for PublishedEvent {
    fn from(event: BusEvent) -> Self {
        Self {
            seq: event.seq,
            at: event.at.to_string(),
            tenant: event.tenant.to_string(),
            environment: event.environment.to_string(),
            integration: event.integration.to_string(),
            run: event.run.map(|run| run.to_string()),
            event: event.event,
        }
    }
}

/// A schedule and where it stands.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Schedule {
    /// Where it is deployed.
    pub environment: String,
    /// Whose it is.
    pub integration: String,
    /// The trigger.
    pub trigger: String,
    /// Whose runs it begins.
    pub tenant: String,
    /// Its times, in words.
    pub plan: String,
    /// The last occurrence that was dealt with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// The run that began last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<String>,
    /// The next occurrence; absent while it is paused or waits for the last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// An occurrence that waits for the end of the last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<String>,
    /// Since when nothing begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
}

impl From<ScheduleView> for Schedule {
    fn from(view: ScheduleView) -> Self {
        let text = |at: Option<qc_model::Timestamp>| at.map(|at| at.to_string());
        Self {
            environment: view.environment.to_string(),
            integration: view.integration.to_string(),
            trigger: view.trigger.to_string(),
            tenant: view.tenant.to_string(),
            plan: view.plan,
            last: text(view.last),
            last_run: view.last_run.map(|run| run.to_string()),
            next: text(view.next),
            queued: text(view.queued),
            paused: text(view.paused),
        }
    }
}
