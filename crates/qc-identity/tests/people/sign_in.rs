use std::time::Duration;

use qc_access::{Role, TokenKind};
use qc_identity::IdentityError;
use serde_json::{Value, json};

use crate::world::{ISSUER, URL, World, asked};

fn refused(done: Result<impl Sized, IdentityError>, why: &str) {
    match done.err() {
        Some(IdentityError::SignIn(told)) => assert!(told.contains(why), "{told}"),
        other => panic!("{why}: {other:?}"),
    }
}

#[tokio::test]
async fn somebody_signs_in_with_code_and_pkce_and_acts_in_their_role() {
    let world = World::new();
    let journey = world.depart(None).await;
    assert!(journey.url.starts_with(&format!("{ISSUER}/auth?response_type=code&")));
    assert_eq!(asked(&journey.url, "redirect_uri"), format!("{URL}/login/callback"));
    assert_eq!(asked(&journey.url, "scope"), "openid profile");
    let text = world.ines().await;
    let who = world.who(&text).await.unwrap();
    assert_eq!((who.kind, who.role), (TokenKind::Session, Role::Operator));
    assert_eq!(
        (who.name.as_str(), who.person.as_ref().unwrap().as_str()),
        ("ines@example.test", "ines")
    );
    assert_eq!(who.actor().text(), "human:ines");
    assert_eq!(who.environment, None);
    assert!(world.audited().await.contains(&"human:ines session signed in".to_owned()));
    // What is stored opens nothing: neither the session's text nor what the provider gave is there.
    let stored = world.stored().await;
    for secret in [text.as_str(), &text[4..], "refresh-", "access-"] {
        assert!(!stored.contains(secret), "{secret}");
    }
    assert!(world.who(&format!("{text}x")).await.is_err());
}

#[tokio::test]
async fn an_answer_counts_once_in_the_browser_that_asked_and_in_time() {
    let world = World::new();
    let journey = world.depart(None).await;
    let back = world.fake.sign_in(&journey.url, "sub-ines");
    let cookie = journey.cookie.expose();
    // Another browser: somebody was sent a link that ends in a stranger's account.
    let other = world.depart(None).await;
    refused(world.arrive(&back, other.cookie.expose()).await, "not the browser");
    refused(world.arrive(&back, "").await, "not the browser");
    world.arrive(&back, cookie).await.unwrap();
    refused(world.arrive(&back, cookie).await, "used already");
    // A state that nobody was sent with.
    let state = asked(&other.url, "state");
    let forged = back.replace(&asked(&back, "state"), &format!("{}x", &state[..state.len() - 1]));
    refused(world.arrive(&forged, other.cookie.expose()).await, "used already");
    refused(world.arrive(&format!("{URL}/login/callback?code=x"), cookie).await, "used already");
    let late = world.fake.sign_in(&other.url, "sub-ines");
    world.clock.advance(Duration::from_secs(601));
    refused(world.arrive(&late, other.cookie.expose()).await, "too long");
    world.people.tend().await.unwrap();
    assert!(!world.stored().await.contains("verifier"));
}

#[tokio::test]
async fn the_answer_of_another_provider_is_refused() {
    let world = World::new();
    let journey = world.depart(None).await;
    let back = world.fake.sign_in(&journey.url, "sub-ines");
    let (begin, _) = back.split_once("&iss=").unwrap();
    let mixed = format!("{begin}&iss=https%3A%2F%2Fevil.test");
    refused(world.arrive(&mixed, journey.cookie.expose()).await, "another identity provider");
    assert!(!world.fake.parts().asked.iter().any(|asked| asked.starts_with("/token")));
    // One that does not say who it is does so in the id token all the same.
    let journey = world.depart(None).await;
    let back = world.fake.sign_in(&journey.url, "sub-ines");
    let (begin, _) = back.split_once("&iss=").unwrap();
    world.arrive(begin, journey.cookie.expose()).await.unwrap();
    // But not one that promises to say so.
    let strict = World::new();
    strict.fake.parts().promises = true;
    let other = strict.depart(None).await;
    let back = strict.fake.sign_in(&other.url, "sub-ines");
    let (begin, _) = back.split_once("&iss=").unwrap();
    refused(strict.arrive(begin, other.cookie.expose()).await, "another identity provider");
    let journey = world.depart(None).await;
    let said_no =
        format!("{URL}/login/callback?error=access_denied&state={}", asked(&journey.url, "state"));
    refused(world.arrive(&said_no, journey.cookie.expose()).await, "access_denied");
}

#[tokio::test]
async fn the_verifier_is_the_one_of_the_challenge() {
    let world = World::new();
    let journey = world.depart(None).await;
    let other = world.depart(None).await;
    let back = world.fake.sign_in(&journey.url, "sub-ines");
    // The code of one sign-in under the state of another one.
    let mixed = back.replace(&asked(&back, "state"), &asked(&other.url, "state"));
    refused(world.arrive(&mixed, other.cookie.expose()).await, "invalid_grant");
}

/// What a test does to an id token.
type Spoil = fn(&mut Value, &mut Value);

