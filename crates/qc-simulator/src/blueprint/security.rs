//! The document's security schemes, as the simulator checks them.

use http::HeaderName;
use qc_contract::{OpenApi, ParameterLocation, SecurityScheme};

use crate::auth::{Scheme, SchemeKind};

/// The alternatives of an operation; empty when none is needed.
pub(super) fn alternatives(
    openapi: &OpenApi,
    operation: &qc_contract::Operation,
) -> Vec<Vec<Scheme>> {
    let requirement = |requirement: &qc_contract::SecurityRequirement| {
        let schemes = requirement.schemes.iter();
        schemes
            .map(|(name, scopes)| Scheme {
                kind: kind(openapi, name),
                scopes: scopes.iter().map(ToString::to_string).collect(),
            })
            .collect()
    };
    operation.security.iter().map(requirement).collect()
}

fn kind(openapi: &OpenApi, name: &str) -> SchemeKind {
    let declared = openapi.security_schemes().iter().find(|(known, _)| &**known == name);
    match declared.map(|(_, scheme)| scheme) {
        Some(SecurityScheme::ApiKey { location, name }) => match location {
            ParameterLocation::Query => SchemeKind::KeyInQuery(name.to_string()),
            ParameterLocation::Cookie => SchemeKind::KeyInCookie(name.to_string()),
            _ => SchemeKind::KeyInHeader(name.to_string()),
        },
        Some(SecurityScheme::Http { scheme }) if &**scheme == "basic" => SchemeKind::Basic,
        Some(SecurityScheme::Http { scheme }) if &**scheme == "bearer" => SchemeKind::Bearer,
        Some(SecurityScheme::OAuth2 { flows }) => {
            SchemeKind::OAuth2 { issued_here: flows.iter().any(is_client_credentials) }
        }
        Some(SecurityScheme::MutualTls) => SchemeKind::Certificate,
        _ => SchemeKind::Unsupported(name.to_owned()),
    }
}

/// The path of the client credentials flow's token endpoint.
pub(super) fn token_path(openapi: &OpenApi) -> Option<String> {
    let flow = flows(openapi).into_iter().find(|flow| is_client_credentials(flow))?;
    let address = flow.token_url.as_deref()?;
    match url::Url::parse(address) {
        Ok(url) => Some(url.path().to_owned()),
        Err(_) => Some(format!("/{}", address.trim_start_matches("./").trim_start_matches('/'))),
    }
}

/// All scopes of the client credentials flow.
pub(super) fn scopes(openapi: &OpenApi) -> Vec<String> {
    let mut scopes: Vec<String> = flows(openapi)
        .into_iter()
        .filter(|flow| is_client_credentials(flow))
        .flat_map(|flow| flow.scopes.iter().map(ToString::to_string))
        .collect();
    scopes.sort();
    scopes.dedup();
    scopes
}

/// Swagger 2.0 calls the flow `application`.
fn is_client_credentials(flow: &qc_contract::OAuthFlow) -> bool {
    matches!(&*flow.name, "clientCredentials" | "application")
}

fn flows(openapi: &OpenApi) -> Vec<&qc_contract::OAuthFlow> {
    let schemes = openapi.security_schemes().iter();
    schemes
        .filter_map(|(_, scheme)| match scheme {
            SecurityScheme::OAuth2 { flows } => Some(flows),
            _ => None,
        })
        .flatten()
        .collect()
}

/// Headers and query parameters that carry API keys.
pub(super) fn secret_places(openapi: &OpenApi) -> (Vec<HeaderName>, Vec<String>) {
    let (mut headers, mut query) = (Vec::new(), Vec::new());
    for (_, scheme) in openapi.security_schemes() {
        match scheme {
            SecurityScheme::ApiKey { location: ParameterLocation::Query, name } => {
                query.push(name.to_string());
            }
            SecurityScheme::ApiKey { name, .. } => {
                headers.extend(HeaderName::try_from(&**name).ok());
            }
            _ => {}
        }
    }
    (headers, query)
}
