//! Where requests may go. Nothing is sent before this has agreed, and nothing ever leaves the one origin.

use qc_model::Finding;
use url::{Host, Url};

use crate::codes;

/// An address that may be tested: on this machine, simulated, or declared to be for tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    base: Url,
}

impl Target {
    /// The base address of a simulator in this process. The name is reserved (RFC 6761), so it reaches nobody by
    /// mistake.
    pub const SIMULATED: &'static str = "http://simulator.invalid";

    /// An address, when it is a loopback address or one of the declared origins, such as
    /// `https://sandbox.example.com`. The origin is compared, never the name's beginning.
    pub fn new(address: &str, declared: &[String]) -> Result<Self, Box<Finding>> {
        let refuse = |message: String, help: &str| {
            Box::new(Finding::error(codes::TARGET, message).help(help))
        };
        let base = read(address).map_err(|why| {
            refuse(format!("`{}` {why}", shown(address)), "write it as `http://127.0.0.1:8080/v1`")
        })?;
        if is_loopback(&base) {
            return Ok(Self { base });
        }
        for origin in declared {
            let read = read(origin).map_err(|why| {
                let help = "a test endpoint is an origin, such as `https://sandbox.example.com`";
                refuse(format!("the test endpoint `{}` {why}", shown(origin)), help)
            })?;
            if read.origin() == base.origin() {
                return Ok(Self { base });
            }
        }
        let origin = base.origin().ascii_serialization();
        let message = format!("`{origin}` is neither on this machine nor declared to be for tests");
        let help = format!(
            "test on this machine or with a simulator; an endpoint of your own that is only for tests is declared with `--test-endpoint {origin}`"
        );
        Err(refuse(message, &help))
    }

    /// A simulator in this process.
    pub fn simulated() -> Option<Self> {
        read(Self::SIMULATED).ok().map(|base| Self { base })
    }

    /// The absolute address of a path with its query. `None` when it would lead elsewhere.
    pub(crate) fn url(&self, target: &str) -> Option<String> {
        if !target.starts_with('/') || target.starts_with("//") || target.contains('\\') {
            return None;
        }
        let base = self.base.as_str().trim_end_matches('/');
        let whole = format!("{base}{target}");
        let parsed = Url::parse(&whole).ok()?;
        (parsed.origin() == self.base.origin() && parsed.username().is_empty()).then_some(whole)
    }

    /// The address itself, for what is told to one place.
    pub(crate) fn address(&self) -> &str {
        self.base.as_str()
    }

    /// The base address, for reports.
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }
}

fn read(address: &str) -> Result<Url, &'static str> {
    let url = Url::parse(address).map_err(|_| "is not an absolute address")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is neither http nor https");
    }
    if url.host().is_none() {
        return Err("names no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or password in it");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or fragment");
    }
    Ok(url)
}

/// What of an address may be shown: not what stands before its `@`.
fn shown(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(_, rest)| rest)
}

/// RFC 6761 keeps `localhost` for this machine; other names may lead anywhere.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback())
        }
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(address: &str, declared: &[&str]) -> Result<Target, String> {
        let declared: Vec<String> = declared.iter().map(|text| (*text).to_owned()).collect();
        Target::new(address, &declared).map_err(|finding| finding.message.clone())
    }

    #[test]
    fn this_machine_may_be_tested() {
        for address in [
            "http://127.0.0.1:8080",
            "http://127.9.9.9/v1",
            "http://[::1]:1/",
            "https://localhost:2",
            "http://[::ffff:127.0.0.1]",
            // The parser reads the number as the address that it is.
            "http://2130706433",
        ] {
            assert!(target(address, &[]).is_ok(), "{address}");
        }
    }

    #[test]
    fn everything_else_has_to_be_declared_by_its_origin() {
        for address in [
            "https://api.example.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://10.0.0.1",
            "http://169.254.169.254",
            "http://0.0.0.0:80",
            "http://[::ffff:10.0.0.1]",
            "http://127.0.0.1@api.example.com",
            "ftp://127.0.0.1",
            "http://user:secret@127.0.0.1",
            "/v1",
        ] {
            assert!(target(address, &[]).is_err(), "{address}");
        }
        assert!(target("https://t.example.com/v1", &["https://t.example.com"]).is_ok());
        for other in [
            "https://t.example.com.evil.example",
            "http://t.example.com",
            "https://t.example.com:444",
            "https://example.com",
        ] {
            assert!(target("https://t.example.com/v1", &[other]).is_err(), "{other}");
        }
        let why = target("http://user:secret@127.0.0.1", &[]).unwrap_err();
        assert!(!why.contains("secret"), "{why}");
    }

    #[test]
    fn no_path_leads_to_another_origin() {
        let target = target("http://127.0.0.1:8080/v1/", &[]).unwrap();
        assert_eq!(target.url("/pets?x=1").unwrap(), "http://127.0.0.1:8080/v1/pets?x=1");
        for path in ["//evil.example/x", "@evil.example/x", "evil", "/\\evil.example", ""] {
            assert_eq!(target.url(path), None, "{path}");
        }
        let bare = Target::new("http://127.0.0.1:80", &[]).unwrap();
        assert_eq!(bare.url("/@evil.example:1/").unwrap(), "http://127.0.0.1/@evil.example:1/");
    }
}
