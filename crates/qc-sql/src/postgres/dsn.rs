//! Where a database is: the URL that an operator writes, with what rustls does of its `sslmode`.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr};

use percent_encoding::percent_decode_str;
use tokio_postgres::config::{Host, SslMode};

/// How much a connection's TLS has to prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// No TLS.
    Disable,
    /// TLS when the server has it, with whoever answers.
    Prefer,
    /// TLS, with whoever answers.
    Require,
    /// TLS with a certificate of a trusted authority for this very host.
    VerifyFull,
}

/// A parsed URL. Neither `Debug` nor `Display` shows the password.
#[derive(Clone)]
pub struct Dsn {
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: TlsMode,
    /// `sslrootcert`: trust these authorities and no others.
    pub(super) root: Option<PathBuf>,
    shown: String,
}

/// Why a URL cannot be used, without its password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` is no PostgreSQL URL that can be used: {why}")]
pub struct DsnError {
    shown: String,
    why: String,
}

impl Dsn {
    /// Whether a text is meant as the URL of a PostgreSQL database.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("postgres:") || text.starts_with("postgresql:")
    }

    /// Parses `postgres://user:password@host:port/database?sslmode=…`.
    ///
    /// `sslmode` is `disable`, `prefer`, `require` or `verify-full`; when it is not given, it is
    /// `prefer` for this machine and `verify-full` for every other. `sslrootcert` names a PEM file
    /// of the only authorities to trust.
    pub fn parse(text: &str) -> Result<Self, DsnError> {
        let wrong = |why: &str| DsnError { shown: mask(text), why: why.to_owned() };
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(wrong("it does not begin with `postgres://`"));
        }
        let (address, parameters) = text.split_once('?').unwrap_or((text, ""));
        let (mut mode, mut root, mut kept) = (None, None, Vec::new());
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                "sslmode" => mode = Some(tls_mode(value).ok_or_else(|| wrong(SSL_MODES))?),
                "sslrootcert" => {
                    let path = percent_decode_str(value).decode_utf8();
                    let path = path.map_err(|_| wrong("`sslrootcert` is not UTF-8"))?;
                    root = Some(PathBuf::from(path.into_owned()));
                }
                "channel_binding" if value == "require" => {
                    return Err(wrong("`channel_binding=require` is not supported"));
                }
                "sslcert" | "sslkey" => {
                    return Err(wrong("client certificates are not supported; use a password"));
                }
                _ => kept.push(parameter),
            }
        }
        let bare = format!("{address}?{}", kept.join("&"));
        // The parser's own words may quote the text; only the names of options are safe to show.
        let mut config = tokio_postgres::Config::from_str(&bare)
            .map_err(|error| wrong(&reason(&error, &kept)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(wrong("it names no host"));
        }
        let near = config.get_hosts().iter().all(is_near)
            && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
        let tls = mode.unwrap_or(if near { TlsMode::Prefer } else { TlsMode::VerifyFull });
        config.ssl_mode(match tls {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyFull => SslMode::Require,
        });
        if config.get_hosts().iter().all(|host| !matches!(host, Host::Tcp(_))) {
            // TLS is a matter of networks; a socket of this machine has none.
            config.ssl_mode(SslMode::Disable);
        }
        if config.get_application_name().is_none() {
            config.application_name("quickconnect");
        }
        Ok(Self { config, tls, root, shown: mask(text) })
    }

    /// How much TLS has to prove.
    pub const fn tls(&self) -> TlsMode {
        self.tls
    }
}

impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dsn({})", self.shown)
    }
}

impl PartialEq for Dsn {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config && self.tls == other.tls && self.root == other.root
    }
}

impl Eq for Dsn {}

const SSL_MODES: &str = "`sslmode` is `disable`, `prefer`, `require` or `verify-full`";

fn tls_mode(value: &str) -> Option<TlsMode> {
    Some(match value {
        "disable" => TlsMode::Disable,
        "prefer" => TlsMode::Prefer,
        "require" => TlsMode::Require,
        "verify-full" => TlsMode::VerifyFull,
        _ => return None,
    })
}

