use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, HeaderValue, header};
use qc_connect::webhook::SignatureScheme;
use qc_engine::{Happening, What};
use qc_model::{Clock, Finding, RunId};
use qc_simulator::{Answered, Fault};
use qc_store::RunStatus;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::{
    events::{Scene, scenes},
    stage::{ENVIRONMENT, INTEGRATION, Stage, TRIGGER},
};
use crate::{
    cli::{
        Exit, Output, Trouble,
        client::{Client, refused},
        output::versioned,
    },
    codes,
    context::Context,
    wiring::SystemClock,
};

/// How long one event of the story may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most requests of one system that are shown for one event.
const LINES: usize = 50;

/// Tells the story; answers the run of each case.
pub(super) async fn tell(
    stage: &Stage,
    output: Output,
) -> Result<BTreeMap<String, RunId>, Trouble> {
    let mut teller = Teller::listen(stage, output);
    let mut seen = Seen::default();
    let context = Context { url: stage.running.url.clone(), events_url: None, token: None };
    let client = Client::new(context, PATIENCE, None, crate::cli::actions::of("demo"))?;
    let mut runs = BTreeMap::new();
    for scene in scenes() {
        if !output.json {
            output.line(&format!("\n{}: {}", scene.case, scene.title));
        }
        if let Some((system, fault)) = scene.fault {
            inject(stage, system, fault)?;
        }
        let run = send(stage, &client, &scene, output).await?;
        let ended = stage.running.platform.engine.wait(run, PATIENCE).await;
        if !matches!(ended, Ok(Some(_))) {
            let message = format!("{} is not at its end after {} s", run, PATIENCE.as_secs());
            return Err(Trouble::new(Exit::Internal, Finding::error(codes::BAD_ANSWER, message)));
        }
        teller.reach(run).await;
        if !output.json {
            output.line(&seen.since(stage));
        }
        runs.insert(scene.case.to_owned(), run);
    }
    teller.task.abort();
    Ok(runs)
}

fn inject(stage: &Stage, system: &str, fault: &str) -> Result<(), Trouble> {
    let faults = Fault::parse(fault).map_err(Trouble::findings)?;
    for fault in faults {
        if let Some(system) = stage.system(system) {
            system.provider().inject(fault).map_err(|finding| Trouble::findings(vec![*finding]))?;
        }
    }
    Ok(())
}

/// Sends one event as the customer database does: a CloudEvent, signed.
async fn send(
    stage: &Stage,
    client: &Client,
    scene: &Scene,
    output: Output,
) -> Result<RunId, Trouble> {
    let at = SystemClock.now();
    let id = format!("evt-{}-{}", scene.case, at.as_millis());
    let body = json!({
        "specversion": "1.0",
        // The same event has the same content whenever it is sent.
        "id": format!("evt-{}", scene.case),
        "source": "https://crm.example/cases",
        "type": "com.example.case.escalated",
        "time": "2026-11-20T09:30:00Z",
        "datacontenttype": "application/json",
        "data": scene.data,
    })
    .to_string()
    .into_bytes();
    let mut headers = HeaderMap::new();
    let kind = HeaderValue::from_static("application/cloudevents+json");
    headers.insert(header::CONTENT_TYPE, kind);
    let scheme = SignatureScheme::standard_webhooks();
    scheme
        .sign(&mut headers, &body, &stage.signing, &id, at)
        .map_err(|error| Trouble::new(Exit::Internal, Finding::error(error.code, error.reason)))?;
    let path = format!("/in/{ENVIRONMENT}/{INTEGRATION}/{TRIGGER}");
    let answer = client.deliver(&path, body, headers).await?;
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let run = value["run"].as_str().and_then(|text| text.parse::<RunId>().ok());
    let Some(run) = run.filter(|_| answer.status == 202) else { return Err(refused(&answer)) };
    let repeat = answer.headers.contains_key("idempotency-replayed");
    if !output.json {
        let said = if repeat { "seen before, the same run" } else { "on disk" };
        output.line(&format!("  POST {path} → 202 {run} ({said})"));
    }
    Ok(run)
}

