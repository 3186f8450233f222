//! Signals to the verbs that stay up: whoever hears their first word can end them, there and then.

use std::{os::unix::process::ExitStatusExt, path::Path, pin::pin, process::ExitStatus};

use rustix::process::Signal;

use crate::{
    chat::Chat,
    notify::Notify,
    stage::{
        process::{PATIENCE, Process},
        server::Server,
    },
};

/// How a verb ends by a signal that comes with its first word.
async fn ends(server: &Server, arguments: &[&str], word: &str, signal: Signal) -> ExitStatus {
    let mut command = server.command();
    command.args(arguments);
    let process = Process::spawn(command, Path::new("/dev/null"));
    process.says(word).await;
    process.signal(signal);
    process.ended(PATIENCE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verb_that_stays_up_ends_well_from_its_first_word_on() {
    let notify = Notify::calling("http://127.0.0.1:9");
    let server = &notify.server;
    let simulate = ["simulate", "--folder", "mine", "--port", "0"];
    for (arguments, word, code) in [
        (&["serve"][..], "", 0),
        (&["serve"], "serving on ", 0),
        (&["dev", "mine"], "serving mine on ", 0),
        (&simulate, "CONNECTOR", 0),
        // In the middle of its story there is no verdict yet.
        (&["demo", "--folder", "demo"], "simulated at", 130),
    ] {
        for signal in [Signal::TERM, Signal::INT] {
            let status = ends(server, arguments, word, signal).await;
            assert_eq!(status.code(), Some(code), "{arguments:?} {signal:?}: {status}");
        }
    }
    // The demonstration took its context with it, wherever it was.
    assert!(!server.folder.join("demo/data/context.json").exists());
}

/// Nothing but `serve` has a meaning for a hangup: the others end with their terminal.
#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_ends_what_belongs_to_a_terminal() {
    let notify = Notify::calling("http://127.0.0.1:9");
    let simulate = ["simulate", "--folder", "mine", "--port", "0"];
    for (arguments, word) in [(&simulate[..], "CONNECTOR"), (&["dev", "mine"], "serving mine on ")]
    {
        let status = ends(&notify.server, arguments, word, Signal::HUP).await;
        assert_eq!(status.signal(), Some(Signal::HUP.as_raw()), "{arguments:?}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_serves_on_through_hangups_and_reads_its_deployments_anew() {
    let chat = Chat::plain().await;
    let mut notify = Notify::calling(&chat.url());
    notify.server.start().await;
    notify.deploy();
    for number in 1..=3 {
        let mark = notify.server.process().mark();
        notify.server.process().signal(Signal::HUP);
        notify.server.process().says_since(mark, "the deployments were read anew").await;
        let reply = notify.alert(&format!("A-{number}"), 30).await;
        assert_eq!(reply.status, 200, "{}", reply.shown());
        assert_eq!(chat.posted().len(), number);
    }
    notify.server.terminate();
    assert_eq!(notify.server.ended(PATIENCE).await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_signal_ends_a_server_that_waits_for_calls_at_once() {
    let chat = Chat::silent().await;
    let mut notify = Notify::calling(&chat.url());
    notify.server.set("QC_DRAIN_TIMEOUT", "10m");
    notify.server.start().await;
    notify.deploy();
    let reply = notify.alert("A-1", 0).await;
    assert_eq!(reply.status, 202, "{}", reply.shown());
    chat.hears(1).await;
    let process = notify.server.process();
    process.signal(Signal::TERM);
    process.says("draining").await;
    process.signal(Signal::TERM);
    assert_eq!(notify.server.ended(PATIENCE).await.code(), Some(130));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_ends_by_a_signal_as_by_the_users_hand() {
    let chat = Chat::plain().await;
    let mut notify = Notify::calling(&chat.url());
    notify.server.start().await;
    notify.deploy();
    let mut command = notify.server.command();
    command.arg("tail");
    let tail = Process::spawn(command, Path::new("/dev/null"));
    // A follower hears what happens once it is connected: so something happens until it does.
    {
        let mut heard = pin!(tail.says("ended completed"));
        for number in 0.. {
            let alert = format!("A-{number}");
            tokio::select! {
                biased;
                _ = &mut heard => break,
                reply = notify.alert(&alert, 30) => assert_eq!(reply.status, 200, "{}", reply.shown()),
            }
        }
    }
    tail.signal(Signal::TERM);
    assert_eq!(tail.ended(PATIENCE).await.code(), Some(130));
}
