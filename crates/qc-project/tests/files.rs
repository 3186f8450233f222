//! A file goes from one system to another through a workflow, in a scenario on simulators: from project files to the
//! bytes that arrive.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use qc_project::{Project, ProjectFiles, acceptance, scaffold};

const ARCHIVE: &str = r#"
openapi: 3.1.0
info: {title: Archive, version: "1"}
servers: [{url: "https://archive.example"}]
paths:
  /reports/{id}:
    get:
      operationId: getReport
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        "200": {description: The report., content: {application/pdf: {schema: {type: string, format: binary}}}}
  /reports:
    get:
      operationId: listReports
      responses:
        "200":
          description: All of them.
          content: {application/json: {schema: {type: array, items: {type: object, properties: {id: {type: string}}}}}}
"#;

const LIBRARY: &str = r##"
openapi: 3.1.0
info: {title: Library, version: "1"}
servers: [{url: "https://library.example"}]
paths:
  /documents:
    post:
      operationId: addDocument
      requestBody:
        required: true
        content:
          multipart/form-data:
            schema:
              type: object
              required: [title, file]
              properties: {title: {type: string}, file: {type: string, format: binary}}
      responses:
        "201": {description: Kept., content: {application/json: {schema: {$ref: "#/components/schemas/Document"}}}}
    get:
      operationId: listDocuments
      responses:
        "200":
          description: All of them.
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Document"}}}}
components:
  schemas:
    Document:
      type: object
      required: [id]
      properties: {id: {type: string}, title: {type: string}, file: {}}
"##;

const TASKS: &str = "  - fetch:
      call: archive.getReport
      with: {id: r-1}
  - keep:
      call: library.addDocument
      with: {title: The report, file: '${ . }'}
";

const KEYED: &str = "operations:\n  addDocument:\n    effect: {class: keyed, key: {in: header, name: Idempotency-Key, window: 24h, then: once}}\n";
/// A repeat with another body would be refused.
const REMEMBERS: &str =
    "idempotency: {header: Idempotency-Key, window: 24h, operations: [addDocument]}\n";

/// More than stays in a workflow's data, with every byte, and bytes that look like a part's end.
fn report() -> Vec<u8> {
    let mut bytes: Vec<u8> =
        (0..300_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    bytes.extend_from_slice(b"\r\n--qc-\r\n\r\n--");
    bytes
}

fn project(report: &[u8], scenario: &str) -> Project {
    let mut files: ProjectFiles = scaffold::init(scaffold::Template::Notify);
    let mut change = |path: &str, from: &str, to: &str| {
        let text = files.text(path).expect("is there").to_owned();
        assert!(text.contains(from), "{path} has no `{from}`");
        files.insert(path, text.replacen(from, to, 1));
    };
    change(
        "integrations/notify/workflow.yaml",
        "        ref: ${ .alert_id }\n",
        &format!("        ref: ${{ .alert_id }}\n{TASKS}"),
    );
    change("integrations/notify/integration.yaml", "tasks: [tell]", "tasks: [tell, fetch, keep]");
    change(
        "integrations/notify/integration.yaml",
        "systems:\n",
        "systems:\n  archive: {direction: inbound, criticality: low, owner: operations, on_unavailable: {queue: {ttl: 24h}}}\n  library: {direction: outbound, criticality: low, owner: operations, on_unavailable: {queue: {ttl: 24h}}}\n",
    );
    for (name, document) in [("archive", ARCHIVE), ("library", LIBRARY)] {
        let mut connector = format!(
            "name: {name}\nversion: 1.0.0\ntitle: {name}\nowner: operations\nopenapi: openapi.yaml\nretry: {{attempts: 5, delay: 1s}}\n"
        );
        if name == "library" {
            connector.push_str(KEYED);
            files.insert("connectors/library/simulator.yaml", REMEMBERS.to_owned());
        }
        files.insert(format!("connectors/{name}/connector.yaml"), connector);
        files.insert(format!("connectors/{name}/openapi.yaml"), document.to_owned());
    }
    let state = format!(
        "state:\n  /reports:\n    - {{id: r-1, mediaType: application/pdf, base64: \"{}\"}}\n",
        STANDARD.encode(report)
    );
    files.insert("connectors/archive/simulator.yaml", state);
    files.insert("integrations/notify/acceptance/a-file.yaml", scenario.to_owned());
    Project::load(files)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    digest(&SHA256, bytes).as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes it");
        text
    })
}

#[test]
fn a_download_is_uploaded_to_another_system_byte_for_byte() {
    let report = report();
    let scenario = format!(
        r#"scenario: a-file
title: The report is kept in the library, though that is away and loses an answer
when:
  - event: {{trigger: alert, file: contracts/examples/valid/alert.disk.json}}
faults:
  - {{system: library, when: {{operation: addDocument}}, then: {{unavailable: {{retry_after: 5s}}}}}}
  - {{system: library, when: {{operation: addDocument}}, then: drop_after_apply}}
then:
  ends: completed
  systems:
    archive:
      requests: {{getReport: 1}}
    library:
      requests: {{addDocument: 3}}
      effects: {{addDocument: 1}}
      state:
        - '.["/documents"] | length == 1'
        - '.["/documents"][0].title == "The report"'
        - '.["/documents"][0].file == {{filename: "file", mediaType: "application/pdf", size: {size}, sha256: "{hash}"}}'
"#,
        size = report.len(),
        hash = hex(&report),
    );
    let selection =
        acceptance::Selection { integration: None, scenario: Some("a-file".to_owned()) };
    let verdict = |report: &[u8]| {
        let project = project(report, &scenario);
        let verdict = acceptance::run(&project, &selection);
        assert_eq!(verdict.scenarios.len(), 1);
        (verdict.passed(), acceptance::human(&verdict, project.files(), false))
    };
    let (passed, shown) = verdict(&report);
    assert!(passed, "{shown}");
    // One byte changed: the scenario tells.
    let mut other = report.clone();
    other[1_000_000] ^= 1;
    let (passed, shown) = verdict(&other);
    assert!(!passed && shown.contains("what `library` holds"), "{shown}");
}
