use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use qc_model::{Body, OutboundRequest};
use qc_vault::Secret;
use serde_json::{Value, json};

use super::*;
use crate::provider::{
    AnswerPaths, BodyFormat, ClientProof, ConnectionId, Dialect, Grant, GrantKind, PrivateKey,
    SigningAlgorithm, Unit,
};

fn grant() -> Grant {
    Grant {
        id: ConnectionId { environment: "sandbox".parse().unwrap(), name: "crm".to_owned() },
        connector: "crm".to_owned(),
        kind: GrantKind::ClientCredentials,
        token_url: "https://login.test/token".to_owned(),
        client_id: "qc client".to_owned(),
        proof: ClientProof::Basic(Secret::new("s&cret")),
        scopes: vec!["a".to_owned(), "b".to_owned()],
        token_params: vec![("audience".to_owned(), "x".to_owned())],
        refresh_params: vec![("keep".to_owned(), "1".to_owned())],
        dialect: Dialect::default(),
        waiver: None,
        identity: None,
    }
}

const ASKING: Asking<'_> = Asking {
    user_agent: "test",
    timeout: Duration::from_secs(1),
    now_secs: 1_795_358_400,
    unique: "once",
};

fn body(request: OutboundRequest) -> String {
    let Body::Bytes(bytes) = request.body else { panic!() };
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_request_says_what_the_standard_says() {
    let request = token_request(&grant(), Purpose::Client, ASKING).unwrap();
    // "qc+client:s%26cret", each part form-encoded first.
    assert_eq!(request.headers["authorization"], "Basic cWMrY2xpZW50OnMlMjZjcmV0");
    assert_eq!(body(request), "grant_type=client_credentials&scope=a+b&audience=x");
    let token = Secret::new("r&t");
    let post = Grant { proof: ClientProof::Post(Secret::new("s")), ..grant() };
    let request = token_request(&post, Purpose::Refresh(&token), ASKING).unwrap();
    assert!(!request.headers.contains_key("authorization"));
    let expected = "grant_type=refresh_token&refresh_token=r%26t&audience=x&keep=1\
                    &client_id=qc+client&client_secret=s";
    assert_eq!(body(request), expected);
    let verifier = Secret::new("v");
    let purpose =
        Purpose::Code { code: &token, redirect_uri: "https://q/c", verifier: Some(&verifier) };
    let none = Grant { proof: ClientProof::None, ..grant() };
    let expected = "grant_type=authorization_code&code=r%26t&redirect_uri=https%3A%2F%2Fq%2Fc\
                    &code_verifier=v&audience=x&client_id=qc+client";
    assert_eq!(body(token_request(&none, purpose, ASKING).unwrap()), expected);
}

#[test]
fn a_provider_s_quirks_are_data() {
    let mut quirky = Grant { proof: ClientProof::Post(Secret::new("s")), ..grant() };
    quirky.dialect.body = BodyFormat::Json;
    quirky.dialect.scope_separator = ",".to_owned();
    let request = token_request(&quirky, Purpose::Client, ASKING).unwrap();
    assert_eq!(request.headers["content-type"], "application/json");
    let said: Value = serde_json::from_str(&body(request)).unwrap();
    assert_eq!((&said["scope"], &said["client_secret"]), (&json!("a,b"), &json!("s")));
    let dialect = Dialect {
        answer: AnswerPaths {
            access_token: "/data/token".to_owned(),
            refresh_token: "/data/refresh".to_owned(),
            expires_in: "/data/ttl".to_owned(),
            error: "/code".to_owned(),
            ..AnswerPaths::default()
        },
        expires_in: Unit::Milliseconds,
        words: BTreeMap::from([("bad_token".to_owned(), Word::InvalidGrant)]),
        ..quirky.dialect
    };
    let said = json!({"data": {"token": "t", "refresh": "r", "ttl": "60000"}, "scope": "b,a a"});
    let Answer::Granted(tokens) = Answer::read(&dialect, 200, None, said.to_string().as_bytes())
    else {
        panic!()
    };
    assert_eq!((tokens.access.expose(), tokens.lifetime), ("t", Duration::from_secs(60)));
    assert_eq!(tokens.scopes.unwrap(), ["a", "b"]);
    // An error in an answer with status 200.
    assert_eq!(Answer::read(&dialect, 200, None, br#"{"code":"bad_token"}"#), Answer::InvalidGrant);
}

#[test]
fn what_an_answer_means_is_a_table() {
    let away = Answer::Away { pause: None };
    let table = [
        (400, r#"{"error":"invalid_grant"}"#, Answer::InvalidGrant),
        (401, r#"{"error":"invalid_client"}"#, Answer::InvalidClient),
        (400, r#"{"error":"invalid_client"}"#, Answer::InvalidClient),
        (401, "", Answer::InvalidClient),
        (400, r#"{"error":"invalid_scope"}"#, Answer::Refused(Word::InvalidScope)),
        (400, r#"{"error":"temporarily_unavailable"}"#, away.clone()),
        (429, r#"{"error":"invalid_grant"}"#, away.clone()),
        (503, "<html>", away.clone()),
        (500, r#"{"error":"invalid_grant"}"#, away),
        (404, "<html>", Answer::Refused(Word::Other)),
        (200, "<html>", Answer::Unreadable),
        (200, r#"{"access_token":""}"#, Answer::Unreadable),
        (400, r#"{"error":"hunter2"}"#, Answer::Refused(Word::Other)),
    ];
    for (status, body, means) in table {
        let read = Answer::read(&Dialect::default(), status, None, body.as_bytes());
        assert_eq!(read, means, "{status} {body}");
    }
}

#[test]
fn an_assertion_is_signed_and_addressed() {
    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
    };
    use base64::engine::general_purpose::STANDARD;
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let text = STANDARD.encode(key.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    let private = PrivateKey {
        pem: Secret::new(pem),
        id: Some("k1".to_owned()),
        algorithm: SigningAlgorithm::Es256,
        audience: Some("https://login.test".to_owned()),
    };
    let signing = Grant { proof: ClientProof::PrivateKey(private.clone()), ..grant() };
    let sent = body(token_request(&signing, Purpose::Client, ASKING).unwrap());
    let pairs: BTreeMap<_, _> = url::form_urlencoded::parse(sent.as_bytes()).collect();
    let part = |at: usize| -> Value {
        let part = pairs["client_assertion"].split('.').nth(at).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!((&part(0)["alg"], &part(0)["kid"]), (&json!("ES256"), &json!("k1")));
    let claims = part(1);
    assert_eq!((&claims["aud"], &claims["jti"]), (&json!("https://login.test"), &json!("once")));
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("qc client"), &json!("qc client")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    let wrong = PrivateKey { pem: Secret::new("hunter2"), ..private };
    let wrong = Grant { proof: ClientProof::PrivateKey(wrong), ..grant() };
    let error = token_request(&wrong, Purpose::Client, ASKING).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
