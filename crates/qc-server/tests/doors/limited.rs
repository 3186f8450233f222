//! Limits at the doors: all or nothing over a batch, what is refused for another reason, and limits that change.

use std::time::Duration;

use qc_limit::{Excess, Measure, Quota, Rule, Scope};
use serde_json::json;

use crate::{
    client::Ask,
    world::{World, door},
};

/// Releases with this file have limits.
pub(crate) const LIMITED: &str = "limited";

/// Releases with this file have what is too much wait.
pub(crate) const QUEUED: &str = "queued";
/// Releases with this file have it done in a lesser way.
pub(crate) const DEGRADED: &str = "degraded";

/// The limits of a release with such files.
pub(crate) fn limits(has: impl Fn(&str) -> bool) -> Vec<Rule> {
    let hour = |count| Measure::Rate(Quota::new(count, Duration::from_secs(3600), None).unwrap());
    let whole = |measure, excess| Rule {
        name: "whole".to_owned(),
        scope: Scope::Integration,
        measure,
        protects: "the doors".to_owned(),
        owner: None,
        excess,
    };
    if has(QUEUED) {
        let ttl = Duration::from_secs(2 * 3600);
        return vec![whole(hour(1), Excess::Queue { most: 3, ttl })];
    }
    if has(DEGRADED) {
        let open = Rule {
            name: "open".to_owned(),
            ..whole(Measure::AtOnce(1_000), Excess::Degrade(Measure::AtOnce(2_000)))
        };
        return vec![whole(hour(1), Excess::Degrade(hour(2))), open];
    }
    let limited = has(LIMITED);
    let rule = |name: &str, scope, count| Rule {
        name: name.to_owned(),
        scope,
        measure: Measure::Rate(Quota::new(count, Duration::from_secs(3600), None).unwrap()),
        protects: "the doors".to_owned(),
        owner: None,
        excess: Excess::Reject,
    };
    if limited {
        vec![rule("whole", Scope::Integration, 6), rule("each", Scope::Tenant, 4)]
    } else {
        Vec::new()
    }
}

async fn with(file: &str) -> World {
    let world = World::new().await;
    world.redeploy(file).await;
    world
}

async fn limited() -> World {
    with(LIMITED).await
}

fn batch(ids: std::ops::Range<usize>) -> Ask {
    let events: Vec<_> = ids
        .map(|id| json!({"specversion": "1.0", "id": id.to_string(), "source": "/t", "type": "t"}))
        .collect();
    Ask::post(&door("events"), json!(events).to_string())
        .with("content-type", "application/cloudevents-batch+json")
}

fn left(reply: &crate::client::Reply) -> String {
    reply.header("ratelimit").unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_batch_comes_in_whole_or_not_at_all() {
    let world = limited().await;
    let taken = world.ask(batch(0..3)).await;
    assert_eq!(taken.status, 202);
    assert!(
        left(&taken).starts_with("\"whole\";r=3;t=600, \"each\";r=1;t=900"),
        "{}",
        left(&taken)
    );
    let refused = world.ask(batch(3..5)).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["violated-policies"], json!(["each"]));
    assert_eq!(world.runs().await, 3, "none of them came in");
    // One that is on disk already does not count, so the new one beside it fits.
    let mixed = world.ask(batch(2..4)).await;
    assert_eq!(mixed.status, 202, "{}", mixed.json());
    let replayed: Vec<_> = mixed.json()["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["replayed"].clone())
        .collect();
    assert_eq!(replayed, [json!(true), json!(false)]);
    // More than there ever is: no wait helps.
    let large = world.ask(batch(10..15)).await;
    assert_eq!((large.status, large.header("retry-after")), (413, None));
    assert!(large.json()["detail"].as_str().unwrap().contains("`each` never has more than 4"));
}

#[tokio::test]
async fn a_dearer_event_takes_more() {
    let world = limited().await;
    let dear = world.send("small", "{}").await;
    assert_eq!(dear.status, 202);
    assert!(left(&dear).contains("\"each\";r=2"), "{}", left(&dear));
    assert!(left(&world.send("json", "{}").await).contains("\"each\";r=1"));
    let refused = world.send("small", "{}").await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, Some("900")),
        "one more unit"
    );
    assert_eq!(world.send("json", "{}").await.status, 202, "what is cheaper still comes in");
}

