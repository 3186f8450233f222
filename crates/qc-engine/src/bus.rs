//! The event bus of a tenant in an environment: the signals of one scope. What stands in a signal, and how it is named.

use aws_lc_rs::digest;
use bytes::Bytes;
use qc_model::{EnvironmentName, Event, Name, RunId, TenantName, Timestamp};
use qc_store::{RunFacts, Signal, TEXT_BYTES_MAX};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Deployment, record::hex};

/// Among these signals the ends of runs are told to the runs that wait for them. It is no tenant's: names have no colon.
pub(crate) const RUNS: &str = "qc:runs";
/// The kind of a signal that tells of a run's end.
pub(crate) const RUN_ENDED: &str = "qc.run.ended";

/// So often an event may lead to a run that publishes an event that leads to a run: what goes round in a circle ends.
pub const HOPS_MAX: u32 = 32;

/// The version that is written.
const VERSION: u32 = 1;

/// What a signal of a bus carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Published {
    /// The structured CloudEvent.
    pub(crate) event: Value,
    /// Which integration published it.
    pub(crate) integration: Name,
    /// The run that published it; None when it came in from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<RunId>,
    /// SHA-256 of the body that came in, as base64: tells a repeat from another event under its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body_sha256: Option<String>,
    /// How many runs stand between this event and one from outside.
    #[serde(default)]
    pub(crate) hops: u32,
}

/// What a signal says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// An event was published.
    Event(Box<Published>),
    /// A run is at its end.
    Ended(RunId),
}

#[derive(Serialize, Deserialize)]
struct Stored {
    v: u32,
    #[serde(flatten)]
    body: Body,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Body {
    Published(Box<Published>),
    Ended { run: RunId },
}

/// The scope of a tenant's bus.
pub(crate) fn scope_of(tenant: &TenantName, environment: &EnvironmentName) -> String {
    format!("{tenant}/{environment}")
}

/// Tenant and environment of a bus; None for what is no bus of events.
pub(crate) fn parts_of(scope: &str) -> Option<(TenantName, EnvironmentName)> {
    let (tenant, environment) = scope.split_once('/')?;
    Some((TenantName::new(tenant).ok()?, EnvironmentName::new(environment).ok()?))
}

/// A text that stores can index; of a longer one its hash, which is the same wherever the text is.
pub(crate) fn bounded(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_owned();
    }
    format!("sha256:{}", hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref()))
}

/// A CloudEvent is unique by its source and id together.
pub(crate) fn id_of(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    bounded(&format!("{} {}", text("source"), text("id")))
}

/// The kind under which events of a type stand.
pub(crate) fn kind_of(event: &Value) -> String {
    bounded(event["type"].as_str().unwrap_or_default())
}

/// The signal of an event that a run publishes.
pub(crate) fn of_run(
    facts: &RunFacts,
    deployment: &Deployment,
    hops: u32,
    event: Value,
    at: Timestamp,
) -> Signal {
    let (id, integration) = (id_of(&event), facts.integration.clone());
    let published = Published { event, integration, run: Some(facts.id), body_sha256: None, hops };
    let scope = scope_of(&facts.tenant, &facts.environment);
    signal(scope, id, at, deployment, published)
}

/// The signal of an event under an id of its own.
pub(crate) fn signal(
    scope: String,
    id: String,
    at: Timestamp,
    deployment: &Deployment,
    published: Published,
) -> Signal {
    let kind = kind_of(&published.event);
    let body = encode(Body::Published(Box::new(published)));
    let expires_at = at + deployment.release.bus.retention;
    Signal { scope, kind, id: bounded(&id), at, body, expires_at }
}

/// The signal of a run's end. A run that is opened again ends again: each end has a version of its own.
pub(crate) fn ended(run: RunId, version: u64, at: Timestamp, deployment: &Deployment) -> Signal {
    Signal {
        scope: RUNS.to_owned(),
        kind: RUN_ENDED.to_owned(),
        id: format!("{run}:{version}"),
        at,
        body: encode(Body::Ended { run }),
        expires_at: at + deployment.release.bus.retention,
    }
}

fn encode(body: Body) -> Bytes {
    let stored = Stored { v: VERSION, body };
    Bytes::from(serde_json::to_vec(&stored).expect("signals are plain data"))
}

/// What a signal says, written by this or an earlier version; why it cannot be read, otherwise.
pub(crate) fn decode(signal: &Signal) -> Result<Told, String> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let version: Version =
        serde_json::from_slice(&signal.body).map_err(|error| error.to_string())?;
    if version.v != VERSION {
        return Err(format!("it has version {}, this binary reads up to {VERSION}", version.v));
    }
    let stored: Stored = serde_json::from_slice(&signal.body).map_err(|error| error.to_string())?;
    Ok(match stored.body {
        Body::Published(published) => Told::Event(published),
        Body::Ended { run } => Told::Ended(run),
    })
}

/// The event of a signal as its receivers take it.
pub(crate) fn event_of(published: &Published) -> Option<Event> {
    Event::from_structured(published.event.clone(), |text| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(text).ok()
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let published = Published {
            event: json!({"id": "1", "source": "/a", "type": "t"}),
            integration: Name::new("orders").unwrap(),
            run: None,
            body_sha256: None,
            hops: 3,
        };
        let signal = |body| Signal {
            scope: "t/e".to_owned(),
            kind: "t".to_owned(),
            id: "1".to_owned(),
            at: Timestamp::from_millis(0),
            body,
            expires_at: Timestamp::from_millis(1),
        };
        let body = encode(Body::Published(Box::new(published.clone())));
        assert_eq!(decode(&signal(body)), Ok(Told::Event(Box::new(published))));
        let run = RunId::from_bits(7);
        assert_eq!(decode(&signal(encode(Body::Ended { run }))), Ok(Told::Ended(run)));
        let newer = decode(&signal(Bytes::from_static(b"{\"v\":2}"))).unwrap_err();
        assert!(newer.contains("version 2"), "{newer}");
        assert!(decode(&signal(Bytes::from_static(b"no JSON"))).is_err());
    }

    #[test]
    fn names_stay_within_what_stores_index() {
        assert_eq!(bounded("short"), "short");
        let (long, other) = ("x".repeat(5_000), "y".repeat(5_000));
        assert!(bounded(&long).len() <= TEXT_BYTES_MAX);
        assert_eq!(bounded(&long), bounded(&long));
        assert_ne!(bounded(&long), bounded(&other));
    }
}
