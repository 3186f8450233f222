use std::time::Duration;

use proptest::prelude::*;
use qc_model::Timestamp;

use super::*;
use crate::{
    Project,
    scaffold::{Template, init},
};

fn source(trigger: &str, average: f64, peak: f64) -> Source {
    let trigger = trigger.to_owned();
    Source { trigger, average, peak, peak_lasts_ms: None, typical_size: None }
}

fn profile(sources: Vec<Source>) -> LoadProfile {
    LoadProfile {
        sources,
        burst: None,
        growth_percent: 0,
        p50_ms: None,
        p95_ms: None,
        p99_ms: None,
        deadline_ms: None,
        left_out: Vec::new(),
    }
}

const PACE: Pace = Pace { seconds: 10, speed: 1.0 };

fn about() -> About {
    About {
        integration: "orders".into(),
        release: "r1".into(),
        at: Timestamp::from_millis(0),
        pace: PACE,
        machine: "a machine".into(),
    }
}

/// All of a plan is taken at once, and every run takes so many milliseconds.
fn sent(phases: &[Phase], took: impl Fn(usize) -> u64) -> Vec<Sent> {
    let mut sent = Vec::new();
    for (phase, planned) in phases.iter().enumerate() {
        for send in &planned.sends {
            let due = Timestamp::from_millis(1_000_000 * i64::try_from(phase).unwrap()) + send.at;
            let end = RunEnded { at: due + Duration::from_millis(took(sent.len())), failed: None };
            let door = DoorSaid { accepted: true, after_ms: 1, code: None };
            sent.push(Sent { phase, due, late_ms: 0, door, end: Some(end) });
        }
    }
    sent
}

fn failed(report: &LoadReport) -> Vec<&str> {
    let failed = report.checks.iter().filter(|check| check.verdict == Verdict::Failed);
    failed.map(|check| check.what.as_str()).collect()
}

#[test]
fn a_plan_has_the_declared_rates_for_the_declared_times() {
    let mut declared = profile(vec![source("a", 2.0, 20.0), source("b", 0.01, 0.01)]);
    declared.sources[0].peak_lasts_ms = Some(4_000);
    declared.burst = Some(7);
    declared.growth_percent = 50;
    let phases = plan(&declared, PACE);
    let count = |phase: usize, source: usize| {
        phases[phase].sends.iter().filter(|send| send.source == source).count()
    };
    assert_eq!((count(0, 0), count(0, 1)), (20, 1), "something of each");
    assert_eq!((phases[1].length, count(1, 0)), (Duration::from_secs(4), 120));
    assert_eq!((count(2, 0) + count(2, 1), phases[2].kind), (7, PhaseKind::Burst));
    let faster = plan(&declared, Pace { speed: 3.0, ..PACE });
    assert_eq!(faster[0].sends.iter().filter(|send| send.source == 0).count(), 60);
}

proptest! {
    #[test]
    fn every_moment_of_a_plan_is_within_its_phase_and_in_order(
        rates in prop::collection::vec((0.001..50.0f64, 0.001..50.0f64), 1..5), burst in prop::option::of(1..500u64),
    ) {
        let sources = rates.iter().map(|(average, peak)| source("t", *average, *peak)).collect();
        let phases = plan(&LoadProfile { burst, ..profile(sources) }, PACE);
        for phase in &phases {
            prop_assert!(phase.sends.is_sorted_by_key(|send| send.at));
            prop_assert!(phase.sends.iter().all(|send| send.at <= phase.length));
        }
        if let Some(burst) = burst {
            prop_assert_eq!(phases[2].sends.len() as u64, burst);
        }
    }
}

