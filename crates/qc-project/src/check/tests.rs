use std::collections::BTreeSet;

use crate::{
    Project, ProjectFiles,
    scaffold::{Template, init},
};

const INTEGRATION: &str = "integrations/notify/integration.yaml";
const WORKFLOW: &str = "integrations/notify/workflow.yaml";
const ORGANISATION: &str = "quickconnect.yaml";
const CONNECTOR: &str = "connectors/chat/connector.yaml";
const SCENARIO: &str = "integrations/notify/acceptance/happy-path.yaml";

/// A project with one passage of one file replaced.
fn changed(path: &str, from: &str, to: &str) -> ProjectFiles {
    let mut files = init(Template::Notify);
    let text = files.text(path).unwrap_or_default().to_owned();
    assert!(text.contains(from), "{path} has no `{from}`");
    files.insert(path, text.replacen(from, to, 1));
    files
}

/// The codes of errors and warnings, each with the line of its place.
fn codes(files: ProjectFiles) -> Vec<String> {
    let findings = Project::load(files).check();
    let weighty = findings.iter().filter(|finding| finding.severity > qc_model::Severity::Note);
    weighty.map(|finding| finding.code.to_string()).collect()
}

/// A task that asks people, in front of the others.
fn asking(with: &str) -> ProjectFiles {
    let mut files = init(Template::Notify);
    let workflow = files.text(WORKFLOW).unwrap_or_default().to_owned();
    let ask = format!("do:\n  - ask: {{call: human.approve, with: {with}}}\n");
    files.insert(WORKFLOW, workflow.replacen("do:\n", &ask, 1));
    let integration = files.text(INTEGRATION).unwrap_or_default().to_owned();
    files.insert(INTEGRATION, integration.replacen("tasks: [tell]", "tasks: [tell, ask]", 1));
    files
}

#[test]
fn what_people_are_asked_is_judged_in_the_file() {
    for (with, wanted) in [
        ("{title: t, assignee: me}", &[][..]),
        ("{title: '${ .title }', assignee: '${ .who }', deadline: '${ .until }'}", &[]),
        ("{title: t, assignee: nobody}", &["QC-P007"]),
        ("{title: t, deadline: 2h, escalation: [{to: nobody, after: 1h}]}", &["QC-P007"]),
        ("{titel: t}", &["QC-P052", "QC-P052"]),
        ("{title: t, deadline: soon}", &["QC-P052"]),
        ("{title: t, options: [a]}", &["QC-P053"]),
        ("{title: t, deadline: 1h, on_expiry: maybe}", &["QC-P053"]),
        ("{title: t, escalation: [{to: me, after: 1h}]}", &["QC-P054"]),
        ("{title: t, on_expiry: rejected}", &["QC-P055"]),
    ] {
        assert_eq!(codes(asking(with)), wanted, "{with}");
    }
    let mut files = asking("{title: t}");
    let with_rules = files.text(INTEGRATION).unwrap_or_default().to_owned();
    let rules = format!("{with_rules}\ntasks:\n  ask: {{retry: {{attempts: 2}}}}\n");
    files.insert(INTEGRATION, rules);
    assert_eq!(codes(files), ["QC-P056"]);
}

#[test]
fn nothing_but_people_is_named_human_and_an_escalation_rises() {
    let mut files = init(Template::Notify);
    let connector = files.text(CONNECTOR).unwrap_or_default().replace("name: chat", "name: human");
    let openapi = files.text("connectors/chat/openapi.yaml").unwrap_or_default().to_owned();
    files.insert("connectors/human/connector.yaml", connector);
    files.insert("connectors/human/openapi.yaml", openapi);
    assert!(codes(files).contains(&"QC-P051".to_owned()));
    for (ladder, wanted) in [
        ("[{to: me, after: 0s}, {to: operations, after: 1h}]", &[][..]),
        ("[{to: me, after: 1h}, {to: operations, after: 1h}]", &["QC-P030"]),
        ("[{to: nobody, after: 1h}]", &["QC-P007"]),
    ] {
        let mut files = init(Template::Notify);
        let text = files.text(INTEGRATION).unwrap_or_default().to_owned();
        files.insert(INTEGRATION, format!("{text}\nescalation: {ladder}\n"));
        assert_eq!(codes(files), wanted, "{ladder}");
    }
}

