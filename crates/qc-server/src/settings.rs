use std::time::Duration;

use crate::{ServerLimit, TrustedProxies};

/// The bounds of the doors. Each is enforced; the binary's configuration fills them.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The most connections at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// How long a client may take to send a request's head; also how long an idle connection stays.
    pub head_timeout: Duration,
    /// How long a client may take to send a body.
    pub body_timeout: Duration,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long an operation of the management API may take.
    pub operation_timeout: Duration,
    /// The most operations of the management API at once; further ones are refused.
    pub operations: usize,
    /// The largest body of the management API, in bytes: a release with its documents fits.
    pub api_body_limit: usize,
    /// Which peers may say on whose behalf they speak.
    pub trusted_proxies: TrustedProxies,
    /// A key or client whose owner is gone and that nobody took over ends after this.
    pub orphans_end_after: Duration,
    /// Who runs this platform: the owner of its own hop, in errors.
    pub operator: Option<Operator>,
    /// How much comes in: the server's own limits.
    pub limits: Vec<ServerLimit>,
}

/// Who runs the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Their name.
    pub name: String,
    /// Where they are reached.
    pub contact: Option<String>,
}

impl std::str::FromStr for Operator {
    type Err = &'static str;

    /// `NAME <CONTACT>`, or a name alone.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "`NAME <CONTACT>`, such as `Platform team <platform@example.com>`";
        let (name, contact) = match text.split_once('<') {
            Some((name, rest)) => (name, Some(rest.strip_suffix('>').ok_or(FORM)?.trim())),
            None => (text, None),
        };
        let (name, legal) = (name.trim(), |text: &str| {
            !text.is_empty() && !text.contains(['<', '>']) && !text.contains(char::is_control)
        });
        if !legal(name) || !contact.is_none_or(legal) {
            return Err(FORM);
        }
        Ok(Self { name: name.to_owned(), contact: contact.map(str::to_owned) })
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            connections: 10_000,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            operation_timeout: Duration::from_secs(60),
            operations: 64,
            api_body_limit: 64 << 20,
            trusted_proxies: TrustedProxies::default(),
            orphans_end_after: Duration::from_secs(30 * 86_400),
            operator: None,
            limits: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_is_a_name_and_where_they_are_reached() {
        let of = |text: &str| text.parse::<Operator>().map(|it| (it.name, it.contact));
        let whole = of(" Platform team <platform@example.com>");
        assert_eq!(
            whole,
            Ok(("Platform team".to_owned(), Some("platform@example.com".to_owned())))
        );
        assert_eq!(of("ops"), Ok(("ops".to_owned(), None)));
        for wrong in ["", "<a@b>", "ops <", "ops <>", "ops <a@b> x", "ops a@b>", "a\nb <c>"] {
            assert!(of(wrong).is_err(), "{wrong:?}");
        }
    }
}
