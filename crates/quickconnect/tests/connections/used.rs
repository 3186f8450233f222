//! Runs use a connection: one refresh for all of them, none that fails while tokens are renewed.

use std::time::Duration;

use serde_json::json;

use crate::{
    provider::{Manner, Mood},
    scene::{LONG, Scene, alerts, all_posted, chat, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_runs_on_an_ended_token_are_one_refresh() {
    let short = Manner { life: Duration::from_secs(3), ..LONG };
    let scene = Scene::play(short).await;
    scene.told("before").await;
    // Short lives until then: the server, which tends its connections, may renew this token meanwhile.
    until("the token's end", async || chat(&scene.notify.server).await["usable"] == false).await;
    let asked = scene.provider.asked();
    scene.provider.behave(LONG);
    scene.provider.next([Mood::Waits]);
    let ports = [scene.notify.server.port];
    // The answer comes when calls wait for it.
    let ids = tokio::join!(alerts(&scene, &ports, 1000), async {
        scene.provider.is_asked(asked + 1).await;
        scene.provider.open();
    })
    .0;
    all_posted(&scene, ids, Duration::from_secs(120)).await;
    assert_eq!((scene.provider.asked(), scene.provider.refused()), (asked + 1, 0));
}

/// New tokens end those before at once, as some providers have it: a call that is under way is refused, and goes again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_drill_under_load_fails_no_call() {
    let scene = Scene::play(Manner { ends_old: true, ..LONG }).await;
    scene.told("before").await;
    let server = &scene.notify.server;
    let ports = [server.port];
    let drilling = async {
        let mut command = server.command();
        command.args(["conn", "drill", "sandbox", "chat", "--for", "6s", "--rate", "20", "--json"]);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), serde_json::from_str::<serde_json::Value>(&shown).unwrap())
    };
    let ((code, drill), ids) = tokio::join!(drilling, alerts(&scene, &ports, 300));
    assert_eq!((code, &drill["state"]), (Some(0), &json!("passed")), "{drill}");
    assert_eq!((&drill["failures"], &drill["refreshes"]), (&json!(0), &json!(2)), "{drill}");
    assert!(drill["requests"].as_u64().unwrap() > 50, "{drill}");
    all_posted(&scene, ids, Duration::from_secs(60)).await;
    let dead = server.told(&["dlq", "list"]);
    assert_eq!(dead["items"], json!([]), "{dead}");
    // A drill that fails says so.
    scene.provider.away(true);
    let failed = server.qc(&["conn", "drill", "sandbox", "chat", "--for", "5s", "--json"]);
    let drill: serde_json::Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!((failed.status.code(), &drill["state"]), (Some(100), &json!("failed")), "{drill}");
    assert_eq!(drill["failures"], drill["requests"]);
    scene.provider.away(false);
    let metrics = server.ask_text("/metrics").await;
    let mark = "qc_token_expires_seconds{environment=\"sandbox\",connection=\"chat\"} ";
    until("the metric", async || server.ask_text("/metrics").await.contains(mark)).await;
    drop(metrics);
    let rows = server.ask("/api/v1/ledger?kind=audit&limit=500").await;
    let outcomes: Vec<_> =
        rows["items"].as_array().unwrap().iter().map(|row| row["outcome"].clone()).collect();
    for outcome in ["drill begun", "drill passed", "drill failed"] {
        assert!(outcomes.contains(&json!(outcome)), "{outcome}: {outcomes:?}");
    }
}

/// A call that lacks scopes waits, and only that: its token is good, so that neither the one before is tried nor a new one
/// asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn missing_scopes_park_what_needs_them_and_nothing_else() {
    let scene = Scene::play(LONG).await;
    let server = &scene.notify.server;
    scene.told("before").await;
    // Within the overlap of two tokens.
    assert_eq!(crate::scene::rotate(server).await.0, 200);
    scene.provider.bar(Some("admin"));
    let reply = scene.notify.alert("admin-1", 0).await;
    assert_eq!(reply.status, 202, "{}", reply.shown());
    let parked = async || server.ask_all("/api/v1/runs?status=parked").await;
    until("the parking", async || !parked().await.is_empty()).await;
    assert!(parked().await[0]["summary"].as_str().unwrap().contains("QC-N306"));
    assert_eq!(scene.provider.turned_away(), ["access-2"]);
    assert_eq!(chat(server).await["state"], "scope_drift");
    scene.told("other").await;
    assert_eq!(scene.provider.asked(), 2);
    // Once it is granted more, the run goes on.
    scene.provider.bar(None);
    assert_eq!(crate::scene::rotate(server).await.0, 200);
    all_posted(&scene, vec!["admin-1".to_owned()], Duration::from_secs(10)).await;
    assert_eq!(chat(server).await["state"], "active");
}
