//! The rules of the house that a machine can check. Each says why it is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use regex::Regex;
use xtask::{files, ranks, root};

/// Fails with all offences at once, so that one run shows all that is to be mended.
fn none(rule: &str, offences: Vec<String>) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The crates' sources without their tests: a test may invent a code.
fn product_sources() -> Vec<(std::path::PathBuf, String)> {
    let is_test = |part: &std::ffi::OsStr| part == "tests" || part == "tests.rs";
    files(&root().join("crates"), ".rs")
        .into_iter()
        .filter(|(path, _)| !path.components().any(|part| is_test(part.as_os_str())))
        .map(|(path, text)| {
            let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            (path, product.to_owned())
        })
        .collect()
}

/// Pure cores stay pure and wiring stays in one place only if dependencies point one way.
#[test]
fn crates_depend_on_lower_ranks_only() {
    let ranks = ranks();
    let mut offences = Vec::new();
    for entry in fs::read_dir(root().join("crates")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(own) = ranks.get(name.as_str()) else {
            offences.push(format!(
                "{name} has no rank: give it one in xtask/src/lib.rs and ARCHITECTURE.md"
            ));
            continue;
        };
        let manifest = fs::read_to_string(entry.path().join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        for dependency in dependencies.into_iter().flat_map(|table| table.keys()) {
            match ranks.get(dependency.as_str()) {
                Some(rank) if rank >= own => {
                    offences
                        .push(format!("{name} (rank {own}) depends on {dependency} (rank {rank})"));
                }
                _ => {}
            }
        }
    }
    none("a crate depends on lower ranks only", offences);
}

/// What is called pure can be simulated; a clock, socket or runtime in it would end that.
#[test]
fn pure_crates_have_no_runtime_clock_or_network() {
    let mut offences = Vec::new();
    for name in [
        "qc-document",
        "qc-expression",
        "qc-contract",
        "qc-limit",
        "qc-pace",
        "qc-version",
        "qc-workflow",
    ] {
        let manifest =
            fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        for dependency in dependencies.into_iter().flat_map(|table| table.keys()) {
            if ["tokio", "reqwest", "hyper", "axum", "rusqlite", "qc-store"]
                .contains(&dependency.as_str())
            {
                offences.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    none("pure crates stay pure", offences);
}

/// Bugs on purpose are for builds of the simulation alone: neither a default nor a dependency turns
/// them on, and nothing that ships knows the simulation.
#[test]
fn no_build_but_the_simulation_s_has_planted_bugs() {
    let mut offences = Vec::new();
    for (path, text) in files(&root(), "Cargo.toml") {
        let manifest: toml::Table = text.parse().unwrap();
        let name = manifest.get("package").and_then(|package| package["name"].as_str());
        let name = name.unwrap_or("the workspace");
        let none = toml::Table::new();
        let table = |key: &str| manifest.get(key).and_then(toml::Value::as_table).unwrap_or(&none);
        for (feature, turns_on) in table("features") {
            if feature != "planted-bugs" && turns_on.to_string().contains("planted-bugs") {
                offences.push(format!("{name}: the feature `{feature}` turns planted bugs on"));
            }
        }
        for key in ["dependencies", "dev-dependencies", "build-dependencies", "workspace"] {
            if table(key).to_string().contains("planted-bugs") {
                offences.push(format!("{}: a dependency turns planted bugs on", short(&path)));
            }
        }
        let knows = table("dependencies").contains_key("qc-simulation");
        if knows && name != "xtask" {
            offences.push(format!("{name} depends on the simulation"));
        }
    }
    none("planted bugs are nowhere but in the simulation", offences);
}

/// What cargo resolves, for the program and for the whole workspace at once.
#[test]
fn cargo_resolves_no_planted_bugs() {
    for scope in [&["--package", "quickconnect"][..], &["--workspace"]] {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--edges", "normal,build,dev", "--format", "{p} [{f}]"])
            .args(scope)
            .current_dir(root())
            .output()
            .unwrap();
        let text = String::from_utf8(tree.stdout).unwrap();
        assert!(text.contains("qc-engine"), "{}", String::from_utf8_lossy(&tree.stderr));
        let bad: Vec<&str> = text.lines().filter(|line| line.contains("planted-bugs")).collect();
        assert!(bad.is_empty(), "{scope:?}: {bad:#?}");
    }
}

/// The store's engines are known to the wiring only; everybody else knows the trait.
#[test]
fn only_the_binary_knows_the_database() {
    let mut offences = Vec::new();
    for (name, _) in ranks() {
        if name == "quickconnect" || name == "qc-sql" {
            continue;
        }
        let manifest =
            fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        if dependencies.is_some_and(|table| table.contains_key("qc-sql")) {
            offences.push(name.to_owned());
        }
    }
    none("qc-sql is known only to the binary", offences);
}

/// A file that nobody can read in one sitting hides things.
#[test]
fn files_are_small() {
    let offences = files(&root(), ".rs")
        .into_iter()
        .filter(|(_, text)| text.lines().count() > 800)
        .map(|(path, text)| format!("{} has {} lines", short(&path), text.lines().count()))
        .collect();
    none("no source file has more than 800 lines", offences);
}

/// Drawers without a label fill up. A thing is named for what it is.
#[test]
fn nothing_is_called_util() {
    let banned =
        Regex::new(r"^(utils?|common|helpers?|managers?|core|misc|.*_v\d+|stuff|lib2)$").unwrap();
    let mut offences = Vec::new();
    for (path, _) in files(&root(), ".rs") {
        let in_path = path.strip_prefix(root()).unwrap_or(&path).to_owned();
        for part in in_path.components() {
            let name = part.as_os_str().to_string_lossy();
            if banned.is_match(name.trim_end_matches(".rs")) {
                offences.push(short(&path));
            }
        }
    }
    none("banned names of files and folders", offences);
}

/// The first lines of a crate are its map.
#[test]
fn every_crate_says_what_is_here_and_what_is_not() {
    let offences = fs::read_dir(root().join("crates"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path().join("src/lib.rs"))
        .filter_map(|path| fs::read_to_string(&path).ok().map(|text| (path, text)))
        .filter(|(_, text)| {
            let opening: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
            !opening.to_lowercase().contains("not here")
        })
        .map(|(path, _)| short(&path))
        .collect();
    none("each lib.rs opens with what is here and what is deliberately not here", offences);
}

/// A code without a page sends its reader nowhere; a page without a code is a lie.
#[test]
fn every_error_code_has_its_page_and_the_reverse() {
    let code = Regex::new(r"QC-[A-Z]\d{3}").unwrap();
    let declared = Regex::new(r#"Code::new\(\s*"(QC-[A-Z]\d{3})""#).unwrap();
    let mut in_source: BTreeMap<String, String> = BTreeMap::new();
    for (path, text) in product_sources() {
        for found in declared.captures_iter(&text) {
            in_source.entry(found[1].to_owned()).or_insert_with(|| short(&path));
        }
    }
    let mut offences = Vec::new();
    let mut pages = BTreeSet::new();
    for (path, text) in files(&root().join("docs/errors"), ".md") {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if name == "README" {
            continue;
        }
        if !text.starts_with(&format!("# {name}: ")) {
            offences.push(format!("{} does not begin with `# {name}: <title>`", short(&path)));
        }
        for part in ["## What happened", "## Why", "## What to do"] {
            if !text.contains(part) {
                offences.push(format!("{} has no part `{part}`", short(&path)));
            }
        }
        pages.insert(name);
    }
    for (found, place) in &in_source {
        if !pages.contains(found) {
            offences.push(format!("{found} ({place}) has no page docs/errors/{found}.md"));
        }
    }
    for page in &pages {
        if !in_source.contains_key(page) {
            offences.push(format!("docs/errors/{page}.md: no source declares the code"));
        }
    }
    for (path, text) in product_sources() {
        for found in code.find_iter(&text) {
            let found = found.as_str();
            if !in_source.contains_key(found) && !found.ends_with("000") {
                offences.push(format!("{} speaks of {found}, which nobody declares", short(&path)));
            }
        }
    }
    none("error codes and their pages", offences);
}

/// One code, one meaning.
#[test]
fn no_code_is_declared_twice() {
    let declared = Regex::new(r#"Code::new\(\s*"(QC-[A-Z]\d{3})""#).unwrap();
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in product_sources() {
        for found in declared.captures_iter(&text) {
            places.entry(found[1].to_owned()).or_default().push(short(&path));
        }
    }
    let offences = places
        .into_iter()
        .filter(|(_, places)| places.len() > 1)
        .map(|(code, places)| format!("{code}: {}", places.join(", ")))
        .collect();
    none("a code is declared once", offences);
}

/// A test that is switched off, or that hopes that time passes, proves nothing.
#[test]
fn no_test_is_ignored_and_none_sleeps_to_synchronise() {
    let mut offences = Vec::new();
    for (path, text) in files(&root().join("crates"), ".rs") {
        for (number, line) in text.lines().enumerate() {
            let bad = line.contains("#[ignore") || line.contains("thread::sleep(");
            if bad && !line.contains("tidy:") {
                offences.push(format!("{}:{}: {}", short(&path), number + 1, line.trim()));
            }
        }
    }
    none(
        "no #[ignore], no thread::sleep (say `// tidy: reason` on the line where it must be)",
        offences,
    );
}

/// Links in the documents lead somewhere.
#[test]
fn links_between_documents_live() {
    let link = Regex::new(r"\]\(([^)#\s]+)(#[^)]*)?\)").unwrap();
    let mut offences = Vec::new();
    for (path, text) in files(&root(), ".md") {
        let folder = path.parent().expect("a file lies in a folder");
        for found in link.captures_iter(&text) {
            let to = &found[1];
            if to.contains("://") || to.starts_with("mailto:") {
                continue;
            }
            if !folder.join(to).exists() {
                offences.push(format!("{}: {to}", short(&path)));
            }
        }
    }
    none("links between documents", offences);
}

/// Decisions are found by number, and each says what was decided and why.
#[test]
fn decision_records_are_whole() {
    let mut offences = Vec::new();
    for (path, text) in files(&root().join("docs/adr"), ".md") {
        for part in ["## Context", "## Decision", "## Consequences"] {
            if !text.contains(part) {
                offences.push(format!("{} has no part `{part}`", short(&path)));
            }
        }
    }
    none("decision records", offences);
}