/// One mistake each: the file, what is replaced by what, and the codes that must come of it.
const MISTAKES: &[(&str, &str, &str, &[&str])] = &[
    (ORGANISATION, "members: [me]", "members: [me, you]", &["QC-P007"]),
    (ORGANISATION, "chat_url: \"http://127.0.0.1:7201\"", "chat_url: not-a-url", &["QC-P009"]),
    (ORGANISATION, "vars: {chat_url: \"http://127.0.0.1:7201\"}", "vars: {}", &["QC-P009"]),
    (
        ORGANISATION,
        "vars: {chat_url: \"http://127.0.0.1:7201\"}",
        "vars: {chat_url: \"http://x.example\", chanel: x}",
        &["QC-P009"],
    ),
    (
        ORGANISATION,
        "    description: The real thing.\n    vars:",
        "    tenants: {only: [acme]}\n    vars:",
        &["QC-P032"],
    ),
    (
        ORGANISATION,
        "  channel: {",
        "  api_token: {type: string, default: x}\n  channel: {",
        &["QC-P006"],
    ),
    (ORGANISATION, "email: me@example.com", "email: nobody", &["QC-P007", "QC-Q015"]),
    (INTEGRATION, "name: notify", "name: notfy", &["QC-P010"]),
    (INTEGRATION, "version: 1.0.0", "version: one", &["QC-Q015"]),
    (INTEGRATION, "technical: operations", "technical: operation", &["QC-P007"]),
    (INTEGRATION, "owner: operations", "owner: nobody", &["QC-P007"]),
    (INTEGRATION, "tasks: [tell]", "tasks: [tel]", &["QC-P011", "QC-P012"]),
    (INTEGRATION, "owners:", "search_keys: {host: .data.host}\nowners:", &[]),
    (INTEGRATION, "owners:", "search_keys: {host: '.data.('}\nowners:", &["QC-P021"]),
    (INTEGRATION, "owners:", "search_keys: {Host: .data.host}\nowners:", &["QC-Q015"]),
    (INTEGRATION, "owners:", "search_keys: {post: {task: tell, value: .id}}\nowners:", &[]),
    (INTEGRATION, "owners:", "search_keys: {post: {task: tel, value: .id}}\nowners:", &["QC-P058"]),
    (INTEGRATION, "tasks: [tell]", "tasks: []", &["QC-P011", "QC-P012"]),
    (
        INTEGRATION,
        "  chat: {direction",
        "  talk: {direction",
        &["QC-P013", "QC-P014", "QC-P015", "QC-P062", "QC-T501"],
    ),
    (
        INTEGRATION,
        "systems:\n  chat:",
        "systems:\n  talk: {direction: inbound, criticality: low, owner: me, on_unavailable: fail}\n  chat:",
        &[],
    ),
    (
        INTEGRATION,
        "idempotency: {key: .data.alert_id, window: 72h}",
        "expected_rate: 5/s",
        &["QC-P017"],
    ),
    (
        INTEGRATION,
        "on_unavailable: {queue: {ttl: 24h}}",
        "binding: {operations: {nothing: {}}}, on_unavailable: {queue: {ttl: 24h}}",
        &["QC-P064", "QC-P064"],
    ),
    (
        INTEGRATION,
        "on_unavailable: {queue: {ttl: 24h}}",
        "binding: {operations: {postMessage: {items: data}}}, on_unavailable: {queue: {ttl: 24h}}",
        &["QC-P064"],
    ),
    (
        INTEGRATION,
        "on_unavailable: {queue: {ttl: 24h}}",
        "binding: {operations: {postMessage: {rows: .a |}}}, on_unavailable: {queue: {ttl: 24h}}",
        &["QC-P021"],
    ),
    (
        INTEGRATION,
        "on_unavailable: {queue: {ttl: 24h}}",
        "binding: {operations: {postMessage: {fields: [a..b]}}}, on_unavailable: {queue: {ttl: 24h}}",
        &["QC-Q015"],
    ),
    (
        INTEGRATION,
        "on_unavailable: {queue: {ttl: 24h}}",
        "binding: {quota: {calls: 0, per: 1m}}, on_unavailable: {queue: {ttl: 24h}}",
        &["QC-Q015"],
    ),
    (
        INTEGRATION,
        "on_unavailable: {queue: {ttl: 24h}}",
        "binding: {operations: {postMessage: {fields: [ok, ts.day]}}, quota: {calls: 10, per: 1m}}, on_unavailable: {queue: {ttl: 24h}}",
        &[],
    ),
    (INTEGRATION, "on_unavailable: {queue: {ttl: 24h}}", "on_unavailable: queue", &["QC-P060"]),
    (
        INTEGRATION,
        "on_unavailable: {queue: {ttl: 24h}}",
        "on_unavailable: degrade",
        &["QC-P060", "QC-P062"],
    ),
    (INTEGRATION, "on_unavailable: {queue: {ttl: 24h}}", "on_unavailable: fail", &["QC-P062"]),
    (
        INTEGRATION,
        "{queue: {ttl: 24h}}",
        "{queue: {ttl: 24h}, fail: {}}",
        &["QC-P013", "QC-P062", "QC-Q015", "QC-T501"],
    ),
    (
        INTEGRATION,
        "{queue: {ttl: 24h}}",
        "{queue: {}}",
        &["QC-P013", "QC-P062", "QC-Q013", "QC-T501"],
    ),
    (INTEGRATION, "{queue: {ttl: 24h}}", "{queue: {ttl: 24h, max: 0}}", &["QC-Q015"]),
    (INTEGRATION, "{queue: {ttl: 24h}}", "{fail: {escalate: nobody}}", &["QC-P007", "QC-P062"]),
    (
        INTEGRATION,
        "{queue: {ttl: 24h}}",
        "{fallback: {call: chat.postMessage}}",
        &["QC-P061", "QC-P062"],
    ),
    (
        INTEGRATION,
        "{queue: {ttl: 24h}}",
        "{fallback: {call: chat}}",
        &["QC-P013", "QC-P062", "QC-Q015", "QC-T501"],
    ),
    (INTEGRATION, "{queue: {ttl: 24h}}", "{fallback: {call: mail.send}}", &["QC-P062", "QC-W012"]),
    (INTEGRATION, "{queue: {ttl: 24h}}", "{degrade: {value: '${ .a[ }'}}", &["QC-E001", "QC-P062"]),
    (INTEGRATION, "    on_unavailable: queue\n", "", &["QC-P062"]),
    (INTEGRATION, "    on_unavailable: queue\n", "    on_unavailable: degrade\n", &["QC-P062"]),
    (INTEGRATION, "    system: chat\n", "    system: mail\n", &["QC-P062"]),
    (INTEGRATION, "    system: chat\n", "", &["QC-P062", "QC-P063"]),
    (INTEGRATION, "key: .data.alert_id", "key: '.data.['", &["QC-P021"]),
    (INTEGRATION, "subject: .data.alert_id", "subject: $event.data.alert_id", &["QC-P021"]),
    (INTEGRATION, "auth: token", "auth: none", &["QC-P024"]),
    (INTEGRATION, "auth: token", "auth: signature", &["QC-Q013", "QC-Q013"]),
    (INTEGRATION, "auth: token", "auth: signature\n    signature: {connector: chat}", &["QC-P027"]),
    (
        INTEGRATION,
        "auth: token",
        "auth: signature\n    signature: github\n    secret: hunter2",
        &["QC-P006"],
    ),
    (INTEGRATION, "auth: token", "auth: token\n    secret: secret://a", &["QC-P005"]),
    (INTEGRATION, "kind: json", "kind: cloudevents", &["QC-P005"]),
    (INTEGRATION, "    contract: contracts/alert.schema.json\n", "", &["QC-P023"]),
    (
        INTEGRATION,
        "    contract: contracts/alert.schema.json\n",
        "    contract: contracts/alerts.schema.json\n",
        &["QC-P008"],
    ),
    (INTEGRATION, "level: internal", "levle: internal", &["QC-P029"]),
    (
        INTEGRATION,
        "scenario: acceptance/answer-lost.yaml",
        "scenario: acceptance/gone.yaml",
        &["QC-P008"],
    ),
    (INTEGRATION, "    scenario: acceptance/answer-lost.yaml\n", "", &["QC-P028"]),
    (INTEGRATION, "id: answer-lost", "id: chat-unavailable", &["QC-P031"]),
    (INTEGRATION, "    matches: {system: chat, codes: [QC-R002]}\n", "", &["QC-P063"]),
    (INTEGRATION, "{system: chat, codes: [QC-R002]}", "{system: chatt}", &["QC-P062"]),
    (INTEGRATION, "codes: [QC-R002]", "classes: [offline]", &["QC-Q015"]),
    (INTEGRATION, "codes: [QC-R002]", "codes: [R002]", &["QC-Q015"]),
    (
        INTEGRATION,
        "    system: chat\n",
        "    system: chat\n    matches: {classes: [auth]}\n",
        &["QC-P030"],
    ),
    (
        INTEGRATION,
        "codes: [QC-R002]}\n    escalation: [{to: operations, after: 30m}]\n",
        "codes: [QC-R002]}\n",
        &["QC-P007"],
    ),
    (INTEGRATION, "owners:", "tasks: {tel: {effect: once}}\nowners:", &["QC-P019"]),
    (INTEGRATION, "owners:", "tasks: {tell: {policy: careful}}\nowners:", &["QC-P020"]),
    (INTEGRATION, "owners:", "policies: {careful: {timeout: 5s}}\nowners:", &["QC-P020"]),
    (INTEGRATION, "owners:", "tasks: {tell: {effect: keyed}}\nowners:", &["QC-P033"]),
    (INTEGRATION, "owners:", "secrets: {key: secret://a}\nowners:", &["QC-P025"]),
    (INTEGRATION, "owners:", "nfr: {latency: {p50: 5s, p95: 1s}}\nowners:", &["QC-P030"]),
    (INTEGRATION, "owners:", "nfr: {throughput: {average: 5/s, peak: 1/s}}\nowners:", &["QC-P030"]),
    (INTEGRATION, "owners:", "nfr: {latency: {deadline: 23h}}\nowners:", &["QC-P030"]),
    (
        INTEGRATION,
        "owners:",
        "nfr: {latency: {deadline: 24h}}\ntasks: {tell: {spread: 12h}}\nowners:",
        &[],
    ),
    (
        INTEGRATION,
        "owners:",
        "nfr: {latency: {deadline: 24h}}\ntasks: {tell: {spread: 13h}}\nowners:",
        &["QC-P030"],
    ),
    (
        INTEGRATION,
        "owners:",
        "limits: [{name: a, scope: tenant, protects: x, on_excess: reject}]\nowners:",
        &["QC-Q013"],
    ),
    (
        INTEGRATION,
        "owners:",
        "limits: [{name: a, scope: tenant, rate: 5/s, protects: x, on_excess: reject}]\nowners:",
        &[],
    ),
    (
        INTEGRATION,
        "owners:",
        "limits: [{name: a, scope: trigger, concurrency: 5, protects: x, on_excess: reject}]\nowners:",
        &[],
    ),
    (
        INTEGRATION,
        "owners:",
        "limits: [{name: a, scope: tenant, rate: 5/s, protects: x, on_excess: queue}]\nowners:",
        &["QC-P101"],
    ),
    (
        INTEGRATION,
        "owners:",
        "limits: [{name: a, scope: tenant, rate: 5/s, protects: x, on_excess: degrade}]\nowners:",
        &["QC-Q015"],
    ),
    (
        INTEGRATION,
        "owners:",
        "limits: [{name: a, scope: tenant, rate: 2000000/s, protects: x, on_excess: reject}]\nowners:",
        &["QC-P100"],
    ),
    (
        INTEGRATION,
        "owners:",
        "limits: [{name: a, scope: tenant, rate: 1/d, burst: 500, protects: x, on_excess: reject}]\nowners:",
        &["QC-P100"],
    ),
    (
        INTEGRATION,
        "owners:",
        "limits: [{name: a, scope: token, concurrency: 5, protects: x, on_excess: reject}]\nowners:",
        &["QC-P100"],
    ),
    (
        INTEGRATION,
        "owners:",
        "limits: [{name: a, scope: tenant, burst: 5, concurrency: 5, protects: x, on_excess: reject}]\nowners:",
        &["QC-Q013"],
    ),
    (
        INTEGRATION,
        "owners:",
        "limits: [{name: a, scope: tenant, rate: 5/s, concurrency: 5, protects: x, on_excess: reject}]\nowners:",
        &["QC-Q015"],
    ),
    (INTEGRATION, "owners:", "review: {every: 90d, by: you}\nowners:", &["QC-P007"]),
    (INTEGRATION, "purpose:", "porpose:", &["QC-Q012", "QC-Q013"]),
    // A second trigger, of time: W001 is what is not built yet.
    (
        INTEGRATION,
        "failure_modes:",
        "  nightly: {kind: schedule, cron: 0 6 * * *, time_zone: Europe/Berlin, overlap: queue, catch_up: {all: 3}, jitter: 5m, tenant: default, input: .data}\nfailure_modes:",
        &[],
    ),
    (
        INTEGRATION,
        "failure_modes:",
        "  nightly: {kind: schedule, every: 1h, catch_up: none, tenant: default}\nfailure_modes:",
        &[],
    ),
    (
        INTEGRATION,
        "failure_modes:",
        "  nightly: {kind: schedule, cron: 0 6 * *, tenant: default}\nfailure_modes:",
        &["QC-W024"],
    ),
    (
        INTEGRATION,
        "failure_modes:",
        "  nightly: {kind: schedule, cron: 0 6 * * *, time_zone: Europe/Atlantis, tenant: default}\nfailure_modes:",
        &["QC-W024"],
    ),
    (
        INTEGRATION,
        "failure_modes:",
        "  nightly: {kind: schedule, every: 1h, time_zone: UTC, tenant: default}\nfailure_modes:",
        &["QC-P030"],
    ),
    (
        INTEGRATION,
        "failure_modes:",
        "  nightly: {kind: schedule, every: 1h, cron: 0 6 * * *, tenant: default}\nfailure_modes:",
        &["QC-P030"],
    ),
    (
        INTEGRATION,
        "failure_modes:",
        "  nightly: {kind: schedule, every: 10ms, tenant: default}\nfailure_modes:",
        &["QC-W024"],
    ),
    (
        INTEGRATION,
        "failure_modes:",
        "  nightly: {kind: schedule, tenant: default}\nfailure_modes:",
        &["QC-P030"],
    ),
    (
        INTEGRATION,
        "failure_modes:",
        "  nightly: {kind: schedule, every: 1h, tenant: {from: .data.tenant}}\nfailure_modes:",
        &["QC-P030"],
    ),
    (
        INTEGRATION,
        "failure_modes:",
        "  nightly: {kind: schedule, every: 1h, tenant: default, auth: token}\nfailure_modes:",
        &["QC-P005"],
    ),
    (
        INTEGRATION,
        "failure_modes:",
        "  nightly: {kind: schedule, every: 1h, overlap: never, tenant: default}\nfailure_modes:",
        &["QC-Q015"],
    ),
    (INTEGRATION, "kind: json", "kind: json\n    overlap: skip", &["QC-P005"]),
    (INTEGRATION, "kind: json", "kind: json\n    filter: .data.a", &["QC-P005"]),
    (INTEGRATION, "kind: json", "kind: json\n    does: both", &[]),
    (INTEGRATION, "kind: json", "kind: json\n    does: publish", &["QC-P005"]),
    (INTEGRATION, "    tenant: default\n", "", &["QC-Q013"]),
    (
        INTEGRATION,
        "failure_modes:",
        "  told: {kind: event, types: [a], filter: .data.a, max_rate: 5/s, from: beginning, contract: contracts/alert.schema.json}\nfailure_modes:",
        &[],
    ),
    (
        INTEGRATION,
        "failure_modes:",
        "  told: {kind: event, types: [a], tenant: default, contract: contracts/alert.schema.json, auth: token}\nfailure_modes:",
        &["QC-P005"],
    ),
    (
        INTEGRATION,
        "failure_modes:",
        "  told: {kind: event, contract: contracts/alert.schema.json}\nfailure_modes:",
        &["QC-Q013"],
    ),
    (
        INTEGRATION,
        "failure_modes:",
        "  told: {kind: event, types: [a], tenant: {from: .data.a}, contract: contracts/alert.schema.json}\nfailure_modes:",
        &["QC-P030"],
    ),
    (
        INTEGRATION,
        "failure_modes:",
        "  told: {kind: event, types: [a], filter: '.data | ', contract: contracts/alert.schema.json}\nfailure_modes:",
        &["QC-P021"],
    ),
    (INTEGRATION, "    auth: token\n", "", &["QC-Q013"]),
    (INTEGRATION, "owners:", "compensation: {tel: {do: chat.getChannel}}\nowners:", &["QC-W025"]),
    (INTEGRATION, "owners:", "compensation: {tell: {do: chat.getChanel}}\nowners:", &["QC-W012"]),
    (INTEGRATION, "owners:", "compensation: {tell: {do: untell}}\nowners:", &["QC-W006"]),
    (
        INTEGRATION,
        "owners:",
        "compensation: {tell: {do: chat.getChannel, with: {channel: '${ | }'}}}\nowners:",
        &["QC-E001"],
    ),
    (
        INTEGRATION,
        "owners:",
        "compensation: {tell: {do: chat.getChannel, with: text}}\nowners:",
        &["QC-Q014"],
    ),
    (WORKFLOW, "do:\n", "schedule: {every: {hours: 1}}\ndo:\n", &["QC-P030"]),
    (WORKFLOW, "do:\n", "do:\n  - hear: {listen: {to: {one: {with: {type: a}}}}}\n", &[]),
    (
        WORKFLOW,
        "do:\n",
        "do:\n  - other: {run: {workflow: {namespace: a, name: b}}}\n",
        &["QC-P037"],
    ),
    (WORKFLOW, "metadata.vars.channel", "metadata.vars.chanel", &["QC-P009"]),
    (
        CONNECTOR,
        "retry: {delay: 500ms, backoff: exponential, max_delay: 30s, attempts: 6, duration: 15m}\n",
        "",
        &["QC-P018"],
    ),
    (CONNECTOR, "  production: ${vars.chat_url}\n", "", &["QC-P009"]),
    (CONNECTOR, "${vars.chat_url}", "${vars.chat_uri}", &["QC-P009"]),
    (CONNECTOR, "owner: operations", "owner: nobody", &["QC-P007"]),
    ("connectors/chat/simulator.yaml", "/channels/{channel}/messages", "/chanels", &["QC-T002"]),
    ("connectors/chat/simulator.yaml", "reference:", "refrence:", &["QC-Q012"]),
    (SCENARIO, "scenario: happy-path", "scenario: happy", &["QC-P010"]),
    (SCENARIO, "trigger: alert", "trigger: alarm", &["QC-T501"]),
    (SCENARIO, "alert.disk.json", "alert.disc.json", &["QC-T501"]),
    (SCENARIO, "requests: {postMessage: 1}", "requests: {postMesage: 1}", &["QC-T501"]),
    (SCENARIO, "    chat:\n", "    chatt:\n", &["QC-T501"]),
    (SCENARIO, "ends: completed", "ends: complete", &["QC-Q015"]),
];

