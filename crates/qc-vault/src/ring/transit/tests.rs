//! Against a fake that answers as the engine's API is documented.

use std::{fs, path::PathBuf, sync::Mutex};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, RandomizedNonceKey},
    rand,
};
use http::HeaderValue;
use qc_model::{CallErrorKind, OutboundResponse};

use super::*;

/// A transit engine with one key, `quickconnect` under the mount `team/transit`.
struct Fake(Mutex<Inside>);

struct Inside {
    /// The key's versions, the first being 1.
    versions: Vec<[u8; 32]>,
    least: usize,
    sealed: bool,
    down: bool,
    asked: Vec<String>,
}

const TOKEN: &str = "hvs.example";

impl Fake {
    fn new() -> Arc<Self> {
        let engine = Self(Mutex::new(Inside {
            versions: Vec::new(),
            least: 1,
            sealed: false,
            down: false,
            asked: Vec::new(),
        }));
        engine.rotate();
        Arc::new(engine)
    }

    fn rotate(&self) {
        let mut key = [0; 32];
        rand::fill(&mut key).unwrap();
        self.0.lock().unwrap().versions.push(key);
    }

    fn answer(inside: &Inside, path: &str, body: &Value) -> (u16, Value) {
        let refuse = |status: u16, said: &str| (status, json!({ "errors": [said] }));
        let decoded = |field: &str| STANDARD.decode(body[field].as_str().unwrap_or_default()).ok();
        let latest = inside.versions.len();
        match path {
            "/v1/team/transit/keys/quickconnect" => (
                200,
                json!({ "data": {
                    "type": "aes256-gcm96", "latest_version": latest,
                    "min_decryption_version": inside.least,
                }}),
            ),
            "/v1/team/transit/encrypt/quickconnect" => {
                let (Some(mut plain), Some(aad)) =
                    (decoded("plaintext"), decoded("associated_data"))
                else {
                    return refuse(400, "failed to base64-decode plaintext");
                };
                let key =
                    RandomizedNonceKey::new(&AES_256_GCM, &inside.versions[latest - 1]).unwrap();
                let nonce = key.seal_in_place_append_tag(Aad::from(aad), &mut plain).unwrap();
                let text = STANDARD.encode([nonce.as_ref().as_slice(), &plain].concat());
                let ciphertext = format!("vault:v{latest}:{text}");
                (200, json!({ "data": { "ciphertext": ciphertext, "key_version": latest } }))
            }
            "/v1/team/transit/decrypt/quickconnect" => {
                let text = body["ciphertext"].as_str().unwrap_or_default();
                let parts: Vec<&str> = text.split(':').collect();
                let ["vault", version, text] = parts[..] else {
                    return refuse(400, "invalid ciphertext: no prefix");
                };
                let version: usize = version[1..].parse().unwrap();
                if version < inside.least {
                    let said = "ciphertext or signature version is disallowed by policy (too old)";
                    return refuse(400, said);
                }
                let Ok(bytes) = STANDARD.decode(text) else {
                    return refuse(400, "invalid ciphertext: could not decode base64");
                };
                let (nonce, sealed) = bytes.split_at(NONCE_LEN);
                let mut sealed = sealed.to_vec();
                let key =
                    RandomizedNonceKey::new(&AES_256_GCM, &inside.versions[version - 1]).unwrap();
                let nonce = aws_lc_rs::aead::Nonce::try_assume_unique_for_key(nonce).unwrap();
                let aad = Aad::from(decoded("associated_data").unwrap_or_default());
                match key.open_in_place(nonce, aad, &mut sealed) {
                    Ok(plain) => (200, json!({ "data": { "plaintext": STANDARD.encode(plain) } })),
                    Err(_) => refuse(400, "cipher: message authentication failed"),
                }
            }
            _ => (404, json!({ "errors": [] })),
        }
    }
}

#[async_trait]
impl Caller for Fake {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let body = request.body.collect(ANSWER_MAX).await?;
        let mut inside = self.0.lock().unwrap();
        if inside.down {
            let message = "connection refused".to_owned();
            return Err(CallError { kind: CallErrorKind::Connect, sent: false, message });
        }
        let path = request.url.strip_prefix("https://vault.example:8200").unwrap().to_owned();
        inside.asked.push(format!("{} {path}", request.method));
        let known = request.headers.get("x-vault-token").is_some_and(|own| own == TOKEN);
        let asked =
            request.headers.get("x-vault-request") == Some(&HeaderValue::from_static("true"));
        let (status, answer) = if inside.sealed {
            (503, json!({ "errors": ["Vault is sealed"] }))
        } else if !known || !asked {
            (403, json!({ "errors": ["permission denied"] }))
        } else {
            let body = serde_json::from_slice(&body).unwrap_or_default();
            Self::answer(&inside, &path, &body)
        };
        Ok(OutboundResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Body::Bytes(answer.to_string().into()),
        })
    }
}

