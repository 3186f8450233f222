//! The server as a child process, and the program's other verbs.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Method;
use rustix::process::Signal;
use serde_json::Value;

use super::{
    http::{Line, Reply},
    port::Port,
    process::{PATIENCE, Process},
};

/// A server's places; its process may come and go.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) folder: PathBuf,
    /// Where its database is; `folder/data` when nothing else is said.
    pub(crate) data: PathBuf,
    log: PathBuf,
    settings: Vec<(String, String)>,
    process: Option<Process>,
    _port: Port,
}

impl Server {
    pub(crate) fn new(folder: &Path) -> Self {
        let port = Port::reserve();
        Self {
            port: port.number,
            _port: port,
            folder: folder.to_owned(),
            data: folder.join("data"),
            log: folder.join("server.log"),
            settings: Vec::new(),
            process: None,
        }
    }

    /// Another server on the same stage, with places of its own.
    pub(crate) fn beside(&self, name: &str) -> Self {
        let mut other = Self::new(&self.folder);
        other.data = self.folder.join(name);
        other.log = self.folder.join(format!("{name}.log"));
        other
    }

    pub(crate) fn set(&mut self, variable: &str, value: &str) {
        self.settings.push((variable.to_owned(), value.to_owned()));
    }

    /// Gives it a key for its vault, the same for all servers of the stage.
    pub(crate) fn turn_vault_on(&mut self) {
        let path = self.folder.join("kek");
        std::fs::write(&path, STANDARD.encode([7; 32])).unwrap();
        #[cfg(unix)]
        let () =
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
                .unwrap();
        self.set("QC_VAULT_KEY", &format!("file:{}", path.display()));
    }

    pub(crate) fn secrets(&self) -> PathBuf {
        self.folder.join("secrets")
    }

    /// The program, with this server's settings.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qc"));
        command
            .env_clear()
            .env("HOME", &self.folder)
            .env("PATH", "/usr/bin:/bin")
            .env("QC_CONTEXT", self.folder.join("context.json"))
            .env("QC_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("QC_DATA_DIR", &self.data)
            .env("QC_SECRETS_DIR", self.secrets())
            .env("QC_LOG_FORMAT", "text")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        command
    }

    /// Runs another verb of the program to its end.
    pub(crate) fn qc(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// Runs a verb that must go well; what it prints.
    pub(crate) fn well(&self, arguments: &[&str]) -> String {
        let output = self.qc(arguments);
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (shown(&output.stdout), shown(&output.stderr));
        assert!(output.status.success(), "qc {arguments:?}: {}\n{out}{err}", output.status);
        out
    }

    /// Runs a verb that must go well, for its JSON.
    pub(crate) fn told(&self, arguments: &[&str]) -> Value {
        let text = self.well(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("qc {arguments:?}: {error}: {text}"))
    }

    /// Starts the process; it may not be ready yet.
    pub(crate) fn spawn(&mut self) {
        self.spawn_verb(&["serve"]);
    }

    /// Starts a verb that serves, such as `dev`.
    pub(crate) fn spawn_verb(&mut self, arguments: &[&str]) {
        assert!(self.process.is_none(), "it runs already");
        let mut command = self.command();
        command.args(arguments);
        self.process = Some(Process::spawn(command, &self.log_file()));
    }

    /// The process, which runs.
    pub(crate) fn process(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }

    /// Waits until the process serves.
    pub(crate) async fn ready(&self) {
        self.process().says(" on http").await;
    }

    pub(crate) async fn start(&mut self) {
        self.spawn();
        self.ready().await;
    }

    /// Ends the process at once (SIGKILL), and sees that it is gone.
    pub(crate) fn kill(&mut self) {
        if let Some(status) = self.process.take().expect("it runs").kill() {
            panic!("the server had ended by itself: {status}\n{}", self.log_end());
        }
    }

    /// Asks the process to end (SIGTERM).
    pub(crate) fn terminate(&self) {
        self.process().signal(Signal::TERM);
    }

    /// Has the process stand still.
    pub(crate) fn freeze(&self) {
        self.process().signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.process().signal(Signal::CONT);
    }

    /// Waits for the process's own end.
    pub(crate) async fn ended(&mut self, limit: Duration) -> ExitStatus {
        self.process.take().expect("it runs").ended(limit).await
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.log.clone()
    }

    /// The log's last lines, for a failing test's message.
    pub(crate) fn log_end(&self) -> String {
        let text = std::fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    pub(crate) fn token(&self) -> String {
        let text = std::fs::read_to_string(self.folder.join("context.json")).unwrap();
        let context: Value = serde_json::from_str(&text).unwrap();
        context["token"].as_str().unwrap().to_owned()
    }

    /// Asks the management API for text.
    pub(crate) async fn ask_text(&self, path: &str) -> String {
        String::from_utf8(self.asked(path).await.body.to_vec()).unwrap()
    }

    /// Asks the management API.
    pub(crate) async fn ask(&self, path: &str) -> Value {
        self.asked(path).await.json()
    }

    async fn asked(&self, path: &str) -> Reply {
        let headers = [("authorization", format!("Bearer {}", self.token()))];
        let reply =
            Line::to(self.port).send(Method::GET, path, &headers, Bytes::new()).await.unwrap();
        assert_eq!(reply.status, 200, "{path}: {}", reply.shown());
        reply
    }

    /// Has the management API do something.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        let headers = [
            ("authorization", format!("Bearer {}", self.token())),
            ("content-type", "application/json".to_owned()),
        ];
        let body = Bytes::from(body.to_string());
        Line::to(self.port).send(Method::POST, path, &headers, body).await.unwrap()
    }

    /// All entries of a list of the management API.
    pub(crate) async fn ask_all(&self, path: &str) -> Vec<Value> {
        let began = Instant::now();
        let mut all: Vec<Value> = Vec::new();
        let mut next = String::new();
        while began.elapsed() < PATIENCE {
            let mark = if path.contains('?') { '&' } else { '?' };
            let page = self.ask(&format!("{path}{mark}limit=500{next}")).await;
            all.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(before) => next = format!("&before={before}"),
                None => return all,
            }
        }
        panic!("{path} has no end");
    }
}
