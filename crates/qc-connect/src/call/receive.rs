use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::HeaderMap;
use qc_model::{Applied, Body, BodyStream, CallError, CallErrorKind, Failure, RunId};
use qc_store::{
    StoreError,
    blobs::{BlobRef, PutError},
};
use qc_vault::Secret;
use qc_workflow::OutputShape;

use super::{
    Outbound,
    answer::media_type_of,
    classify,
    job::Job,
    observe, payload,
    scrub::{scrub, scrubbed},
};

/// A larger body that is not JSON becomes a blob.
pub(super) const INLINE_LIMIT: usize = 64 * 1024;

/// The body of an answer.
pub(super) enum Received {
    Whole(Bytes),
    Blob(BlobRef),
}

impl Received {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }
}

/// A body that is about to be read.
pub(super) struct Arriving<'a> {
    exposed: &'a [Secret],
    keeps: Keeps,
    count: Arc<AtomicU64>,
}

/// What becomes of a body that is larger than [`INLINE_LIMIT`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// It stays a value.
    Value,
    /// It becomes a blob.
    Blob,
    /// It says not what it is: a value when it is JSON.
    Unnamed,
}

/// Why a body did not come.
pub(super) enum Lost {
    CutOff(CallError),
    Unkept(StoreError),
}

impl<'a> Arriving<'a> {
    pub(super) fn new(
        job: &Job<'_>,
        status: u16,
        headers: &HeaderMap,
        exposed: &'a [Secret],
    ) -> Self {
        let media_type = media_type_of(headers);
        let value = match job.shape {
            // The error map and the contract look into the answer; a raw one is what its task wants.
            OutputShape::Raw => false,
            _ => qc_contract::is_json(&media_type),
        };
        // What is no success is looked at here, and a page in place of JSON is none.
        let error = !(200..300).contains(&status)
            || media_type == "text/html" && observe::promises_json(job, status);
        let keeps = match () {
            () if error || value => Keeps::Value,
            () if media_type.is_empty() && job.shape != OutputShape::Raw => Keeps::Unnamed,
            () => Keeps::Blob,
        };
        Self { exposed, keeps, count: Arc::default() }
    }

    /// How many bytes came.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl Outbound {
    /// Reads a body: into memory when it is small or JSON, else into the blobs, without the secrets that were sent.
    pub(super) async fn receive(
        &self,
        arriving: &Arriving<'_>,
        body: Body,
        run: RunId,
    ) -> Result<Received, Lost> {
        let count = Arc::clone(&arriving.count);
        let body: BodyStream = Box::pin(body.into_stream().inspect_ok(move |chunk| {
            count.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }));
        if arriving.keeps == Keeps::Value {
            return self.whole(arriving, body).await.map(Received::Whole);
        }
        let (beginning, rest) = beginning(body).await?;
        let (Some(rest), keeps) = (rest, arriving.keeps) else {
            return Ok(Received::Whole(clean(beginning.concat().into(), arriving.exposed)));
        };
        let looks = || beginning.iter().flatten().find(|byte| !byte.is_ascii_whitespace());
        let json = keeps == Keeps::Unnamed && matches!(looks(), Some(b'{' | b'['));
        let body: BodyStream = Box::pin(stream::iter(beginning.into_iter().map(Ok)).chain(rest));
        if !json {
            let body = scrubbed(body, arriving.exposed);
            return self.kept(body, run).await.map(Received::Blob);
        }
        let whole = self.whole(arriving, body).await?;
        if serde_json::from_slice::<serde::de::IgnoredAny>(&whole).is_ok() {
            return Ok(Received::Whole(whole));
        }
        self.kept(Body::Bytes(whole).into_stream(), run).await.map(Received::Blob)
    }

    async fn whole(&self, arriving: &Arriving<'_>, body: BodyStream) -> Result<Bytes, Lost> {
        let body = Body::Stream { length: None, stream: body };
        let bytes = body.collect(self.response_limit).await.map_err(Lost::CutOff)?;
        Ok(clean(bytes, arriving.exposed))
    }

    async fn kept(&self, body: BodyStream, run: RunId) -> Result<BlobRef, Lost> {
        self.blobs.put(run, body, self.blob_limit).await.map_err(|error| match error {
            PutError::Source(error) => Lost::CutOff(error),
            PutError::Store(error) => Lost::Unkept(error),
            PutError::TooLarge { .. } => Lost::CutOff(CallError {
                kind: CallErrorKind::TooLarge,
                sent: true,
                message: error.to_string(),
            }),
        })
    }
}

impl Lost {
    /// The failure of a call whose answer began with this status.
    pub(super) fn failure(&self, status: u16) -> Failure {
        let mut failure = match self {
            Self::CutOff(error) => classify::call_error(error),
            Self::Unkept(error) => payload::unusable(error),
        };
        // The head told the outcome, if the head was complete; an answer cut off by our own limit is one.
        failure.applied = match (self, status) {
            (Self::CutOff(error), 200..=299) if error.kind == CallErrorKind::TooLarge => {
                Applied::Yes
            }
            (_, 400..=499) => Applied::No,
            _ => Applied::Maybe,
        };
        failure.status = if status >= 400 { status } else { failure.status };
        failure
    }
}

fn clean(bytes: Bytes, exposed: &[Secret]) -> Bytes {
    scrub(&bytes, exposed).map_or(bytes, Bytes::from)
}

/// The first chunks, and what follows when they are more than may stay in the workflow's data.
async fn beginning(mut body: BodyStream) -> Result<(Vec<Bytes>, Option<BodyStream>), Lost> {
    let (mut chunks, mut size) = (Vec::new(), 0);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(Lost::CutOff)?;
        size += chunk.len();
        if !chunk.is_empty() {
            chunks.push(chunk);
        }
        if size > INLINE_LIMIT {
            return Ok((chunks, Some(body)));
        }
    }
    Ok((chunks, None))
}