struct Still;

impl Clock for Still {
    fn now(&self) -> qc_model::Timestamp {
        qc_model::Timestamp::from_millis(1_000_000)
    }
}

struct Stage {
    engine: Arc<Fake>,
    ring: TransitRing,
    token: PathBuf,
    _folder: tempfile::TempDir,
}

fn stage(key: &str) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let engine = Fake::new();
    let key = TransitKey::parse(&format!("https://vault.example:8200/team/transit/{key}")).unwrap();
    let login = EngineLogin::TokenFile(token.clone());
    let ring = TransitRing::new(key, login, Arc::<Fake>::clone(&engine), Arc::new(Still));
    Stage { engine, ring, token, _folder: folder }
}

#[tokio::test]
async fn keys_are_wrapped_and_unwrapped_over_a_rotation() {
    let Stage { engine, ring, .. } = &stage("quickconnect");
    let key = KeyBytes::new([5; 32]);
    let old = ring.wrap(&key, b"production 1").await.unwrap();
    assert_eq!(
        (old.kek.as_str(), &*ring.current().await.unwrap()),
        ("quickconnect:v1", "quickconnect:v1")
    );
    engine.rotate();
    assert_eq!(ring.current().await.unwrap(), "quickconnect:v2");
    let new = ring.wrap(&key, b"production 1").await.unwrap();
    assert_eq!(new.kek, "quickconnect:v2");
    for wrapped in [&old, &new] {
        let opened = ring.unwrap_key(wrapped, b"production 1").await.unwrap();
        assert_eq!(opened.expose(), key.expose());
    }
    let asked = engine.0.lock().unwrap().asked.clone();
    assert_eq!(asked[0], "POST /v1/team/transit/encrypt/quickconnect");
    assert_eq!(asked[1], "GET /v1/team/transit/keys/quickconnect");
}

#[tokio::test]
async fn a_wrapped_key_of_another_place_or_ring_does_not_open() {
    let Stage { engine, ring, .. } = &stage("quickconnect");
    let wrapped = ring.wrap(&KeyBytes::new([5; 32]), b"production").await.unwrap();
    let elsewhere = ring.unwrap_key(&wrapped, b"sandbox").await.unwrap_err();
    assert_eq!(elsewhere, KeyRingError::Changed);
    let asked = engine.0.lock().unwrap().asked.len();
    let foreign = Wrapped { kek: "0123456789abcdef".to_owned(), text: "AQ==".to_owned() };
    let error = ring.unwrap_key(&foreign, b"production").await.unwrap_err();
    assert_eq!(error, KeyRingError::UnknownKey(foreign.kek));
    assert_eq!(engine.0.lock().unwrap().asked.len(), asked, "nothing foreign is sent there");
}

#[tokio::test]
async fn what_may_pass_and_what_somebody_must_mend_are_told_apart() {
    let Stage { engine, ring, token, .. } = &stage("quickconnect");
    let wrapped = ring.wrap(&KeyBytes::new([5; 32]), b"a").await.unwrap();
    engine.0.lock().unwrap().sealed = true;
    let sealed = ring.unwrap_key(&wrapped, b"a").await.unwrap_err();
    assert!(
        matches!(&sealed, KeyRingError::Unavailable(why) if why.contains("is sealed")),
        "{sealed}"
    );
    engine.0.lock().unwrap().sealed = false;
    engine.0.lock().unwrap().down = true;
    let down = ring.current().await.unwrap_err();
    assert!(matches!(down, KeyRingError::Unavailable(_)), "{down}");
    engine.0.lock().unwrap().down = false;
    fs::write(token, "hvs.stolen").unwrap();
    let barred = ring.unwrap_key(&wrapped, b"a").await.unwrap_err();
    assert!(matches!(&barred, KeyRingError::Unusable(why) if why.contains("403")), "{barred}");
    assert!(!barred.to_string().contains("hvs."), "{barred}");
    // An agent renews the token in its file.
    fs::write(token, TOKEN).unwrap();
    ring.unwrap_key(&wrapped, b"a").await.unwrap();
    engine.rotate();
    engine.0.lock().unwrap().least = 2;
    let old = ring.unwrap_key(&wrapped, b"a").await.unwrap_err();
    assert!(matches!(&old, KeyRingError::Unusable(why) if why.contains("too old")), "{old}");
}

#[tokio::test]
async fn a_key_that_is_not_there_is_said() {
    let Stage { ring, .. } = &stage("nobody");
    let error = ring.current().await.unwrap_err();
    assert!(matches!(&error, KeyRingError::Unusable(why) if why.contains("404")), "{error}");
}
