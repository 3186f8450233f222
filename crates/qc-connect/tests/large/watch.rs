//! The real client, and how many bytes are on their way through this process.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::StreamExt;
use qc_connect::call::{HttpCaller, HttpSettings};
use qc_model::{
    Body, BodyStream, CallError, Caller, Clock, OutboundRequest, OutboundResponse, Timestamp,
};

pub(crate) struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_358_400_000)
    }
}

/// Bytes that were handed out, and the most that had not arrived at a time.
#[derive(Default)]
pub(crate) struct Flow {
    pub(crate) all: AtomicU64,
    pub(crate) most: AtomicU64,
}

impl Flow {
    fn pass(&self, bytes: usize, arrived: u64) {
        let all = self.all.fetch_add(bytes as u64, Ordering::SeqCst) + bytes as u64;
        self.most.fetch_max(all.saturating_sub(arrived), Ordering::SeqCst);
    }
}

pub(crate) struct Watching {
    inner: HttpCaller,
    /// Where bodies are written to.
    folder: PathBuf,
    /// From the network, until it is in the file.
    pub(crate) received: Arc<Flow>,
    /// From the file, until it is with the receiver.
    pub(crate) sent: Arc<Flow>,
    receiver: Mutex<Arc<AtomicU64>>,
}

impl Watching {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            inner: HttpCaller::new(&on_loopback()).unwrap(),
            folder,
            received: Arc::default(),
            sent: Arc::default(),
            receiver: Mutex::default(),
        }
    }

    /// Compares what is sent with what this receiver has.
    pub(crate) fn follow(&self, received: &Arc<AtomicU64>) {
        *self.receiver.lock().unwrap() = Arc::clone(received);
    }
}

/// A body whose bytes are counted as they are asked for.
fn watched(body: Body, flow: &Arc<Flow>, arrived: impl Fn() -> u64 + Send + 'static) -> Body {
    let Body::Stream { length, stream } = body else { return body };
    let flow = Arc::clone(flow);
    let stream: BodyStream = Box::pin(stream.inspect(move |chunk| {
        if let Ok(chunk) = chunk {
            flow.pass(chunk.len(), arrived());
        }
    }));
    Body::Stream { length, stream }
}

#[async_trait]
impl Caller for Watching {
    async fn call(&self, mut request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let receiver = Arc::clone(&self.receiver.lock().unwrap());
        let arrived = move || receiver.load(Ordering::SeqCst);
        request.body = watched(request.body, &self.sent, arrived);
        let mut response = self.inner.call(request).await?;
        let folder = self.folder.clone();
        let written = move || {
            let files = fs::read_dir(&folder).unwrap().flatten();
            files.filter_map(|file| Some(file.metadata().ok()?.len())).sum()
        };
        response.body = watched(response.body, &self.received, written);
        Ok(response)
    }
}

/// The other systems are simulated on the loopback interface, and workflows of tests compute their addresses.
fn on_loopback() -> HttpSettings {
    HttpSettings { private: vec!["127.0.0.0/8".parse().unwrap()], ..HttpSettings::default() }
}
