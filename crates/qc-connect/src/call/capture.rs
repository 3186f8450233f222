//! Debug captures: what an exchange looked like on the wire, without any credential.

use http::{HeaderMap, HeaderValue, Method};
use qc_capture::{Content, Message, Passing, Recorded, Tap, content};
use qc_model::{Body, CallError, Timestamp};
use qc_vault::Secret;

use super::{
    CallRecord, Outbound, egress::system_of, job::Job, payload::Opened, receive::Received,
    scrub::scrub_wholly,
};

/// A capture that wants the exchange which is about to begin.
pub(super) struct Capturing<'a> {
    tap: Tap<'a>,
    task: &'a str,
    attempt: u32,
    system: String,
    operation: Option<String>,
}

/// The same, with what is sent.
pub(super) struct Sent<'a> {
    of: Capturing<'a>,
    exposed: Vec<Secret>,
    since: Timestamp,
    request: Message,
}

impl Outbound {
    /// Whether the next exchange is to be recorded. What the platform asks by itself is not.
    pub(super) fn capturing<'a>(
        &'a self,
        job: &Job<'a>,
        url: &str,
        record: &CallRecord,
    ) -> Option<Capturing<'a>> {
        let captures = self.captures.as_ref().filter(|_| !job.effect.of_platform)?;
        let passing = Passing {
            environment: &job.scope.name,
            tenant: &job.scope.tenant,
            integration: &job.effect.integration,
            run: job.effect.run,
        };
        let tap = captures.tap_call(passing, job.task, || system_of(job, url))?;
        let (task, attempt, operation) = (job.task, record.attempt, record.operation.clone());
        Some(Capturing { tap, task, attempt, system: system_of(job, url), operation })
    }
}

impl<'a> Capturing<'a> {
    /// Notes what is sent.
    pub(super) fn sends(
        self,
        (method, url, headers): (&Method, &str, &HeaderMap),
        opened: &Opened,
        exposed: Vec<Secret>,
        since: Timestamp,
    ) -> Sent<'a> {
        let body = match &opened.body {
            Body::Bytes(bytes) => content(&clean(bytes, &exposed)),
            Body::Stream { length, .. } => Content::Apart { size: *length },
        };
        let line = format!("{method} {url}");
        let line = String::from_utf8_lossy(&clean(line.as_bytes(), &exposed)).into_owned();
        let request = Message::new(&line, &without(headers, &exposed), body);
        Sent { of: self, exposed, since, request }
    }
}

impl Sent<'_> {
    /// Records it with the answer that came.
    pub(super) async fn answered(
        self,
        (status, headers, body): (u16, &HeaderMap, &Received),
        now: Timestamp,
    ) {
        let body = match body {
            Received::Whole(bytes) => content(&clean(bytes, &self.exposed)),
            Received::Blob(blob) => Content::Apart { size: Some(blob.size) },
        };
        let headers = without(headers, &self.exposed);
        let answer = Message::new(&status.to_string(), &headers, body);
        self.keep(Some(answer), None, now).await;
    }

    /// Records it without an answer, or with what of it was there.
    pub(super) async fn broke(self, error: &CallError, now: Timestamp) {
        self.failed(&format!("{:?}", error.kind), None, now).await;
    }

    /// Records that the body of an answer did not come to its end.
    pub(super) async fn broke_within(self, (status, headers): (u16, &HeaderMap), now: Timestamp) {
        let headers = without(headers, &self.exposed);
        let answer = Message::new(&status.to_string(), &headers, Content::Apart { size: None });
        self.failed("the body did not come to its end", Some(answer), now).await;
    }

    async fn failed(self, why: &str, answer: Option<Message>, now: Timestamp) {
        self.keep(answer, Some(why.to_owned()), now).await;
    }

    async fn keep(self, answer: Option<Message>, failure: Option<String>, now: Timestamp) {
        let Self { of, since, request, .. } = self;
        let took_ms = u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
        let Capturing { tap, task, attempt, system, operation } = of;
        let (request, answer) = (Box::new(request), answer.map(Box::new));
        let task = task.to_owned();
        let recorded =
            Recorded::Call { task, attempt, system, operation, took_ms, request, answer, failure };
        tap.keep(&recorded).await;
    }
}

/// Without what was sent as a credential, in any of its spellings and however short it is.
fn clean(bytes: &[u8], exposed: &[Secret]) -> Vec<u8> {
    scrub_wholly(bytes, exposed).unwrap_or_else(|| bytes.to_vec())
}

fn without(headers: &HeaderMap, exposed: &[Secret]) -> HeaderMap {
    let mut kept = headers.clone();
    for value in kept.values_mut() {
        if !value.is_sensitive()
            && let Some(clean) = scrub_wholly(value.as_bytes(), exposed)
        {
            *value = HeaderValue::from_bytes(&clean)
                .unwrap_or_else(|_| HeaderValue::from_static(super::substitute::MASK));
        }
    }
    kept
}
