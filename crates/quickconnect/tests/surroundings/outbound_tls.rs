//! Calls to a system whose certificate a private authority signed.

use std::{fs, path::Path};

use crate::{
    certificates::Authority,
    chat::Chat,
    notify::{CONNECTOR, Notify},
    stage::process::{PATIENCE, Process},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_once_it_is_named_and_the_run_goes_on() {
    let authority = Authority::new();
    let chat = Chat::secured(authority.certify("127.0.0.1").server()).await;
    let mut notify = Notify::calling(&format!("https://127.0.0.1:{}", chat.port));
    // The run must outlive the restart, however long that takes here.
    notify.edit(CONNECTOR, "max_delay: 30s, attempts: 6", "max_delay: 1s, attempts: 500");
    notify.server.start().await;
    notify.deploy();
    let reply = notify.alert("A-1", 0).await;
    assert_eq!(reply.status, 202, "{}", reply.shown());
    let run = reply.json()["run"].as_str().unwrap().to_owned();
    refused(&notify, &run).await;
    assert_eq!(chat.posted().len(), 0);
    notify.server.terminate();
    assert_eq!(notify.server.ended(PATIENCE).await.code(), Some(0));

    let bundle = notify.file("../authority.pem");
    fs::write(&bundle, &authority.pem).unwrap();
    notify.server.set("QC_CA_BUNDLE", bundle.to_str().unwrap());
    notify.server.start().await;
    assert_eq!(chat.hears(1).await, "critical: Disk is full");
    // The sender's repeat joins the run and hears that it ended well.
    let reply = notify.alert("A-1", 60).await;
    assert_eq!(
        (reply.status, &reply.headers["idempotency-replayed"]),
        (200, &"true".parse().unwrap())
    );
    assert_eq!(chat.posted().len(), 1);
}

/// Another authority's certificate, or one for another host, is as good as none.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_or_host_is_refused() {
    let (ours, others) = (Authority::new(), Authority::new());
    for pair in [others.certify("127.0.0.1"), ours.certify("chat.example")] {
        let chat = Chat::secured(pair.server()).await;
        let mut notify = Notify::calling(&format!("https://127.0.0.1:{}", chat.port));
        notify.edit(CONNECTOR, "max_delay: 30s, attempts: 6", "max_delay: 1s, attempts: 500");
        let bundle = notify.file("../authority.pem");
        fs::write(&bundle, &ours.pem).unwrap();
        notify.server.set("QC_CA_BUNDLE", bundle.to_str().unwrap());
        notify.server.start().await;
        notify.deploy();
        let run = notify.alert("A-1", 0).await.json()["run"].as_str().unwrap().to_owned();
        refused(&notify, &run).await;
        assert_eq!(chat.posted().len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_holds_no_certificate_is_told_at_the_start() {
    let mut notify = Notify::calling("https://127.0.0.1:9");
    for (text, word) in
        [("nothing of the kind", "no certificate in the file"), ("", "no certificate in the file")]
    {
        let bundle = notify.file("../authority.pem");
        fs::write(&bundle, text).unwrap();
        notify.server.set("QC_CA_BUNDLE", bundle.to_str().unwrap());
        notify.server.spawn();
        let status = notify.server.ended(PATIENCE).await;
        let said = notify.server.log_end();
        assert_eq!(status.code(), Some(2), "{said}");
        assert!(said.contains(word), "{said}");
    }
}

/// Waits for an attempt that failed for its TLS, as `qc tail` tells it: there is one about each
/// second, and lines of attempts to come between them.
async fn refused(notify: &Notify, run: &str) {
    let mut command = notify.server.command();
    command.args(["tail", "--run", run]);
    let tail = Process::spawn(command, Path::new("/dev/null"));
    tail.says("TLS").await;
}
