//! The standard's examples: each loads and compiles, or is rejected by the name of what is missing.

use std::collections::BTreeMap;

use qc_document::{ParseLimits, Source, parse_yaml};
use qc_model::Severity;
use qc_workflow::{compile, load};

use crate::driver::{Bound, shared, shown};

/// What each rejected example needs that the profile does not have. All others load.
const REJECTED: &[(&str, &str)] = &[
    ("authentication-oauth2-secret", ""),
    ("authentication-oauth2", "`secret` holds a secret"),
    ("authentication-oidc-secret", "`oidc authentication`"),
    ("authentication-oidc", "`oidc authentication`"),
    ("call-asyncapi-publish", "`call: asyncapi`"),
    ("call-asyncapi-subscribe-consume-amount", "`call: asyncapi`"),
    ("call-asyncapi-subscribe-consume-forever-foreach", "`call: asyncapi`"),
    ("call-asyncapi-subscribe-consume-until", "`call: asyncapi`"),
    ("call-asyncapi-subscribe-consume-while", "`call: asyncapi`"),
    ("call-custom-function-cataloged", "`call: a function at a URL`"),
    ("call-grpc", "`call: grpc`"),
    ("call-mcp", "`call: mcp`"),
    ("mock-service-extension", "`use.extensions`"),
    ("run-container-cleanup-always", "`run: container`"),
    ("run-container-cleanup-eventually", "`run: container`"),
    ("run-container-stdin-and-arguments", "`run: container`"),
    ("run-container-with-name", "`run: container`"),
    ("run-container-with-pull-policy", "`run: container`"),
    ("run-container", "`run: container`"),
    ("run-return-all", "`run: container`"),
    ("run-return-code", "`run: container`"),
    ("run-return-none", "`run: container`"),
    ("run-return-stderr", "`run: container`"),
    ("run-script-with-stdin-and-arguments", "`run: script`"),
    ("run-shell-stdin-and-arguments", "`run: shell`"),
];

#[test]
fn every_example_loads_or_is_rejected_by_name() {
    let Some(shared) = shared() else { return };
    let rejected: BTreeMap<&str, &str> = REJECTED.iter().copied().collect();
    let folder = shared.join("standards/open-workflow/examples");
    let mut count = 0;
    let mut wrong = Vec::new();
    for entry in folder.read_dir().expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        count += 1;
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a file");
        let source = Source::new(format!("{name}.yaml"), text);
        let document = parse_yaml(source, &ParseLimits::default()).expect("is YAML");
        let (workflow, mut findings) = load(&document);
        if let Some(workflow) = workflow {
            findings.extend(compile(&workflow, &Bound::default()).1);
        }
        findings.retain(|finding| finding.severity == Severity::Error);
        let as_expected = match rejected.get(&*name) {
            Some(feature) if !feature.is_empty() => {
                findings.iter().any(|finding| finding.message.contains(feature))
                    && findings.iter().all(|finding| finding.place.is_some())
            }
            _ => findings.is_empty(),
        };
        if !as_expected {
            wrong.push(format!("{name}: {}", shown(&findings)));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(count, 68, "the standard has 68 examples");
}
