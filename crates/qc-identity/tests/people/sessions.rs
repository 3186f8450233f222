use std::time::Duration;

use qc_access::{AuthenticationError, Role};
use qc_identity::Sessions;
use qc_store::Store;
use serde_json::json;

use crate::world::{ISSUER, World, groups, me, minutes};

#[tokio::test]
async fn a_session_ends_after_half_an_hour_unused_and_after_eight_hours_at_all() {
    let world = World::new();
    let idle = world.ines().await;
    world.clock.advance(Duration::from_secs(29 * 60));
    world.who(&idle).await.unwrap();
    world.clock.advance(Duration::from_secs(29 * 60));
    world.who(&idle).await.unwrap();
    world.clock.advance(Duration::from_secs(30 * 60));
    let over = world.who(&idle).await;
    assert!(matches!(over, Err(AuthenticationError::Expired(_))), "{over:?}");
    assert_eq!(world.who(&idle).await, Err(AuthenticationError::Unknown), "it is gone");
    let used = world.ines().await;
    for _ in 0..(8 * 60 / 20 - 1) {
        world.clock.advance(Duration::from_secs(20 * 60));
        world.who(&used).await.unwrap();
    }
    world.clock.advance(Duration::from_secs(20 * 60));
    assert!(matches!(world.who(&used).await, Err(AuthenticationError::Expired(_))));
    let left = world.ines().await;
    assert!(Sessions::is_meant(&left));
    world.clock.advance(Duration::from_secs(31 * 60));
    world.people.tend().await.unwrap();
    assert!(world.store.documents("session", None, 9).await.unwrap().is_empty());
    assert!(world.audited().await.contains(&"platform:identity session expired".to_owned()));
}

#[tokio::test]
async fn who_is_removed_at_the_provider_is_out_within_a_minute() {
    let world = World::new();
    for gone in [None, Some(groups(&["others"]))] {
        let text = world.ines().await;
        world.clock.advance(Duration::from_secs(39));
        world.who(&text).await.unwrap();
        let before = world.fake.parts().people["sub-ines"].clone();
        match gone {
            None => drop(world.fake.parts().people.remove("sub-ines")),
            Some(groups) => drop(world.fake.parts().people.insert("sub-ines".into(), groups)),
        }
        world.clock.advance(Duration::from_secs(21));
        let ended = world.who(&text).await;
        assert!(matches!(ended, Err(AuthenticationError::Refused(_))), "{ended:?}");
        assert_eq!(world.beside().who(&text).await, Err(AuthenticationError::Unknown));
        world.fake.parts().people.insert("sub-ines".into(), before);
    }
    assert!(world.audited().await.iter().any(|row| row.ends_with("ended by the provider")));
}

#[tokio::test]
async fn a_refresh_token_is_used_once_and_the_next_one_is_kept() {
    let world = World::new();
    let text = world.ines().await;
    let nodes = [&world, &world.beside()];
    for round in 0..5 {
        world.clock.advance(Duration::from_secs(50));
        for node in nodes {
            node.who(&text).await.unwrap_or_else(|error| panic!("{round}: {error}"));
        }
    }
    let refreshed =
        world.fake.parts().asked.iter().filter(|it| *it == "/token refresh_token").count();
    assert_eq!(refreshed, 5, "one node asks, and the other believes it");
    // Both at once: the provider would end what is used twice.
    for _ in 0..5 {
        world.clock.advance(Duration::from_secs(50));
        let (one, other) = tokio::join!(nodes[0].who(&text), nodes[1].who(&text));
        assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    }
}

#[tokio::test]
async fn without_refresh_tokens_the_provider_is_asked_who_it_is() {
    let world = World::new();
    world.fake.parts().refreshes = false;
    let text = world.ines().await;
    world.clock.advance(Duration::from_secs(50));
    world.who(&text).await.unwrap();
    world.fake.parts().people.remove("sub-ines");
    world.clock.advance(Duration::from_secs(50));
    assert!(matches!(world.who(&text).await, Err(AuthenticationError::Refused(_))));
}

#[tokio::test]
async fn while_the_provider_is_away_a_session_counts_for_a_minute_and_then_not() {
    let world = World::new();
    let text = world.ines().await;
    world.fake.parts().away = true;
    world.clock.advance(Duration::from_secs(50));
    world.who(&text).await.unwrap();
    world.clock.advance(Duration::from_secs(10));
    let unsure = world.who(&text).await;
    assert!(matches!(unsure, Err(AuthenticationError::Store(_))), "{unsure:?}");
    world.fake.parts().away = false;
    world.clock.advance(Duration::from_secs(600));
    world.who(&text).await.unwrap();
}

