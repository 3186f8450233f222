//! Limits of what comes in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A limit that is in force.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Limit {
    /// Its name, as senders are told it; those of the server begin with `server/`.
    pub name: String,
    /// For whom it counts: `gateway`, `tenant`, `token`, `trigger` or `integration`.
    pub scope: String,
    /// Where; left out: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Of which integration; left out: the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// The units that are there at once (`q` of the policy), of a limit that counts over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<u64>,
    /// The seconds in which an empty quota fills up (`w` of the policy): who keeps to `quota` in any such span is never
    /// refused. There is no fixed window: units come back one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u64>,
    /// The nanoseconds after which one more unit is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_nanos: Option<u64>,
    /// The open runs that there may be, of a limit that counts those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_runs: Option<u64>,
    /// What it protects.
    pub protects: String,
    /// What becomes of what is too much: `reject`, with 429 and the code QC-I060; `queue`: it is accepted and begins when
    /// its units are there; `degrade`: its run does its work in a lesser way. What is beyond those is refused, too.
    pub on_excess: String,
    /// How much waits, and for how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<LimitQueue>,
    /// How much is done in the lesser way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lesser: Option<LesserLimit>,
    /// Who can raise it; left out: who runs the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// How it stands on this node for whom was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<LimitStanding>,
}

/// How much waits for room in a limit.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LimitQueue {
    /// Units at most, for each whom the limit counts.
    pub max: u64,
    /// The longest wait, in seconds.
    pub ttl_seconds: u64,
}

/// How much is done in the lesser way.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LesserLimit {
    /// Units at once besides, of a limit that counts over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<u64>,
    /// The seconds in which they come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u64>,
    /// Open runs in all, of a limit that counts those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_runs: Option<u64>,
}

/// How a limit stands for somebody, on this node.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LimitStanding {
    /// Whom it counts together; empty: all.
    pub who: String,
    /// What can be used now.
    pub remaining: u64,
    /// Units that are waited for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting: u64,
    /// The seconds until one more is there; left out: it is full, or nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more_in: Option<f64>,
    /// The seconds until it is full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_in: Option<f64>,
}

/// Somebody whose quota is being used up.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct NearLimit {
    /// The limit.
    pub name: String,
    /// Where; left out: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Of which integration; left out: the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// Who: the tenant, or the token's owner.
    pub who: String,
    /// What can be used now.
    pub remaining: u64,
    /// The quota.
    pub quota: u64,
    /// Units a second that came lately, also those that were refused.
    pub pace: f64,
    /// The seconds after which nothing is left at this pace; left out: not at this pace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exhausted_in: Option<f64>,
}

/// What comes in at a trigger whose traffic is declared.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TriggerTraffic {
    /// Where.
    pub environment: String,
    /// Of which integration.
    pub integration: String,
    /// The trigger.
    pub trigger: String,
    /// What its brief declares.
    pub declared: DeclaredTraffic,
    /// Events taken in the last whole minute, at all nodes; what others counted in the last minute may be missing.
    pub minute: u64,
    /// In the last sixty whole minutes.
    pub hour: u64,
    /// In this hour so far, and in the 23 before it.
    pub day: u64,
    /// Where it was more than declared, of late.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<TrafficAbove>,
}

/// What a brief declares to come.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DeclaredTraffic {
    /// Usually, in events a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<f64>,
    /// At most, in events a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak: Option<f64>,
    /// At once besides.
    pub burst: u64,
}

/// That more came than was declared.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TrafficAbove {
    /// QC-I070.
    pub code: String,
    /// `peak`: in a minute (of few events an hour), `average`: in a day.
    pub above: String,
    /// The most that came in that time.
    pub seen: u64,
    /// How many were declared to.
    pub declared: u64,
    /// That time, in seconds.
    pub seconds: u64,
    /// When it was so first.
    pub first_at: String,
    /// When it was so last.
    pub last_at: String,
    /// Whose the integration is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A limit of another system, as far as one node knows it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct OutboundLimit {
    /// Its name: a connector or a connection, with the first operation of a family after a `/`; or an address that is
    /// called without a connector.
    pub name: String,
    /// Where; left out for an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The integrations that may use it up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub integrations: Vec<String>,
    /// The operations that count against it; left out: all that no limit names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<String>,
    /// What the connectors declare, for all nodes together: each holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared: Vec<DeclaredPace>,
    /// How many calls may be in flight, as is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_at_once: Option<u32>,
    /// Whether this node knows anything of it: it was called, or stated a pause.
    pub called: bool,
    /// The calls a second that this node lets go at present; left out: no limit is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// How that is known: `declared`, `announced` by answers, or `learned` from refusals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_by: Option<String>,
    /// The calls that this node has in flight at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
    /// Those that it has.
    #[serde(default)]
    pub in_flight: u32,
    /// Calls that wait at this node for their turn. Those that were put off are not among them.
    #[serde(default)]
    pub waiting: usize,
    /// Until when the other side wants no calls at all, as it stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated_until: Option<String>,
    /// When it is looked again whether the next call may go; left out: it may go now, or when one is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<String>,
    /// The systems of which it is the limit.
    pub systems: Vec<CalledSystem>,
}

/// A pace that a connector declares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeclaredPace {
    /// So many requests.
    pub requests: u32,
    /// In so many seconds.
    pub seconds: f64,
}

/// A system that is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CalledSystem {
    /// The connector, or the address.
    pub name: String,
    /// Whether calls go to it: `closed`, they do; `open`, it does not answer and none goes; `probing`, one tries; `ramping`,
    /// it is back and gets a few at once.
    pub breaker: String,
    /// Since when the breaker is not closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// How many calls failed since the last good answer: no answer came, or one of a system that does not work.
    #[serde(default)]
    pub failed: u64,
}
