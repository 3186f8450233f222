use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use qc_access::{Role, TokenKind};
use qc_identity::{Form, KeyState};
use qc_model::Clock;
use serde_json::{Value, json};

use crate::{
    forge::{claims, es256, header, hs256, parts, signed},
    world::{URL, World, me, new, posted, seconds},
};

#[tokio::test]
async fn a_service_gets_a_token_and_is_known_by_it_for_five_minutes() {
    let world = World::new();
    let (_, secret) = world.client("billing", "production").await;
    let answer = world.ask(&posted("billing", &secret), None).await.unwrap();
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(300)));
    let token = answer["access_token"].as_str().unwrap();
    let (head, claims) = parts(token);
    assert_eq!(head.typ.as_deref(), Some("at+jwt"));
    assert_eq!(claims["iss"], format!("{URL}/production"));
    assert_eq!(claims["aud"], format!("{URL}/production/api"));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    let principal = world.authority.authenticate(token).await.unwrap();
    assert_eq!((principal.kind, principal.role), (TokenKind::AccessToken, Role::Runtime));
    assert_eq!(principal.environment.as_ref().unwrap().as_str(), "production");
    assert_eq!(principal.id, "billing");
    world.clock.advance(seconds(299));
    assert_eq!(world.holds(token).await, Ok(()));
    world.clock.advance(seconds(1));
    assert_eq!(world.holds(token).await, Err("its time is over"), "warm");
    assert_eq!(world.beside().holds(token).await, Err("its time is over"), "cold");
    assert!(world.audited().await.contains(&"client billing token issued".to_owned()));
}

