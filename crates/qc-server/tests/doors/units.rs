//! What belongs to one unit is seen by another one's people with that unit's grant, and changed by its own only.

use qc_access::Role;
use serde_json::{Value, json};

use crate::{
    client::{Ask, Reply},
    deployment::{ALONE, MEMBER, NEEDS, UNIT},
    world::World,
};

fn ask_for(actions: &[&str], lifetime: &str) -> String {
    json!({
        "actions": actions, "environment": "production", "unit": "desk", "reason": "our orders",
        "ticket": "OPS-9", "lifetime": lifetime,
    })
    .to_string()
}

/// A file's name of a kind.
fn named(kind: &str, name: &str) -> String {
    format!("{kind}{name}")
}

/// A server on which the rivals have an integration, too, that needs these secrets.
async fn two_units(secrets: &[&str]) -> World {
    let world = World::new().await;
    let mut files = vec![named(UNIT, "rival")];
    files.extend(secrets.iter().map(|name| named(NEEDS, name)));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    world.also("quarrel", &files).await;
    world
}

async fn get(world: &World, token: &str, path: &str) -> Reply {
    world.ask(Ask::get(path).token(token)).await
}

#[track_caller]
fn another_units(reply: &Reply) {
    let told = reply.problem(403, "QC-A005");
    assert!(told["detail"].as_str().unwrap().contains("another unit's"), "{told}");
}

/// What stands under a member of each entry of a list.
#[track_caller]
fn all_of(reply: &Reply, member: &str) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let items = reply.json()["items"].as_array().unwrap().clone();
    items.into_iter().map(|item| item[member].clone()).collect()
}

