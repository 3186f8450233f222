//! Systems: their connectors, and calls to what is no declared system.

use std::collections::BTreeSet;

use qc_model::{Finding, Name};
use qc_workflow::{CallSite, SiteTarget};

use super::{Subject, closest_or_list};
use crate::{
    codes,
    integration::{Direction, System, TriggerForm},
};

pub(super) fn check(subject: &mut Subject<'_>) {
    connectors(subject);
    let Some(program) = &subject.folder.program else { return };
    let mut called: BTreeSet<&Name> = BTreeSet::new();
    for site in program.calls() {
        if matches!(site.target, SiteTarget::Human { .. }) {
            continue;
        }
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

/// The declared system that a place calls; None when it stays in the platform.
fn system_of<'a>(
    subject: &Subject<'a>,
    site: &CallSite,
) -> Result<Option<&'a Name>, (String, String)> {
    let systems = &subject.file.value.systems;
    let folder = &subject.folder.folder;
    let system = match &site.target {
        SiteTarget::Human { .. } => {
            let message = "a person is no system".to_owned();
            Err((message, "call people by `human.approve`, `human.choose` or `human.fill`".to_owned()))
        }
        SiteTarget::Connector { connector, .. } => systems
            .iter()
            .find(|(name, system)| {
                subject.project.connector_of(&name.value, system).is_some_and(|used| used.as_str() == connector)
            })
            .map(|(name, _)| &name.value)
            .ok_or_else(|| {
                let message = format!("the call goes through the connector `{connector}`, which is no declared system");
                (message, format!("declare the system, with its owner and criticality, in `systems` of {folder}/integration.yaml"))
            }),
        SiteTarget::OpenApi { document, .. } => {
            let api = subject.folder.documents.get(document);
            let hosts: Option<Vec<String>> = api.map(|api| {
                api.servers().iter().map(|server| server.address(&|_| None)).filter_map(|url| host(&url)).collect()
            });
            by_host(subject, &hosts.unwrap_or_default(), document)
        }
        SiteTarget::Kept { .. } => return Ok(None),
        SiteTarget::Http { endpoint, .. } => by_host(subject, &host(endpoint).into_iter().collect::<Vec<_>>(), endpoint),
    };
    system.map(Some)
}

fn by_host<'a>(
    subject: &Subject<'a>,
    hosts: &[String],
    written: &str,
) -> Result<&'a Name, (String, String)> {
    let fits = |system: &System| {
        system.hosts.iter().any(|declared| {
            match declared.strip_prefix("${vars.").and_then(|rest| rest.strip_suffix('}')) {
                // The host is known only at run time; the address must at least be built from that variable.
                Some(variable) => mentions(written, variable),
                None => hosts.iter().any(|host| host == &declared.value),
            }
        })
    };
    let found = subject.file.value.systems.iter().find(|(_, system)| fits(system));
    found.map(|(name, _)| &name.value).ok_or_else(|| {
        let host = hosts.first().map_or("an address that is only known at run time".to_owned(), |host| format!("`{host}`"));
        let message = format!("the call goes to {host}, which is no declared system");
        let help = "add the host (or the whole `${vars.name}` from which the address is built) to `hosts` of a system".to_owned();
        (message, help)
    })
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
