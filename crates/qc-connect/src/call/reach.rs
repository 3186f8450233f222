//! Which addresses a request may reach. An address that the release or the server's settings write may be anywhere; one
//! that comes from data may not reach into the network in which the server stands.

use std::{
    error::Error,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use ipnet::{IpNet, Ipv4Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

const fn net(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

/// The addresses of IPv4 that are not on the internet (IANA's registry of special-purpose addresses, RFC 6890).
const SPECIAL: [Ipv4Net; 15] = [
    net(0, 0, 0, 0, 8),
    net(10, 0, 0, 0, 8),
    net(100, 64, 0, 0, 10),
    net(127, 0, 0, 0, 8),
    // Among them the metadata services of clouds.
    net(169, 254, 0, 0, 16),
    net(172, 16, 0, 0, 12),
    net(192, 0, 0, 0, 24),
    net(192, 0, 2, 0, 24),
    net(192, 88, 99, 0, 24),
    net(192, 168, 0, 0, 16),
    net(198, 18, 0, 0, 15),
    net(198, 51, 100, 0, 24),
    net(203, 0, 113, 0, 24),
    net(224, 0, 0, 0, 4),
    net(240, 0, 0, 0, 4),
];

/// Whether an address is on the internet.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !SPECIAL.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, .., high, low] = address.segments();
    let embedded = || {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
    };
    match first {
        // NAT64 (RFC 6052): whatever the address of IPv4 within is.
        0x64 => second == 0xff9b && address.segments()[2..6] == [0; 4] && embedded(),
        // Protocol assignments with Teredo, documentation, 6to4.
        0x2001 => second >= 0x200 && second != 0xdb8,
        0x2002 => false,
        0x3fff => second >= 0x1000,
        _ => first & 0xe000 == 0x2000,
    }
}

/// What addresses from data may reach: the internet, and the networks that the server's settings open for them.
#[derive(Clone)]
pub(super) struct Guard {
    open: Arc<[IpNet]>,
}

/// A name has addresses, and none that may be reached.
#[derive(Debug)]
pub(super) struct OutOfReach;

impl fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address is in a private network")
    }
}

impl Error for OutOfReach {}

impl Guard {
    pub(super) fn new(open: &[IpNet]) -> Self {
        Self { open: open.into() }
    }

    fn lets(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.open.iter().any(|net| net.contains(&address))
    }

    /// Whether a URL may be tried: one with a name is judged when the name is resolved.
    pub(super) fn lets_url(&self, url: &reqwest::Url) -> bool {
        match url.host() {
            Some(url::Host::Ipv4(address)) => self.lets(address.into()),
            Some(url::Host::Ipv6(address)) => self.lets(address.into()),
            Some(url::Host::Domain(_)) | None => true,
        }
    }
}

/// Judging what a name resolves to, for the very connection that is made: a name that is public when it is looked at and
/// private when it is connected to (DNS rebinding) gets nowhere.
impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let all: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let found = !all.is_empty();
            let within: Vec<_> = all.into_iter().filter(|one| guard.lets(one.ip())).collect();
            if found && within.is_empty() {
                return Err(Box::from(OutOfReach));
            }
            Ok(Box::new(within.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_on_the_internet_is_known_in_every_form() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.100.100.200",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:a00:1::1",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "11.0.0.1",
            "2606:4700::1111",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2001:4860:4860::8888",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_the_settings_open_may_be_reached_and_nothing_beside_it() {
        let guard = Guard::new(&["10.1.0.0/16".parse().unwrap()]);
        let lets = |url: &str| guard.lets_url(&url.parse().unwrap());
        assert!(lets("http://10.1.2.3/a") && lets("http://[::ffff:10.1.2.3]/"));
        assert!(
            !lets("http://10.2.0.1/") && !lets("http://[::1]:80/") && !lets("http://2130706433/")
        );
    }
}
