use std::collections::BTreeMap;

use super::ReportFormat;
use crate::compare::{Comparison, Options, Profile, compare};
use crate::openapi::OpenApi;

fn api(text: &str) -> OpenApi {
    let files = BTreeMap::from([("api.yaml".to_owned(), text.to_owned())]);
    OpenApi::load(&files, "api.yaml").0.expect("loads")
}

fn comparison() -> Comparison {
    let old = api("openapi: 3.0.3
info: {title: A, version: '1'}
paths:
  /a|b:
    get: {responses: {'200': {description: <ok>}}}
    post: {responses: {'200': {description: ok}}}
");
    let new = api("openapi: 3.0.3
info: {title: A, version: '2'}
paths:
  /a|b:
    get:
      parameters: [{name: \"x\\n::error::y\", in: query, required: true, schema: {type: string}}]
      responses: {'200': {description: ok}}
");
    let profile = Profile::default();
    compare(&old, &new, Options { profile: &profile, today: None })
}

#[test]
fn every_format_tells_the_verdict_and_the_changes() {
    let comparison = comparison();
    for name in ReportFormat::NAMES {
        let format = ReportFormat::parse(name).expect("is known");
        let text = comparison.report(format);
        assert!(text.contains("operation-removed"), "{name}: {text}");
        assert!(text.contains("parameter-added-required"), "{name}: {text}");
        assert!(text.ends_with('\n'), "{name}");
    }
    assert_eq!(ReportFormat::parse("xml"), None);
}

#[test]
fn json_has_what_is_promised_for_each_finding() {
    let json = comparison().to_json();
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["verdict"], "breaking");
    let finding = &json["findings"][0];
    for key in [
        "id",
        "level",
        "direction",
        "area",
        "place",
        "old",
        "new",
        "explanation",
        "consumer_action",
    ] {
        assert!(!finding[key].is_null(), "{key}: {finding}");
    }
    assert_eq!(finding["new"]["place"]["file"], "api.yaml");
}

#[test]
fn what_strangers_wrote_ends_no_line_and_no_cell() {
    let comparison = comparison();
    let github = comparison.report(ReportFormat::Github);
    assert!(github.lines().all(|line| line.starts_with("::")), "{github}");
    assert!(!github.lines().any(|line| line.starts_with("::error::")), "{github}");
    let markdown = comparison.report(ReportFormat::Markdown);
    assert!(markdown.contains("/a\\|b"), "{markdown}");
}

#[test]
fn sarif_names_each_rule_once_and_each_place() {
    let text = comparison().report(ReportFormat::Sarif);
    let sarif: serde_json::Value = serde_json::from_str(&text).expect("is JSON");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("is a list").len();
    let results = run["results"].as_array().expect("is a list");
    assert!(rules <= results.len());
    for result in results {
        assert!(result["locations"][0]["physicalLocation"]["region"]["startLine"].is_u64());
    }
}
