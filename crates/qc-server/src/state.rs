use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;

use qc_access::{Access, Grants, Policies, Principal, Tokens, Uses, policy::KeptPolicies};
use qc_capture::Captures;
use qc_census::Census;
use qc_connection::Connections;
use qc_engine::Engine;
use qc_identity::{Authority, Ground, IdentityError, People, Place, Provider, Throttle};
use qc_model::{Clock, Entropy, Timestamp};
use qc_store::{Committer, Store};
use qc_vault::{Secrets, Vault};
use tokio::time::sleep;

use crate::{
    Catalogue, CommitNumbers, Metrics, Problem, ServerSettings,
    asker::{Asker, Sent},
    audit::Refusals,
    connect::Guesses,
    limits::Limits,
    traffic::{CAME_KIND, Traffics},
    upkeep::Standings,
    usage,
};

/// How often what principals did is written down.
const USES_EVERY: Duration = Duration::from_secs(300);
/// How often the store is asked for other policies.
const LOOK: Duration = Duration::from_secs(1);

/// What the doors are made of. Wired in one place, by the binary or by a test.
pub struct ServerParts {
    /// Runs workflows.
    pub engine: Engine,
    /// The store, for reading.
    pub store: Arc<dyn Store>,
    /// Group commit over the store.
    pub committer: Committer,
    /// What is deployed, and where releases are compiled.
    pub catalogue: Arc<Catalogue>,
    /// With what senders sign.
    pub secrets: Arc<Secrets>,
    /// The secrets of the store.
    pub vault: Arc<Vault>,
    /// Accounts at other systems.
    pub connections: Arc<Connections>,
    /// Debug captures.
    pub captures: Arc<Captures>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness; the operating system's, as tokens are made from it.
    pub entropy: Arc<dyn Entropy>,
    /// Decides who may do what.
    pub access: Arc<Access>,
    /// What goes to the disk, counted.
    pub commits: Arc<CommitNumbers>,
    /// Where the server is for the world; None: no access tokens, and nobody signs in.
    pub place: Option<Place>,
    /// Where people sign in; None: nowhere.
    pub provider: Option<Arc<Provider>>,
    /// Bounds.
    pub settings: ServerSettings,
}

/// All that a request needs.
pub struct State {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) committer: Committer,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) captures: Arc<Captures>,
    pub(crate) guesses: Guesses,
    pub(crate) standings: Arc<Standings>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) settings: ServerSettings,
    pub(crate) tokens: Tokens,
    pub(crate) uses: Uses,
    /// Who uses which contract.
    pub(crate) contracts: usage::Uses,
    pub(crate) access: Arc<Access>,
    pub(crate) grants: Grants,
    pub(crate) authority: Authority,
    pub(crate) people: People,
    pub(crate) throttle: Throttle,
    /// Sign-ins that begin, by address.
    pub(crate) beginnings: Throttle,
    /// How much comes in.
    pub(crate) limits: Limits,
    /// What really comes in.
    pub(crate) traffic: Arc<Traffics>,
    pub(crate) metrics: Metrics,
    pub(crate) refusals: Refusals,
    pub(crate) started_at: Timestamp,
    ready: AtomicBool,
}

