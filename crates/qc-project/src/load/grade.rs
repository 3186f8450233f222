//! What came of a load test, held against what the brief asks for.

use std::collections::BTreeMap;

use qc_model::Timestamp;
use serde::Serialize;

use super::{LoadProfile, Pace, Phase, PhaseKind};

/// From so many runs on a percentile says something: ten of them are beyond it.
const ENOUGH: [usize; 3] = [20, 200, 1_000];
/// Below so many events the pace of a phase says nothing.
const ENOUGH_FOR_PACE: usize = 20;
/// A phase keeps up when so much of its rate was dealt with.
const KEEPS_UP: f64 = 0.9;
/// A sender that is later than this did not send the profile.
const LATE_MS: u64 = 1_000;

/// What became of one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// In which phase.
    pub phase: usize,
    /// When it was to be sent: times count from here, so that a sender that is held up hides nothing.
    pub due: Timestamp,
    /// How much later it was sent, in milliseconds.
    pub late_ms: u64,
    /// What the door said.
    pub door: DoorSaid,
    /// How its run ended; None: not yet.
    pub end: Option<RunEnded>,
}

/// What the door said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorSaid {
    /// It took the event.
    pub accepted: bool,
    /// Its answer came so many milliseconds after the event was due.
    pub after_ms: u64,
    /// The code of its refusal, or that there was none.
    pub code: Option<String>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnded {
    /// When.
    pub at: Timestamp,
    /// The code of its failure; None: it completed.
    pub failed: Option<String>,
}

/// The whole of it, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadReport {
    /// The version of this form.
    pub schema_version: u32,
    /// The integration.
    pub integration: String,
    /// The hash of the release that was tested.
    pub release: String,
    /// What stands for the declared profile.
    pub profile_digest: String,
    /// When it was tested.
    pub at: Timestamp,
    /// How the profile was driven.
    pub pace: Pace,
    /// On which machine, in words.
    pub machine: String,
    /// What was declared.
    pub profile: LoadProfile,
    /// What came of each part.
    pub phases: Vec<PhaseReport>,
    /// What was asked for, and whether it was so.
    pub checks: Vec<Check>,
    /// How often the door or a run failed with each code.
    pub codes: BTreeMap<String, usize>,
    /// Nothing that was asked for was missed.
    pub passed: bool,
}

/// What came of a part. Times in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhaseReport {
    /// Which.
    pub phase: PhaseKind,
    /// How many events were sent.
    pub events: usize,
    /// How many of them the door took.
    pub accepted: usize,
    /// How many runs completed.
    pub completed: usize,
    /// How long it was sent for.
    pub length_ms: u64,
    /// From the first event to the end of the last run.
    pub drained_ms: u64,
    /// How long the door's answers took.
    pub door_ms: Spread,
    /// How long runs took, from the event to the end.
    pub run_ms: Spread,
    /// How late the sender was at most.
    pub late_ms: u64,
}

/// The slowest of 50, of 95, of 99 in a hundred, and of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named as everybody names them")]
pub struct Spread {
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
    pub max: u64,
}

/// Something that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub what: String,
    /// What it should be.
    pub wanted: String,
    /// What it was.
    pub measured: String,
    /// Whether it was so.
    pub verdict: Verdict,
}

/// Whether it was so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was.
    Passed,
    /// It was not.
    Failed,
    /// There was too little to tell.
    TooFew,
}

/// Of what a load test was.
#[derive(Debug, Clone)]
pub struct About {
    /// The integration.
    pub integration: String,
    /// The hash of the release.
    pub release: String,
    /// When it began.
    pub at: Timestamp,
    /// How the profile was driven.
    pub pace: Pace,
    /// On which machine, in words.
    pub machine: String,
}

/// Grades what came of the phases.
pub fn grade(about: About, profile: LoadProfile, phases: &[Phase], sent: &[Sent]) -> LoadReport {
    let reports: Vec<PhaseReport> = phases
        .iter()
        .enumerate()
        .map(|(nth, phase)| report(phase, sent.iter().filter(|sent| sent.phase == nth)))
        .collect();
    let mut checks = Vec::new();
    for report in &reports {
        checks.push(all_of(report, "events are accepted", report.accepted));
        checks.push(all_of(report, "runs complete", report.completed));
        if report.phase != PhaseKind::Burst {
            checks.push(keeps_up(report));
        }
    }
    let steady = |sent: &&Sent| phases[sent.phase].kind != PhaseKind::Burst;
    let took = times(sent.iter().filter(steady), run_ms);
    let asked = [(50, profile.p50_ms), (95, profile.p95_ms), (99, profile.p99_ms)];
    for ((percent, wanted), enough) in asked.into_iter().zip(ENOUGH) {
        let Some(wanted) = wanted else { continue };
        let measured = at_percent(&took, percent);
        let few = took.len() < enough;
        let what = format!("{percent} of 100 runs end in time");
        checks.push(in_time(what, wanted, measured, few));
    }
    if let Some(wanted) = profile.deadline_ms {
        let slowest = at_percent(&times(sent.iter(), run_ms), 100);
        checks.push(in_time(
            "every run ends before its deadline".to_owned(),
            wanted,
            slowest,
            false,
        ));
    }
    let mut codes: BTreeMap<String, usize> = BTreeMap::new();
    for code in sent.iter().filter_map(failed_with) {
        *codes.entry(code).or_default() += 1;
    }
    let passed = checks.iter().all(|check| check.verdict != Verdict::Failed);
    let About { integration, release, at, pace, machine } = about;
    LoadReport {
        schema_version: 1,
        integration,
        release,
        profile_digest: profile.digest(),
        at,
        pace,
        machine,
        profile,
        phases: reports,
        checks,
        codes,
        passed,
    }
}

