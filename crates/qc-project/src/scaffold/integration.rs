use qc_model::{Finding, Name};

use crate::{Project, ProjectFiles, codes, project::INTEGRATIONS};

/// Makes an integration that checks clean and whose scenario passes, and that does nothing yet.
pub fn new_integration(project: &Project, name: &Name) -> Result<ProjectFiles, Vec<Finding>> {
    if project.integrations().contains_key(name.as_str()) {
        let message = format!("there is a folder `{INTEGRATIONS}/{name}` already");
        return Err(vec![Finding::error(codes::EXISTS, message).help("choose another name")]);
    }
    let Some(organisation) = project.organisation() else {
        return Err(project.load_findings().to_vec());
    };
    let directory = &organisation.value;
    let business = directory.people.names().next().or_else(|| directory.teams.names().next());
    let technical = directory.teams.names().next().or(business);
    let (Some(business), Some(technical)) = (business, technical) else {
        let finding = Finding::error(
            codes::UNKNOWN_OWNER,
            "nobody could own the integration: the organisation has no people and no teams",
        );
        return Err(vec![finding.help("add yourself to `people` in quickconnect.yaml")]);
    };
    let folder = format!("{INTEGRATIONS}/{name}");
    let file = |path: &str, text: String| (format!("{folder}/{path}"), text.into());
    Ok(ProjectFiles::new([
        file("integration.yaml", definition(name, business, technical)),
        file("workflow.yaml", workflow(name)),
        file(&format!("contracts/{name}.schema.json"), CONTRACT.to_owned()),
        file(
            &format!("contracts/examples/valid/{name}.first.json"),
            "{ \"id\": \"1\" }\n".to_owned(),
        ),
        file(&format!("contracts/examples/invalid/{name}.no-id.json"), "{}\n".to_owned()),
        file("acceptance/happy-path.yaml", scenario(name)),
        file("CHANGELOG.md", "# Changelog\n\n## 0.1.0\n\n- Begun.\n".to_owned()),
    ]))
}

fn definition(name: &Name, business: &Name, technical: &Name) -> String {
    format!(
        "name: {name}
version: 0.1.0
purpose: Say here in business words what the integration accomplishes.
outcome:
  metric: {metric}_done
  description: Say here what counts as success.

# What happens, in business words, each step bound to the tasks of workflow.yaml that do it.
steps:
  - step: Take note of the event
    tasks: [note]

# The systems that it touches: `crm: {{direction: outbound, criticality: high, owner: {technical}, on_unavailable: {{queue: {{ttl: 24h}}}}}}`
systems: {{}}

triggers:
  {name}:
    kind: json
    event_type: com.example.{name}
    auth: token
    tenant: default
    contract: contracts/{name}.schema.json
    idempotency: {{key: .data.id, window: 72h}}
    subject: .data.id

acceptance:
  - criterion: An event becomes one run.
    scenario: acceptance/happy-path.yaml

owners: {{business: {business}, technical: {technical}}}
",
        metric = name.as_str().replace('-', "_"),
    )
}

fn workflow(name: &Name) -> String {
    format!(
        "document:
  dsl: \"1.0.3\"
  namespace: example
  name: {name}
  version: \"0.1.0\"
do:
  # A call of a system is written `call: <connector>.<operation>`, its arguments under `with`.
  - note:
      set:
        id: ${{ .id }}
"
    )
}

const CONTRACT: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "What comes in",
  "type": "object",
  "required": ["id"],
  "properties": {
    "id": { "type": "string", "minLength": 1, "maxLength": 100 }
  }
}
"#;

fn scenario(name: &Name) -> String {
    format!(
        "scenario: happy-path
title: An event becomes one run, however often it is sent
when:
  - event: {{trigger: {name}, file: contracts/examples/valid/{name}.first.json, times: 2}}
  - event: {{trigger: {name}, file: contracts/examples/invalid/{name}.no-id.json, refused: true}}
then:
  runs: 1
  ends: completed
  output: ['.id == \"1\"']
"
    )
}
