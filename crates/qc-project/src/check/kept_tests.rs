//! Mistakes about what an integration keeps, each with the codes that must come of it.

use std::collections::BTreeSet;

use crate::{
    Project, ProjectFiles,
    scaffold::{Template, init},
};

const INTEGRATION: &str = "integrations/notify/integration.yaml";
const WORKFLOW: &str = "integrations/notify/workflow.yaml";
const SYSTEM: &str =
    "systems:\n  erp: {direction: inbound, criticality: low, owner: me, on_unavailable: fail}\n";
const STATE: &str = "state: {notes: {ttl: 1d}}";
const TABLE: &str = "crossrefs: {people: {between: [chat, erp]}}";

fn with(keeps: &str, task: &str) -> ProjectFiles {
    let mut files = init(Template::Notify);
    let text = files.text(INTEGRATION).unwrap_or_default().to_owned();
    let text = text.replacen("systems:\n", SYSTEM, 1);
    files.insert(
        INTEGRATION,
        text.replacen("\nfailure_modes:", &format!("\n{keeps}\nfailure_modes:"), 1),
    );
    let workflow = files.text(WORKFLOW).unwrap_or_default().trim_end().to_owned();
    files.insert(WORKFLOW, format!("{workflow}\n  - keep: {{{task}}}\n"));
    files
}

fn codes(files: ProjectFiles) -> BTreeSet<String> {
    let findings = Project::load(files).check();
    let weighty = findings.iter().filter(|finding| finding.severity > qc_model::Severity::Note);
    weighty.map(|finding| finding.code.to_string()).collect()
}

#[test]
fn what_is_kept_is_declared_and_used_rightly() {
    let put = "call: state.put, with: {in: notes, key: a, value: 1}";
    let find = "call: crossref.find, with: {table: people, chat: '${ .id }'}";
    let cases: &[(&str, &str, &[&str])] = &[
        (STATE, put, &[]),
        (
            STATE,
            "call: state.put, with: {in: notes, key: '${ .id }', value: {a: 1}, expect: absent}",
            &[],
        ),
        (STATE, "call: state.delete, with: {in: notes, key: a, expect: 7}", &[]),
        (TABLE, find, &[]),
        (TABLE, "call: crossref.link, with: {table: people, chat: 1, erp: 2}", &[]),
        (TABLE, "call: crossref.unlink, with: {table: people, erp: 2}", &[]),
        // Nothing is declared, or something else, or only known at run time.
        ("", put, &["QC-W006"]),
        (STATE, "call: state.get, with: {in: note, key: a}", &["QC-W006"]),
        (STATE, "call: state.get, with: {in: '${ .x }', key: a}", &["QC-P072"]),
        (STATE, "call: state.get, with: {key: a}", &["QC-P072"]),
        (STATE, "call: state.get", &["QC-P072"]),
        (STATE, "call: state.grab, with: {in: notes, key: a}", &["QC-W012"]),
        (STATE, "call: state.get, with: {in: notes, key: a, expect: 1}", &["QC-P072"]),
        (STATE, "call: state.put, with: {in: notes, key: a}", &["QC-P072"]),
        (TABLE, "call: crossref.find, with: {table: people}", &["QC-P072"]),
        (TABLE, "call: crossref.find, with: {table: people, chat: 1, erp: 2}", &["QC-P072"]),
        (TABLE, "call: crossref.link, with: {table: people, chat: 1}", &["QC-P072"]),
        (TABLE, "call: crossref.link, with: {table: people, chat: 1, crm: 2}", &["QC-P072"]),
        // Declared wrongly.
        ("crossrefs: {people: {between: [chat, chat]}}", "set: {a: 1}", &["QC-P071", "QC-P075"]),
        ("crossrefs: {people: {between: [chat, crm]}}", "set: {a: 1}", &["QC-P071", "QC-P075"]),
        ("crossrefs: {people: {between: [chat]}}", "set: {a: 1}", &["QC-Q015"]),
        ("crossrefs: {people: {between: [chat, table]}}", "set: {a: 1}", &["QC-P071", "QC-P075"]),
        ("state: {notes: {ttl: soon}}", "set: {a: 1}", &["QC-Q015", "QC-P075"]),
        ("state: {notes: {schema: contracts/none.schema.json}}", put, &["QC-C001"]),
        (STATE, "set: {a: 1}", &["QC-P075"]),
    ];
    for (keeps, task, expected) in cases {
        let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(codes(with(keeps, task)), expected, "{keeps} / {task}");
    }
}

#[test]
fn an_effect_class_says_nothing_of_what_is_kept() {
    let put = "call: state.put, with: {in: notes, key: a, value: 1}";
    let rules = |rule: &str| format!("{STATE}\ntasks: {{keep: {{{rule}}}}}");
    assert_eq!(codes(with(&rules("effect: once"), put)), ["QC-P074".to_owned()].into());
    assert_eq!(codes(with(&rules("spread: 5m"), put)), ["QC-P074".to_owned()].into());
    let quiet = rules("quiet_hours: {from: 01:00, to: 02:00}");
    let quiet = format!("class: deferrable\n{quiet}");
    assert_eq!(codes(with(&quiet, put)), ["QC-P074".to_owned()].into());
    assert_eq!(codes(with(&rules("timeout: 5s"), put)), [].into());
}

#[test]
fn an_echo_speaks_of_both_sides_of_a_system() {
    let trigger = "alert";
    let of = "{object: .id, version: .name}";
    let echo = |system: &str, window: &str, task: &str, trigger: &str| {
        format!(
            "echo: {{{system}: {{{window}tasks: {{{task}: {of}}}, triggers: {{{trigger}: {of}}}}}}}"
        )
    };
    let cases: &[(String, &[&str])] = &[
        (echo("chat", "", "tell", trigger), &[]),
        (echo("chat", "window: 1h, ", "tell", trigger), &[]),
        (echo("chat", "window: 30d, ", "tell", trigger), &["QC-P076"]),
        (echo("crm", "", "tell", trigger), &["QC-P076"]),
        (echo("chat", "", "tel", trigger), &["QC-P073"]),
        (echo("chat", "", "tell", "alrt"), &["QC-P073"]),
        (format!("echo: {{chat: {{tasks: {{tell: {of}}}, triggers: {{}}}}}}"), &["QC-P076"]),
        (echo("chat", "", "tell", trigger).replace(".name", "'.['"), &["QC-P021"]),
    ];
    for (keeps, expected) in cases {
        let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(codes(with(keeps, "set: {a: 1}")), expected, "{keeps}");
    }
}
