use base64::{Engine, engine::general_purpose::STANDARD};
use qc_identity::NewClient;
use serde_json::json;

use crate::world::{World, me, new, posted, seconds};

#[tokio::test]
async fn a_client_proves_who_it_is_in_one_way_and_is_told_nothing_when_it_does_not() {
    let world = World::new();
    let (_, secret) = world.client("billing", "production").await;
    let (_, other) = world.client("other", "production").await;
    let basic = |id: &str, secret: &str| STANDARD.encode(format!("{id}:{secret}"));
    let grant = "grant_type=client_credentials";
    world.ask(grant, Some(&basic("billing", &secret))).await.unwrap();
    // Both halves are form-encoded before they are joined.
    world.ask(grant, Some(&basic("%62illing", &secret))).await.unwrap();
    let mut told = Vec::new();
    for form in [
        posted("billing", &other),
        posted("billing", &secret[..secret.len() - 1]),
        posted("nobody", &secret),
        posted("Not A Name", &secret),
    ] {
        let refused = world.ask(&form, None).await.unwrap_err();
        assert!(refused.is_guess() && !refused.description.contains(&secret));
        told.push(refused);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "a stranger learns nothing: {told:?}");
    for (form, header, error) in [
        (grant.to_owned(), None, "invalid_client"),
        (grant.to_owned(), Some("!".to_owned()), "invalid_client"),
        (posted("billing", &secret), Some(basic("billing", &secret)), "invalid_request"),
        (format!("{}&grant_type=password", posted("billing", &secret)), None, "invalid_request"),
        ("grant_type=password".to_owned(), None, "unsupported_grant_type"),
        (String::new(), None, "invalid_request"),
        (format!("{}&resource=https://x", posted("billing", &secret)), None, "invalid_target"),
        (format!("{}&scope=all", posted("billing", &secret)), None, "invalid_scope"),
    ] {
        let refused = world.ask(&form, header.as_deref()).await.unwrap_err();
        assert_eq!(refused.error, error, "{form}");
    }
}

#[tokio::test]
async fn a_secret_is_changed_with_an_overlap_and_two_are_the_most() {
    let world = World::new();
    let (_, first) = world.client("billing", "production").await;
    let id = "billing".parse().unwrap();
    let rotate = async |overlap| {
        let (client, secret) = world.authority.rotate_client(&id, overlap, &me()).await.unwrap();
        (client.secrets.len(), secret.expose().to_owned())
    };
    let (count, second) = rotate(seconds(100)).await;
    assert_eq!(count, 2);
    for secret in [&first, &second] {
        world.token("billing", secret).await;
    }
    let (count, third) = rotate(seconds(100)).await;
    assert_eq!(count, 2);
    assert!(world.ask(&posted("billing", &first), None).await.is_err(), "two at most");
    world.token("billing", &second).await;
    world.clock.advance(seconds(100));
    assert!(world.ask(&posted("billing", &second), None).await.is_err(), "its overlap is over");
    world.token("billing", &third).await;
    let (count, _) = rotate(seconds(0)).await;
    assert_eq!(count, 1);
    assert!(world.ask(&posted("billing", &third), None).await.is_err());
    assert!(world.authority.rotate_client(&id, seconds(31 * 86_400), &me()).await.is_err());
}

#[tokio::test]
async fn a_token_is_narrowed_to_what_is_asked_for_and_never_widened() {
    let world = World::new();
    let scopes = ["production/events/*:send", "production/runs/crm:read"];
    let scopes = Some(scopes.iter().map(|scope| scope.parse().unwrap()).collect());
    let new = NewClient { scopes, ..new("billing", "production") };
    let secret = world.authority.create_client(new, &me()).await.unwrap().1.unwrap();
    let ask = async |scope: &str| {
        let form = format!("{}&scope={scope}", posted("billing", secret.expose()));
        world.ask(&form, None).await
    };
    let all = world.ask(&posted("billing", secret.expose()), None).await.unwrap();
    assert_eq!(all["scope"], json!("production/events/*:send production/runs/crm:read"));
    let narrow = ask("production/events/crm:send").await.unwrap();
    assert_eq!(narrow["scope"], json!("production/events/crm:send"));
    let token = narrow["access_token"].as_str().unwrap();
    let principal = world.authority.authenticate(token).await.unwrap();
    assert_eq!(principal.scopes.as_ref().unwrap().len(), 1);
    for wider in ["production/runs/*:read", "sandbox/events/crm:send", "production/runs/crm:cancel"]
    {
        assert_eq!(ask(wider).await.unwrap_err().error, "invalid_scope", "{wider}");
    }
}

#[tokio::test]
async fn a_client_ends_when_it_said_it_would() {
    let world = World::new();
    let (_, secret) = world.client("billing", "production").await;
    world.clock.advance(seconds(863_999));
    world.token("billing", &secret).await;
    world.clock.advance(seconds(1));
    assert!(world.ask(&posted("billing", &secret), None).await.is_err());
    for broken in [
        NewClient { owner: String::new(), ..new("a", "production") },
        NewClient { purpose: "x".repeat(201), ..new("a", "production") },
        NewClient { environment: "platform".parse().unwrap(), ..new("a", "production") },
    ] {
        assert!(world.authority.create_client(broken, &me()).await.is_err());
    }
}
