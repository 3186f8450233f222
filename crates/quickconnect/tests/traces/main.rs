//! Traces of the real program, as a collector receives them: they fit the sender's trace on one side and what the called
//! systems were given on the other.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../stage/mod.rs"]
mod stage;

mod collector;

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use crate::{
    collector::{Collector, attribute},
    stage::{
        http::{Line, Reply},
        project::replace,
        sender::event_of,
        signing::signed,
        story::Story,
    },
};

const TRIGGER: &str = "/in/sandbox/customer-escalation/case-escalated";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
/// How long a graceful end may take on a busy machine.
const ENDING: Duration = Duration::from_secs(30);

/// Sends an event, waits for its run's end, and says what came back.
async fn deliver(story: &Story, number: usize, body: Bytes, traceparent: Option<&str>) -> Reply {
    let mut headers = vec![
        ("content-type", "application/cloudevents+json".to_owned()),
        ("prefer", "wait=30".to_owned()),
    ];
    headers.extend(signed(&format!("msg_{number}"), &body));
    headers.extend(traceparent.map(|text| ("traceparent", text.to_owned())));
    let mut line = Line::to(story.server.port);
    line.send(Method::POST, TRIGGER, &headers, body).await.unwrap()
}

/// Ends the server, which hands over its last spans.
async fn end(story: &mut Story) {
    story.server.terminate();
    let status = story.server.ended(ENDING).await;
    assert_eq!(status.code(), Some(0), "{}", story.server.log_end());
}

/// The `traceparent`s that the three systems received.
fn received(story: &Story) -> Vec<String> {
    let seen = story.systems.seen();
    let all = seen.tracker.iter().chain(&seen.crm).chain(&seen.chat);
    all.flat_map(|entry| &entry.headers)
        .filter(|(name, _)| name == "traceparent")
        .map(|(_, value)| value.clone())
        .collect()
}

/// Whether a span is that of a run.
fn is_run(span: &Value) -> bool {
    span["kind"] == 5
}

/// Splits spans into the one of the run and those of its calls.
fn one_run(spans: Vec<Value>) -> (Value, Vec<Value>) {
    let (mut runs, calls): (Vec<_>, Vec<_>) = spans.into_iter().partition(is_run);
    assert_eq!(runs.len(), 1, "{runs:#?}");
    (runs.remove(0), calls)
}

async fn traced() -> (Story, Collector) {
    let collector = Collector::start().await;
    let mut story = Story::set(11, false).await;
    story.server.set("QC_OTLP_ENDPOINT", &collector.endpoint());
    story.deploy().await;
    (story, collector)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_stands_between_its_sender_s_span_and_those_of_the_called_systems() {
    let (mut story, collector) = traced().await;
    let sender = format!("00-{TRACE}-{PARENT}-01");
    let reply = deliver(&story, 1, event_of(1), Some(&sender)).await;
    assert_eq!(reply.status, 200, "{}", reply.shown());
    end(&mut story).await;
    let (run, calls) = one_run(collector.spans());
    assert_eq!(run["traceId"], TRACE);
    assert_eq!(run["parentSpanId"], PARENT);
    assert_eq!(run["name"], "customer-escalation");
    assert_eq!(attribute(&run, "quickconnect.environment"), "sandbox");
    assert_eq!(attribute(&run, "quickconnect.outcome"), "completed");
    assert_eq!(run["status"], Value::Null);
    let tasks: BTreeSet<&str> =
        calls.iter().map(|call| attribute(call, "quickconnect.task").as_str().unwrap()).collect();
    assert_eq!(tasks, BTreeSet::from(["createTicket", "notifyTeam", "syncCustomer"]));
    let mut given = BTreeSet::new();
    for call in &calls {
        assert_eq!(call["traceId"], TRACE);
        assert_eq!(call["parentSpanId"], run["spanId"], "{call:#}");
        assert_eq!(attribute(call, "quickconnect.run"), attribute(&run, "quickconnect.run"));
        let within = |key: &str| call[key].as_str() >= run["startTimeUnixNano"].as_str();
        assert!(
            within("startTimeUnixNano")
                && call["endTimeUnixNano"].as_str() <= run["endTimeUnixNano"].as_str()
        );
        given.insert(format!("00-{TRACE}-{}-01", call["spanId"].as_str().unwrap()));
    }
    assert_eq!(given.len(), calls.len());
    assert_eq!(given, received(&story).into_iter().collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_of_its_own_trace_that_fails_says_so_in_its_spans() {
    let collector = Collector::start().await;
    let mut story = Story::set(13, false).await;
    story.server.set("QC_OTLP_ENDPOINT", &collector.endpoint());
    // The customer database is looked for where it is not: it answers 404, for good.
    let crm = &story.systems.addresses()[1].1;
    let project = story.server.folder.join("project/quickconnect.yaml");
    replace(&project, crm, &format!("{crm}/nowhere"));
    story.deploy().await;
    let reply = deliver(&story, 2, event_of(2), None).await;
    assert!(reply.status >= 400, "{}", reply.shown());
    end(&mut story).await;
    let (run, calls) = one_run(collector.spans());
    let id: qc_model::RunId =
        attribute(&run, "quickconnect.run").as_str().unwrap().parse().unwrap();
    assert_eq!(run["traceId"], format!("{:032x}", id.bits()));
    assert_eq!(run["parentSpanId"], Value::Null);
    assert_eq!(attribute(&run, "quickconnect.outcome"), "faulted");
    assert_eq!(run["status"]["code"], 2);
    let failed: Vec<&Value> = calls.iter().filter(|call| call["status"]["code"] == 2).collect();
    let [failed] = failed[..] else { panic!("{calls:#?}") };
    assert_eq!(attribute(failed, "quickconnect.connector"), "crm");
    assert_eq!(attribute(failed, "http.response.status_code"), "404");
    assert_eq!(attribute(failed, "error.type"), "404");
    assert_eq!(
        attribute(failed, "quickconnect.failure.code"),
        attribute(&run, "quickconnect.failure.code")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_trace_that_its_sender_does_not_sample_is_handed_on_so_and_not_exported() {
    let (mut story, collector) = traced().await;
    let sender = format!("00-{TRACE}-{PARENT}-00");
    let reply = deliver(&story, 3, event_of(3), Some(&sender)).await;
    assert_eq!(reply.status, 200, "{}", reply.shown());
    end(&mut story).await;
    assert_eq!(collector.spans(), Vec::<Value>::new());
    let received = received(&story);
    assert!(received.len() >= 3, "{received:?}");
    for text in received {
        assert!(text.starts_with(&format!("00-{TRACE}-")) && text.ends_with("-00"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_collector_that_is_not_there_stops_no_run_and_is_complained_about() {
    let mut story = Story::set(12, false).await;
    let port = stage::port::Port::reserve();
    let nobody = format!("http://127.0.0.1:{}", port.number);
    story.server.set("QC_OTLP_ENDPOINT", &nobody);
    story.deploy().await;
    let reply = deliver(&story, 4, event_of(4), None).await;
    assert_eq!(reply.status, 200, "{}", reply.shown());
    end(&mut story).await;
    let log = std::fs::read_to_string(story.server.log_file()).unwrap();
    assert!(log.contains("QC-K015"), "{log}");
}
