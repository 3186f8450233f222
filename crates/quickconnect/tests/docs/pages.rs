//! The pages themselves, and what of them can be checked without running anything.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A page of the guides.
pub(crate) struct Page {
    /// Its path under `docs/`.
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Page {
    /// Code blocks: the line before them, their language, and their text.
    pub(crate) fn blocks(&self) -> Vec<(String, String, String)> {
        let (mut blocks, mut before) = (Vec::new(), String::new());
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            if let Some(language) = line.strip_prefix("```") {
                let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                blocks.push((before.clone(), language.to_owned(), body.join("\n") + "\n"));
            } else {
                line.clone_into(&mut before);
            }
        }
        blocks
    }

    /// The rows of the table after a `<!-- check: name -->`, each as its cells.
    pub(crate) fn checked_table(&self, name: &str) -> Vec<Vec<String>> {
        let mark = format!("<!-- check: {name} -->\n");
        let (_, after) = self.text.split_once(&mark).unwrap_or_else(|| panic!("no {mark}"));
        let table: Vec<&str> = after.lines().take_while(|line| line.starts_with('|')).collect();
        table.into_iter().skip(2).map(cells).collect()
    }

    /// The first cells of all tables, with their whole rows.
    pub(crate) fn rows(&self) -> Vec<(String, String)> {
        let rows = self.text.lines().filter(|line| line.starts_with('|'));
        rows.map(|row| (cells(row)[0].clone(), row.to_owned())).collect()
    }
}

fn cells(row: &str) -> Vec<String> {
    let inner = row.trim().trim_start_matches('|').trim_end_matches('|').replace("\\|", "\u{1}");
    inner.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
}

pub(crate) fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn folder(under: &str) -> Vec<Page> {
    let mut pages: Vec<Page> = fs::read_dir(docs().join(under))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| Page {
            name: format!("{under}{}", path.file_name().unwrap().to_string_lossy()),
            text: fs::read_to_string(&path).unwrap(),
        })
        .collect();
    pages.sort_by(|a, b| a.name.cmp(&b.name));
    pages
}

/// The guides.
pub(crate) fn guides() -> Vec<Page> {
    folder("")
}

/// The pages of the error codes.
pub(crate) fn error_pages() -> Vec<Page> {
    folder("errors/")
}

pub(crate) fn guide(name: &str) -> Page {
    guides().into_iter().find(|page| page.name == name).unwrap_or_else(|| panic!("no docs/{name}"))
}

/// Texts such as `QC-W012`.
fn codes(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("QC-").filter_map(|(at, _)| {
        let code = text.get(at..at + 7)?;
        let (letter, digits) = (code.as_bytes()[3], &code.as_bytes()[4..]);
        (letter.is_ascii_uppercase() && digits.iter().all(u8::is_ascii_digit)).then_some(code)
    })
}

#[test]
fn every_code_that_is_mentioned_has_a_page() {
    let mut mentioned = 0;
    for page in guides().into_iter().chain(error_pages()) {
        for code in codes(&page.text) {
            mentioned += 1;
            let path = docs().join(format!("errors/{code}.md"));
            assert!(path.is_file(), "{} mentions {code}, which has no page", page.name);
        }
    }
    assert!(mentioned > 300, "only {mentioned} codes were found");
}

#[test]
fn every_error_page_says_what_to_do() {
    for page in error_pages() {
        let code = page.name.trim_start_matches("errors/").trim_end_matches(".md");
        assert!(page.text.starts_with(&format!("# {code}: ")), "{}", page.name);
        let mut rest = page.text.as_str();
        for heading in ["\n## What happened\n", "\n## Why\n", "\n## What to do\n"] {
            let Some((_, after)) = rest.split_once(heading) else {
                panic!("{} lacks `{}`, or has it in another order", page.name, heading.trim());
            };
            rest = after;
        }
        assert!(!rest.trim().is_empty(), "{} has nothing under `What to do`", page.name);
    }
}

#[test]
fn links_lead_somewhere() {
    for page in guides() {
        for (at, _) in page.text.match_indices("](") {
            let target = page.text[at + 2..].split(')').next().unwrap_or_default();
            if target.starts_with("http") || target.starts_with('#') {
                continue;
            }
            let path = target.split('#').next().unwrap_or_default();
            assert!(docs().join(path).exists(), "{}: `{target}` leads nowhere", page.name);
        }
    }
}

#[test]
fn the_index_names_every_guide() {
    let index = guide("README.md");
    for page in
        guides().iter().filter(|page| !["README.md", "benchmarks.md"].contains(&page.name.as_str()))
    {
        assert!(
            index.text.contains(&format!("]({})", page.name)),
            "{} is not in docs/README.md",
            page.name
        );
    }
}
