//! Others' labelled cases, where they are there: the aims are reached.

use xtask::judge::{self, Aim};

fn reaches_its_aims(file: &str) {
    let Some(folder) = judge::shared_cases() else {
        println!("skipped: the cases are not there (set QC_SHARED)");
        return;
    };
    let kind = judge::KINDS.iter().find(|kind| kind.file == file).expect("is judged");
    let report = judge::judge_file(&folder.join(file), kind).expect("the cases are read");
    let missed: Vec<&Aim> = report.aims.iter().filter(|aim| !aim.is_reached()).collect();
    assert!(missed.is_empty(), "{}\n{missed:#?}", report.lines.join("\n"));
}

#[test]
fn openapi_pairs() {
    reaches_its_aims("openapi_pairs_unified.jsonl");
}

#[test]
fn schema_questions() {
    reaches_its_aims("json_schema_subschema_unified.jsonl");
}

#[test]
fn pact_cases() {
    reaches_its_aims("pact/cases.jsonl");
}
