//! The same against a real provider: what we take for the standard is not only our own reading of it.

use std::time::Duration;

use qc_access::{AuthenticationError, Role};
use qc_identity::Arrived;
use qc_oidcserver::{Browser, CLIENT, Server, own};
use serde_json::json;
use url::Url;

use crate::world::{URL, World, asked};

fn provider() -> Option<Server> {
    own(&json!({
        "clients": [{
            "client_id": CLIENT.0, "client_secret": CLIENT.1,
            "redirect_uris": [format!("{URL}/login/callback")],
            "post_logout_redirect_uris": [format!("{URL}/logout/done")],
            "grant_types": ["authorization_code", "refresh_token"],
        }],
        "people": {
            "sub-1": { "email": "ines@example.test", "email_verified": true, "groups": ["ops"] },
        },
    }))
}

/// Goes through the provider's pages; the address to which it sends back.
fn through(browser: &mut Browser, url: &str) -> String {
    let url = Url::parse(url).unwrap();
    let page = tokio::task::block_in_place(|| browser.get(&url));
    let back = page.redirect().unwrap_or_else(|| panic!("{page:?}"));
    back.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_provider_signs_people_in_rotates_refresh_tokens_and_signs_them_out() {
    let Some(provider) = provider() else { return };
    let world = World::at(provider.issuer());
    let mut browser = Browser::of("sub-1");
    let journey = world.depart(Some(Role::Operator)).await;
    let back = through(&mut browser, &journey.url);
    assert_eq!(asked(&back, "iss"), provider.issuer());
    let arrived = world.arrive(&back, journey.cookie.expose()).await.unwrap();
    let Arrived::Browser { text, .. } = arrived else { panic!("a browser signed in") };
    let who = world.who(text.expose()).await.unwrap();
    assert_eq!((who.name.as_str(), who.role), ("ines@example.test", Role::Operator));
    // Each of these is a refresh; the provider ends the whole right when a token comes twice.
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(50));
        world.who(text.expose()).await.unwrap();
    }
    // The groups are looked at each time.
    provider.set("sub-1", &json!({ "groups": ["others"] }));
    let other = world.depart(None).await;
    let back = through(&mut browser, &other.url);
    assert!(world.arrive(&back, other.cookie.expose()).await.is_err());
    world.clock.advance(Duration::from_secs(50));
    let gone = world.who(text.expose()).await;
    assert!(matches!(gone, Err(AuthenticationError::Refused(_))), "{gone:?}");
    provider.set("sub-1", &json!({ "groups": ["ops"] }));
    let journey = world.depart(None).await;
    let back = through(&mut browser, &journey.url);
    let arrived = world.arrive(&back, journey.cookie.expose()).await.unwrap();
    let Arrived::Browser { text, .. } = arrived else { panic!("a browser signed in") };
    provider.remove("sub-1");
    world.clock.advance(Duration::from_secs(50));
    let removed = world.who(text.expose()).await;
    assert!(matches!(removed, Err(AuthenticationError::Refused(_))), "{removed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_provider_takes_our_way_of_signing_out_and_sends_the_browser_back() {
    let Some(provider) = provider() else { return };
    let world = World::at(provider.issuer());
    let mut browser = Browser::of("sub-1");
    let journey = world.depart(None).await;
    let back = through(&mut browser, &journey.url);
    let arrived = world.arrive(&back, journey.cookie.expose()).await.unwrap();
    let Arrived::Browser { text, .. } = arrived else { panic!("a browser signed in") };
    let out = world.people.log_out(text.expose()).await.unwrap().unwrap();
    let page = tokio::task::block_in_place(|| {
        let page = browser.get(&Url::parse(&out).unwrap());
        let xsrf = page.input("xsrf").unwrap_or_else(|| panic!("{page:?}")).to_owned();
        let confirm = Url::parse(&format!("{}/session/end/confirm", provider.issuer())).unwrap();
        browser.post(&confirm, &[("xsrf", &xsrf), ("logout", "yes")])
    });
    assert_eq!(page.redirect().unwrap().as_str(), format!("{URL}/logout/done"));
    // It knows nobody any more: somebody who declines is told so.
    browser.person = None;
    let journey = world.depart(None).await;
    let back = through(&mut browser, &journey.url);
    let declined = world.arrive(&back, journey.cookie.expose()).await.unwrap_err();
    assert!(declined.to_string().contains("access_denied"), "{declined}");
    // A code of it that was used before is refused by it, too.
    let journey = world.depart(None).await;
    browser.person = Some("sub-1".to_owned());
    let back = through(&mut browser, &journey.url);
    world.arrive(&back, journey.cookie.expose()).await.unwrap();
    let again = world.depart(None).await;
    let mixed = back.replace(&asked(&back, "state"), &asked(&again.url, "state"));
    let refused = world.arrive(&mixed, again.cookie.expose()).await.unwrap_err();
    assert!(refused.to_string().contains("invalid_grant"), "{refused}");
}
