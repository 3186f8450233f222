use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str,
};

use http::HeaderMap;

/// The most addresses that are looked at in a forwarding header.
const HOPS: usize = 32;

/// The peers that may say on whose behalf they speak (`X-Forwarded-For`, `Forwarded`). Nobody, unless configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

/// A range of addresses, as `10.0.0.0/8` or a single address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text is no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address or range, such as `10.0.0.0/8` or `::1`")]
pub struct NetworkError(String);

impl TrustedProxies {
    /// From ranges.
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// Who the request comes from: the peer, or, behind trusted proxies, the nearest address that is none of them.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        let forwarded = addresses(headers);
        let mut nearest = peer;
        for address in forwarded.into_iter().rev().take(HOPS) {
            // What cannot be read hides who stands behind it: stop at the last one known.
            let Some(address) = address else { break };
            nearest = address;
            if !self.trusts(address) {
                break;
            }
        }
        nearest
    }

    /// Whether the peer is one of them.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => same_head(
                u128::from(own.to_bits()) << 96,
                u128::from(other.to_bits()) << 96,
                self.bits,
            ),
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                same_head(own.to_bits(), other.to_bits(), self.bits)
            }
            _ => false,
        }
    }
}

fn same_head(one: u128, other: u128, bits: u8) -> bool {
    let differing = (one ^ other).leading_zeros();
    differing >= u32::from(bits)
}

impl str::FromStr for Network {
    type Err = NetworkError;
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let fail = || NetworkError(text.chars().take(60).collect());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| fail())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| fail())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most { Err(fail()) } else { Ok(Self { address, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The addresses of the forwarding headers, farthest first; None for what is hidden or unreadable.
fn addresses(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lists = |name: &str| {
        headers
            .get_all(name)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or("?").split(','))
            .map(str::trim)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let standard = lists("forwarded");
    if standard.is_empty() {
        return lists("x-forwarded-for").iter().map(|text| address(text)).collect();
    }
    standard
        .iter()
        .map(|element| {
            let parameter = element.split(';').find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
            })?;
            address(parameter)
        })
        .collect()
}

/// An address with or without a port: `1.2.3.4:5`, `[::1]:5`, `::1`.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Some(rest) = text.strip_prefix('[') {
        return rest
            .split(']')
            .next()?
            .parse::<Ipv6Addr>()
            .ok()
            .map(|v6| IpAddr::V6(v6).to_canonical());
    }
    text.split(':').next()?.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(list: &[&str]) -> TrustedProxies {
        TrustedProxies::new(list.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn client(proxies: &TrustedProxies, peer: &str, name: &str, value: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn nobody_is_trusted_unasked() {
        let none = TrustedProxies::default();
        assert_eq!(client(&none, "10.0.0.1", "x-forwarded-for", "1.2.3.4"), "10.0.0.1");
    }

    #[test]
    fn the_nearest_untrusted_address_is_the_client() {
        let trusted = proxies(&["10.0.0.0/8", "::1"]);
        let header = "x-forwarded-for";
        assert_eq!(client(&trusted, "10.0.0.1", header, "6.6.6.6, 1.2.3.4, 10.1.1.1"), "1.2.3.4");
        assert_eq!(client(&trusted, "::1", header, "1.2.3.4:1234"), "1.2.3.4");
        assert_eq!(client(&trusted, "::ffff:10.0.0.1", header, "1.2.3.4"), "1.2.3.4");
        assert_eq!(client(&trusted, "9.9.9.9", header, "1.2.3.4"), "9.9.9.9");
        assert_eq!(client(&trusted, "10.0.0.1", header, "1.2.3.4, unknown"), "10.0.0.1");
        let value = "for=6.6.6.6, for=\"[2001:db8::1]:80\";proto=https";
        assert_eq!(client(&trusted, "10.0.0.1", "forwarded", value), "2001:db8::1");
    }

    #[test]
    fn ranges_are_read_and_bounded() {
        assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("255.1.2.3".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0", "10.0.0.0/x", "host"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
