use std::task::Poll;

use futures_util::{FutureExt, TryStreamExt, poll};
use qc_model::{CallError, CallErrorKind};
use tempfile::TempDir;

use super::*;
use crate::blobs::conformance::{self, body, collected, run};

fn fresh() -> (TempDir, FolderBlobs) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = FolderBlobs::open(folder.path().join("blobs")).unwrap();
    (folder, blobs)
}

fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn passes_the_suite() {
    let mut folders = Vec::new();
    conformance::all(&mut || {
        let (folder, blobs) = fresh();
        folders.push(folder);
        Arc::new(blobs)
    })
    .await;
}

#[tokio::test]
async fn blobs_survive_reopening() {
    let (folder, blobs) = fresh();
    let put = blobs.put(run(1), body([b"a lot", b"more"]), 100).await.unwrap();
    drop(blobs);
    let blobs = FolderBlobs::open(folder.path().join("blobs")).unwrap();
    assert_eq!(collected(&blobs, run(1), put.hash).await.unwrap(), b"a lotmore");
}

#[tokio::test]
async fn a_writer_that_goes_away_leaves_no_file_and_one_at_work_is_left_alone() {
    let (folder, blobs) = fresh();
    let endless = stream::iter([Ok(Bytes::from_static(b"begun"))]).chain(stream::pending());
    let mut writing = Box::pin(blobs.put(run(1), Box::pin(endless), 100));
    while files(folder.path()).is_empty() {
        assert!(matches!(poll!(&mut writing), Poll::Pending));
        task::yield_now().await;
    }
    let nobody = |_| async { Ok(false) }.boxed();
    let swept = blobs.sweep(Timestamp::from_millis(1 << 40), &nobody).await.unwrap();
    assert_eq!((swept, files(folder.path()).len()), (Swept::default(), 1));
    drop(writing);
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_dead_process_left_is_swept() {
    let (folder, blobs) = fresh();
    let root = folder.path().join("blobs");
    // It died while it wrote one body, and between the marker and the name of another.
    fs::write(root.join("tmp/7"), "half").unwrap();
    let put = blobs.put(run(1), body([b"orphan"]), 100).await.unwrap();
    fs::remove_file(blobs.folder.home(put.hash).join("body")).unwrap();
    // And between the put and the commit of its run.
    blobs.put(run(2), body([b"whole"]), 100).await.unwrap();
    assert_eq!(files(folder.path()).len(), 4);
    let nobody = |_| async { Ok(false) }.boxed();
    let swept = blobs.sweep(Timestamp::from_millis(1 << 40), &nobody).await.unwrap();
    assert_eq!(swept, Swept { markers: 2, blobs: 2, bytes: 5, unfinished: 1 });
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn opening_removes_what_was_unfinished() {
    let (folder, blobs) = fresh();
    fs::write(folder.path().join("blobs/tmp/0"), "half").unwrap();
    drop(blobs);
    let blobs = FolderBlobs::open(folder.path().join("blobs")).unwrap();
    assert_eq!(files(folder.path()), Vec::<String>::new());
    // A file that came by another way takes nobody's name for good.
    fs::write(folder.path().join("blobs/tmp/0"), "half").unwrap();
    blobs.put(run(1), body([b"x"]), 100).await.unwrap();
}

#[tokio::test]
async fn a_damaged_blob_is_not_given_out_whole() {
    let (_folder, blobs) = fresh();
    let large = vec![7; 3 * CHUNK];
    let put = blobs.put(run(1), body([&large[..]]), 1 << 20).await.unwrap();
    let path = blobs.folder.home(put.hash).join("body");
    let mut damaged = large.clone();
    damaged[10] = 8;
    for bytes in [&damaged[..], &large[1..]] {
        fs::write(&path, bytes).unwrap();
        let blob = blobs.get(run(1), put.hash).await.unwrap().unwrap();
        let mut given = 0;
        let read = blob.stream.inspect_ok(|chunk| given += chunk.len()).try_collect::<Vec<_>>();
        assert!(matches!(read.await, Err(StoreError::Corrupt(_))));
        assert!(given < bytes.len(), "{given}");
    }
    // Put once more, it is whole again.
    blobs.put(run(2), body([&large[..]]), 1 << 20).await.unwrap();
    assert_eq!(collected(&blobs, run(1), put.hash).await.unwrap(), large);
}

#[test]
fn a_full_disk_is_full() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
        assert!(matches!(failed(&kind.into()), StoreError::Full(_)));
    }
    let other = io::ErrorKind::PermissionDenied.into();
    assert!(matches!(failed(&other), StoreError::Unavailable(_)));
}

/// Where this user may mount, a file system of 1 MiB.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_disk_without_room_refuses_and_takes_again_when_there_is() {
    use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
    let folder = tempfile::tempdir().unwrap();
    if mount("tmpfs", folder.path(), "tmpfs", MountFlags::empty(), c"size=1m").is_err() {
        println!("skipped: this user may not mount a small file system");
        return;
    }
    let blobs = FolderBlobs::open(folder.path().join("blobs")).unwrap();
    let large = vec![1; 2 << 20];
    let refused = blobs.put(run(1), body([&large[..]]), 1 << 30).await;
    let taken = blobs.put(run(1), body([&large[..1 << 19]]), 1 << 30).await;
    let left = files(folder.path());
    drop(blobs);
    unmount(folder.path(), UnmountFlags::DETACH).unwrap();
    assert!(matches!(refused, Err(PutError::Store(StoreError::Full(_)))), "{refused:?}");
    assert!(taken.is_ok(), "{taken:?}");
    assert_eq!(left.len(), 2, "{left:?}");
}

#[tokio::test]
async fn an_error_of_the_source_is_handed_on() {
    let (folder, blobs) = fresh();
    let broken =
        CallError { kind: CallErrorKind::Reset, sent: true, message: "broke off".to_owned() };
    let source = stream::iter([Ok(Bytes::from_static(b"half")), Err(broken.clone())]);
    let refused = blobs.put(run(1), Box::pin(source), 100).await;
    assert_eq!(refused, Err(PutError::Source(broken)));
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

/// A backup has what it found when it began, although runs go meanwhile; then a sweep does its work.
#[tokio::test]
async fn nothing_is_swept_while_the_folder_is_copied() {
    let (folder, blobs) = fresh();
    let root = folder.path().join("blobs");
    let put = blobs.put(run(1), body([b"kept"]), 100).await.unwrap();
    let nobody = |_| async { Ok(false) }.boxed();
    let far = Timestamp::from_millis(1 << 40);
    let copy = FolderCopy::begin(&root).unwrap();
    assert_eq!(blobs.sweep(far, &nobody).await.unwrap(), Swept::default());
    let later = blobs.put(run(2), body([b"new"]), 100).await.unwrap();
    let mut found: Vec<_> = copy.blobs().collect::<io::Result<_>>().unwrap();
    found.sort_unstable();
    let mut expected = vec![put.hash, later.hash];
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!((copy.body(put.hash).unwrap().0, copy.runs(put.hash).unwrap()), (4, vec![run(1)]));
    // Two may copy at once.
    drop(FolderCopy::begin(&root).unwrap());
    drop(copy);
    assert_eq!(blobs.sweep(far, &nobody).await.unwrap().blobs, 2);
    let none = FolderCopy::begin(&folder.path().join("nowhere")).unwrap();
    assert_eq!(none.blobs().count(), 0);
}
