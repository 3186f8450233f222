//! The suite that every place for blobs passes. For tests only: it panics.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{FutureExt, TryStreamExt, stream};
use qc_model::{BlobHash, BodyStream, CallError, CallErrorKind, RunId, Timestamp};

use super::{Blobs, PutError, Swept};
use crate::StoreError;

/// SHA-256 of `abc` (FIPS 180-4, example).
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// A run made `hour` hours after the epoch.
pub fn run(hour: u64) -> RunId {
    RunId::from_bits((u128::from(hour * 3_600_000) << 80) | 1)
}

/// A body of these chunks.
pub fn body<const N: usize>(chunks: [&[u8]; N]) -> BodyStream {
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    Box::pin(stream::iter(chunks))
}

/// The whole of a blob; None when the run does not hold it.
pub async fn collected(blobs: &dyn Blobs, run: RunId, hash: BlobHash) -> Option<Vec<u8>> {
    let blob = blobs.get(run, hash).await.expect("can be read")?;
    let chunks: Vec<Bytes> = blob.stream.try_collect().await.expect("is whole");
    let bytes = chunks.concat();
    assert_eq!(bytes.len() as u64, blob.size);
    Some(bytes)
}

/// Every check, each on a fresh place.
pub async fn all(fresh: &mut (dyn FnMut() -> Arc<dyn Blobs> + Send)) {
    what_is_put_is_got_by_its_run_alone(&*fresh()).await;
    one_content_is_kept_once(&*fresh()).await;
    only_a_holder_hands_on(&*fresh()).await;
    a_body_that_fails_leaves_nothing(&*fresh()).await;
    the_sweep_takes_what_no_run_holds(&*fresh()).await;
    a_doubtful_sweep_takes_nothing(&*fresh()).await;
    writers_and_a_sweep_at_once(fresh()).await;
}

async fn what_is_put_is_got_by_its_run_alone(blobs: &dyn Blobs) {
    let put = blobs.put(run(1), body([b"a", b"", b"bc"]), 3).await.expect("is put");
    assert_eq!((put.hash.to_string().as_str(), put.size), (ABC, 3));
    assert_eq!(collected(blobs, run(1), put.hash).await.as_deref(), Some(&b"abc"[..]));
    // The hash alone opens nothing.
    assert_eq!(collected(blobs, run(2), put.hash).await, None);
    assert_eq!(collected(blobs, run(1), BlobHash::new([0; 32])).await, None);
    let large = vec![b'x'; 300_000];
    let put = blobs.put(run(1), body([&large[..], &large[..]]), 600_000).await.expect("is put");
    assert_eq!(collected(blobs, run(1), put.hash).await.expect("is held"), large.repeat(2));
    let empty = blobs.put(run(1), body([]), 0).await.expect("is put");
    assert_eq!(collected(blobs, run(1), empty.hash).await.as_deref(), Some(&b""[..]));
}

async fn one_content_is_kept_once(blobs: &dyn Blobs) {
    let one = blobs.put(run(1), body([b"same"]), 10).await.expect("is put");
    let two = blobs.put(run(2), body([b"sa", b"me"]), 10).await.expect("is put");
    assert_eq!(one, two);
    let swept = sweep(blobs, 100, &[2]).await;
    assert_eq!(swept, Swept { markers: 1, ..Swept::default() });
    assert_eq!(collected(blobs, run(1), one.hash).await, None);
    assert!(collected(blobs, run(2), one.hash).await.is_some());
}

async fn only_a_holder_hands_on(blobs: &dyn Blobs) {
    let put = blobs.put(run(1), body([b"mine"]), 10).await.expect("is put");
    assert!(!blobs.keep(run(2), run(3), put.hash).await.expect("is answered"));
    assert_eq!(collected(blobs, run(3), put.hash).await, None);
    assert!(blobs.keep(run(1), run(2), put.hash).await.expect("is answered"));
    assert!(blobs.keep(run(2), run(3), put.hash).await.expect("is answered"));
    // It lives as long as one of them.
    sweep(blobs, 100, &[3]).await;
    assert!(collected(blobs, run(3), put.hash).await.is_some());
    assert!(!blobs.keep(run(1), run(4), put.hash).await.expect("is answered"));
    let unknown = BlobHash::new([0; 32]);
    assert!(!blobs.keep(run(1), run(2), unknown).await.expect("is answered"));
}

