//! What the engine tells, as spans in the words of OTLP and of OpenTelemetry's semantic conventions.

use qc_engine::{Failed, Happening, What, run_span};
use qc_model::Timestamp;
use serde::Serialize;

/// So many characters of an address or a reason are exported at most.
const TEXT_MAX: usize = 2_048;

const KIND_CLIENT: u8 = 3;
const KIND_CONSUMER: u8 = 5;
const STATUS_ERROR: u8 = 2;
/// Of a span's flags: sampled; known whether the parent is remote; the parent is remote.
const SAMPLED: u32 = 1;
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// A span, as OTLP's JSON has it: ids in hexadecimal, 64-bit numbers as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span {
    trace_id: String,
    #[serde(rename = "spanId")]
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    parent_span_id: String,
    flags: u32,
    name: String,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

/// A name and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Attribute {
    key: &'static str,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
enum Value {
    #[serde(rename = "stringValue")]
    Text(String),
    #[serde(rename = "intValue")]
    Number(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Status {
    code: u8,
    message: String,
}

impl Span {
    /// The span that ends with this happening, if one does and its trace is sampled.
    pub(super) fn of(happening: &Happening) -> Option<Self> {
        match &happening.what {
            What::Attempt { .. } => attempt(happening),
            What::Ended { .. } => run(happening),
            What::Accepted { .. }
            | What::Task { .. }
            | What::Parked { .. }
            | What::Person { .. } => None,
        }
    }
}

/// A run: from its acceptance to its end. Its parent is the sender's span.
fn run(happening: &Happening) -> Option<Span> {
    let What::Ended { status, failure, failed, environment, accepted_at, traceparent, parent } =
        &happening.what
    else {
        return None;
    };
    let own = Context::parse(traceparent).filter(|own| own.sampled)?;
    let sender = parent.as_deref().and_then(Context::parse);
    let remote = if sender.is_some() { IS_REMOTE } else { 0 };
    let mut attributes = about(happening, environment.as_str());
    attributes.push(text("quickconnect.outcome", status.as_str()));
    attributes.extend(failed.iter().flat_map(|f| of_failure(f, f.class.as_str().to_owned())));
    Some(Span {
        trace_id: own.trace.to_owned(),
        id: own.span.to_owned(),
        parent_span_id: sender.map(|sender| sender.span.to_owned()).unwrap_or_default(),
        flags: SAMPLED | HAS_IS_REMOTE | remote,
        name: happening.integration.to_string(),
        kind: KIND_CONSUMER,
        start_time_unix_nano: nanos(*accepted_at),
        end_time_unix_nano: nanos(happening.at.max(*accepted_at)),
        attributes,
        status: error(failed.as_ref(), failure.as_deref()),
    })
}

/// One attempt of a call. Its id is the one that the called system was given, its parent the run.
fn attempt(happening: &Happening) -> Option<Span> {
    let What::Attempt {
        task,
        attempt,
        request,
        status,
        millis,
        failure,
        failed,
        environment,
        connector,
        operation,
        started_at,
        traceparent,
    } = &happening.what
    else {
        return None;
    };
    let own = Context::parse(traceparent).filter(|own| own.sampled)?;
    let mut attributes = about(happening, environment.as_str());
    attributes.push(text("quickconnect.task", task));
    attributes.push(number("quickconnect.attempt", *attempt));
    attributes.extend(connector.iter().map(|name| text("quickconnect.connector", name)));
    attributes.extend(operation.iter().map(|name| text("quickconnect.operation", name)));
    let (method, address) = request.split_once(' ').unwrap_or_default();
    if !method.is_empty() {
        attributes.extend(of_request(method, address));
    }
    attributes.extend(status.map(|status| number("http.response.status_code", status)));
    if *attempt > 1 {
        attributes.push(number("http.request.resend_count", attempt - 1));
    }
    if let Some(failed) = failed {
        let kind = match status {
            Some(status) if *status >= 400 => status.to_string(),
            _ => failed.class.as_str().to_owned(),
        };
        attributes.extend(of_failure(failed, kind));
    }
    let method = if method.is_empty() { "call" } else { method };
    Some(Span {
        trace_id: own.trace.to_owned(),
        id: own.span.to_owned(),
        parent_span_id: format!("{:016x}", run_span(happening.run)),
        flags: SAMPLED | HAS_IS_REMOTE,
        name: match (connector, operation) {
            (Some(connector), Some(operation)) => format!("{method} {connector}/{operation}"),
            _ => method.to_owned(),
        },
        kind: KIND_CLIENT,
        start_time_unix_nano: nanos(*started_at),
        end_time_unix_nano: nanos(*started_at + std::time::Duration::from_millis(*millis)),
        attributes,
        status: error(failed.as_ref(), failure.as_deref()),
    })
}

/// What all spans of a run say.
fn about(happening: &Happening, environment: &str) -> Vec<Attribute> {
    vec![
        text("quickconnect.run", &happening.run.to_string()),
        text("quickconnect.integration", happening.integration.as_str()),
        text("quickconnect.environment", environment),
    ]
}

fn of_request(method: &str, address: &str) -> Vec<Attribute> {
    let mut all = vec![text("http.request.method", method), text("url.full", address)];
    if let Ok(url) = url::Url::parse(address) {
        all.extend(url.host_str().map(|host| text("server.address", host)));
        all.extend(url.port_or_known_default().map(|port| number("server.port", port)));
    }
    all
}

fn of_failure(failed: &Failed, kind: String) -> [Attribute; 2] {
    [text("error.type", &kind), text("quickconnect.failure.code", failed.code.as_str())]
}

fn error(failed: Option<&Failed>, reason: Option<&str>) -> Option<Status> {
    failed.map(|_| Status { code: STATUS_ERROR, message: clipped(reason.unwrap_or_default()) })
}

pub(super) fn text(key: &'static str, value: &str) -> Attribute {
    Attribute { key, value: Value::Text(clipped(value)) }
}

fn number(key: &'static str, value: impl Into<u64>) -> Attribute {
    Attribute { key, value: Value::Number(value.into().to_string()) }
}

fn clipped(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

/// OTLP counts nanoseconds since 1970, without a sign.
fn nanos(at: Timestamp) -> String {
    (u128::try_from(at.as_millis()).unwrap_or(0) * 1_000_000).to_string()
}

/// The parts of a W3C `traceparent`.
struct Context<'t> {
    trace: &'t str,
    span: &'t str,
    sampled: bool,
}

impl<'t> Context<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let mut parts = text.split('-').skip(1);
        let trace = parts.next().filter(|id| id.len() == 32)?;
        let span = parts.next().filter(|id| id.len() == 16)?;
        let flags = u8::from_str_radix(parts.next()?, 16).ok()?;
        Some(Self { trace, span, sampled: flags & 1 == 1 })
    }
}

