//! With what requests prove who sends them: valid credentials, and ones that must be refused.

use std::collections::BTreeMap;
use std::fmt;

use qc_contract::{OpenApi, Operation, ParameterLocation, SecurityScheme};
use qc_document::{Document, ObjectReader, Reader};
use qc_model::Finding;
use qc_vault::Secret;

use crate::codes;
use crate::wire::{Wire, basic};

/// Credentials that must be refused, by why. Only whoever issues tokens can make them, so they come from a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Bad {
    Expired,
    NotYetValid,
    WrongAudience,
    Revoked,
    LackingScope,
}

impl Bad {
    pub(crate) const ALL: [Self; 5] =
        [Self::Expired, Self::NotYetValid, Self::WrongAudience, Self::Revoked, Self::LackingScope];

    /// Its key in the file.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::WrongAudience => "wrong_audience",
            Self::Revoked => "revoked",
            Self::LackingScope => "lacking_scope",
        }
    }

    /// In a sentence.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Expired => "expired credentials",
            Self::NotYetValid => "credentials that are not valid yet",
            Self::WrongAudience => "credentials for another audience",
            Self::Revoked => "revoked credentials",
            Self::LackingScope => "credentials without the needed scope",
        }
    }
}

/// One way of proving who sends.
#[derive(Clone, Default)]
pub(crate) struct Proof {
    pub(crate) bearer: Option<Secret>,
    pub(crate) api_key: Option<Secret>,
    pub(crate) login: Option<(Secret, Secret)>,
}

/// The credentials of a verification.
#[derive(Clone, Default)]
pub struct Credentials {
    pub(crate) valid: Proof,
    pub(crate) bad: BTreeMap<Bad, Proof>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("bad", &self.bad.len()).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Made ones, for a simulator that knows them.
    pub fn made() -> Self {
        let secret = |text: &str| Secret::new(text);
        let valid = Proof {
            bearer: Some(secret(MADE_TOKEN)),
            api_key: Some(secret(MADE_KEY)),
            login: Some((secret(MADE_USER), secret(MADE_PASSWORD))),
        };
        Self { valid, bad: BTreeMap::new() }
    }

    /// Reads a file of credentials: `valid` and the bad ones by their names, each with `bearer`, `api_key`, `user` and
    /// `password`, and each of these `{env: NAME}`. `variables` is the environment.
    pub fn read(
        document: &Document,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<Finding>> {
        let reader = Reader::new(&document.source);
        let mut read = Self::default();
        if let Some(mut top) = reader.object(&document.root, "the credentials") {
            if let Some(object) = top.optional_object("valid") {
                read.valid = proof(object, variables);
            }
            for bad in Bad::ALL {
                if let Some(object) = top.optional_object(bad.key()) {
                    read.bad.insert(bad, proof(object, variables));
                }
            }
            top.finish();
        }
        let findings = reader.finish();
        if findings.is_empty() { Ok(read) } else { Err(findings) }
    }
}

/// What [`Credentials::made`] proves with; none of it is a secret.
pub(crate) const MADE_TOKEN: &str = "verification-token";
pub(crate) const MADE_KEY: &str = "verification-key";
pub(crate) const MADE_USER: &str = "verifier";
pub(crate) const MADE_PASSWORD: &str = "verification";

fn proof(mut object: ObjectReader<'_, '_>, variables: &BTreeMap<String, String>) -> Proof {
    let bearer = variable(&mut object, "bearer", variables);
    let api_key = variable(&mut object, "api_key", variables);
    let user = variable(&mut object, "user", variables);
    let password = variable(&mut object, "password", variables);
    object.finish();
    Proof { bearer, api_key, login: user.zip(password) }
}

fn variable(
    object: &mut ObjectReader<'_, '_>,
    key: &'static str,
    variables: &BTreeMap<String, String>,
) -> Option<Secret> {
    let reader = object.reader();
    let mut inner = object.optional_object(key)?;
    let span = inner.span();
    let name = inner.string("env").map(str::to_owned);
    inner.finish();
    let name = name?;
    let value = variables.get(&name).filter(|value| !value.is_empty());
    if value.is_none() {
        let message = format!("the variable `{name}` is not set");
        let finding = reader.error(codes::SETTINGS, span, message);
        reader.push(finding.help("export it before the test; files hold names, never values"));
    }
    value.map(Secret::new)
}

/// With which credentials a request goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sign {
    Valid,
    Nothing,
    /// What cannot be a credential of anybody.
    Malformed,
    Bad(Bad),
}

/// The alternative of an operation's security that these credentials can satisfy: its schemes.
pub(crate) fn alternative<'a>(
    api: &'a OpenApi,
    operation: &'a Operation,
    proof: &Proof,
) -> Option<Vec<&'a SecurityScheme>> {
    operation.security.iter().find_map(|alternative| {
        let schemes = alternative.schemes.iter().map(|(name, _)| {
            let scheme = api.security_schemes().iter().find(|(known, _)| known == name);
            scheme.map(|(_, scheme)| scheme).filter(|scheme| can_satisfy(proof, scheme))
        });
        schemes.collect()
    })
}

