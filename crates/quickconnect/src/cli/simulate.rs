use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use qc_document::closest;
use qc_model::{EnvironmentName, Finding};
use qc_project::Project;
use qc_simulator::{Credentials, Fault, ServeSpec, Serving, start};
use serde_json::json;
use url::{Host, Url};

use super::{
    Exit, Trouble,
    files::{project, root},
    output::table,
    session::Session,
};
use crate::{codes, signals::Signals, wiring::SystemClock};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The connectors to simulate; all of the project when left out
    connectors: Vec<String>,
    /// The project's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// The port of the first simulator, the others follow in the order of their names; 0 takes free ones. Left out,
    /// each listens where an environment of the project calls it on this machine, or on a free port
    #[arg(long)]
    port: Option<u16>,
    /// Append what each simulator receives to `DIR/CONNECTOR.ndjson`
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    /// Faults of a connector, a YAML or JSON file with a list
    #[arg(long, value_name = "CONNECTOR=FILE", value_parser = pair)]
    faults: Vec<(String, PathBuf)>,
    /// What chance in the simulators grows from: the same seed, the same behaviour
    #[arg(long, default_value = "0")]
    seed: u64,
}

fn pair(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("write `CONNECTOR=FILE`")?;
    Ok((name.to_owned(), PathBuf::from(file)))
}

/// A secret for those who take any: base64, because that is what schemes for signatures ask for.
const ANY_SECRET: &str = "c2ltdWxhdGVk";

pub(super) async fn run(
    session: &Session,
    arguments: Arguments,
    mut signals: Signals,
) -> Result<Exit, Trouble> {
    let output = session.output;
    let project = project(&arguments.folder)?;
    let specs = arguments.specs(&project)?;
    let servings = start(specs, Arc::new(SystemClock)).await.map_err(not_started)?;
    let names: Vec<&str> = servings.iter().map(|serving| serving.provider().name()).collect();
    let variables = variables(&project, &names);
    let shown: Vec<_> = servings
        .iter()
        .map(|serving| json!({ "connector": serving.provider().name(), "url": serving.base_url() }))
        .collect();
    let value = json!({ "schema_version": 1, "simulators": shown, "variables": variables });
    output.result(&value, || listing(&servings));
    output.say("what they hold and received: URL/_sim/state, URL/_sim/requests; Ctrl-C ends them");
    if !variables.is_empty() {
        output.say("\nthey take any secret, but `qc dev` needs some; before it, in its terminal:");
        for variable in &variables {
            output.say(&format!("  export {variable}={ANY_SECRET}"));
        }
    }
    signals.wish_to_end().await;
    for serving in servings {
        let (name, received) =
            (serving.provider().name().to_owned(), serving.provider().received());
        serving.stop().await;
        output.say(&format!(
            "{name} received {received} {}",
            if received == 1 { "request" } else { "requests" }
        ));
    }
    Ok(Exit::Ok)
}

/// An address that is taken is a conflict, all else is about the project's files.
fn not_started(mut findings: Vec<Finding>) -> Trouble {
    let mut exit = Exit::Findings;
    for finding in
        findings.iter_mut().filter(|finding| finding.code == qc_simulator::codes::ADDRESS)
    {
        exit = Exit::Conflict;
        finding.help.get_or_insert_with(|| {
            "take free ports with `--port 0`, or others with `--port`".to_owned()
        });
    }
    Trouble { exit, findings, problem: None }
}

fn listing(servings: &[Serving]) -> String {
    let row = |serving: &Serving| vec![serving.provider().name().to_owned(), serving.base_url()];
    table(&["CONNECTOR", "URL"], &servings.iter().map(row).collect::<Vec<_>>())
}

impl Arguments {
    fn specs(&self, project: &Project) -> Result<Vec<ServeSpec>, Trouble> {
        let (names, folder) = (self.names(project)?, root(&self.folder)?);
        let mut faults = self.read_faults(&names)?;
        if let Some(folder) = &self.ledger {
            std::fs::create_dir_all(folder).map_err(|error| Trouble::file(folder, &error))?;
        }
        let specs = (0..).zip(names).map(|(nth, name)| {
            let port = match self.port {
                None => called_here(project, &name).map_or(0, |(_, port)| port),
                Some(0) => 0,
                Some(first) => first.checked_add(nth).ok_or_else(|| {
                    let help = "begin with a lower `--port`, or leave it out";
                    Trouble::usage(
                        codes::BAD_SETTING,
                        "there are not enough ports above this one",
                        help,
                    )
                })?,
            };
            Ok(ServeSpec {
                folder: folder.join("connectors").join(&name),
                address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
                ledger: self.ledger.as_ref().map(|folder| folder.join(format!("{name}.ndjson"))),
                credentials: Credentials::any(),
                faults: faults.remove(&name).unwrap_or_default(),
                seed: self.seed,
                name,
            })
        });
        specs.collect()
    }

