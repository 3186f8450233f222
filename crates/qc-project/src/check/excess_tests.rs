//! What may become of what is too much for a limit.

use std::collections::BTreeSet;

use crate::{
    Project,
    scaffold::{Template, init},
};

const BRIEF: &str = "integrations/notify/integration.yaml";
const WORKFLOW: &str = "integrations/notify/workflow.yaml";

/// The codes of a project with these lines in its brief; `lesser`: its workflow has a lesser way.
fn codes(lines: &str, lesser: bool) -> BTreeSet<String> {
    let mut files = init(Template::Notify);
    let text = files.text(BRIEF).unwrap().replacen("owners:", &format!("{lines}\nowners:"), 1);
    files.insert(BRIEF, text);
    if lesser {
        let text = format!("{}\n# $runtime.metadata.degraded\n", files.text(WORKFLOW).unwrap());
        files.insert(WORKFLOW, text);
    }
    let findings = Project::load(files).check();
    let weighty = findings.iter().filter(|it| it.severity > qc_model::Severity::Note);
    weighty.map(|it| it.code.to_string()).collect()
}

fn limit(class: &str, measure: &str, excess: &str) -> String {
    format!(
        "class: {class}\nlimits: [{{name: a, scope: tenant, {measure}, protects: x, on_excess: {excess}}}]"
    )
}

#[test]
fn the_class_restricts_the_choice() {
    let (queue, degrade) = ("{queue: {max: 10, ttl: 1h}}", "{degrade: {rate: 9/s}}");
    for (class, excess, allowed) in [
        ("critical", "reject", false),
        ("critical", queue, true),
        ("critical", degrade, true),
        ("standard", "reject", true),
        ("standard", queue, false),
        ("standard", degrade, true),
        ("deferrable", "reject", true),
        ("deferrable", queue, true),
        ("deferrable", "queue", true),
        ("deferrable", degrade, true),
    ] {
        let found = codes(&limit(class, "rate: 5/s", excess), true);
        let expected = if allowed { [].into() } else { BTreeSet::from(["QC-P101".to_owned()]) };
        assert_eq!(found, expected, "{class}: {excess}");
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let (rate, runs) = ("rate: 5/s", "concurrency: 5");
    for (measure, excess, lesser, code) in [
        (runs, "queue", true, "QC-P100"),
        (runs, "{degrade: {concurrency: 6}}", true, ""),
        (runs, "{degrade: {concurrency: 5}}", true, "QC-P100"),
        (runs, "{degrade: {rate: 5/s}}", true, "QC-P100"),
        (rate, "{degrade: {concurrency: 6}}", true, "QC-P100"),
        (rate, "{degrade: {rate: 5/s}}", false, "QC-P100"),
        (rate, "{degrade: {rate: 2000000/s}}", true, "QC-P100"),
        (rate, "{degrade: {}}", true, "QC-Q015"),
        (rate, "{degrade: {rate: 5/s, concurrency: 6}}", true, "QC-Q015"),
        (rate, "{queue: {}, degrade: {rate: 5/s}}", true, "QC-Q015"),
        (rate, "{}", true, "QC-Q015"),
        (rate, "{queue: {ttl: 0s}}", true, "QC-P100"),
        (rate, "{queue: {ttl: 100ms}}", true, "QC-P100"),
        (rate, "{queue: {ttl: 200ms}}", true, ""),
        (rate, "{queue: {max: 0}}", true, "QC-Q015"),
        (rate, "{queue: {ttl: soon}}", true, "QC-Q015"),
    ] {
        let found = codes(&limit("deferrable", measure, excess), lesser);
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found.join(" "), code, "{measure}: {excess}");
    }
    let queued = limit("deferrable", rate, "{queue: {ttl: 1h}}");
    let within = |deadline: &str| format!("{queued}\nnfr: {{latency: {{deadline: {deadline}}}}}");
    assert_eq!(codes(&within("59m"), false), ["QC-P030".to_owned()].into());
    assert!(!codes(&within("25h"), false).contains("QC-P030"));
    let never = codes("nfr: {latency: {deadline: 0s}}", false);
    assert_eq!(never, ["QC-P030".to_owned()].into());
    assert_eq!(codes("class: urgent", false), ["QC-Q015".to_owned()].into());
}

#[test]
fn quiet_hours_are_for_what_may_wait_and_shorter_than_a_run_may_take() {
    let (night, none) =
        ("{from: 22:00, to: 07:00, time_zone: Europe/Berlin}", "{from: 1:00, to: 2:00}");
    for (lines, quiet, code) in [
        ("class: deferrable", night, ""),
        ("class: deferrable\nnfr: {latency: {deadline: 24h}}", night, ""),
        ("class: deferrable\nnfr: {latency: {deadline: 9h}}", night, "QC-P030"),
        ("class: standard", night, "QC-P030"),
        ("class: critical", night, "QC-P030"),
        ("class: deferrable", "{from: 22:00, to: 22:00}", "QC-P030"),
        ("class: deferrable", none, "QC-Q015"),
        ("class: deferrable", "{from: 22, to: 7}", "QC-Q015"),
        ("class: deferrable", "{from: 22:00, to: 07:00, time_zone: Europe/Atlantis}", "QC-W024"),
    ] {
        for rules in [
            format!("tasks: {{tell: {{quiet_hours: {quiet}}}}}"),
            format!(
                "policies: {{later: {{quiet_hours: {quiet}}}}}\ntasks: {{tell: {{policy: later}}}}"
            ),
        ] {
            let found = codes(&format!("{lines}\n{rules}"), false);
            let expected: BTreeSet<_> =
                Some(code.to_owned()).filter(|code| !code.is_empty()).into_iter().collect();
            assert_eq!(found, expected, "{lines}: {rules}");
        }
    }
}
