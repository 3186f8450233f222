//! Who may send to a trigger, and whose event it is.

use qc_document::{Node, Reader};
use qc_model::{Name, TenantName};
use qc_vault::SecretRef;
use serde_json::{Value, json};

use crate::codes;
use crate::shape::{Definitions, Fields, Jq, Shape, Spanned, read_word, word_schema};

/// Who may send.
#[derive(Debug, Clone)]
pub enum TriggerAccess {
    /// A holder of an API token with the scope to send to this trigger.
    Token,
    /// Whoever signs with the secret.
    Signature {
        /// How.
        scheme: SignatureRef,
        /// With what; the connector's own secret when left out.
        secret: Option<SecretRef>,
    },
    /// Anybody.
    Open,
    /// Nobody: the platform fetches the events by itself.
    Fetched,
    /// Nobody: the platform begins the runs itself.
    Timed,
}

/// Where a signature scheme is described.
#[derive(Debug, Clone)]
pub enum SignatureRef {
    /// In the connector's `webhook`.
    Connector(Spanned<Name>),
    /// Here.
    Inline(Node),
}

/// Whose event it is.
#[derive(Debug, Clone)]
pub enum TenantSpec {
    /// Always this tenant's.
    Fixed(Spanned<TenantName>),
    /// As an expression over the event says.
    FromEvent(Jq),
    /// That of the bus from which it comes.
    OfEvent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Token,
    Signature,
    None,
}

const WORDS: &[(&str, Word)] =
    &[("token", Word::Token), ("signature", Word::Signature), ("none", Word::None)];

impl Shape for Word {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(WORDS, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(WORDS)
    }
}

/// How events come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coming {
    /// Somebody sends them over HTTP.
    Sent,
    /// The platform fetches them.
    Fetched,
    /// Time makes them.
    Timed,
}

impl TriggerAccess {
    /// Reads `auth`, `signature` and `secret` of a trigger. `comes`: how its events come, when that is known.
    pub(super) fn of_fields(
        f: &mut Fields<'_, '_>,
        comes: Option<Coming>,
    ) -> Option<Spanned<Self>> {
        let word: Option<Spanned<Word>> = f.optional(
            "auth",
            "Who may send: a token's holder, whoever signs, or anybody (`none`). Needed where somebody sends.",
        );
        let signature = f.optional(
            "signature",
            "How senders sign: `{connector: name}` or a scheme described here.",
        );
        let secret = f.optional("secret", "The signing secret; the connector's own when left out.");
        let by_itself = match comes {
            Some(Coming::Fetched) => Some(Self::Fetched),
            Some(Coming::Timed) => Some(Self::Timed),
            Some(Coming::Sent) | None => None,
        };
        if let Some(value) = by_itself {
            return Some(Spanned { value, span: f.span() });
        }
        if comes == Some(Coming::Sent) && word.is_none() && !f.has("auth") {
            let help = "say who may send: `token`, `signature` or `none`";
            f.report(qc_document::codes::MISSING_KEY, f.span(), "the trigger needs `auth`", help);
        }
        let Spanned { value: word, span } = word?;
        let signs = word == Word::Signature;
        // A connector's webhook has a secret of its own.
        let by_connector = matches!(signature, Some(SignatureRef::Connector(_)));
        for (key, needed) in [("signature", true), ("secret", !by_connector)] {
            if f.has(key) && !signs {
                let message = format!("`{key}` has no meaning with this `auth`");
                let help = "write `auth: signature`, or remove it";
                f.report(codes::MISPLACED_KEY, span, message, help);
            } else if signs && needed && !f.has(key) {
                let message = format!("`auth: signature` needs `{key}`");
                let help = "name the scheme and a `secret://` reference";
                f.report(qc_document::codes::MISSING_KEY, span, message, help);
            }
        }
        let value = match word {
            Word::Token => Self::Token,
            Word::None => Self::Open,
            Word::Signature => Self::Signature { scheme: signature?, secret },
        };
        Some(Spanned { value, span })
    }
}

impl Shape for SignatureRef {
    fn read(node: &Node, _: &str, reader: &Reader<'_>) -> Option<Self> {
        match node.as_mapping() {
            Some([(key, connector)]) if &*key.name == "connector" => {
                Some(Self::Connector(Spanned::read(connector, "`connector`", reader)?))
            }
            // The scheme itself is read by qc-connect, with its own findings.
            _ => Some(Self::Inline(node.clone())),
        }
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": ["string", "object"], "minLength": 1, "minProperties": 1 })
    }
}

impl Shape for TenantSpec {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        if node.as_mapping().is_none() {
            return Some(Self::Fixed(Spanned::read(node, what, reader)?));
        }
        let mut object = reader.object(node, what)?;
        let from = object.required("from").and_then(|from| Jq::read(from, "`from`", reader));
        object.finish();
        Some(Self::FromEvent(from?))
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [
            Name::schema(definitions),
            {
                "type": "object",
                "additionalProperties": false,
                "required": ["from"],
                "properties": { "from": Jq::schema(definitions) },
            },
        ]})
    }
}
