//! A full disk: new events are refused with a clear problem, and when there is room, all goes on without a restart.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use crate::stage::{
    http::{Line, Reply},
    judge::{judge, judge_holdings},
    sender::{Sender, case_of, send_once},
    story::Story,
};

/// A small file system in memory, unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where this user may not mount.
    #[cfg(target_os = "linux")]
    fn mount(at: &Path) -> Option<Self> {
        use rustix::mount::{MountFlags, mount};
        fs::create_dir_all(at).unwrap();
        let options = c"size=48m";
        mount("tmpfs", at, "tmpfs", MountFlags::empty(), options).ok()?;
        Some(Self(at.to_owned()))
    }

    #[cfg(not(target_os = "linux"))]
    fn mount(_: &Path) -> Option<Self> {
        None
    }

    /// Takes all the room that is left.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = File::create(&path).unwrap();
        let block = vec![1_u8; 1 << 16];
        while file.write_all(&block).is_ok() {}
        while file.write_all(&[1]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

/// Most events until a full disk must have been noticed: the store may have room set aside.
const UNTIL_FULL: usize = 3_000;

/// Sends event after event until one is not taken: its number and the answer.
async fn until_refused(line: &mut Line, from: usize) -> (usize, Reply) {
    for number in from..UNTIL_FULL {
        let reply = send_once(line, number, None).await.unwrap();
        if reply.status != 202 {
            return (number, reply);
        }
    }
    panic!("a full disk takes {UNTIL_FULL} events");
}

/// Waits until the server knows that the disk is full: what it saw holds for a moment.
async fn until_seen(story: &Story) {
    for _ in 0..100 {
        let metrics = story.server.ask_text("/metrics").await;
        if metrics.lines().any(|line| line == "qc_disk_free_bytes 0") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the server does not see that its disk is full");
}

/// With the marks, which leave room for what is in flight to come to its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_disk_below_its_marks_refuses_new_events_and_goes_on_when_there_is_room() {
    goes_on_when_there_is_room(&[], "QC-I040").await;
}

/// Without them: whatever fills the disk, the store itself finds it full.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_disk_refuses_new_events_and_goes_on_when_there_is_room() {
    goes_on_when_there_is_room(&[("QC_DISK_SOFT", "0"), ("QC_DISK_HARD", "0")], "QC-I013").await;
}

async fn goes_on_when_there_is_room(settings: &[(&str, &str)], code: &str) {
    let mut story = Story::set(4, false).await;
    for (name, value) in settings {
        story.server.set(name, value);
    }
    let Some(disk) = SmallDisk::mount(&story.server.data) else {
        eprintln!(
            "SKIPPED: a full disk cannot be tried out here: mounting a tmpfs needs root on Linux"
        );
        return;
    };
    story.deploy().await;
    let mut line = Line::to(story.server.port);
    let mut taken = 0;
    for round in 0..2 {
        // Their runs are at work when the disk becomes full.
        for number in taken..taken + 5 {
            let reply = send_once(&mut line, number, None).await.unwrap();
            assert_eq!(reply.status, 202, "{}", reply.shown());
        }
        taken += 5;
        let filler = disk.fill();
        until_seen(&story).await;
        let (number, reply) = until_refused(&mut line, taken).await;
        assert_eq!(reply.status, 503, "round {round}: {}", reply.shown());
        let problem = reply.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["next_action"], "wait_until", "{problem}");
        assert!(reply.headers.contains_key("retry-after"));
        // Whoever only reads is still served.
        let runs = story.server.ask("/api/v1/runs?limit=1").await;
        assert_eq!(runs["items"].as_array().map(Vec::len), Some(1), "{runs}");
        // The first event after there is room is taken, by the same process.
        fs::remove_file(filler).unwrap();
        let reply = send_once(&mut line, number, None).await.unwrap();
        assert_eq!(reply.status, 202, "round {round}: {}", reply.shown());
        taken = number + 1;
    }
    let sender = Sender::new(story.server.port, taken, 4);
    let outputs = sender.outcomes(8, 30).await;
    assert_eq!(sender.complaints(), Vec::<String>::new(), "{}", story.server.log_end());
    let cases: BTreeSet<String> = (0..taken).map(case_of).collect();
    let mut wrongs = judge(&cases, &story.systems.seen());
    wrongs.extend(judge_holdings(&outputs, &story.systems.holdings()));
    assert_eq!(wrongs, Vec::<String>::new());
    story.server.terminate();
    assert_eq!(story.server.ended(std::time::Duration::from_secs(30)).await.code(), Some(0));
    drop(disk);
}
