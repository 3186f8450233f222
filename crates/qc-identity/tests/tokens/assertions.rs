use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use qc_identity::NewClient;
use qc_store::Store;
use serde_json::{Value, json};

use crate::{
    forge::{es256, hs256, signed},
    world::{URL, World, me, new, seconds},
};

/// The public half of a key as its owner registers it.
fn jwk(key: &rcgen::KeyPair, kid: &str) -> Value {
    let point = key.public_key_raw();
    json!({
        "kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256",
        "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65]),
    })
}

fn form(assertion: &str) -> String {
    format!(
        "grant_type=client_credentials&client_assertion={assertion}&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
    )
}

fn claims(world: &World, jti: &str) -> Value {
    json!({
        "iss": "billing", "sub": "billing", "aud": format!("{URL}/production"),
        "exp": world.now() + 300, "iat": world.now(), "jti": jti,
    })
}

async fn client(world: &World, key: &rcgen::KeyPair) {
    let keys = Some(json!({ "keys": [jwk(key, "k1")] }));
    let new = NewClient { keys, ..new("billing", "production") };
    let (_, secret) = world.authority.create_client(new, &me()).await.unwrap();
    assert!(secret.is_none(), "who signs needs no secret");
}

#[tokio::test]
async fn an_assertion_is_used_once_on_all_nodes() {
    let world = World::new();
    let key = rcgen::KeyPair::generate().unwrap();
    client(&world, &key).await;
    let sign = es256(key.serialized_der());
    let header = json!({ "alg": "ES256", "kid": "k1" });
    let one = signed(&header, &claims(&world, "a"), &sign);
    world.ask(&form(&one), None).await.unwrap();
    for node in [&world, &world.beside()] {
        let replayed = node.ask(&form(&one), None).await.unwrap_err();
        assert_eq!(replayed.error, "invalid_client");
        assert!(replayed.description.contains("used before"));
    }
    let mut endpoint = claims(&world, "b");
    endpoint["aud"] = json!([format!("{URL}/oauth/token")]);
    world.ask(&form(&signed(&header, &endpoint, &sign)), None).await.unwrap();
    assert_eq!(world.store.documents("used-assertion", None, 10).await.unwrap().len(), 2);
    world.clock.advance(seconds(301));
    world.authority.tend().await.unwrap();
    assert!(world.store.documents("used-assertion", None, 10).await.unwrap().is_empty());
    let late = world.ask(&form(&one), None).await.unwrap_err();
    assert!(late.description.contains("its time is over"), "what is forgotten is too old");
}

#[tokio::test]
async fn no_assertion_but_the_right_one_is_accepted() {
    let world = World::new();
    let key = rcgen::KeyPair::generate().unwrap();
    client(&world, &key).await;
    let sign = es256(key.serialized_der());
    let header = json!({ "alg": "ES256", "kid": "k1" });
    let with = |name: &str, value: Value| {
        let mut claims = claims(&world, name);
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        signed(&header, &claims, &sign)
    };
    let headed = |header: Value| signed(&header, &claims(&world, "h"), &sign);
    let stranger = rcgen::KeyPair::generate().unwrap();
    let (now, ours) = (world.now(), format!("{URL}/production"));
    let table = [
        (
            "signed by a stranger",
            signed(&header, &claims(&world, "s"), es256(stranger.serialized_der())),
        ),
        (
            "HS256 with the public key",
            signed(
                &json!({"alg": "HS256", "kid": "k1"}),
                &claims(&world, "c"),
                hs256(key.public_key_raw()),
            ),
        ),
        (
            "alg none",
            signed(&json!({"alg": "none", "kid": "k1"}), &claims(&world, "n"), |_| vec![]),
        ),
        ("unknown kid", headed(json!({"alg": "ES256", "kid": "k2"}))),
        ("an access token", headed(json!({"alg": "ES256", "kid": "k1", "typ": "at+jwt"}))),
        ("expired", with("exp", json!(now))),
        ("for too long", with("exp", json!(now + 361))),
        ("not yet", with("nbf", json!(now + 61))),
        ("issued in the future", with("iat", json!(now + 61))),
        ("another audience", with("aud", json!("https://other.example"))),
        ("another environment", with("aud", json!(format!("{URL}/sandbox")))),
        ("two audiences", with("aud", json!([ours, "https://other.example"]))),
        ("longer audience", with("aud", json!(format!("{ours}/x")))),
        ("another issuer", with("iss", json!("other"))),
        ("another subject", with("sub", json!("other"))),
        ("no exp", with("exp", Value::Null)),
        ("no iss", with("iss", Value::Null)),
        ("no sub", with("sub", Value::Null)),
        ("no aud", with("aud", Value::Null)),
        ("no jti", with("jti", Value::Null)),
        ("empty jti", with("jti", json!(""))),
        ("long jti", with("jti", json!("x".repeat(201)))),
        ("garbage", "a.b.c".to_owned()),
    ];
    for (fault, assertion) in table {
        let refused = world.ask(&form(&assertion), None).await;
        let refused = refused.expect_err(fault);
        assert_eq!((refused.status, refused.error), (401, "invalid_client"), "{fault}");
    }
    world
        .ask(&form(&headed(json!({"alg": "ES256"}))), None)
        .await
        .expect("its only key needs no name");
}

#[tokio::test]
async fn keys_that_are_no_public_keys_are_not_registered() {
    let world = World::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let good = jwk(&key, "k1");
    let mut private = good.clone();
    private["d"] = json!("AAAA");
    let mut algorithm = good.clone();
    algorithm["alg"] = json!("RS256");
    let mut nameless = good.clone();
    nameless.as_object_mut().unwrap().remove("kid");
    for (keys, why) in [
        (json!({ "keys": [] }), "1 to 10 keys"),
        (json!([good]), "(RFC 7517)"),
        (json!({ "keys": [private] }), "private key"),
        (json!({ "keys": [algorithm] }), "RS256"),
        (json!({ "keys": [good, nameless] }), "`kid`"),
        (json!({ "keys": [{"kty": "oct", "k": "AAAA"}] }), "private key"),
        (
            json!({ "keys": [{"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}] }),
            "ES256, RS256 or EdDSA",
        ),
        (json!({ "keys": [{"kty": "what"}] }), "ES256, RS256 or EdDSA"),
    ] {
        let new = NewClient { keys: Some(keys.clone()), ..new("billing", "production") };
        let refused = world.authority.create_client(new, &me()).await.expect_err(why).to_string();
        assert!(refused.contains(why), "{keys}: {refused}");
    }
}
