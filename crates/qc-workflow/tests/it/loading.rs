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
  - f: { listen: { to: { one: { with: { type: x } } } } }
";
    let findings = findings_of(body);
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "QC-Q012", "QC-W002", "QC-Q012", "QC-Q012", "QC-W011", "QC-W004", "QC-Q013", "QC-W003",
            "QC-W002", "QC-W001"
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
        ("\nschedule: { every: PT1H }\ndo:\n  - a: { set: { x: 1 } }\n", "`schedule`"),
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
