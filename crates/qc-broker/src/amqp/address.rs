use std::fmt;

use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use percent_encoding::percent_decode_str;
use qc_vault::Secret;
use url::Url;

use crate::{Fault, codes};

const HELP: &str = "write `amqp://` or `amqps://`, then user:password@host:port/vhost; `/` in a virtual host's name is `%2F`";

/// The largest frame that is offered, in bytes: buffers are made for some dozens of them.
const FRAME_MAX: u32 = 32 << 10;
/// Channels of one connection: one is used.
const CHANNELS: u16 = 8;
/// Seconds without a sign of life after which a connection counts as dead.
const HEARTBEAT: u16 = 20;

/// Where a broker is and who enters. Printing it shows neither user nor password.
#[derive(Clone)]
pub struct Address {
    uri: AMQPUri,
}

impl Address {
    /// From an AMQP URI. `user` and `password` count instead of what stands in it.
    pub fn parse(
        text: &str,
        user: Option<&Secret>,
        password: Option<&Secret>,
    ) -> Result<Self, Fault> {
        // The text may hold a password: no message repeats it.
        let unusable = |why: &str| {
            Fault::new(codes::ADDRESS, format!("the broker's address cannot be used: {why}"), HELP)
        };
        let url = Url::parse(text.trim()).map_err(|error| unusable(&error.to_string()))?;
        let (scheme, usual_port) = match url.scheme() {
            "amqp" => (AMQPScheme::AMQP, 5_672),
            "amqps" => (AMQPScheme::AMQPS, 5_671),
            _ => return Err(unusable("it begins with neither `amqp://` nor `amqps://`")),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| unusable("it names no host"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(unusable("it has a part after `?` or `#`, which has no meaning here"));
        }
        let decoded = |text: &str, what: &str| {
            percent_decode_str(text)
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| unusable(&format!("its {what} is not percent-encoded UTF-8")))
        };
        let username = match user {
            Some(user) => user.expose().trim().to_owned(),
            None => decoded(url.username(), "user")?,
        };
        let password = match password {
            Some(password) => password.expose().trim_end_matches(['\r', '\n']).to_owned(),
            None => decoded(url.password().unwrap_or_default(), "password")?,
        };
        if username.is_empty() || password.is_empty() {
            return Err(unusable("it has no user or no password"));
        }
        let path = url.path().strip_prefix('/').unwrap_or_default();
        if path.contains('/') {
            return Err(unusable("the virtual host has a `/` that is not written as `%2F`"));
        }
        let vhost = if path.is_empty() { "/".to_owned() } else { decoded(path, "virtual host")? };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port().unwrap_or(usual_port);
        let query = AMQPQueryString {
            frame_max: Some(FRAME_MAX),
            channel_max: Some(CHANNELS),
            heartbeat: Some(HEARTBEAT),
            ..AMQPQueryString::default()
        };
        let userinfo = AMQPUserInfo { username, password };
        let authority = AMQPAuthority { userinfo, host, port };
        Ok(Self { uri: AMQPUri { scheme, authority, vhost, query } })
    }

    /// Whether a text has a user or a password in it: such a text is a secret.
    pub fn has_credentials(text: &str) -> bool {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
    }

    pub(super) fn uri(&self) -> &AMQPUri {
        &self.uri
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri { scheme, authority, vhost, .. } = &self.uri;
        write!(f, "{scheme}://{}:{}, virtual host `{vhost}`", authority.host, authority.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, Fault> {
        Address::parse(text, None, None)
    }

    #[test]
    fn the_parts_are_found() {
        let address = parse("amqps://us%40er:p%2Fw@broker.test/orders%2Feu").unwrap();
        let AMQPUri { authority, vhost, .. } = address.uri();
        assert_eq!(authority.port, 5_671);
        assert_eq!((authority.userinfo.username.as_str(), vhost.as_str()), ("us@er", "orders/eu"));
        assert_eq!(authority.userinfo.password, "p/w");
        for text in ["amqp://u:p@h", "amqp://u:p@h/", "amqp://u:p@h:5672/%2f"] {
            assert_eq!(parse(text).unwrap().uri().vhost, "/", "{text}");
        }
        assert_eq!(parse("amqp://u:p@[::1]:7").unwrap().uri().authority.host, "::1");
    }

    #[test]
    fn given_credentials_win_and_are_never_shown() {
        let (user, password) = (Secret::new("who"), Secret::new("hunter2\n"));
        let address = Address::parse("amqp://h/v", Some(&user), Some(&password)).unwrap();
        assert_eq!(address.uri().authority.userinfo.password, "hunter2");
        let shown = format!("{address} {address:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("who"), "{shown}");
        assert!(shown.contains("virtual host `v`"));
    }

    #[test]
    fn unusable_ones_are_refused_without_repeating_them() {
        for bad in [
            "",
            "broker",
            "http://u:secret@h",
            "amqp://u:secret@",
            "amqp://h",
            "amqp://u@h",
            "amqp://u:secret@h/a/b",
            "amqp://u:secret@h/v?x=1",
            "amqp://u:secret@h:99999/v",
        ] {
            let fault = parse(bad).unwrap_err();
            assert_eq!(fault.code, codes::ADDRESS, "{bad}");
            assert!(!fault.message.contains("secret"), "{}", fault.message);
        }
        assert!(Address::has_credentials("amqp://u:p@h/v"));
        assert!(!Address::has_credentials("amqp://h/v@x"));
    }
}
