use qc_vault::KeyPlace;

use super::oidc::SecretPlace;

/// One setting of a server. This table drives the flags, the variables, the file and `qc config explain`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// Its name in `qc.toml`; the flag is `--<name with dashes>`, the variable `QC_<NAME>`.
    pub(crate) key: &'static str,
    /// Its value when nothing is said; empty when there is none.
    pub(crate) default: &'static str,
    /// What it is, in a line.
    pub(crate) summary: &'static str,
}

impl Setting {
    /// The variable of the process environment.
    pub(crate) fn variable(&self) -> String {
        format!("QC_{}", self.key.to_ascii_uppercase())
    }

    /// A value of it as it may be shown: without a password.
    pub(crate) fn shown(&self, value: &str) -> String {
        match self.key {
            "store" => qc_sql::postgres::mask(value),
            // Somebody may have set the key itself in place of where it is.
            "vault_key" if !value.is_empty() && value.parse::<KeyPlace>().is_err() => {
                "***".to_owned()
            }
            "oidc_client_secret" if !value.is_empty() && SecretPlace::parse(value).is_none() => {
                "***".to_owned()
            }
            _ => value.to_owned(),
        }
    }

    /// The flag, without its dashes.
    pub(crate) fn flag(&self) -> String {
        self.key.replace('_', "-")
    }
}

const fn setting(key: &'static str, default: &'static str, summary: &'static str) -> Setting {
    Setting { key, default, summary }
}

