//! Connector packages: `connectors/<name>/` with `connector.yaml`, the API's document, and an optional overlay of it.
//! One file for each part of `connector.yaml`.

mod auth;
mod batch;
mod canary;
mod effect;
mod errors;
mod expression;
mod load;
mod login;
mod oauth;
mod pagination;
mod repair;
mod retry;
mod scaffold;
mod setting;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use qc_contract::{OpenApi, Operation};
use qc_model::{EnvironmentName, Failure, Finding, Name};
use qc_vault::SecretRef;
use qc_workflow::{CallPolicy, RetryPolicy};

use crate::{
    codes,
    webhook::{Challenge, SignatureScheme},
};

pub use auth::{AuthProfile, CertificateRule, ClientAuthMethod, ClientCredentials};
pub use batch::BatchRule;
pub use canary::CanaryRule;
pub use effect::{EffectRule, KeyFormat, KeyPlace, KeyRule, NotFound, PastWindow, VerifyRule};
pub(crate) use errors::is_plain;
pub use errors::{ErrorRule, StatusMatch};
pub use login::{LoginPlace, LoginRule, LoginToken};
pub use oauth::{Consent, OAuth, OAuthGrant, Params, ProbeRule, ProofRule};
pub use pagination::{PageStyle, Pagination};
pub use repair::{Coercion, REPAIRS_MAX, Repaired, Repairs, Spot};
pub use scaffold::{Scaffold, scaffold};
pub(crate) use setting::secret_field;
pub use setting::{Setting, TextOrSecret};

/// A versioned package that describes one external API: its document, and what the document does not say.
#[derive(Debug, Clone)]
pub struct Connector {
    name: Name,
    version: String,
    title: String,
    owner: Option<String>,
    api: Arc<OpenApi>,
    rules: Arc<Rules>,
}

/// What `connector.yaml` says. Never changed after loading, so shared.
#[derive(Debug)]
struct Rules {
    base_urls: BTreeMap<EnvironmentName, Setting>,
    auth: AuthProfile,
    certificate: Option<CertificateRule>,
    timeout_ms: u64,
    connect: Option<Duration>,
    retry: RetryPolicy,
    retryable: Option<Vec<StatusMatch>>,
    limits: Vec<DeclaredLimit>,
    errors: Vec<ErrorRule>,
    operations: BTreeMap<String, OperationRules>,
    validation: ResponseValidation,
    webhook: Option<Webhook>,
}

/// What `connector.yaml` says about one operation.
#[derive(Debug, Clone, Default)]
struct OperationRules {
    effect: Option<EffectRule>,
    timeout_ms: Option<u64>,
    retry: Option<RetryPolicy>,
    pagination: Option<Pagination>,
    repairs: Option<Repairs>,
    canary: Option<CanaryRule>,
    batch: Option<BatchRule>,
}

/// A limit that the vendor documents. Calls are held to it from the first one on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredLimit {
    /// So many requests in so much time.
    pub rate: Option<(u32, Duration)>,
    /// So many requests at the same time.
    pub concurrent: Option<u32>,
    /// For these operations together; for all that no limit names, when empty.
    pub operations: Vec<String>,
}

/// What happens when an answer breaks the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResponseValidation {
    /// It is noted; the workflow goes on.
    #[default]
    Observe,
    /// The call fails with class `drift`.
    Enforce,
}

/// How the vendor's webhooks are recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// How they are signed.
    pub signature: SignatureScheme,
    /// With what.
    pub secret: SecretRef,
    /// The vendor's handshake.
    pub challenge: Option<Challenge>,
}

impl Connector {
    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its version, a semantic version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What people call it.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Who owns it, by the owner directory.
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// The API's document, overlay applied.
    pub fn api(&self) -> &OpenApi {
        &self.api
    }

    /// How it proves who calls.
    pub fn auth(&self) -> &AuthProfile {
        &self.rules.auth
    }

    /// The certificate with which it proves itself in TLS handshakes, beside or in place of anything else.
    pub fn certificate(&self) -> Option<&CertificateRule> {
        self.rules.certificate.as_ref()
    }

    /// What is asked to see whether its connection works.
    pub fn probe(&self) -> Option<&ProbeRule> {
        match self.auth() {
            AuthProfile::Connection(oauth) => oauth.probe.as_ref(),
            _ => None,
        }
    }

