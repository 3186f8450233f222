use qc_model::{Finding, Name};

use crate::{Project, ProjectFiles, codes, project::CONNECTORS};

/// A new connector.
#[derive(Debug, Clone)]
pub struct NewConnector {
    /// Its files, with paths from the project's root.
    pub files: ProjectFiles,
    /// What its author still has to decide, one sentence each.
    pub decisions: Vec<String>,
}

/// Makes a connector from an OpenAPI document. `is_json` tells in which of its two forms the document is written.
pub fn new_connector(
    project: &Project,
    name: &Name,
    document: &str,
    is_json: bool,
) -> Result<NewConnector, Vec<Finding>> {
    if project.connector_names().any(|known| known == name.as_str()) {
        let message = format!("there is a folder `{CONNECTORS}/{name}` already");
        return Err(vec![Finding::error(codes::EXISTS, message).help("choose another name")]);
    }
    let organisation = project.organisation();
    let environments: Vec<Name> =
        organisation.iter().flat_map(|file| file.value.environments.names()).cloned().collect();
    let scaffold = qc_connect::connector::scaffold(name, document, is_json, &environments)?;
    let files = scaffold.files.into_iter().map(|(path, text)| (path, text.into()));
    Ok(NewConnector { files: ProjectFiles::new(files), decisions: scaffold.decisions })
}
