use std::fmt::Write;

use aws_lc_rs::digest;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::connector::KeyFormat;

/// What cannot stand in a header's value as it is.
const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// The key of an effect as a vendor takes it. The same key gives the same text, always.
pub(super) fn written(key: &str, format: KeyFormat) -> String {
    match format {
        KeyFormat::Raw => utf8_percent_encode(key, UNSAFE).to_string(),
        KeyFormat::Hash => hex(digest::digest(&digest::SHA256, key.as_bytes()).as_ref()),
        KeyFormat::Uuid => {
            let hash = digest::digest(&digest::SHA256, key.as_bytes());
            let mut bytes = [0u8; 16];
            bytes.copy_from_slice(&hash.as_ref()[..16]);
            bytes[6] = (bytes[6] & 0x0f) | 0x80;
            bytes[8] = (bytes[8] & 0x3f) | 0x80;
            let mut uuid = hex(&bytes);
            for dash in [20, 16, 12, 8] {
                uuid.insert(dash, '-');
            }
            uuid
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_stable_and_in_their_format() {
        let key = "qc:run_1:/do/0/create ticket ä:0";
        assert_eq!(written(key, KeyFormat::Raw), "qc:run_1:/do/0/create%20ticket%20%C3%A4:0");
        let uuid = written(key, KeyFormat::Uuid);
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "8"));
        assert!("89ab".contains(&uuid[19..20]));
        // The empty text's SHA-256 is published.
        assert_eq!(
            written("", KeyFormat::Hash),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
