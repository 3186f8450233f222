//! A RabbitMQ of the test's own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{certificates::Authority, say, stage::port::Port, stage::wish};

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(90);
/// Whom the broker runs as when the test runs as root.
const NOBODY: &str = "65534";

pub(crate) const USER: &str = "qc";
pub(crate) const PASSWORD: &str = "pass%word/1";
/// Virtual hosts, one for each part of the test.
pub(crate) const HOSTS: [&str; 5] = ["refusals", "kills", "restart", "routes", "secured"];

pub(crate) struct Rabbit {
    pub(crate) port: u16,
    /// Who vouches for it where it speaks TLS.
    pub(crate) authority: Authority,
    secured: u16,
    folder: TempDir,
    server: PathBuf,
    names: u16,
    distribution: u16,
    epmd: Child,
    broker: Option<Child>,
    /// Held, so that they stay its own while it restarts.
    _ports: [Port; 4],
}

/// The server's own script: the one in `/usr/sbin` insists on its own user.
fn find() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/rabbitmq/lib").ok()?;
    let scripts = versions.flatten().map(|version| version.path().join("sbin/rabbitmq-server"));
    scripts.into_iter().find(|script| script.exists())
}

impl Rabbit {
    /// None, said loudly, when there is no RabbitMQ here.
    pub(crate) async fn start() -> Option<Self> {
        let Some(server) = find() else {
            let needed = wish("QC_NEED_RABBITMQ", 0) != 0;
            assert!(!needed, "QC_NEED_RABBITMQ is set and there is no rabbitmq-server");
            say("SKIPPED: there is no RabbitMQ (Debian package rabbitmq-server)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        let everybody = |path: &Path| {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        };
        everybody(home);
        for name in ["home", "data", "log"] {
            fs::create_dir(home.join(name)).unwrap();
            everybody(&home.join(name));
        }
        let ports = [(); 4].map(|()| Port::reserve());
        let [port, secured, names, distribution] = ports.each_ref().map(|port| port.number);
        let hosts: Vec<_> = HOSTS.iter().map(|name| json!({ "name": name })).collect();
        let rights: Vec<_> = HOSTS
            .iter()
            .map(|vhost| {
                json!({ "user": USER, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*" })
            })
            .collect();
        let definitions = json!({
            "users": [{ "name": USER, "password": PASSWORD, "tags": "", "limits": {} }],
            "vhosts": hosts,
            "permissions": rights,
        });
        let file = home.join("definitions.json");
        fs::write(&file, definitions.to_string()).unwrap();
        let authority = Authority::new();
        let (certificate, key) = (home.join("chain.pem"), home.join("key.pem"));
        authority.certify("127.0.0.1").write(&certificate, &key);
        let settings = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\nlisteners.ssl.1 = 127.0.0.1:{secured}\n\
             ssl_options.certfile = {}\nssl_options.keyfile = {}\nssl_options.verify = verify_none\n\
             load_definitions = {}\nlog.console.level = warning\n",
            certificate.display(),
            key.display(),
            file.display()
        );
        fs::write(home.join("rabbitmq.conf"), settings).unwrap();
        fs::write(home.join("plugins"), "[].").unwrap();
        let mut epmd = unprivileged("epmd");
        let epmd = epmd
            .env("ERL_EPMD_PORT", names.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut rabbit = Self {
            port,
            authority,
            secured,
            folder,
            server,
            names,
            distribution,
            _ports: ports,
            epmd,
            broker: None,
        };
        rabbit.go().await;
        Some(rabbit)
    }

    /// Starts the broker's process and waits until it takes connections.
    pub(crate) async fn go(&mut self) {
        let home = self.folder.path();
        let log = fs::File::create(home.join("out.log")).unwrap();
        let child = unprivileged(self.server.to_str().unwrap())
            .env("HOME", home.join("home"))
            // In the foreground and without a shell: the child is the broker itself.
            .env("RUNNING_UNDER_SYSTEMD", "1")
            .env("ERL_EPMD_PORT", self.names.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("qc-test-{}@localhost", self.port))
            .env("RABBITMQ_DIST_PORT", self.distribution.to_string())
            .env("RABBITMQ_MNESIA_BASE", home.join("data"))
            .env("RABBITMQ_LOG_BASE", home.join("log"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_CONFIG_FILE", home.join("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", home.join("none.config"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", home.join("plugins"))
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
            )
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.broker = Some(child);
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            let ended = self.broker.as_mut().unwrap().try_wait().unwrap();
            if ended.is_some() || began.elapsed() > START {
                let said = fs::read_to_string(home.join("out.log")).unwrap_or_default();
                panic!("RabbitMQ does not start ({ended:?}):\n{said}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Has the broker end in order: what it answered for is on its disk. (Killed, it forgets queues that were just made.)
    pub(crate) async fn stop(&mut self) {
        let Some(mut broker) = self.broker.take() else { return };
        let process = i32::try_from(broker.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(process, Signal::TERM).unwrap();
        let ended = tokio::task::spawn_blocking(move || broker.wait());
        tokio::time::timeout(START, ended).await.unwrap().unwrap().unwrap();
    }

    /// Ends the broker's process at once.
    fn kill(&mut self) {
        if let Some(mut broker) = self.broker.take() {
            broker.kill().unwrap();
            broker.wait().unwrap();
        }
    }

    /// The address of a virtual host, credentials included.
    pub(crate) fn url(&self, host: &str) -> String {
        Self::address("amqp", self.port, host)
    }

    /// The same over TLS.
    pub(crate) fn secured_url(&self, host: &str) -> String {
        Self::address("amqps", self.secured, host)
    }

    fn address(scheme: &str, port: u16, host: &str) -> String {
        let password = PASSWORD.replace('%', "%25").replace('/', "%2F");
        format!("{scheme}://{USER}:{password}@127.0.0.1:{port}/{host}")
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        self.kill();
        drop(self.epmd.kill());
        drop(self.epmd.wait());
    }
}

/// A command that runs without rights, also when the test runs as root.
fn unprivileged(program: &str) -> Command {
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", program]);
        command
    } else {
        Command::new(program)
    };
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
    command
}
