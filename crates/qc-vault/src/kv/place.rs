use std::{fmt, str::FromStr};

use qc_model::EnvironmentName;

/// Where secrets are: `<address>/<mount>/data/<path>#<field>`, the path with `{environment}` and `{name}`, such as
/// `https://vault.example:8200/secret/data/quickconnect/{environment}/{name}#value`. Both must stand in the path, so that
/// no environment reads what is another one's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvPlace {
    pub(super) address: String,
    mount: String,
    path: String,
    pub(super) field: String,
}

/// A text does not say where secrets are. Does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not `<address>/<mount>/data/<path>#<field>` with `{{environment}}` and `{{name}}` in the path"
)]
pub struct KvPlaceError;

impl KvPlace {
    /// Where one secret is, below `<address>/v1/`.
    pub(super) fn of(&self, environment: &EnvironmentName, name: &str) -> String {
        let path = self.path.replace("{environment}", environment.as_str()).replace("{name}", name);
        format!("{}/data/{path}", self.mount)
    }
}

impl FromStr for KvPlace {
    type Err = KvPlaceError;
    fn from_str(text: &str) -> Result<Self, KvPlaceError> {
        let (place, field) = text.split_once('#').ok_or(KvPlaceError)?;
        let (scheme, rest) = place.split_once("://").ok_or(KvPlaceError)?;
        let (host, rest) = rest.split_once('/').ok_or(KvPlaceError)?;
        let (mount, path) = rest.split_once("/data/").ok_or(KvPlaceError)?;
        let host_legal = !host.is_empty()
            && host.chars().all(|c| c.is_ascii_alphanumeric() || "-.:[]".contains(c));
        let name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let segment =
            |text: &str| !text.is_empty() && !text.starts_with('.') && text.chars().all(name);
        let plain = path.replace("{environment}", "e").replace("{name}", "n");
        let once = |what: &str| path.matches(what).count() == 1;
        let whole = matches!(scheme, "http" | "https")
            && host_legal
            && mount.split('/').all(segment)
            && plain.split('/').all(segment)
            && once("{environment}")
            && once("{name}")
            && segment(field);
        whole
            .then(|| Self {
                address: format!("{scheme}://{host}"),
                mount: mount.to_owned(),
                path: path.to_owned(),
                field: field.to_owned(),
            })
            .ok_or(KvPlaceError)
    }
}

impl fmt::Display for KvPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, mount, path, field } = self;
        write!(f, "{address}/{mount}/data/{path}#{field}")
    }
}
