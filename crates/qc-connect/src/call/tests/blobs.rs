//! Large bodies: what stays in the workflow's data, what becomes a blob, and who may send one on.

use bytes::Bytes;
use futures_util::stream;
use qc_model::{Applied, Class, NextAction, Retry};
use qc_store::{
    StoreError,
    blobs::{Asked, Blob, BlobRef, Blobs, Exists, FolderBlobs, MemoryBlobs, PutError, Swept},
};
use qc_workflow::OutputShape;

use super::*;
use crate::{call::receive::INLINE_LIMIT, codes};

const LIMIT: u64 = 1 << 20;

/// The whole of a blob that the run holds.
async fn content(world: &World, value: &Value) -> String {
    let hash = value["blob"].as_str().unwrap().parse().unwrap();
    let blob = world.outbound.blobs().get(RUN, hash).await.unwrap().unwrap();
    let size = blob.size;
    assert_eq!(value["size"], json!(size));
    let body = Body::Stream {
        length: None,
        stream: Box::pin(futures_util::TryStreamExt::map_err(blob.stream, |error| CallError {
            kind: CallErrorKind::Reset,
            sent: true,
            message: error.to_string(),
        })),
    };
    String::from_utf8(body.collect(1 << 20).await.unwrap().to_vec()).unwrap()
}

fn text(media_type: &'static str, body: &str) -> Reply {
    reply(200, &[("content-type", media_type)], body)
}

fn raw(world: &World, operation: &str) -> CallRequest {
    let mut call = world.call(operation, json!({"id": "1"}));
    if let CallTarget::Connector { output, .. } = &mut call.target {
        *output = OutputShape::Raw;
    }
    call
}

async fn nobody_holds(blobs: &dyn Blobs) -> bool {
    let exists = |_: RunId| -> Asked<'static> { Box::pin(async { Ok(false) }) };
    blobs.sweep(Timestamp::from_millis(NOW + 1), &exists).await.unwrap() == Swept::default()
}

#[tokio::test]
async fn what_is_large_and_not_json_becomes_a_blob() {
    let world = world();
    let get = || request(plain(&json!({})));
    let small = "x".repeat(INLINE_LIMIT);
    let large = "x".repeat(INLINE_LIMIT + 1);
    let list = json!(vec!["item"; 20_000]);
    world.will([
        text("text/csv", &small),
        answer(200, &list),
        reply(200, &[], list.to_string()),
        text("text/csv; charset=utf-8", &large),
        text("image/png", &large),
        reply(200, &[], large.as_str()),
        reply(200, &[], format!("[{large}")),
    ]);
    for value in [json!(small), list.clone(), list.clone()] {
        assert_eq!(world.perform(&get()).await.result.unwrap().content, value);
    }
    assert!(nobody_holds(&**world.outbound.blobs()).await);
    for (media_type, body) in [
        ("text/csv", large.clone()),
        ("image/png", large.clone()),
        ("", large.clone()),
        ("", format!("[{large}")),
    ] {
        let done = world.perform(&get()).await;
        let value = done.result.unwrap().content;
        assert_eq!(value["mediaType"], json!(media_type));
        assert_eq!(value.as_object().unwrap().len(), 3, "{value}");
        assert_eq!(content(&world, &value).await, body);
        assert_eq!(done.record.response_bytes, body.len() as u64);
    }
}

#[tokio::test]
async fn a_raw_answer_is_a_blob_when_it_is_large_whatever_it_is() {
    let world = world();
    let ticket = json!({"id": 1, "subject": "x".repeat(INLINE_LIMIT)});
    world.will([answer(200, &json!({"id": 1})), answer(200, &ticket)]);
    let small = world.perform(&raw(&world, "readTicket")).await.result.unwrap().content;
    assert_eq!(small, json!("eyJpZCI6MX0="));
    let value = world.perform(&raw(&world, "readTicket")).await.result.unwrap().content;
    assert_eq!(value["mediaType"], json!("application/json"));
    assert_eq!(content(&world, &value).await, ticket.to_string());
}

