//! What happens to connections beside calls: news, probes, ends, waivers.

use qc_model::{Code, Failure};
use qc_store::{LedgerFilter, LedgerKind};

use super::*;
use crate::{Heard, Waiver, codes};

async fn news(node: &Connections, seen: &mut Seen) -> usize {
    node.news(seen).await.unwrap().len()
}

#[tokio::test]
async fn every_node_hears_once_that_a_connection_works_again() {
    let world = World::new();
    let (a, b) = (world.node("a").await, world.node("b").await);
    let (mut of_a, mut of_b) = (Seen::default(), Seen::default());
    token(&a, STRICT).await.unwrap();
    assert_eq!((news(&a, &mut of_a).await, news(&b, &mut of_b).await), (1, 1));
    // A renewal in time is none.
    world.pass(900);
    token(&a, STRICT).await.unwrap();
    a.settle(WAIT).await;
    assert_eq!((record(&a).await.generation, news(&b, &mut of_b).await), (2, 0));
    // One after an outage is, and so is one that somebody asked for.
    world.pass(2000);
    world.provider.moods([Mood::Unreachable]);
    token(&a, STRICT).await.unwrap_err();
    assert_eq!(news(&b, &mut of_b).await, 0);
    world.pass(600);
    token(&a, STRICT).await.unwrap();
    assert_eq!((news(&b, &mut of_b).await, news(&b, &mut of_b).await), (1, 0));
    a.rotate(grant(STRICT), &Actor::platform("test"), WAIT).await.unwrap();
    assert_eq!(news(&b, &mut of_b).await, 1);
    // Who begins later hears what is recent, and no more.
    assert_eq!(news(&b, &mut Seen::default()).await, 1);
    world.pass(21 * 60);
    assert_eq!(news(&b, &mut Seen::default()).await, 0);
}

#[tokio::test]
async fn a_refresh_token_that_somebody_brings_is_taken_without_a_call() {
    let world = World::new();
    let node = world.node("a").await;
    token(&node, STRICT).await.unwrap();
    world.pass(2000);
    world.provider.moods([Mood::Says(400, "invalid_grant")]);
    assert_eq!(token(&node, STRICT).await.unwrap_err(), "QC-N301 OnEvent");
    node.tend(grant(STRICT), WAIT).await.unwrap();
    assert_eq!(record(&node).await.state.as_str(), "reauth_required");
    let mut seen = Seen::default();
    news(&node, &mut seen).await;
    world.provider.inner.lock().unwrap().current = Some("brought".to_owned());
    let kind = GrantKind::RefreshToken { seed: Secret::new("brought") };
    node.tend(Grant { kind, ..grant(STRICT) }, WAIT).await.unwrap();
    assert_eq!(record(&node).await.state, State::Active);
    assert_eq!(news(&node, &mut seen).await, 1);
}

const EVERY: Duration = Duration::from_secs(60);

