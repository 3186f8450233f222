use std::time::Duration;

use http::HeaderName;

/// How far a signed time may be from ours when nothing is declared: five minutes, as the providers advise.
pub(super) const TOLERANCE: Duration = Duration::from_secs(300);

/// How a provider signs what it sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureScheme {
    /// Standard Webhooks 1.0, symmetric (`v1`): `webhook-id`, `webhook-timestamp`, `webhook-signature`. The secret is
    /// `whsec_` and base64, or base64 alone.
    StandardWebhooks {
        /// How far the signed time may be from ours.
        tolerance: Duration,
    },
    /// Stripe's `Stripe-Signature: t=…,v1=…`.
    Stripe {
        /// How far the signed time may be from ours.
        tolerance: Duration,
    },
    /// An HMAC in a header. GitHub's and Slack's schemes are of this kind.
    Hmac(HmacScheme),
    /// The secret itself in a header, as GitLab sends it. Proves the sender, not the content.
    Token {
        /// The header.
        header: HeaderName,
    },
}

/// An HMAC in a header, as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HmacScheme {
    /// The header with the signature.
    pub header: HeaderName,
    /// The hash.
    pub algorithm: Algorithm,
    /// How the signature is written.
    pub encoding: Encoding,
    /// What stands before it, such as `sha256=`.
    pub prefix: String,
    /// What is signed.
    pub content: Vec<ContentPart>,
    /// Where the signed time stands.
    pub timestamp: Option<TimestampHeader>,
}

/// The header with the signed time, and how old it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampHeader {
    /// The header.
    pub header: HeaderName,
    /// What its number counts.
    pub unit: TimestampUnit,
    /// How far it may be from our time, either way.
    pub tolerance: Duration,
}

/// What a time in a header counts, since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// A hash function under the HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-1; only because old providers use it. As an HMAC it is not broken.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How a signature is written in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal, in either case.
    Hex,
    /// Base64, standard alphabet, with or without padding.
    Base64,
}

/// A piece of the signed content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentPart {
    /// Fixed text.
    Text(String),
    /// `{timestamp}`: the timestamp header's text as sent.
    Timestamp,
    /// `{body}`: the raw body.
    Body,
    /// `{header:<name>}`: another header's text as sent.
    Header(HeaderName),
}

impl SignatureScheme {
    /// Standard Webhooks.
    pub const fn standard_webhooks() -> Self {
        Self::StandardWebhooks { tolerance: TOLERANCE }
    }

    /// GitHub's `X-Hub-Signature-256`.
    pub fn github() -> Self {
        Self::Hmac(HmacScheme {
            header: HeaderName::from_static("x-hub-signature-256"),
            algorithm: Algorithm::Sha256,
            encoding: Encoding::Hex,
            prefix: "sha256=".to_owned(),
            content: vec![ContentPart::Body],
            timestamp: None,
        })
    }

    /// Slack's `v0`.
    pub fn slack(tolerance: Duration) -> Self {
        Self::Hmac(HmacScheme {
            header: HeaderName::from_static("x-slack-signature"),
            algorithm: Algorithm::Sha256,
            encoding: Encoding::Hex,
            prefix: "v0=".to_owned(),
            content: vec![
                ContentPart::Text("v0:".to_owned()),
                ContentPart::Timestamp,
                ContentPart::Text(":".to_owned()),
                ContentPart::Body,
            ],
            timestamp: Some(TimestampHeader {
                header: HeaderName::from_static("x-slack-request-timestamp"),
                unit: TimestampUnit::Seconds,
                tolerance,
            }),
        })
    }

    /// Whether the signature proves that the content is the sender's and fresh: false for a bare token, and for
    /// schemes without a signed time only the freshness is missing.
    pub fn covers_body(&self) -> bool {
        match self {
            Self::StandardWebhooks { .. } | Self::Stripe { .. } => true,
            Self::Hmac(scheme) => scheme.content.contains(&ContentPart::Body),
            Self::Token { .. } => false,
        }
    }
}

/// Parses a content template such as `{timestamp}.{body}`.
pub(super) fn parse_content(template: &str) -> Result<Vec<ContentPart>, String> {
    let mut parts = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let Some(open) = rest.find('{') else {
            parts.push(ContentPart::Text(rest.to_owned()));
            break;
        };
        if open > 0 {
            parts.push(ContentPart::Text(rest[..open].to_owned()));
        }
        let close = rest[open..].find('}').ok_or("a `{` without `}`")? + open;
        parts.push(match &rest[open + 1..close] {
            "timestamp" => ContentPart::Timestamp,
            "body" => ContentPart::Body,
            name => match name.strip_prefix("header:").map(str::parse) {
                Some(Ok(header)) => ContentPart::Header(header),
                _ => {
                    return Err(format!(
                        "`{{{name}}}` is unknown; use {{body}}, {{timestamp}} or {{header:<name>}}"
                    ));
                }
            },
        });
        rest = &rest[close + 1..];
    }
    if parts.contains(&ContentPart::Body) {
        Ok(parts)
    } else {
        Err("the signed content must contain {body}, or the body could be exchanged".to_owned())
    }
}
