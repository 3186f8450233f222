use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

/// Begins a token, so that a reader knows what it is.
const BEGINS: &str = "tok_";
/// So many bytes of the tag are kept: two of a billion values are the same with a chance of 1 in 10^20.
const KEPT: usize = 16;

/// The key with which values of one tenant in one environment become tokens: the same value, the same token, and nobody
/// without the key can try values out.
#[derive(Clone)]
pub struct TokenKey(hmac::Key);

impl TokenKey {
    /// The key of a tenant in an environment, from the one that the vault keeps (HMAC-SHA-256 as a derivation).
    pub fn derive(root: &[u8; 32], environment: &str, tenant: &str) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, root);
        // Names have no zero byte.
        let place = format!("token\0{environment}\0{tenant}");
        let tag = hmac::sign(&root, place.as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, tag.as_ref()))
    }

    /// What stands for a value.
    pub fn token(&self, value: &Value) -> String {
        let tag = hmac::sign(&self.0, value.to_string().as_bytes());
        format!("{BEGINS}{}", URL_SAFE_NO_PAD.encode(&tag.as_ref()[..KEPT]))
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(***)")
    }
}
