//! Brokers: queues that events come from, exchanges that they go to.

use qc_connect::connector::{Setting, TextOrSecret};
use qc_document::{Node, Reader};
use qc_vault::SecretRef;
use serde_json::{Value, json};

use crate::codes;
use crate::shape::{Definitions, Fields, Integer, Record, Shape, Spanned};

/// How many messages may be in hand at once, and how many are when nothing is said.
pub type Prefetch = Integer<1, 256>;
const PREFETCH: Prefetch = Integer(32);

/// A queue from which events come.
#[derive(Debug, Clone)]
pub struct AmqpSpec {
    /// The broker.
    pub broker: Spanned<BrokerSpec>,
    /// The queue.
    pub queue: BrokerName,
    /// How many messages are in hand at once.
    pub prefetch: Prefetch,
}

/// A broker and who enters it.
#[derive(Debug, Clone)]
pub enum BrokerSpec {
    /// The whole address is a secret.
    Url(SecretRef),
    /// An open address with credentials that are secrets.
    Parts(BrokerParts),
}

/// An open address with credentials.
#[derive(Debug, Clone)]
pub struct BrokerParts {
    /// The address without user and password.
    pub url: Setting,
    /// The user.
    pub user: TextOrSecret,
    /// The password.
    pub password: SecretRef,
}

/// The name of a queue or exchange: AMQP bounds it to 255 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerName(pub String);

const NAME_LONGEST: usize = 255;

impl Shape for BrokerName {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let name = String::read(node, what, reader)?;
        if name.len() > NAME_LONGEST || name.chars().any(char::is_control) {
            reader.invalid(
                node,
                format!("{what} must have at most {NAME_LONGEST} bytes and no control characters"),
            );
            return None;
        }
        Some(Self(name))
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "minLength": 1, "maxLength": NAME_LONGEST })
    }
}

impl Record for AmqpSpec {
    const NAME: &'static str = "amqp_source";
    const DOC: &'static str = "A queue of an AMQP 0-9-1 broker from which events come.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let broker =
            f.required("broker", "The broker: a secret that is its whole address, or its parts.");
        let queue = f.required("queue", "The queue. It must be there: none is made.");
        let prefetch =
            f.optional("prefetch", "How many messages are in hand at once; 32 when left out.");
        Some(Self { broker: broker?, queue: queue?, prefetch: prefetch.unwrap_or(PREFETCH) })
    }
}

impl Shape for BrokerSpec {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        if node.as_mapping().is_some() {
            BrokerParts::read(node, what, reader).map(Self::Parts)
        } else {
            SecretRef::read(node, what, reader).map(Self::Url)
        }
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [SecretRef::schema(definitions), BrokerParts::schema(definitions)] })
    }
}

impl Record for BrokerParts {
    const NAME: &'static str = "broker";
    const DOC: &'static str = "A broker's address with credentials that are secrets.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let url: Option<BrokerUrl> = f.required(
            "url",
            "The address, such as `amqps://${vars.broker_host}/orders`; no user or password.",
        );
        let user: Option<BrokerUser> = f.required("user", "The user: text, or a secret.");
        let password = f.required("password", "The password.");
        Some(Self { url: url?.0, user: user?.0, password: password? })
    }
}

struct BrokerUrl(Setting);

impl Shape for BrokerUrl {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let text = reader.text(node, what)?.trim();
        if has_credentials(text) {
            // Not repeated: it may be a real password.
            let message = format!("{what} has a user or password in it");
            let finding = reader.error(codes::LITERAL_SECRET, node.span, message);
            reader.push(finding.help(
                "write them as `user` and `password: secret://…`, or make the whole address a secret",
            ));
            return None;
        }
        if !["amqp://", "amqps://", "${vars."].iter().any(|start| text.starts_with(start)) {
            reader.invalid(node, format!("{what} must begin with `amqp://` or `amqps://`"));
            return None;
        }
        match Setting::parse(text) {
            Ok(setting) => Some(Self(setting)),
            Err(error) => {
                reader.invalid(node, format!("{what}: {error}"));
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": r"^(amqps?://|\$\{vars\.)" })
    }
}

/// Whether an address has a user or a password before its host.
fn has_credentials(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

struct BrokerUser(TextOrSecret);

impl Shape for BrokerUser {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        match TextOrSecret::parse(reader.text(node, what)?.trim()) {
            Ok(user) => Some(Self(user)),
            Err(error) => {
                reader.invalid(node, format!("{what}: {error}"));
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "minLength": 1 })
    }
}
