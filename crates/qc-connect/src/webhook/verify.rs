use std::{str, time::Duration};

use aws_lc_rs::{constant_time, hmac};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderName};
use qc_model::{Code, Timestamp};
use qc_vault::Secret;

use super::scheme::{
    Algorithm, ContentPart, Encoding, HmacScheme, SignatureScheme, TimestampHeader, TimestampUnit,
};
use crate::codes;

/// Most signatures in one header that are looked at.
const MOST_SIGNATURES: usize = 16;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a webhook's signature was not accepted. Says nothing of the right signature or the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SignatureError {
    /// The stable code.
    pub code: Code,
    /// What is wrong, for the sender and the operator.
    pub reason: String,
}

impl SignatureScheme {
    /// Checks a webhook against all secrets that are valid now. `now` is when the request's head arrived.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        secrets: &[Secret],
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        match self {
            Self::StandardWebhooks { tolerance } => {
                standard_webhooks(headers, body, secrets, now, *tolerance)
            }
            Self::Stripe { tolerance } => stripe(headers, body, secrets, now, *tolerance),
            Self::Hmac(scheme) => scheme.verify(headers, body, secrets, now),
            Self::Token { header } => {
                let token = text(headers, header)?.as_bytes();
                let right = secrets.iter().any(|secret| {
                    let secret = secret.expose().as_bytes();
                    constant_time::verify_slices_are_equal(secret, token).is_ok()
                });
                if right { Ok(()) } else { Err(mismatch()) }
            }
        }
    }
}

impl HmacScheme {
    fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        secrets: &[Secret],
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        let sent = text(headers, &self.header)?.trim();
        let sent = sent.strip_prefix(self.prefix.as_str()).ok_or_else(|| {
            malformed(format!("`{}` does not begin with `{}`", self.header, self.prefix))
        })?;
        let signature = decode(self.encoding, sent).ok_or_else(|| {
            malformed(format!("`{}` holds no {}", self.header, self.encoding.name()))
        })?;
        let stamp = match &self.timestamp {
            Some(timestamp) => {
                let stamp = text(headers, &timestamp.header)?.trim();
                timestamp.check(stamp, now)?;
                stamp
            }
            None => "",
        };
        let pieces = self.pieces(headers, stamp, body)?;
        let keys = secrets.iter().map(|secret| key(self.algorithm, secret.expose().as_bytes()));
        signed(keys, &pieces, &[signature])
    }
}

impl HmacScheme {
    /// What is signed, in order.
    pub(super) fn pieces<'b>(
        &'b self,
        headers: &'b HeaderMap,
        stamp: &'b str,
        body: &'b [u8],
    ) -> Result<Vec<&'b [u8]>, SignatureError> {
        let piece = |part: &'b ContentPart| {
            Ok(match part {
                ContentPart::Text(fixed) => fixed.as_bytes(),
                ContentPart::Timestamp => stamp.as_bytes(),
                ContentPart::Body => body,
                ContentPart::Header(name) => text(headers, name)?.as_bytes(),
            })
        };
        self.content.iter().map(piece).collect()
    }
}

impl TimestampHeader {
    fn check(&self, stamp: &str, now: Timestamp) -> Result<(), SignatureError> {
        let number: i64 = stamp
            .parse()
            .map_err(|_| malformed(format!("`{}` is not a whole number", self.header)))?;
        let millis = match self.unit {
            TimestampUnit::Seconds => number.saturating_mul(1000),
            TimestampUnit::Milliseconds => number,
        };
        fresh(Timestamp::from_millis(millis), now, self.tolerance)
    }
}

fn standard_webhooks(
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[Secret],
    now: Timestamp,
    tolerance: Duration,
) -> Result<(), SignatureError> {
    let id = text(headers, &HeaderName::from_static("webhook-id"))?;
    let stamp_header = TimestampHeader {
        header: HeaderName::from_static("webhook-timestamp"),
        unit: TimestampUnit::Seconds,
        tolerance,
    };
    let stamp = text(headers, &stamp_header.header)?;
    let sent = text(headers, &HeaderName::from_static("webhook-signature"))?;
    // Signatures of other versions (`v1a`, asymmetric) may stand beside ours and are passed over.
    let signatures: Vec<Vec<u8>> = sent
        .split(' ')
        .take(MOST_SIGNATURES)
        .filter_map(|one| one.strip_prefix("v1,"))
        .filter_map(|one| BASE64.decode(one).ok())
        .collect();
    if signatures.is_empty() {
        return Err(malformed("`webhook-signature` holds no `v1,<base64>`".to_owned()));
    }
    stamp_header.check(stamp, now)?;
    let mut keys = Vec::with_capacity(secrets.len());
    for secret in secrets {
        keys.push(standard_key(secret)?);
    }
    let pieces = [id.as_bytes(), b".", stamp.as_bytes(), b".", body];
    signed(keys.into_iter(), &pieces, &signatures)
}