#[test]
fn every_mistake_has_its_finding_and_no_other() {
    let mut wrong = Vec::new();
    for (path, from, to, expected) in MISTAKES {
        let found = codes(changed(path, from, to));
        let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
        let wanted: BTreeSet<&str> = expected.iter().copied().collect();
        if found != wanted {
            wrong.push(format!("{path}: `{from}` → `{to}`: {found:?}, not {wanted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_undoes_a_task_can_be_said() {
    let said = "compensation: {tell: {do: chat.getChannel, with: {channel: '${ .output.channel }'}}}\nowners:";
    assert_eq!(codes(changed(INTEGRATION, "owners:", said)), Vec::<String>::new());
}

#[test]
fn what_becomes_of_those_behind_a_failed_run_is_a_word() {
    let rule = |word: &str| format!("ordering: {{key: .data.host, on_failure: {word}}}\nowners:");
    assert_eq!(codes(changed(INTEGRATION, "owners:", &rule("skip"))), Vec::<String>::new());
    assert_eq!(codes(changed(INTEGRATION, "owners:", &rule("park"))), Vec::<String>::new());
    assert_eq!(codes(changed(INTEGRATION, "owners:", &rule("wait"))), ["QC-Q015"]);
}

#[test]
fn several_mistakes_are_all_found_at_once() {
    let mut files = init(Template::Notify);
    for (path, from, to, _) in MISTAKES.iter().filter(|(path, ..)| *path == INTEGRATION).take(4) {
        let text = files.text(path).unwrap_or_default().replacen(from, to, 1);
        files.insert(*path, text);
    }
    files.insert("quickconnect.yaml", "organisation: [unclosed");
    files.insert(SCENARIO, "scenario: {");
    let found = codes(files);
    for code in ["QC-P010", "QC-Q001", "QC-Q015"] {
        assert!(found.iter().any(|known| known == code), "{code} in {found:?}");
    }
}

#[test]
fn a_workflow_that_does_not_compile_hides_no_other_mistake() {
    let mut files = changed(WORKFLOW, "chat.postMessage", "chat.postMesage");
    let text = files.text(INTEGRATION).unwrap_or_default().replace("tasks: [tell]", "tasks: [tel]");
    files.insert(INTEGRATION, text);
    assert_eq!(codes(files), ["QC-P011", "QC-W012"]);
}

#[test]
fn a_side_effect_needs_its_class() {
    let without = changed(
        CONNECTOR,
        "    effect:\n      class: verify\n      verify:\n        operation: listMessages\n",
        "    x:\n",
    );
    let mut text = without.text(CONNECTOR).unwrap_or_default().to_owned();
    text.truncate(text.find("operations:").unwrap_or(text.len()));
    let mut files = without;
    files.insert(CONNECTOR, text);
    assert_eq!(codes(files.clone()), ["QC-P016"]);
    // Declared by a policy that the task takes by name.
    let named = files.text(INTEGRATION).unwrap_or_default().replace(
        "owners:",
        "policies: {careful: {effect: once}}\ntasks: {tell: {policy: careful}}\nowners:",
    );
    files.insert(INTEGRATION, named);
    assert_eq!(codes(files), Vec::<String>::new());
}

#[test]
fn a_call_to_an_undeclared_host_is_found() {
    let call =
        "      call: http\n      with: {method: get, endpoint: \"https://elsewhere.example/x\"}\n";
    let files = changed(WORKFLOW, "do:\n", &format!("do:\n  - look:\n{call}"));
    let found: BTreeSet<String> = codes(files.clone()).into_iter().collect();
    assert_eq!(found, BTreeSet::from(["QC-P012".to_owned(), "QC-P013".to_owned()]));
    let mut files = files;
    let text = files.text(INTEGRATION).unwrap_or_default();
    let text = text.replace("tasks: [tell]", "tasks: [tell, look]").replace(
        "systems:\n",
        "systems:\n  elsewhere: {direction: outbound, criticality: low, owner: me, on_unavailable: fail, hosts: [elsewhere.example]}\n",
    );
    files.insert(INTEGRATION, text);
    assert_eq!(codes(files), Vec::<String>::new());
}

#[test]
fn examples_are_held_to_their_contract() {
    let valid = "integrations/notify/contracts/examples/valid/alert.disk.json";
    let invalid = "integrations/notify/contracts/examples/invalid/alert.level.json";
    assert_eq!(codes(changed(valid, "warning", "loud")), ["QC-P022"]);
    assert_eq!(codes(changed(invalid, "loud", "warning")), ["QC-P022"]);
    // Text that cannot be parsed is a good example of what is invalid.
    assert_eq!(codes(changed(invalid, "{", "{{")), Vec::<String>::new());
}

#[test]
fn files_that_nothing_reads_are_named() {
    let mut files = init(Template::Notify);
    files.insert("integrations/notify/acceptence/more.yaml", "a: 1\n");
    files.insert("integrations/notify/workflow.yml", "a: 1\n");
    files.insert("integrations/stray.yaml", "a: 1\n");
    files.insert("Makefile", "all:\n");
    let findings = Project::load(files).check();
    let named: Vec<&str> = findings
        .iter()
        .filter(|f| f.code == crate::codes::UNREAD_FILE)
        .map(|f| f.message.as_str())
        .collect();
    assert_eq!(named.len(), 3, "{named:?}");
    let help: Vec<&str> = findings.iter().filter_map(|f| f.help.as_deref()).collect();
    assert!(help.contains(&"did you mean `acceptance/`?"), "{help:?}");
}

#[test]
fn what_has_its_place_and_is_not_read_yet_is_noted_once_each() {
    let notes = |files: ProjectFiles| -> Vec<String> {
        let findings = Project::load(files).check();
        let notes = findings.iter().filter(|f| f.message.contains("nothing reads"));
        notes.map(|f| format!("{} {}: {}", f.severity, f.code, f.message)).collect()
    };
    assert_eq!(notes(init(Template::Notify)), Vec::<String>::new());
    let mut files = init(Template::Notify);
    for path in [
        "flags.yaml",
        "slo/latency.yaml",
        "integrations/notify/migrations/2.0.0.md",
        // Names that only begin like them are somebody else's.
        "flags.yaml.example",
        "slow/notes.md",
    ] {
        files.insert(path, "a: 1\n");
    }
    let notes = notes(files);
    assert_eq!(notes.len(), 3, "{notes:#?}");
    for name in ["flags.yaml", "slo/", "integrations/notify/migrations/"] {
        let expected = format!("note QC-P026: nothing reads `{name}` yet");
        assert!(notes.iter().any(|note| note.starts_with(&expected)), "{expected}: {notes:#?}");
    }
}

/// A trigger for CloudEvents takes the handshake of senders that ask first, as a webhook does; one for plain JSON does not.
#[test]
fn a_handshake_is_read_where_it_has_a_meaning() {
    use qc_engine::TriggerKind;
    let with = |kind: &str, challenge: &str| {
        let to = format!("{kind}\n    challenge: {challenge}");
        changed(INTEGRATION, "kind: json\n    event_type: com.example.alert", &to)
    };
    let origins = "{kind: cloudevents, origins: [shop.example]}";
    let files = with("kind: cloudevents", origins);
    assert_eq!(codes(files.clone()), Vec::<String>::new());
    let bundle = crate::compile::build(&Project::load(files), "notify").unwrap();
    let release = crate::compile::release(&bundle.effective()).unwrap();
    let deployment = release.deployment(&"sandbox".parse().unwrap()).unwrap();
    let trigger = deployment.release.triggers.values().next().unwrap();
    let TriggerKind::CloudEvents { challenge: Some(challenge), .. } = &trigger.kind else {
        panic!("{trigger:?}")
    };
    assert_eq!(format!("{:?}", challenge.kind), r#"CloudEvents { origins: ["shop.example"] }"#);
    let json = "kind: json\n    event_type: com.example.alert";
    assert_eq!(codes(with(json, "cloudevents")), ["QC-P005"]);
    assert_eq!(codes(with("kind: cloudevents", "cloudevent")), ["QC-Q015"]);
    assert_eq!(codes(with("kind: cloudevents", "{kind: cloudevents, origin: x}")), ["QC-Q012"]);
}

#[test]
fn without_side_effects_a_missing_key_is_a_warning() {
    let mut files = changed(
        INTEGRATION,
        "idempotency: {key: .data.alert_id, window: 72h}",
        "expected_rate: 5/s",
    );
    let read = "      call: chat.getChannel\n      with: {channel: operations}\n";
    let text = files.text(WORKFLOW).unwrap_or_default();
    let text = format!("{}  - tell:\n{read}", &text[..text.find("  - tell:").unwrap_or_default()]);
    files.insert(WORKFLOW, text);
    assert_eq!(codes(files), ["QC-P034"]);
}

#[test]
fn an_empty_folder_is_no_project() {
    assert_eq!(codes(ProjectFiles::default()), ["QC-P001"]);
}

/// The table of what is not enforced yet speaks of keys that exist.
#[test]
fn the_table_of_what_is_not_enforced_is_about_real_keys() {
    use super::{NOT_ENFORCED_YET, enforcement::FileKind};
    for entry in NOT_ENFORCED_YET {
        let kind = match entry.file {
            FileKind::Organisation => crate::schema::Kind::Organisation,
            FileKind::Integration => crate::schema::Kind::Integration,
        };
        let schema = crate::schema::schema(kind);
        let mut at = &schema;
        for key in entry.path {
            at = resolve(&schema, at);
            at = match *key {
                "*" => at.get("additionalProperties").or_else(|| at.get("items")),
                key => at.get("properties").and_then(|properties| properties.get(key)),
            }
            .unwrap_or_else(|| panic!("{:?} does not exist", entry.path));
        }
    }
}

fn resolve<'a>(root: &'a serde_json::Value, node: &'a serde_json::Value) -> &'a serde_json::Value {
    let reference = node.get("$ref").and_then(serde_json::Value::as_str);
    reference.and_then(|reference| root.pointer(reference.trim_start_matches('#'))).unwrap_or(node)
}

/// What is wrong with what undoes a task is shown where that is written.
#[test]
fn findings_about_compensation_stand_in_the_integration() {
    let from = "owners:";
    for (with, line) in [
        ("compensation:\n  tel: {do: chat.getChannel}\nowners:", "  tel:"),
        (
            "compensation:\n  tell:\n    do: chat.getChannel\n    with: {channel: '${ .a( }'}\nowners:",
            "    with:",
        ),
    ] {
        let files = changed(INTEGRATION, from, with);
        let text = files.text(INTEGRATION).unwrap_or_default().to_owned();
        let findings = Project::load(files).check();
        let found = findings.iter().find(|f| !["QC-W001", "QC-P026"].contains(&f.code.as_str()));
        let place = found.and_then(|finding| finding.place.clone()).expect("it has a place");
        assert_eq!(&*place.file, INTEGRATION);
        let said = text.lines().nth(place.line - 1).unwrap_or_default();
        assert!(said.starts_with(line), "{said}");
    }
}

#[test]
fn a_credential_in_any_file_is_found_and_not_shown() {
    // Made here, so that no file of this project holds what looks like one.
    let credential = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9".repeat(2));
    let with = |path: &str, text: String| {
        let mut files = init(Template::Notify);
        let before = files.text(path).unwrap_or_default().to_owned();
        files.insert(path, before + &text);
        files
    };
    for (path, text) in [
        (SCENARIO, format!("# {credential}\n")),
        (INTEGRATION, format!("# token of the bot: {credential}\n")),
        ("integrations/notify/CHANGELOG.md", format!("uses {credential}\n")),
    ] {
        let files = with(path, text);
        let findings = Project::load(files.clone()).check();
        let found: Vec<_> =
            findings.iter().filter(|finding| finding.code == crate::codes::LEAKED).collect();
        let [leak] = found[..] else { panic!("{path}: {findings:#?}") };
        for format in crate::render::FORMAT_NAMES {
            let format = crate::render::Format::parse(format, false).unwrap();
            let shown = crate::render::render(format, &findings, &files);
            assert!(shown.contains("QC-V030") && !shown.contains(&credential[8..]), "{shown}");
        }
        let help = leak.help.as_deref().unwrap_or_default();
        let fingerprint = help.split('`').nth(3).unwrap();
        let mut said = files.clone();
        let organisation = said.text(crate::PROJECT_FILE).unwrap_or_default().to_owned();
        said.insert(
            crate::PROJECT_FILE,
            format!("{organisation}\nnot_secrets: ['{fingerprint}']\n"),
        );
        assert!(
            Project::load(said).check().iter().all(|finding| finding.code != crate::codes::LEAKED)
        );
    }
}

#[test]
fn examples_of_an_api_document_are_one_note() {
    let credential = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9".repeat(2));
    let text = format!(
        "{{\n  \"a\": \"{credential}\",\n  \"b\": \"{credential}\",\n  \"swagger\": \"2.0\"\n}}"
    );
    let files = crate::ProjectFiles::new([("a.json".to_owned(), text.into())]);
    let found = crate::check::leaks::find(&files, &BTreeSet::new());
    let [note] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((note.severity, note.place.as_ref().unwrap().line), (qc_model::Severity::Note, 2));
    assert!(note.message.starts_with("2 texts"), "{}", note.message);
}

#[test]
fn a_secret_that_is_written_out_is_not_shown_again() {
    let files = changed(
        "connectors/chat/connector.yaml",
        "secret://chat/token",
        "the-very-secret-of-the-chat",
    );
    let findings = Project::load(files.clone()).check();
    let shown = crate::render::render(
        crate::render::Format::parse("human", false).unwrap(),
        &findings,
        &files,
    );
    assert!(shown.contains("QC-V002") && !shown.contains("the-very-secret"), "{shown}");
}
