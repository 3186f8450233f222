use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use qc_contract::pact::Pact;
use qc_engine::{Deployment, Engine, ReleaseSource};
use qc_model::{EnvironmentName, Finding, Name, Timestamp};
use qc_release::{Bundle, Effective, ReleaseError};
use qc_store::{Store, StoreError};
use qc_version::{
    Usage,
    expectation::Cell,
    gate::{Circumstances, Judgement},
};
use tokio::sync::{Semaphore, oneshot};

use crate::{TokenKeeper, codes, directory::Directory};

/// How often a node looks whether another one has changed what is deployed.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);

/// How many releases are built or compiled at once; each may take tens of megabytes meanwhile.
const COMPILING: usize = 2;
/// Compiled releases kept in memory beyond those that are deployed: for runs that are pinned to older ones.
const KEPT: usize = 64;

/// Makes the release of an integration from a project's files.
pub type MakeBundle = fn(BTreeMap<String, Bytes>, &Name) -> Result<Bundle, Vec<Finding>>;

/// Judges whether a release (the second one) may take the place of another one.
pub type JudgeRelease =
    fn(&Effective, &Effective, Circumstances<'_>) -> Result<Judgement, Vec<Finding>>;

/// Holds what consumers expect against a release.
pub type HoldExpectations = fn(&Effective, Circumstances<'_>) -> Result<Vec<Cell>, Vec<Finding>>;

/// How files become releases and releases become what the engine runs. The server decides when; `qc-project`, wired by
/// the binary, knows how.
#[derive(Clone, Copy)]
pub struct Craft {
    /// Makes the release of an integration from a project's files, or says all that is wrong with them.
    pub bundle: MakeBundle,
    /// Makes a release ready to run in an environment.
    pub compile: fn(&Effective, &EnvironmentName) -> Result<Deployment, Vec<Finding>>,
    /// Judges whether the second release may take the place of the first one.
    pub judge: JudgeRelease,
    /// Holds what consumers expect against a release: what it knows of itself, and what was published.
    pub matrix: HoldExpectations,
}

/// Why a release cannot run in an environment.
#[derive(Debug)]
pub enum CompileError {
    /// It is not there, or damaged, or the store does not answer.
    Release(ReleaseError),
    /// Its files do not do.
    Findings(Vec<Finding>),
    /// The platform failed.
    Internal(String),
}

type Key = (EnvironmentName, String);

/// What is deployed, compiled; and every release that a run is pinned to.
pub struct Catalogue {
    store: Arc<dyn Store>,
    craft: Craft,
    tokens: Option<TokenKeeper>,
    compiled: Mutex<HashMap<Key, Arc<Deployment>>>,
    places: Arc<Semaphore>,
    findings: RwLock<Vec<Finding>>,
    directory: RwLock<Arc<Directory>>,
    /// The revision of releases and deployments that runs here.
    revision: AtomicU64,
}

impl Catalogue {
    /// Over a store.
    pub fn new(store: Arc<dyn Store>, craft: Craft) -> Arc<Self> {
        Self::make(store, craft, None)
    }

    /// The same; releases that put tokens in the place of values find the keys.
    pub fn with_tokens(craft: Craft, tokens: TokenKeeper) -> Arc<Self> {
        Self::make(Arc::clone(&tokens.store), craft, Some(tokens))
    }

    fn make(store: Arc<dyn Store>, craft: Craft, tokens: Option<TokenKeeper>) -> Arc<Self> {
        let (compiled, findings, directory) =
            (Mutex::default(), RwLock::default(), RwLock::default());
        Arc::new(Self {
            store,
            craft,
            tokens,
            compiled,
            places: Arc::new(Semaphore::new(COMPILING)),
            findings,
            directory,
            revision: AtomicU64::new(0),
        })
    }

    /// Follows what other nodes deploy, for ever; ends at once when there are no others.
    pub async fn follow(self: Arc<Self>, engine: Engine) {
        while self.store.caps().shared {
            tokio::time::sleep(FOLLOW_EVERY).await;
            match qc_release::revision(&*self.store).await {
                Ok(revision) if revision == self.revision.load(Ordering::Acquire) => {}
                Ok(_) => match self.reload(&engine).await {
                    Ok(findings) => {
                        for finding in findings {
                            tracing::error!(code = %finding.code, "{finding}");
                        }
                    }
                    Err(error) => tracing::warn!(%error, "the deployments stay as they were"),
                },
                Err(error) => tracing::debug!(%error, "changed deployments cannot be seen now"),
            }
        }
    }

    /// The problems of what is deployed, as of the last [`Catalogue::reload`].
    pub fn findings(&self) -> Vec<Finding> {
        self.findings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Which units own what is deployed.
    pub(crate) fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which units would own what if this were deployed, too.
    pub(crate) fn directory_with(&self, engine: &Engine, deployment: &Deployment) -> Directory {
        let there = engine.deployments();
        let others = there.iter().map(AsRef::as_ref).filter(|other: &&Deployment| {
            other.environment != deployment.environment
                || other.release.integration != deployment.release.integration
        });
        let all: Vec<&Deployment> = others.chain([deployment]).collect();
        Directory::new(&all, &[], &self.directory())
    }

    /// Makes a release from files, as the server's own build.
    pub(crate) async fn bundle(
        &self,
        files: BTreeMap<String, Bytes>,
        integration: Name,
    ) -> Result<Bundle, CompileError> {
        let bundle = self.craft.bundle;
        self.apart(move || bundle(files, &integration)).await?.map_err(CompileError::Findings)
    }

    /// Does work that takes much memory for a while, on a thread of its own: with its end all of that goes back, where a
    /// thread that lives on would keep it for the next such work.
    pub(crate) async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CompileError> {
        let internal = |reason: String| CompileError::Internal(reason);
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|error| internal(error.to_string()))?;
        let (tell, told) = oneshot::channel();
        let thread = std::thread::Builder::new().name("compile".to_owned());
        let started = thread.spawn(move || {
            // Whoever asked may have gone away meanwhile; the place is taken until the work is done.
            drop(tell.send(work()));
            drop(place);
        });
        started.map_err(|error| internal(format!("no thread can be started: {error}")))?;
        told.await.map_err(|_| internal("compiling broke off".to_owned()))
    }

    /// A release ready to run in an environment; from memory when it was needed before.
    pub async fn compiled(
        &self,
        environment: &EnvironmentName,
        hash: &str,
    ) -> Result<Arc<Deployment>, CompileError> {
        let key = (environment.clone(), hash.to_owned());
        if let Some(known) = self.memory().get(&key) {
            return Ok(Arc::clone(known));
        }
        let release = self.effective(hash).await?;
        let (compile, place) = (self.craft.compile, environment.clone());
        let deployment =
            self.apart(move || compile(&release, &place)).await?.map_err(CompileError::Findings)?;
        self.ensure_tokens(&deployment).await;
        let deployment = Arc::new(deployment);
        self.memory().insert(key, Arc::clone(&deployment));
        Ok(deployment)
    }

    async fn effective(&self, hash: &str) -> Result<Effective, CompileError> {
        qc_release::load_effective(&*self.store, hash)
            .await
            .and_then(|found| found.ok_or_else(|| ReleaseError::NoRelease(hash.to_owned())))
            .map_err(CompileError::Release)
    }

    /// Judges whether a release (by its hash) may take the place of another one.
    pub(crate) async fn judged(
        &self,
        (old, new): (&str, &str),
        environment: &EnvironmentName,
        (now, usage, expectations): (Timestamp, Usage, Vec<Pact>),
    ) -> Result<Judgement, CompileError> {
        let (old, new) = (self.effective(old).await?, self.effective(new).await?);
        let (judge, place) = (self.craft.judge, environment.clone());
        let judged = self.apart(move || {
            let (environment, usage) = (Some(&place), Some(&usage));
            let expectations = &expectations[..];
            judge(&old, &new, Circumstances { environment, now, usage, expectations })
        });
        let judged = judged.await?;
        judged.map_err(CompileError::Findings)
    }

    /// Which consumers can speak which version of a release.
    pub(crate) async fn matrix(
        &self,
        hash: &str,
        (now, usage, expectations): (Timestamp, Usage, Vec<Pact>),
    ) -> Result<Vec<Cell>, CompileError> {
        let (release, matrix) = (self.effective(hash).await?, self.craft.matrix);
        let cells = self.apart(move || {
            let (usage, expectations) = (Some(&usage), &expectations[..]);
            matrix(&release, Circumstances { environment: None, now, usage, expectations })
        });
        cells.await?.map_err(CompileError::Findings)
    }

    /// A release ready to run in an environment, if it was ever deployed there: nothing else has runs in it, whatever a
    /// run's record may say.
    async fn pinned(
        &self,
        environment: &EnvironmentName,
        hash: &str,
    ) -> Result<Option<Arc<Deployment>>, CompileError> {
        let record = qc_release::record(&*self.store, hash).await.map_err(CompileError::Release)?;
        let Some(record) = record else { return Ok(None) };
        let deployed = qc_release::was_deployed(&*self.store, environment, &record).await;
        if !deployed.map_err(CompileError::Release)? {
            tracing::error!(%environment, %hash, "a run names a release that was never deployed there");
            return Ok(None);
        }
        self.compiled(environment, hash).await.map(Some)
    }

    /// What is refused for want of a key says so itself: the release runs.
    async fn ensure_tokens(&self, deployment: &Deployment) {
        let movement = deployment.release.data.movement.as_ref();
        let Some(keeper) = self.tokens.as_ref() else { return };
        if movement.is_some_and(qc_data::Movement::tokenises)
            && let Err(error) = keeper.ensure(&deployment.environment).await
        {
            let (environment, code) = (&deployment.environment, qc_engine::codes::DATA_DENIED);
            tracing::warn!(%environment, %code, "there is no key for tokens: {error}");
        }
    }

    /// Makes the engine run what the store says is deployed. What cannot be compiled is left out, and said.
    pub async fn reload(&self, engine: &Engine) -> Result<Vec<Finding>, ReleaseError> {
        // Before the rest: a change meanwhile is seen at the next look.
        let revision = qc_release::revision(&*self.store).await?;
        let records = qc_release::deployments(&*self.store, None).await?;
        let (mut list, mut findings, mut live) = (Vec::new(), Vec::new(), HashSet::new());
        let mut unfit = Vec::new();
        for record in records {
            match self.compiled(&record.environment, &record.release).await {
                Ok(deployment) => {
                    list.push(Deployment::clone(&deployment));
                    live.insert((record.environment, record.release));
                }
                Err(error) => {
                    let (environment, integration) = (&record.environment, &record.integration);
                    let message =
                        format!("`{integration}` in `{environment}` does not run on this server");
                    findings.push(Finding::error(codes::RELEASE_UNFIT, message).help(
                        "fix it and deploy again, or go back: `qc rollback ENVIRONMENT INTEGRATION`",
                    ));
                    findings.extend(error.findings());
                    unfit.push((record.environment, record.integration));
                }
            }
        }
        let directory =
            Arc::new(Directory::new(&list.iter().collect::<Vec<_>>(), &unfit, &self.directory()));
        *self.directory.write().unwrap_or_else(PoisonError::into_inner) = directory;
        engine.set_deployments(list);
        self.revision.store(revision, Ordering::Release);
        let mut memory = self.memory();
        if memory.len() > live.len() + KEPT {
            memory.retain(|key, _| live.contains(key));
        }
        drop(memory);
        self.findings.write().unwrap_or_else(PoisonError::into_inner).clone_from(&findings);
        Ok(findings)
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<Deployment>>> {
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CompileError {
    /// As findings.
    pub fn findings(self) -> Vec<Finding> {
        match self {
            Self::Findings(findings) => findings,
            Self::Release(error) => vec![
                error
                    .finding()
                    .unwrap_or_else(|| Finding::error(codes::STORE_UNAVAILABLE, error.to_string())),
            ],
            Self::Internal(reason) => vec![Finding::error(codes::INTERNAL, reason)],
        }
    }
}

#[async_trait]
impl ReleaseSource for Catalogue {
    async fn deployment(
        &self,
        environment: &EnvironmentName,
        hash: &str,
    ) -> Result<Option<Arc<Deployment>>, StoreError> {
        match self.pinned(environment, hash).await {
            Ok(deployment) => Ok(deployment),
            Err(CompileError::Release(ReleaseError::NoRelease(_))) => Ok(None),
            Err(CompileError::Release(ReleaseError::Store(error))) => Err(error),
            Err(CompileError::Release(error)) => Err(StoreError::Corrupt(error.to_string())),
            Err(other) => {
                let findings = other.findings();
                let first = findings.first().map(ToString::to_string).unwrap_or_default();
                tracing::error!(%environment, %hash, "a pinned release cannot be compiled: {first}");
                Err(StoreError::Corrupt(format!("the release {hash} cannot be compiled: {first}")))
            }
        }
    }
}
