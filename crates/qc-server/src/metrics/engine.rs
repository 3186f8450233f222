use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};
use qc_engine::{Engine, Gauges, ServiceClass};

/// The engine's own counts, read when they are asked for.
pub(super) struct EngineNumbers(pub(super) Engine);

impl fmt::Debug for EngineNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineNumbers")
    }
}

impl Collector for EngineNumbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let numbers = self.0.gauges();
        let counters = [
            ("events_accepted", "Events accepted since the start", numbers.accepted),
            ("events_repeated", "Repeats recognised since the start", numbers.repeated),
            (
                "events_refused",
                "Events of queues and polls that were refused for good since the start",
                numbers.refused,
            ),
            ("runs_completed", "Runs completed since the start", numbers.completed),
            ("runs_faulted", "Runs that ended in failure since the start", numbers.faulted),
            ("runs_cancelled", "Runs cancelled since the start", numbers.cancelled),
            ("runs_parked", "Times a run was parked since the start", numbers.parked),
            (
                "runs_recovered",
                "Runs found at work in the store, left by a process that ended or waiting for room",
                numbers.recovered,
            ),
            ("runs_stuck", "Runs found without a reason to go on: must stay 0", numbers.stuck),
            (
                "runs_quarantined",
                "Runs left alone since the start because they were taken up before too many ends of the process",
                numbers.quarantined,
            ),
            (
                "events_busy",
                "Events not taken since the start because there was too much to do or too little room",
                numbers.busy,
            ),
        ];
        for (name, help, value) in counters
            .into_iter()
            .chain(calls(&numbers))
            .chain(groups(&numbers))
            .chain(tempo(&numbers))
            .chain(drift(&numbers))
            .chain(excess(&numbers))
        {
            let counter = ConstCounter::new(value);
            let metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let gauges = [
            ("nodes", "Nodes that share the store, as this one sees", count(numbers.nodes)),
            ("groups", "Groups of runs that are this node's, of 64", count(numbers.groups)),
            ("runs_in_memory", "Runs at work now", count(numbers.runs_in_memory)),
            ("runs_behind", "Runs that wait for a place in memory", count(numbers.runs_behind)),
            (
                "backlog_age_ms",
                "Milliseconds since the oldest of them was accepted that is not of low priority",
                whole(numbers.oldest_behind_ms),
            ),
            (
                "commit_wait_ms",
                "Milliseconds for which the oldest write has waited for its commit",
                whole(numbers.commit_wait_ms),
            ),
            ("calls_in_flight", "Calls in flight now", count(numbers.calls_in_flight)),
            (
                "calls_waiting",
                "Calls that wait until a limit lets them go",
                count(numbers.calls_waiting),
            ),
            (
                "breakers_open",
                "Systems that are left alone because they do not answer, or are coming back",
                count(numbers.breakers_open),
            ),
            ("leased", "Whether this node holds the right to run", i64::from(numbers.leased)),
        ];
        let free = numbers
            .disk_free
            .map(|free| ("disk_free_bytes", "Free bytes on the disk of the database", whole(free)));
        for (name, help, value) in gauges.into_iter().chain(free) {
            let gauge = ConstGauge::new(value);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}

/// Calls of other systems.
fn calls(numbers: &Gauges) -> [(&'static str, &'static str, u64); 5] {
    [
        ("calls", "Attempts of calls since the start", numbers.calls),
        ("calls_failed", "Attempts that failed since the start", numbers.calls_failed),
        (
            "calls_unmapped",
            "Failed attempts of which no error rule told what they mean since the start",
            numbers.calls_unmapped,
        ),
        ("batches", "Requests in which several calls went since the start", numbers.batches),
        ("calls_together", "Attempts that went in those since the start", numbers.calls_together),
    ]
}

/// What became of groups of runs: names, meanings and numbers.
fn groups(numbers: &Gauges) -> [(&'static str, &'static str, u64); 4] {
    [
        (
            "groups_taken_over",
            "Groups of runs taken from nodes that let their leases run out",
            numbers.takeovers,
        ),
        ("groups_handed_over", "Groups of runs handed over in peace", numbers.handed_over),
        (
            "groups_lost",
            "Groups of runs that other nodes took because this one renewed too late",
            numbers.groups_lost,
        ),
        (
            "commits_fenced",
            "Commits that came after their group was another node's: not written",
            numbers.fenced,
        ),
    ]
}

/// What was learned of the limits and absences of others: names, meanings and numbers.
fn tempo(numbers: &Gauges) -> [(&'static str, &'static str, u64); 6] {
    [
        (
            "calls_throttled",
            "Calls since the start that other systems refused because there were too many",
            numbers.throttled,
        ),
        (
            "stated_pauses",
            "Pauses since the start that other systems stated",
            numbers.stated_pauses,
        ),
        (
            "calls_again",
            "Attempts since the start that were not the first of their call",
            numbers.calls_again,
        ),
        (
            "breakers_opened",
            "Times since the start that a system was found not to answer",
            numbers.breakers_opened,
        ),
        (
            "calls_barred",
            "Calls since the start that were not sent because their system did not answer",
            numbers.calls_barred,
        ),
        (
            "calls_put_off",
            "Calls since the start that left memory to come again because their turn was far away",
            numbers.calls_put_off,
        ),
    ]
}

/// What was too much, and what became of it: names, meanings and numbers.
fn excess(numbers: &Gauges) -> [(&'static str, &'static str, u64); 4] {
    let of_class = |wanted: ServiceClass| {
        let found = numbers.busy_by_class.iter().find(|(class, _)| *class == wanted);
        found.map_or(0, |(_, count)| *count)
    };
    [
        (
            "events_busy_deferrable",
            "Of those, events of integrations that may wait",
            of_class(ServiceClass::Deferrable),
        ),
        (
            "events_busy_critical",
            "Of those, events of integrations for which a share is kept: there was none left",
            of_class(ServiceClass::Critical),
        ),
        (
            "events_queued",
            "Events accepted since the start that begin later, as a limit had no room",
            numbers.queued,
        ),
        (
            "events_degraded",
            "Events accepted since the start whose runs do their work in the lesser way",
            numbers.degraded,
        ),
    ]
}

/// What was seen of the drift of others: names, meanings and numbers.
fn drift(numbers: &Gauges) -> [(&'static str, &'static str, u64); 6] {
    [
        (
            "drift_breaking",
            "Ways in which answers of others broke their contracts since the start",
            numbers.drift_breaking,
        ),
        (
            "drift_additive",
            "Ways in which answers of others were more than their contracts say since the start",
            numbers.drift_additive,
        ),
        (
            "drift_repaired",
            "Answers of others put right as declared since the start, by place",
            numbers.drift_repaired,
        ),
        (
            "drift_ends",
            "Answers of others since the start that said that their operation ends",
            numbers.drift_ends,
        ),
        ("drift_canaries", "Canary calls since the start", numbers.drift_canaries),
        (
            "drift_canaries_failed",
            "Canary calls since the start that failed, so that nothing is known of the contract",
            numbers.drift_canaries_failed,
        ),
    ]
}
