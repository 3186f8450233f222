//! The export against a collector that does as it is told, in virtual time.

use std::{collections::VecDeque, sync::Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use qc_engine::What;
use qc_model::{Body, CallError, CallErrorKind, OutboundRequest, OutboundResponse, RunId};
use qc_store::RunStatus;
use serde_json::Value;
use tokio::time::Instant;

use super::*;

/// What the collector does with a request.
enum Deed {
    Answer(u16, &'static str),
    AskForPause(&'static str),
    Break,
    Hang,
}

/// A collector: does its deeds one after the other, then takes everything.
#[derive(Default)]
struct Collector {
    deeds: Mutex<VecDeque<Deed>>,
    taken: Mutex<Vec<(String, Value)>>,
    asked: AtomicU64,
}

#[async_trait]
impl Caller for Collector {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        assert_eq!(request.headers["content-type"], "application/json");
        let deed = self.deeds.lock().unwrap().pop_front().unwrap_or(Deed::Answer(200, "{}"));
        let mut headers = HeaderMap::new();
        let (status, body) = match deed {
            Deed::Answer(status, body) => (status, body),
            Deed::AskForPause(seconds) => {
                headers.insert("retry-after", seconds.parse().unwrap());
                (503, "")
            }
            Deed::Break => {
                let message = "the connection broke off".to_owned();
                return Err(CallError { kind: CallErrorKind::Reset, sent: true, message });
            }
            Deed::Hang => std::future::pending().await,
        };
        if status == 200 {
            let bytes = request.body.collect(usize::MAX).await?;
            let body = serde_json::from_slice(&bytes).unwrap();
            self.taken.lock().unwrap().push((request.url, body));
        }
        let body = Body::Bytes(Bytes::from_static(body.as_bytes()));
        Ok(OutboundResponse { status: StatusCode::from_u16(status).unwrap(), headers, body })
    }
}

impl Collector {
    fn sizes(&self) -> Vec<usize> {
        let spans = |body: &Value| {
            body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().len()
        };
        self.taken.lock().unwrap().iter().map(|(_, body)| spans(body)).collect()
    }
}

struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
}

fn ended(number: u64) -> Happening {
    Happening {
        at: Timestamp::from_millis(10),
        run: RunId::from_bits(u128::from(number)),
        integration: "story".parse().unwrap(),
        what: What::Ended {
            status: RunStatus::Completed,
            failure: None,
            failed: None,
            environment: "sandbox".parse().unwrap(),
            accepted_at: Timestamp::from_millis(5),
            traceparent: format!("00-{number:032x}-{number:016x}-01"),
            parent: None,
        },
    }
}

/// An export of which the engine's part is played here.
fn stage(deeds: Vec<Deed>) -> (broadcast::Sender<Happening>, Arc<Collector>, Traces) {
    let engine = broadcast::Sender::new(32_768);
    let collector = Arc::new(Collector { deeds: Mutex::new(deeds.into()), ..Collector::default() });
    let caller: Arc<dyn Caller> = Arc::<Collector>::clone(&collector);
    let endpoint = "http://collector.example:4318/base/";
    let traces =
        Traces::begin(engine.subscribe(), caller, Arc::new(StillClock), endpoint, "node-7");
    (engine, collector, traces.unwrap())
}

fn tell(engine: &broadcast::Sender<Happening>, runs: u64) {
    for number in 1..=runs {
        engine.send(ended(number)).unwrap();
    }
}

fn counted(book: &Book) -> (u64, u64, u64) {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    (read(&book.made), read(&book.exported), read(&book.dropped))
}

#[tokio::test(start_paused = true)]
async fn spans_go_out_in_batches_and_the_last_ones_at_the_end() {
    let (engine, collector, traces) = stage(vec![]);
    let book = Arc::clone(&traces.book);
    tell(&engine, 1_100);
    traces.end().await;
    assert_eq!(collector.sizes(), [512, 512, 76]);
    assert_eq!(counted(&book), (1_100, 1_100, 0));
    let taken = collector.taken.lock().unwrap();
    let (url, body) = &taken[0];
    assert_eq!(url, "http://collector.example:4318/base/v1/traces");
    let resource = body["resourceSpans"][0]["resource"]["attributes"].as_array().unwrap();
    let instance = resource.iter().find(|one| one["key"] == "service.instance.id").unwrap();
    assert_eq!(instance["value"]["stringValue"], "node-7");
}

#[tokio::test(start_paused = true)]
async fn a_lonely_span_waits_for_others_but_not_long() {
    let (engine, collector, traces) = stage(vec![]);
    tell(&engine, 1);
    tokio::time::sleep(LINGER + Duration::from_millis(1)).await;
    assert_eq!(collector.sizes(), [1]);
    traces.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_sent_again_when_that_may_help_and_as_late_as_asked() {
    let (engine, collector, traces) =
        stage(vec![Deed::Break, Deed::AskForPause("20"), Deed::Answer(429, "")]);
    let (book, began) = (Arc::clone(&traces.book), Instant::now());
    tell(&engine, BATCH as u64);
    while collector.sizes().is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // 1 s of our own, 20 s as asked, then 4 s: the third pause of our own.
    assert_eq!(began.elapsed().as_secs(), 25);
    traces.end().await;
    assert_eq!(counted(&book), (512, 512, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_counted_and_not_sent_again() {
    let partial = r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}"#;
    let (engine, collector, traces) =
        stage(vec![Deed::Answer(400, ""), Deed::Answer(200, partial)]);
    let book = Arc::clone(&traces.book);
    tell(&engine, 512 + 10);
    traces.end().await;
    assert_eq!(collector.asked.load(Ordering::Relaxed), 2);
    assert_eq!(counted(&book), (522, 8, 514));
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_hangs_stops_nobody_and_what_is_lost_is_counted() {
    let (engine, _, traces) = stage(vec![Deed::Hang]);
    let book = Arc::clone(&traces.book);
    let total = (QUEUE + BATCH + 1_000) as u64;
    tell(&engine, BATCH as u64);
    // The first batch is on its way, and hangs; all that follows comes at once.
    tokio::time::sleep(LINGER * 2).await;
    tell(&engine, total - BATCH as u64);
    let began = Instant::now();
    traces.end().await;
    assert_eq!(began.elapsed(), FLUSH);
    assert_eq!(counted(&book), (total, 0, total));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_drops_what_is_new_and_goes_on_after() {
    let (engine, collector, traces) = stage(vec![Deed::AskForPause("2")]);
    let book = Arc::clone(&traces.book);
    tell(&engine, BATCH as u64);
    tokio::time::sleep(Duration::from_secs(1)).await;
    tell(&engine, QUEUE as u64 + 100);
    tokio::time::sleep(Duration::from_secs(10)).await;
    tell(&engine, 3);
    traces.end().await;
    let taken: usize = collector.sizes().iter().sum();
    assert_eq!(taken, BATCH + QUEUE + 3);
    assert_eq!(counted(&book).2, 100);
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_of_the_engine_is_counted() {
    let engine = broadcast::Sender::new(16);
    let collector: Arc<dyn Caller> = Arc::new(Collector::default());
    let listener = engine.subscribe();
    tell(&engine, 40);
    let clock = Arc::new(StillClock);
    let traces = Traces::begin(listener, collector, clock, "http://c.example", "n").unwrap();
    let book = Arc::clone(&traces.book);
    traces.end().await;
    assert_eq!(counted(&book), (40, 16, 24));
}

#[tokio::test]
async fn an_endpoint_whose_credentials_would_be_ignored_is_refused() {
    for endpoint in ["http://user:pass@c.example", "http://user@c.example"] {
        let engine = broadcast::Sender::new(16);
        let collector: Arc<dyn Caller> = Arc::new(Collector::default());
        let clock = Arc::new(StillClock);
        let refused = Traces::begin(engine.subscribe(), collector, clock, endpoint, "n");
        let finding = refused.err().unwrap();
        assert_eq!(finding.code, codes::BAD_SETTING);
        assert!(!finding.to_string().contains("pass@"), "{finding}");
    }
}
