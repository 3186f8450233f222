use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use qc_model::{
    Applied, BlobHash, Body, BodyStream, CallError, CallErrorKind, Class, Failure, NextAction,
    RunId,
};
use qc_store::StoreError;

use super::Outbound;
use crate::codes;

/// The body of a request before it is sent: bytes, and blobs that are read anew whenever it is sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Payload(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Bytes(Bytes),
    Blob(BlobHash),
}

/// A payload that is about to be sent.
pub(super) struct Opened {
    pub(super) body: Body,
    pub(super) length: u64,
    broken: Broken,
}

/// Where the error of a blob is kept that could not be read to its end: the client only says that the body broke off.
#[derive(Clone, Default)]
struct Broken(Arc<Mutex<Option<StoreError>>>);

impl Payload {
    pub(super) fn blob(hash: BlobHash) -> Self {
        Self(vec![Piece::Blob(hash)])
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many blobs it has.
    pub(super) fn blobs(&self) -> usize {
        self.0.iter().filter(|piece| matches!(piece, Piece::Blob(_))).count()
    }

    pub(super) fn push(&mut self, more: impl Into<Self>) {
        self.0.extend(more.into().0);
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.is_empty() { Self::default() } else { Self(vec![Piece::Bytes(bytes.into())]) }
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl Outbound {
    /// Looks every blob up, for the run alone that holds it: a hash can have come in from outside.
    pub(super) async fn open(&self, payload: &Payload, run: RunId) -> Result<Opened, Box<Failure>> {
        let broken = Broken::default();
        if let [Piece::Bytes(bytes)] = &payload.0[..] {
            let length = bytes.len() as u64;
            return Ok(Opened { body: Body::Bytes(bytes.clone()), length, broken });
        }
        let mut length = 0;
        let mut streams: Vec<BodyStream> = Vec::with_capacity(payload.0.len());
        for piece in &payload.0 {
            match piece {
                Piece::Bytes(bytes) => {
                    length += bytes.len() as u64;
                    streams.push(Body::Bytes(bytes.clone()).into_stream());
                }
                Piece::Blob(hash) => {
                    let found = self.blobs.get(run, *hash).await;
                    let blob = found.map_err(|error| Box::new(unusable(&error)))?;
                    let blob = blob.ok_or_else(|| gone(*hash))?;
                    length += blob.size;
                    let broken = broken.clone();
                    let told = move |error| broken.tell(error);
                    streams.push(Box::pin(blob.stream.map_err(told)));
                }
            }
        }
        if streams.is_empty() {
            return Ok(Opened { body: Body::empty(), length, broken });
        }
        let stream = Box::pin(stream::iter(streams).flatten());
        Ok(Opened { body: Body::Stream { length: Some(length), stream }, length, broken })
    }
}

impl Opened {
    /// The body, and what tells the failure of a blob in it afterwards.
    pub(super) fn parts(self) -> (Body, impl FnOnce() -> Option<Failure> + Send) {
        let Self { body, broken, .. } = self;
        let error = move || {
            let error = broken.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
            Some(Failure { applied: Applied::Maybe, ..unusable(&error) })
        };
        (body, error)
    }
}

impl Broken {
    fn tell(&self, error: StoreError) -> CallError {
        let message = "the body could not be read to its end".to_owned();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        CallError { kind: CallErrorKind::Reset, sent: true, message }
    }
}

/// The place of blobs failed.
pub(super) fn unusable(error: &StoreError) -> Failure {
    let class = match error {
        StoreError::Full(_) => Class::Overloaded,
        StoreError::Unavailable(_) | StoreError::Unknown(_) => Class::Transient,
        StoreError::Corrupt(_) | StoreError::Refused(_) => Class::Permanent,
    };
    let detail = format!("a large body cannot be kept or read: {error}");
    Failure::new(class, codes::BLOBS_UNUSABLE, "A large body cannot be kept or read", detail)
}

fn gone(hash: BlobHash) -> Box<Failure> {
    let detail = format!("this run holds no blob `{hash}`");
    let title = "A request names a blob that its run does not hold";
    let mut failure = Failure::new(Class::Permanent, codes::BLOB_GONE, title, detail);
    failure.next_action = NextAction::FixRequest;
    Box::new(failure)
}
