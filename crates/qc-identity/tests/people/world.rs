//! One or several nodes over one store, a provider, and a clock that is set by hand.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use http::{HeaderMap, StatusCode, header};
use qc_access::{AuthenticationError, Principal, Role};
use qc_identity::{
    Aim, Arrived, ClientSecret, Ground, IdentityError, OidcSettings, People, Place, Provider,
    Redirect,
};
use qc_model::{
    Actor, Body, CallError, Caller, Clock, HandClock, OutboundRequest, OutboundResponse, Seeded,
};
use qc_oidcserver::{Browser, CLIENT, Fake};
use qc_store::{CommitLimits, Committer, LedgerFilter, LedgerKind, Store, memory::MemoryStore};
use qc_vault::{Secret, Secrets, VariableRing, Vault, VaultParts};
use serde_json::{Value, json};
use url::Url;

pub(crate) const URL: &str = "https://qc.example.test";
pub(crate) const ISSUER: &str = "https://id.example.test";
const KEK: &str = "a2VrLWtlay1rZWsta2VrLWtlay1rZWsta2VrLWtlay0=";

/// Hands requests to the fake provider.
struct Line {
    fake: Arc<Fake>,
    clock: Arc<HandClock>,
}

#[async_trait]
impl Caller for Line {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let authorization = request.headers.get(header::AUTHORIZATION);
        let authorization = authorization.map_or("", |value| value.to_str().unwrap()).to_owned();
        let body = request.body.collect(1 << 20).await?;
        let body = String::from_utf8_lossy(&body);
        let now = self.clock.now().as_secs();
        let (status, value) = self.fake.answer(&request.url, &authorization, &body, now);
        Ok(OutboundResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Body::Bytes(value.to_string().into()),
        })
    }
}

/// Sends requests to a server on the loopback address.
struct Loopback;

#[async_trait]
impl Caller for Loopback {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let url = Url::parse(&request.url).unwrap();
        let fields: Vec<(String, String)> = request
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let body = request.body.collect(1 << 20).await?;
        let asking = tokio::task::spawn_blocking(move || {
            let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let body = String::from_utf8_lossy(&body);
            Browser::default().ask(request.method.as_str(), &url, &fields, &body)
        });
        let page = asking.await.unwrap();
        Ok(OutboundResponse {
            status: StatusCode::from_u16(page.status).unwrap(),
            headers: HeaderMap::new(),
            body: Body::Bytes(page.body.into()),
        })
    }
}