    /// The chosen connectors in the order of their names, each once.
    fn names(&self, project: &Project) -> Result<Vec<String>, Trouble> {
        let all: Vec<&str> = project.connector_names().collect();
        if all.is_empty() {
            let finding = Finding::error(codes::NOTHING_CHOSEN, "the project has no connectors");
            let help = "make one with `qc new connector NAME --openapi FILE`";
            return Err(Trouble::new(Exit::NotFound, finding.help(help)));
        }
        let asked = self.connectors.iter().chain(self.faults.iter().map(|(name, _)| name));
        let unknown: Vec<Finding> = asked
            .filter(|name| !all.contains(&name.as_str()))
            .map(|name| {
                let help = match closest(name, all.iter().copied()) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => format!("there is: {}", all.join(", ")),
                };
                let message = format!("there is no connector `{name}`");
                Finding::error(codes::NOTHING_CHOSEN, message).help(help)
            })
            .collect();
        if !unknown.is_empty() {
            return Err(Trouble { exit: Exit::NotFound, findings: unknown, problem: None });
        }
        let chosen = |name: &&str| {
            self.connectors.is_empty() || self.connectors.iter().any(|one| one == name)
        };
        Ok(all.into_iter().filter(chosen).map(str::to_owned).collect())
    }

    fn read_faults(&self, names: &[String]) -> Result<BTreeMap<String, Vec<Fault>>, Trouble> {
        let mut faults: BTreeMap<String, Vec<Fault>> = BTreeMap::new();
        for (name, file) in &self.faults {
            if !names.contains(name) {
                let message = format!("there are faults for `{name}`, which is not simulated");
                let help = format!("name it, too: `qc simulate {} {name}`", names.join(" "));
                return Err(Trouble::usage(codes::NOTHING_CHOSEN, message, help));
            }
            faults.entry(name.clone()).or_default().extend(faults_of(file)?);
        }
        Ok(faults)
    }
}

/// The first environment that calls the connector on this machine, and at which port.
fn called_here(project: &Project, connector: &str) -> Option<(EnvironmentName, u16)> {
    let organisation = &project.organisation()?.value;
    let connector = project.connectors().get(connector)?;
    organisation.environments.iter().find_map(|(name, environment)| {
        let values = organisation.vars.iter().filter_map(|(name, variable)| {
            let value = environment.vars.get(&name.value).or(variable.default.as_ref())?;
            Some((name.value.clone(), value.value.clone()))
        });
        let url = Url::parse(&connector.base_url(&name.value, &values.collect()).ok()?).ok()?;
        let here = match url.host()? {
            Host::Ipv4(address) => address == Ipv4Addr::LOCALHOST,
            Host::Domain(domain) => domain == "localhost",
            Host::Ipv6(_) => false,
        };
        if here { Some((name.value.clone(), url.port()?)) } else { None }
    })
}

/// The variables with secrets that a server needs in an environment that calls the simulators.
fn variables(project: &Project, connectors: &[&str]) -> BTreeSet<String> {
    let mut variables = BTreeSet::new();
    for name in connectors {
        let Some((environment, _)) = called_here(project, name) else { continue };
        let Some(connector) = project.connectors().get(name) else { continue };
        let secrets = connector.secrets();
        variables.extend(secrets.iter().map(|secret| secret.variable(environment.as_str())));
    }
    variables
}

fn faults_of(file: &Path) -> Result<Vec<Fault>, Trouble> {
    let text = std::fs::read_to_string(file).map_err(|error| Trouble::file(file, &error))?;
    Fault::parse(&text).map_err(|mut findings| {
        for place in findings.iter_mut().filter_map(|finding| finding.place.as_mut()) {
            place.file = file.display().to_string().into();
        }
        Trouble::findings(findings)
    })
}
