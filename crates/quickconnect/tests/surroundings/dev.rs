//! `qc dev`: the working tree, running; what is good is taken, what is bad is told and changes nothing.

use std::fs;

use crate::{
    chat::Chat,
    notify::{Notify, WORKFLOW},
    stage::process::PATIENCE,
};

const TEXT: &str = r"\(.level): \(.title)";

/// Sends an alert; what the chat is told.
async fn told(notify: &Notify, chat: &Chat, id: &str) -> String {
    let before = chat.posted().len();
    let reply = notify.alert(id, 30).await;
    assert_eq!(reply.status, 200, "{}", reply.shown());
    chat.hears(before + 1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_working_tree_runs_as_it_was_when_it_was_last_good() {
    let chat = Chat::plain().await;
    let mut notify = Notify::calling(&chat.url());
    notify.server.spawn_verb(&["dev", "mine"]);
    notify.server.ready().await;
    let process = notify.server.process();
    let first = process.says("notify runs as ").await;
    assert_eq!(told(&notify, &chat, "A-1").await, "critical: Disk is full");

    let mark = process.mark();
    notify.edit(WORKFLOW, TEXT, r"new: \(.title)");
    let second = process.says_since(mark, "notify runs as ").await;
    assert_ne!(first, second);
    assert_eq!(told(&notify, &chat, "A-2").await, "new: Disk is full");

    // An expression that does not compile, an operation that is not there: each is told with its place.
    let call = "call: chat.postMessage";
    for (good, bad) in [(r"new: \(.title)", r"new: \(.title"), (call, "call: chat.postMesage")] {
        let mark = process.mark();
        notify.edit(WORKFLOW, good, bad);
        let finding = process.says_since(mark, "error[QC-").await;
        process.says_since(mark, &format!("{WORKFLOW}:")).await;
        process.says_since(mark, "notify stays as it was: ").await;
        assert_eq!(told(&notify, &chat, bad).await, "new: Disk is full", "{finding}");
        let mark = process.mark();
        notify.edit(WORKFLOW, bad, good);
        let again = process.says_since(mark, "notify runs as ").await;
        assert_eq!(again, format!("{second}, as before"));
    }
    let good = fs::read_to_string(notify.file(WORKFLOW)).unwrap();
    let mark = process.mark();
    fs::write(notify.file(WORKFLOW), "do: [\n").unwrap();
    process.says_since(mark, "notify stays as it was").await;
    assert_eq!(told(&notify, &chat, "A-3").await, "new: Disk is full");

    // Mended, and better than before.
    let mark = process.mark();
    fs::write(notify.file(WORKFLOW), good.replace("new: ", "mended: ")).unwrap();
    process.says_since(mark, "notify runs as ").await;
    assert_eq!(told(&notify, &chat, "A-4").await, "mended: Disk is full");

    notify.server.terminate();
    assert_eq!(notify.server.ended(PATIENCE).await.code(), Some(0));
    // It keeps its data where the settings say, and the project's folder clean.
    assert!(notify.server.data.join("quickconnect.db").exists());
    assert!(!notify.file(".qc").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_is_broken_from_the_start_is_served_once_it_is_mended() {
    let chat = Chat::plain().await;
    let mut notify = Notify::calling(&chat.url());
    notify.edit("quickconnect.yaml", "organisation:", "organisatoin:");
    notify.server.spawn_verb(&["dev", "mine"]);
    notify.server.ready().await;
    let process = notify.server.process();
    process.says("did you mean `organisation`?").await;
    assert_eq!(notify.alert("A-1", 0).await.status, 404);
    let mark = process.mark();
    notify.edit("quickconnect.yaml", "organisatoin:", "organisation:");
    process.says_since(mark, "notify runs as ").await;
    assert_eq!(told(&notify, &chat, "A-1").await, "critical: Disk is full");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_no_project_is_left_alone() {
    let notify = Notify::calling("http://127.0.0.1:9");
    for (folder, word) in [("nowhere", "there is no folder `nowhere`"), (".", "qc init DIR")] {
        let output = notify.server.qc(&["dev", folder]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(word), "{said}");
    }
    assert!(!notify.server.folder.join("nowhere").exists());
    assert!(!notify.server.folder.join(".qc").exists());
}
