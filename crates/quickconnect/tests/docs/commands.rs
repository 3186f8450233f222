//! Command lines of the guides and error pages: verbs and flags exist, and whole examples are accepted by the parser.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Command, Stdio},
};

use crate::pages::{Page, error_pages, guides};

/// A verb's flags and its verbs below.
#[derive(Default)]
struct Verb {
    flags: BTreeSet<String>,
    verbs: BTreeMap<String, Verb>,
}

fn qc(arguments: &[&str], folder: &std::path::Path) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_qc"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs([
            ("HOME", folder.to_str().unwrap()),
            ("QC_URL", "http://127.0.0.1:1"),
            ("QC_TOKEN", "none"),
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// Reads the tree of verbs from the help.
fn tree(path: &[&str]) -> Verb {
    let arguments: Vec<&str> = path.iter().copied().chain(["--help"]).collect();
    let (help, _) = qc(&arguments, &std::env::temp_dir());
    let mut verb = Verb::default();
    let mut commands = false;
    for line in help.lines() {
        if !line.starts_with(' ') {
            commands = line == "Commands:";
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        if let (true, Some(name)) =
            (commands && line.starts_with("  ") && !line.starts_with("   "), words.first())
        {
            if *name != "help" {
                let below: Vec<&str> = path.iter().copied().chain([*name]).collect();
                verb.verbs.insert((*name).to_owned(), tree(&below));
            }
        } else if !commands && words.first().is_some_and(|word| word.starts_with('-')) {
            let flags = words.iter().take_while(|word| word.starts_with('-'));
            verb.flags.extend(flags.map(|flag| flag.trim_end_matches(',').to_owned()));
        }
    }
    verb
}

/// Splits a command line as a shell does, as far as the guides need it. None when it holds what only a shell can do.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for character in line.chars() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, space) if space.is_whitespace() => {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            }
            (_, other) => word.push(other),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// What is wrong with a command line's verbs and flags.
fn wrong(tree: &Verb, line: &[String]) -> Option<String> {
    let (mut verb, mut path) = (tree, String::from("qc"));
    let mut arguments = false;
    for word in line.iter().skip(1) {
        let flag = word.split('=').next().unwrap_or_default();
        if flag.starts_with('-') && flag.len() > 1 {
            if !verb.flags.contains(flag) {
                return Some(format!("`{path}` has no flag `{flag}`"));
            }
        } else if let (false, Some(below)) = (arguments, verb.verbs.get(word)) {
            verb = below;
            path = format!("{path} {word}");
        } else if !arguments
            && !verb.verbs.is_empty()
            && path != "qc help"
            && !word.chars().all(char::is_uppercase)
        {
            return Some(format!("`{path}` has no verb `{word}`"));
        } else {
            arguments = true;
        }
    }
    None
}

/// Command lines in code: those of `console` blocks, and inline ones.
fn lines(page: &Page) -> Vec<(bool, String)> {
    let blocks = page.blocks();
    let shown = blocks.iter().filter(|(_, language, _)| language == "console");
    let whole =
        shown.flat_map(|(_, _, body)| body.lines()).filter_map(|line| line.strip_prefix("$ "));
    let mut lines: Vec<(bool, String)> =
        whole.filter(|line| line.starts_with("qc ")).map(|line| (true, line.to_owned())).collect();
    let indented = page.text.lines().filter_map(|line| line.strip_prefix("    qc "));
    lines.extend(
        indented.map(|line| (true, format!("qc {}", line.split("  #").next().unwrap_or(line)))),
    );
    let prose = page.text.split("```").step_by(2);
    for text in prose.flat_map(|text| text.split('\n')) {
        let spans = text.split('`').skip(1).step_by(2);
        lines.extend(
            spans.filter(|span| span.starts_with("qc ")).map(|span| (false, span.to_owned())),
        );
    }
    lines
}

#[test]
fn every_command_exists_with_its_flags() {
    let mut tree = tree(&[]);
    tree.verbs.insert("help".to_owned(), Verb::default());
    assert!(
        tree.verbs.len() > 15 && tree.verbs["runs"].verbs.len() > 4,
        "the help was not understood"
    );
    let (mut seen, mut offences) = (0, Vec::new());
    for page in guides().into_iter().chain(error_pages()) {
        for (_, line) in lines(&page) {
            seen += 1;
            let line = line.replace(['[', ']'], "");
            offences.extend(
                wrong(&tree, &words(&line)).map(|why| format!("{}: {line}: {why}", page.name)),
            );
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
    assert!(seen > 150, "only {seen} commands were found");
}

#[test]
fn whole_examples_are_accepted_by_the_parser() {
    let folder = tempfile::tempdir().unwrap();
    // These would serve until they are ended, or open a database.
    let serving = ["serve", "dev", "simulate", "demo", "tail"];
    let mut tried = 0;
    for page in guides().into_iter().chain(error_pages()) {
        for (_, line) in lines(&page).into_iter().filter(|(whole, _)| *whole) {
            let words = words(&line);
            let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
            if serving.contains(&arguments[0]) || arguments.starts_with(&["tokens", "recover"]) {
                continue;
            }
            tried += 1;
            let (_, warned) = qc(&arguments, folder.path());
            assert!(!warned.contains("\nUsage:"), "{}: {line}\n{warned}", page.name);
        }
    }
    assert!(tried > 30, "only {tried} commands were tried");
}
