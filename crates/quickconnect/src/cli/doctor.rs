use std::{net::TcpListener, path::Path, time::Duration};

use crate::cli::output::append;
use qc_engine::AdmissionLimits;
use qc_model::{Clock, Finding, Severity, Timestamp};
use qc_server::{
    TlsKeys,
    wire::{Deployment, Page, Server},
};
use qc_sql::postgres::{Dsn, ServerReport};
use qc_store::Durability;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Exit, Trouble, client::Client, session::Session};
use crate::{
    codes,
    config::{Config, SettingFlags, StoreKind},
    context, wiring,
};

/// Clocks that differ by more than this spoil signatures and tokens.
const SKEW: Duration = Duration::from_secs(5);
/// Less room than this is little.
const ROOM: u64 = 1 << 30;
/// A write-ahead log larger than this is not being taken over into the database.
const WAL: u64 = 512 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    settings: SettingFlags,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    name: &'static str,
    /// What was found, when all is well.
    detail: String,
    /// What is not well, each with a fix.
    findings: Vec<Finding>,
}

impl Check {
    fn well(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, detail: detail.into(), findings: Vec::new() }
    }

    /// Whether nothing is wrong with it.
    pub(super) fn is_well(&self) -> bool {
        self.findings.is_empty()
    }

    fn ill(name: &'static str, finding: Finding) -> Self {
        Self { name, detail: String::new(), findings: vec![finding] }
    }

    fn of(name: &'static str, detail: impl Into<String>, findings: Vec<Finding>) -> Self {
        Self { name, detail: detail.into(), findings }
    }
}

/// Looks at everything.
pub(super) async fn checks(session: &Session, settings: SettingFlags) -> Vec<Check> {
    let mut checks = Vec::new();
    match session.settings(settings.0) {
        Ok(config) => {
            checks.push(Check::well("settings", "all of them can be used"));
            here(&config, &mut checks).await;
        }
        Err(trouble) => checks.push(Check::of("settings", "", trouble.findings)),
    }
    if let Some(path) = session.context_path() {
        checks.push(match context::read(&path) {
            Ok(Some(context)) => {
                Check::well("context", format!("{} in {}", context.url, path.display()))
            }
            Ok(None) => Check::well("context", format!("no file {}", path.display())),
            Err(trouble) => Check::of("context", "", trouble.findings),
        });
    }
    if let Ok(client) = session.client() {
        server(&client, &mut checks).await;
    }
    checks
}

pub(super) async fn run(session: &Session, arguments: Arguments) -> Result<Exit, Trouble> {
    let checks = checks(session, arguments.settings).await;
    let ill =
        checks.iter().flat_map(|check| &check.findings).any(|f| f.severity == Severity::Error);
    let value =
        json!({ "schema_version": 1, "version": env!("CARGO_PKG_VERSION"), "checks": checks });
    session.output.result(&value, || checks.iter().map(|check| shown(session, check)).collect());
    Ok(if ill { Exit::Findings } else { Exit::Ok })
}

fn shown(session: &Session, check: &Check) -> String {
    if check.findings.is_empty() {
        return format!("ok    {:<12} {}\n", check.name, check.detail);
    }
    let mut text = String::new();
    for finding in &check.findings {
        let mark = if finding.severity == Severity::Error { "bad " } else { "hmm " };
        let finding = session.output.finding(finding).replace('\n', "\n      ");
        append(&mut text, format_args!("{mark}  {:<12} {finding}\n", check.name));
    }
    text
}

/// What can be seen on this machine.
async fn here(config: &Config, checks: &mut Vec<Check>) {
    checks.push(disk(&config.data_dir));
    checks.push(limits(config));
    match &config.store {
        StoreKind::Sqlite(file) => {
            checks.push(database(config, file).await);
            checks.push(blobs(file));
        }
        StoreKind::Postgres(dsn) => checks.push(database_server(config, dsn).await),
        StoreKind::Memory => {}
    }
    checks.push(address(config));
    if let Some(files) = &config.tls {
        checks.push(match TlsKeys::load(files.clone()) {
            Ok(_) => Check::well("tls", files.certificate.display().to_string()),
            Err(error) => Check::ill(
                "tls",
                Finding::error(codes::TLS, error.to_string()).help("give a PEM chain and its key"),
            ),
        });
    }
    if let Some(folder) = &config.secrets_dir {
        checks.push(if folder.is_dir() {
            Check::well("secrets", folder.display().to_string())
        } else {
            let message = format!("the secrets directory {} is not there", folder.display());
            Check::ill(
                "secrets",
                Finding::error(codes::BAD_SETTING, message).help("set `secrets_dir`"),
            )
        });
    }
    checks.push(match wiring::http_caller(config) {
        Ok(_) => Check::well("outbound", "proxy and authorities can be used"),
        Err(trouble) => Check::of("outbound", "", trouble.findings),
    });
}

