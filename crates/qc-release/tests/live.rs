//! Releases and deployments on the store's executable model.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use qc_model::{Actor, Clock, EnvironmentName, Name, Seeded, Timestamp};
use qc_release::{
    Built, Bundle, Draft, Office, ReleaseError, current, deploy, deployments, history, load,
    load_effective, releases, rollback, save,
};
use qc_store::memory::MemoryStore;
use qc_store::{Change, CommitLimits, Committer, DocumentOp, Expect, LedgerFilter, Store};

struct Ticks(AtomicI64);
impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

struct World {
    store: Arc<MemoryStore>,
    committer: Committer,
    clock: Ticks,
    entropy: Seeded,
}

impl World {
    fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let shared: Arc<dyn Store> = store.clone();
        let (committer, commit_loop) = Committer::new(shared, CommitLimits::default());
        tokio::spawn(commit_loop);
        Self { store, committer, clock: Ticks(AtomicI64::new(1)), entropy: Seeded::new(1) }
    }

    fn office(&self) -> Office<'_> {
        Office {
            store: &*self.store,
            committer: &self.committer,
            clock: &self.clock,
            entropy: &self.entropy,
        }
    }
}

fn by(actor: &Actor) -> Built<'_> {
    Built { from: None, by: actor, units: &[] }
}

fn bundle(version: &str) -> Bundle {
    let big = format!("{{\"openapi\":\"3.1.0\",\"x\":\"{}\"}}", "operation ".repeat(50_000));
    Bundle::build(Draft {
        integration: Name::new("demo").expect("is legal"),
        version: version.to_owned(),
        connectors: [(Name::new("crm").expect("is legal"), "1.0.0".to_owned())].into(),
        files: [
            (
                "integrations/demo/integration.yaml".to_owned(),
                Bytes::from(format!("version: {version}\n")),
            ),
            ("connectors/crm/openapi.json".to_owned(), Bytes::from(big)),
            ("empty".to_owned(), Bytes::new()),
        ]
        .into(),
        derived: [(
            "connectors/crm/openapi.json".to_owned(),
            ("keep-used-operations".to_owned(), Bytes::from_static(b"{\"openapi\":\"3.1.0\"}")),
        )]
        .into(),
    })
    .expect("is legal")
}

fn actor() -> Actor {
    Actor::new(qc_model::ActorKind::Human, "ada")
}

#[tokio::test]
async fn a_release_comes_back_byte_for_byte() {
    let world = World::new();
    let built = bundle("1.0.0");
    assert_eq!(built.hash(), bundle("1.0.0").hash(), "the same files have the same hash");
    assert_ne!(built.hash(), bundle("1.0.1").hash());
    assert!(
        save(world.office(), &built, Built { from: Some("commit abc"), ..by(&actor()) })
            .await
            .unwrap()
    );
    assert!(!save(world.office(), &built, by(&actor())).await.unwrap(), "once is enough");
    let loaded = load(&*world.store, built.hash()).await.unwrap().unwrap();
    assert_eq!(loaded, built);
    assert_eq!(
        loaded.originals()["connectors/crm/openapi.json"].len(),
        built.originals()["connectors/crm/openapi.json"].len()
    );
    let effective = loaded.effective();
    assert_eq!(&effective.files()["connectors/crm/openapi.json"][..], b"{\"openapi\":\"3.1.0\"}");
    assert_eq!(load_effective(&*world.store, built.hash()).await.unwrap().unwrap(), effective);
    assert_eq!(effective.hash(), built.hash());
    assert_eq!(load_effective(&*world.store, "0000").await.unwrap(), None);
    assert_eq!(load(&*world.store, "0000").await.unwrap(), None);
    let listed = releases(&*world.store, "").await.unwrap();
    assert_eq!(listed[0].built_from.as_deref(), Some("commit abc"));
    let rows =
        world.store.ledger(&LedgerFilter { limit: 10, ..LedgerFilter::default() }).await.unwrap();
    assert_eq!(
        (rows.len(), rows[0].row.outcome.as_str(), rows[0].row.actor.as_str()),
        (1, "built", "human:ada")
    );
}