async fn a_body_that_fails_leaves_nothing(blobs: &dyn Blobs) {
    let refused = blobs.put(run(1), body([b"ab", b"cd"]), 3).await;
    assert_eq!(refused, Err(PutError::TooLarge { limit: 3 }));
    let broken =
        CallError { kind: CallErrorKind::Reset, sent: true, message: "broke off".to_owned() };
    let source = stream::iter([Ok(Bytes::from_static(b"abc")), Err(broken.clone())]);
    let refused = blobs.put(run(1), Box::pin(source), 10).await;
    assert_eq!(refused, Err(PutError::Source(broken)));
    let abc = ABC.parse().expect("is a hash");
    assert_eq!(collected(blobs, run(1), abc).await, None);
    assert_eq!(sweep(blobs, 100, &[]).await, Swept::default());
}

async fn the_sweep_takes_what_no_run_holds(blobs: &dyn Blobs) {
    let old = blobs.put(run(1), body([b"old one"]), 10).await.expect("is put");
    let held = blobs.put(run(2), body([b"held"]), 10).await.expect("is put");
    // Its run is not in the store, but so young that it may be about to be.
    let young = blobs.put(run(5), body([b"young"]), 10).await.expect("is put");
    let swept = sweep(blobs, 5, &[2]).await;
    assert_eq!(swept, Swept { markers: 1, blobs: 1, bytes: 7, unfinished: 0 });
    assert_eq!(collected(blobs, run(1), old.hash).await, None);
    assert!(collected(blobs, run(2), held.hash).await.is_some());
    assert!(collected(blobs, run(5), young.hash).await.is_some());
    assert_eq!(sweep(blobs, 6, &[2]).await.blobs, 1);
    assert_eq!(collected(blobs, run(5), young.hash).await, None);
}

async fn a_doubtful_sweep_takes_nothing(blobs: &dyn Blobs) {
    let put = blobs.put(run(1), body([b"abc"]), 10).await.expect("is put");
    let away = |_| async { Err(StoreError::Unavailable("away".to_owned())) }.boxed();
    assert!(blobs.sweep(hour(100), &away).await.is_err());
    assert!(collected(blobs, run(1), put.hash).await.is_some());
}

/// However a sweep and the writers of the same content meet: what was put is there.
async fn writers_and_a_sweep_at_once(blobs: Arc<dyn Blobs>) {
    for turn in 0..20 {
        let first = blobs.put(run(1), body([b"shared"]), 10).await.expect("is put");
        let writer = {
            let blobs = Arc::clone(&blobs);
            tokio::spawn(async move { blobs.put(run(9), body([b"shared"]), 10).await })
        };
        let (put, _) = tokio::join!(writer, sweep(&*blobs, 2, &[]));
        assert_eq!(put.expect("no panic"), Ok(first));
        assert!(collected(&*blobs, run(9), first.hash).await.is_some(), "turn {turn}");
        assert_eq!(sweep(&*blobs, 100, &[]).await.blobs, 1);
    }
}

fn hour(hour: i64) -> Timestamp {
    Timestamp::from_millis(hour * 3_600_000)
}

async fn sweep(blobs: &dyn Blobs, before: i64, there: &[u64]) -> Swept {
    let there: Vec<RunId> = there.iter().map(|hour| run(*hour)).collect();
    let asked = Mutex::new(Vec::new());
    let exists = |run: RunId| {
        asked.lock().expect("is whole").push(run);
        let found = there.contains(&run);
        async move { Ok(found) }.boxed()
    };
    let swept = blobs.sweep(hour(before), &exists).await.expect("is swept");
    // Nobody asks for the young.
    assert!(asked.lock().expect("is whole").iter().all(|run| run.made_at() < hour(before)));
    swept
}
