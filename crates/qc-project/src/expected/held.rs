//! `qc check`: what an integration was seen to expect is still what the descriptions of its connectors say. So a connector's
//! new version that lacks what somebody needs is found before it is tried.

use qc_connect::connector::Connector;
use qc_contract::{
    IncomingRequest, OpenApi, Operation, Routed,
    pact::{Body, Exchange, Interaction, Pact, Request, Response},
};
use qc_model::{Finding, Severity};
use serde_json::Value;

use super::EXPECTS;
use crate::{Project, codes, files::file_place, project::IntegrationFolder};

pub(crate) fn check(project: &Project, folder: &IntegrationFolder) -> Vec<Finding> {
    let mut findings = Vec::new();
    let inside = folder.path(EXPECTS);
    for (path, _) in project.files().under(&inside) {
        let name = &path[inside.len() + 1..];
        let known = name.strip_suffix(".json").and_then(|name| project.connectors().get(name));
        let (Some(connector), Some(text)) = (known, project.files().text(path)) else {
            let message = format!("`{name}` is not the file of a connector");
            let finding = Finding::error(codes::EXPECTED, message).at(file_place(path));
            findings.push(finding.help("each is named after its connector: `crm.json`"));
            continue;
        };
        let (pact, found) = Pact::read(path, text);
        let is_whole = found.iter().all(|finding| finding.severity != Severity::Error);
        findings.extend(found);
        for interaction in pact.filter(|_| is_whole).iter().flat_map(|it| &it.interactions) {
            for why in unmet(connector, interaction) {
                let message = format!(
                    "`{}` expects of `{}` what its description does not say: {}: {why}",
                    folder.name(),
                    connector.name(),
                    interaction.description
                );
                let finding = Finding::error(codes::EXPECTED, message).at(file_place(path));
                findings.push(finding.help(format!(
                    "change the workflow; what it expects then is written by `qc contract expect {} --out {inside}`",
                    folder.name()
                )));
            }
        }
    }
    findings
}

/// Why an interaction does not go.
fn unmet(connector: &Connector, interaction: &Interaction) -> Vec<String> {
    let Exchange::Http { request, response } = &interaction.exchange else {
        return vec!["it is no request".to_owned()];
    };
    let api = connector.api();
    let (operation, path) = match api.route(&request.method, &request.path) {
        Routed::Found { operation, path } => (operation, path),
        Routed::OtherMethods(methods) => {
            let there = methods.join(", ");
            return vec![format!("`{}` has no {}, but {there}", request.path, request.method)];
        }
        Routed::Nothing => {
            return vec![format!("there is no `{} {}`", request.method, request.path)];
        }
    };
    let mut found = asked(api, operation, &path, request);
    found.extend(answered(api, operation, response));
    found
}

fn asked(
    api: &OpenApi,
    operation: &Operation,
    path: &[(String, String)],
    request: &Request,
) -> Vec<String> {
    let flat = |pairs: &[(String, Vec<String>)]| -> Vec<(String, String)> {
        let each = pairs.iter().flat_map(|(name, all)| all.iter().map(move |one| (name, one)));
        each.map(|(name, one)| (name.clone(), one.clone())).collect()
    };
    let content = json(&request.body);
    let media_type = match &request.body {
        Body::Present(content) => Some(content.media_type.as_str()),
        _ => None,
    };
    let incoming = IncomingRequest {
        path,
        query: &flat(&request.query.fields),
        headers: &flat(&request.headers),
        media_type,
        body: content.as_ref(),
    };
    let found = api.check_request(operation, &incoming);
    found.iter().map(|mismatch| format!("the request is refused: {mismatch}")).collect()
}

/// What it needs has to be described, and of the kind that it was; what it can do without was left out.
fn answered(api: &OpenApi, operation: &Operation, response: &Response) -> Vec<String> {
    let seen = response.status.and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
    // Any success will do.
    let status = std::iter::once(seen).chain(200..300);
    let status = status.into_iter().find(|status| operation.response(*status).is_some());
    let status = status.unwrap_or(seen);
    let body = json(&response.body);
    let found = api.check_response(operation, status, &[], body.as_ref());
    let mut all: Vec<String> = found
        .iter()
        .filter(|mismatch| !["required", "header"].contains(&mismatch.keyword.as_str()))
        .map(|mismatch| format!("the answer is another one: {mismatch}"))
        .collect();
    if let Some(body) = &body {
        let unnamed = api.undeclared(operation, status, "application/json", body);
        all.extend(unnamed.iter().map(|field| format!("the answer has no `{}`", field.pointer)));
    }
    all
}

fn json(body: &Body) -> Option<Value> {
    let Body::Present(content) = body else { return None };
    serde_json::from_slice(&content.bytes).ok()
}
