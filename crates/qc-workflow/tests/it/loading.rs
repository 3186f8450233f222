//! What the loader says about files that are wrong.

use qc_model::Severity;

use crate::driver::{errors_of, findings_of};

#[test]
fn all_problems_are_reported_at_once_with_their_places() {
    let body = "
shedule: { cron: '0 0 * * *' }
do:
  - a: { cal: http }
  - b: { set: { x: 1 }, thn: a }
  - c: { wait: 30s }
  - c: { raise: { error: { type: x } } }
  - [ d ]
  - e: { set: { x: 1 }, call: http }
  - f: { listen: { to: { one: { with: { Type: x } } } } }
";
    let findings = findings_of(body);
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "QC-Q012", "QC-W002", "QC-Q012", "QC-Q012", "QC-W011", "QC-W004", "QC-Q013", "QC-W003",
            "QC-W002", "QC-W023"
        ],
        "{}",
        crate::driver::shown(&findings)
    );
    assert!(findings.iter().all(|finding| finding.place.is_some()));
    assert_eq!(findings[0].help.as_deref(), Some("did you mean `schedule`?"));
}

#[test]
fn literal_secrets_are_refused_and_secrets_from_data_warned_of() {
    let call = |authentication: &str| {
        format!(
            "\nuse: {{ secrets: [s] }}\ndo:\n  - a: {{ call: http, with: {{ method: get, endpoint: {{ uri: 'https://x.example', authentication: {authentication} }} }} }}\n"
        )
    };
    for literal in [
        "{ bearer: { token: abc } }",
        "{ basic: { username: me, password: hunter2 } }",
        "{ oauth2: { authority: 'https://l.example', grant: client_credentials, client: { id: a, secret: b } } }",
    ] {
        assert_eq!(errors_of(&call(literal)), ["QC-W007"], "{literal}");
    }
    let findings = findings_of(&call("{ bearer: { token: '${ .token }' } }"));
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].code.as_str(), findings[0].severity), ("QC-W008", Severity::Warning));
    assert_eq!(findings_of(&call("{ bearer: { token: '${ $secrets.s }' } }")), []);
    assert_eq!(errors_of(&call("{ bearer: { token: '${ $secrets.t }' } }")), ["QC-W013"]);
    assert_eq!(errors_of(&call("{ bearer: { use: t } }")), ["QC-W013"]);
}

#[test]
fn features_outside_the_profile_are_named() {
    for (body, feature) in [
        (
            "\nschedule: { on: { any: [], until: '.' } }\ndo:\n  - a: { set: { x: 1 } }\n",
            "`schedule.on.until`",
        ),
        (
            "\ndo:\n  - a: { run: { workflow: { namespace: n, name: w }, return: all } }\n",
            "`run.return`",
        ),
        ("\nevaluate: { mode: loose }\ndo:\n  - a: { set: { x: 1 } }\n", "`evaluate.mode: loose`"),
        ("\nuse: { catalogs: {} }\ndo:\n  - a: { set: { x: 1 } }\n", "`use.catalogs`"),
        ("\ndo:\n  - a: { call: 'log:1.0.0@default' }\n", "`call: a function of a catalog`"),
        ("\ndo:\n  - a: { run: { shell: { command: ls } } }\n", "`run: shell`"),
        (
            "\ninput: { schema: { resource: { endpoint: x } } }\ndo:\n  - a: { set: { x: 1 } }\n",
            "`schema.resource`",
        ),
        (
            "\ndo:\n  - a: { call: http, with: { method: get, endpoint: { uri: 'https://x', authentication: { digest: { use: s } } } } }\n",
            "`digest authentication`",
        ),
    ] {
        let findings = findings_of(body);
        assert!(
            findings.iter().any(|f| f.code.as_str() == "QC-W001" && f.message.contains(feature)),
            "{feature}: {}",
            crate::driver::shown(&findings)
        );
    }
}

#[test]
fn what_is_wrong_with_events_schedules_and_children_is_named() {
    let listen = |to: &str| format!("\ndo:\n  - a: {{ listen: {{ to: {to} }} }}\n");
    let schedule = |when: &str| format!("\nschedule: {when}\ndo:\n  - a: {{ set: {{ x: 1 }} }}\n");
    let run = |what: &str| format!("\ndo:\n  - a: {{ run: {{ workflow: {what} }} }}\n");
    for (body, code, said) in [
        (listen("{ all: [] }"), "QC-W023", "`all` has no filter"),
        (listen("{ one: { with: {} } }"), "QC-W023", "names no property"),
        (
            listen("{ one: { with: { dataSchema: x } } }"),
            "QC-W023",
            "`dataSchema` cannot be the name",
        ),
        (listen("{ one: { with: { type: x } }, until: '.' }"), "QC-W023", "`until` has no meaning"),
        (listen("{ any: [], until: { any: [], until: '.' } }"), "QC-W001", "`until within until`"),
        (listen("{ one: { with: { type: 'a(' } } }"), "QC-W023", "no regular expression"),
        (listen("{ one: { with: { type: 'a ${ .b }' } } }"), "QC-W023", "more than that"),
        (listen("{ one: { with: { data: { x: [ '${ .b }' ] } } } }"), "QC-W023", "within a list"),
        (
            listen("{ one: { with: { type: x }, correlate: { k: { from: $input.a } } } }"),
            "QC-E002",
            "$input",
        ),
        (listen("{ one: { with: { type: x }, correlate: { k: {} } } }"), "QC-Q013", "needs `from`"),
        (listen("{ one: { with: { type: x } }, all: [] }"), "QC-Q016", "`all`"),
        (schedule("{}"), "QC-Q013", "needs one of"),
        (schedule("{ cron: '0 0 31 2 *' }"), "QC-W024", "never comes true"),
        (schedule("{ every: PT0.5S }"), "QC-W024", "shorter than a second"),
        (schedule("{ every: PT1H, read: raw }"), "QC-W024", "`read` has no meaning"),
        (schedule("{ on: { one: { with: { data: '${ $context.a }' } } } }"), "QC-E002", "$context"),
        (run("{ namespace: n, name: 'no label' }"), "QC-W009", "no label"),
        (run("{ namespace: n, name: w, version: 1.x }"), "QC-W009", "no semantic version"),
        (run("{ namespace: n, name: w, input: { a: '${ | }' } }"), "QC-E0", "|"),
    ] {
        let findings = findings_of(&body);
        assert!(
            findings.iter().any(|f| f.code.as_str().starts_with(code) && f.message.contains(said)),
            "{body}: {code} {said}: {}",
            crate::driver::shown(&findings)
        );
        assert!(findings.iter().all(|finding| finding.place.is_some()), "{body}");
    }
}