/// Prints what happens while it happens.
struct Teller {
    task: tokio::task::JoinHandle<()>,
    ended: tokio::sync::watch::Receiver<Vec<RunId>>,
}

impl Teller {
    fn listen(stage: &Stage, output: Output) -> Self {
        let mut happenings = stage.running.platform.engine.subscribe();
        let (tell, ended) = tokio::sync::watch::channel(Vec::new());
        let task = tokio::spawn(async move {
            loop {
                match happenings.recv().await {
                    Ok(happening) => {
                        if output.json {
                            output.line(&versioned(json!(happening)).to_string());
                        } else {
                            output.line(&line(&happening, output.color));
                        }
                        if matches!(happening.what, What::Ended { .. }) {
                            tell.send_modify(|runs: &mut Vec<RunId>| runs.push(happening.run));
                        }
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
        Self { task, ended }
    }

    /// Waits until the last line of a run is printed.
    async fn reach(&mut self, run: RunId) {
        let reached = self.ended.wait_for(|ended| ended.contains(&run));
        drop(tokio::time::timeout(Duration::from_secs(2), reached).await);
    }
}

/// How far each system's own ledger was shown.
#[derive(Default)]
struct Seen(BTreeMap<String, u64>);

impl Seen {
    /// What the systems received since the last time, by their own ledgers: also what the platform does by itself, such
    /// as getting a token.
    fn since(&mut self, stage: &Stage) -> String {
        let mut parts = Vec::new();
        for system in &stage.systems {
            let provider = system.provider();
            let last = self.0.entry(provider.name().to_owned()).or_default();
            let entries = provider.requests_after(*last, LINES);
            *last = entries.last().map_or(*last, |entry| entry.seq);
            let told: Vec<String> = entries
                .iter()
                .map(|entry| {
                    let operation = entry.operation.as_deref().unwrap_or("unknown");
                    let answer = match &entry.answered {
                        Answered::Status(status) => status.to_string(),
                        Answered::Dropped => "no answer".to_owned(),
                        Answered::Hung => "silence".to_owned(),
                    };
                    format!("{operation} {answer}")
                })
                .collect();
            if !told.is_empty() {
                parts.push(format!("{}: {}", provider.name(), told.join(", ")));
            }
        }
        let said = if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") };
        format!("  the systems saw: {said}")
    }
}

fn line(happening: &Happening, color: bool) -> String {
    let paint = |code: &str, text: &str| {
        if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    };
    let text = match &happening.what {
        What::Accepted { subject } => {
            format!("accepted  {}", subject.as_deref().unwrap_or_default())
        }
        What::Task { task, state, detail } => {
            let detail = detail.as_deref().unwrap_or_default();
            format!("{task:<14} {state} {detail}")
        }
        What::Attempt { task, attempt, request, status, millis, failure, .. } => {
            let status = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            let said = format!("{task:<14} attempt {attempt}: {request} → {status} ({millis} ms)");
            match failure {
                None => paint("32", &said),
                Some(failure) => paint("33", &format!("{said} {failure}")),
            }
        }
        What::Person { state, title, who, .. } => {
            let who = who.as_deref().map_or_else(String::new, |who| format!(" ({who})"));
            paint("33", &format!("person    {state}: {title}{who}"))
        }
        What::Parked { reason } => paint("35", &format!("parked    {reason}")),
        What::Ended { status: RunStatus::Completed, .. } => paint("1;32", "run       completed"),
        What::Ended { status, failure, .. } => {
            let failure = failure.as_deref().unwrap_or_default();
            paint("1;31", &format!("run       {} {failure}", status.as_str()))
        }
    };
    let at = happening.at.to_string();
    let clock = at.get(11..23).unwrap_or(&at);
    format!("  {clock}  {}", text.trim_end())
}
