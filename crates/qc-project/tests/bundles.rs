//! From a project to a release and back.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use qc_model::{Actor, Clock, Entropy, EnvironmentName, Timestamp};
use qc_project::{Project, ProjectFiles, compile, scaffold};
use qc_release::Office;
use qc_store::memory::MemoryStore;
use qc_store::{CommitLimits, Committer, Store};

fn example() -> ProjectFiles {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/customer-escalation");
    ProjectFiles::read(&folder).expect("the example can be read")
}

#[test]
fn a_release_holds_exactly_what_the_integration_needs() {
    let mut files = example();
    let bundle =
        compile::build(&Project::load(files.clone()), "customer-escalation").expect("can be built");
    let hash = bundle.hash().to_owned();
    // What does not belong to the integration does not change its release.
    files.insert("integrations/other/integration.yaml", "broken: [");
    files.insert("connectors/unused/connector.yaml", "broken: [");
    files.insert("README.md", "Something else.");
    let again =
        compile::build(&Project::load(files.clone()), "customer-escalation").expect("can be built");
    assert_eq!(again.hash(), hash);
    assert!(!bundle.originals().contains_key("README.md"));
    // What belongs to it does.
    let changelog = "integrations/customer-escalation/CHANGELOG.md";
    files.insert(changelog, "# Changelog\n");
    let other =
        compile::build(&Project::load(files.clone()), "customer-escalation").expect("can be built");
    assert_ne!(other.hash(), hash);
    // And its errors stand in the way, all of them.
    files.insert("integrations/customer-escalation/workflow.yaml", "do: []");
    files.insert("connectors/crm/connector.yaml", "name: crm");
    let errors = compile::build(&Project::load(files), "customer-escalation")
        .expect_err("must not be built");
    let named = |path: &str| {
        errors.iter().any(|e| e.place.as_ref().is_some_and(|place| place.file.starts_with(path)))
    };
    assert!(named("integrations/customer-escalation/workflow.yaml") && named("connectors/crm"));
    assert!(compile::build(&Project::load(example()), "customer-escalatoin").is_err());
}

#[test]
fn a_release_compiles_from_its_bundle_alone() {
    let bundle =
        compile::build(&Project::load(example()), "customer-escalation").expect("can be built");
    let compiled = compile::release(&bundle.effective()).expect("compiles");
    let release = &compiled.release;
    assert_eq!((release.hash.as_str(), release.version.as_str()), (bundle.hash(), "1.0.0"));
    assert_eq!(release.owner.as_deref(), Some("integrations"));
    assert_eq!(release.system_owners["crm"], "crm-team");
    assert!(release.triggers.contains_key("case-escalated"));
    // Only what is called, and what reads it back.
    let operations = release.connectors.operation_names("chat");
    assert_eq!(operations, ["listMessages", "postMessage"]);
    let production = compiled
        .deployment(&EnvironmentName::new("production").expect("is a name"))
        .expect("is known");
    assert_eq!(production.vars["team_channel"], "escalations");
    let sandbox = compiled
        .deployment(&EnvironmentName::new("sandbox").expect("is a name"))
        .expect("is known");
    assert_eq!(sandbox.vars["team_channel"], "support", "the default");
    let unknown = compiled
        .deployment(&EnvironmentName::new("producton").expect("is a name"))
        .expect_err("is not");
    assert_eq!(unknown.help.as_deref(), Some("did you mean `production`?"));
}

struct Fixed;
impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1)
    }
}
impl Entropy for Fixed {
    fn next_u64(&self) -> u64 {
        7
    }
}

/// GitHub's document of eleven megabytes: kept whole for the export, loaded with only what is used.
#[test]
fn a_huge_document_is_kept_whole_and_loaded_small() {
    #[expect(clippy::disallowed_methods, reason = "a test finds its data through the environment")]
    let shared = std::env::var("QC_SHARED").map_or_else(
        |_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = shared.join("data/github-rest-api/octokit-openapi-19.1.0.json.gz");
    let Ok(packed) = std::fs::read(&path) else {
        println!("skipped: {} is not there", path.display());
        return;
    };
    let mut document = String::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_string(&mut document)
        .expect("is gzip of text");
    let mut files = scaffold::init(scaffold::Template::Notify);
    files.insert("connectors/chat/openapi.json", document.clone());
    files.insert("connectors/chat/connector.yaml", CONNECTOR);
    files.insert("integrations/notify/workflow.yaml", WORKFLOW);
    let scenarios: Vec<String> =
        files.under("integrations/notify/acceptance").map(|(path, _)| path.to_owned()).collect();
    let mut kept = ProjectFiles::default();
    for (path, bytes) in files.iter().filter(|(path, _)| !scenarios.iter().any(|s| s == path)) {
        if !path.ends_with("simulator.yaml") && path != "connectors/chat/openapi.yaml" {
            kept.insert(path, bytes.clone());
        }
    }
    let definition =
        kept.text("integrations/notify/integration.yaml").expect("is there").to_owned();
    let start = definition.find("failure_modes:").expect("has some");
    let end = definition.find("owners:").expect("has some");
    kept.insert(
        "integrations/notify/integration.yaml",
        format!("{}{}", &definition[..start], &definition[end..]),
    );
    let bundle =
        compile::build(&Project::load(kept.clone()), "notify").unwrap_or_else(|e| panic!("{e:#?}"));
    let small = bundle.effective().files()["connectors/chat/openapi.json"].len();
    assert_eq!(bundle.originals()["connectors/chat/openapi.json"].len(), document.len());
    assert!(small < document.len() / 20, "{small} of {}", document.len());
    let compiled = compile::release(&bundle.effective()).expect("compiles");
    assert_eq!(compiled.release.connectors.operation_names("chat"), ["issues/create"]);

    // Into a store, out of it, and the same files again.
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let loaded = runtime.block_on(async {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let (committer, commit_loop) = Committer::new(Arc::clone(&store), CommitLimits::default());
        tokio::spawn(commit_loop);
        let office =
            Office { store: &*store, committer: &committer, clock: &Fixed, entropy: &Fixed };
        let actor = Actor::platform("test");
        assert!(
            qc_release::save(
                office,
                &bundle,
                qc_release::Built { from: None, by: &actor, units: &[] }
            )
            .await
            .expect("is kept")
        );
        qc_release::load(&*store, bundle.hash()).await.expect("can be read").expect("is there")
    });
    let exported = compile::export(&loaded);
    for (path, bytes) in exported.iter() {
        assert_eq!(Some(bytes), kept.bytes(path), "{path}");
    }
    assert_eq!(exported.iter().count(), bundle.originals().len());
}

const CONNECTOR: &str = "name: chat
version: 1.0.0
title: GitHub
owner: operations
openapi: openapi.json
base_urls: {sandbox: \"${vars.chat_url}\", production: \"${vars.chat_url}\"}
auth: {bearer: {token: secret://github/token}}
retry: {attempts: 3}
operations:
  issues/create: {effect: {class: once}}
";

const WORKFLOW: &str =
    "document: {dsl: \"1.0.3\", namespace: example, name: notify, version: \"1.0.0\"}
do:
  - tell:
      call: chat.issues/create
      with: {owner: example, repo: example, title: \"${ .title }\"}
";