#[tokio::test]
async fn what_is_no_success_is_read_as_before() {
    let world = world();
    let large = "x".repeat(INLINE_LIMIT + 1);
    let page = || text("text/html", &large);
    world.will([
        reply(500, &[("content-type", "text/plain")], large.as_str()),
        reply(401, &[], large.as_str()),
        reply(401, &[], large.as_str()),
        page(),
    ]);
    let done = world.perform(&request(plain(&json!({})))).await;
    assert_eq!((&failed(&done).code, failed(&done).status), (&codes::ERROR_STATUS, 500));
    let done = world.desk("readTicket", json!({"id": "1"})).await;
    assert_eq!(failed(&done).code, codes::CREDENTIAL_REFUSED);
    // A login page where the contract promises JSON is no download.
    let world_of_pages = super::world();
    world_of_pages.will([page()]);
    let done = world_of_pages.desk("readTicket", json!({"id": "1"})).await;
    assert_eq!(failed(&done).code, codes::RESPONSE_MALFORMED);
    for world in [&world, &world_of_pages] {
        assert!(nobody_holds(&**world.outbound.blobs()).await);
    }
}

#[tokio::test]
async fn the_contract_judges_a_blob_by_its_head_alone() {
    let world = world_with(|yaml| format!("{yaml}response_validation: enforce\n"));
    let large = "x".repeat(INLINE_LIMIT + 1);
    world.will([text("application/pdf", &large), text("image/png", &large)]);
    let done = world.desk("download", json!({"id": "1"})).await;
    assert_eq!(done.drift, []);
    assert_eq!(content(&world, &done.result.unwrap().content).await, large);
    let done = world.desk("download", json!({"id": "1"})).await;
    assert_eq!((&failed(&done).code, &*done.drift[0].keyword), (&codes::CONTRACT_DRIFT, "content"));
}

#[tokio::test]
async fn an_echoed_secret_is_not_kept_wherever_the_chunks_end() {
    let world = world();
    let filler = "x".repeat(INLINE_LIMIT);
    let whole = format!("{filler}t0ken-one{filler}t0ken-one");
    for cut in [INLINE_LIMIT + 1, INLINE_LIMIT + 8, whole.len() - 1] {
        let chunks = [&whole[..cut], &whole[cut..]].map(|part| Ok(Bytes::from(part.to_owned())));
        world.will([Ok(OutboundResponse {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(
                http::header::CONTENT_TYPE,
                HeaderValue::from_static("application/pdf"),
            )]),
            body: Body::Stream { length: None, stream: Box::pin(stream::iter(chunks)) },
        })]);
        let done = world.desk("download", json!({"id": "1"})).await;
        assert_eq!(done.record.response_bytes, whole.len() as u64);
        let kept = content(&world, &done.result.unwrap().content).await;
        assert_eq!(kept, format!("{filler}***{filler}***"), "cut at {cut}");
    }
}

#[tokio::test]
async fn limits_and_a_full_place_are_clear_failures() {
    let large = "x".repeat(INLINE_LIMIT + 1);
    let mut world = world();
    world.outbound = world.outbound.with_blobs(Arc::new(MemoryBlobs::default()), 65_536);
    world.will([text("text/csv", &large)]);
    let done = world.perform(&request(plain(&json!({})))).await;
    let failure = failed(&done);
    assert_eq!((&failure.code, failure.class), (&codes::RESPONSE_TOO_LARGE, Class::Permanent));
    assert_eq!(failure.applied, Applied::Yes);

    world.outbound = world.outbound.with_blobs(Arc::new(MemoryBlobs::with_room(9)), LIMIT);
    world.will([text("text/csv", &large)]);
    let done = world.perform(&request(plain(&json!({})))).await;
    let failure = failed(&done);
    assert_eq!((&failure.code, failure.class), (&codes::BLOBS_UNUSABLE, Class::Overloaded));
    // The answer was there and is lost: the effect class says whether it may be asked for again.
    assert_eq!(failure.applied, Applied::Maybe);
    assert_eq!(failure.retry, Retry::After { stated_ms: None });
    assert_eq!((failure.next_action, failure.status), (NextAction::WaitUntil, 503));
    assert!(nobody_holds(&**world.outbound.blobs()).await);
}

/// A world whose run holds a blob, and the value that names it.
async fn holding(body: &str) -> (World, Value) {
    let world = world();
    let stream = Body::Bytes(body.to_owned().into()).into_stream();
    let blob = world.outbound.blobs().put(RUN, stream, LIMIT).await.unwrap();
    let value = json!({
        "blob": blob.hash.to_string(), "size": blob.size, "mediaType": "application/pdf",
    });
    (world, value)
}

