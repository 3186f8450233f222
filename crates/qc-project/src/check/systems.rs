//! Systems: their connectors, and calls to what is no declared system.

use std::collections::BTreeSet;

use qc_contract::OpenApi;
use qc_model::{Finding, Name};
use qc_workflow::{CallSite, SiteTarget};

use super::{Subject, closest_or_list};
use crate::{
    codes,
    integration::{Direction, System, TriggerForm},
    shape::Named,
};

pub(super) fn check(subject: &mut Subject<'_>) {
    connectors(subject);
    let Some(program) = &subject.folder.program else { return };
    let mut called: BTreeSet<&Name> = BTreeSet::new();
    for site in program.calls() {
        match system_of(subject, site) {
            Ok(name) => called.extend(name),
            Err((message, help)) => {
                let finding =
                    Finding::error(codes::UNDECLARED_SYSTEM, message).at(site.place.clone());
                subject.out.push(finding.help(help));
            }
        }
    }
    let polled = |name: &Name, system: &System| {
        let connector = subject.project.connector_of(name, system);
        subject.file.value.triggers.iter().any(|(_, trigger)| match &trigger.form {
            TriggerForm::Poll { poll, .. } => Some(&poll.connector.value) == connector,
            _ => false,
        })
    };
    for (name, system) in subject.file.value.systems.iter() {
        let used = called.contains(&name.value) || polled(&name.value, system);
        if system.direction != Direction::Inbound && !used {
            let message =
                format!("the system `{}` takes data from here, but no task calls it", name.value);
            let finding = subject.file.warning(codes::UNUSED_SYSTEM, name.span, message);
            subject.out.push(
                finding.help("write the task, remove the system, or say `direction: inbound`"),
            );
        }
    }
}

fn connectors(subject: &mut Subject<'_>) {
    for (name, system) in subject.file.value.systems.iter() {
        let (wanted, span) = match &system.connector {
            Some(connector) => (&connector.value, connector.span),
            None if subject.project.has_connector_folder(name.as_str())
                || !system.hosts.is_empty() =>
            {
                continue;
            }
            // A system that only sends events needs no connector.
            None if system.direction == Direction::Inbound => continue,
            None => (&name.value, name.span),
        };
        if !subject.project.has_connector_folder(wanted.as_str()) {
            let message = format!("there is no connector `{wanted}`");
            let help = closest_or_list(wanted.as_str(), subject.project.connector_names());
            let finding = subject.file.error(codes::UNKNOWN_CONNECTOR, span, message);
            subject.out.push(
                finding
                    .help(format!("{help}; `qc new connector {wanted} --openapi FILE` makes one")),
            );
        }
    }
}

/// The declared system that a place calls. `has_connector`: whether there is such a connector's folder; `servers`: the
/// hosts of a document that the workflow names.
pub(crate) fn declared_system<'a>(
    systems: &'a Named<Name, System>,
    has_connector: &dyn Fn(&str) -> bool,
    servers: &dyn Fn(&str) -> Vec<String>,
    site: &CallSite,
) -> Option<&'a Name> {
    let found = match &site.target {
        SiteTarget::Connector { connector, .. } => {
            systems.iter().find(|(name, system)| match &system.connector {
                Some(named) => named.as_str() == connector,
                None => name.as_str() == connector && has_connector(connector),
            })
        }
        SiteTarget::OpenApi { document, .. } => {
            let hosts = servers(document);
            systems.iter().find(|(_, system)| is_at(system, &hosts, document))
        }
        SiteTarget::Http { endpoint, .. } => {
            let hosts: Vec<String> = host(endpoint).into_iter().collect();
            systems.iter().find(|(_, system)| is_at(system, &hosts, endpoint))
        }
        SiteTarget::Human { .. } | SiteTarget::Kept { .. } => None,
    };
    found.map(|(name, _)| &name.value)
}

/// The hosts of a document.
pub(crate) fn servers_of(api: &OpenApi) -> Vec<String> {
    api.servers()
        .iter()
        .map(|server| server.address(&|_| None))
        .filter_map(|url| host(&url))
        .collect()
}

fn is_at(system: &System, hosts: &[String], written: &str) -> bool {
    system.hosts.iter().any(|declared| {
        match declared.strip_prefix("${vars.").and_then(|rest| rest.strip_suffix('}')) {
            // The host is known only at run time; the address must at least be built from that variable.
            Some(variable) => mentions(written, variable),
            None => hosts.iter().any(|host| host == &declared.value),
        }
    })
}

/// The declared system that a place calls, or what to do about its absence; None when the call stays
/// in the platform.
fn system_of<'a>(
    subject: &Subject<'a>,
    site: &CallSite,
) -> Result<Option<&'a Name>, (String, String)> {
    let systems = &subject.file.value.systems;
    let has_connector = |name: &str| subject.project.has_connector_folder(name);
    let servers =
        |document: &str| subject.folder.documents.get(document).map(servers_of).unwrap_or_default();
    if let Some(found) = declared_system(systems, &has_connector, &servers, site) {
        return Ok(Some(found));
    }
    let folder = &subject.folder.folder;
    let host = match &site.target {
        SiteTarget::Connector { connector, .. } => {
            let message = format!(
                "the call goes through the connector `{connector}`, which is no declared system"
            );
            return Err((
                message,
                format!(
                    "declare the system, with its owner and criticality, in `systems` of {folder}/integration.yaml"
                ),
            ));
        }
        SiteTarget::OpenApi { document, .. } => servers(document).into_iter().next(),
        SiteTarget::Http { endpoint, .. } => host(endpoint),
        SiteTarget::Human { .. } | SiteTarget::Kept { .. } => return Ok(None),
    };
    let host = host
        .map_or("an address that is only known at run time".to_owned(), |host| format!("`{host}`"));
    let message = format!("the call goes to {host}, which is no declared system");
    let help = "add the host (or the whole `${vars.name}` from which the address is built) to `hosts` of a system".to_owned();
    Err((message, help))
}

/// The host of a URL; None when it is an expression or has a template in its host.
fn host(endpoint: &str) -> Option<String> {
    let rest = endpoint.split_once("://")?.1;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest[..end].rsplit('@').next()?;
    let host = authority.rsplit_once(':').map_or(authority, |(host, port)| {
        if port.bytes().all(|b| b.is_ascii_digit()) { host } else { authority }
    });
    let plain = !host.is_empty() && !host.contains(['$', '{', '}', ' ', '(', '"']);
    (plain && endpoint.starts_with("http")).then(|| host.to_ascii_lowercase())
}

/// Whether a text mentions `vars.<name>` as a whole word.
pub(super) fn mentions(text: &str, variable: &str) -> bool {
    super::variables::mentioned(text).any(|name| name == variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_address_is_found_only_when_it_is_certain() {
        assert_eq!(host("https://API.example.com:8443/v1?x"), Some("api.example.com".to_owned()));
        assert_eq!(host("https://user@api.example.com"), Some("api.example.com".to_owned()));
        assert_eq!(host("${ $runtime.metadata.vars.url + \"/x\" }"), None);
        assert_eq!(host("https://{tenant}.example.com/v1"), None);
        assert!(mentions("${ $runtime.metadata.vars.crm_url + \"/x\" }", "crm_url"));
        assert!(!mentions("${ $runtime.metadata.vars.crm_url2 }", "crm_url"));
    }
}
