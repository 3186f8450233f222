//! The settings of a server: flag, then `QC_*` variable, then `qc.toml`, then default.

mod flags;
mod limits;
mod oidc;
mod setting;
mod sources;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;
use qc_document::parse_duration;
use qc_engine::{AdmissionLimits, GateLimits};
use qc_model::{EnvironmentName, Finding};
use qc_server::{Operator, ServerLimit, TlsFiles, TrustedProxies};
use qc_sql::postgres::{Dsn, mask};
use qc_vault::{EngineLogin, KeyPlace, KvPlace};

use crate::{
    audit::Checkpoints,
    cli::{Exit, Trouble},
    codes,
    retention::Keeping,
};

pub(crate) use flags::SettingFlags;
pub(crate) use oidc::{Oidc, SecretPlace};
pub(crate) use setting::{SETTINGS, find};
pub(crate) use sources::{Resolved, Said, Source};

/// Where runs are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoreKind {
    /// In a file.
    Sqlite(PathBuf),
    /// In memory, for trying things out.
    Memory,
    /// On a PostgreSQL server, which several nodes may share.
    Postgres(Box<Dsn>),
}

/// The database's file in a data directory.
pub(crate) const DATABASE: &str = "quickconnect.db";

/// Where the management API is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiDoor {
    /// Where events are taken.
    Shared,
    /// At an address of its own.
    At(SocketAddr),
    /// Nowhere.
    Off,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// A KV engine that holds secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KvSecrets {
    pub(crate) place: KvPlace,
    pub(crate) login: EngineLogin,
    pub(crate) refresh: Duration,
    pub(crate) stale: Duration,
}

/// The settings, typed.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) api: ApiDoor,
    pub(crate) public_url: Option<String>,
    pub(crate) oidc: Option<Oidc>,
    pub(crate) data_dir: PathBuf,
    pub(crate) store: StoreKind,
    pub(crate) secrets_dir: Option<PathBuf>,
    pub(crate) vault_key: Option<KeyPlace>,
    pub(crate) vault_login: Option<EngineLogin>,
    pub(crate) kv: Option<KvSecrets>,
    pub(crate) local_access: bool,
    pub(crate) production: Vec<EnvironmentName>,
    pub(crate) orphans_end_after: Duration,
    pub(crate) operator: Option<Operator>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) outbound_proxy: Option<String>,
    pub(crate) egress_private: Vec<IpNet>,
    pub(crate) ca_bundle: Option<PathBuf>,
    pub(crate) otlp_endpoint: Option<String>,
    pub(crate) log_format: LogFormat,
    pub(crate) log_level: String,
    pub(crate) node: String,
    pub(crate) lease_ttl: Duration,
    pub(crate) connections: usize,
    pub(crate) head_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) operation_timeout: Duration,
    pub(crate) drain_timeout: Duration,
    pub(crate) api_operations: usize,
    pub(crate) api_body_limit: usize,
    pub(crate) blob_limit: usize,
    pub(crate) runs_max: usize,
    pub(crate) calls: GateLimits,
    pub(crate) admission: AdmissionLimits,
    pub(crate) limits: Vec<ServerLimit>,
    pub(crate) retention: Keeping,
    pub(crate) audit_key: Option<PathBuf>,
    pub(crate) checkpoints: Checkpoints,
}

impl Config {
    /// Parses what was said; all problems at once.
    pub(crate) fn new(said: &Said) -> Result<Self, Trouble> {
        Self::typed(&said.resolve()?)
    }

    fn typed(all: &BTreeMap<&'static str, Resolved>) -> Result<Self, Trouble> {
        let mut read = Reading { all, findings: Vec::new() };
        let config = read.config();
        match config {
            Some(config) if read.findings.is_empty() => Ok(config),
            _ => Err(Trouble { exit: Exit::Usage, findings: read.findings, problem: None }),
        }
    }
}

/// Reads the settings' texts, keeping all problems.
struct Reading<'a> {
    all: &'a BTreeMap<&'static str, Resolved>,
    findings: Vec<Finding>,
}

