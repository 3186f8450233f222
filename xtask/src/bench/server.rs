//! The release binary under test: started on a fresh store, with the benchmark's project deployed.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{event, load::Shot};

/// The integrations of the benchmark's project.
const INTEGRATIONS: [&str; 6] =
    ["accept", "one-call", "five-calls", "waiting", "refused", "let-in"];
/// How long a server may take to get ready, or to get its share of the runs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a server keeps what it has.
pub(crate) enum Store {
    /// In its own folder.
    Sqlite,
    /// In this database.
    Postgres(String),
}

/// A running `qc serve`; it ends with this value.
pub(crate) struct Server {
    addr: SocketAddr,
    token: String,
    place: Place,
    process: Option<Process>,
}

/// What a node has of its own, and what it shares.
#[derive(Clone)]
struct Place {
    folder: Arc<tempfile::TempDir>,
    store: String,
    node: usize,
}

impl Server {
    /// A server with the project built and deployed.
    pub(crate) fn deployed(echo: SocketAddr, store: Store) -> io::Result<Self> {
        let store = match store {
            Store::Sqlite => "sqlite".to_owned(),
            Store::Postgres(url) => url,
        };
        let place = Place { folder: Arc::new(tempfile::tempdir()?), store, node: 1 };
        let from = xtask::root().join("xtask/src/bench/project");
        copy(&from, &place.folder.path().join("project"), echo)?;
        let addr = free()?;
        let process = place.launch(addr)?;
        place.until_ready(addr)?;
        let token = place.token()?;
        for integration in INTEGRATIONS {
            let built = place.qc(&["--json", "release", "build", integration])?;
            let built: serde_json::Value =
                serde_json::from_str(&built).map_err(io::Error::other)?;
            let hash =
                find_hash(&built).ok_or_else(|| io::Error::other(format!("no hash in {built}")))?;
            place.qc(&["deploy", "sandbox", &hash])?;
        }
        Ok(Self { addr, token, place, process: Some(process) })
    }

    /// Another node of the same store.
    pub(crate) fn beside(&self, node: usize) -> io::Result<Self> {
        let place = Place { node, ..self.place.clone() };
        let addr = free()?;
        let process = place.launch(addr)?;
        place.until_ready(addr)?;
        Ok(Self { addr, token: self.token.clone(), place, process: Some(process) })
    }

    /// Waits until each of them has its share of the runs.
    pub(crate) fn share_evenly(nodes: &[Self]) -> io::Result<()> {
        let share = 64 / nodes.len() as u64;
        let patience = Instant::now() + PATIENCE;
        for node in nodes {
            while node.groups()? < share {
                if Instant::now() > patience {
                    return Err(io::Error::other("the nodes do not share the runs"));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    fn groups(&self) -> io::Result<u64> {
        let head = format!("authorization: Bearer {}\r\n", self.token);
        let answer = ask(self.addr, "/api/v1/server", &head)?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let body: serde_json::Value = serde_json::from_str(body).map_err(io::Error::other)?;
        body["groups"].as_u64().ok_or_else(|| io::Error::other("it does not say how many groups"))
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        if let Some(mut process) = self.process.take() {
            process.0.kill()?;
            process.0.wait()?;
        }
        Ok(())
    }

    /// Ends it, if it runs, and starts it anew; from the start of the process to its first ready
    /// answer.
    pub(crate) fn start_again(&mut self) -> io::Result<Duration> {
        drop(self.process.take());
        let began = Instant::now();
        self.process = Some(self.place.launch(self.addr)?);
        self.place.until_ready(self.addr)?;
        Ok(began.elapsed())
    }

    /// A shot at a trigger of the project.
    pub(crate) fn shot(&self, integration: &str, wait: bool) -> Shot {
        let prefer = if wait { "prefer: wait=30\r\n" } else { "" };
        Shot {
            addr: self.addr,
            head: format!(
                "POST /in/sandbox/{integration}/in HTTP/1.1\r\nhost: qc\r\nauthorization: Bearer {}\r\n\
                 content-type: application/json\r\n{prefer}",
                self.token
            ),
            body: event(),
            expect: if wait { 200 } else { 202 },
        }
    }

    /// The process's resident memory in MiB.
    pub(crate) fn resident_mib(&self) -> Option<f64> {
        let id = self.process.as_ref()?.0.id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kib / 1024.0)
    }
}

impl Place {
    fn log(&self) -> PathBuf {
        self.folder.path().join(format!("log-{}", self.node))
    }

    fn context(&self) -> PathBuf {
        self.folder.path().join(format!("context-{}.json", self.node))
    }

    fn command(&self) -> Command {
        let folder = self.folder.path();
        let mut command = Command::new(xtask::root().join("target/release/qc"));
        command
            .current_dir(folder.join("project"))
            .env("QC_CONTEXT", self.context())
            .env("QC_DATA_DIR", folder.join(format!("data-{}", self.node)))
            .env("QC_NODE", format!("node-{}", self.node))
            .env("QC_STORE", &self.store)
            .env("QC_LOG_LEVEL", "warn");
        command
    }

    fn launch(&self, addr: SocketAddr) -> io::Result<Process> {
        self.command()
            .arg("serve")
            .env("QC_LISTEN", addr.to_string())
            .stdout(Stdio::null())
            .stderr(fs::File::options().create(true).append(true).open(self.log())?)
            .spawn()
            .map(Process)
    }

    fn qc(&self, arguments: &[&str]) -> io::Result<String> {
        let done = self.command().args(arguments).output()?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        Err(io::Error::other(format!(
            "qc {}: {}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        )))
    }

    fn until_ready(&self, addr: SocketAddr) -> io::Result<()> {
        let patience = Instant::now() + PATIENCE;
        while Instant::now() < patience {
            if ask(addr, "/readyz", "").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        Err(io::Error::other(format!("the server does not get ready: {log}")))
    }

    /// The token that the first server of a store makes.
    fn token(&self) -> io::Result<String> {
        let context: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(self.context())?).map_err(io::Error::other)?;
        Ok(context["token"].as_str().unwrap_or_default().to_owned())
    }
}

/// A process that ends with this value, also when something goes wrong on the way.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        // Ended by its own id; what it had left to say is in its log.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

fn free() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

fn ask(addr: SocketAddr, path: &str, head: &str) -> io::Result<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(addr)?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: qc\r\n{head}connection: close\r\n\r\n");
    let mut answer = String::new();
    stream.write_all(request.as_bytes())?;
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The release's hash, wherever the answer's shape has it.
fn find_hash(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => {
            (text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.clone())
        }
        serde_json::Value::Array(items) => items.iter().find_map(find_hash),
        serde_json::Value::Object(entries) => entries.values().find_map(find_hash),
        _ => None,
    }
}

fn copy(from: &Path, to: &Path, echo: SocketAddr) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target, echo)?;
        } else {
            let text = fs::read_to_string(&path)?.replace("@ECHO_URL@", &format!("http://{echo}"));
            fs::write(target, text)?;
        }
    }
    Ok(())
}