async fn probe(node: &Connections, answer: Result<(), (Class, &'static str)>) -> &'static str {
    let turn = node.probe_turn(&id(), EVERY).await.unwrap().expect("nobody asked just now");
    let answer = answer.map_err(|(class, code)| Failure::new(class, Code::new(code), "no", "no"));
    node.probed(&id(), turn, &answer, Duration::from_millis(5)).await.unwrap();
    record(node).await.state.as_str()
}

#[tokio::test]
async fn what_a_probe_hears_goes_into_the_state_and_one_node_asks() {
    let world = World::new();
    let (a, b) = (world.node("a").await, world.node("b").await);
    token(&a, STRICT).await.unwrap();
    assert_eq!(probe(&a, Ok(())).await, "active");
    assert!(b.probe_turn(&id(), EVERY).await.unwrap().is_none(), "a asked just now");
    world.pass(60);
    // Both look before either has written.
    let id = id();
    let turns = tokio::join!(a.probe_turn(&id, EVERY), b.probe_turn(&id, EVERY));
    assert_eq!([turns.0.unwrap(), turns.1.unwrap()].iter().flatten().count(), 1);
    world.pass(60);
    assert_eq!(probe(&a, Err((Class::Auth, "QC-N009"))).await, "degraded");
    let State::Degraded { trouble: Trouble::Refused, .. } = record(&a).await.state else {
        panic!()
    };
    // It is used all the same: other operations may be allowed.
    assert_eq!(token(&a, STRICT).await.unwrap(), "access-1");
    let mut seen = Seen::default();
    news(&a, &mut seen).await;
    world.pass(60);
    assert_eq!(probe(&b, Ok(())).await, "active");
    assert_eq!(news(&a, &mut seen).await, 1, "what was parked may go on");
    for expected in ["active", "active", "degraded"] {
        world.pass(60);
        assert_eq!(probe(&a, Err((Class::Transient, "QC-N001"))).await, expected);
    }
    // No token to ask with says nothing of the system.
    world.pass(60);
    assert_eq!(probe(&a, Err((Class::Transient, "QC-N305"))).await, "degraded");
    assert_eq!(a.health(&id).await.unwrap().unwrap().heard, None);
    world.pass(60);
    assert_eq!(probe(&a, Err((Class::NotFound, "QC-N001"))).await, "active");
    assert_eq!(a.health(&id).await.unwrap().unwrap().heard, Some(Heard::Well));
}

async fn told(world: &World) -> usize {
    let filter = LedgerFilter { kinds: vec![LedgerKind::Decision], ..LedgerFilter::default() };
    let rows = world.store.ledger(&filter).await.unwrap();
    rows.iter().filter(|one| one.row.code.as_deref() == Some(codes::ENDS_SOON.as_str())).count()
}

#[tokio::test]
async fn an_end_that_nothing_renews_is_told_of_once_over_all_nodes() {
    const DAY: u64 = 24 * 3600;
    let world = World::new();
    let (a, b) = (world.node("a").await, world.node("b").await);
    world.provider.inner.lock().unwrap().refresh_life = Some(20 * DAY);
    token(&a, Rotation::Fixed).await.unwrap();
    let end = record(&a).await.ends_at.unwrap();
    assert_eq!(end, Timestamp::from_millis(NOW) + Duration::from_secs(20 * DAY));
    a.tell_of_end(&record(&a).await).await.unwrap();
    assert_eq!((record(&a).await.ends_soon(a.now()), told(&world).await), (None, 0));
    world.pass(7 * DAY);
    // What a node has read may be old.
    let read = record(&a).await;
    for node in [&a, &b, &a] {
        node.tell_of_end(&read).await.unwrap();
    }
    assert_eq!((record(&a).await.ends_soon(a.now()), told(&world).await), (Some(end), 1));
}

#[tokio::test]
async fn a_refresh_token_that_is_replaced_ends_only_with_its_family() {
    let world = World::new();
    let node = world.node("a").await;
    let refreshed = async |life: u64| {
        world.provider.inner.lock().unwrap().refresh_life = Some(life);
        token(&node, STRICT).await.unwrap();
        record(&node).await.ends_at
    };
    assert_eq!(refreshed(10_000).await, None);
    world.pass(2000);
    assert_eq!(refreshed(10_000).await, None, "it lives anew");
    world.pass(2000);
    assert!(refreshed(8_000).await.is_some(), "the same end as before");
}

#[tokio::test]
async fn a_waiver_counts_until_its_date() {
    let world = World::new();
    let node = world.node("a").await;
    world.provider.inner.lock().unwrap().scope = Some("read write".to_owned());
    let id = ConnectionId { environment: "production".parse().unwrap(), ..id() };
    let grant = Grant { id, ..grant(STRICT) };
    let until = Timestamp::from_millis(NOW) + Duration::from_secs(500);
    let waiver = Waiver { reason: "the vendor has one scope".to_owned(), until };
    let asked = async |waiver: Option<&Waiver>| {
        let access = node.access(grant.clone(), Need { scopes: &[], waiver }, WAIT).await;
        access.map_err(|failure| failure.code.to_string()).err()
    };
    assert_eq!(asked(None).await.as_deref(), Some("QC-N307"));
    assert_eq!(asked(Some(&waiver)).await, None);
    world.pass(500);
    assert_eq!(asked(Some(&waiver)).await.as_deref(), Some("QC-N307"));
}

#[tokio::test]
async fn the_token_before_is_tried_within_its_overlap_only() {
    let world = World::new();
    let node = world.node("a").await;
    token(&node, STRICT).await.unwrap();
    world.pass(900);
    token(&node, STRICT).await.unwrap();
    node.settle(WAIT).await;
    let second = node.access(grant(STRICT), NEED, WAIT).await.unwrap();
    assert_eq!(second.token.expose(), "access-2");
    world.pass(61);
    let third = node.renewed_access(grant(STRICT), &second, WAIT).await.unwrap().unwrap();
    assert_eq!((third.token.expose(), third.previous), ("access-3", false));
}

#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_hangs_holds_nobody_for_longer_than_its_time() {
    for (rotation, after) in [(STRICT, "suspect"), (Rotation::Fixed, "degraded")] {
        let world = World::new();
        let node = world.node("a").await;
        token(&node, rotation).await.unwrap();
        // While the token lives nobody waits at all.
        world.pass(900);
        world.provider.moods([Mood::Hangs]);
        let began = tokio::time::Instant::now();
        assert_eq!(token(&node, rotation).await.unwrap(), "access-1");
        assert!(began.elapsed() < Duration::from_secs(1));
        // A call that needs a new one waits for as long as it has, and the request for as long as its lease allows.
        world.pass(200);
        let short = Duration::from_secs(3);
        let failure = node.access(grant(rotation), NEED, short).await.unwrap_err();
        assert_eq!((failure.code.as_str(), failure.class), ("QC-N305", Class::Timeout));
        node.settle(Duration::from_secs(60)).await;
        assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
        assert_eq!(record(&node).await.state.as_str(), after);
    }
}
