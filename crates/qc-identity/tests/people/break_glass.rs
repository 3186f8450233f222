use std::time::Duration;

use qc_access::{AuthenticationError, Role, TokenKind};
use qc_identity::IdentityError;

use crate::world::{World, me};

#[tokio::test]
async fn the_sealed_account_opens_once_for_an_hour_and_everybody_hears_of_it() {
    let world = World::new();
    let unsealed = world.people.findings().await.unwrap();
    assert_eq!(unsealed[0].code.to_string(), "QC-A058");
    let credential = world.people.seal_break_glass(&me()).await.unwrap();
    assert!(world.people.findings().await.unwrap().is_empty());
    assert!(!world.stored().await.contains(credential.expose()));
    let open = async |credential: &str, reason: &str| {
        world.people.open_break_glass(credential, reason, Some("10.0.0.7".into())).await
    };
    for (credential, reason) in [("qcb_guess", "why"), ("", "why"), (credential.expose(), " ")] {
        assert!(open(credential, reason).await.is_err());
    }
    // The provider is of no use.
    world.fake.parts().away = true;
    let (text, _) = open(credential.expose(), "the provider is away").await.unwrap();
    let who = world.who(text.expose()).await.unwrap();
    assert_eq!((who.kind, who.role), (TokenKind::BreakGlass, Role::Admin));
    assert_eq!(who.actor().text(), "human:break-glass");
    let again = open(credential.expose(), "again").await;
    assert_eq!(again.unwrap_err(), IdentityError::NoCode);
    let findings = world.people.findings().await.unwrap();
    assert!(findings[0].message.contains("spent"), "{findings:?}");
    assert!(world.audited().await.contains(&"human:break-glass break-glass opened".to_owned()));
    world.clock.advance(Duration::from_secs(29 * 60));
    world.who(text.expose()).await.unwrap();
    world.clock.advance(Duration::from_secs(29 * 60));
    world.who(text.expose()).await.unwrap();
    world.clock.advance(Duration::from_secs(2 * 60));
    assert!(matches!(world.who(text.expose()).await, Err(AuthenticationError::Expired(_))));
    let next = world.people.seal_break_glass(&me()).await.unwrap();
    assert!(world.people.findings().await.unwrap().is_empty());
    assert!(open(credential.expose(), "the old one").await.is_err());
    assert!(open(next.expose(), "the new one").await.is_ok());
}