/// Beyond what events are refused.
fn limits(config: &Config) -> Check {
    let AdmissionLimits { commit_wait, backlog_age, tenant_runs, disk_soft, disk_hard, .. } =
        &config.admission;
    let calls = config.calls;
    let text = format!(
        "{} runs in memory; {} calls in flight, {} of a tenant, {} to a system; events are refused beyond {} ms of \
         commit wait, {} s of backlog, {tenant_runs} open runs of a tenant, and below {} MiB of disk ({} MiB: no calls)",
        config.runs_max,
        calls.calls,
        calls.per_tenant,
        calls.per_system,
        commit_wait.as_millis(),
        backlog_age.as_secs(),
        disk_soft >> 20,
        disk_hard >> 20,
    );
    if let StoreKind::Sqlite(file) = &config.store
        && let Some(room) = file.parent().and_then(crate::disk::room)
        && room.free < (*disk_soft).min(room.size / 20)
    {
        let message = format!(
            "{} MiB are free on the disk of the database: below the soft mark",
            room.free >> 20
        );
        let help = "make room; until then no event is accepted";
        return Check::ill(
            "limits",
            Finding::error(qc_engine::codes::DISK_LOW, message).help(help),
        );
    }
    Check::well("limits", text)
}

fn disk(folder: &Path) -> Check {
    let existing = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    match rustix::fs::statvfs(existing) {
        Err(error) => {
            let message = format!("{}: {error}", existing.display());
            Check::ill("disk", Finding::warning(codes::DISK, message).help("check the path"))
        }
        Ok(numbers) => {
            let free = numbers.f_bavail.saturating_mul(numbers.f_frsize);
            let text = format!("{} MiB free at {}", free >> 20, existing.display());
            if free < ROOM {
                let help = "make room; a full disk refuses new events until there is";
                Check::ill("disk", Finding::error(codes::DISK, text).help(help))
            } else {
                Check::well("disk", text)
            }
        }
    }
}

async fn database_server(config: &Config, dsn: &Dsn) -> Check {
    match wiring::look_at_server(config, dsn).await {
        Ok(ServerReport { version, durability, schema }) => {
            let survives = match durability {
                Durability::Node => "a commit survives the loss of its machine",
                _ => {
                    "a commit survives a crash of its machine, not its loss (no synchronous standby)"
                }
            };
            let schema = match schema {
                0 => "nothing in it yet".to_owned(),
                version => format!("schema {version}"),
            };
            Check::well("database", format!("PostgreSQL {version} at {dsn}, {schema}; {survives}"))
        }
        Err(trouble) => Check::of("database", "", trouble.findings),
    }
}

async fn database(config: &Config, path: &Path) -> Check {
    if !path.exists() {
        return Check::well("database", format!("none yet at {}", path.display()));
    }
    let wal = path.with_extension("db-wal");
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let (main, log) = (size(path), size(&wal));
    let detail = format!("{} MiB, log {} MiB at {}", main >> 20, log >> 20, path.display());
    if log > WAL {
        let message = format!("the write-ahead log has {} MiB", log >> 20);
        let help = "something keeps it from being taken over into the database: a slow disk, or a reader that never ends";
        return Check::ill("database", Finding::warning(codes::DISK, message).help(help));
    }
    // Only a database that rests can be opened here, and opening checks its integrity and reads back every PRAGMA. A
    // running server did that when it started.
    match wiring::open_store(config).await {
        Ok(_) => {
            Check::well("database", format!("{detail}; it opens, its PRAGMAs are as they must be"))
        }
        Err(trouble)
            if trouble.findings.iter().any(|finding| finding.code == qc_sql::codes::LOCKED) =>
        {
            Check::well("database", format!("{detail}; in use by a server"))
        }
        Err(trouble) => Check::of("database", detail, trouble.findings),
    }
}