#[tokio::test]
async fn a_refresh_token_that_came_before_the_provider_failed_is_not_lost() {
    let world = World::new();
    // The groups are asked for after the refresh token was used.
    world.fake.parts().spoil = Box::new(|_, claims| {
        drop(claims.as_object_mut().unwrap().remove("groups"));
    });
    let text = world.ines().await;
    world.fake.parts().silent = "/userinfo";
    world.clock.advance(Duration::from_secs(50));
    world.who(&text).await.unwrap();
    world.fake.parts().silent = "";
    world.clock.advance(Duration::from_secs(5));
    // With the one before, the provider would say no.
    world.who(&text).await.unwrap();
    world.clock.advance(Duration::from_secs(50));
    world.who(&text).await.unwrap();
}

#[tokio::test]
async fn signing_out_ends_the_session_and_says_where_to_sign_out_at_the_provider() {
    let world = World::new();
    let text = world.ines().await;
    let url = world.people.log_out(&text).await.unwrap().unwrap();
    assert!(url.starts_with(&format!("{ISSUER}/out?client_id=qc&")), "{url}");
    let hint = crate::world::asked(&url, "id_token_hint");
    assert_eq!(hint.split('.').count(), 3, "the id token, opened");
    assert!(crate::world::asked(&url, "post_logout_redirect_uri").ends_with("/logout/done"));
    assert_eq!(world.who(&text).await, Err(AuthenticationError::Unknown));
    assert_eq!(world.people.log_out(&text).await.unwrap(), None);
    assert!(world.audited().await.contains(&"human:ines session logged out".to_owned()));
}

#[tokio::test]
async fn revoking_a_person_ends_all_their_sessions_on_all_nodes_at_once() {
    let world = World::new();
    for called in ["ines", "ines@example.test", "sub-ines"] {
        let (one, two) = (world.ines().await, world.beside().ines().await);
        let other = world.sign_in("sub-both", Some(Role::Admin)).await.unwrap();
        assert_eq!(world.people.revoke(called, &me()).await.unwrap().len(), 2, "{called}");
        for text in [&one, &two] {
            assert_eq!(world.beside().who(text).await, Err(AuthenticationError::Unknown));
        }
        world.who(&other).await.unwrap();
    }
}

fn logout_token(world: &World, change: impl Fn(&mut serde_json::Value)) -> String {
    let now = world.clock_secs();
    let mut claims = json!({
        "iss": ISSUER, "aud": "qc", "sub": "sub-ines", "sid": "sid-of-sub-ines",
        "iat": now, "exp": now + 120, "jti": "one",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    change(&mut claims);
    world.fake.signed(json!({ "alg": "ES256", "kid": "k1", "typ": "logout+jwt" }), &claims)
}

impl World {
    fn clock_secs(&self) -> i64 {
        qc_model::Clock::now(&*self.clock).as_secs()
    }
}

/// What a test does to a logout token.
type Change = fn(&mut serde_json::Value);

#[tokio::test]
async fn the_provider_ends_sessions_by_a_token_that_is_one_for_that_and_new() {
    let world = World::new();
    let text = world.ines().await;
    let other = world.sign_in("sub-both", Some(Role::Admin)).await.unwrap();
    let wrong: [Change; 9] = [
        |claims| claims["aud"] = json!("other"),
        |claims| claims["iss"] = json!("https://evil.test"),
        |claims| claims["nonce"] = json!("n"),
        |claims| drop(claims.as_object_mut().unwrap().remove("events")),
        |claims| claims["events"] = json!({}),
        |claims| drop(claims.as_object_mut().unwrap().remove("jti")),
        |claims| claims["iat"] = json!(1_795_000_000 - 301),
        |claims| claims["exp"] = json!(1_795_000_000),
        |claims| {
            claims.as_object_mut().unwrap().remove("sub");
            claims.as_object_mut().unwrap().remove("sid");
        },
    ];
    for (at, change) in wrong.into_iter().enumerate() {
        let token = logout_token(&world, change);
        assert!(world.people.back_channel(&token).await.is_err(), "{at}");
    }
    world.who(&text).await.unwrap();
    let token = logout_token(&world, |_| {});
    assert_eq!(world.people.back_channel(&token).await.unwrap(), 1);
    assert_eq!(world.who(&text).await, Err(AuthenticationError::Unknown));
    world.who(&other).await.unwrap();
    let again = world.ines().await;
    assert!(world.beside().people.back_channel(&token).await.is_err(), "it counts once");
    world.who(&again).await.unwrap();
    let by_subject = logout_token(&world, |claims| {
        claims.as_object_mut().unwrap().remove("sid");
        claims["jti"] = json!("two");
    });
    assert_eq!(world.people.back_channel(&by_subject).await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_sealed_stays_readable_when_the_vaults_key_changes() {
    let world = World::new();
    let text = world.ines().await;
    let platform = "platform".parse().unwrap();
    world.vault.rotate_key(&platform, &me()).await.unwrap();
    world.clock.advance(Duration::from_secs(61));
    while world.vault.tend().await.unwrap() {}
    world.who(&text).await.unwrap();
    world.clock.advance(Duration::from_secs(50));
    world.who(&text).await.unwrap();
    assert_eq!(minutes(1).as_secs(), 60);
}