#[tokio::test]
async fn another_unit_sees_with_a_grant_of_the_unit_and_changes_nothing() {
    let world = World::new().await;
    let run = world.send("json", "{}").await.run();
    let ada = world.person("ada", Role::Operator).await;
    let mallory = world.person("mallory", Role::Operator).await;
    let one = format!("/api/v1/runs/{run}");
    for path in [&*one, "/api/v1/runs?integration=doors"] {
        assert_eq!(get(&world, &ada, path).await.status, 200, "{path}");
        another_units(&get(&world, &mallory, path).await);
    }
    // A list is cut to what could be asked for one by one.
    assert_eq!(all_of(&get(&world, &ada, "/api/v1/runs").await, "run"), [json!(run)]);
    let cut = get(&world, &mallory, "/api/v1/runs").await.json();
    assert_eq!((&cut["items"], &cut["of_units"]), (&json!([]), &json!(["rival"])));
    let request = Ask::post("/api/v1/grants", ask_for(&["runs:read"], "7d")).token(&mallory);
    let grant = world.ask(request).await.json();
    let approve = format!("/api/v1/grants/{}/approve", grant["id"].as_str().unwrap());
    // Somebody else of the unit that asks does not decide.
    let eve = world.person("eve", Role::Admin).await;
    world.ask(Ask::post(&approve, "").token(&eve)).await.problem(403, "QC-A041");
    let of_desk = world.person("ada", Role::Admin).await;
    let given = world.ask(Ask::post(&approve, "").token(&of_desk)).await.json();
    assert_eq!((given["state"].as_str(), given["unit"].as_str()), (Some("given"), Some("desk")));
    for path in [&*one, "/api/v1/runs?integration=doors"] {
        assert_eq!(get(&world, &mallory, path).await.status, 200, "{path}");
    }
    assert_eq!(all_of(&get(&world, &mallory, "/api/v1/runs").await, "run"), [json!(run)]);
    // What was not granted, and what changes something.
    another_units(&get(&world, &mallory, "/api/v1/dead-letters?integration=doors").await);
    let cancel = Ask::post(&format!("{one}/cancel"), r#"{"reason": "x"}"#).token(&mallory);
    another_units(&world.ask(cancel).await);
    // A grant for a time in production is no grant across units.
    let deployer = world.person("mallory", Role::Deployer).await;
    let path = "/api/v1/deployments/production/doors";
    let deploy = Ask::post(path, r#"{"release": "000000"}"#).token(&deployer);
    another_units(&world.ask(deploy).await);
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

#[tokio::test]
async fn a_list_is_cut_page_by_page() {
    let world = two_units(&[]).await;
    let mut own = Vec::new();
    for _ in 0..3 {
        world.send("json", "{}").await.run();
        world.send("json", "{}").await.run();
        own.push(json!(world.ask(Ask::post("/in/production/quarrel/json", "{}")).await.run()));
    }
    own.reverse();
    let mallory = world.person("mallory", Role::Auditor).await;
    let (mut seen, mut pages, mut next) = (Vec::new(), 0, String::new());
    loop {
        let page = get(&world, &mallory, &format!("/api/v1/runs?limit=1{next}")).await;
        seen.extend(all_of(&page, "run"));
        pages += 1;
        match page.json()["next"].as_str() {
            Some(place) => next = format!("&before={place}"),
            None => break,
        }
    }
    assert_eq!(seen, own);
    assert!(pages >= 3, "{pages}");
    let deployed = get(&world, &mallory, "/api/v1/deployments").await;
    assert_eq!(all_of(&deployed, "integration"), ["quarrel"]);
    let limits = get(&world, &mallory, "/api/v1/limits/outbound").await;
    let users = all_of(&limits, "integrations");
    assert!(!users.is_empty() && users.iter().all(|all| *all == json!(["quarrel"])), "{users:?}");
    let rows = all_of(&get(&world, &mallory, "/api/v1/ledger?limit=500").await, "integration");
    assert!(!rows.is_empty() && rows.iter().all(|one| one == "quarrel"), "{rows:?}");
    let sums = get(&world, &mallory, "/api/v1/questions/reconciliation").await.json();
    assert_eq!((&sums["total"]["received"], &sums["of_units"]), (&json!(3), &json!(["rival"])));
    // Whose none is, the whole organisation's, sees everything and nothing is said of units.
    let bob = world.person("bob", Role::Auditor).await;
    let all = get(&world, &bob, "/api/v1/questions/reconciliation").await.json();
    assert_eq!((&all["total"]["received"], &all["of_units"]), (&json!(9), &Value::Null));
}

#[tokio::test]
async fn connections_and_secrets_belong_to_the_units_that_use_them() {
    let world = two_units(&["quarrel/key"]).await;
    for name in ["quarrel/key", "spare"] {
        let body =
            json!({"environment": "production", "name": name, "value": format!("of {name}")});
        let set = Ask::post("/api/v1/secrets/set", body.to_string()).token(&world.owner);
        assert_eq!(world.ask(set).await.status, 200, "{name}");
    }
    let ada = world.person("ada", Role::Admin).await;
    let mallory = world.person("mallory", Role::Admin).await;
    let bob = world.person("bob", Role::Admin).await;
    let set = |token: &str, name: &str| {
        let body = json!({"environment": "production", "name": name, "value": format!("{name}!")});
        world.ask(Ask::post("/api/v1/secrets/set", body.to_string()).token(token))
    };
    // One unit's: whichever way its name is written.
    for name in ["quarrel/key", "secret://quarrel/key"] {
        another_units(&set(&ada, name).await);
    }
    assert_eq!(set(&mallory, "quarrel/key").await.status, 200);
    assert_eq!(set(&ada, "spare").await.status, 200, "nothing uses it: nobody's");
    let list = "/api/v1/secrets";
    assert_eq!(all_of(&get(&world, &ada, list).await, "name"), ["spare"]);
    assert_eq!(all_of(&get(&world, &mallory, list).await, "name"), ["quarrel/key", "spare"]);
    // Both integrations use this connection: each unit sees it, and neither changes it alone.
    let link = |token: &str| {
        let body = json!({"environment": "production", "name": "crm"});
        world.ask(Ask::post("/api/v1/connections/link", body.to_string()).token(token))
    };
    assert_eq!(link(&bob).await.status, 200, "the whole organisation's");
    for token in [&ada, &mallory] {
        assert_eq!(get(&world, token, "/api/v1/connections/production/crm").await.status, 200);
        another_units(&link(token).await);
    }
    assert_eq!(all_of(&get(&world, &mallory, "/api/v1/connections").await, "name"), ["crm"]);
    // What was decided on a secret stands in the ledger under its name, which is no integration's.
    let rows =
        get(&world, &ada, "/api/v1/ledger?environment=production&integration=quarrel/key").await;
    assert!(rows.status == 400 || all_of(&rows, "seq").is_empty(), "{}", rows.status);
    let rows = get(&world, &mallory, "/api/v1/ledger?environment=production&integration=crm").await;
    assert_eq!(all_of(&rows, "seq"), [] as [Value; 0]);
    // The vault as a whole is nobody's part.
    another_units(
        &get(&world, &world.unbound("mallory", Role::Admin).await, "/api/v1/vault").await,
    );
    assert_eq!(
        get(&world, &world.unbound("bob", Role::Admin).await, "/api/v1/vault").await.status,
        200
    );
}

#[tokio::test]
async fn a_release_belongs_to_its_integration_and_before_that_to_who_stored_it() {
    let world = two_units(&[]).await;
    let mallory = world.person("mallory", Role::Admin).await;
    let ada = world.person("ada", Role::Admin).await;
    let store = |token: &str, integration: &str| {
        let body = json!({"integration": integration, "files": {"first": "MQ=="}});
        world.ask(Ask::post("/api/v1/releases", body.to_string()).token(token))
    };
    another_units(&store(&ada, "quarrel").await);
    let fresh = store(&mallory, "intrigue").await.json();
    let path = format!("/api/v1/releases/{}", fresh["release"].as_str().unwrap());
    for path in [path.clone(), format!("{path}/files")] {
        assert_eq!(get(&world, &mallory, &path).await.status, 200);
        another_units(&get(&world, &ada, &path).await);
    }
    let list = "/api/v1/releases";
    assert_eq!(all_of(&get(&world, &ada, list).await, "integration"), ["doors"]);
    let theirs = all_of(&get(&world, &mallory, list).await, "integration");
    assert_eq!(theirs, ["intrigue", "quarrel"]);
}

#[tokio::test]
async fn who_is_asked_answers_whosever_integration_asks() {
    let world = two_units(&[]).await;
    let run = world.ask(Ask::post("/in/production/quarrel/json", r#"{"mode":"ask"}"#)).await.run();
    world.until(&run, "waiting").await;
    let theirs = world.send("json", r#"{"mode":"ask"}"#).await.run();
    world.until(&theirs, "waiting").await;
    let ada = world.person("ada", Role::Approver).await;
    let mallory = world.person("mallory", Role::Approver).await;
    let of_ada = get(&world, &ada, "/api/v1/tasks").await;
    assert_eq!(all_of(&of_ada, "run"), [json!(run), json!(theirs)], "the rivals' asks her");
    let of_mallory = get(&world, &mallory, "/api/v1/tasks").await;
    assert_eq!(all_of(&of_mallory, "run"), [json!(run)]);
    let ids = all_of(&of_ada, "id");
    let path = |n: usize| format!("/api/v1/tasks/{}", ids[n].as_str().unwrap());
    let shown = get(&world, &ada, &path(0)).await.json();
    let yes = json!({"decision": "approved", "reason": "fits", "hash": shown["hash"]});
    let decide = |n: usize, token: &str| {
        world.ask(Ask::post(&format!("{}/decide", path(n)), yes.to_string()).token(token))
    };
    another_units(&get(&world, &mallory, &path(1)).await);
    another_units(&decide(1, &mallory).await);
    assert_eq!(decide(0, &ada).await.status, 200);
}

#[tokio::test]
async fn a_persons_data_are_handed_out_and_erased_for_the_whole_environment_only() {
    let world = two_units(&[]).await;
    let body = |place: &str| json!({"environment": place, "tenant": "default", "subject": "ada@x.test", "reason": "GDPR 7"});
    let export = |token: String, place: &'static str| {
        let ask = Ask::post("/api/v1/subjects/export", body(place).to_string()).token(&token);
        let world = &world;
        async move { world.ask(ask).await }
    };
    another_units(&export(world.unbound("ada", Role::Operator).await, "production").await);
    // In the sandbox there is nothing but the desk's.
    assert_eq!(export(world.unbound("ada", Role::Operator).await, "sandbox").await.status, 200);
    let bob = export(world.unbound("bob", Role::Operator).await, "production").await;
    assert!(bob.problem(403, "QC-A005")["detail"].as_str().unwrap().contains("grant"));
}

#[tokio::test]
async fn a_key_is_of_the_unit_of_the_team_that_owns_it() {
    let world = two_units(&[]).await;
    world.send("json", "{}").await.run();
    let runs = "/api/v1/runs?integration=doors";
    for (owner, sees) in [("desk-team", true), ("ada", true), ("rivals", false), ("nobody", true)] {
        let (_, token) = world.key_of(owner, Role::Auditor).await;
        let reply = get(&world, &token, runs).await;
        if sees { assert_eq!(reply.status, 200, "{owner}") } else { another_units(&reply) }
    }
    // Whoever has a key's text acts in its units: a unit's administrator makes and rotates no other unit's.
    let mallory = world.unbound("mallory", Role::Admin).await;
    let (of_desk, _) = world.key_of("desk-team", Role::Auditor).await;
    let (of_all, _) = world.key_of("nobody", Role::Auditor).await;
    let (own, _) = world.key_of("rivals", Role::Auditor).await;
    for (id, may) in [(&of_desk, false), (&of_all, false), (&own, true)] {
        let rotate = Ask::post(&format!("/api/v1/tokens/{id}/rotate"), "{}").token(&mallory);
        let reply = world.ask(rotate).await;
        if may { assert_eq!(reply.status, 201) } else { another_units(&reply) }
    }
    let make = |token: &str, more: Value| {
        let mut body = json!({"name": "k", "role": "auditor"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.ask(Ask::post("/api/v1/tokens", body.to_string()).token(token))
    };
    for more in [json!({"owner": "desk-team"}), json!({"person": "ada"}), json!({"owner": "who"})] {
        another_units(&make(&mallory, more).await);
    }
    let made = make(&mallory, json!({})).await;
    assert_eq!((made.status, &made.json()["token"]["owner"]), (201, &json!("mallory")));
    // A service that makes one answers for it as its own owner does.
    let (_, service) = world.key_of("rivals", Role::Admin).await;
    assert_eq!(make(&service, json!({})).await.json()["token"]["owner"], "rivals");
    let listed = all_of(&get(&world, &mallory, "/api/v1/tokens").await, "owner");
    assert!(
        listed.iter().all(|owner| ["rivals", "mallory", "team"].contains(&owner.as_str().unwrap())
            || owner == "desk-team"),
        "{listed:?}"
    );
    assert!(
        !listed.contains(&json!("desk-team")) && listed.contains(&json!("rivals")),
        "{listed:?}"
    );
}

/// Asks for a deployment of a release that the owner of the machine has stored.
async fn deploy(world: &World, token: &str, integration: &str, files: &[String]) -> Reply {
    let files: serde_json::Map<String, Value> =
        files.iter().map(|name| (name.clone(), json!("MQ=="))).collect();
    let body = json!({"integration": integration, "files": files});
    let stored = Ask::post("/api/v1/releases", body.to_string()).token(&world.owner);
    let release = world.ask(stored).await.json()["release"].clone();
    let path = format!("/api/v1/deployments/production/{integration}");
    world.ask(Ask::post(&path, json!({"release": release}).to_string()).token(token)).await
}

#[tokio::test]
async fn who_deploys_gets_no_more_by_it_than_he_has() {
    let world = two_units(&["quarrel/key"]).await;
    let ada = world.unbound("ada", Role::Deployer).await;
    let mallory = world.unbound("mallory", Role::Deployer).await;
    let told = |reply: &Reply| reply.problem(403, "QC-A005")["detail"].as_str().unwrap().to_owned();
    // Into another unit.
    let theirs = [named(UNIT, "desk")];
    let reply = deploy(&world, &mallory, "quarrel", &theirs).await;
    assert!(told(&reply).contains("belongs to the unit `desk`"), "{}", told(&reply));
    // With another unit's secret, until somebody of both or of none shares it.
    let taking = [named(NEEDS, "quarrel/key")];
    let reply = deploy(&world, &ada, "doors", &taking).await;
    assert!(
        told(&reply).contains("secret://quarrel/key, which is another unit's"),
        "{}",
        told(&reply)
    );
    assert_eq!(deploy(&world, &world.owner, "doors", &taking).await.status, 200);
    assert_eq!(deploy(&world, &ada, "doors", &taking).await.status, 200, "it is shared now");
    // Out of every unit, which would be the whole organisation's.
    let alone = [named(UNIT, "rival"), ALONE.to_owned()];
    world.also("doors", &[ALONE]).await;
    let reply = deploy(&world, &mallory, "quarrel", &alone).await;
    assert!(told(&reply).contains("of other units than now"), "{}", told(&reply));
    // Nor back to one that is so.
    world.also("quarrel", &[&alone[0], &alone[1]]).await;
    world.also("doors", &["first"]).await;
    world.also("quarrel", &[&alone[0]]).await;
    let mallory = world.unbound("mallory", Role::Operator).await;
    let back = Ask::post("/api/v1/deployments/production/quarrel/rollback", "").token(&mallory);
    let reply = world.ask(back).await;
    assert!(told(&reply).contains("of other units than now"), "{}", told(&reply));
}

#[tokio::test]
async fn a_unit_says_itself_who_is_of_it() {
    let world = two_units(&[]).await;
    let mallory = world.unbound("mallory", Role::Auditor).await;
    let sees = async |path: &str| get(&world, &mallory, path).await.status;
    let (desk, own) = ("/api/v1/runs?integration=doors", "/api/v1/runs?integration=quarrel");
    // The rivals' release has her in the team of the desk: that does not count.
    world.also("quarrel", &[&named(UNIT, "rival"), &named(MEMBER, "mallory")]).await;
    assert_eq!((sees(desk).await, sees(own).await), (403, 200));
    // The desk's has.
    world.also("doors", &[&named(MEMBER, "mallory")]).await;
    assert_eq!((sees(desk).await, sees(own).await), (200, 200));
    // Of whom a unit no longer says so, and others still do, is not the whole organisation's.
    world.also("quarrel", &[&named(UNIT, "rival"), ALONE]).await;
    world.also("doors", &["first"]).await;
    assert_eq!((sees(desk).await, sees(own).await), (403, 403));
}
