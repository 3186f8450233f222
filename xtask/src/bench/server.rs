//! The release binary under test: started on a fresh store, with the benchmark's project deployed.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{event, load::Shot};

/// The integrations of the benchmark's project.
const INTEGRATIONS: [&str; 3] = ["accept", "one-call", "five-calls"];

/// A running `qc serve`; it ends with this value.
pub(crate) struct Server {
    /// From the start of the process to its first ready answer, with the releases deployed.
    pub(crate) started_in: Duration,
    addr: SocketAddr,
    token: String,
    process: Process,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Builds and deploys the project, then starts the server anew and waits until it is ready.
    pub(crate) fn start(echo: SocketAddr) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let project = folder.path().join("project");
        copy(&xtask::root().join("xtask/src/bench/project"), &project, echo)?;
        let first = launch(folder.path())?;
        let (addr, _) = ready(folder.path())?;
        for integration in INTEGRATIONS {
            let built = qc(folder.path(), &["--json", "release", "build", integration])?;
            let built: serde_json::Value =
                serde_json::from_str(&built).map_err(io::Error::other)?;
            let hash =
                find_hash(&built).ok_or_else(|| io::Error::other(format!("no hash in {built}")))?;
            qc(folder.path(), &["deploy", "sandbox", &hash])?;
        }
        drop(first);
        let began = Instant::now();
        let process = launch(folder.path())?;
        // The second start takes another free port; the context file names the first one's.
        let (addr, token) = ready_at(folder.path(), addr)?;
        Ok(Self { started_in: began.elapsed(), addr, token, process, _folder: folder })
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
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kib / 1024.0)
    }
}

/// A process that ends with this value, also when something goes wrong on the way.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Ended by its own id; what it had left to say is in its log.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

fn binary() -> PathBuf {
    xtask::root().join("target/release/qc")
}

fn port_file(folder: &Path) -> PathBuf {
    folder.join("port")
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(binary());
    command
        .current_dir(folder.join("project"))
        .env("QC_CONTEXT", folder.join("context.json"))
        .env("QC_DATA_DIR", folder.join("data"))
        .env("QC_LOG_LEVEL", "warn");
    command
}

fn launch(folder: &Path) -> io::Result<Process> {
    let port = if let Ok(port) = fs::read_to_string(port_file(folder)) {
        port
    } else {
        let addr = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        fs::write(port_file(folder), addr.port().to_string())?;
        addr.port().to_string()
    };
    command(folder)
        .arg("serve")
        .env("QC_LISTEN", format!("127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(fs::File::options().create(true).append(true).open(folder.join("log"))?)
        .spawn()
        .map(Process)
}

fn qc(folder: &Path, arguments: &[&str]) -> io::Result<String> {
    let done = command(folder).args(arguments).output()?;
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

/// Waits until the server of a fresh store is ready: its address and the first token.
fn ready(folder: &Path) -> io::Result<(SocketAddr, String)> {
    let port = fs::read_to_string(port_file(folder))?;
    let addr = format!("127.0.0.1:{port}").parse().map_err(io::Error::other)?;
    ready_at(folder, addr)
}

fn ready_at(folder: &Path, addr: SocketAddr) -> io::Result<(SocketAddr, String)> {
    let patience = Instant::now() + Duration::from_secs(10);
    while Instant::now() < patience {
        if answers_ready(addr)
            && let Ok(text) = fs::read_to_string(folder.join("context.json"))
        {
            let context: serde_json::Value =
                serde_json::from_str(&text).map_err(io::Error::other)?;
            let token = context["token"].as_str().unwrap_or_default().to_owned();
            return Ok((addr, token));
        }
        std::thread::yield_now();
    }
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    Err(io::Error::other(format!("the server does not get ready: {log}")))
}

fn answers_ready(addr: SocketAddr) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = std::net::TcpStream::connect(addr) else { return false };
    let request = "GET /readyz HTTP/1.1\r\nhost: qc\r\nconnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
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