/// The table of tokens that must not count. Each is signed with the real key where that is possible, so that nothing but
/// the named fault refuses it; and the one without a fault counts.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table: one line for each way to be wrong")]
async fn no_token_but_the_right_one_counts() {
    let world = World::new();
    let (_, secret) = world.client("billing", "production").await;
    let (_, other) = world.client("other", "sandbox").await;
    world.token("billing", &secret).await;
    world.token("other", &other).await;
    let (kid, key) = world.private_key("production").await;
    let (sandbox_kid, sandbox_key) = world.private_key("sandbox").await;
    let right = claims(&world, "production");
    let sign = es256(&key);
    let with = |name: &str, value: Value| {
        let mut claims = right.clone();
        claims[name] = value;
        signed(&header(&kid), &claims, &sign)
    };
    let without = |name: &str| {
        let mut claims = right.clone();
        claims.as_object_mut().unwrap().remove(name).unwrap();
        signed(&header(&kid), &claims, &sign)
    };
    let headed = |change: Value| {
        let mut header = header(&kid);
        header.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        signed(&header, &right, &sign)
    };
    let set = world.authority.keys().set(&"production".parse().unwrap()).await.unwrap();
    let public = &set.keys[0];
    let point = [
        &[4][..],
        &URL_SAFE_NO_PAD.decode(&public.x).unwrap(),
        &URL_SAFE_NO_PAD.decode(&public.y).unwrap(),
    ]
    .concat();
    let confused = json!({ "typ": "at+jwt", "alg": "HS256", "kid": kid });
    let none = |alg: &str| {
        signed(&json!({ "typ": "at+jwt", "alg": alg, "kid": kid }), &right, |_| Vec::new())
    };
    let good = signed(&header(&kid), &right, &sign);
    let mut flipped = good.clone().into_bytes();
    let at = flipped.len() - 10;
    flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
    let now = world.now();
    let stranger = rcgen::KeyPair::generate().unwrap().serialize_der();
    let table = [
        ("signature changed", String::from_utf8(flipped).unwrap(), "its signature is wrong"),
        (
            "signature left out",
            format!("{}.", good.rsplit_once('.').unwrap().0),
            "its signature is wrong",
        ),
        (
            "signed by a stranger",
            signed(&header(&kid), &right, es256(&stranger)),
            "its signature is wrong",
        ),
        (
            "key of another environment",
            signed(&header(&kid), &right, es256(&sandbox_key)),
            "its signature is wrong",
        ),
        (
            "another environment says it is this one",
            signed(&header(&sandbox_kid), &right, es256(&sandbox_key)),
            "its issuer is not the one of its key",
        ),
        ("alg none", none("none"), "its header cannot be read"),
        ("alg None", none("None"), "its header cannot be read"),
        (
            "HS256 with the public key",
            signed(&confused, &right, hs256(&point)),
            "its algorithm is not that of the key",
        ),
        (
            "HS256 with the key set",
            signed(&confused, &right, hs256(set.jwks(world.clock.now()).to_string().as_bytes())),
            "its algorithm is not that of the key",
        ),
        ("alg ES384", headed(json!({"alg": "ES384"})), "its algorithm is not that of the key"),
        ("typ JWT", headed(json!({"typ": "JWT"})), "its type is not `at+jwt`"),
        ("typ null", headed(json!({"typ": null})), "its type is not `at+jwt`"),
        ("unknown kid", headed(json!({"kid": "nobody's"})), "its key is not known here, or over"),
        ("no kid", headed(json!({"kid": null})), "it does not name its key"),
        ("a critical extension", headed(json!({"crit": ["x"], "x": 1})), "its header has a `crit`"),
        (
            "brings its own key",
            {
                let mut header = header("mine");
                header["jwk"] = json!({"kty": "EC", "crv": "P-256", "x": public.x, "y": public.y});
                signed(&header, &right, es256(&stranger))
            },
            "its key is not known here, or over",
        ),
        ("expired", with("exp", json!(now)), "its time is over"),
        ("expired long ago", with("exp", json!(0)), "its time is over"),
        ("exp as text", with("exp", json!("9999999999")), "a claim is missing or malformed"),
        ("exp beyond numbers", with("exp", json!(1e300)), "a claim is missing or malformed"),
        ("not yet valid", with("nbf", json!(now + 61)), "its time has not begun"),
        ("nbf as text", with("nbf", json!("0")), "a claim is missing or malformed"),
        ("issued in the future", with("iat", json!(now + 61)), "its time has not begun"),
        (
            "another audience",
            with("aud", json!("https://other.example/api")),
            "it is for another audience",
        ),
        (
            "the sandbox's audience",
            with("aud", json!(format!("{URL}/sandbox/api"))),
            "it is for another audience",
        ),
        (
            "the issuer as audience",
            with("aud", json!(format!("{URL}/production"))),
            "it is for another audience",
        ),
        (
            "a list of audiences",
            with("aud", json!([format!("{URL}/production/api")])),
            "a claim is missing or malformed",
        ),
        (
            "another issuer",
            with("iss", json!("https://other.example/production")),
            "its issuer is not the one of its key",
        ),
        (
            "the sandbox's issuer",
            with("iss", json!(format!("{URL}/sandbox"))),
            "its issuer is not the one of its key",
        ),
        (
            "another environment",
            with("environment", json!("sandbox")),
            "its environment is not the one of its key",
        ),
        ("another subject", with("sub", json!("admin")), "its subject is not its client"),
        ("an unknown role", with("role", json!("root")), "a claim is missing or malformed"),
        ("broken scopes", with("scope", json!("*")), "its scopes cannot be read"),
        ("empty scope", with("scope", json!("")), "its scopes cannot be read"),
        ("no exp", without("exp"), "a claim is missing or malformed"),
        ("no iss", without("iss"), "a claim is missing or malformed"),
        ("no aud", without("aud"), "a claim is missing or malformed"),
        ("no sub", without("sub"), "a claim is missing or malformed"),
        ("no jti", without("jti"), "a claim is missing or malformed"),
        ("no iat", without("iat"), "a claim is missing or malformed"),
        ("no client_id", without("client_id"), "a claim is missing or malformed"),
        ("no role", without("role"), "a claim is missing or malformed"),
        ("no environment", without("environment"), "a claim is missing or malformed"),
        ("too long", with("jti", json!("x".repeat(20_000))), "it is too long"),
        ("two parts", good.rsplit_once('.').unwrap().0.to_owned(), "its header cannot be read"),
        ("four parts", format!("{good}.x"), "its header cannot be read"),
        ("not base64", format!("!{good}"), "its header cannot be read"),
    ];
    for (fault, token, why) in table {
        assert_eq!(world.holds(&token).await, Err(why), "{fault}");
    }
    assert_eq!(world.holds(&good).await, Ok(()), "the one without a fault");
    assert_eq!(world.holds(&with("iat", json!(now + 60))).await, Ok(()), "clocks may differ");
    // Another server with other keys, in the same world.
    assert!(World::new().holds(&good).await.is_err());
}

