//! What a broker's refusal means.

use std::io;

use lapin::ErrorKind;

use super::Address;
use crate::{Fault, codes};

/// What was being done when the broker refused.
pub(super) enum Doing<'a> {
    Connect(&'a Address),
    Consume(&'a Address, &'a str),
    Publish(&'a Address, &'a str),
}

/// `access-refused`, `not-found`, `not-allowed` of AMQP 0-9-1.
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const NOT_ALLOWED: u16 = 530;

/// What is repeated of the broker's own words, in characters.
const WORDS: usize = 200;

/// The fault that an error of the client library is.
pub(super) fn fault(error: &lapin::Error, doing: &Doing<'_>) -> Fault {
    let (Doing::Connect(address) | Doing::Consume(address, _) | Doing::Publish(address, _)) = doing;
    match error.kind() {
        ErrorKind::ProtocolError(refusal) => {
            let words: String = refusal.get_message().as_str().chars().take(WORDS).collect();
            refused(refusal.get_id(), &words, doing, address)
        }
        ErrorKind::IOError(error) => {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            if let Some(inner) = inner {
                return Fault::new(
                    codes::TLS,
                    format!("TLS to the broker at {address}: {inner}"),
                    "see that the broker's certificate names this host and that its authority is trusted here (`ca_bundle`)",
                );
            }
            let why = match error.kind() {
                io::ErrorKind::TimedOut => "it does not answer in time".to_owned(),
                _ => error.to_string(),
            };
            unreachable_now(address, &why)
        }
        _ => unreachable_now(address, &error.to_string()),
    }
}

fn unreachable_now(address: &Address, why: &str) -> Fault {
    Fault::new(
        codes::UNREACHABLE,
        format!("the broker at {address} cannot be reached: {why}"),
        "see that it runs and can be reached from here; the connection is tried again by itself",
    )
}

fn refused(id: u16, words: &str, doing: &Doing<'_>, address: &Address) -> Fault {
    match (id, doing) {
        (ACCESS_REFUSED, Doing::Connect(_)) => Fault::new(
            codes::LOGIN,
            format!("the broker at {address} refuses the login: {words}"),
            "check user and password of the secret in this environment",
        ),
        (NOT_ALLOWED, _) => Fault::new(
            codes::VIRTUAL_HOST,
            format!("the broker at {address} does not let us in: {words}"),
            "create the virtual host, or give the user permissions in it",
        ),
        (ACCESS_REFUSED | NOT_FOUND, Doing::Consume(_, queue)) => Fault::new(
            codes::QUEUE,
            format!("the queue `{queue}` of {address} cannot be read: {words}"),
            "create the queue, or give the user the permission to read it; it is looked for again by itself",
        ),
        (ACCESS_REFUSED | NOT_FOUND, Doing::Publish(_, exchange)) => Fault::new(
            codes::EXCHANGE,
            format!("the exchange `{exchange}` of {address} cannot be written to: {words}"),
            "create the exchange, or give the user the permission to write to it; it is looked for again by itself",
        ),
        _ => unreachable_now(address, words),
    }
}
