//! What is known of a call's request without sending it: where it goes, and how it is shown when its attempt was cut off.

use std::sync::Arc;

use qc_connect::call::{Connectors, EnvironmentScope};
use qc_contract::{OpenApi, Operation};
use qc_pace::Declared;
use qc_workflow::{CallRequest, CallTarget, SecretMark};
use serde_json::Value;

use crate::fair::Lane;

/// What stands for a secret.
const MASK: &str = "***";
/// The ends of a placeholder in a percent-encoded address.
const OPEN: &str = "%EE%80%80";
const CLOSE: &str = "%EE%80%81";

/// The system to which a call goes, a connector in an environment or a host, and the limit against which it counts, with
/// what is declared of that.
pub(crate) fn lane_of(
    connectors: &Connectors,
    scope: &EnvironmentScope,
    request: &CallRequest,
) -> (Lane, Option<Declared>) {
    let again = request.attempt > 1;
    if let CallTarget::Connector { connector, .. } = &request.target {
        let system: Arc<str> = format!("{}/{connector}", scope.name).into();
        let Some((limit, declared)) = connectors.limit_of(&request.target) else {
            return (Lane { limit: system.clone(), system, again }, None);
        };
        let limit = format!("{}/{limit}", scope.name).into();
        return (Lane { system, limit, again }, Some(declared));
    }
    let (_, url) = request_of(connectors, scope, request);
    let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let host: Arc<str> = rest.split('/').next().unwrap_or_default().into();
    (Lane { limit: host.clone(), system: host, again }, None)
}

/// Method and address of a call, the address without its query and with `***` where a secret stands; what cannot be told
/// is empty.
pub(crate) fn request_of(
    release: &Connectors,
    scope: &EnvironmentScope,
    call: &CallRequest,
) -> (String, String) {
    match &call.target {
        CallTarget::Connector { connector, operation, arguments, .. } => {
            let Some(connector) = release.get(connector) else { return Default::default() };
            let base = connector.base_url(&scope.name, &scope.vars).unwrap_or_default();
            let operation = connector.operation(operation);
            of_operation(&base, connector.api(), operation, arguments, call.secrets)
        }
        CallTarget::OpenApi { document, operation, arguments, .. } => {
            let Some(api) = release.document(document) else { return Default::default() };
            let operation = api.operation(operation);
            let own = operation.and_then(|operation| operation.servers.first());
            let server = own.or_else(|| api.servers().first());
            let base = server.map(|server| server.address(&|_| None)).unwrap_or_default();
            of_operation(base.trim_end_matches('/'), api, operation, arguments, call.secrets)
        }
        // Nothing leaves the platform: it looks at what it keeps, or asks a person.
        CallTarget::Kept { .. } | CallTarget::Human { .. } => Default::default(),
        CallTarget::Http { method, endpoint, .. } => {
            let endpoint = endpoint.split(['?', '#']).next().unwrap_or_default();
            (method.clone(), masked(endpoint, call.secrets))
        }
    }
}

fn of_operation(
    base: &str,
    api: &OpenApi,
    operation: Option<&Operation>,
    arguments: &Value,
    mark: SecretMark,
) -> (String, String) {
    let Some(operation) = operation else { return Default::default() };
    let mut shown = arguments.clone();
    // Masking looks nothing up, so it cannot fail.
    drop(mark.substitute(&mut shown, &|_| Some(MASK.to_owned())));
    // Masked values may not fit the schemas; then the path's template is what is shown.
    let path = api
        .build(operation, &shown)
        .map_or_else(|_| operation.path.to_string(), |built| built.path.replace("%2A%2A%2A", MASK));
    (operation.method.as_str().to_owned(), format!("{base}{path}"))
}

/// An address without placeholders, also those that were percent-encoded with it.
fn masked(address: &str, mark: SecretMark) -> String {
    let mut whole = String::with_capacity(address.len());
    let mut rest = address;
    while let Some((before, from)) = rest.split_once(OPEN) {
        let Some((_, after)) = from.split_once(CLOSE) else { break };
        whole.push_str(before);
        whole.push_str(MASK);
        rest = after;
    }
    whole.push_str(rest);
    let plain = mark.substitute_text(&whole, &|_| Some(MASK.to_owned()));
    plain.ok().flatten().unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_an_address_is_masked_however_it_stands_there() {
        let mark = SecretMark::new(7);
        let placeholder = mark.placeholder("token");
        let encoded: String =
            placeholder.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
        assert!(encoded.starts_with(OPEN) && encoded.ends_with(CLOSE), "{encoded}");
        for secret in [placeholder, encoded] {
            let address = format!("https://x.example/hooks/{secret}/send");
            assert_eq!(masked(&address, mark), "https://x.example/hooks/***/send");
        }
        assert_eq!(masked("https://x.example/%EE%80%80", mark), "https://x.example/%EE%80%80");
    }
}