fn failed_with(sent: &Sent) -> Option<String> {
    let of_run = || match &sent.end {
        None => Some("not ended".to_owned()),
        Some(ended) => ended.failed.clone(),
    };
    if sent.door.accepted {
        of_run()
    } else {
        Some(sent.door.code.clone().unwrap_or_else(|| "no answer".to_owned()))
    }
}

fn run_ms(sent: &Sent) -> Option<u64> {
    let ended = sent.end.as_ref()?;
    u64::try_from(ended.at.since(sent.due).as_millis()).ok()
}

fn times<'s>(sent: impl Iterator<Item = &'s Sent>, of: fn(&Sent) -> Option<u64>) -> Vec<u64> {
    let mut times: Vec<u64> = sent.filter_map(of).collect();
    times.sort_unstable();
    times
}

/// By nearest rank; 0 of nothing.
fn at_percent(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

fn spread(sorted: &[u64]) -> Spread {
    let [p50, p95, p99, max] = [50, 95, 99, 100].map(|percent| at_percent(sorted, percent));
    Spread { p50, p95, p99, max }
}

fn report<'s>(phase: &Phase, sent: impl Iterator<Item = &'s Sent> + Clone) -> PhaseReport {
    let door =
        times(sent.clone().filter(|sent| sent.door.accepted), |sent| Some(sent.door.after_ms));
    let runs = times(sent.clone(), run_ms);
    let first = sent.clone().map(|sent| sent.due).min();
    let last = sent.clone().filter_map(|sent| Some(sent.end.as_ref()?.at)).max();
    let drained = first.zip(last).map_or(0, |(first, last)| last.since(first).as_millis());
    let completed = |sent: &&Sent| sent.end.as_ref().is_some_and(|end| end.failed.is_none());
    PhaseReport {
        phase: phase.kind,
        events: phase.sends.len(),
        accepted: sent.clone().filter(|sent| sent.door.accepted).count(),
        completed: sent.clone().filter(completed).count(),
        length_ms: u64::try_from(phase.length.as_millis()).unwrap_or(u64::MAX),
        drained_ms: u64::try_from(drained).unwrap_or(u64::MAX),
        door_ms: spread(&door),
        run_ms: spread(&runs),
        late_ms: sent.map(|sent| sent.late_ms).max().unwrap_or_default(),
    }
}

fn all_of(report: &PhaseReport, what: &str, count: usize) -> Check {
    let (phase, events) = (report.phase.as_str(), report.events);
    let verdict = if count == events { Verdict::Passed } else { Verdict::Failed };
    let what = format!("{phase}: {what}");
    Check { what, wanted: format!("all {events}"), measured: count.to_string(), verdict }
}

/// Whether the work of a phase is done about as fast as it comes: what is left at its end does not grow with its length.
fn keeps_up(report: &PhaseReport) -> Check {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let per_second = |ms: u64| report.completed as f64 * 1_000.0 / (ms.max(1) as f64);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let wanted = report.events as f64 * 1_000.0 / (report.length_ms.max(1) as f64);
    // The last run may take its time: what counts is that no backlog is left.
    let busy = report.drained_ms.saturating_sub(report.run_ms.p50);
    let measured = per_second(busy.max(report.length_ms));
    let verdict = if report.events < ENOUGH_FOR_PACE {
        Verdict::TooFew
    } else if measured >= wanted * KEEPS_UP && report.late_ms <= LATE_MS {
        Verdict::Passed
    } else {
        Verdict::Failed
    };
    let late = if report.late_ms > LATE_MS {
        format!(", and the sender was {} ms late", report.late_ms)
    } else {
        String::new()
    };
    Check {
        what: format!("{}: work is done as fast as it comes", report.phase.as_str()),
        wanted: format!("{wanted:.2}/s"),
        measured: format!("{measured:.2}/s{late}"),
        verdict,
    }
}

fn in_time(what: String, wanted: u64, measured: u64, few: bool) -> Check {
    // What is too slow already is so, however few there are.
    let verdict = match (measured <= wanted, few) {
        (false, _) => Verdict::Failed,
        (true, true) => Verdict::TooFew,
        (true, false) => Verdict::Passed,
    };
    Check { what, wanted: format!("{wanted} ms"), measured: format!("{measured} ms"), verdict }
}
