use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use tempfile::TempDir;

use crate::programs::{Programs, run};

/// The superuser of every server.
pub const USER: &str = "postgres";
/// Its password: harmless in a URL, and easy to find where it must not be.
pub const PASSWORD: &str = "tell-nobody";

/// Stops the server and removes its folder when the tests' process is gone and its end of the pipe
/// with it: also after a panic in a static, an abort or a kill.
const KEEPER: &str = r#"trap '' INT TERM HUP
cat >/dev/null
"$@" >/dev/null 2>&1
rm -rf "$QC_PGSERVER_FOLDER""#;

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    programs: Programs,
    folder: PathBuf,
    port: u16,
    databases: AtomicUsize,
    keeper: Child,
    /// Closing it is the keeper's sign.
    pipe: Option<ChildStdin>,
}

impl Server {
    pub(crate) fn start(programs: Programs, settings: &[&str]) -> Self {
        let folder = TempDir::with_prefix("qc-pgserver-").expect("a temporary folder").keep();
        programs.give(&folder);
        let password = folder.join("password");
        fs::write(&password, PASSWORD).expect("the folder can be written");
        programs.give(&password);
        let data = folder.join("data");
        run(programs
            .command("initdb")
            .args(["--encoding=UTF8", "--auth=scram-sha-256", "--no-sync", "--username", USER])
            .arg("--pwfile")
            .arg(&password)
            .arg("--pgdata")
            .arg(&data));
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .args(words(programs.command("pg_ctl").args(stop_words("immediate")).arg(&data)))
            .env("QC_PGSERVER_FOLDER", &folder)
            .stdin(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let pipe = keeper.stdin.take();
        let port = free_port();
        let databases = AtomicUsize::new(0);
        let server = Self { programs, folder, port, databases, keeper, pipe };
        server.configure(settings);
        server.go_on();
        server
    }

    fn configure(&self, settings: &[&str]) {
        let folder = self.folder.display();
        let own = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{folder}'\n\
             max_connections = 200\nshared_buffers = 64MB\n",
            self.port
        );
        let path = self.data().join("postgresql.conf");
        let before = fs::read_to_string(&path).expect("initdb has written it");
        fs::write(&path, format!("{before}\n{own}{}\n", settings.join("\n")))
            .expect("the settings can be written");
    }

    /// The folder of the database cluster.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The folder of the server's socket.
    pub fn socket_folder(&self) -> &Path {
        &self.folder
    }

    /// The port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it after [`Server::stop`], and returns when it answers.
    pub fn go_on(&self) {
        let log = self.folder.join("log");
        // A file, not a pipe: the server lives on, and so would the pipe.
        let said = File::create(self.folder.join("pg_ctl")).expect("the folder can be written");
        let status = self
            .programs
            .command("pg_ctl")
            .args(["start", "--wait", "--silent", "--log"])
            .arg(&log)
            .arg("--pgdata")
            .arg(self.data())
            .stdin(Stdio::null())
            .stderr(said.try_clone().expect("a file"))
            .stdout(said)
            .status()
            .expect("pg_ctl runs");
        let shown = fs::read_to_string(&log).unwrap_or_default();
        assert!(status.success(), "the server does not start:\n{shown}");
    }

    /// Stops it: `immediate` as a crash would, `fast` with its connections cut.
    pub fn stop(&self, mode: &str) {
        let mut stop = self.programs.command("pg_ctl");
        run(stop.args(stop_words(mode)).arg(self.data()));
    }

    /// Lets the server read its settings again, with these lines added.
    pub fn reload(&self, settings: &[&str]) {
        self.configure(settings);
        run(self.programs.command("pg_ctl").args(["reload", "--pgdata"]).arg(self.data()));
    }

    /// Puts a file where the server can read it and nobody else.
    pub fn put(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, content).expect("the folder can be written");
        run(Command::new("chmod").arg("600").arg(&path));
        self.programs.give(&path);
        path
    }

    /// A new database, by name.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        self.url_at(self.port, database)
    }

    /// The URL of a database by way of another port.
    pub fn url_at(&self, port: u16, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/{database}")
    }

    /// Runs SQL as the superuser; what it prints, without decoration.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = self.programs.command("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--command", sql])
            .env("PGPASSWORD", PASSWORD)
            .arg(self.url(database));
        run(&mut psql).trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.pipe.take());
        drop(self.keeper.wait());
    }
}

fn stop_words(mode: &str) -> [&str; 5] {
    ["stop", "--silent", "--mode", mode, "--pgdata"]
}

/// A command as its words, for a program that runs it later.
fn words(command: &Command) -> Vec<std::ffi::OsString> {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(std::ffi::OsStr::to_owned)
        .collect()
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