#[tokio::test]
async fn id_tokens_that_are_not_for_us_now_or_not_signed_so_are_refused() {
    let world = World::new();
    let spoils: [(Spoil, &str); 16] = [
        (|_, claims| claims["nonce"] = json!("other"), "nonce"),
        (|_, claims| drop(claims.as_object_mut().unwrap().remove("nonce")), "nonce"),
        (|_, claims| claims["iss"] = json!("https://evil.test"), "issuer"),
        (|_, claims| drop(claims.as_object_mut().unwrap().remove("iss")), "issuer"),
        (|_, claims| claims["aud"] = json!("other"), "not for us"),
        (|_, claims| drop(claims.as_object_mut().unwrap().remove("aud")), "not for us"),
        (|_, claims| claims["aud"] = json!(["qc", "other"]), "not for us"),
        (|_, claims| claims["azp"] = json!("other"), "not for us"),
        (|_, claims| claims["exp"] = json!(1_795_000_000), "time is over"),
        (|_, claims| drop(claims.as_object_mut().unwrap().remove("exp")), "`exp`"),
        (|_, claims| claims["iat"] = json!(1_795_000_120), "not begun"),
        (|_, claims| claims["sub"] = json!(""), "no subject"),
        (|header, _| header["alg"] = json!("none"), "header cannot be read"),
        (|header, _| header["alg"] = json!("HS256"), "algorithm"),
        (|header, _| header["kid"] = json!("other"), "not among"),
        (|header, _| header["crit"] = json!(["exp"]), "crit"),
    ];
    for (spoil, why) in spoils {
        world.fake.parts().spoil = Box::new(spoil);
        refused(world.sign_in("sub-ines", None).await, why);
    }
    world.fake.parts().spoil = Box::new(|_, claims| {
        claims["aud"] = json!(["qc", "other"]);
        claims["azp"] = json!("qc");
    });
    world.sign_in("sub-ines", None).await.unwrap();
    // Signed by somebody else with the right key's name.
    world.fake.parts().spoil = Box::new(|_, _| {});
    let other = qc_oidcserver::Fake::new(ISSUER, &[]);
    let header = json!({ "alg": "ES256", "kid": "k1" });
    let forged = other.signed(header, &json!({ "iss": ISSUER, "aud": "qc" }));
    refused(world.people.back_channel(&forged).await, "signature");
}

#[tokio::test]
async fn a_new_key_is_found_and_strangers_cannot_have_it_looked_for_each_time() {
    let world = World::new();
    let looked = || world.fake.parts().asked.iter().filter(|path| *path == "/jwks").count();
    world.ines().await;
    assert_eq!(looked(), 1);
    world.fake.rotate_key();
    world.clock.advance(Duration::from_secs(6));
    world.ines().await;
    assert_eq!(looked(), 2, "the key that is not known has the keys read again");
    let forged = world.fake.signed(json!({ "alg": "ES256", "kid": "x" }), &json!({}));
    for _ in 0..50 {
        refused(world.people.back_channel(&forged).await, "not among");
    }
    assert_eq!(looked(), 2, "they were read just now");
    world.clock.advance(Duration::from_secs(6));
    for _ in 0..50 {
        refused(world.people.back_channel(&forged).await, "not among");
    }
    assert_eq!(looked(), 3);
    // Nor while the provider is away.
    world.fake.parts().away = true;
    world.clock.advance(Duration::from_secs(6));
    for _ in 0..50 {
        assert!(world.people.back_channel(&forged).await.is_err());
    }
    assert_eq!(looked(), 4);
}

#[tokio::test]
async fn one_role_at_a_time_of_those_that_the_groups_give() {
    let world = World::new();
    match world.sign_in("sub-both", None).await {
        Err(IdentityError::NoRole { choice, to, .. }) => {
            assert_eq!(choice, [Role::Admin, Role::Operator]);
            assert_eq!(to, "/login/done");
        }
        other => panic!("{other:?}"),
    }
    for role in [Role::Operator, Role::Admin] {
        let text = world.sign_in("sub-both", Some(role)).await.unwrap();
        let who = world.who(&text).await.unwrap();
        assert_eq!((who.role, &who.person), (role, &None));
        assert_eq!(who.name, "sub-both", "a mail address that nobody has proven is no name");
        assert_eq!(who.actor().text(), "human:sub-both");
    }
    for (subject, role) in [("sub-ines", Some(Role::Admin)), ("sub-none", None)] {
        let refused = world.sign_in(subject, role).await;
        assert!(matches!(refused, Err(IdentityError::NoRole { .. })), "{refused:?}");
    }
    assert!(world.audited().await.contains(&"platform:identity sign-in refused".to_owned()));
}

#[tokio::test]
async fn groups_that_the_id_token_lacks_are_asked_for() {
    let world = World::new();
    world.fake.parts().spoil = Box::new(|_, claims| {
        drop(claims.as_object_mut().unwrap().remove("groups"));
    });
    let text = world.ines().await;
    assert_eq!(world.who(&text).await.unwrap().role, Role::Operator);
    assert!(world.fake.parts().asked.contains(&"/userinfo".to_owned()));
}

#[tokio::test]
async fn a_provider_that_is_another_one_or_away_is_told_as_that() {
    let world = World::new();
    world.fake.parts().away = true;
    let aim = qc_identity::Aim::Browser { to: "/".to_owned() };
    let away = world.people.depart(None, aim).await;
    assert!(matches!(&away, Err(IdentityError::Provider(why)) if why.contains("503")), "{away:?}");
}
