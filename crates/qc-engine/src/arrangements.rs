//! What of a release goes on by itself: what it has on the event bus, and its schedules.

use std::{collections::BTreeMap, time::Duration};

use qc_contract::Schema;
use qc_expression::Expression;
use qc_model::{Name, TenantName};
use qc_workflow::{CatchUp, Cron, Overlap, Zone};

/// How long an event stays on the bus when nobody says.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 3_600);

/// What a release has on the event bus, and when its runs begin by themselves.
#[derive(Debug)]
pub struct Bus {
    /// How long an event that it publishes can be listened for.
    pub retention: Duration,
    /// Whether the standard's events of the lives of its runs and tasks are published.
    pub lifecycle: bool,
    /// Which events of the bus begin runs, by the trigger's name.
    pub subscriptions: BTreeMap<Name, Subscription>,
    /// At which times runs begin, by the trigger's name.
    pub schedules: BTreeMap<Name, Schedule>,
}

impl Default for Bus {
    fn default() -> Self {
        Self {
            retention: RETENTION,
            lifecycle: false,
            subscriptions: BTreeMap::new(),
            schedules: BTreeMap::new(),
        }
    }
}

/// Events of the bus that begin runs.
#[derive(Debug)]
pub struct Subscription {
    /// Whose events: only this tenant's; every tenant's, each for itself, when None.
    pub tenant: Option<TenantName>,
    /// Which events.
    pub takes: Takes,
    /// The contract of their data, the subscriber's own.
    pub contract: Option<Schema>,
    /// What a run is about; over the event.
    pub subject: Option<Expression>,
    /// The workflow's input from the event; the event's data when absent.
    pub input: Option<Expression>,
    /// Whether a new subscription begins with the oldest event that is kept, and not with the next one.
    pub from_beginning: bool,
    /// At most so many runs begin each second.
    pub max_rate: Option<f64>,
}

/// Which events a subscription takes.
#[derive(Debug)]
pub enum Takes {
    /// Those of these types that pass the filter.
    Types {
        /// At least one.
        types: Vec<String>,
        /// Over the event; true takes it.
        filter: Option<Expression>,
    },
    /// Those of the workflow's own `schedule.on`.
    Workflow,
}

/// Times at which runs begin.
#[derive(Debug)]
pub struct Schedule {
    /// Whose runs they are.
    pub tenant: TenantName,
    /// When.
    pub times: Times,
    /// What happens when the last run is not over.
    pub overlap: Overlap,
    /// What happens with occurrences that were missed.
    pub catch_up: CatchUp,
    /// By how much an occurrence is put off at most, by chance.
    pub jitter: Duration,
    /// What a run is about; over the event of its occurrence.
    pub subject: Option<Expression>,
    /// The workflow's input from that event; its data, `{scheduled_at}`, when absent.
    pub input: Option<Expression>,
}

/// The times of a schedule.
#[derive(Debug, Clone)]
pub enum Times {
    /// Again and again, counted from when it was deployed first.
    Every {
        /// The interval.
        ms: u64,
    },
    /// As a pattern says.
    Cron {
        /// The pattern.
        cron: Cron,
        /// Whose clocks it speaks of.
        zone: Zone,
        /// The zone as written.
        zone_name: String,
    },
    /// Some time after the last run was over.
    After {
        /// The pause.
        ms: u64,
    },
}

impl Times {
    /// In words: what is written down to know whether it changed.
    pub fn plan(&self) -> String {
        let shown = |ms: u64| match ms {
            ms if ms % 3_600_000 == 0 => format!("{}h", ms / 3_600_000),
            ms if ms % 60_000 == 0 => format!("{}m", ms / 60_000),
            ms if ms % 1_000 == 0 => format!("{}s", ms / 1_000),
            ms => format!("{ms}ms"),
        };
        match self {
            Self::Every { ms } => format!("every {}", shown(*ms)),
            Self::After { ms } => format!("{} after the last run", shown(*ms)),
            Self::Cron { cron, zone_name, .. } => format!("{cron} ({zone_name})"),
        }
    }
}
