//! What belongs to one unit is seen by another one's people with that unit's grant, and changed by its own only.

use qc_access::Role;
use serde_json::json;

use crate::{client::Ask, world::World};

fn ask_for(actions: &[&str], lifetime: &str) -> String {
    json!({
        "actions": actions, "environment": "production", "unit": "desk", "reason": "our orders",
        "ticket": "OPS-9", "lifetime": lifetime,
    })
    .to_string()
}

#[tokio::test]
async fn another_unit_sees_with_a_grant_of_the_unit_and_changes_nothing() {
    let world = World::new().await;
    let run = world.send("json", "{}").await.run();
    let ada = world.person("ada", Role::Operator).await;
    let mallory = world.person("mallory", Role::Operator).await;
    let one = format!("/api/v1/runs/{run}");
    let paths = [&*one, "/api/v1/runs", "/api/v1/runs?integration=doors", "/api/v1/dead-letters"];
    for path in paths {
        assert_eq!(world.ask(Ask::get(path).token(&ada)).await.status, 200, "{path}");
        let told = world.ask(Ask::get(path).token(&mallory)).await.problem(403, "QC-A005");
        assert!(told["detail"].as_str().unwrap().contains("another unit's"), "{told}");
    }
    let request = Ask::post("/api/v1/grants", ask_for(&["runs:read"], "7d")).token(&mallory);
    let grant = world.ask(request).await.json();
    let approve = format!("/api/v1/grants/{}/approve", grant["id"].as_str().unwrap());
    // Somebody else of the unit that asks does not decide.
    let eve = world.person("eve", Role::Admin).await;
    world.ask(Ask::post(&approve, "").token(&eve)).await.problem(403, "QC-A041");
    let of_desk = world.person("ada", Role::Admin).await;
    let given = world.ask(Ask::post(&approve, "").token(&of_desk)).await.json();
    assert_eq!((given["state"].as_str(), given["unit"].as_str()), (Some("given"), Some("desk")));
    for path in [&*one, "/api/v1/runs", "/api/v1/runs?integration=doors"] {
        assert_eq!(world.ask(Ask::get(path).token(&mallory)).await.status, 200, "{path}");
    }
    // What was not granted, and what changes something.
    world.ask(Ask::get("/api/v1/dead-letters").token(&mallory)).await.problem(403, "QC-A005");
    let cancel = Ask::post(&format!("{one}/cancel"), r#"{"reason": "x"}"#).token(&mallory);
    world.ask(cancel).await.problem(403, "QC-A005");
    // A grant for a time in production is no grant across units.
    let deployer = world.person("mallory", Role::Deployer).await;
    let path = "/api/v1/deployments/production/doors";
    let deploy = Ask::post(path, r#"{"release": "000000"}"#).token(&deployer);
    world.ask(deploy).await.problem(403, "QC-A005");
}

#[tokio::test]
async fn what_is_not_granted_across_units_is_told() {
    let world = World::new().await;
    let mallory = world.person("mallory", Role::Operator).await;
    for (actions, lifetime, told) in [
        (&["runs:cancel"][..], "1h", "only what shows is"),
        (&["secrets:read"], "1h", "only what shows is"),
        (&["runs:read"], "31d", "at most 30 days"),
        (&["runs:read", "runs:inspect"], "5h", "at most 4 hours"),
    ] {
        let ask = Ask::post("/api/v1/grants", ask_for(actions, lifetime)).token(&mallory);
        let problem = world.ask(ask).await.problem(422, "QC-A041");
        assert!(problem["detail"].as_str().unwrap().contains(told), "{problem}");
    }
}