fn stripe(
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[Secret],
    now: Timestamp,
    tolerance: Duration,
) -> Result<(), SignatureError> {
    let header = HeaderName::from_static("stripe-signature");
    let sent = text(headers, &header)?;
    let mut stamp = None;
    let mut signatures = Vec::new();
    for item in sent.split(',').take(MOST_SIGNATURES + 1) {
        match item.trim().split_once('=') {
            Some(("t", value)) => stamp = Some(value),
            Some(("v1", value)) => signatures.extend(decode(Encoding::Hex, value)),
            _ => {}
        }
    }
    let stamp = stamp
        .filter(|_| !signatures.is_empty())
        .ok_or_else(|| malformed("`stripe-signature` needs `t=` and `v1=`".to_owned()))?;
    TimestampHeader { header, unit: TimestampUnit::Seconds, tolerance }.check(stamp, now)?;
    let keys = secrets.iter().map(|s| key(Algorithm::Sha256, s.expose().as_bytes()));
    signed(keys, &[stamp.as_bytes(), b".", body], &signatures)
}

/// The key that a secret of Standard Webhooks stands for.
pub(super) fn standard_key(secret: &Secret) -> Result<hmac::Key, SignatureError> {
    let text = secret.expose().trim();
    let raw =
        BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text)).map_err(|_| SignatureError {
            code: codes::SIGNING_SECRET,
            reason: "the secret of a Standard Webhooks sender is base64, after `whsec_`".to_owned(),
        })?;
    Ok(key(Algorithm::Sha256, &raw))
}

pub(super) fn key(algorithm: Algorithm, raw: &[u8]) -> hmac::Key {
    let algorithm = match algorithm {
        Algorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Algorithm::Sha256 => hmac::HMAC_SHA256,
        Algorithm::Sha512 => hmac::HMAC_SHA512,
    };
    hmac::Key::new(algorithm, raw)
}

/// Whether one of the signatures is the HMAC of the pieces under one of the keys; compared in constant time.
fn signed(
    keys: impl Iterator<Item = hmac::Key>,
    pieces: &[&[u8]],
    signatures: &[Vec<u8>],
) -> Result<(), SignatureError> {
    for key in keys {
        let mut context = hmac::Context::with_key(&key);
        for piece in pieces {
            context.update(piece);
        }
        let tag = context.sign();
        let equal =
            |one: &Vec<u8>| constant_time::verify_slices_are_equal(tag.as_ref(), one).is_ok();
        if signatures.iter().any(equal) {
            return Ok(());
        }
    }
    Err(mismatch())
}

fn fresh(stamp: Timestamp, now: Timestamp, tolerance: Duration) -> Result<(), SignatureError> {
    let off = now.since(stamp).max(stamp.since(now));
    if off <= tolerance {
        return Ok(());
    }
    Err(SignatureError {
        code: codes::SIGNATURE_STALE,
        reason: format!(
            "the signed time is {} s away from ours; {} s are allowed",
            off.as_secs(),
            tolerance.as_secs()
        ),
    })
}

/// The one value of a header. Two values are refused: it would be unclear which of them was signed.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h str, SignatureError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| SignatureError {
        code: codes::SIGNATURE_MISSING,
        reason: format!("the header `{name}` is missing"),
    })?;
    if values.next().is_some() {
        return Err(malformed(format!("the header `{name}` stands there more than once")));
    }
    str::from_utf8(value.as_bytes()).map_err(|_| malformed(format!("`{name}` is not text")))
}

fn decode(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Base64 => BASE64.decode(text).ok().filter(|bytes| !bytes.is_empty()),
        Encoding::Hex => {
            if text.is_empty() || !text.len().is_multiple_of(2) {
                return None;
            }
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
            text.as_bytes()
                .chunks(2)
                .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
                .collect()
        }
    }
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Self::Hex => "hexadecimal text",
            Self::Base64 => "base64 text",
        }
    }
}

pub(super) fn malformed(reason: String) -> SignatureError {
    SignatureError { code: codes::SIGNATURE_MALFORMED, reason }
}

fn mismatch() -> SignatureError {
    SignatureError {
        code: codes::SIGNATURE_MISMATCH,
        reason: "the signature does not fit the body and the secrets that are valid now".to_owned(),
    }
}
