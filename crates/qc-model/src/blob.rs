use std::{fmt, str};

use serde_json::Value;

/// The SHA-256 of a large body that is kept beside the store: its name there. Printed as 64 lower-case hex digits, so it
/// can be a file's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobHash([u8; 32]);

/// A text is not a blob's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a blob's hash has 64 digits of 0-9 a-f")]
pub struct BlobHashError;

impl BlobHash {
    /// From the digest.
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub const fn bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl str::FromStr for BlobHash {
    type Err = BlobHashError;

    fn from_str(text: &str) -> Result<Self, BlobHashError> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(BlobHashError),
        };
        if text.len() != 64 {
            return Err(BlobHashError);
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(digest))
    }
}

/// How a workflow's data name a blob: `{"blob": "<hash>", "size": n, "mediaType": "…", "filename": "…"}`. Only `blob` is
/// required. Whoever sees one must not believe it: data come from outside, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobValue {
    /// Which blob.
    pub hash: BlobHash,
    /// Its media type, as whoever sent it said.
    pub media_type: Option<String>,
    /// The name under which it is sent on.
    pub filename: Option<String>,
}

impl BlobValue {
    /// Reads a value. None when it is anything else, such as an object that happens to have a field `blob`.
    pub fn of(value: &Value) -> Option<Self> {
        const KEYS: [&str; 5] = ["blob", "size", "mediaType", "media_type", "filename"];
        let fields = value.as_object()?;
        let hash = fields.get("blob")?.as_str()?.parse().ok()?;
        if !fields.keys().all(|key| KEYS.contains(&key.as_str())) {
            return None;
        }
        let text = |key: &str| {
            let text = fields.get(key).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        Some(Self {
            hash,
            media_type: text("mediaType").or_else(|| text("media_type")),
            filename: text("filename"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_hash_prints_and_parses() {
        let text = "00ff".repeat(16);
        assert_eq!(text.parse::<BlobHash>().unwrap().to_string(), text);
        for wrong in [&text[1..], &text.to_uppercase(), "../../../../etc/passwd", ""] {
            assert_eq!(wrong.parse::<BlobHash>(), Err(BlobHashError), "{wrong}");
        }
    }

    #[test]
    fn only_a_whole_reference_is_one() {
        let hash = "ab".repeat(32);
        let value = BlobValue::of(&json!({"blob": hash, "size": 3, "mediaType": "a/b"})).unwrap();
        assert_eq!((value.hash.to_string(), value.media_type.as_deref()), (hash, Some("a/b")));
        let hash = "ab".repeat(32);
        for other in [
            json!({"blob": "ab"}),
            json!({"blob": hash, "sha": "x"}),
            json!({"size": 3}),
            json!(hash),
            json!([{"blob": hash}]),
        ] {
            assert_eq!(BlobValue::of(&other), None, "{other}");
        }
    }
}
