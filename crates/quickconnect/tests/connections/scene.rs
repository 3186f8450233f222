//! The template `notify` whose chat wants the token of a connection.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    notify::{CONNECTOR, Notify},
    provider::{Manner, Provider},
    stage::{http::Line, process::PATIENCE, project::secret, server::Server},
};

const USUAL: &str = "  bearer: {token: \"secret://chat/token\"}";

/// Of tokens that outlive the test.
pub(crate) const LONG: Manner =
    Manner { life: Duration::from_secs(3600), grace: true, ends_old: false };

/// The project, its server and the provider.
pub(crate) struct Scene {
    pub(crate) notify: Notify,
    pub(crate) provider: Provider,
}

impl Scene {
    /// Set, and not started.
    pub(crate) async fn set(manner: Manner) -> Self {
        let provider = Provider::start(manner).await;
        let mut notify = Notify::calling(&format!("http://127.0.0.1:{}", provider.port));
        let grace = if manner.grace { "grace: 120s, " } else { "" };
        let auth = format!(
            "  oauth2_refresh_token: {{refresh_token: \"secret://chat/token\", \
             token_url: \"http://127.0.0.1:{}/token\", client_id: qc, auth_method: none, \
             rotating: true, {grace}probe: {{operation: listChannels}}}}",
            provider.port
        );
        notify.edit(CONNECTOR, USUAL, &auth);
        notify.server.turn_vault_on();
        secret(&notify.server.secrets(), "sandbox", "chat/token", "seed");
        Self { notify, provider }
    }

    /// Set, started and deployed.
    pub(crate) async fn play(manner: Manner) -> Self {
        let mut scene = Self::set(manner).await;
        scene.notify.server.start().await;
        scene.notify.deploy();
        scene
    }

    /// Another refresh token in place of the one that was brought.
    pub(crate) fn bring(&self, refresh: &str) {
        self.provider.begin_anew(refresh);
        let file = self.notify.server.secrets().join("sandbox/chat/token");
        let beside = file.with_extension("new");
        fs::write(&beside, refresh).unwrap();
        fs::rename(&beside, &file).unwrap();
    }

    /// An alert whose run ends well at once.
    pub(crate) async fn told(&self, id: &str) {
        let reply = self.notify.alert(id, 30).await;
        assert_eq!(reply.status, 200, "{id}: {}\n{}", reply.shown(), self.notify.server.log_end());
        assert!(self.provider.posted().contains(&id.to_owned()));
    }
}

/// How the connection stands, as this server sees it.
pub(crate) async fn chat(server: &Server) -> Value {
    server.ask("/api/v1/connections/sandbox/chat").await
}

/// Has its tokens renewed; the status and the answer.
pub(crate) async fn rotate(server: &Server) -> (u16, Value) {
    let of = json!({ "environment": "sandbox", "name": "chat" });
    let reply = server.post("/api/v1/connections/rotate", &of).await;
    (reply.status, reply.json())
}

/// Sends alerts over lines of their own, and waits for none of the runs; their ids.
pub(crate) async fn alerts(scene: &Scene, ports: &[u16], count: usize) -> Vec<String> {
    const LINES: usize = 16;
    let lines = (0..LINES).map(|nth| async move {
        let mut line = Line::to(ports[nth % ports.len()]);
        let mut sent = Vec::new();
        for number in (nth..count).step_by(LINES) {
            let id = format!("A-{number}");
            let reply = scene.notify.alert_over(&mut line, &id, 0).await;
            assert_eq!(reply.status, 202, "{}", reply.shown());
            sent.push(id);
        }
        sent
    });
    futures_util::future::join_all(lines).await.concat()
}

/// Waits until all of these were posted, each once.
pub(crate) async fn all_posted(scene: &Scene, mut ids: Vec<String>, limit: Duration) {
    let began = Instant::now();
    ids.sort_unstable();
    loop {
        let mut posted = scene.provider.posted();
        posted.retain(|id| ids.binary_search(id).is_ok());
        posted.sort_unstable();
        if posted == ids {
            return;
        }
        assert!(
            began.elapsed() < limit,
            "{} of {} posted\n{}",
            posted.len(),
            ids.len(),
            scene.notify.server.log_end()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until this holds.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "{what} does not come");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
