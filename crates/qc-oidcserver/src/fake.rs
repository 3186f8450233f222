use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

/// Who we are at every fake provider, and our secret there.
pub const CLIENT: (&str, &str) = ("qc", "hush");

/// A provider that answers requests which a test hands to it, and that misbehaves as the test says.
pub struct Fake {
    issuer: String,
    parts: Mutex<Parts>,
}

/// What a test does to the header and the claims of an id token.
pub type Spoil = Box<dyn Fn(&mut Value, &mut Value) + Send>;

/// What a test may change.
pub struct Parts {
    /// The claims of the people there, by their subjects.
    pub people: BTreeMap<String, Value>,
    /// Whether it answers at all.
    pub away: bool,
    /// Whether it promises to say who it is where it sends browsers back.
    pub promises: bool,
    /// A path at which it does not answer.
    pub silent: &'static str,
    /// Whether it gives refresh tokens.
    pub refreshes: bool,
    /// What it does to the header and the claims of id tokens before it signs them. An `alg` of `none` or `HS256` signs
    /// so: not at all, or by the public key, which everybody has.
    pub spoil: Spoil,
    /// What it was asked: paths, and of the token endpoint the grants.
    pub asked: Vec<String>,
    /// What it publishes, the last of which signs.
    keys: Vec<(String, rcgen::KeyPair)>,
    codes: HashMap<String, Code>,
    tokens: HashMap<String, String>,
    count: u64,
}

struct Code {
    subject: String,
    nonce: String,
    challenge: String,
}

impl Fake {
    /// One that calls itself so, with these people.
    pub fn new(issuer: &str, people: &[(&str, Value)]) -> Self {
        let people = people.iter().map(|(sub, claims)| ((*sub).to_owned(), claims.clone()));
        let parts = Parts {
            people: people.collect(),
            away: false,
            promises: false,
            silent: "",
            refreshes: true,
            spoil: Box::new(|_, _| {}),
            asked: Vec::new(),
            keys: vec![key("k1")],
            codes: HashMap::new(),
            tokens: HashMap::new(),
            count: 0,
        };
        Self { issuer: issuer.to_owned(), parts: Mutex::new(parts) }
    }

    /// What can be changed.
    pub fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().expect("no test panicked while it changed the provider")
    }

    /// Signs with a new key from now on, and publishes that one alone.
    pub fn rotate_key(&self) {
        let mut parts = self.parts();
        let kid = parts.next("k");
        parts.keys = vec![key(&kid)];
    }

    /// Somebody opens the address to which we sent them, and signs in: the address to which they are sent back.
    pub fn sign_in(&self, url: &str, subject: &str) -> String {
        let url = Url::parse(url).expect("a URL");
        let asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["client_id"], CLIENT.0);
        assert_eq!(asked["code_challenge_method"], "S256");
        let mut parts = self.parts();
        let code = parts.next("code");
        let known = Code {
            subject: subject.to_owned(),
            nonce: asked["nonce"].clone(),
            challenge: asked["code_challenge"].clone(),
        };
        parts.codes.insert(code.clone(), known);
        let mut back = Url::parse(&asked["redirect_uri"]).expect("a URL");
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &asked["state"])
            .append_pair("iss", &self.issuer);
        back.into()
    }

    /// Signs claims with the present key.
    pub fn signed(&self, header: Value, claims: &Value) -> String {
        self.parts().signed(header, claims)
    }

    /// Answers a request: its URL, its `Authorization`, its body and the time in seconds.
    pub fn answer(&self, url: &str, authorization: &str, body: &str, now: i64) -> (u16, Value) {
        let mut parts = self.parts();
        let path = url.strip_prefix(&self.issuer).unwrap_or(url).to_owned();
        let form: HashMap<String, String> =
            form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let grant = form.get("grant_type").map_or("", String::as_str);
        parts.asked.push(format!("{path} {grant}").trim_end().to_owned());
        if parts.away || path == parts.silent {
            return (503, Value::Null);
        }
        match path.as_str() {
            "/.well-known/openid-configuration" => (200, self.description(parts.promises)),
            "/jwks" => (200, parts.published()),
            "/userinfo" => parts.user_information(authorization),
            "/token" => {
                let own =
                    format!("Basic {}", STANDARD.encode(format!("{}:{}", CLIENT.0, CLIENT.1)));
                if authorization != own {
                    return (401, json!({ "error": "invalid_client" }));
                }
                parts.token(&self.issuer, &form, now)
            }
            _ => (404, Value::Null),
        }
    }

    fn description(&self, promises: bool) -> Value {
        let at = |path: &str| format!("{}/{path}", self.issuer);
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("auth"),
            "token_endpoint": at("token"),
            "jwks_uri": at("jwks"),
            "userinfo_endpoint": at("userinfo"),
            "end_session_endpoint": at("out"),
            "authorization_response_iss_parameter_supported": promises,
        })
    }
}