    /// The limits that the vendor documents.
    pub fn limits(&self) -> &[DeclaredLimit] {
        &self.rules.limits
    }

    /// Its error map, in order.
    pub fn error_rules(&self) -> &[ErrorRule] {
        &self.rules.errors
    }

    /// The statuses after which a call is tried again, when the connector lists them.
    pub fn retryable(&self) -> Option<&[StatusMatch]> {
        self.rules.retryable.as_deref()
    }

    /// How long a connection to it may take; the client's own limit when it says nothing.
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.rules.connect
    }

    /// What happens when an answer breaks the contract.
    pub fn response_validation(&self) -> ResponseValidation {
        self.rules.validation
    }

    /// How the vendor's webhooks are recognised.
    pub fn webhook(&self) -> Option<&Webhook> {
        self.rules.webhook.as_ref()
    }

    /// The ids of its operations.
    pub fn operation_names(&self) -> Vec<String> {
        self.api.operations().iter().map(|operation| operation.id.to_string()).collect()
    }

    /// An operation of its document.
    pub fn operation(&self, id: &str) -> Option<&Operation> {
        self.api.operation(id)
    }

    /// What an ambiguous outcome of an operation does.
    pub fn effect(&self, operation: &Operation) -> EffectRule {
        self.rules
            .operations
            .get(&*operation.id)
            .and_then(|rules| rules.effect.clone())
            .unwrap_or_else(|| EffectRule::derived(operation.method.as_str()))
    }

    /// The declared effect of an operation, without a copy.
    pub(crate) fn declared_effect(&self, operation: &str) -> Option<&EffectRule> {
        self.rules.operations.get(operation)?.effect.as_ref()
    }

    /// How an operation's pages are read.
    pub fn pagination(&self, operation: &str) -> Option<&Pagination> {
        self.rules.operations.get(operation)?.pagination.as_ref()
    }

    /// What is put right in an operation's answers before they are held against the contract.
    pub fn repairs(&self, operation: &str) -> Option<&Repairs> {
        self.rules.operations.get(operation)?.repairs.as_ref()
    }

    /// How calls of an operation go together in one request.
    pub fn batch(&self, operation: &str) -> Option<&BatchRule> {
        self.rules.operations.get(operation)?.batch.as_ref()
    }

    /// The operations whose calls go together, with those in which they do.
    pub fn batches(&self) -> impl Iterator<Item = (&str, &BatchRule)> {
        let declared = self.rules.operations.iter();
        declared.filter_map(|(id, rules)| Some((id.as_str(), rules.batch.as_ref()?)))
    }

    /// The operations that are asked on a schedule, as far as its document has them.
    pub fn canaries(&self) -> impl Iterator<Item = (&str, &CanaryRule)> {
        let declared = self.rules.operations.iter();
        declared
            .filter_map(|(id, rules)| Some((id.as_str(), rules.canary.as_ref()?)))
            .filter(|(id, _)| self.api.operation(id).is_some())
    }

    /// The policy of an operation; None when there is no such operation.
    pub fn policy(&self, operation: &str) -> Option<CallPolicy> {
        let found = self.api.operation(operation)?;
        let rules = self.rules.operations.get(operation);
        let retry = rules.and_then(|rules| rules.retry.as_ref()).unwrap_or(&self.rules.retry);
        let timeout = rules.and_then(|rules| rules.timeout_ms).unwrap_or(self.rules.timeout_ms);
        Some(CallPolicy {
            effect: self.effect(found).class,
            retry: retry.clone(),
            timeout_ms: timeout,
            ..CallPolicy::default()
        })
    }

    /// The base address in an environment, without a slash at its end.
    pub fn base_url(
        &self,
        environment: &EnvironmentName,
        variables: &BTreeMap<String, serde_json::Value>,
    ) -> Result<String, Box<Failure>> {
        let mut url = if self.rules.base_urls.is_empty() {
            // Without declared addresses the document's own is meant, in every environment.
            self.api
                .servers()
                .first()
                .map(|server| server.address(&|_| None))
                .ok_or_else(|| Box::new(self.no_base_url(environment)))?
        } else {
            let setting = self
                .rules
                .base_urls
                .get(environment)
                .ok_or_else(|| Box::new(self.no_base_url(environment)))?;
            setting.resolve(variables)?
        };
        while url.ends_with('/') {
            url.pop();
        }
        Ok(url)
    }

    fn no_base_url(&self, environment: &EnvironmentName) -> Failure {
        let detail = format!("the connector `{}` has no base URL for `{environment}`", self.name);
        let mut failure = Failure::new(
            qc_model::Class::Permanent,
            codes::NO_BASE_URL,
            "No base URL for the environment",
            detail,
        );
        failure.owner.clone_from(&self.owner);
        failure
    }

    /// The secrets that it needs.
    pub fn secrets(&self) -> BTreeSet<&SecretRef> {
        let mut secrets: BTreeSet<&SecretRef> = self.rules.auth.secrets().into_iter().collect();
        secrets.extend(self.rules.certificate.iter().flat_map(CertificateRule::secrets));
        if let Some(webhook) = &self.rules.webhook {
            secrets.insert(&webhook.secret);
            secrets.extend(webhook.challenge.iter().filter_map(|one| one.secret.as_ref()));
        }
        secrets
    }

    /// The variables that it needs in an environment.
    pub fn variables(&self, environment: &EnvironmentName) -> BTreeSet<&str> {
        let url = self.rules.base_urls.get(environment);
        let mut names: BTreeSet<&str> = self.rules.auth.variables().into_iter().collect();
        names.extend(url.into_iter().flat_map(Setting::variables));
        names
    }

    /// A finding, without a place, when the operation changes something and its effect class is not declared.
    pub fn undeclared_effect(&self, operation: &str) -> Option<Finding> {
        let found = self.api.operation(operation)?;
        let effect = self.effect(found);
        if effect.declared || effect.class != qc_workflow::Effect::Once {
            return None;
        }
        let message = format!(
            "`{}.{operation}` changes something and has no declared effect class; an unknown outcome will wait for a person",
            self.name
        );
        Some(Finding::warning(codes::UNDECLARED_EFFECT, message).help(format!(
            "declare `operations.{operation}.effect` in connectors/{}/connector.yaml",
            self.name
        )))
    }

    /// A finding, without a place, when the document says of errors of the operation that nothing tells what they mean.
    pub fn unmapped_errors(&self, operation: &str) -> Option<Finding> {
        let found = self.api.operation(operation)?;
        let statuses = errors::unmapped(&self.rules.errors, found);
        if statuses.is_empty() {
            return None;
        }
        let names: Vec<String> = statuses.iter().map(ToString::to_string).collect();
        let message = format!(
            "`{}.{operation}` may answer {}, and no error rule says what that means; it is taken for a fault that trying again does not help",
            self.name,
            names.join(", ")
        );
        Some(Finding::warning(codes::UNMAPPED_ERROR, message).help(format!(
            "add a rule to `errors` in connectors/{}/connector.yaml; `status: other` takes all that is left",
            self.name
        )))
    }

    /// The connector with only these operations, and those by which they are read back, go together, or the connection is
    /// probed. What a release holds.
    pub fn keep<'a>(&self, operations: impl IntoIterator<Item = &'a str>) -> (Self, Vec<Finding>) {
        let mut kept: BTreeSet<&str> = operations.into_iter().collect();
        let verifying: Vec<&str> = kept
            .iter()
            .filter_map(|id| self.declared_effect(id)?.verify.as_ref())
            .map(|verify| verify.operation.as_str())
            .collect();
        let together: Vec<&str> =
            kept.iter().filter_map(|id| Some(self.batch(id)?.operation.as_str())).collect();
        kept.extend(verifying);
        kept.extend(together);
        kept.extend(self.probe().map(|probe| probe.operation.as_str()));
        let ids: Vec<&str> = kept.into_iter().collect();
        let document = self.api.keep_only(&ids).to_string();
        let files = BTreeMap::from([("openapi.json".to_owned(), document)]);
        let (api, findings) = OpenApi::load(&files, "openapi.json");
        let api = api.map_or_else(|| Arc::clone(&self.api), Arc::new);
        (Self { api, ..self.clone() }, findings)
    }
}
