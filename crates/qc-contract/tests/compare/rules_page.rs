//! `docs/contract-rules.md` is the table of rules, in words. `QC_ACCEPT=1` writes it anew.

use std::fmt::Write as _;
use std::path::PathBuf;

use qc_contract::{Area, Direction, rules};

const HEAD: &str = "# Rules of comparison

What `qc contract diff` tells apart. Made from the table in `crates/qc-contract/src/compare/rules`; a test holds both together.

A rule's id never changes its meaning. The level is the one of the profile `default`; how profiles change it is in [contracts.md](contracts.md#profiles). Breaking: a consumer that kept to the old contract fails. Risky: kept to the letter, and consumers in the wild are hurt. Additive: consumers may use it and need not. Cosmetic: nobody can notice it in what is exchanged.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut area: Option<Area> = None;
    for rule in rules() {
        if area != Some(rule.area) {
            area = Some(rule.area);
            let mut title = rule.area.as_str().to_owned();
            title[..1].make_ascii_uppercase();
            let _ = write!(
                page,
                "\n## {title}\n\n| rule | about | level | what changed | what to do |\n|---|---|---|---|---|\n"
            );
        }
        let about = match rule.direction {
            Some(Direction::Request) => "request",
            Some(Direction::Response) => "response",
            None => "",
        };
        let _ = writeln!(
            page,
            "| <a id=\"{id}\"></a>`{id}` | {about} | {} | {} | {} |",
            rule.level,
            rule.explanation,
            rule.action,
            id = rule.id
        );
    }
    page
}

#[test]
fn the_page_and_the_table_say_the_same() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/contract-rules.md");
    let wanted = page();
    if std::env::var_os("QC_ACCEPT").is_some() {
        std::fs::write(&path, &wanted).expect("is written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == wanted, "docs/contract-rules.md is not the table: run with QC_ACCEPT=1");
}
