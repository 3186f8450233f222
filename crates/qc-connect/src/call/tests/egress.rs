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
