//! When there is too much to do: refused before anything is written, with the moment to come back.

use qc_engine::{AdmissionLimits, EngineSettings};
use qc_server::ServerSettings;
use qc_store::{RunFilter, Store};

use crate::{
    client::Ask,
    world::{World, door},
};

const SLOW: &str = r#"{"mode":"slow"}"#;

async fn small() -> World {
    let admission = AdmissionLimits { tenant_runs: 1, ..AdmissionLimits::default() };
    let engine = EngineSettings { admission, ..EngineSettings::default() };
    World::with_engine(ServerSettings::default(), engine).await
}

#[tokio::test]
async fn a_tenant_over_its_quota_hears_when_to_come_back_and_nothing_is_written() {
    let world = small().await;
    assert_eq!(world.send("json", SLOW).await.status, 202);
    let refused = world.send("json", SLOW).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), Some("10"));
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    let problem = refused.json();
    assert_eq!(
        (problem["code"].as_str(), problem["retry_after"].as_u64()),
        (Some("QC-I039"), Some(10))
    );
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("`default` has 1 open runs") && detail.ends_with("nothing was accepted")
    );
    assert_eq!(world.store.runs(&RunFilter::default()).await.unwrap().len(), 1);
    // Others have quotas of their own.
    let other = world.send("tenant", r#"{"tenant":"other","mode":"slow"}"#).await;
    assert_eq!(other.status, 202);
    let metrics = world.ask(Ask::get("/metrics").token(&world.owner)).await;
    let metrics = String::from_utf8(metrics.body).unwrap();
    assert!(metrics.contains("qc_events_busy_total 1"), "{metrics}");
}

#[tokio::test]
async fn the_sender_may_ask_for_low_priority() {
    let world = World::new().await;
    world.ask(Ask::post(&door("json"), SLOW).header("priority", "u=7, i")).await.run();
    world.ask(Ask::post(&door("json"), SLOW).header("priority", "u=1")).await.run();
    let runs = world.store.runs(&RunFilter::default()).await.unwrap();
    let low: Vec<bool> = runs.iter().map(|head| head.facts.priority.is_low()).collect();
    assert_eq!(low.iter().filter(|low| **low).count(), 1, "{low:?}");
    let listed = world.ask(Ask::get("/api/v1/runs").token(&world.owner)).await.json();
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.iter().filter(|run| run["priority"] == "low").count(), 1, "{listed}");
    assert_eq!(items.iter().filter(|run| run.get("priority").is_none()).count(), 1);
}