/// A node.
pub(crate) struct World {
    pub(crate) clock: Arc<HandClock>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) fake: Arc<Fake>,
    pub(crate) people: People,
    ground: Ground,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(HandClock::at(1_795_000_000_000));
        let store = Arc::new(MemoryStore::with_clock(clock.clone()));
        let (committer, work) = Committer::new(store.clone(), CommitLimits::default());
        tokio::spawn(work);
        let entropy = Arc::new(Seeded::new(7));
        let ground = Ground { store: store.clone(), committer, clock: clock.clone(), entropy };
        let mail = |name: &str| format!("{name}@example.test");
        let ines = json!({
            "email": mail("ines"), "email_verified": true, "uid": "ines", "groups": ["ops"],
        });
        let both = json!({ "email": mail("boss"), "groups": ["ops", "leads"] });
        let none = json!({ "groups": ["others"] });
        let people = [("sub-ines", ines), ("sub-both", both), ("sub-none", none)];
        let fake = Arc::new(Fake::new(ISSUER, &people));
        let line = Arc::new(Line { fake: fake.clone(), clock: clock.clone() });
        Self::over(clock, store, fake, ground, (ISSUER, line))
    }

    /// A node whose people sign in at a real provider, now.
    pub(crate) fn at(issuer: &str) -> Self {
        let world = Self::new();
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        world.clock.set(i64::try_from(now.as_millis()).unwrap());
        let (clock, store, fake) = (world.clock.clone(), world.store.clone(), world.fake.clone());
        Self::over(clock, store, fake, world.ground.clone(), (issuer, Arc::new(Loopback)))
    }

    fn over(
        clock: Arc<HandClock>,
        store: Arc<MemoryStore>,
        fake: Arc<Fake>,
        ground: Ground,
        (issuer, line): (&str, Arc<dyn Caller>),
    ) -> Self {
        let ring = VariableRing::new("KEK", KEK, ground.entropy.clone()).unwrap();
        let vault = Arc::new(Vault::new(VaultParts {
            store: store.clone(),
            committer: ground.committer.clone(),
            ring: Some(Arc::new(ring)),
            clock: clock.clone(),
            entropy: ground.entropy.clone(),
            secrets: &Secrets::none(),
        }));
        let settings = OidcSettings {
            issuer: issuer.to_owned(),
            client_id: CLIENT.0.to_owned(),
            client_secret: Some(ClientSecret::Value(Secret::new(CLIENT.1))),
            scopes: if issuer == ISSUER {
                "openid profile"
            } else {
                "openid profile offline_access"
            }
            .to_owned(),
            groups_claim: "groups".to_owned(),
            person_claim: Some("uid".to_owned()),
            roles: BTreeMap::from([
                ("ops".to_owned(), vec![Role::Operator]),
                ("leads".to_owned(), vec![Role::Admin]),
            ]),
        };
        let provider = Arc::new(Provider::new(settings, line, clock.clone()));
        let place = Some(Place::new(URL));
        let people = People::new(ground.clone(), place, vault.clone(), Some(provider));
        Self { clock, store, vault, fake, people, ground }
    }

    /// Another node over the same store.
    pub(crate) fn beside(&self) -> Self {
        let (clock, store, fake) = (self.clock.clone(), self.store.clone(), self.fake.clone());
        let line = Arc::new(Line { fake: fake.clone(), clock: clock.clone() });
        Self::over(clock, store, fake, self.ground.clone(), (ISSUER, line))
    }

    pub(crate) async fn depart(&self, role: Option<Role>) -> Redirect {
        let aim = Aim::Browser { to: "/login/done".to_owned() };
        self.people.depart(role, aim).await.unwrap()
    }

    /// Comes back with what stands in the address to which the provider sends.
    pub(crate) async fn arrive(&self, back: &str, cookie: &str) -> Result<Arrived, IdentityError> {
        let back = Back::of(back);
        let code = back.code.as_deref().ok_or(back.error.as_deref().unwrap_or("none"));
        let state = back.state.as_deref().unwrap_or_default();
        self.people.arrive(state, cookie, code, back.issuer.as_deref()).await
    }

    /// Somebody signs in, in a browser.
    pub(crate) async fn sign_in(
        &self,
        subject: &str,
        role: Option<Role>,
    ) -> Result<String, IdentityError> {
        let journey = self.depart(role).await;
        let back = self.fake.sign_in(&journey.url, subject);
        match self.arrive(&back, journey.cookie.expose()).await? {
            Arrived::Browser { text, to } => {
                assert_eq!(to, "/login/done");
                Ok(text.expose().to_owned())
            }
            Arrived::Device => panic!("a browser signed in"),
        }
    }

    pub(crate) async fn ines(&self) -> String {
        self.sign_in("sub-ines", None).await.unwrap()
    }

    pub(crate) async fn who(&self, text: &str) -> Result<Arc<Principal>, AuthenticationError> {
        self.people.sessions().authenticate(text).await
    }

    pub(crate) async fn audited(&self) -> Vec<String> {
        let filter =
            LedgerFilter { kinds: vec![LedgerKind::Audit], limit: 500, ..LedgerFilter::default() };
        let rows = self.store.ledger(&filter).await.unwrap();
        let said = |row: &qc_store::LedgerRow| {
            let kind = row.subject.split(' ').next().unwrap();
            format!("{} {kind} {}", row.actor, row.outcome)
        };
        rows.iter().map(|entry| said(&entry.row)).collect()
    }

    /// Everything that is stored, as text.
    pub(crate) async fn stored(&self) -> String {
        let mut all = String::new();
        for kind in ["session", "device-sign-in", "sign-in", "break-glass"] {
            for document in self.store.documents(kind, None, 100).await.unwrap() {
                all += &document.name;
                all += &String::from_utf8_lossy(&document.body);
            }
        }
        all
    }
}

/// The parameters of an address to which the provider sends back.
#[derive(Default)]
struct Back {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    issuer: Option<String>,
}

impl Back {
    fn of(url: &str) -> Self {
        let mut back = Self::default();
        for (name, value) in Url::parse(url).unwrap().query_pairs().into_owned() {
            match name.as_str() {
                "state" => back.state = Some(value),
                "code" => back.code = Some(value),
                "error" => back.error = Some(value),
                "iss" => back.issuer = Some(value),
                _ => {}
            }
        }
        back
    }
}

pub(crate) fn me() -> Actor {
    Actor::platform("test")
}

pub(crate) fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// What is in an address at the provider.
pub(crate) fn asked(url: &str, name: &str) -> String {
    let url = Url::parse(url).unwrap();
    let found = url.query_pairs().find(|(own, _)| own == name);
    found.unwrap_or_else(|| panic!("no {name} in {url}")).1.into_owned()
}

pub(crate) fn groups(names: &[&str]) -> Value {
    json!({ "groups": names })
}
