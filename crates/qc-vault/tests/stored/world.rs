//! A store, and nodes that share it.

use std::{fs, path::Path, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use qc_model::{Actor, Clock, EnvironmentName, HandClock, Seeded, TxnId};
use qc_store::{
    Change, CommitLimits, Committer, Document, DocumentOp, Expect, LedgerFilter, Store,
    memory::MemoryStore,
};
use qc_vault::{
    Cadence, FileRing, KeyRing, Secret, SecretRef, SecretShown, Secrets, SetSecret, Vault,
    VaultError, VaultParts,
};

pub(crate) struct World {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) committer: Committer,
    pub(crate) clock: Arc<HandClock>,
    entropy: Arc<Seeded>,
    pub(crate) kek: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

/// A process: its vault, and where it looks secrets up.
pub(crate) struct Node {
    pub(crate) vault: Vault,
    pub(crate) secrets: Secrets,
}

pub(crate) fn actor() -> Actor {
    Actor::platform("test")
}

pub(crate) fn environment(name: &str) -> EnvironmentName {
    name.parse().unwrap()
}

pub(crate) fn reference(name: &str) -> SecretRef {
    SecretRef::parse(&format!("secret://{name}")).unwrap()
}

/// A key-encryption key's line.
pub(crate) fn line(byte: u8) -> String {
    STANDARD.encode([byte; 32])
}

impl World {
    pub(crate) fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let shared: Arc<dyn Store> = Arc::<MemoryStore>::clone(&store);
        let (committer, looping) = Committer::new(shared, CommitLimits::default());
        tokio::spawn(looping);
        let folder = tempfile::tempdir().unwrap();
        let kek = folder.path().join("kek");
        fs::write(&kek, line(1)).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&kek, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        Self {
            store,
            committer,
            clock: Arc::new(HandClock::at(1_795_358_400_000)),
            entropy: Arc::new(Seeded::new(7)),
            kek,
            _folder: folder,
        }
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    fn ring(&self, path: &Path) -> Arc<dyn KeyRing> {
        Arc::new(FileRing::new(path, Arc::<Seeded>::clone(&self.entropy)))
    }

    /// A node that has read what is there.
    pub(crate) async fn node(&self) -> Node {
        self.node_with(Secrets::none(), Some(self.ring(&self.kek))).await
    }

    pub(crate) async fn node_with(&self, secrets: Secrets, ring: Option<Arc<dyn KeyRing>>) -> Node {
        let vault = Vault::new(VaultParts {
            store: Arc::<MemoryStore>::clone(&self.store),
            committer: self.committer.clone(),
            ring,
            clock: Arc::<HandClock>::clone(&self.clock),
            entropy: Arc::<Seeded>::clone(&self.entropy),
            secrets: &secrets,
        });
        vault.refresh().await.unwrap();
        Node { vault, secrets }
    }

    pub(crate) async fn documents(&self, kind: &str) -> Vec<Document> {
        self.store.documents(kind, None, 1000).await.unwrap()
    }

    /// Everything that is on the disk, as text.
    pub(crate) async fn disk(&self) -> String {
        let mut text = String::new();
        for kind in ["secret", "vault"] {
            for document in self.documents(kind).await {
                text.push_str(&String::from_utf8_lossy(&document.body));
            }
        }
        for row in self.audit().await {
            text.push_str(&row);
        }
        text
    }

    /// What the audit says, a line for each row.
    pub(crate) async fn audit(&self) -> Vec<String> {
        let rows = self.store.ledger(&LedgerFilter::default()).await.unwrap();
        rows.iter().map(|entry| format!("{:?}", entry.row)).collect()
    }

    /// Puts a document there, as somebody who can write to the database does.
    pub(crate) async fn forge(&self, kind: &str, name: &str, body: Vec<u8>) {
        let put = DocumentOp::Put {
            kind: kind.to_owned(),
            name: name.to_owned(),
            expect: Expect::Any,
            body: body.into(),
            at: self.clock.now(),
        };
        let id = TxnId::new(self.clock.now(), &*self.entropy);
        let change = Change { id, documents: vec![put], ledger: vec![], signals: vec![] };
        self.committer.change(change).await.unwrap();
    }

    /// Has every node read anew: the head counts as changed.
    pub(crate) async fn touch(&self) {
        let head = self.store.document("vault", "head").await.unwrap().unwrap();
        self.forge("vault", "head", head.body.to_vec()).await;
    }
}

impl Node {
    pub(crate) async fn set(&self, place: &str, value: &str) -> Result<SecretShown, VaultError> {
        self.vault.set(&asked(place, value, None), &actor()).await
    }

    pub(crate) async fn rotate(
        &self,
        place: &str,
        value: &str,
        overlap: Duration,
    ) -> Result<SecretShown, VaultError> {
        self.vault.set(&asked(place, value, Some(overlap)), &actor()).await
    }

    /// The present value, if it can be had.
    pub(crate) fn value(&self, place: &str) -> Option<String> {
        let (within, name) = place.split_once('/').unwrap();
        let found = self.secrets.lookup(&environment(within), &reference(name));
        found.ok().map(|secret| secret.expose().to_owned())
    }

    /// All values that are valid now.
    pub(crate) fn live(&self, place: &str) -> Vec<String> {
        let (within, name) = place.split_once('/').unwrap();
        let found = self.secrets.live(&environment(within), &reference(name)).unwrap_or_default();
        found.iter().map(|secret| secret.expose().to_owned()).collect()
    }

    /// Does what is due until nothing is, and says in how many steps.
    pub(crate) async fn tend(&self) -> usize {
        let mut steps = 0;
        while self.vault.tend().await.unwrap() {
            steps += 1;
            assert!(steps < 1000, "it never ends");
        }
        steps
    }
}

/// A value for `environment/name`.
pub(crate) fn asked(place: &str, value: &str, overlap: Option<Duration>) -> SetSecret {
    let (within, name) = place.split_once('/').unwrap();
    SetSecret {
        environment: environment(within),
        name: reference(name),
        value: Secret::new(value),
        cadence: Cadence::Keep,
        overlap,
    }
}