impl Reading<'_> {
    /// None when one of them is wrong; every one is looked at before that is decided.
    fn config(&mut self) -> Option<Config> {
        let listen = self.parse("listen", "an address and port, such as 127.0.0.1:7070", |text| {
            text.parse().ok()
        });
        let api = self.parse(
            "api_listen",
            "an address and port, such as 127.0.0.1:7071, or `off`",
            |text| match text {
                "" => Some(ApiDoor::Shared),
                "off" => Some(ApiDoor::Off),
                address => address.parse().ok().map(ApiDoor::At),
            },
        );
        let store = self.store();
        let log_format = self.parse("log_format", "`json` or `text`", |text| match text {
            "json" => Some(LogFormat::Json),
            "text" => Some(LogFormat::Text),
            _ => None,
        });
        let ((vault_key, vault_login), kv) = (self.vault(), self.kv());
        let local_access = self.local_access(listen, api);
        let production = self.production();
        let orphans = self.orphans();
        let (tls, trusted_proxies) = (self.tls(), self.proxies());
        let egress_private = self.egress();
        let public_url = self.public_url();
        let oidc = self.oidc();
        let (outbound_proxy, otlp_endpoint) =
            (self.url("outbound_proxy"), self.url("otlp_endpoint"));
        let (calls, admission) = (self.calls(), self.admission());
        let limits = self.limits();
        let (connections, runs_max) = (self.count("connections"), self.count("runs_max"));
        let api_operations = self.count("api_operations");
        let (api_body_limit, blob_limit) = (self.count("api_body_limit"), self.count("blob_limit"));
        let (head, body) = (self.duration("head_timeout"), self.duration("body_timeout"));
        let (operation, drain) =
            (self.duration("operation_timeout"), self.duration("drain_timeout"));
        let (retention, checkpoints) = (self.keeping(), self.checkpoints());
        let lease_ttl = self.parse("lease_ttl", "a duration from `1s` to `10m`", |text| {
            let (least, most) = (Duration::from_secs(1), Duration::from_secs(600));
            parse_duration(text).ok().filter(|ttl| (least..=most).contains(ttl))
        });
        Some(Config {
            listen: listen?,
            api: api?,
            public_url,
            oidc,
            data_dir: PathBuf::from(self.text("data_dir")),
            store: store?,
            secrets_dir: self.path("secrets_dir"),
            vault_key,
            vault_login,
            kv,
            local_access: local_access?,
            production: production?,
            orphans_end_after: orphans?,
            operator: self.operator(),
            tls,
            trusted_proxies,
            outbound_proxy,
            egress_private,
            ca_bundle: self.path("ca_bundle"),
            otlp_endpoint,
            log_format: log_format?,
            log_level: self.text("log_level"),
            node: self.text("node"),
            lease_ttl: lease_ttl?,
            connections: connections?,
            head_timeout: head?,
            body_timeout: body?,
            operation_timeout: operation?,
            drain_timeout: drain?,
            api_operations: api_operations?,
            api_body_limit: api_body_limit?,
            blob_limit: blob_limit?,
            runs_max: runs_max?,
            calls: calls?,
            admission: admission?,
            limits: limits?,
            retention: retention?,
            audit_key: self.path("audit_key"),
            checkpoints: checkpoints?,
        })
    }

    /// Where others cannot connect, who owns the machine is the only one there is.
    fn local_access(&mut self, listen: Option<SocketAddr>, api: Option<ApiDoor>) -> Option<bool> {
        let door = match api? {
            ApiDoor::At(address) => address,
            ApiDoor::Shared | ApiDoor::Off => listen?,
        };
        self.parse("local_access", "`on`, `off` or `auto`", |text| match text {
            "on" => Some(true),
            "off" => Some(false),
            "auto" => Some(door.ip().is_loopback()),
            _ => None,
        })
    }

    fn production(&mut self) -> Option<Vec<EnvironmentName>> {
        self.parse("production", "names of environments, by commas", |text| {
            let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
            names.map(|name| name.parse().ok()).collect()
        })
    }

    fn calls(&mut self) -> Option<GateLimits> {
        let (calls, per_tenant) = (self.count("calls_max"), self.count("calls_per_tenant"));
        let per_system = self.count("calls_per_system");
        Some(GateLimits { calls: calls?, per_tenant: per_tenant?, per_system: per_system? })
    }

    fn admission(&mut self) -> Option<AdmissionLimits> {
        let (wait, age) = (self.duration("commit_wait"), self.duration("backlog_age"));
        let runs = self.count("tenant_runs");
        let (soft, hard) = (self.mark("disk_soft"), self.mark("disk_hard"));
        if let (Some(soft), Some(hard)) = (soft, hard)
            && hard >= soft.max(1)
        {
            self.wrong("disk_hard", &format!("`{hard}` is not below `disk_soft`, which is {soft}"));
        }
        Some(AdmissionLimits {
            commit_wait: wait?,
            backlog_age: age?,
            tenant_runs: runs?,
            disk_soft: soft?,
            disk_hard: hard?,
            disk: None,
        })
    }

    fn limits(&mut self) -> Option<Vec<ServerLimit>> {
        let parsed = limits::parse(&self.text("limits"));
        parsed.map_err(|wrong| self.wrong("limits", &wrong)).ok()
    }

    fn store(&mut self) -> Option<StoreKind> {
        let text = self.text("store");
        let file = match text.as_str() {
            "memory" => return Some(StoreKind::Memory),
            "sqlite" => PathBuf::from(self.text("data_dir")).join(DATABASE),
            url if Dsn::is_meant(url) => {
                return match Dsn::parse(url) {
                    Ok(dsn) => Some(StoreKind::Postgres(Box::new(dsn))),
                    Err(error) => {
                        self.wrong("store", &error.to_string());
                        None
                    }
                };
            }
            path => match path.strip_prefix("sqlite:") {
                Some(path) if !path.is_empty() => PathBuf::from(path),
                None if path.contains('/') && !path.contains(':') => PathBuf::from(path),
                _ => {
                    let expected = "`sqlite`, `sqlite:<path>`, `memory` or a `postgres://` URL";
                    self.wrong("store", &format!("`{}` is not {expected}", mask(path)));
                    return None;
                }
            },
        };
        Some(StoreKind::Sqlite(file))
    }

    fn text(&self, key: &str) -> String {
        self.all.get(key).map(|resolved| resolved.value.trim().to_owned()).unwrap_or_default()
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        Some(self.text(key)).filter(|text| !text.is_empty()).map(PathBuf::from)
    }

    fn parse<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(key);
        let value = read(&text);
        if value.is_none() {
            self.wrong(key, &format!("`{text}` is not {expected}"));
        }
        value
    }

    fn count(&mut self, key: &str) -> Option<usize> {
        self.parse(key, "a number from 1 on", |text| text.parse().ok().filter(|count| *count > 0))
    }

    fn mark(&mut self, key: &str) -> Option<u64> {
        self.parse(key, "a number of bytes, or 0 for none", |text| text.parse().ok())
    }

    fn duration(&mut self, key: &str) -> Option<Duration> {
        self.parse(key, "a duration such as `30s` or `7d`", |text| {
            parse_duration(text).ok().filter(|duration| !duration.is_zero())
        })
    }

    /// How long each class is kept: its own setting, or the one for all.
    fn keeping(&mut self) -> Option<Keeping> {
        let all = self.duration("retention");
        let mut own = |key: &str| if self.text(key).is_empty() { all } else { self.duration(key) };
        let (completed, failed) = (own("retention_completed"), own("retention_failed"));
        let (ledger, audit) = (own("retention_ledger"), own("retention_audit"));
        Some(Keeping { completed: completed?, failed: failed?, ledger: ledger?, audit: audit? })
    }

    fn checkpoints(&mut self) -> Option<Checkpoints> {
        let (folder, url) = (self.path("audit_checkpoints"), self.url("audit_checkpoints_url"));
        let every = self.duration("audit_checkpoints_every")?;
        Some(Checkpoints { folder, url, every })
    }

    fn url(&mut self, key: &str) -> Option<String> {
        let text = self.text(key);
        if text.is_empty() {
            return None;
        }
        self.parse(key, "an http or https URL", |text| {
            let url = url::Url::parse(text).ok()?;
            matches!(url.scheme(), "http" | "https").then(|| text.to_owned())
        })
    }

    /// A place of origin: what stands behind it would be cut off in the addresses that are made from it.
    fn public_url(&mut self) -> Option<String> {
        let text = self.url("public_url")?;
        let url = url::Url::parse(&text).ok()?;
        let bare = url.username().is_empty() && url.query().is_none() && url.fragment().is_none();
        if !bare {
            self.wrong("public_url", "it has no user, query or fragment");
        }
        Some(text)
    }

    fn tls(&mut self) -> Option<TlsFiles> {
        match (self.path("tls_certificate"), self.path("tls_key")) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            _ => {
                let why = "`tls_certificate` and `tls_key` are given together or not at all";
                self.wrong("tls_key", why);
                None
            }
        }
    }

    /// Where the vault's key is. What is wrong is not repeated: it may be the key.
    fn vault(&mut self) -> (Option<KeyPlace>, Option<EngineLogin>) {
        let (text, file) = (self.text("vault_key"), self.path("vault_token_file"));
        let file = file.map(EngineLogin::TokenFile);
        let login = self.login("vault_login");
        let place = match text.parse::<KeyPlace>() {
            _ if text.is_empty() => None,
            Ok(place) => Some(place),
            Err(error) => {
                self.wrong("vault_key", &error.to_string());
                return (None, file);
            }
        };
        let transit = matches!(place, Some(KeyPlace::Transit(_)));
        if usize::from(transit) != usize::from(file.is_some()) + usize::from(login.is_some()) {
            let why = "it, or `vault_login`, is given when, and only when, `vault_key` is a `transit:` engine";
            self.wrong("vault_token_file", why);
        }
        (place, file.or(login))
    }

    fn orphans(&mut self) -> Option<Duration> {
        let (least, most) = (Duration::from_secs(3_600), Duration::from_secs(8_760 * 3_600));
        self.parse("orphans_end_after", "a duration from `1h` to `8760h`", |text| {
            parse_duration(text).ok().filter(|it| (least..=most).contains(it))
        })
    }

    fn operator(&mut self) -> Option<Operator> {
        let text = self.text("operator");
        let read: Result<Operator, _> = text.parse();
        match read {
            _ if text.is_empty() => None,
            Ok(operator) => Some(operator),
            Err(form) => {
                self.wrong("operator", &format!("it is {form}"));
                None
            }
        }
    }

    fn login(&mut self, name: &'static str) -> Option<EngineLogin> {
        match self.text(name) {
            text if text.is_empty() => None,
            text => match text.parse() {
                Ok(login) => Some(login),
                Err(error) => {
                    self.wrong(name, &format!("{error}"));
                    None
                }
            },
        }
    }

    /// Where a KV engine has secrets. What is wrong is not repeated: it may hold a credential.
    fn kv(&mut self) -> Option<KvSecrets> {
        let (text, login) = (self.text("kv_secrets"), self.login("kv_login"));
        let mut between = |name, least: Duration, most: Duration, says| {
            self.parse(name, says, |text| {
                parse_duration(text).ok().filter(|it| (least..=most).contains(it))
            })
        };
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3_600));
        let refresh = between("kv_refresh", 5 * second, hour, "a duration from `5s` to `1h`");
        let stale = between("kv_stale", hour, 720 * hour, "a duration from `1h` to `720h`");
        if text.is_empty() != login.is_none() {
            self.wrong("kv_login", "it is given when, and only when, `kv_secrets` is");
            return None;
        }
        if text.is_empty() {
            return None;
        }
        match text.parse() {
            Ok(place) => Some(KvSecrets { place, login: login?, refresh: refresh?, stale: stale? }),
            Err(error) => {
                self.wrong("kv_secrets", &format!("{error}"));
                None
            }
        }
    }

    fn proxies(&mut self) -> TrustedProxies {
        let mut networks = Vec::new();
        for text in self.text("trusted_proxies").split(',').map(str::trim).filter(|t| !t.is_empty())
        {
            match text.parse() {
                Ok(network) => networks.push(network),
                Err(error) => self.wrong("trusted_proxies", &format!("{error}")),
            }
        }
        TrustedProxies::new(networks)
    }

    fn egress(&mut self) -> Vec<IpNet> {
        let mut networks = Vec::new();
        let text = self.text("egress_private");
        for text in text.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let network = text.parse::<IpNet>();
            match network.or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
                Ok(network) => networks.push(network),
                Err(_) => self.wrong(
                    "egress_private",
                    &format!("`{text}` is not an address or range, such as `10.0.0.0/8` or `::1`"),
                ),
            }
        }
        networks
    }

    fn wrong(&mut self, key: &str, why: &str) {
        let source = self.all.get(key).map_or(Source::Default, |resolved| resolved.source.clone());
        let said = match source {
            Source::Flag(flag) => format!("by the flag {flag}"),
            Source::Variable(variable) => format!("by the variable {variable}"),
            Source::File(path) => format!("in {path}"),
            Source::Default => "by default".to_owned(),
        };
        let message = format!("the setting `{key}`: {why}");
        let finding =
            Finding::error(codes::BAD_SETTING, message).cause(format!("it is set {said}"));
        self.findings
            .push(finding.help("`qc config explain` shows every setting and where it comes from"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<Config, Trouble> {
        let flags = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::new(&Said { flags, file: Some("/dev/null".into()), ..Said::default() })
    }

    #[test]
    fn the_defaults_are_usable() {
        let config = with(&[]).unwrap();
        assert_eq!(config.listen.port(), 7070);
        assert!(config.listen.ip().is_loopback());
        assert_eq!(config.store, StoreKind::Sqlite(".qc/quickconnect.db".into()));
    }

    #[test]
    fn the_store_is_a_file_memory_or_a_server() {
        let store = |text: &str| with(&[("store", text)]).map(|config| config.store);
        assert_eq!(store("memory").unwrap(), StoreKind::Memory);
        for file in ["sqlite:/var/lib/a.db", "/var/lib/a.db"] {
            assert_eq!(store(file).unwrap(), StoreKind::Sqlite("/var/lib/a.db".into()));
        }
        let url = "postgres://u:hunter2@h/d";
        let config = with(&[("store", url)]).unwrap();
        assert_eq!(config.store, StoreKind::Postgres(Box::new(Dsn::parse(url).unwrap())));
        assert!(!format!("{config:?}").contains("hunter2"));
        for wrong in [
            "postgres://u:hunter2@h/d?sslmode=verify-ca",
            "postgres:u:hunter2@h",
            "mysql://u:hunter2@h/d",
            "sqlite:",
        ] {
            let trouble = store(wrong).unwrap_err();
            assert_eq!(trouble.findings[0].code, codes::BAD_SETTING, "{wrong}");
            assert!(!format!("{trouble:?}").contains("hunter2"), "{trouble:?}");
        }
    }

    #[test]
    fn a_key_in_place_of_where_it_is_is_not_repeated() {
        let config = with(&[("vault_key", "file:/etc/kek")]).unwrap();
        assert_eq!(config.vault_key, Some(KeyPlace::File("/etc/kek".into())));
        let key = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=";
        let trouble = with(&[("vault_key", key)]).unwrap_err();
        assert!(!format!("{trouble:?}").contains("c2Vj"), "{trouble:?}");
        assert_eq!(find("vault_key").unwrap().shown(key), "***");
        let transit = "transit:https://vault.example/transit/qc";
        assert!(with(&[("vault_key", transit)]).is_err(), "it has no token");
        assert!(with(&[("vault_key", transit), ("vault_token_file", "/t")]).is_ok());
        let (file, login) = (("vault_token_file", "/t"), ("vault_login", "kubernetes:qc"));
        assert!(with(&[("vault_key", transit), login]).is_ok());
        assert!(with(&[("vault_key", transit), login, file]).is_err(), "one of them");
        assert!(with(&[login]).is_err(), "it is for nothing");
        let kv = ("kv_secrets", "https://vault.example/secret/data/{environment}/{name}#value");
        assert!(with(&[kv]).is_err(), "it has no login");
        assert!(with(&[kv, ("kv_login", "approle:/etc/qc")]).is_ok());
        assert!(with(&[("kv_login", "approle:/etc/qc")]).is_err(), "it is for nothing");
        let open = ("kv_secrets", "https://vault.example/secret/data/{name}#value");
        assert!(with(&[open, ("kv_login", "approle:/etc/qc")]).is_err(), "of all environments");
        let long = ("kv_stale", "721h");
        assert!(with(&[kv, ("kv_login", "approle:/etc/qc"), long]).is_err());
    }

    #[test]
    fn what_has_no_time_of_its_own_has_the_one_for_all() {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        let kept = with(&[]).unwrap().retention;
        assert_eq!((kept.completed, kept.failed, kept.ledger), (days(30), days(30), days(30)));
        assert_eq!(kept.audit, days(400));
        let own = [("retention", "9d"), ("retention_failed", "90d"), ("retention_audit", "")];
        let kept = with(&own).unwrap().retention;
        assert_eq!((kept.completed, kept.failed), (days(9), days(90)));
        assert_eq!((kept.ledger, kept.audit), (days(9), days(9)));
    }

    #[test]
    fn every_wrong_setting_is_named() {
        let trouble = with(&[
            ("listen", "here"),
            ("store", "etcd"),
            ("connections", "0"),
            ("retention", "long"),
            ("retention_failed", "0s"),
            ("tls_key", "/k"),
            ("trusted_proxies", "10.0.0.0/99"),
            ("outbound_proxy", "socks5://x"),
            ("egress_private", "10.0.0.0/8, localhost"),
        ])
        .unwrap_err();
        assert_eq!(trouble.findings.len(), 9, "{:#?}", trouble.findings);
        assert!(trouble.findings.iter().all(|finding| finding.code == codes::BAD_SETTING));
    }
}
