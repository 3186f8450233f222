use http::HeaderName;
use qc_document::{Node, ObjectReader, Reader};
use qc_vault::SecretRef;

use super::{
    Algorithm, Challenge, ChallengeKind, ContentPart, Encoding, HmacScheme, SignatureScheme,
    TimestampHeader, TimestampUnit,
    scheme::{TOLERANCE, parse_content},
};
use crate::connector::secret_field;

#[derive(Clone, Copy)]
enum SchemeWord {
    StandardWebhooks,
    Github,
    Slack,
    Stripe,
    Hmac,
    Token,
}

const SCHEMES: [(&str, SchemeWord); 6] = [
    ("standard-webhooks", SchemeWord::StandardWebhooks),
    ("github", SchemeWord::Github),
    ("slack", SchemeWord::Slack),
    ("stripe", SchemeWord::Stripe),
    ("hmac", SchemeWord::Hmac),
    ("token", SchemeWord::Token),
];

impl SignatureScheme {
    /// Reads a scheme: its name alone (`github`), or an object with `scheme` and its settings.
    pub fn parse(reader: &Reader<'_>, node: &Node) -> Option<Self> {
        if let Some(name) = node.as_str() {
            return match name {
                "standard-webhooks" => Some(Self::standard_webhooks()),
                "github" => Some(Self::github()),
                "slack" => Some(Self::slack(TOLERANCE)),
                "stripe" => Some(Self::Stripe { tolerance: TOLERANCE }),
                "hmac" | "token" => {
                    reader.invalid(node, format!("`{name}` needs settings: write it as an object with `scheme: {name}` and `header`"));
                    None
                }
                _ => {
                    let names: Vec<_> =
                        SCHEMES.iter().map(|(name, _)| format!("`{name}`")).collect();
                    reader.invalid(
                        node,
                        format!("a signature scheme is one of {}", names.join(", ")),
                    );
                    None
                }
            };
        }
        let mut object = reader.object(node, "`signature`")?;
        let scheme = Self::read(&mut object);
        object.finish();
        scheme
    }

    /// Reads `scheme` and its settings from an object that may have further keys. The caller finishes the object.
    pub fn read(object: &mut ObjectReader<'_, '_>) -> Option<Self> {
        match object.choice("scheme", &SCHEMES)? {
            SchemeWord::Github => Some(Self::github()),
            SchemeWord::StandardWebhooks => {
                Some(Self::StandardWebhooks { tolerance: tolerance(object) })
            }
            SchemeWord::Slack => Some(Self::slack(tolerance(object))),
            SchemeWord::Stripe => Some(Self::Stripe { tolerance: tolerance(object) }),
            SchemeWord::Token => Some(Self::Token { header: object.parse("header", header)? }),
            SchemeWord::Hmac => hmac(object).map(Self::Hmac),
        }
    }
}

fn tolerance(object: &mut ObjectReader<'_, '_>) -> std::time::Duration {
    object.optional_duration("tolerance").unwrap_or(TOLERANCE)
}

fn header(text: &str) -> Result<HeaderName, String> {
    text.parse().map_err(|_| "not a header's name".to_owned())
}

fn hmac(object: &mut ObjectReader<'_, '_>) -> Option<HmacScheme> {
    let algorithms =
        [("sha256", Algorithm::Sha256), ("sha512", Algorithm::Sha512), ("sha1", Algorithm::Sha1)];
    let encodings = [("hex", Encoding::Hex), ("base64", Encoding::Base64)];
    let units =
        [("seconds", TimestampUnit::Seconds), ("milliseconds", TimestampUnit::Milliseconds)];
    let signature = object.parse("header", header);
    let algorithm = object.optional_choice("algorithm", &algorithms).unwrap_or(Algorithm::Sha256);
    let encoding = object.optional_choice("encoding", &encodings).unwrap_or(Encoding::Hex);
    let prefix = object.optional_string("prefix").unwrap_or_default().to_owned();
    let stamp = object.optional_parse("timestamp_header", header);
    let unit = object.optional_choice("timestamp_unit", &units).unwrap_or(TimestampUnit::Seconds);
    let timestamp =
        stamp.map(|header| TimestampHeader { header, unit, tolerance: tolerance(object) });
    let content = object.optional("content");
    let parts = match content.map(|node| (node, node.as_str())) {
        None => vec![ContentPart::Body],
        Some((node, None)) => {
            object.reader().wrong_kind(node, "`content`", "a string");
            return None;
        }
        Some((node, Some(template))) => match parse_content(template) {
            Ok(parts) => parts,
            Err(message) => {
                object.reader().invalid(node, format!("`content`: {message}"));
                return None;
            }
        },
    };
    // A time that is checked but not signed proves nothing: whoever repeats the request sets it anew.
    let signed_time = parts.iter().any(|part| match (part, &timestamp) {
        (ContentPart::Timestamp, _) => true,
        (ContentPart::Header(name), Some(timestamp)) => *name == timestamp.header,
        _ => false,
    });
    if let Some(node) = content.or(Some(object.node()))
        && signed_time != timestamp.is_some()
    {
        let message = if signed_time {
            "`{timestamp}` in `content` needs `timestamp_header`"
        } else {
            "`timestamp_header` is not part of the signed `content`; add `{timestamp}`"
        };
        object.reader().invalid(node, message);
        return None;
    }
    Some(HmacScheme { header: signature?, algorithm, encoding, prefix, content: parts, timestamp })
}

impl Challenge {
    /// Reads a handshake: its name alone (`slack`), or an object with `kind` and its settings.
    pub fn parse(reader: &Reader<'_>, node: &Node) -> Option<Self> {
        let kinds = [
            ("slack", ChallengeKind::Slack),
            ("meta", ChallengeKind::Meta),
            ("crc", ChallengeKind::Crc),
            ("microsoft-graph", ChallengeKind::MicrosoftGraph),
            ("cloudevents", ChallengeKind::CloudEvents { origins: Vec::new() }),
        ];
        if let Some(name) = node.as_str() {
            let kind = kinds.iter().find(|(word, _)| *word == name).map(|(_, kind)| kind.clone());
            if kind.is_none() {
                let names: Vec<_> = kinds.iter().map(|(name, _)| format!("`{name}`")).collect();
                reader.invalid(node, format!("a challenge is one of {}", names.join(", ")));
            }
            return kind.map(|kind| Self { kind, secret: None });
        }
        let mut object = reader.object(node, "`challenge`")?;
        let mut kind = object.choice("kind", &kinds);
        if let Some(ChallengeKind::CloudEvents { origins }) = &mut kind {
            origins
                .extend(object.strings("origins").iter().map(|(_, origin)| (*origin).to_owned()));
        }
        let secret: Option<SecretRef> =
            object.optional("secret").and_then(|node| secret_field(reader, "secret", node));
        object.finish();
        kind.map(|kind| Self { kind, secret })
    }
}
