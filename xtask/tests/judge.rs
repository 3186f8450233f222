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
    assert!(report.aims.iter().any(|aim| aim.counted.1 > 0), "something was counted");
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

#[test]
fn every_disagreement_about_openapi_is_argued() {
    let Some(folder) = judge::shared_cases() else {
        println!("skipped: the cases are not there (set QC_SHARED)");
        return;
    };
    let kind = judge::KINDS.iter().find(|kind| kind.file.contains("openapi")).expect("is judged");
    let report = judge::judge_file(&folder.join(kind.file), kind).expect("the cases are read");
    let page = xtask::root().join("docs/contracts-disagreements.md");
    let page = std::fs::read_to_string(page).expect("is there");
    let disagreements = report.lines.iter().filter_map(|line| line.split_once(", we say "));
    let missing: Vec<&str> = disagreements
        .filter_map(|(case, got)| {
            let (id, expected) = case.rsplit_once(": ")?;
            let got = got.split_whitespace().next().unwrap_or_default();
            let row = format!("| `{id}` | {expected} | {got} |");
            (!page.contains(&row)).then_some(id)
        })
        .collect();
    assert!(missing.is_empty(), "argue them in docs/contracts-disagreements.md: {missing:#?}");
}
