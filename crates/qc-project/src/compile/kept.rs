//! What an integration keeps, as the engine and the workflow's compiler take it.

use qc_engine::{Kept, StateRule, TableRule};
use qc_model::Finding;
use qc_workflow::KeptNames;

use super::{echo::echo, triggers::load_schema};
use crate::{Project, integration::Integration, project::IntegrationFolder};

/// The declared names.
pub(crate) fn kept_names(integration: &Integration) -> KeptNames {
    let tables = integration.crossrefs.iter().map(|(name, table)| {
        let systems = table.between.0.each_ref().map(|system| system.value.to_string());
        (name.value.to_string(), systems)
    });
    KeptNames {
        states: integration.state.names().map(ToString::to_string).collect(),
        tables: tables.collect(),
    }
}

/// Compiles what is kept. What is wrong is among the findings, and not in the result.
pub(crate) fn kept(
    project: &Project,
    folder: &IntegrationFolder,
    findings: &mut Vec<Finding>,
) -> Kept {
    let Some(definition) = &folder.definition else { return Kept::default() };
    let it = &definition.value;
    let mut kept = Kept::default();
    for (name, spec) in it.state.iter() {
        let schema = match &spec.schema {
            None => None,
            Some(path) => match load_schema(project, folder, &path.path) {
                Ok(schema) => Some(schema),
                Err(found) => {
                    findings.extend(found);
                    continue;
                }
            },
        };
        kept.states.insert(name.value.to_string(), StateRule { schema, ttl: spec.ttl });
    }
    for (name, systems) in kept_names(it).tables {
        kept.tables.insert(name, TableRule { systems });
    }
    kept.echo = echo(folder, findings);
    kept
}