#[tokio::test]
async fn a_blob_is_sent_as_the_body_or_as_a_part() {
    let (world, blob) = holding("the bytes").await;
    let parts = json!({"method": "POST", "body": blob});
    world.will([reply(204, &[], "")]);
    let done = world.perform(&request(plain(&parts))).await;
    assert_eq!(done.record.request_bytes, 9);
    let seen = world.seen().pop().unwrap();
    assert_eq!((seen.header("content-type"), &*seen.body), ("application/pdf", "the bytes"));
    assert_eq!(seen.length, Some(9));

    let mut declared = parts.clone();
    declared["headers"] = json!({"Content-Type": "text/csv"});
    world.will([reply(204, &[], ""), reply(200, &[], ""), reply(200, &[], "")]);
    world.perform(&request(plain(&declared))).await.result.unwrap();
    assert_eq!(world.seen_last().header("content-type"), "text/csv");
    world.desk("replaceFile", json!({"body": blob})).await.result.unwrap();
    let seen = world.seen_last();
    assert_eq!(
        (seen.header("content-type"), &*seen.body),
        ("application/octet-stream", "the bytes")
    );

    let named = json!({"blob": blob["blob"], "filename": "a\"b.pdf"});
    let arguments = json!({"title": "one", "file": blob, "other": named});
    let done = world.desk("upload", arguments.clone()).await;
    let seen = world.seen_last();
    let boundary = seen.header("content-type").split("boundary=").nth(1).unwrap();
    let head = |rest: &str| format!("--{boundary}\r\nContent-Disposition: form-data; name={rest}");
    let expected = [
        head("\"title\"\r\n\r\none\r\n"),
        head("\"file\"; filename=\"file\"\r\nContent-Type: application/pdf\r\n\r\nthe bytes\r\n"),
        head("\"other\"; filename=\"a%22b.pdf\"\r\n\r\nthe bytes\r\n"),
        format!("--{boundary}--\r\n"),
    ]
    .concat();
    assert_eq!(seen.body, expected);
    assert_eq!(seen.length, Some(expected.len() as u64));
    assert_eq!(done.record.request_bytes, expected.len() as u64);

    // A plain call writes the same.
    let parts = json!({
        "method": "POST", "headers": {"Content-Type": "multipart/form-data"}, "body": arguments,
    });
    world.will([reply(204, &[], "")]);
    world.perform(&request(plain(&parts))).await.result.unwrap();
    assert_eq!(world.seen_last().body, expected);
}

#[tokio::test]
async fn every_sending_reads_the_blob_anew() {
    let (world, blob) = holding("the bytes").await;
    let to = |status: u16, place: &str| reply(status, &[("location", place)], "");
    let parts = json!({"method": "POST", "body": blob, "redirect": true});
    world.will([to(307, "/y"), to(308, "https://other.test/z"), reply(503, &[], "")]);
    let done = world.perform(&request(plain(&parts))).await;
    assert_eq!(failed(&done).code, codes::ERROR_STATUS);
    assert_eq!(done.record.request_bytes, 27);
    world.will([reply(401, &[], ""), reply(200, &[], "")]);
    world.secrets.set("sandbox", "desk/token", "t0ken-two");
    world.secrets.set("sandbox", "desk/token.previous", "t0ken-one");
    world.desk("replaceFile", json!({"body": blob})).await.result.unwrap();
    let seen = world.seen();
    assert_eq!(seen.len(), 5);
    assert!(seen.iter().all(|one| one.body == "the bytes"), "{seen:#?}");
    // A redirect that makes a GET of it leaves the body behind.
    world.will([to(303, "/y"), reply(200, &[], "")]);
    world.perform(&request(plain(&parts))).await.result.unwrap();
    assert_eq!((&*world.seen_last().body, &*world.seen_last().method), ("", "GET"));
}

#[tokio::test]
async fn a_hash_from_outside_opens_nothing() {
    let (mut world, blob) = holding("another's").await;
    // Another run names it: its payload held the hash.
    world.effect.run = RunId::from_bits(2);
    for call in [
        request(plain(&json!({"method": "POST", "body": blob}))),
        world.call("upload", json!({"file": blob})),
        world.call("replaceFile", json!({"body": blob})),
    ] {
        let done = world.perform(&call).await;
        let failure = failed(&done);
        assert_eq!((&failure.code, failure.class), (&codes::BLOB_GONE, Class::Permanent));
        assert_eq!((failure.applied, failure.retry), (Applied::No, Retry::Never));
        assert_eq!(failure.next_action, NextAction::FixRequest);
        assert!(!done.record.sent);
    }
    assert_eq!(world.seen().len(), 0);
    // What is no hash is no reference: it is sent as it stands.
    world.will([reply(204, &[], "")]);
    let path = json!({"blob": "../../../../etc/passwd"});
    world.perform(&request(plain(&json!({"method": "POST", "body": path})))).await.result.unwrap();
    assert_eq!(world.seen_last().json(), path);
}

