//! A shop, its simulator, and callers that note what is sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use qc_contract::OpenApi;
use qc_model::{CallError, Caller, Clock, OutboundRequest, OutboundResponse, Timestamp};
use qc_simulator::{SimulatorSpec, load_folder};
use qc_verify::{CASE_LIMIT, Credentials, Report, Score, Target, Verification, measure, simulated};
use serde_json::Value;

pub(crate) const SHOP: &str = include_str!("shop.yaml");

pub(crate) struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }
}

pub(crate) fn api(text: &str) -> OpenApi {
    OpenApi::from_text("openapi.yaml", text).unwrap()
}

pub(crate) fn simulator(text: &str) -> Arc<dyn Caller> {
    simulated(api(text), SimulatorSpec::default(), Arc::new(Noon), 1).unwrap()
}

/// What a test changes about a verification.
pub(crate) struct Wishes {
    pub(crate) caller: Arc<dyn Caller>,
    pub(crate) operations: Vec<String>,
    pub(crate) seed: u64,
    pub(crate) case_limit: usize,
    pub(crate) is_lenient: bool,
    pub(crate) credentials: Credentials,
}

impl Wishes {
    pub(crate) fn of(caller: Arc<dyn Caller>) -> Self {
        let credentials = Credentials::made();
        Self {
            caller,
            operations: Vec::new(),
            seed: 1,
            case_limit: CASE_LIMIT,
            is_lenient: false,
            credentials,
        }
    }

    pub(crate) async fn report(&self, text: &str) -> Report {
        self.with(&Arc::new(api(text)), |verification| async move { verification.run().await })
            .await
    }

    pub(crate) async fn score(&self, api: &Arc<OpenApi>, limit: usize) -> Score {
        self.with(api, |verification| async move { measure(&verification, limit).await }).await
    }

    pub(crate) async fn with<'a, T, F: Future<Output = T>>(
        &'a self,
        api: &'a Arc<OpenApi>,
        act: impl FnOnce(Verification<'a>) -> F,
    ) -> T {
        static NONE: BTreeMap<String, Value> = BTreeMap::new();
        let verification = Verification {
            api,
            target: Target::simulated().unwrap(),
            caller: Arc::clone(&self.caller),
            credentials: &self.credentials,
            values: &NONE,
            operations: &self.operations,
            seed: self.seed,
            rate: None,
            case_limit: self.case_limit,
            is_lenient: self.is_lenient,
        };
        act(verification).await
    }
}

/// A connector of the examples, with its simulator's file.
pub(crate) fn example(path: &str) -> (Arc<OpenApi>, Arc<dyn Caller>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(path);
    let (openapi, spec) = load_folder(&folder).unwrap();
    let (again, _) = load_folder(&folder).unwrap();
    (Arc::new(openapi), simulated(again, spec, Arc::new(Noon), 1).unwrap())
}

/// Notes the requests that pass.
pub(crate) struct Noting {
    pub(crate) inner: Arc<dyn Caller>,
    pub(crate) urls: Mutex<Vec<String>>,
}

#[async_trait]
impl Caller for Noting {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        self.urls.lock().unwrap().push(format!("{} {}", request.method, request.url));
        self.inner.call(request).await
    }
}
