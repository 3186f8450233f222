//! The systems of an integration, simulated, for whoever runs the whole platform around them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use qc_model::{Clock, EnvironmentName, Finding, Name};
use qc_simulator::{Provider, SimulatedCaller};
use qc_vault::SecretRef;

use super::{
    Scenario,
    clock::seed_of,
    world::{CONNECTION_TOKEN, others, secret_value, simulated},
};
use crate::{
    Project,
    compile::{Compiled, used_connectors},
    project::IntegrationFolder,
};

/// What stands in for the systems that an integration, and those whose workflows it runs, call.
pub struct StandIns {
    /// Reaches them where the connectors look for the real ones. Their answers take their time.
    pub caller: SimulatedCaller,
    /// By the name of the connector.
    pub providers: BTreeMap<Name, Arc<Provider>>,
    /// The secrets by their names, which they take.
    pub secrets: BTreeMap<String, String>,
    /// The token of all connections.
    pub connection: &'static str,
    /// The integrations whose workflows are run, too.
    pub others: Vec<String>,
}

/// Makes them for an environment, with what the scenarios give them at their beginning.
///
/// Errors: what is wrong with a connector or its simulator.
pub fn stand_ins(
    project: &Project,
    folder: &IntegrationFolder,
    compiled: &Compiled,
    environment: &EnvironmentName,
    clock: &Arc<dyn Clock>,
) -> Result<StandIns, Vec<Finding>> {
    let deployment = compiled.deployment(environment).map_err(|finding| vec![*finding])?;
    let others = others(project, folder, &deployment)?;
    let mut made = StandIns {
        caller: SimulatedCaller::new().in_real_time(),
        providers: BTreeMap::new(),
        secrets: BTreeMap::new(),
        connection: CONNECTION_TOKEN,
        others: others.iter().map(|(folder, _)| folder.name().to_owned()).collect(),
    };
    let mut know = |reference: &SecretRef| {
        made.secrets.insert(reference.name().to_owned(), secret_value(reference));
    };
    let releases = others.iter().map(|(_, other)| &other.release).chain([&deployment.release]);
    releases.flat_map(|release| release.secrets.values()).for_each(&mut know);
    let folders: Vec<&IntegrationFolder> =
        others.iter().map(|(folder, _)| *folder).chain([folder]).collect();
    let used: BTreeSet<Name> =
        folders.iter().flat_map(|folder| used_connectors(project, folder).into_keys()).collect();
    let scenarios: Vec<&Scenario> = folder.scenarios.iter().map(|file| &file.value).collect();
    for name in used {
        let Some(connector) = project.connectors().get(name.as_str()) else { continue };
        connector.secrets().into_iter().for_each(&mut know);
        let place = (&deployment, clock, seed_of(name.as_str()));
        let (url, provider) = simulated(project, folder, connector, &scenarios, place)?;
        made.caller = made.caller.clone().with(&url, Arc::clone(&provider));
        made.providers.insert(name, provider);
    }
    Ok(made)
}
