use qc_model::Class;

use super::*;
use crate::call::{Departure, Egress};
use crate::codes;

/// Forbids one system.
struct Without(&'static str);

impl Egress for Without {
    fn may(&self, call: &Departure<'_>) -> Result<(), String> {
        let asked = [call.environment.as_str(), call.tenant.as_str(), call.integration.as_str()];
        assert_eq!(asked, ["sandbox", "acme", "escalation"]);
        if call.system == self.0 { Err("it is closed".to_owned()) } else { Ok(()) }
    }
}

#[tokio::test]
async fn what_a_policy_forbids_is_not_sent() {
    let mut world = world();
    world.outbound =
        Outbound::new(world.script.clone(), world.clock.clone(), world.secrets.clone())
            .with_egress(Arc::new(Without("desk")));
    let failure = world.desk("listTickets", json!({})).await.result.unwrap_err();
    assert_eq!((failure.class, &failure.code), (Class::Policy, &codes::FORBIDDEN_CALL));
    assert!(
        failure.detail.contains("`escalation` may not call `desk`: it is closed"),
        "{failure:?}"
    );
    assert!(world.seen().is_empty());
}

#[tokio::test]
async fn a_host_is_asked_for_before_a_redirect_is_followed() {
    let closed = |system| {
        let mut world = world();
        world.outbound =
            Outbound::new(world.script.clone(), world.clock.clone(), world.secrets.clone())
                .with_egress(Arc::new(Without(system)));
        world
    };
    let to = "https://elsewhere.test/b";
    let asked = request(plain(&json!({"redirect": true})));
    let world = closed("elsewhere.test");
    world.will([reply(302, &[("location", to)], "")]);
    let failure = world.perform(&asked).await.result.unwrap_err();
    assert_eq!(failure.code, codes::FORBIDDEN_CALL, "{failure:?}");
    let seen = world.seen();
    assert_eq!(seen.len(), 1, "nothing goes where it was sent on to: {seen:?}");
    // Without a connector the first host is asked for, too.
    let world = closed("desk.test");
    let failure = world.perform(&asked).await.result.unwrap_err();
    assert_eq!(failure.code, codes::FORBIDDEN_CALL, "{failure:?}");
    assert!(world.seen().is_empty());
}

#[tokio::test]
async fn no_credential_is_looked_up_for_what_may_not_go_out() {
    let mut world = world();
    let none = Arc::new(Secrets::none());
    world.outbound = Outbound::new(world.script.clone(), world.clock.clone(), none)
        .with_egress(Arc::new(Without("desk")));
    // With a missing secret it would be another failure.
    let failure = world.desk("listTickets", json!({})).await.result.unwrap_err();
    assert_eq!(failure.code, codes::FORBIDDEN_CALL, "{failure:?}");
}
