//! A report for people.

use qc_project::load::{LoadReport, Spread, Verdict};

use crate::cli::output::{append, table};

pub(super) fn human(report: &LoadReport) -> String {
    let mut text = String::new();
    let rows: Vec<Vec<String>> = report
        .phases
        .iter()
        .map(|phase| {
            let door = phase.door_ms.p99;
            let Spread { p50, p95, p99, max } = phase.run_ms;
            vec![
                phase.phase.as_str().to_owned(),
                phase.events.to_string(),
                phase.accepted.to_string(),
                phase.completed.to_string(),
                format!("{door} ms"),
                format!("{p50} / {p95} / {p99} / {max} ms"),
                format!(
                    "{:.1} s",
                    std::time::Duration::from_millis(phase.drained_ms).as_secs_f64()
                ),
            ]
        })
        .collect();
    let heads = [
        "PHASE",
        "EVENTS",
        "ACCEPTED",
        "COMPLETED",
        "DOOR P99",
        "RUN P50 / 95 / 99 / MAX",
        "DONE IN",
    ];
    append(&mut text, format_args!("{}\n", table(&heads, &rows)));
    let rows: Vec<Vec<String>> = report
        .checks
        .iter()
        .map(|check| {
            let verdict = match check.verdict {
                Verdict::Passed => "ok",
                Verdict::Failed => "MISSED",
                Verdict::TooFew => "too few to tell",
            };
            let (what, wanted, measured) = (&check.what, &check.wanted, &check.measured);
            vec![verdict.to_owned(), what.clone(), wanted.clone(), measured.clone()]
        })
        .collect();
    append(&mut text, format_args!("{}", table(&["", "ASKED FOR", "WANTED", "MEASURED"], &rows)));
    for (code, times) in &report.codes {
        append(&mut text, format_args!("\n{times} times {code}\n"));
    }
    append(&mut text, format_args!("\non {}", report.machine));
    text
}
