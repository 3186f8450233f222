use std::time::Duration;

use qc_access::{AuthenticationError, Role};
use qc_identity::{Arrived, IdentityError, Polled, Session};

use crate::world::{URL, World, me};

impl World {
    /// Somebody says in the browser that the command line is theirs, and signs in for it.
    async fn confirm(
        &self,
        code: &str,
        session: &Session,
        subject: &str,
    ) -> Result<(), IdentityError> {
        let journey = self.people.device_answer(code, session, true).await?.unwrap();
        let back = self.fake.sign_in(&journey.url, subject);
        match self.arrive(&back, journey.cookie.expose()).await? {
            Arrived::Device => Ok(()),
            Arrived::Browser { .. } => panic!("a command line signed in"),
        }
    }

    async fn session(&self, text: &str) -> Session {
        self.people.sessions().find(text).await.unwrap()
    }

    async fn poll(&self, code: &str) -> Polled {
        self.clock.advance(Duration::from_secs(6));
        self.people.device_poll(code).await.unwrap()
    }
}

#[tokio::test]
async fn a_command_line_gets_a_session_once_when_its_user_has_said_so() {
    let world = World::new();
    let browser = world.session(&world.ines().await).await;
    let begun = world.people.device_start(None, Some("10.0.0.7".into())).await.unwrap();
    assert_eq!((begun.user_code.len(), begun.address), (9, format!("{URL}/device")));
    let code = begun.device_code.expose();
    assert!(matches!(world.poll(code).await, Polled::Waiting));
    let asks = world.people.device_asks(&begun.user_code.to_lowercase()).await.unwrap();
    assert_eq!((asks.from.as_deref(), asks.user_code), (Some("10.0.0.7"), begun.user_code.clone()));
    world.confirm(&begun.user_code, &browser, "sub-ines").await.unwrap();
    assert!(!world.stored().await.contains("qcs_"), "its text is sealed");
    // The command line may ask another node.
    world.clock.advance(Duration::from_secs(6));
    let Polled::Session(text, _) = world.beside().people.device_poll(code).await.unwrap() else {
        panic!("no session")
    };
    let who = world.who(text.expose()).await.unwrap();
    assert_eq!((who.role, who.person.as_ref().unwrap().as_str()), (Role::Operator, "ines"));
    assert_ne!(who.id, browser.id);
    assert!(matches!(world.poll(code).await, Polled::Over), "it counts once");
    assert!(world.people.device_asks(&begun.user_code).await.is_err());
    assert!(world.session(text.expose()).await.device);
    // It has a right of its own: signing out of the browser leaves it.
    world.people.revoke(&browser.id, &me()).await.unwrap();
    world.clock.advance(Duration::from_secs(50));
    world.who(text.expose()).await.unwrap();
    world.people.revoke("ines", &me()).await.unwrap();
    assert_eq!(world.who(text.expose()).await, Err(AuthenticationError::Unknown));
}

#[tokio::test]
async fn who_asks_too_often_is_told_to_slow_down() {
    let world = World::new();
    let begun = world.people.device_start(None, None).await.unwrap();
    let code = begun.device_code.expose();
    assert!(matches!(world.poll(code).await, Polled::Waiting));
    world.clock.advance(Duration::from_secs(1));
    assert!(matches!(world.people.device_poll(code).await.unwrap(), Polled::TooOften));
    assert!(matches!(world.poll(code).await, Polled::TooOften), "ten seconds from then on");
    world.clock.advance(Duration::from_secs(20));
    assert!(matches!(world.people.device_poll(code).await.unwrap(), Polled::Waiting));
}

#[tokio::test]
async fn a_command_line_whose_user_says_no_or_nothing_gets_nothing() {
    let world = World::new();
    let browser = world.session(&world.ines().await).await;
    let begun = world.people.device_start(None, None).await.unwrap();
    let none = world.people.device_answer(&begun.user_code, &browser, false).await.unwrap();
    assert!(none.is_none());
    assert!(matches!(world.poll(begun.device_code.expose()).await, Polled::Denied));
    assert!(matches!(world.poll(begun.device_code.expose()).await, Polled::Over));
    let begun = world.people.device_start(None, None).await.unwrap();
    world.clock.advance(Duration::from_secs(601));
    assert!(matches!(world.poll(begun.device_code.expose()).await, Polled::Over));
    assert!(world.people.device_asks(&begun.user_code).await.is_err());
    world.people.tend().await.unwrap();
    assert!(!world.stored().await.contains("user_code"));
    for odd in ["", "BCDF", "BCDF-GHJK-L", "../session", "x".repeat(9000).as_str()] {
        assert!(world.people.device_asks(odd).await.is_err());
        assert!(matches!(world.people.device_poll(odd).await.unwrap(), Polled::Over), "{odd}");
    }
}

#[tokio::test]
async fn a_device_code_is_not_to_be_had_from_the_users_code() {
    let world = World::new();
    let browser = world.session(&world.ines().await).await;
    let begun = world.people.device_start(None, None).await.unwrap();
    world.confirm(&begun.user_code, &browser, "sub-ines").await.unwrap();
    let (name, _) = begun.device_code.expose().split_once('.').unwrap();
    assert!(matches!(world.poll(&format!("{name}.guess")).await, Polled::Over));
    assert!(matches!(world.poll(begun.device_code.expose()).await, Polled::Session(..)));
}

#[tokio::test]
async fn it_is_the_person_who_said_yes_that_signs_in_and_in_a_role_they_have() {
    let world = World::new();
    let browser = world.session(&world.ines().await).await;
    let begun = world.people.device_start(None, None).await.unwrap();
    let other = world.confirm(&begun.user_code, &browser, "sub-both").await;
    assert!(
        matches!(&other, Err(IdentityError::NoRole { .. } | IdentityError::SignIn(_))),
        "{other:?}"
    );
    let begun = world.people.device_start(Some(Role::Admin), None).await.unwrap();
    let boss = world.confirm(&begun.user_code, &browser, "sub-both").await;
    assert!(
        matches!(&boss, Err(IdentityError::SignIn(why)) if why.contains("somebody else")),
        "{boss:?}"
    );
    assert!(matches!(world.poll(begun.device_code.expose()).await, Polled::Waiting));
    let begun = world.people.device_start(Some(Role::Admin), None).await.unwrap();
    let refused = world.confirm(&begun.user_code, &browser, "sub-ines").await;
    assert!(matches!(refused, Err(IdentityError::NoRole { .. })), "{refused:?}");
    assert!(matches!(world.poll(begun.device_code.expose()).await, Polled::Denied));
}
