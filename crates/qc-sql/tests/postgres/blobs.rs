//! Large bodies in the database.

use std::{sync::Arc, task::Poll};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use qc_model::{RunId, Timestamp};
use qc_sql::postgres::PostgresBlobs;
use qc_store::{
    StoreError,
    blobs::{
        Blobs, Swept,
        conformance::{self, body, collected, run},
    },
};

use crate::place::{Place, open_now};

fn fresh(place: &Place) -> PostgresBlobs {
    open_now(&place.url()).blobs()
}

async fn sweep(blobs: &dyn Blobs) -> Swept {
    let exists = |_: RunId| async { Ok(false) }.boxed();
    blobs.sweep(Timestamp::from_millis(i64::MAX), &exists).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_the_suite() {
    if qc_pgserver::shared().is_some() {
        conformance::all(&mut || Arc::new(fresh(&Place::fresh().unwrap()))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_puts_another_has_and_sweeps() {
    let Some(place) = Place::fresh() else { return };
    let (one, other) = (fresh(&place), fresh(&place));
    // Chunks of the body that are none of the database: 3 MB in pieces of 100,001 bytes.
    let large: Vec<u8> =
        (0..3_000_000u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    let pieces: Vec<_> =
        large.chunks(100_001).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let put = one.put(run(1), Box::pin(stream::iter(pieces)), 3_000_000).await.unwrap();
    assert_eq!(put.size, 3_000_000);
    assert_eq!(collected(&other, run(1), put.hash).await.unwrap(), large);
    assert_eq!(place.sql("SELECT max(length(body)) FROM quickconnect.blob_chunk"), "262144");
    assert!(other.keep(run(1), run(2), put.hash).await.unwrap());
    // The same body at the same time on both nodes is there once.
    let whole = || body([&large[..]]);
    let (a, b) =
        tokio::join!(one.put(run(3), whole(), 3_000_000), other.put(run(4), whole(), 3_000_000));
    assert_eq!((a.unwrap(), b.unwrap()), (put, put));
    assert_eq!(place.sql("SELECT count(*) FROM quickconnect.blob"), "1");
    let (a, b) = tokio::join!(sweep(&one), sweep(&other));
    assert_eq!((a.markers + b.markers, a.blobs + b.blobs, a.bytes + b.bytes), (4, 1, 3_000_000));
    assert_eq!(place.sql("SELECT count(*) FROM quickconnect.blob_chunk"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_it_was_put_is_not_given_out_whole() {
    let Some(place) = Place::fresh() else { return };
    let blobs = fresh(&place);
    let large = vec![7; 600_000];
    let put = blobs.put(run(1), body([&large[..]]), 600_000).await.unwrap();
    place.sql("UPDATE quickconnect.blob_chunk SET body = set_byte(body, 9, 8) WHERE no = 1");
    let read = |hash| {
        let blobs = &blobs;
        async move {
            let blob = blobs.get(run(1), hash).await.unwrap().unwrap();
            let chunks: Vec<_> = blob.stream.collect().await;
            chunks
        }
    };
    let chunks = read(put.hash).await;
    assert!(matches!(chunks.last(), Some(Err(StoreError::Corrupt(_)))), "{}", chunks.len());
    place.sql("DELETE FROM quickconnect.blob_chunk WHERE no = 2");
    assert!(matches!(read(put.hash).await.last(), Some(Err(StoreError::Corrupt(_)))));
    // Gone while it is read: no damage.
    let blob = blobs.get(run(1), put.hash).await.unwrap().unwrap();
    sweep(&blobs).await;
    let gone = blob.stream.try_collect::<Vec<_>>().await;
    assert!(matches!(gone, Err(StoreError::Unavailable(_))), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_writers_leave_goes() {
    let Some(place) = Place::fresh() else { return };
    let blobs = fresh(&place);
    let drafts = || place.sql("SELECT count(*) FROM quickconnect.blob WHERE hash IS NULL");
    let chunks = || place.sql("SELECT count(*) FROM quickconnect.blob_chunk");
    // A sender that falls silent after more than is written at once.
    let some = vec![1; 2_000_000];
    let silent = stream::iter([Ok(Bytes::from(some))]).chain(stream::pending());
    let mut put = blobs.put(run(1), Box::pin(silent), 1 << 30);
    while chunks() == "0" {
        assert_eq!(futures_util::poll!(&mut put), Poll::Pending);
        tokio::task::yield_now().await;
    }
    assert_eq!(sweep(&blobs).await, Swept::default(), "it is being written");
    drop(put);
    while drafts() != "0" {
        tokio::task::yield_now().await;
    }
    // A writer that died, and one that wakes up when its draft is gone.
    place.sql(
        "INSERT INTO quickconnect.blob (touched) VALUES (now() - interval '61 minutes'); \
         INSERT INTO quickconnect.blob_chunk SELECT no, 0, 'x' FROM quickconnect.blob",
    );
    assert_eq!(sweep(&blobs).await, Swept { unfinished: 1, ..Swept::default() });
    assert_eq!(chunks(), "0");
    let (wake, woken) = tokio::sync::oneshot::channel::<()>();
    let last = async move {
        let _ = woken.await;
        Ok(Bytes::from_static(b"end"))
    };
    let late = stream::iter([Ok(Bytes::from(vec![1; 2_000_000]))]).chain(stream::once(last));
    let mut put = blobs.put(run(1), Box::pin(late), 1 << 30);
    while chunks() == "0" {
        assert_eq!(futures_util::poll!(&mut put), Poll::Pending);
        tokio::task::yield_now().await;
    }
    place.sql("UPDATE quickconnect.blob SET touched = now() - interval '61 minutes'");
    sweep(&fresh(&place)).await;
    wake.send(()).unwrap();
    let refused = put.await;
    assert!(
        matches!(refused, Err(qc_store::blobs::PutError::Store(StoreError::Unavailable(_)))),
        "{refused:?}"
    );
    assert_eq!(chunks(), "0");
}