#[tokio::test]
async fn repeats_are_given_back_and_what_breaks_a_contract_is_not() {
    let world = limited().await;
    let send = |reason: &str| {
        Ask::post(&door("keyed"), json!({"id": reason, "reason": reason}).to_string())
    };
    assert_eq!(world.ask(send("a")).await.status, 202);
    for _ in 0..10 {
        let again = world.ask(send("a")).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert!(left(&again).contains("\"each\";r=3"), "{}", left(&again));
    }
    // What is refused by its contract took a unit: else nothing would hold who sends nonsense.
    for remaining in [2, 1, 0] {
        let broken = world.send("contract", r#"{"reason":7}"#).await;
        assert_eq!(broken.status, 422);
        assert!(left(&broken).contains(&format!("\"each\";r={remaining}")), "{}", left(&broken));
    }
    assert_eq!(world.send("contract", r#"{"reason":7}"#).await.status, 429, "before the contract");
    // Another tenant has a quota of its own, of what is left of the whole.
    let other = world.send("tenant", r#"{"tenant":"other"}"#).await;
    assert_eq!(other.status, 202);
    assert!(left(&other).contains("\"whole\";r=1"), "{}", left(&other));
}

/// Who comes far too often is the one who is near: what was refused of him counts.
#[tokio::test]
async fn who_is_refused_is_near() {
    let world = limited().await;
    let mut refused = 0;
    for nth in 0..40 {
        let reply = world.send("json", &json!({ "nth": nth }).to_string()).await;
        refused += usize::from(reply.status == 429);
    }
    assert!(refused >= 30, "{refused}");
    let near = world.ask(Ask::get("/api/v1/limits/near").token(&world.owner)).await.json();
    let first = &near["items"][0];
    // Forty in a moment are 0.92 a second over the time that counts; those that came in alone would be a tenth of it.
    assert!(first["pace"].as_f64().unwrap() > 0.4, "{near}");
    assert!(first["exhausted_in"].as_f64().unwrap() < 20.0, "{near}");
}

#[tokio::test]
async fn explaining_takes_nothing_and_knows_what_it_needs() {
    let world = limited().await;
    let get = |query: &str| Ask::get(&format!("/api/v1/limits?{query}")).token(&world.owner);
    let place = "environment=production&integration=doors";
    for _ in 0..2 {
        let explained = world.ask(get(&format!("{place}&trigger=json"))).await.json();
        let standing = &explained["items"][1]["standing"];
        assert_eq!((&standing["who"], &standing["remaining"]), (&json!("default"), &json!(4)));
    }
    let unknown = world.ask(get(&format!("{place}&trigger=nobody"))).await;
    unknown.problem(404, "QC-I033");
    for wrong in ["trigger=json&environment=production", "environment=production&tenant=a"] {
        world.ask(get(wrong)).await.problem(400, "QC-A013");
    }
    let document = world.ask(Ask::get("/api/v1/openapi.json").token(&world.owner)).await.json();
    let told = &document["x-quickconnect-limits"];
    assert_eq!(told["excess"]["code"], "QC-I060");
    assert_eq!(
        (&told["limits"][0]["name"], &told["limits"][0]["quota"]),
        (&json!("each"), &json!(4))
    );
    // The trigger finds the tenant in the event.
    world.ask(get(&format!("{place}&trigger=tenant"))).await.problem(400, "QC-A013");
    let other = world.ask(get(&format!("{place}&trigger=tenant&tenant=other"))).await.json();
    assert_eq!(other["items"][1]["standing"]["who"], "other");
}

/// What is declared of the trigger `small`: ten events in a minute, and two at once besides.
pub(crate) const TRAFFIC: qc_engine::Traffic =
    qc_engine::Traffic { average: None, peak: Some(1.0 / 6.0), peak_lasts: None, burst: 2 };

#[tokio::test]
async fn more_than_is_declared_is_found_and_nothing_is_refused() {
    let world = World::new().await;
    let traffic = async || {
        let answer = world
            .ask(Ask::get("/api/v1/limits/traffic?environment=production").token(&world.owner))
            .await;
        assert_eq!(answer.status, 200);
        let all = answer.json()["items"].as_array().unwrap().clone();
        assert_eq!(all.len(), 1, "of one trigger it is declared");
        all[0].clone()
    };
    let at = |moment: &str| world.clock.to(&format!("2031-01-{moment}"));
    let come = async |events: usize| {
        for nth in 0..events {
            let body = format!("{{\"nth\": {nth}}}");
            assert_eq!(world.send("small", &body).await.status, 202);
        }
    };
    at("01T10:00:05Z");
    come(12).await;
    at("01T10:01:05Z");
    let seen = traffic().await;
    assert_eq!((&seen["trigger"], &seen["minute"]), (&json!("small"), &json!(12)));
    assert_eq!(seen.get("findings"), None, "it is as much as is declared");

    come(13).await;
    at("01T10:02:05Z");
    let seen = traffic().await;
    let found = &seen["findings"][0];
    assert_eq!((&found["code"], &found["above"]), (&json!("QC-I070"), &json!("peak")));
    assert_eq!((&found["seen"], &found["declared"]), (&json!(13), &json!(12)));
    let open = async || {
        let metrics = world.ask(Ask::get("/metrics").token(&world.owner)).await;
        let metrics = String::from_utf8(metrics.body).unwrap();
        metrics
            .lines()
            .find_map(|line| line.strip_prefix("qc_traffic_findings "))
            .map(str::to_owned)
    };
    assert_eq!(open().await.as_deref(), Some("0"), "it is looked at once a minute");
    world.state.settle_traffic().await;
    assert_eq!(open().await.as_deref(), Some("1"));

    // It stays open for a week, whatever comes meanwhile.
    at("07T10:00:00Z");
    assert_eq!(traffic().await["findings"][0]["seen"], json!(13));
    at("09T10:00:00Z");
    assert_eq!(traffic().await.get("findings"), None);
}

#[tokio::test]
async fn what_is_too_much_waits_for_its_units_and_hears_when_it_begins() {
    let world = with(QUEUED).await;
    let first = world.send("json", "{}").await;
    assert_eq!((first.status, first.json().get("begins_at")), (202, None));
    let mut begins = Vec::new();
    for waiting in 1..=2_u64 {
        let queued = world.send("json", &json!({ "nth": waiting }).to_string()).await;
        assert_eq!(queued.status, 202);
        let told = queued.json();
        assert_eq!(told["queued_by"], "whole");
        begins.push(told["begins_at"].as_str().unwrap().to_owned());
        assert!(left(&queued).starts_with("\"whole\";r=0;t="), "{}", left(&queued));
        let run = told["run"].as_str().unwrap();
        let view =
            world.ask(Ask::get(&format!("/api/v1/runs/{run}")).token(&world.owner)).await.json();
        assert_eq!(view["status"], "waiting");
        let place = "environment=production&integration=doors&trigger=json";
        let explained = Ask::get(&format!("/api/v1/limits?{place}")).token(&world.owner);
        let explained = world.ask(explained).await.json();
        let limit = &explained["items"][0];
        assert_eq!((&limit["on_excess"], &limit["queue"]["max"]), (&json!("queue"), &json!(3)));
        assert_eq!(limit["standing"]["waiting"], waiting);
    }
    assert!(begins.is_sorted(), "{begins:?}");
    // A third would wait for three hours, longer than it may.
    let refused = world.send("json", r#"{"nth": 3}"#).await;
    assert_eq!((refused.status, &refused.json()["code"]), (429, &json!("QC-I060")));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((3_590..=3_600).contains(&wait), "then its wait is short enough: {wait}");
    // What is published only has no run that could wait.
    assert_eq!(world.send("published", "{}").await.status, 429);
    // A repeat of one that waits is that one.
    let keyed = || Ask::post(&door("keyed"), json!({"id": "a", "reason": "r"}).to_string());
    let world = with(QUEUED).await;
    world.send("json", "{}").await;
    let queued = world.ask(keyed()).await.json();
    assert!(queued.get("begins_at").is_some());
    let again = world.ask(keyed()).await;
    assert_eq!(
        (again.header("idempotency-replayed"), &again.json()["run"]),
        (Some("true"), &queued["run"])
    );
    assert_eq!(again.json().get("begins_at"), None, "when the first one begins its run says");
    let metrics = world.ask(Ask::get("/metrics").token(&world.owner)).await;
    let metrics = String::from_utf8(metrics.body).unwrap();
    assert!(metrics.contains("qc_events_queued_total 1\n"), "{metrics}");
}

#[tokio::test]
async fn what_is_too_much_is_done_in_a_lesser_way_and_of_that_too_there_is_only_so_much() {
    let world = with(DEGRADED).await;
    let send = async |nth: u64| world.send("json", &json!({ "nth": nth }).to_string()).await;
    assert_eq!(send(0).await.json().get("degraded"), None);
    for nth in 1..=2 {
        let lesser = send(nth).await;
        assert_eq!((lesser.status, &lesser.json()["degraded"]), (202, &json!(true)));
    }
    let refused = send(3).await;
    assert_eq!((refused.status, &refused.json()["code"]), (429, &json!("QC-I060")));
    let keyed = |id: &str| Ask::post(&door("keyed"), json!({"id": id, "reason": id}).to_string());
    let world = with(DEGRADED).await;
    let first = world.ask(keyed("a")).await.json();
    for _ in 0..4 {
        let again = world.ask(keyed("a")).await;
        assert_eq!(
            (again.status, &again.json()["run"]),
            (202, &first["run"]),
            "a repeat is answered"
        );
        assert_eq!(again.json().get("degraded"), None, "as what it is");
    }
    // And counts nowhere: both of the lesser way are there.
    for lesser in ["b", "c"] {
        assert_eq!(world.ask(keyed(lesser)).await.json()["degraded"], true);
    }
    assert_eq!(world.ask(keyed("d")).await.status, 429);
    assert_eq!(world.ask(keyed("c")).await.status, 202, "what is on disk is answered");
    assert_eq!(world.ask(keyed("d")).await.status, 429, "and gives nobody a unit");
    world.redeploy(QUEUED).await;
    assert!(world.ask(keyed("e")).await.json().get("begins_at").is_some());
    world.redeploy(DEGRADED).await;
    assert_eq!(world.ask(keyed("f")).await.json()["degraded"], true);
}