impl Parts {
    fn next(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{what}-{}", self.count)
    }

    fn published(&self) -> Value {
        let keys = self.keys.iter().map(|(kid, pair)| {
            let point = pair.public_key_raw();
            json!({
                "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig",
                "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65]),
            })
        });
        // One of a kind that nobody knows, as real providers may have.
        let odd = json!({ "kty": "AKP", "alg": "ML-DSA-44", "kid": "odd", "pub": "AAAA" });
        json!({ "keys": std::iter::once(odd).chain(keys).collect::<Vec<_>>() })
    }

    fn user_information(&self, authorization: &str) -> (u16, Value) {
        let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
        let subject = self.tokens.get(token).filter(|_| token.starts_with("access"));
        match subject.and_then(|subject| self.people.get_key_value(subject)) {
            Some((subject, claims)) => {
                let mut told = claims.clone();
                told["sub"] = subject.as_str().into();
                (200, told)
            }
            None => (401, json!({ "error": "invalid_token" })),
        }
    }

    fn token(&mut self, issuer: &str, form: &HashMap<String, String>, now: i64) -> (u16, Value) {
        let no = || (400, json!({ "error": "invalid_grant" }));
        let text = |name: &str| form.get(name).map_or("", String::as_str);
        let (subject, nonce) = match text("grant_type") {
            // Both count once.
            "authorization_code" => match self.codes.remove(text("code")) {
                Some(code) if challenge(text("code_verifier")) == code.challenge => {
                    (code.subject, Some(code.nonce))
                }
                _ => return no(),
            },
            _ => match self.tokens.remove(text("refresh_token")) {
                Some(subject) => (subject, None),
                None => return no(),
            },
        };
        let Some(claims) = self.people.get(&subject).cloned() else { return no() };
        let mut id = claims;
        for (name, value) in [
            ("iss", json!(issuer)),
            ("aud", json!(CLIENT.0)),
            ("sub", json!(subject)),
            ("iat", json!(now)),
            ("exp", json!(now + 300)),
            ("sid", json!(format!("sid-of-{subject}"))),
        ] {
            id[name] = value;
        }
        if let Some(nonce) = nonce {
            id["nonce"] = nonce.into();
        }
        let mut header = json!({ "alg": "ES256", "kid": self.keys.last().expect("a key").0 });
        (self.spoil)(&mut header, &mut id);
        let access = self.next("access");
        self.tokens.insert(access.clone(), subject.clone());
        let id = self.signed(header, &id);
        let mut given = json!({ "access_token": access, "token_type": "Bearer", "id_token": id });
        if self.refreshes {
            let refresh = self.next("refresh");
            self.tokens.insert(refresh.clone(), subject);
            given["refresh_token"] = refresh.into();
        }
        (200, given)
    }

    fn signed(&self, header: Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(claims));
        let pair = &self.keys.last().expect("a key").1;
        let sign = |key: &EncodingKey, algorithm| {
            jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).expect("it signs")
        };
        let signature = match header["alg"].as_str() {
            Some("none") => String::new(),
            Some("HS256") => {
                sign(&EncodingKey::from_secret(pair.public_key_raw()), Algorithm::HS256)
            }
            _ => sign(&EncodingKey::from_ec_der(pair.serialized_der()), Algorithm::ES256),
        };
        format!("{message}.{signature}")
    }
}

fn key(kid: &str) -> (String, rcgen::KeyPair) {
    (kid.to_owned(), rcgen::KeyPair::generate().expect("there is randomness"))
}

/// RFC 7636, section 4.2.
fn challenge(verifier: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}
