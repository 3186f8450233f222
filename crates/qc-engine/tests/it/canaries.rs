//! An operation is asked on a schedule: a change of its answers is found without any traffic, by one node, once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use qc_connect::{call::Connectors, connector::Connector};
use qc_engine::{CanaryOutcome, CanaryStanding, Deployment, DriftFilter, DriftFinding};
use qc_store::{LedgerFilter, RunStatus, Store};
use serde_json::json;

use crate::{
    nodes::Hall,
    world::{Answer, Outside, World, deployment, ok},
};

const READ: &str = "- read: { call: desk.findMessages, with: { ref: '${ .order }' } }\n";

const OPENAPI: &str = "
openapi: 3.1.0
info: { title: Desk, version: 1.0.0 }
paths:
  /find:
    get:
      operationId: findMessages
      parameters: [ { name: ref, in: query, required: true, schema: { type: string } } ]
      responses:
        '200':
          description: ok
          content:
            application/json:
              schema:
                type: object
                required: [id, sum]
                properties: { id: { type: string }, sum: { type: number } }
";

const CONNECTOR: &str = "
name: desk
version: 1.0.0
title: A desk
owner: team-vendor
openapi: openapi.yaml
base_urls: { production: http://desk.test }
auth: { none: {} }
response_validation: enforce
operations:
  findMessages: { canary: { every: 1m, with: { ref: canary } } }
";

const EVERY: Duration = Duration::from_secs(60);
/// Within one turn, and the look that sees that it has come.
const A_TURN: Duration = Duration::from_secs(66);

fn release() -> Deployment {
    let mut one = deployment("r1", READ);
    let files = BTreeMap::from([
        ("connectors/desk/connector.yaml".to_owned(), CONNECTOR.to_owned()),
        ("connectors/desk/openapi.yaml".to_owned(), OPENAPI.to_owned()),
    ]);
    let (connector, findings) = Connector::load(&files, "connectors/desk");
    let connector = connector.unwrap_or_else(|| panic!("{findings:#?}"));
    let connectors = Arc::new(Connectors::new([connector], []));
    Arc::get_mut(&mut one.release).unwrap().connectors = connectors;
    one
}

fn watching(node: World) -> World {
    let engine = node.engine.clone();
    tokio::spawn(async move { engine.keep_canaries().await });
    node
}

async fn findings(world: &World) -> Vec<DriftFinding> {
    world.engine.drift_findings(&DriftFilter::default()).await.unwrap()
}

async fn standing(world: &World) -> CanaryStanding {
    let mut all = world.engine.drift_canaries(&DriftFilter::default()).await.unwrap();
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_changed_type_is_found_by_one_node_within_a_turn_and_without_traffic() {
    let outside = Outside::new(|path, nth| match (path, nth) {
        ("/find", 0..3) => ok(json!({"id": "c", "sum": 1.5, "new": "of somebody"})),
        _ => ok(json!({"id": "c", "sum": "of somebody"})),
    });
    let hall = Hall::of(vec![release()], outside.clone());
    let nodes = [watching(hall.node("a")), watching(hall.node("b")), watching(hall.node("c"))];
    hall.even(&[&nodes[0], &nodes[1], &nodes[2]], &[22, 21, 21]).await;
    while outside.requests("/find") < 3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(findings(&nodes[0]).await.is_empty(), "what is only more is no finding");
    let seen = nodes[0].engine.drift_seen(&DriftFilter::default()).await.unwrap();
    assert_eq!((seen.len(), seen[0].shapes[0].pointer.as_str()), (1, "/new"));
    assert_eq!(standing(&nodes[1]).await.outcome, Some(CanaryOutcome::Fits));
    // From now on the sum is a text, and nobody calls.
    tokio::time::sleep(A_TURN).await;
    let found = findings(&nodes[2]).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    let found = &found[0];
    assert_eq!((found.owner.as_deref(), found.count), (Some("team-vendor"), 1));
    assert_eq!((found.canaries, found.diff[0].pointer.as_str()), (1, "/sum"));
    // Three nodes ask as often as one would.
    tokio::time::sleep(EVERY * 10).await;
    let (asked, stands) = (outside.requests("/find"), standing(&nodes[0]).await);
    assert!((12..=15).contains(&asked), "{asked}");
    assert_eq!((stands.sent, stands.failed), (u64::try_from(asked).unwrap(), 0));
    assert_eq!(stands.outcome, Some(CanaryOutcome::Breaks { finding: found.id.clone() }));
    let counted: u64 = nodes.iter().map(|node| node.engine.gauges().drift_canaries).sum();
    assert_eq!(counted, stands.sent);
    // A run that meets it is parked for the same finding.
    let run = nodes[0].start(json!({"order": "o1"})).await;
    nodes[0].until(run, RunStatus::Parked).await;
    tokio::time::sleep(Duration::from_secs(31)).await;
    let again = findings(&nodes[1]).await;
    assert_eq!((again.len(), &again[0].id), (1, &found.id));
    assert!(again[0].canaries < again[0].count, "{again:#?}");
    assert_eq!(nodes[1].engine.drift_runs(found, 10).await.unwrap(), [run]);
    let filter = LedgerFilter { limit: 500, ..LedgerFilter::default() };
    let rows = hall.store.ledger(&filter).await.unwrap();
    let opened: Vec<_> = rows.iter().filter(|one| one.row.outcome == "drift_opened").collect();
    assert_eq!(opened.len(), 1);
    let facts = String::from_utf8_lossy(&opened[0].row.facts).into_owned();
    assert!(facts.contains(r#""seen_by":"canary""#) && !facts.contains("somebody"), "{facts}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_says_nothing_of_the_contract() {
    let outside = Outside::new(|_, nth| match nth {
        0 => Answer::Status(401, json!({"error": "who are you"})),
        1 => Answer::Status(500, json!({"sum": "a text"})),
        2 => Answer::Status(404, json!({"sum": "a text"})),
        3 => Answer::AppliedThenBroken,
        4 => Answer::Throttle(1),
        _ => ok(json!({"id": "c", "sum": 2})),
    });
    let hall = Hall::of(vec![release()], outside.clone());
    let world = watching(hall.node("a"));
    tokio::time::sleep(EVERY / 2).await;
    let first = standing(&world).await;
    let Some(CanaryOutcome::Failed { code, .. }) = &first.outcome else { panic!("{first:?}") };
    assert!(code.starts_with("QC-N"), "{code}");
    tokio::time::sleep(EVERY * 7).await;
    let stands = standing(&world).await;
    assert_eq!((stands.outcome, stands.failed), (Some(CanaryOutcome::Fits), 5));
    assert!(stands.sent > 5);
    assert_eq!(world.engine.gauges().drift_canaries_failed, 5);
    assert!(findings(&world).await.is_empty());
    assert_eq!(world.engine.gauges().parked, 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_where_the_environment_says_so_or_nobody_watches() {
    let outside = Outside::new(|_, _| ok(json!({"id": "c", "sum": "a text"})));
    let off = Deployment { canaries: false, ..release() };
    let off = watching(Hall::of(vec![off], outside.clone()).node("a"));
    let unwatched = Hall::of(vec![release()], outside.clone()).node("b");
    tokio::time::sleep(EVERY * 3).await;
    assert_eq!(outside.requests("/find"), 0);
    assert_eq!((standing(&off).await.next_at, standing(&off).await.last_at), (None, None));
    assert!(standing(&unwatched).await.next_at.is_some());
}