#[test]
fn what_is_asked_for_is_held_against_what_came() {
    let declared = || LoadProfile {
        p50_ms: Some(100),
        p95_ms: Some(200),
        p99_ms: Some(300),
        deadline_ms: Some(1_000),
        ..profile(vec![source("a", 20.0, 50.0)])
    };
    let phases = plan(&declared(), PACE);
    let good = grade(about(), declared(), &phases, &sent(&phases, |_| 90));
    assert!(good.passed, "{:#?}", good.checks);
    let verdicts: Vec<Verdict> = good.checks.iter().map(|check| check.verdict).collect();
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::TooFew).count(), 1, "of p99");

    let slow_ones = |nth: usize| if nth.is_multiple_of(10) { 250 } else { 90 };
    let slow = grade(about(), declared(), &phases, &sent(&phases, slow_ones));
    assert_eq!(failed(&slow), ["95 of 100 runs end in time"]);

    let one = |nth: usize| if nth == 3 { 1_001 } else { 90 };
    let late = grade(about(), declared(), &phases, &sent(&phases, one));
    assert_eq!(failed(&late), ["every run ends before its deadline"]);

    let mut refused = sent(&phases, |_| 90);
    refused[5].door = DoorSaid { accepted: false, after_ms: 1, code: Some("QC-I060".into()) };
    refused[5].end = None;
    refused[6].end = None;
    let refused = grade(about(), declared(), &phases, &refused);
    assert_eq!(failed(&refused), ["average: events are accepted", "average: runs complete"]);
    assert_eq!(refused.codes.get("QC-I060"), Some(&1));
    assert_eq!(refused.codes.get("not ended"), Some(&1));
}

#[test]
fn times_count_from_when_an_event_was_due_and_those_of_a_burst_are_its_own() {
    let declared = || LoadProfile {
        p50_ms: Some(100),
        burst: Some(900),
        ..profile(vec![source("a", 20.0, 20.0)])
    };
    let phases = plan(&declared(), PACE);
    let mut sent = sent(&phases, |nth| if nth < 400 { 90 } else { 9_000 });
    assert!(grade(about(), declared(), &phases, &sent).passed, "a burst may take its time");
    for late in sent.iter_mut().filter(|sent| sent.phase < 2) {
        // It was sent and done later: the sender was held up, and the run took as long as before.
        late.late_ms = 50;
        let end = late.end.as_mut().unwrap();
        end.at = end.at + Duration::from_millis(50);
    }
    let held_up = grade(about(), declared(), &phases, &sent);
    assert_eq!(failed(&held_up), ["50 of 100 runs end in time"]);
}

#[test]
fn a_backlog_that_grows_and_a_sender_that_lags_are_found() {
    let declared = || profile(vec![source("a", 20.0, 20.0)]);
    let phases = plan(&declared(), PACE);
    // Each run waits for the one before: so many more come than are done.
    let growing =
        grade(about(), declared(), &phases, &sent(&phases, |nth| 40 * (nth as u64 % 200)));
    let pace = "average: work is done as fast as it comes";
    assert!(failed(&growing).contains(&pace), "{:#?}", growing.checks);
    // Runs that all take long keep up.
    let long = grade(about(), declared(), &phases, &sent(&phases, |_| 60_000));
    assert!(long.passed, "{:#?}", long.checks);
    let mut lagging = sent(&phases, |_| 1);
    lagging[9].late_ms = 5_000;
    assert_eq!(failed(&grade(about(), declared(), &phases, &lagging)), [pace]);
}

const BRIEF: &str = "integrations/notify/integration.yaml";

/// The templates' project, with what its brief has besides.
fn project(trigger: &str, more: &str, evidence: Option<&str>) -> Project {
    let mut files = init(Template::Notify);
    let text = files.text(BRIEF).unwrap_or_default().to_owned();
    let key = "    tenant: ";
    assert!(text.contains(key), "the template's trigger is another one");
    let text = text.replacen(key, &format!("{trigger}{key}"), 1);
    files.insert(BRIEF, format!("{text}\n{more}"));
    if let Some(evidence) = evidence {
        files.insert("integrations/notify/evidence/load.json", evidence.to_owned());
    }
    Project::load(files)
}

fn codes(project: &Project) -> Vec<String> {
    let findings = project.check();
    let weighty = findings.iter().filter(|finding| finding.severity > qc_model::Severity::Note);
    weighty.map(|finding| finding.code.to_string()).collect()
}