#[cfg(test)]
mod tests {
    use qc_model::{Class, Code, RunId};
    use qc_store::RunStatus;
    use serde_json::{Value as Json, json};

    use super::*;

    const OWN: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
    const SENDER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn happening(what: What) -> Happening {
        Happening {
            at: Timestamp::from_millis(1_763_000_002_500),
            run: RunId::from_bits(0x0193_5a5e_0000_7000_8000_0000_0000_0001),
            integration: "customer-escalation".parse().unwrap(),
            what,
        }
    }

    fn failed() -> Failed {
        Failed { class: Class::Timeout, code: Code::new("QC-N102") }
    }

    fn call(attempt: u32, status: Option<u16>, failed: Option<Failed>) -> What {
        What::Attempt {
            task: "createTicket".to_owned(),
            attempt,
            request: "POST https://tracker.example/issues?key=***".to_owned(),
            status,
            millis: 250,
            failure: failed.as_ref().map(|_| "no answer in time".to_owned()),
            failed,
            environment: "sandbox".parse().unwrap(),
            connector: Some("tracker".to_owned()),
            operation: Some("createIssue".to_owned()),
            started_at: Timestamp::from_millis(1_763_000_001_000),
            traceparent: OWN.to_owned(),
        }
    }

    fn end(failed: Option<Failed>, traceparent: &str, parent: Option<&str>) -> What {
        What::Ended {
            status: if failed.is_some() { RunStatus::Faulted } else { RunStatus::Completed },
            failure: failed.as_ref().map(|_| "no answer in time".to_owned()),
            failed,
            environment: "sandbox".parse().unwrap(),
            accepted_at: Timestamp::from_millis(1_763_000_000_000),
            traceparent: traceparent.to_owned(),
            parent: parent.map(str::to_owned),
        }
    }

    fn exported(what: What) -> Json {
        json!(Span::of(&happening(what)).unwrap())
    }