fn can_satisfy(proof: &Proof, scheme: &SecurityScheme) -> bool {
    match scheme {
        SecurityScheme::ApiKey { .. } => proof.api_key.is_some(),
        SecurityScheme::Http { scheme } if &**scheme == "basic" => proof.login.is_some(),
        SecurityScheme::Http { scheme } => &**scheme == "bearer" && proof.bearer.is_some(),
        SecurityScheme::OAuth2 { .. } | SecurityScheme::OpenIdConnect { .. } => {
            proof.bearer.is_some()
        }
        SecurityScheme::MutualTls => false,
    }
}

/// Whether an operation needs credentials: it has requirements, and none of them is empty.
pub(crate) fn is_protected(operation: &Operation) -> bool {
    !operation.security.is_empty()
        && operation.security.iter().all(|alternative| !alternative.schemes.is_empty())
}

/// Every scheme that the operation names.
fn schemes<'a>(api: &'a OpenApi, operation: &'a Operation) -> Vec<&'a SecurityScheme> {
    let names = operation.security.iter().flat_map(|alternative| &alternative.schemes);
    let named = names.filter_map(|(name, _)| {
        let found = api.security_schemes().iter().find(|(known, _)| known == name);
        found.map(|(_, scheme)| scheme)
    });
    named.collect()
}

/// Whether a refusal of missing credentials has to say what would be accepted (RFC 9110, 11.6.1): there is a registered
/// challenge for the scheme.
pub(crate) fn has_challenge(api: &OpenApi, operation: &Operation) -> bool {
    schemes(api, operation)
        .iter()
        .all(|scheme| matches!(scheme, SecurityScheme::Http { .. } | SecurityScheme::OAuth2 { .. }))
}

impl Credentials {
    pub(crate) fn proof(&self, sign: Sign) -> Option<&Proof> {
        match sign {
            Sign::Valid => Some(&self.valid),
            Sign::Bad(bad) => self.bad.get(&bad),
            Sign::Nothing | Sign::Malformed => None,
        }
    }

    /// Puts the proof on a request. What the operation itself has as a parameter of the same name goes away, so that a
    /// sampled value is no credential.
    pub(crate) fn sign(&self, api: &OpenApi, operation: &Operation, sign: Sign, wire: &mut Wire) {
        for scheme in schemes(api, operation) {
            strip(scheme, wire);
        }
        let made = Proof {
            bearer: Some(Secret::new("qc.not-a-token")),
            api_key: Some(Secret::new("qc-not-a-key")),
            login: Some((Secret::new("qc-nobody"), Secret::new("qc-nothing"))),
        };
        let proof = if sign == Sign::Malformed { Some(&made) } else { self.proof(sign) };
        let Some(proof) = proof else { return };
        for scheme in alternative(api, operation, proof).unwrap_or_default() {
            put(scheme, proof, wire);
        }
    }
}

fn strip(scheme: &SecurityScheme, wire: &mut Wire) {
    match scheme {
        SecurityScheme::ApiKey { location: ParameterLocation::Query, name } => {
            wire.query.retain(|(known, _)| *known != **name);
        }
        SecurityScheme::ApiKey { location: ParameterLocation::Cookie, .. } => {
            wire.drop_header("cookie");
        }
        SecurityScheme::ApiKey { name, .. } => wire.drop_header(name),
        _ => wire.drop_header("authorization"),
    }
}

fn put(scheme: &SecurityScheme, proof: &Proof, wire: &mut Wire) {
    match scheme {
        SecurityScheme::ApiKey { location, name } => {
            let Some(key) = &proof.api_key else { return };
            match location {
                ParameterLocation::Query => {
                    wire.query.push((name.to_string(), key.expose().to_owned()));
                }
                ParameterLocation::Cookie => {
                    wire.set_header("cookie", &format!("{name}={}", key.expose()));
                }
                _ => wire.set_header(name, key.expose()),
            }
        }
        SecurityScheme::Http { scheme } if &**scheme == "basic" => {
            if let Some((user, password)) = &proof.login {
                wire.set_header("authorization", &basic(user.expose(), password.expose()));
            }
        }
        _ => {
            if let Some(token) = &proof.bearer {
                wire.set_header("authorization", &format!("Bearer {}", token.expose()));
            }
        }
    }
}

/// Names of headers and query parameters that carry credentials: their values are never shown.
pub(crate) fn carriers(api: &OpenApi) -> Vec<String> {
    let mut names = vec!["authorization".to_owned(), "cookie".to_owned()];
    names.extend(api.security_schemes().iter().filter_map(|(_, scheme)| match scheme {
        SecurityScheme::ApiKey { name, .. } => Some(name.to_ascii_lowercase()),
        _ => None,
    }));
    names
}
