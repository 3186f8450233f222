//! The template `notify` with its chat at an address of ours: one event in, one call out.

use std::{fs, path::PathBuf};

use bytes::Bytes;
use http::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::stage::{
    http::{Line, Reply},
    project::{replace, secret},
    server::Server,
};

const USUAL_CHAT: &str = "http://127.0.0.1:7201";
pub(crate) const CONNECTOR: &str = "connectors/chat/connector.yaml";
pub(crate) const WORKFLOW: &str = "integrations/notify/workflow.yaml";

/// The project, and a server for it.
pub(crate) struct Notify {
    pub(crate) server: Server,
    folder: TempDir,
}

impl Notify {
    /// Makes the project; its sandbox calls the chat at this address.
    pub(crate) fn calling(chat: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::new(folder.path());
        server.well(&["init", "mine", "--template", "notify"]);
        replace(&folder.path().join("mine/quickconnect.yaml"), USUAL_CHAT, chat);
        secret(&server.secrets(), "sandbox", "chat/token", "chat-token");
        Self { server, folder }
    }

    /// A file of the project.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join("mine").join(path)
    }

    /// Replaces a text in one of the project's files as editors do: at once.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let file = self.file(path);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{path} does not hold `{from}`");
        let beside = self.folder.path().join("edited");
        fs::write(&beside, text.replace(from, to)).unwrap();
        fs::rename(&beside, &file).unwrap();
    }

    /// Deploys the project on the server, which runs.
    pub(crate) fn deploy(&self) {
        let built = self.server.told(&["release", "build", "notify", "--folder", "mine"]);
        self.server.well(&["deploy", "sandbox", built["release"].as_str().unwrap()]);
    }

    /// Sends an alert, and waits for its run's end, at most so many seconds; 0: does not wait.
    pub(crate) async fn alert(&self, id: &str, wait: u32) -> Reply {
        let mut line = Line::to(self.server.port);
        self.alert_over(&mut line, id, wait).await
    }

    /// The same over a connection that is there.
    pub(crate) async fn alert_over(&self, line: &mut Line, id: &str, wait: u32) -> Reply {
        let body = json!({ "alert_id": id, "title": "Disk is full", "level": "critical" });
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("authorization", format!("Bearer {}", self.server.token())),
            ("prefer", format!("wait={wait}")),
        ];
        let body = Bytes::from(body.to_string());
        line.send(Method::POST, "/in/sandbox/notify/alert", &headers, body).await.unwrap()
    }
}
