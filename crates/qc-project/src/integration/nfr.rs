//! Non-functional requirements.

use std::time::Duration;

use super::DataClass;
use crate::shape::{Fields, Integer, Rate, Record, Spanned};

/// What an integration must withstand.
#[derive(Debug, Clone)]
pub struct Nfr {
    /// How fast, from the event to the end of the run.
    pub latency: Option<Latency>,
    /// How much.
    pub throughput: Option<Throughput>,
    /// The most sensitive class of data that may flow.
    pub sensitivity: Option<Spanned<DataClass>>,
    /// What must be provable later.
    pub audit: Option<Audit>,
    /// What may be lost and how long it may take to be back.
    pub recovery: Option<Recovery>,
}

/// How fast, from the event to the end of the run.
#[derive(Debug, Clone)]
pub struct Latency {
    /// Half of the runs.
    pub p50: Option<Duration>,
    /// 95 of 100 runs.
    pub p95: Option<Duration>,
    /// 99 of 100 runs.
    pub p99: Option<Duration>,
    /// No run may take longer.
    pub deadline: Option<Duration>,
}

/// How much.
#[derive(Debug, Clone)]
pub struct Throughput {
    /// Usually.
    pub average: Rate,
    /// At the busiest time.
    pub peak: Option<Rate>,
    /// For a moment.
    pub burst: Option<Integer<1, 1_000_000>>,
    /// Growth per year, in percent.
    pub growth_percent: Option<Integer<0, 10_000>>,
}

/// What must be provable later.
#[derive(Debug, Clone)]
pub struct Audit {
    /// The kinds of ledger rows that must exist for a run.
    pub events: Vec<Spanned<String>>,
    /// How long they are kept.
    pub retention: Duration,
}

/// What may be lost and how long it may take to be back.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// Recovery point objective: how much time's work may be lost.
    pub rpo: Duration,
    /// Recovery time objective: how long until it runs again.
    pub rto: Duration,
}

impl Record for Nfr {
    const NAME: &'static str = "nfr";
    const DOC: &'static str = "Non-functional requirements.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let latency = f.optional("latency", "How fast, from the event to the end of the run.");
        let throughput = f.optional("throughput", "How much.");
        let sensitivity =
            f.optional("sensitivity", "The most sensitive class of data that may flow.");
        let audit = f.optional("audit", "What must be provable later.");
        let recovery =
            f.optional("recovery", "What may be lost and how long it may take to be back.");
        Some(Self { latency, throughput, sensitivity, audit, recovery })
    }
}

impl Record for Latency {
    const NAME: &'static str = "latency";
    const DOC: &'static str = "How fast, from the event to the end of the run.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let p50 = f.optional("p50", "Half of the runs end within this time.");
        let p95 = f.optional("p95", "95 of 100 runs end within this time.");
        let p99 = f.optional("p99", "99 of 100 runs end within this time.");
        let deadline = f.optional("deadline", "No run may take longer.");
        Some(Self { p50, p95, p99, deadline })
    }
}

impl Record for Throughput {
    const NAME: &'static str = "throughput";
    const DOC: &'static str = "How much.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let average = f.required("average", "The usual rate of events.");
        let peak = f.optional("peak", "The rate at the busiest time.");
        let burst = f.optional("burst", "How many may come at once.");
        let growth_percent = f.optional("growth_percent", "Growth per year, in percent.");
        Some(Self { average: average?, peak, burst, growth_percent })
    }
}

impl Record for Audit {
    const NAME: &'static str = "audit";
    const DOC: &'static str = "What must be provable later.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let events = f.required("events", "The kinds of ledger rows that must exist for a run.");
        let retention = f.required("retention", "How long they are kept.");
        Some(Self { events: events?, retention: retention? })
    }
}

impl Record for Recovery {
    const NAME: &'static str = "recovery";
    const DOC: &'static str = "What may be lost and how long it may take to be back.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let rpo = f.required("rpo", "Recovery point objective: how much time's work may be lost.");
        let rto = f.required("rto", "Recovery time objective: how long until it runs again.");
        Some(Self { rpo: rpo?, rto: rto? })
    }
}
