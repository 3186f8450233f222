//! One or several nodes over one store, with a clock that is set by hand.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use qc_access::{AuthenticationError, Role};
use qc_identity::{Authority, Client, Form, Ground, NewClient, OauthError, Place};
use qc_model::{Actor, Clock, EnvironmentName, HandClock, Seeded};
use qc_store::{CommitLimits, Committer, LedgerFilter, LedgerKind, Store, memory::MemoryStore};
use qc_vault::{Secret, Secrets, VariableRing, Vault, VaultParts};
use serde_json::Value;

pub(crate) const URL: &str = "https://qc.example.test";
const KEK: &str = "a2VrLWtlay1rZWsta2VrLWtlay1rZWsta2VrLWtlay0=";

/// A node.
pub(crate) struct World {
    pub(crate) clock: Arc<HandClock>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) authority: Authority,
    ground: Ground,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(HandClock::at(1_795_000_000_000));
        let store = Arc::new(MemoryStore::with_clock(clock.clone()));
        let (committer, work) = Committer::new(store.clone(), CommitLimits::default());
        tokio::spawn(work);
        let entropy = Arc::new(Seeded::new(7));
        let ground = Ground {
            store: store.clone(),
            committer,
            clock: clock.clone(),
            entropy: entropy.clone(),
        };
        Self::over(clock, store, ground, true)
    }

    fn over(clock: Arc<HandClock>, store: Arc<MemoryStore>, ground: Ground, sealed: bool) -> Self {
        let ring = VariableRing::new("KEK", KEK, ground.entropy.clone()).unwrap();
        let vault = Arc::new(Vault::new(VaultParts {
            store: store.clone(),
            committer: ground.committer.clone(),
            ring: sealed.then(|| Arc::new(ring) as Arc<dyn qc_vault::KeyRing>),
            clock: clock.clone(),
            entropy: ground.entropy.clone(),
            secrets: &Secrets::none(),
        }));
        let authority = Authority::new(ground.clone(), Some(Place::new(URL)), vault.clone());
        Self { clock, store, vault, authority, ground }
    }

    /// Another node over the same store.
    pub(crate) fn beside(&self) -> Self {
        Self::over(self.clock.clone(), self.store.clone(), self.ground.clone(), true)
    }

    /// Another node, which has no key for the vault.
    pub(crate) fn beside_without_vault(&self) -> Self {
        Self::over(self.clock.clone(), self.store.clone(), self.ground.clone(), false)
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_secs()
    }

    pub(crate) async fn client(&self, id: &str, environment: &str) -> (Client, String) {
        let new = new(id, environment);
        let (client, secret) = self.authority.create_client(new, &me()).await.unwrap();
        (client, secret.unwrap().expose().to_owned())
    }

    pub(crate) async fn ask(&self, form: &str, basic: Option<&str>) -> Result<Value, OauthError> {
        self.authority.token(&Form::parse(form.as_bytes())?, basic).await
    }

    /// A token for a client by its secret.
    pub(crate) async fn token(&self, id: &str, secret: &str) -> String {
        let answer = self.ask(&posted(id, secret), None).await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// Whether a token counts; why not.
    pub(crate) async fn holds(&self, token: &str) -> Result<(), &'static str> {
        match self.authority.authenticate(token).await {
            Ok(_) => Ok(()),
            Err(AuthenticationError::Refused(why)) => Err(why),
            Err(other) => panic!("{other}"),
        }
    }

    /// The private key that signs in an environment, as its holder has it.
    pub(crate) async fn private_key(&self, environment: &str) -> (String, Vec<u8>) {
        let environment: EnvironmentName = environment.parse().unwrap();
        let set = self.authority.keys().set(&environment).await.unwrap();
        let kid = set.signing(self.clock.now()).unwrap().kid.clone();
        let name = format!("signing-key/{kid}");
        let kept: Secret = self.vault.kept(&environment, &name).await.unwrap().unwrap();
        (kid, STANDARD.decode(kept.expose()).unwrap())
    }

    pub(crate) async fn audited(&self) -> Vec<String> {
        let filter =
            LedgerFilter { kinds: vec![LedgerKind::Audit], limit: 500, ..LedgerFilter::default() };
        let rows = self.store.ledger(&filter).await.unwrap();
        rows.into_iter()
            .map(|entry| format!("{} {}", entry.row.subject, entry.row.outcome))
            .collect()
    }
}

pub(crate) fn me() -> Actor {
    Actor::platform("test")
}

pub(crate) fn new(id: &str, environment: &str) -> NewClient {
    NewClient {
        id: id.parse().unwrap(),
        environment: environment.parse().unwrap(),
        role: Role::Runtime,
        scopes: None,
        owner: "team-billing".to_owned(),
        purpose: "sends orders".to_owned(),
        lifetime: Duration::from_secs(864_000),
        keys: None,
    }
}

pub(crate) fn posted(id: &str, secret: &str) -> String {
    format!("grant_type=client_credentials&client_id={id}&client_secret={secret}")
}

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
