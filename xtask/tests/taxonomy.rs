//! The table of codes is whole, and the pages say what it says. `QC_ACCEPT=1` writes the heads of the pages.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use qc_model::{Class, Code, Meaning, NextAction, Party};
use regex::Regex;
use xtask::{files, root};

fn none(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

/// The codes that the product declares. A test may invent one.
fn declared() -> BTreeSet<String> {
    let pattern = Regex::new(r#"Code::new\(\s*"(QC-[A-Z]\d{3})""#).expect("a pattern");
    let mut found = BTreeSet::new();
    for (path, text) in files(&root().join("crates"), ".rs") {
        if path.components().any(|part| part.as_os_str() == "tests")
            || path.file_name().is_some_and(|name| name == "tests.rs")
        {
            continue;
        }
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        found.extend(pattern.captures_iter(product).map(|code| code[1].to_owned()));
    }
    found
}

/// The pages by code.
fn pages() -> BTreeMap<String, String> {
    files(&root().join("docs/errors"), ".md")
        .into_iter()
        .map(|(path, text)| {
            (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), text)
        })
        .collect()
}

fn who(party: Party) -> &'static str {
    match party {
        Party::Sender => "whoever sent the request or gave the command",
        Party::Author => "whoever owns the integration",
        Party::Operator => "whoever runs the platform",
        Party::System => "whoever owns the other system",
    }
}

/// What a page says in its head: the line after the title.
fn head(row: &Meaning) -> String {
    format!(
        "Class `{}` · next action `{}` · acts: {} · [how errors are read](../errors.md)",
        row.class.as_str(),
        row.next_action.as_str(),
        who(row.party)
    )
}

/// The page with the head that the table gives it.
fn with_head(page: &str, row: &Meaning) -> String {
    let (title, rest) = page.split_once('\n').unwrap_or((page, ""));
    let rest = rest.trim_start();
    let body = if rest.starts_with("Class `") {
        rest.split_once('\n').map_or("", |(_, body)| body.trim_start())
    } else {
        rest
    };
    format!("{title}\n\n{}\n\n{body}", head(row))
}

#[test]
fn every_declared_code_has_a_row_and_a_page_and_the_reverse() {
    let rows: BTreeSet<String> = Meaning::all().iter().map(|row| row.code.to_owned()).collect();
    let (declared, pages) = (declared(), pages());
    assert!(declared.len() > 400, "the sources are found: {}", declared.len());
    let mut offences = Vec::new();
    for code in &declared {
        if !rows.contains(code) {
            offences.push(format!("{code} has no row in qc-model/src/taxonomy/meanings.rs"));
        }
    }
    for code in &rows {
        if !declared.contains(code) {
            offences.push(format!("{code} has a row, and no source declares it"));
        }
        if !pages.contains_key(code) {
            offences.push(format!("{code} has a row, and no page docs/errors/{code}.md"));
        }
    }
    for code in pages.keys() {
        if !rows.contains(code) {
            offences.push(format!("docs/errors/{code}.md has no row"));
        }
    }
    none("codes, rows and pages", &offences);
}

#[test]
fn the_heads_of_the_pages_say_what_the_table_says() {
    let accept = std::env::var_os("QC_ACCEPT").is_some();
    let mut offences = Vec::new();
    for (code, page) in pages() {
        let Some(row) = Meaning::all().iter().find(|row| row.code == code) else { continue };
        let right = with_head(&page, row);
        if right == page {
            continue;
        }
        if accept {
            fs::write(root().join(format!("docs/errors/{code}.md")), right).unwrap();
        } else {
            offences.push(format!("docs/errors/{code}.md does not begin with `{}`", head(row)));
        }
    }
    none(
        "heads of pages (`QC_ACCEPT=1 cargo test -p xtask --test taxonomy` writes them)",
        &offences,
    );
}

#[test]
fn a_head_is_replaced_and_never_doubled() {
    let page = "# QC-I060: a limit is used up\n\n## What happened\n\nMuch.\n";
    let row = Code::new("QC-I060").meaning();
    let once = with_head(page, &row);
    assert_eq!(with_head(&once, &row), once);
    let other = Meaning { class: Class::Internal, ..row };
    let changed = with_head(&once, &other);
    assert!(changed.contains("Class `internal`") && !changed.contains("Class `throttled`"));
    assert!(changed.ends_with("\n\n## What happened\n\nMuch.\n"), "{changed}");
}

/// A vocabulary that the guide does not explain is none.
#[test]
fn the_guide_explains_every_class_action_and_party() {
    let guide = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let words = Class::ALL
        .iter()
        .map(|class| class.as_str())
        .chain(NextAction::ALL.iter().map(|action| action.as_str()))
        .chain([Party::Sender, Party::Author, Party::Operator, Party::System].map(Party::as_str));
    let missing: Vec<String> = words
        .filter(|word| !guide.contains(&format!("| `{word}` |")))
        .map(|word| format!("docs/errors.md has no row for `{word}`"))
        .collect();
    none("the guide of errors", &missing);
}
