use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::digest;
use qc_engine::TokenRoots;
use qc_model::{Actor, Clock, Entropy, EnvironmentName, TxnId};
use qc_store::{Change, Committer, DocumentOp, Expect, Store, StoreError};
use qc_vault::{Guest, SealedValues, Secret, Vault, VaultError};
use serde::{Deserialize, Serialize};

/// The kind of the documents: one for each environment, sealed by the vault.
const KIND: &str = "token-root";
/// The name of the sealed value in the document.
const SLOT: &str = "root";
/// What is sealed is made of so many random words.
const WORDS: usize = 4;

/// Keeps the keys from which tokens are made that go out in place of values: made once for each environment, and the
/// same on all nodes and for ever, so that equal values have equal tokens.
pub struct TokenKeeper {
    /// Where the documents are.
    pub store: Arc<dyn Store>,
    /// Writes them.
    pub committer: Committer,
    /// Seals them.
    pub vault: Arc<Vault>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Where the engine looks for them.
    pub roots: TokenRoots,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoRoot {
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the {KIND} of `{0}` cannot be read")]
    Unreadable(EnvironmentName),
}

#[derive(Serialize, Deserialize)]
struct Kept {
    v: u32,
    environment: EnvironmentName,
    sealed: SealedValues,
}

impl TokenKeeper {
    /// Over a store and a vault; no key is there yet.
    pub fn new(
        store: &Arc<dyn Store>,
        committer: &Committer,
        vault: &Arc<Vault>,
        clock: &Arc<dyn Clock>,
        entropy: &Arc<dyn Entropy>,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            committer: committer.clone(),
            vault: Arc::clone(vault),
            clock: Arc::clone(clock),
            entropy: Arc::clone(entropy),
            roots: TokenRoots::default(),
        }
    }

    /// Sees that an environment has its key.
    pub(crate) async fn ensure(&self, environment: &EnvironmentName) -> Result<(), NoRoot> {
        if self.roots.has(environment) {
            return Ok(());
        }
        let name = environment.as_str();
        if self.store.document(KIND, name).await?.is_none() {
            self.make(environment).await?;
        }
        let unreadable = || NoRoot::Unreadable(environment.clone());
        let document = self.store.document(KIND, name).await?.ok_or_else(unreadable)?;
        let kept: Kept = serde_json::from_slice(&document.body).map_err(|_| unreadable())?;
        let sealed = kept.sealed.get(SLOT).ok_or_else(unreadable)?;
        let secret = self.vault.open(guest(environment), SLOT, sealed)?;
        let digest = digest::digest(&digest::SHA256, secret.expose().as_bytes());
        let root = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        self.roots.set(environment.clone(), root);
        Ok(())
    }

    async fn make(&self, environment: &EnvironmentName) -> Result<(), NoRoot> {
        let words = (0..WORDS).map(|_| format!("{:016x}", self.entropy.next_u64()));
        let fresh = Secret::new(words.collect::<String>());
        let actor = Actor::platform("tokens");
        let sealed = self.vault.seal(guest(environment), (SLOT, 1), &fresh, &actor).await?;
        let sealed = BTreeMap::from([(SLOT.to_owned(), sealed)]);
        let kept = Kept { v: 1, environment: environment.clone(), sealed };
        let body = serde_json::to_vec(&kept).expect("sealed values have string keys");
        let at = self.clock.now();
        let put = DocumentOp::Put {
            kind: KIND.to_owned(),
            name: environment.to_string(),
            expect: Expect::Absent,
            body: body.into(),
            at,
        };
        let id = TxnId::new(at, &*self.entropy);
        let change = Change { id, documents: vec![put], ledger: vec![], signals: vec![] };
        // When another node was faster, its key counts.
        drop(self.committer.change(change).await?);
        Ok(())
    }
}

fn guest(environment: &EnvironmentName) -> Guest<'_> {
    Guest { environment, kind: KIND, name: environment.as_str() }
}