fn blobs(file: &Path) -> Check {
    let folder = wiring::blobs(file);
    let unfinished = folder.join("tmp");
    match std::fs::metadata(&unfinished) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Check::well("blobs", format!("none yet at {}", folder.display()))
        }
        Ok(found) if found.is_dir() && !found.permissions().readonly() => {
            Check::well("blobs", format!("large bodies are kept in {}", folder.display()))
        }
        found => {
            let why = found.map_or_else(
                |error| error.to_string(),
                |_| "it is not a directory that can be written".to_owned(),
            );
            let message = format!("{}: {why}", unfinished.display());
            let help = "the server must be able to write in all of its `data_dir`";
            Check::ill("blobs", Finding::error(codes::DATA_DIRECTORY, message).help(help))
        }
    }
}

fn address(config: &Config) -> Check {
    match TcpListener::bind(config.listen) {
        Ok(_) => Check::well("address", format!("{} is free", config.listen)),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Check::well(
            "address",
            format!("{} is in use, by the server or another program", config.listen),
        ),
        Err(error) => {
            let message = format!("{}: {error}", config.listen);
            Check::ill("address", Finding::error(codes::LISTEN, message).help("set `listen`"))
        }
    }
}

/// What the server says of itself.
async fn server(client: &Client, checks: &mut Vec<Check>) {
    let before = wiring::SystemClock.now();
    let server: Server = match client.get("/api/v1/server").await {
        Ok(server) => server,
        Err(trouble) => return checks.push(Check::of("server", "", trouble.findings)),
    };
    let after = wiring::SystemClock.now();
    checks.push(Check::well(
        "server",
        format!("{} at {}, {}", server.version, client.url(), server.store),
    ));
    checks.push(clocks(&server, before, after));
    if server.version != env!("CARGO_PKG_VERSION") || server.api_version != qc_server::VERSION {
        let message = format!(
            "this program is {} ({}), the server {} ({})",
            env!("CARGO_PKG_VERSION"),
            qc_server::VERSION,
            server.version,
            server.api_version
        );
        let finding =
            Finding::warning(codes::VERSIONS, message).help("use the server's version of qc");
        checks.push(Check::ill("version", finding));
    }
    checks.push(work(&server));
    let findings: Vec<Finding> = server
        .findings
        .iter()
        .filter_map(|finding| serde_json::from_value::<Finding>(Value::clone(finding)).ok())
        .collect();
    let deployed: Result<Page<Deployment>, Trouble> = client.get("/api/v1/deployments").await;
    let detail = deployed.map_or_else(
        |_| "not permitted to list them".to_owned(),
        |page| format!("{} integrations run", page.items.iter().filter(|one| one.live).count()),
    );
    checks.push(Check::of("deployments", detail, findings));
}

fn clocks(server: &Server, before: Timestamp, after: Timestamp) -> Check {
    let Ok(theirs) = server.now.parse::<Timestamp>() else {
        return Check::well("clock", "the server's time is not understood");
    };
    let ahead = theirs.since(after);
    let behind = before.since(theirs);
    let skew = ahead.max(behind);
    if skew > SKEW {
        let message = format!("this machine and the server differ by {} s", skew.as_secs());
        let help = "let both follow a time server (chrony, systemd-timesyncd)";
        return Check::ill("clock", Finding::error(codes::CLOCK, message).help(help));
    }
    Check::well("clock", format!("differs from the server's by {} ms at most", skew.as_millis()))
}

fn work(server: &Server) -> Check {
    let mut findings = Vec::new();
    // Beside others a node may have no group: they run what it takes.
    if !server.ready || (!server.leased && server.nodes < 2) {
        let message = "the server does not run workflows now".to_owned();
        let help = "it is starting, ending, or cannot renew its leases: see its log";
        findings.push(Finding::error(codes::UNREACHABLE, message).help(help));
    }
    if server.stuck > 0 {
        let message = format!("{} runs were found without a reason to go on", server.stuck);
        let help = "this is a fault of the platform; please report it with the server's log";
        findings.push(Finding::error(codes::BAD_ANSWER, message).help(help));
    }
    let detail = format!(
        "{} runs at work, {} open dead letters; node {}, {} of 64 groups, {} in all",
        server.runs_in_memory,
        server.open_dead_letters,
        server.node,
        server.groups,
        if server.nodes == 1 { "1 node".to_owned() } else { format!("{} nodes", server.nodes) },
    );
    Check::of("work", detail, findings)
}