impl State {
    /// From its parts; not ready until [`State::set_ready`].
    pub fn new(parts: ServerParts) -> Arc<Self> {
        let tokens = Tokens::new(Arc::clone(&parts.store), Arc::clone(&parts.clock));
        let uses = Uses::new(
            Arc::clone(&parts.store),
            parts.committer.clone(),
            Arc::clone(&parts.clock),
            Arc::clone(&parts.entropy),
            parts.engine.node(),
        );
        let contracts = usage::Uses::new(
            Arc::clone(&parts.store),
            parts.committer.clone(),
            Arc::clone(&parts.clock),
            Arc::clone(&parts.entropy),
            parts.engine.node(),
        );
        let grants = Grants::new(Arc::clone(&parts.store), Arc::clone(&parts.clock));
        let ground = Ground {
            store: Arc::clone(&parts.store),
            committer: parts.committer.clone(),
            clock: Arc::clone(&parts.clock),
            entropy: Arc::clone(&parts.entropy),
        };
        let (place, vault) = (parts.place, Arc::clone(&parts.vault));
        let people = People::new(ground.clone(), place.clone(), Arc::clone(&vault), parts.provider);
        let authority = Authority::new(ground, place, vault);
        let started_at = parts.clock.now();
        let limits = Limits::new(&parts.settings.limits, parts.entropy.next_u64(), &parts.store);
        let traffic = Arc::new(Traffics::new(Census::new(
            CAME_KIND,
            Arc::clone(&parts.store),
            parts.committer.clone(),
            Arc::clone(&parts.clock),
            Arc::clone(&parts.entropy),
            parts.engine.node(),
        )));
        parts.engine.tell_arrivals(Arc::clone(&traffic) as _);
        let metrics = Metrics::new();
        metrics.watch_traffic(Arc::clone(&traffic));
        metrics.watch(parts.engine.clone(), &parts.commits);
        let standings = Arc::<Standings>::default();
        metrics.watch_connections(Arc::clone(&standings), Arc::clone(&parts.clock));
        Arc::new(Self {
            engine: parts.engine,
            store: parts.store,
            committer: parts.committer,
            catalogue: parts.catalogue,
            secrets: parts.secrets,
            vault: parts.vault,
            connections: parts.connections,
            captures: parts.captures,
            guesses: Guesses::default(),
            standings,
            clock: parts.clock,
            entropy: parts.entropy,
            settings: parts.settings,
            tokens,
            uses,
            contracts,
            access: parts.access,
            grants,
            authority,
            people,
            throttle: Throttle::default(),
            beginnings: Throttle::default(),
            limits,
            traffic,
            metrics,
            refusals: Refusals::default(),
            started_at,
            ready: AtomicBool::new(false),
        })
    }

    /// Somebody who is known, with what was granted to it for a time.
    pub(crate) async fn asker(
        &self,
        principal: Arc<Principal>,
        from: Sent,
    ) -> Result<Asker, Problem> {
        let grants = match &principal.person {
            Some(person) => self.grants.of(person).await?,
            None => Vec::new(),
        };
        let directory = self.catalogue.directory();
        let units = directory.of_principal(&principal);
        let policy = self.access.policies().version().to_owned();
        Ok(Asker { principal, from, grants, units, directory, policy })
    }

    /// Puts those rules in force that the store has: before the first call goes out.
    pub async fn load_policies(&self) -> Result<(), qc_store::StoreError> {
        let kept = KeptPolicies::current(&*self.store).await?;
        self.enforce(kept.map(|(kept, _)| kept));
        Ok(())
    }

    /// Puts those rules in force that the store has, and looks for others each second, for ever. Rules that cannot be used
    /// or read leave those before in force, which the log says.
    pub async fn keep_policies(self: Arc<Self>) {
        let mut known = None;
        loop {
            match KeptPolicies::current(&*self.store).await {
                Ok(found) => {
                    let revision = found.as_ref().map(|(_, revision)| *revision);
                    if revision != known {
                        self.enforce(found.map(|(kept, _)| kept));
                        known = revision;
                    }
                }
                Err(error) => tracing::warn!(%error, "the policies cannot be read"),
            }
            sleep(LOOK).await;
        }
    }

    pub(crate) fn enforce(&self, kept: Option<KeptPolicies>) {
        match kept.map_or_else(|| Ok(Policies::shipped()), |kept| kept.policies()) {
            Ok(policies) => {
                tracing::info!(version = policies.version(), "policies are in force");
                self.access.enforce(policies);
            }
            Err(error) => tracing::error!(%error, "those before stay in force"),
        }
    }

    /// Writes down now and then what principals did, for ever.
    pub async fn keep_uses(self: Arc<Self>) {
        loop {
            sleep(USES_EVERY).await;
            self.settle_uses().await;
        }
    }

    /// Writes down what principals did; also before the server ends. What cannot be written waits for the next time.
    pub async fn settle_uses(&self) {
        if let Err(error) = self.uses.flush().await {
            tracing::warn!(%error, "what principals did cannot be written down now");
        }
    }

    /// What is done now and then about identities: see [`Authority::tend`] and [`People::tend`].
    pub async fn tend_identities(&self) -> Result<(), IdentityError> {
        self.authority.tend().await?;
        Ok(self.people.tend().await?)
    }

    /// Says whether new work may come: `/readyz` answers by it.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// Whether new work may come.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }
}
