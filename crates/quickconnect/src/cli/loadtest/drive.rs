//! Sending what was planned, at its moments, whatever the answers take; and waiting for the runs to end.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, header};
use qc_engine::Trigger;
use qc_model::{Clock, EventId, RunId, Timestamp};
use qc_project::{
    IntegrationFolder, Project,
    load::{Bodies, Body, DoorSaid, LoadProfile, Phase, RunEnded, Sent},
};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::stage::Stage;
use crate::{
    cli::{Output, Trouble, client::field},
    wiring::{OsEntropy, SystemClock},
};

/// How long runs may take after the last event of a phase, when the brief says no deadline.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long before a phase its first moment is set.
const LEAD: Duration = Duration::from_millis(50);
/// So many requests are under way at most: what is beyond them is late, and the grade says so.
const UNDER_WAY: usize = 2_000;

/// Sends to the triggers of one integration.
pub(super) struct Driver<'a> {
    stage: &'a Stage,
    integration: &'a str,
    targets: Vec<Target<'a>>,
}

struct Target<'a> {
    trigger: &'a Trigger,
    bodies: Bodies<'a>,
}

/// One event on its way.
struct Shot {
    phase: usize,
    due: Timestamp,
    late_ms: u64,
    door: DoorSaid,
    run: Option<RunId>,
}

impl<'a> Driver<'a> {
    /// With what every trigger is sent.
    pub(super) fn new(
        stage: &'a Stage,
        project: &'a Project,
        folder: &'a IntegrationFolder,
        profile: &LoadProfile,
        keys: u64,
    ) -> Result<Self, Trouble> {
        let mut targets = Vec::new();
        for source in &profile.sources {
            let how = (source.typical_size, keys);
            let bodies = Bodies::of(project, folder, &stage.compiled, &source.trigger, how)
                .map_err(|finding| Trouble::findings(vec![*finding]))?;
            let trigger = bodies.trigger();
            targets.push(Target { trigger, bodies });
        }
        Ok(Self { stage, integration: folder.name(), targets })
    }

    /// Sends all phases, one after the other: each begins when the runs of the one before have ended.
    pub(super) async fn drive(
        &self,
        profile: &LoadProfile,
        phases: &[Phase],
        output: Output,
    ) -> Vec<Sent> {
        let patience =
            profile.deadline_ms.map_or(PATIENCE, |ms| Duration::from_millis(ms) + PATIENCE);
        let (mut all, mut next) = (Vec::new(), 0);
        for (nth, phase) in phases.iter().enumerate() {
            let (kind, count) = (phase.kind.as_str(), phase.sends.len());
            let events = if count == 1 { "event" } else { "events" };
            let length = match phase.length.as_secs() {
                0 => "at once".to_owned(),
                seconds => format!("in {seconds} s"),
            };
            output.say(&format!("{kind}: {count} {events} {length}"));
            let shots = self.fire(nth, phase, next).await;
            next += count as u64;
            let until = Instant::now() + patience;
            for shot in shots {
                all.push(self.ended(shot, until).await);
            }
        }
        all
    }

    async fn fire(&self, nth: usize, phase: &Phase, first: u64) -> Vec<Shot> {
        let (began, wall) = (Instant::now() + LEAD, SystemClock.now() + LEAD);
        let places = Arc::new(tokio::sync::Semaphore::new(UNDER_WAY));
        let shots = phase.sends.iter().zip(first..).map(|(send, number)| {
            let places = Arc::clone(&places);
            async move {
                let at = began + send.at;
                sleep_until(at).await;
                let _place = places.acquire().await;
                let late_ms = millis(at.elapsed());
                let (door, run) = self.send(&self.targets[send.source], number, at).await;
                Shot { phase: nth, due: wall + send.at, late_ms, door, run }
            }
        });
        futures_util::future::join_all(shots).await
    }

    async fn send(
        &self,
        target: &Target<'_>,
        number: u64,
        due: Instant,
    ) -> (DoorSaid, Option<RunId>) {
        let body = target.bodies.nth(number);
        let path =
            format!("/in/{}/{}/{}", self.stage.environment, self.integration, target.trigger.name);
        let refused = |code: Option<String>, after: Duration| {
            (DoorSaid { accepted: false, after_ms: millis(after), code }, None)
        };
        let code_of =
            |trouble: &Trouble| trouble.findings.first().map(|found| found.code.to_string());
        let headers = match headers(target.trigger, &body) {
            Ok(headers) => headers,
            Err(trouble) => return refused(code_of(&trouble), due.elapsed()),
        };
        let answer = match self.stage.client.deliver(&path, body.bytes, headers).await {
            Ok(answer) => answer,
            Err(trouble) => return refused(code_of(&trouble), due.elapsed()),
        };
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        if answer.status >= 300 {
            let code =
                said["code"].as_str().map_or_else(|| answer.status.to_string(), str::to_owned);
            return refused(Some(code), due.elapsed());
        }
        let door = DoorSaid { accepted: true, after_ms: millis(due.elapsed()), code: None };
        (door, said["run"].as_str().and_then(|run| run.parse().ok()))
    }

    /// Waits for an event's run. One that is published only has none: it was over with its answer.
    async fn ended(&self, shot: Shot, until: Instant) -> Sent {
        let Shot { phase, due, late_ms, door, run } = shot;
        let end = match run {
            None if door.accepted => {
                let at = due + Duration::from_millis(door.after_ms);
                Some(RunEnded { at, failed: None })
            }
            None => None,
            Some(run) => self.end_of(run, until).await,
        };
        Sent { phase, due, late_ms, door, end }
    }

    async fn end_of(&self, run: RunId, until: Instant) -> Option<RunEnded> {
        let platform = &self.stage.running.platform;
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        platform.engine.wait(run, left).await.ok()??;
        let state = platform.store.run(run).await.ok()??.state;
        let failed = (state.status != qc_store::RunStatus::Completed).then(|| {
            let summary = state.summary.unwrap_or_default();
            summary
                .split_whitespace()
                .next()
                .unwrap_or(state.status.as_str())
                .trim_end_matches(':')
                .to_owned()
        });
        Some(RunEnded { at: state.updated_at, failed })
    }
}

/// What goes with a body: its type, its key, its signature.
fn headers(trigger: &Trigger, body: &Body) -> Result<HeaderMap, Trouble> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(body.media_type));
    if let Some(key) = &body.key {
        headers.insert("idempotency-key", field("idempotency-key", key)?);
    }
    if let Some((scheme, secret)) = Stage::signing(trigger) {
        let now = SystemClock.now();
        let id = EventId::new(now, &OsEntropy::default()).to_string();
        scheme.sign(&mut headers, &body.bytes, &secret, &id, now).map_err(|error| {
            Trouble::findings(vec![qc_model::Finding::error(error.code, error.reason)])
        })?;
    }
    Ok(headers)
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