#[tokio::test]
async fn a_damaged_blob_is_noticed() {
    let world = World::new();
    let built = bundle("1.0.0");
    save(world.office(), &built, by(&actor())).await.unwrap();
    let name = built.manifest().files["integrations/demo/integration.yaml"].sha256.clone();
    let put = DocumentOp::Put {
        kind: "blob".to_owned(),
        name,
        expect: Expect::Any,
        body: Bytes::from_static(b"\0version: 9.9.9\n"),
        at: Timestamp::from_millis(5),
    };
    let id = qc_model::TxnId::new(Timestamp::from_millis(5), &world.entropy);
    let change = Change { id, documents: vec![put], ledger: Vec::new(), signals: Vec::new() };
    world.committer.change(change).await.unwrap();
    let error = load(&*world.store, built.hash()).await.unwrap_err();
    assert!(matches!(error, ReleaseError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn deploying_and_going_back() {
    let world = World::new();
    let (environment, integration) =
        (EnvironmentName::new("staging").unwrap(), Name::new("demo").unwrap());
    let mut hashes = Vec::new();
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        let built = bundle(version);
        save(world.office(), &built, by(&actor())).await.unwrap();
        hashes.push(built.hash().to_owned());
        deploy(
            world.office(),
            &environment,
            &built.hash()[..10],
            &actor(),
            &serde_json::Value::Null,
        )
        .await
        .unwrap();
    }
    let now =
        || async { current(&*world.store, &environment, &integration).await.unwrap().unwrap() };
    assert_eq!((now().await.release, now().await.change), (hashes[2].clone(), 3));
    let same = deploy(world.office(), &environment, &hashes[2], &actor(), &serde_json::Value::Null)
        .await
        .unwrap();
    assert_eq!(same.change, 3, "deploying what runs changes nothing");
    for expected in [&hashes[1], &hashes[0]] {
        let record = rollback(world.office(), &environment, &integration, &actor()).await.unwrap();
        assert_eq!(&record.release, expected);
    }
    let error = rollback(world.office(), &environment, &integration, &actor()).await.unwrap_err();
    assert!(matches!(error, ReleaseError::NothingBefore { .. }));
    assert!(error.finding().is_some());
    let past = history(&*world.store, &environment, &integration, 0).await.unwrap();
    let how: Vec<&str> = past.iter().map(|past| past.how.as_str()).collect();
    assert_eq!(how, ["deployed", "deployed", "deployed", "rolled_back", "rolled_back"]);
    assert_eq!(history(&*world.store, &environment, &integration, 4).await.unwrap().len(), 1);
    assert_eq!(deployments(&*world.store, None).await.unwrap().len(), 1);
    assert_eq!(deployments(&*world.store, Some(&environment)).await.unwrap().len(), 1);
    let elsewhere = EnvironmentName::new("stag").unwrap();
    assert_eq!(deployments(&*world.store, Some(&elsewhere)).await.unwrap().len(), 0);
    let error = deploy(world.office(), &environment, "ffffff", &actor(), &serde_json::Value::Null)
        .await
        .unwrap_err();
    assert_eq!(error, ReleaseError::NoRelease("ffffff".to_owned()));
    let error = rollback(world.office(), &elsewhere, &integration, &actor()).await.unwrap_err();
    assert!(matches!(error, ReleaseError::NotDeployed { .. }));
}

#[tokio::test]
async fn two_deployers_at_once_are_told_apart() {
    let world = World::new();
    let environment = EnvironmentName::new("staging").unwrap();
    let mut hashes = Vec::new();
    for version in ["1.0.0", "1.1.0"] {
        let built = bundle(version);
        save(world.office(), &built, by(&actor())).await.unwrap();
        hashes.push(built.hash().to_owned());
    }
    let who = actor();
    let (left, right) = tokio::join!(
        deploy(world.office(), &environment, &hashes[0], &who, &serde_json::Value::Null),
        deploy(world.office(), &environment, &hashes[1], &who, &serde_json::Value::Null),
    );
    let lost = [&left, &right].into_iter().filter(|outcome| outcome.is_err()).count();
    let past = history(&*world.store, &environment, &Name::new("demo").unwrap(), 0).await.unwrap();
    assert_eq!(past.len() + lost, 2, "each change is in the history or was refused");
}
