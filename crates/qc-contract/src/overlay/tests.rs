use qc_document::{ParseLimits, parse};

use super::*;

const API: &str = "openapi: 3.0.0\npaths:\n  /a:\n    get: {tags: [x], summary: old}\n    post: {tags: [y]}\n  /b:\n    get: {tags: [z], parameters: [{name: p}, {name: q}, {name: p}]}\n";

fn applied(actions: &str) -> (Node, Vec<Finding>, BTreeMap<String, Source>) {
    let limits = ParseLimits::default();
    let mut root = parse(Source::new("api.yaml", API), &limits).expect("is YAML").root;
    let text = format!("overlay: 1.0.0\ninfo: {{title: T, version: '1'}}\nactions:\n{actions}");
    let overlay = parse(Source::new("overlay.yaml", text), &limits).expect("is YAML");
    let (mut overlaid, mut findings) = (BTreeMap::new(), Vec::new());
    apply(&overlay, &mut root, &mut overlaid, &mut findings);
    (root, findings, overlaid)
}

fn done(actions: &str) -> Value {
    let (root, findings, _) = applied(actions);
    assert_eq!(findings, []);
    root.to_value()
}

fn codes_of(actions: &str) -> Vec<String> {
    applied(actions).1.iter().map(|finding| finding.code.to_string()).collect()
}

#[test]
fn objects_merge_and_lists_grow() {
    let made = done(
        "- target: $.paths['/a'].get\n  update: {summary: new, tags: [more], deprecated: true}\n",
    );
    let get = &made["paths"]["/a"]["get"];
    assert_eq!(get["summary"], "new");
    assert_eq!(get["tags"], serde_json::json!(["x", "more"]));
    assert_eq!(get["deprecated"], true);
    let made = done("- target: $.paths.*.get.tags\n  update: all\n");
    assert_eq!(made["paths"]["/b"]["get"]["tags"], serde_json::json!(["z", "all"]));
    let made = done("- target: $..get\n  update: {x-seen: 1}\n");
    assert_eq!(made["paths"]["/b"]["get"]["x-seen"], 1);
}

#[test]
fn removing_takes_all_matches() {
    let made = done("- target: $.paths['/b'].get.parameters[?(@.name=='p')]\n  remove: true\n");
    assert_eq!(made["paths"]["/b"]["get"]["parameters"], serde_json::json!([{"name": "q"}]));
    let made = done("- target: $.paths['/a']\n  remove: true\n");
    assert!(made["paths"].get("/a").is_none());
}

#[test]
fn later_actions_see_earlier_ones() {
    let made = done(
        "- target: $.paths['/a'].get\n  update: {x-a: {b: 1}}\n- target: $..['x-a']\n  update: {c: 2}\n- target: $.paths['/a'].post\n  copy: $.paths['/a'].get['x-a']\n",
    );
    assert_eq!(made["paths"]["/a"]["get"]["x-a"], serde_json::json!({"b": 1, "c": 2}));
    assert_eq!(made["paths"]["/a"]["post"]["c"], 2);
}

#[test]
fn what_is_wrong_with_actions() {
    assert_eq!(codes_of("- target: $.nowhere\n  remove: true\n"), ["QC-C012"]);
    assert_eq!(codes_of("- target: 'paths['\n  remove: true\n"), ["QC-C011"]);
    assert_eq!(codes_of("- target: $.paths\n"), ["QC-C011"]);
    assert_eq!(codes_of("- target: $.paths\n  update: [1]\n"), ["QC-C011"]);
    assert_eq!(codes_of("- target: $.openapi\n  update: x\n"), ["QC-C011"]);
    assert_eq!(codes_of("- target: $.paths\n  udpate: {}\n"), ["QC-C011", "QC-Q012"]);
    assert_eq!(codes_of("- target: $.paths\n  copy: $.paths.*\n"), ["QC-C011"]);
}

#[test]
fn findings_about_overlaid_parts_point_into_the_overlay() {
    let files = BTreeMap::from([
        ("api.yaml".to_owned(), API.to_owned()),
        (
            "overlay.yaml".to_owned(),
            "overlay: 1.0.0\ninfo: {title: T, version: '1'}\nactions:\n  - target: $.paths['/a'].get\n    update:\n      parameters:\n        - {in: wrong, name: x}\n".to_owned(),
        ),
    ]);
    let (_, findings) = crate::OpenApi::load_with_overlays(&files, "api.yaml", &["overlay.yaml"]);
    let finding =
        findings.iter().find(|finding| finding.code == codes::MALFORMED).expect("is found");
    let place = finding.place.as_ref().expect("has a place");
    assert_eq!((&*place.file, place.line), ("overlay.yaml", 7));
}
