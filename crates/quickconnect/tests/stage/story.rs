//! The example's story, set up: its project pointed at the systems of this process, its secrets, its server.

use std::path::Path;

use tempfile::TempDir;

use super::{
    project::{copy, example, replace, secret},
    server::Server,
    signing,
    systems::{API_KEY, CHAT_TOKEN, CLIENT, Systems},
};

/// Everything that the story needs; gone with this value, but for what is still kept.
pub(crate) struct Story {
    pub(crate) systems: Systems,
    pub(crate) server: Server,
    folder: Option<TempDir>,
}

impl Story {
    /// Sets the stage; no server runs yet.
    pub(crate) async fn set(seed: u64, rough: bool) -> Self {
        Self::doctored(seed, rough, |_| {}).await
    }

    /// Sets the stage with a project that was changed before anybody reads it.
    pub(crate) async fn doctored(seed: u64, rough: bool, doctor: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("project");
        copy(&example(), &project);
        doctor(&project);
        let systems = Systems::start(&project, folder.path().join("ledgers"), seed, rough).await;
        for ((_, address), written) in systems.addresses().into_iter().zip(["7101", "7102", "7103"])
        {
            replace(
                &project.join("quickconnect.yaml"),
                &format!("http://127.0.0.1:{written}"),
                &address,
            );
        }
        let server = Server::new(folder.path());
        for (name, value) in [
            ("tracker/client_id", CLIENT.0),
            ("tracker/client_secret", CLIENT.1),
            ("crm/api_key", API_KEY),
            ("chat/token", CHAT_TOKEN),
            ("crm/webhook", &signing::secret()),
        ] {
            secret(&server.secrets(), "sandbox", name, value);
        }
        Self { systems, server, folder: Some(folder) }
    }

    /// Starts the server and deploys the example's release.
    pub(crate) async fn deploy(&mut self) {
        self.server.start().await;
        let built = self.server.told(&["release", "build", "--folder", "project"]);
        let release = built["release"].as_str().expect("the release's hash").to_owned();
        self.server.well(&["deploy", "sandbox", &release]);
    }

    /// Keeps the folder for whoever looks into a failure; where it is.
    pub(crate) fn keep(&mut self) -> String {
        match self.folder.take() {
            Some(folder) => folder.keep().display().to_string(),
            None => self.server.folder.display().to_string(),
        }
    }
}
