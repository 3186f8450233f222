//! Three nodes over one database use one connection.

use std::time::{Duration, Instant};

use crate::{
    provider::{Manner, Mood},
    scene::{LONG, Scene, alerts, all_posted, chat, rotate, until},
    stage::server::Server,
};

/// What all that waited takes to go on, on all nodes, once there are tokens.
const GOES_ON: Duration = Duration::from_secs(10);

async fn parked(server: &Server) -> usize {
    server.ask_all("/api/v1/runs?status=parked").await.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_nodes_refresh_once_and_all_runs_go_on_when_it_is_mended() {
    let Some(postgres) = qc_pgserver::shared() else { return };
    let url = postgres.url(&postgres.database());
    let mut scene = Scene::set(Manner { life: Duration::from_secs(8), ..LONG }).await;
    let mut others = ["b", "c"].map(|name| scene.notify.server.beside(name));
    for (server, name) in
        std::iter::once(&mut scene.notify.server).chain(&mut others).zip(["a", "b", "c"])
    {
        server.set("QC_STORE", &url);
        server.set("QC_NODE", name);
        server.set("QC_LEASE_TTL", "3s");
    }
    for server in &mut others {
        server.turn_vault_on();
    }
    scene.notify.server.start().await;
    scene.notify.deploy();
    for server in &mut others {
        server.start().await;
    }
    let all = || std::iter::once(&scene.notify.server).chain(&others);
    for server in all() {
        until("a share of the runs", async || {
            server.ask("/api/v1/server").await["groups"].as_u64().is_some_and(|groups| groups > 15)
        })
        .await;
    }
    let ports: Vec<u16> = all().map(|server| server.port).collect();
    scene.told("before").await;
    // Short lives until then: a node that tends its connections may renew this token meanwhile.
    until("the token's end", async || chat(&scene.notify.server).await["usable"] == false).await;
    scene.provider.behave(LONG);
    let asked = scene.provider.asked();
    scene.provider.next([Mood::Waits]);
    let ids = tokio::join!(alerts(&scene, &ports, 150), async {
        scene.provider.is_asked(asked + 1).await;
        scene.provider.open();
    })
    .0;
    all_posted(&scene, ids, Duration::from_secs(90)).await;
    assert_eq!((scene.provider.asked(), scene.provider.refused()), (asked + 1, 0));

    // The provider ends it: runs of all nodes wait, and go on when somebody brings another refresh token.
    scene.provider.next([Mood::Revokes]);
    assert_ne!(rotate(&others[0]).await.0, 200);
    // Other nodes use what they read for two seconds more.
    for server in [&scene.notify.server, &others[0], &others[1]] {
        let of = serde_json::json!({ "environment": "sandbox", "name": "chat" });
        until("the end of the connection", async || {
            server.post("/api/v1/connections/test", &of).await.status != 200
        })
        .await;
        assert_eq!(chat(server).await["state"], "reauth_required");
    }
    let before = scene.provider.posted().len();
    let lines = ports.iter().enumerate().map(|(nth, port)| {
        let (port, scene) = (*port, &scene);
        async move {
            let mut line = crate::stage::http::Line::to(port);
            for number in 0..10 {
                let id = format!("W-{nth}-{number}");
                let reply = scene.notify.alert_over(&mut line, &id, 0).await;
                assert_eq!(reply.status, 202, "{}", reply.shown());
            }
        }
    });
    futures_util::future::join_all(lines).await;
    until("the parking of all", async || parked(&others[0]).await == 30).await;
    // Each looks again in vain, so that the next time is half a minute away.
    until("the second parking of all", async || {
        let path = "/api/v1/ledger?outcome=parked&limit=500";
        let rows = others[0].ask(path).await;
        let parked = |row: &&serde_json::Value| row["outcome"] == "parked";
        rows["items"].as_array().unwrap().iter().filter(parked).count() >= 60
    })
    .await;
    let asked = scene.provider.asked();
    scene.bring("brought");
    scene.provider.is_asked(asked + 1).await;
    let began = Instant::now();
    while scene.provider.posted().len() < before + 30 {
        assert!(
            began.elapsed() < GOES_ON,
            "{} of 30\n{}",
            scene.provider.posted().len() - before,
            scene.notify.server.log_end()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!scene.provider.was_reused());
    for server in [&scene.notify.server, &others[0], &others[1]] {
        heard(server).await;
    }
}

/// Waits until a node has had its own runs go on.
async fn heard(server: &Server) {
    until("the news", async || {
        let log = std::fs::read_to_string(server.log_file()).unwrap();
        log.contains("a connection works again; runs go on")
    })
    .await;
}
