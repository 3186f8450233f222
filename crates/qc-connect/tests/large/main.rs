//! Bodies that do not fit: from one system to another over real sockets and a real disk, hardly any of them in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod systems;
mod watch;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use qc_connect::{
    call::{Connectors, EffectContext, EnvironmentScope, Outbound},
    codes,
};
use qc_model::{Applied, Class, EnvironmentName, Failure, RunId, TenantName, Timestamp};
use qc_store::blobs::FolderBlobs;
use qc_vault::{SecretRef, Secrets};
use qc_workflow::{CallId, CallRequest, CallTarget, Effect, OutputShape, SecretMark};
use serde_json::{Value, json};
use systems::{Download, Upload, hash_of};
use watch::{Still, Watching};

/// 200 MiB.
const SIZE: u64 = 200 << 20;
/// The most bytes that may be between the network and the disk at a time.
const HELD: u64 = 4 << 20;
const SECRET: &str = "a-secret-that-some-systems-echo";

struct World {
    _folder: tempfile::TempDir,
    blobs: std::path::PathBuf,
    watching: Arc<Watching>,
    outbound: Outbound,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blobs");
    let blobs = Arc::new(FolderBlobs::open(&path).unwrap());
    let watching = Arc::new(Watching::new(path.join("tmp")));
    let secrets = Arc::new(Secrets::none().with_value("sandbox", "api", SECRET));
    let outbound =
        Outbound::new(watching.clone(), Arc::new(Still), secrets).with_blobs(blobs, 1 << 30);
    World { _folder: folder, blobs: path, watching, outbound }
}

impl World {
    async fn call(&self, method: &str, url: &str, body: Option<Value>) -> Result<Value, Failure> {
        let mark = SecretMark::new(1);
        let media_type = json!({"Content-Type": "multipart/form-data"});
        let target = CallTarget::Http {
            method: method.to_owned(),
            endpoint: url.to_owned(),
            headers: if body.is_some() { media_type } else { Value::Null },
            query: Value::Null,
            body,
            authentication: Some(
                serde_json::from_value(json!({
                    "scheme": "bearer", "token": mark.placeholder("api"),
                }))
                .unwrap(),
            ),
            output: OutputShape::Content,
            redirect: false,
        };
        let request = CallRequest {
            id: CallId { pointer: "/do/0/x".into(), visit: "0".into() },
            task: "x".into(),
            attempt: 1,
            target,
            effect: Effect::Idempotent,
            timeout_ms: 300_000,
            secrets: mark,
        };
        let scope = EnvironmentScope {
            name: EnvironmentName::new("sandbox").unwrap(),
            tenant: TenantName::new("acme").unwrap(),
            vars: Arc::default(),
        };
        let declared = SecretRef::parse("secret://api").unwrap();
        let effect = EffectContext {
            integration: "escalation".parse().unwrap(),
            of_platform: false,
            run: RunId::from_bits(1 << 90),
            key: "key".to_owned(),
            first_sent_at: Some(Timestamp::from_millis(0)),
            traceparent: String::new(),
            hops: 0,
            secrets: Arc::new(BTreeMap::from([("api".to_owned(), declared)])),
        };
        let done = self.outbound.perform(&Connectors::default(), &scope, &request, &effect).await;
        done.result.map(|output| output.content)
    }
}

/// The files of blobs and the unfinished ones.
fn files(folder: &Path) -> Vec<u64> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            found.extend(files(&entry.path()));
        } else if metadata.len() > 0 {
            found.push(metadata.len());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_becomes_an_upload_and_little_of_it_is_in_memory() {
    let world = world();
    let from = Download::serve(SIZE, SIZE).await;
    let to = Upload::serve();
    let blob = world.call("GET", &from.url, None).await.unwrap();
    let size = blob["size"].as_u64().unwrap();
    assert_eq!((size, &blob["mediaType"]), (SIZE, &json!("application/octet-stream")));
    assert_eq!(blob["blob"], json!(hash_of(SIZE)));
    assert_eq!(files(&world.blobs), [SIZE]);
    let held = world.watching.received.most.load(Ordering::SeqCst);
    assert!(held > 0 && held < HELD, "{held} bytes were in memory at a time");

    world.watching.follow(&to.received);
    let body = json!({"file": blob, "title": "as it came"});
    // Two attempts: the blob is read anew for each.
    for _ in 0..2 {
        world.call("POST", &to.url, Some(body.clone())).await.unwrap();
        let upload = to.last().await;
        assert!(upload.head.contains("content-length: "), "{}", upload.head);
        assert_eq!(upload.file_size, SIZE);
        assert_eq!(upload.file_hash, hash_of(SIZE));
    }
    let held = world.watching.sent.most.load(Ordering::SeqCst);
    // Here the buffers of the two sockets count, too.
    assert!(held > 0 && held < 4 * HELD, "{held} bytes were between disk and receiver at a time");
}

#[tokio::test]
async fn a_download_that_breaks_in_the_middle_leaves_nothing() {
    let world = world();
    let from = Download::serve(8 << 20, 3 << 20).await;
    let failure = world.call("GET", &from.url, None).await.unwrap_err();
    assert_eq!((&failure.code, failure.class), (&codes::NO_ANSWER, Class::Transient));
    assert_eq!(failure.applied, Applied::Maybe);
    assert!(world.watching.received.all.load(Ordering::SeqCst) > 1 << 20, "it began");
    assert_eq!(files(&world.blobs), Vec::<u64>::new());
}

#[tokio::test]
async fn an_upload_that_the_other_side_breaks_off_fails_and_can_be_repeated() {
    let world = world();
    let from = Download::serve(8 << 20, 8 << 20).await;
    let blob = world.call("GET", &from.url, None).await.unwrap();
    let broken = Upload::breaking_after(1 << 20);
    let body = json!({"file": blob});
    let failure = world.call("POST", &broken.url, Some(body.clone())).await.unwrap_err();
    assert_eq!((&failure.code, failure.applied), (&codes::NO_ANSWER, Applied::Maybe));
    let to = Upload::serve();
    world.call("POST", &to.url, Some(body)).await.unwrap();
    assert_eq!(to.last().await.file_hash, hash_of(8 << 20));
}