fn is_near(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// What is wrong, in words that cannot hold a secret.
fn reason(error: &tokio_postgres::Error, parameters: &[&str]) -> String {
    let said = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let named = parameters
        .iter()
        .filter_map(|parameter| parameter.split('=').next())
        .chain(["port", "host", "user", "dbname"])
        .find(|name| !name.is_empty() && said.contains(&format!("`{name}`")));
    match named {
        Some(name) if said.starts_with("unknown option") => {
            format!("there is no parameter `{name}`")
        }
        Some(name) => format!("the value of `{name}` cannot be used"),
        None => "it is not of the form postgres://user:password@host:port/database".to_owned(),
    }
}

/// A setting's text with what may be a password left out: also in a text that no parser takes.
pub fn mask(text: &str) -> String {
    let (address, parameters) = match text
        .rfind('@')
        .map_or(text.find('?'), |at| text[at..].find('?').map(|question| at + question))
    {
        Some(question) => text.split_at(question),
        None => (text, ""),
    };
    let start = address.find("://").map_or(0, |scheme| scheme + 3);
    let address = match (address[start..].find(':'), address.rfind('@')) {
        (Some(colon), Some(at)) if start + colon < at => {
            format!("{}:***{}", &address[..start + colon], &address[at..])
        }
        _ => address.to_owned(),
    };
    let mut masked = address;
    for (no, parameter) in parameters.trim_start_matches('?').split('&').enumerate() {
        if parameters.is_empty() {
            break;
        }
        masked.push(if no == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((name, _)) if name.to_ascii_lowercase().contains("password") => {
                masked.push_str(name);
                masked.push_str("=***");
            }
            _ => masked.push_str(parameter),
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_follows_the_url_and_the_host() {
        let mode = |text: &str| Dsn::parse(text).unwrap().tls();
        assert_eq!(mode("postgres://u:p@127.0.0.1/d"), TlsMode::Prefer);
        assert_eq!(mode("postgresql://u@localhost:5433/d"), TlsMode::Prefer);
        assert_eq!(mode("postgres://u:p@[::1]/d"), TlsMode::Prefer);
        assert_eq!(mode("postgres://u@%2Fvar%2Frun/d"), TlsMode::Prefer);
        assert_eq!(mode("postgres://u:p@db.example.com/d"), TlsMode::VerifyFull);
        assert_eq!(mode("postgres://u:p@localhost,db2.example.com/d"), TlsMode::VerifyFull);
        assert_eq!(mode("postgres://u:p@db.example.com/d?sslmode=require"), TlsMode::Require);
        assert_eq!(
            mode(
                "postgres://u:p@h/d?a=b&sslmode=disable"
                    .replace("a=b", "connect_timeout=3")
                    .as_str()
            ),
            TlsMode::Disable
        );
        let dsn = Dsn::parse("postgres://u:p@h/d?sslrootcert=%2Fetc%2Fca.pem").unwrap();
        assert_eq!(dsn.root.as_deref(), Some(std::path::Path::new("/etc/ca.pem")));
    }

    #[test]
    fn no_error_and_no_form_shows_the_password() {
        for text in [
            "postgres://u:hunter2@h/d",
            "postgres://u:hunter2@h:x/d",
            "postgres://u:hunter2@h/d?sslmode=verify-ca",
            "postgres://u:hunter2@h/d?password=hunter2&nonsense=1",
            "postgres://u:hun/t?er2@h/d?sslmode=no",
            "postgres://u:%zzhunter2@h/d",
            "postgres://u:hunter2@",
            "postgresql:/u:hunter2@h",
            "postgres://h/d?password=hunter2",
            "u:hunter2@h",
        ] {
            let shown = match Dsn::parse(text) {
                Ok(dsn) => format!("{dsn} {dsn:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!shown.contains("hunter2") && !shown.contains("er2"), "{shown}");
        }
    }

    #[test]
    fn what_is_no_secret_stays_readable() {
        assert_eq!(
            mask("postgres://u:p@h:5432/d?sslmode=require"),
            "postgres://u:***@h:5432/d?sslmode=require"
        );
        assert_eq!(mask("postgres://h/d"), "postgres://h/d");
        assert_eq!(mask("sqlite:/var/lib/a.db"), "sqlite:/var/lib/a.db");
        assert_eq!(mask("memory"), "memory");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let why = |text: &str| Dsn::parse(text).unwrap_err().to_string();
        assert!(why("postgres://u@h/d?sslmode=verify-ca").contains("verify-full"));
        assert!(why("postgres://u@h/d?nonsense=1").contains("no parameter `nonsense`"));
        assert!(why("postgres://u@h:port/d").contains("`port`"));
        assert!(why("postgres:///d").contains("no host"));
        assert!(why("postgres://u@h/d?sslkey=x").contains("client certificates"));
    }
}