#[tokio::test]
async fn one_request_has_a_limit_of_blobs() {
    let (world, blob) = holding("x").await;
    let many = json!({"file": vec![blob; 65]});
    let done = world.perform(&world.call("upload", many)).await;
    assert_eq!(failed(&done).code, codes::UNSENDABLE);
}

#[tokio::test]
async fn the_key_in_a_body_leaves_a_blob_alone() {
    let (world, blob) = holding("x").await;
    world.will([reply(200, &[], "")]);
    let key = "operations:\n  replaceFile:\n    effect:\n      class: keyed\n      key: { in: body, name: key, format: hash, window: 1h }\n";
    let keyed = world_with(|yaml| yaml.replace("operations:\n", key));
    let call = keyed.call("replaceFile", json!({"body": blob}));
    world
        .outbound
        .perform(&keyed.release, &world.scope, &call, &world.effect)
        .await
        .result
        .unwrap();
    assert_eq!(world.seen_last().body, "x");
}

#[tokio::test]
async fn a_damaged_blob_is_our_fault_and_not_the_other_sides() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Arc::new(FolderBlobs::open(folder.path()).unwrap());
    let mut world = world();
    world.outbound = world.outbound.with_blobs(blobs.clone(), LIMIT);
    let stream = Body::Bytes("the bytes".into()).into_stream();
    let BlobRef { hash, .. } = blobs.put(RUN, stream, LIMIT).await.unwrap();
    let hash = hash.to_string();
    let file = folder.path().join(&hash[..2]).join(&hash).join("body");
    std::fs::write(file, "the bytez").unwrap();
    let parts = json!({"method": "POST", "body": {"blob": hash}});
    let done = world.perform(&request(plain(&parts))).await;
    let failure = failed(&done);
    assert_eq!((&failure.code, failure.class), (&codes::BLOBS_UNUSABLE, Class::Permanent));
    assert_eq!(failure.applied, Applied::Maybe);
}

/// A place that cannot be reached.
struct Away;

#[async_trait]
impl Blobs for Away {
    async fn put(&self, _: RunId, _: qc_model::BodyStream, _: u64) -> Result<BlobRef, PutError> {
        Err(away().into())
    }

    async fn get(&self, _: RunId, _: qc_model::BlobHash) -> Result<Option<Blob>, StoreError> {
        Err(away())
    }

    async fn keep(&self, _: RunId, _: RunId, _: qc_model::BlobHash) -> Result<bool, StoreError> {
        Err(away())
    }

    async fn sweep(&self, _: Timestamp, _: &Exists<'_>) -> Result<Swept, StoreError> {
        Err(away())
    }
}

fn away() -> StoreError {
    StoreError::Unavailable("it is away".to_owned())
}

#[tokio::test]
async fn a_place_that_is_away_passes() {
    let mut world = world();
    world.outbound = world.outbound.with_blobs(Arc::new(Away), LIMIT);
    let parts = json!({"method": "POST", "body": {"blob": "ab".repeat(32)}});
    let done = world.perform(&request(plain(&parts))).await;
    let failure = failed(&done);
    assert_eq!((&failure.code, failure.class), (&codes::BLOBS_UNUSABLE, Class::Transient));
    assert_eq!(failure.applied, Applied::No);
}

#[tokio::test]
async fn the_connectors_time_to_connect_goes_with_every_request_of_it() {
    let token = "auth:\n  oauth2_client_credentials: { token_url: 'https://desk.test/token', client_id: qc, client_secret: secret://desk/token }\n";
    let world = world_with(|yaml| {
        let yaml = yaml.replace("auth:\n  bearer: { token: secret://desk/token }\n", token);
        format!("{yaml}timeouts: {{ connect: 250ms }}\n")
    });
    world.will([
        answer(200, &json!({"access_token": "a-token"})),
        answer(200, &json!({"id": 1})),
        answer(200, &json!(1)),
    ]);
    world.desk("readTicket", json!({"id": "1"})).await.result.unwrap();
    world.perform(&request(plain(&json!({})))).await.result.unwrap();
    let connect: Vec<_> = world.seen().iter().map(|one| one.connect_timeout).collect();
    let own = Some(Duration::from_millis(250));
    assert_eq!(connect, [own, own, None]);
}