/// All settings.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("listen", "127.0.0.1:7070", "Address and port to listen on"),
    setting(
        "api_listen",
        "",
        "Address and port of the management API alone, or `off`; when left out, it is served on `listen`",
    ),
    setting(
        "public_url",
        "",
        "The address of the management API for the world, such as https://qc.example.com; access tokens and signing in need it",
    ),
    setting(
        "oidc_issuer",
        "",
        "The issuer of the OpenID provider where people sign in, such as https://id.example.com",
    ),
    setting("oidc_client_id", "", "Who this server is at the OpenID provider"),
    setting(
        "oidc_client_secret",
        "",
        "Where its secret there is: `file:<path>` or `env:<variable>`; none for a public client",
    ),
    setting(
        "oidc_scopes",
        "openid profile email",
        "What is asked for there, by spaces; with `offline_access` where only that gives refresh tokens",
    ),
    setting("oidc_groups_claim", "groups", "The claim that lists a person's groups"),
    setting(
        "oidc_person_claim",
        "",
        "The claim that is a person's id in the owner directory; it must be one that people cannot choose themselves",
    ),
    setting("oidc_roles", "", "Which group gives which role: `group=role`, by commas, or a table"),
    setting("data_dir", ".qc", "Directory of the database and of large bodies"),
    setting(
        "store",
        "sqlite",
        "Where runs are kept: `sqlite`, `sqlite:<path>`, a `postgres://` URL, or `memory`",
    ),
    setting("secrets_dir", "", "Directory of secrets: <environment>/<name>, one file each"),
    setting(
        "vault_key",
        "",
        "Where the vault's key is: `file:<path>`, `env:<variable>` or `transit:<url>/<mount>/<key>`",
    ),
    setting("vault_token_file", "", "File with the token for the transit engine of `vault_key`"),
    setting(
        "vault_login",
        "",
        "In place of it, how a token is got: `approle:<folder>` or `kubernetes:<role>`, with `@<mount>` where the method is mounted elsewhere",
    ),
    setting(
        "kv_secrets",
        "",
        "Where secrets are in a KV engine: `<url>/<mount>/data/<path>#<field>`, with `{environment}` and `{name}` in the path",
    ),
    setting(
        "kv_login",
        "",
        "How a token for it is got: `token:<file>`, `approle:<folder>` or `kubernetes:<role>`",
    ),
    setting("kv_refresh", "1m", "How often a secret of it is read again, from `5s` to `1h`"),
    setting(
        "kv_stale",
        "24h",
        "How long a value counts that cannot be read again, at most 30 days",
    ),
    setting(
        "local_access",
        "auto",
        "Whether the key of the machine's owner needs no roles: `on`, `off`, or `auto`: on where only this machine can connect",
    ),
    setting(
        "production",
        "production",
        "Environments in which payloads and retries take a grant, by commas",
    ),
    setting(
        "orphans_end_after",
        "720h",
        "How long a key or client counts on whose owner is gone and that nobody took over, from `1h` to a year",
    ),
    setting(
        "operator",
        "",
        "Who runs this platform and where they are reached, for errors that are theirs to mend: `NAME <CONTACT>`",
    ),
    setting("tls_certificate", "", "PEM file with the server's certificate chain"),
    setting("tls_key", "", "PEM file with the certificate's private key"),
    setting("trusted_proxies", "", "Addresses or ranges whose forwarding headers count, by commas"),
    setting(
        "egress_private",
        "",
        "Private addresses or ranges that calls to computed addresses may reach, by commas",
    ),
    setting("outbound_proxy", "", "HTTP proxy for all calls to other systems"),
    setting("ca_bundle", "", "PEM file with private authorities to trust beside the system's"),
    setting("otlp_endpoint", "", "OTLP/HTTP collector for traces, such as http://127.0.0.1:4318"),
    setting("log_format", "json", "`json`, one object a line, or `text`"),
    setting("log_level", "info", "What is logged: `error`, `warn`, `info`, `debug`, or a filter"),
    setting("node", "", "The first part of this node's name; the machine's own when left out"),
    setting("lease_ttl", "10s", "When a node is silent for so long, the others take its runs over"),
    setting("connections", "10000", "The most connections at once"),
    setting("head_timeout", "30s", "How long a client may take to send a request's head"),
    setting("body_timeout", "30s", "How long a client may take to send a body"),
    setting("operation_timeout", "60s", "How long an operation of the management API may take"),
    setting("drain_timeout", "25s", "How long calls in flight get to finish at the end"),
    setting("api_operations", "64", "The most operations of the management API at once"),
    setting("api_body_limit", "67108864", "The largest body of the management API, in bytes"),
    setting(
        "blob_limit",
        "1073741824",
        "The largest body that is streamed between systems, in bytes",
    ),
    setting("runs_max", "10000", "The most runs in memory at once; others wait in the store"),
    setting("calls_max", "4000", "The most calls to other systems in flight at once"),
    setting("calls_per_tenant", "2000", "The most of them for one tenant"),
    setting("calls_per_system", "1000", "The most of them to one system in one environment"),
    setting(
        "commit_wait",
        "2s",
        "Events are refused while a write has waited longer for its commit",
    ),
    setting(
        "backlog_age",
        "10m",
        "Events are refused while a run has waited longer for a place in memory",
    ),
    setting(
        "limits",
        "",
        "How much comes in: `NAME SCOPE RATE [burst N] [in ENVIRONMENT]`, by commas; a scope is `gateway`, `tenant` or `token`",
    ),
    setting("tenant_runs", "1000000", "Events of a tenant with so many open runs are refused"),
    setting(
        "disk_soft",
        "536870912",
        "Events are refused below so many free bytes on the database's disk, or a twentieth of it; 0: never",
    ),
    setting(
        "disk_hard",
        "134217728",
        "No further call is made below so many free bytes there, or a fiftieth of it; 0: never",
    ),
    setting(
        "retention",
        "30d",
        "How long ended runs and ledger rows are kept, where no time of their own is set",
    ),
    setting("retention_completed", "", "How long completed and cancelled runs are kept"),
    setting(
        "retention_failed",
        "",
        "How long failed runs are kept once their dead letter is settled",
    ),
    setting("retention_ledger", "", "How long ledger rows are kept, but for those of the audit"),
    setting("retention_audit", "400d", "How long ledger rows of the audit are kept"),
    setting(
        "audit_key",
        "",
        "File with the secret that signs the audit's checkpoints, made when there is none; when left out, `audit.key` in `data_dir`",
    ),
    setting("audit_checkpoints", "", "Directory to which checkpoints of the audit are written"),
    setting(
        "audit_checkpoints_url",
        "",
        "Address to which checkpoints of the audit are sent with POST",
    ),
    setting("audit_checkpoints_every", "5m", "How often a new checkpoint goes there"),
];

/// The setting with this key.
pub(crate) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}