#[test]
fn a_brief_says_what_is_driven() {
    let rates = "    expected_rate: 60/min\n    traffic: {peak: 5/s, peak_lasts: 30s, typical_size: 2KiB}\n";
    let nfr = "nfr: {throughput: {average: 4/s, burst: 9, growth_percent: 20}, latency: {p95: 2s, deadline: 1m}}\n";
    let asked = project(rates, nfr, None);
    let profile = LoadProfile::of(asked.integration("notify").unwrap()).unwrap();
    let source = &profile.sources[0];
    assert_eq!(
        (source.average, source.peak),
        (4.0, 5.0),
        "the brief asks for more than the trigger"
    );
    assert_eq!((source.peak_lasts_ms, source.typical_size), (Some(30_000), Some(2_048)));
    assert_eq!((profile.burst, profile.growth_percent), (Some(9), 20));
    assert_eq!(
        (profile.p50_ms, profile.p95_ms, profile.deadline_ms),
        (None, Some(2_000), Some(60_000))
    );
    let silent = project("", "", None);
    let error = LoadProfile::of(silent.integration("notify").unwrap()).unwrap_err();
    assert_eq!(error.code.as_str(), "QC-P110");
    let of_all = project("", "nfr: {throughput: {average: 3/s, peak: 6/s}}\n", None);
    let profile = LoadProfile::of(of_all.integration("notify").unwrap()).unwrap();
    assert_eq!((profile.sources[0].average, profile.sources[0].peak), (3.0, 6.0));
}

#[test]
fn a_limit_that_refuses_the_declared_peak_is_found() {
    let rates = "    traffic: {peak: 20/s, peak_lasts: 1m}\n";
    let limit = |rate: &str| {
        format!(
            "limits:\n  - {{name: all, scope: integration, rate: {rate}, protects: us, on_excess: reject}}\n"
        )
    };
    assert_eq!(codes(&project(rates, &limit("19/s"), None)), ["QC-P111"]);
    assert_eq!(codes(&project(rates, &limit("20/s"), None)), Vec::<String>::new());
    let burst = format!("nfr: {{throughput: {{average: 1/s, burst: 21}}}}\n{}", limit("20/s"));
    assert_eq!(codes(&project(rates, &burst, None)), ["QC-P111"]);
    let of_each =
        "limits:\n  - {name: all, scope: tenant, rate: 1/s, protects: us, on_excess: reject}\n";
    assert_eq!(codes(&project(rates, of_each, None)), ["QC-P111"], "all of it is one tenant's");
    let of_token = of_each.replace("tenant", "token");
    assert_eq!(codes(&project(rates, &of_token, None)), Vec::<String>::new());
    let roomy = "limits:\n  - {name: all, scope: integration, rate: 10/s, burst: 700, protects: us, on_excess: reject}\n";
    assert_eq!(codes(&project(rates, roomy, None)), Vec::<String>::new());
}

#[test]
fn evidence_is_of_what_is_declared_now() {
    let rates = "    expected_rate: 60/min\n";
    let profile = LoadProfile::of(project(rates, "", None).integration("notify").unwrap()).unwrap();
    let told = |digest: &str, passed: bool| {
        format!("{{\"profile_digest\": \"{digest}\", \"passed\": {passed}}}")
    };
    let good = told(&profile.digest(), true);
    assert_eq!(codes(&project(rates, "", Some(&good))), Vec::<String>::new());
    assert_eq!(codes(&project("    expected_rate: 61/min\n", "", Some(&good))), ["QC-P112"]);
    let missed = told(&profile.digest(), false);
    assert_eq!(codes(&project(rates, "", Some(&missed))), ["QC-P112"]);
    assert_eq!(codes(&project(rates, "", Some("[]"))), ["QC-P112"]);
}

#[test]
fn every_body_is_another_event_that_is_taken_and_as_large_as_declared() {
    let rates = "    expected_rate: 60/min\n";
    let project = project(rates, "", None);
    let folder = project.integration("notify").unwrap();
    let compiled =
        crate::acceptance::compiled(&project, "notify").unwrap_or_else(|found| panic!("{found:?}"));
    let trigger = LoadProfile::of(folder).unwrap().sources[0].trigger.clone();
    let bodies = Bodies::of(&project, folder, &compiled, &trigger, (Some(2_000), 10)).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for nth in 0..200 {
        let body = bodies.nth(nth);
        assert_eq!(body.bytes.len(), 2_000);
        assert!(serde_json::from_slice::<serde_json::Value>(&body.bytes).is_ok());
        assert!(seen.insert((body.bytes, body.key)), "{nth} is there twice");
    }
}