#[tokio::test]
async fn a_revoked_token_and_a_revoked_client_end_within_five_seconds_everywhere() {
    let world = World::new();
    let there = world.beside();
    let (_, secret) = world.client("billing", "production").await;
    let (_, others) = world.client("other", "production").await;
    let (one, two) = (world.token("billing", &secret).await, world.token("billing", &secret).await);
    for token in [&one, &two] {
        assert_eq!((world.holds(token).await, there.holds(token).await), (Ok(()), Ok(())));
    }
    let form = |token: &str, id: &str, secret: &str| {
        Form::parse(format!("token={token}&client_id={id}&client_secret={secret}").as_bytes())
            .unwrap()
    };
    let foreign = world.authority.revoke(&form(&one, "other", &others), None).await;
    assert_eq!(foreign.unwrap_err().error, "unauthorized_client");
    world.authority.revoke(&form(&one, "billing", &secret), None).await.unwrap();
    world.authority.revoke(&form("no-token", "billing", &secret), None).await.unwrap();
    assert_eq!(world.holds(&one).await, Err("it was revoked"), "at once here");
    world.clock.advance(seconds(5));
    assert_eq!(there.holds(&one).await, Err("it was revoked"));
    assert_eq!(there.holds(&two).await, Ok(()));
    let active = world.authority.introspect(&form(&two, "other", &others), None).await.unwrap();
    assert_eq!((&active["active"], &active["client_id"]), (&json!(true), &json!("billing")));
    let gone = world.authority.introspect(&form(&one, "other", &others), None).await.unwrap();
    assert_eq!(gone, json!({ "active": false }));
    world.authority.revoke_client(&"billing".parse().unwrap(), &me()).await.unwrap();
    assert_eq!(world.holds(&two).await, Err("it was revoked"));
    world.clock.advance(seconds(5));
    assert_eq!(there.holds(&two).await, Err("it was revoked"));
    let refused = there.ask(&posted("billing", &secret), None).await.unwrap_err();
    assert_eq!((refused.status, refused.error), (401, "invalid_client"));
    let again = world.authority.create_client(new("billing", "production"), &me()).await;
    assert!(again.unwrap_err().to_string().contains("used once"));
}

#[tokio::test]
async fn keys_change_without_a_gap_and_a_leaked_one_goes_at_once() {
    let world = World::new();
    let there = world.beside();
    let (_, secret) = world.client("billing", "production").await;
    let production = "production".parse().unwrap();
    let first = world.token("billing", &secret).await;
    let rotated = world.authority.keys().rotate(&production, false, &me()).await.unwrap();
    let again = world.authority.keys().rotate(&production, false, &me()).await.unwrap();
    assert_eq!(rotated, again, "one comes already");
    let states: Vec<_> = rotated.standing(world.clock.now()).map(|(_, state)| state).collect();
    assert_eq!(states, [KeyState::Signing, KeyState::Coming]);
    assert_eq!(parts(&world.token("billing", &secret).await).0, parts(&first).0);
    world.clock.advance(seconds(24 * 3600 - 10));
    let old = world.token("billing", &secret).await;
    world.clock.advance(seconds(10));
    let new = there.token("billing", &secret).await;
    assert_ne!(parts(&old).0.kid, parts(&new).0.kid);
    for token in [&old, &new] {
        assert_eq!((world.holds(token).await, there.holds(token).await), (Ok(()), Ok(())));
    }
    world.authority.keys().rotate(&production, true, &me()).await.unwrap();
    world.clock.advance(seconds(5));
    for node in [&world, &there] {
        assert!(node.holds(&new).await.is_err(), "the leaked key signs no more");
        node.token("billing", &secret).await;
    }
    let left = world.vault.list(None);
    assert!(left.is_empty(), "no list shows a signing key: {left:?}");
}

#[tokio::test]
async fn without_the_vaults_key_tokens_are_verified_and_none_is_issued() {
    let world = World::new();
    let (_, secret) = world.client("billing", "production").await;
    let token = world.token("billing", &secret).await;
    let other = world.beside_without_vault();
    assert_eq!(other.holds(&token).await, Ok(()));
    let refused = other.ask(&posted("billing", &secret), None).await.unwrap_err();
    assert_eq!((refused.status, refused.error), (503, "temporarily_unavailable"));
    assert!(refused.description.contains("`vault_key`"), "{}", refused.description);
}
