use std::fmt::Write;

use qc_contract::{OpenApi, ParameterLocation, SecurityScheme};
use qc_model::{EnvironmentName, Finding, Name};

use super::{EffectRule, load::check_base_url};

/// Most operations whose effect class the new file asks for.
const ASKED_OPERATIONS: usize = 20;

/// The files of a new connector, and what their author still has to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaffold {
    /// Path relative to the project's root, and text.
    pub files: Vec<(String, String)>,
    /// Open decisions, one sentence each.
    pub decisions: Vec<String>,
}

/// Makes a connector package from an OpenAPI document: its addresses from `servers`, its authentication guessed from
/// `securitySchemes`. `is_json` tells in which of the two forms the document is written.
pub fn scaffold(
    name: &Name,
    document: &str,
    is_json: bool,
    environments: &[EnvironmentName],
) -> Result<Scaffold, Vec<Finding>> {
    let file = if is_json { "openapi.json" } else { "openapi.yaml" };
    let api = OpenApi::from_text(file, document)?;
    let mut decisions = Vec::new();
    let mut text = String::new();
    let title = if api.title().is_empty() { name.as_str() } else { api.title() };
    line(
        &mut text,
        "# What the API's document does not say: addresses, credentials, and what an unknown outcome means.",
    );
    line(&mut text, &format!("name: {name}"));
    line(&mut text, "version: 0.1.0");
    line(&mut text, &format!("title: {}", quoted(title)));
    line(&mut text, "# owner: the team of quickconnect.yaml that answers for this connector");
    line(&mut text, &format!("openapi: {file}"));
    line(&mut text, "");
    decisions.push("`owner`: who answers for this connector?".to_owned());
    base_urls(&api, environments, &mut text, &mut decisions);
    auth(name, &api, &mut text, &mut decisions);
    line(&mut text, "timeouts:");
    line(&mut text, "  total: 30s");
    effects(&api, &mut text, &mut decisions);
    let folder = format!("connectors/{name}");
    let changelog = format!(
        "# Changelog of the connector {name}\n\n## 0.1.0\n\n- First version, made from {title} {}.\n",
        api.api_version()
    );
    Ok(Scaffold {
        files: vec![
            (format!("{folder}/connector.yaml"), text),
            (format!("{folder}/{file}"), document.to_owned()),
            (format!("{folder}/CHANGELOG.md"), changelog),
        ],
        decisions,
    })
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// A YAML scalar in double quotes; JSON's escapes are YAML's too.
fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

fn base_urls(
    api: &OpenApi,
    environments: &[EnvironmentName],
    text: &mut String,
    decisions: &mut Vec<String>,
) {
    let address = api.servers().first().map(|server| server.address(&|_| None));
    let address = address.filter(|url| check_base_url(url).is_ok());
    let url = address.unwrap_or_else(|| {
        decisions.push("`base_urls`: the document names no absolute address".to_owned());
        "https://example.invalid".to_owned()
    });
    line(text, "base_urls:");
    for environment in environments {
        line(text, &format!("  {environment}: {}", quoted(url.trim_end_matches('/'))));
    }
    line(text, "");
    if environments.len() > 1 {
        decisions.push("`base_urls`: does each environment have an address of its own?".to_owned());
    }
}

fn auth(name: &Name, api: &OpenApi, text: &mut String, decisions: &mut Vec<String>) {
    let profile = api.security_schemes().iter().find_map(|(_, scheme)| profile(name, scheme));
    line(text, "auth:");
    if let Some((profile, secrets)) = profile {
        text.push_str(&profile);
        decisions.push(format!("provide {secrets} in each environment"));
        if api.security_schemes().len() > 1 {
            decisions.push(
                "`auth`: the document offers several ways; is this the right one?".to_owned(),
            );
        }
    } else {
        line(text, "  none: {}");
        decisions.push("`auth`: the document says nothing that can be used here".to_owned());
    }
    line(text, "");
}

/// The profile's lines, and the secrets that it needs.
fn profile(name: &Name, scheme: &SecurityScheme) -> Option<(String, String)> {
    let mut text = String::new();
    let mut secrets = format!("`secret://{name}/token`");
    match scheme {
        SecurityScheme::ApiKey { location, name: field } => {
            let place = match location {
                ParameterLocation::Header => "header",
                ParameterLocation::Query => "query",
                _ => return None,
            };
            secrets = format!("`secret://{name}/key`");
            let _ = write!(
                text,
                "  api_key:\n    in: {place}\n    name: {}\n    value: secret://{name}/key\n",
                quoted(field)
            );
        }
        SecurityScheme::Http { scheme } if &**scheme == "basic" => {
            secrets = format!("`secret://{name}/username` and `secret://{name}/password`");
            let _ = write!(
                text,
                "  basic:\n    username: secret://{name}/username\n    password: secret://{name}/password\n"
            );
        }
        SecurityScheme::Http { scheme } if &**scheme == "bearer" => {
            let _ = write!(text, "  bearer:\n    token: secret://{name}/token\n");
        }
        SecurityScheme::OAuth2 { flows } => {
            let flow = flows
                .iter()
                .find(|flow| matches!(&*flow.name, "clientCredentials" | "application"));
            match flow.and_then(|flow| flow.token_url.as_deref().map(|url| (flow, url))) {
                Some((flow, url)) => {
                    secrets =
                        format!("`secret://{name}/client-id` and `secret://{name}/client-secret`");
                    let scopes: Vec<String> =
                        flow.scopes.iter().map(|scope| quoted(scope)).collect();
                    let _ = write!(
                        text,
                        "  oauth2_client_credentials:\n    token_url: {}\n    client_id: secret://{name}/client-id\n    client_secret: secret://{name}/client-secret\n    # only the scopes that the integrations need\n    scopes: [{}]\n",
                        quoted(url),
                        scopes.join(", ")
                    );
                }
                // Users' consent is not obtained here; a token got elsewhere can be used.
                None => {
                    let _ = write!(text, "  bearer:\n    token: secret://{name}/token\n");
                }
            }
        }
        SecurityScheme::Http { .. }
        | SecurityScheme::OpenIdConnect { .. }
        | SecurityScheme::MutualTls => return None,
    }
    Some((text, secrets))
}

/// Operations that change something, to be filled in: until then an unknown outcome of them waits for a person.
fn effects(api: &OpenApi, text: &mut String, decisions: &mut Vec<String>) {
    let once = qc_workflow::Effect::Once;
    let changing: Vec<&str> = api
        .operations()
        .iter()
        .filter(|operation| EffectRule::derived(operation.method.as_str()).class == once)
        .map(|operation| &*operation.id)
        .collect();
    if changing.is_empty() {
        return;
    }
    line(text, "");
    line(
        text,
        "# What an unknown outcome (sent, no answer) of these operations means. Undeclared, it waits for a person.",
    );
    line(text, "# operations:");
    for id in changing.iter().take(ASKED_OPERATIONS) {
        line(text, &format!("#   {id}:"));
        line(
            text,
            "#     effect: { class: once }   # or idempotent, or keyed with `key`, or verify with `verify`",
        );
    }
    decisions.push(format!(
        "`operations`: the effect classes of the {} operations that change something, as far as you use them",
        changing.len()
    ));
}
