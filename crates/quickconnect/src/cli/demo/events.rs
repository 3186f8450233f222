use serde_json::{Value, json};

/// One event of the story, and what goes wrong while it is handled.
pub(super) struct Scene {
    /// The case.
    pub(super) case: &'static str,
    /// What the audience is told beforehand.
    pub(super) title: &'static str,
    /// The system that misbehaves, and how, as the simulator's YAML.
    pub(super) fault: Option<(&'static str, &'static str)>,
    /// The event's data.
    pub(super) data: Value,
}

/// The story: five events of a customer database, one of them twice.
pub(super) fn scenes() -> Vec<Scene> {
    let northwind = json!({
        "id": "CUST-7", "name": "Northwind", "email": "ops@northwind.example", "tier": "gold",
    });
    let contoso = json!({
        "id": "CUST-8", "name": "Contoso", "email": "it@contoso.example", "tier": "standard",
    });
    let case = |id: &str, customer: &Value, severity: &str, summary: &str| {
        json!({
            "case_id": id,
            "customer": customer,
            "severity": severity,
            "summary": summary,
            "escalated_at": "2026-11-20T09:30:00Z",
        })
    };
    vec![
        Scene {
            case: "CASE-1042",
            title: "the tracker throttles: 429, and asks for a pause of a second",
            fault: Some((
                "tracker",
                "{when: {operation: createIssue}, then: {throttle: {retry_after: 1s}}, times: 1}",
            )),
            data: case("CASE-1042", &northwind, "high", "Checkout is down"),
        },
        Scene {
            case: "CASE-1043",
            title: "the crm is not available: 503",
            fault: Some((
                "crm",
                "{when: {operation: putCaseState}, then: {unavailable: {}}, times: 1}",
            )),
            data: case("CASE-1043", &contoso, "high", "Invoices are sent twice"),
        },
        Scene {
            case: "CASE-1044",
            title: "the tracker's access token expires mid-way: 401, a new token, and on it goes",
            fault: Some((
                "tracker",
                "{when: {operation: createIssue}, then: expire_token, times: 1}",
            )),
            data: case("CASE-1044", &northwind, "critical", "Orders cannot be exported"),
        },
        Scene {
            case: "CASE-1045",
            title: "the chat posts the message and breaks the connection: it is looked up, not posted again",
            fault: Some((
                "chat",
                "{when: {operation: postMessage}, then: drop_after_apply, times: 1}",
            )),
            data: case("CASE-1045", &contoso, "high", "Login takes a minute"),
        },
        Scene {
            case: "CASE-1042",
            title: "the first event comes again: it is recognised, and nothing is done twice",
            fault: None,
            data: case("CASE-1042", &northwind, "high", "Checkout is down"),
        },
    ]
}