    fn attribute<'j>(span: &'j Json, key: &str) -> &'j Json {
        let all = span["attributes"].as_array().unwrap();
        all.iter().find(|one| one["key"] == key).map_or(&Json::Null, |one| &one["value"])
    }

    #[test]
    fn an_attempt_is_a_client_span_below_its_run() {
        let span = exported(call(1, Some(201), None));
        assert_eq!(span["traceId"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(span["spanId"], "00f067aa0ba902b7");
        let run = format!("{:016x}", run_span(happening(call(1, None, None)).run));
        assert_eq!(span["parentSpanId"], run);
        assert_eq!((&span["kind"], &span["flags"]), (&json!(3), &json!(0x101)));
        assert_eq!(span["name"], "POST tracker/createIssue");
        assert_eq!(span["startTimeUnixNano"], "1763000001000000000");
        assert_eq!(span["endTimeUnixNano"], "1763000001250000000");
        for (key, value) in [
            ("http.request.method", json!({"stringValue": "POST"})),
            ("url.full", json!({"stringValue": "https://tracker.example/issues?key=***"})),
            ("server.address", json!({"stringValue": "tracker.example"})),
            ("server.port", json!({"intValue": "443"})),
            ("http.response.status_code", json!({"intValue": "201"})),
            (
                "quickconnect.run",
                json!({"stringValue": happening(call(1, None, None)).run.to_string()}),
            ),
            ("quickconnect.integration", json!({"stringValue": "customer-escalation"})),
            ("quickconnect.environment", json!({"stringValue": "sandbox"})),
            ("quickconnect.task", json!({"stringValue": "createTicket"})),
            ("quickconnect.attempt", json!({"intValue": "1"})),
            ("quickconnect.connector", json!({"stringValue": "tracker"})),
            ("quickconnect.operation", json!({"stringValue": "createIssue"})),
            ("http.request.resend_count", Json::Null),
            ("error.type", Json::Null),
        ] {
            assert_eq!(attribute(&span, key), &value, "{key}");
        }
        assert_eq!(span["status"], Json::Null);
    }

    #[test]
    fn a_failed_attempt_says_why() {
        let silent = exported(call(2, None, Some(failed())));
        assert_eq!(silent["status"], json!({"code": 2, "message": "no answer in time"}));
        assert_eq!(attribute(&silent, "error.type"), &json!({"stringValue": "timeout"}));
        assert_eq!(attribute(&silent, "http.request.resend_count"), &json!({"intValue": "1"}));
        assert_eq!(attribute(&silent, "http.response.status_code"), &Json::Null);
        let refused = exported(call(1, Some(503), Some(failed())));
        assert_eq!(attribute(&refused, "error.type"), &json!({"stringValue": "503"}));
        // An answer that is well by its status and fails all the same, such as one with a wrong body.
        let drifted = exported(call(1, Some(200), Some(failed())));
        assert_eq!(attribute(&drifted, "error.type"), &json!({"stringValue": "timeout"}));
    }

    #[test]
    fn a_call_that_could_not_be_built_has_no_request() {
        let mut what = call(1, None, Some(failed()));
        if let What::Attempt { request, .. } = &mut what {
            *request = " ".to_owned();
        }
        let span = exported(what);
        assert_eq!(span["name"], "call tracker/createIssue");
        assert_eq!(attribute(&span, "http.request.method"), &Json::Null);
        assert_eq!(attribute(&span, "url.full"), &Json::Null);
    }

    #[test]
    fn a_run_is_below_its_sender_s_span_when_it_has_one() {
        let span = exported(end(None, OWN, Some(SENDER)));
        assert_eq!(
            (&span["spanId"], &span["parentSpanId"]),
            (&json!("00f067aa0ba902b7"), &json!("b7ad6b7169203331"))
        );
        assert_eq!((&span["kind"], &span["flags"]), (&json!(5), &json!(0x301)));
        assert_eq!(span["name"], "customer-escalation");
        assert_eq!(span["startTimeUnixNano"], "1763000000000000000");
        assert_eq!(span["endTimeUnixNano"], "1763000002500000000");
        assert_eq!(attribute(&span, "quickconnect.outcome"), &json!({"stringValue": "completed"}));
        assert_eq!(span["status"], Json::Null);
        let alone = exported(end(Some(failed()), OWN, None));
        assert_eq!((&alone["parentSpanId"], &alone["flags"]), (&Json::Null, &json!(0x101)));
        assert_eq!(alone["status"]["code"], 2);
        assert_eq!(
            attribute(&alone, "quickconnect.failure.code"),
            &json!({"stringValue": "QC-N102"})
        );
    }

    #[test]
    fn what_is_not_sampled_is_not_exported() {
        let unsampled = OWN.replace("-01", "-00");
        assert_eq!(Span::of(&happening(end(None, &unsampled, Some(SENDER)))), None);
        let mut what = call(1, None, None);
        if let What::Attempt { traceparent, .. } = &mut what {
            *traceparent = unsampled;
        }
        assert_eq!(Span::of(&happening(what)), None);
        assert_eq!(Span::of(&happening(What::Accepted { subject: None })), None);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_span_that_ends_before_it_began() {
        let mut early = happening(end(None, OWN, None));
        early.at = Timestamp::from_millis(5);
        let span = json!(Span::of(&early).unwrap());
        assert_eq!(span["startTimeUnixNano"], span["endTimeUnixNano"]);
    }
}
