use qc_document::{Source, Span};
use qc_model::{Code, Finding};

use super::*;

const TEXT: &str = "name: demo\nsystems:\n  crm:\n    owner: nobody # ünï\nname: twice\n";

fn files() -> ProjectFiles {
    ProjectFiles::new([("integrations/a b/integration.yaml".to_owned(), TEXT.into())])
}

fn findings() -> Vec<Finding> {
    let source = Source::new("integrations/a b/integration.yaml", TEXT);
    let place = |text: &str, nth: usize| {
        let start = TEXT.match_indices(text).nth(nth).unwrap().0;
        source.place(Span::new(start, start + text.len()))
    };
    vec![
        Finding::error(Code::new("QC-P007"), "`nobody` is no person and no team")
            .at(place("nobody", 0))
            .cause("not in the directory: 100%, <really>")
            .help("add it to `people` or `teams` in quickconnect.yaml"),
        Finding::warning(Code::new("QC-Q003"), "`name` is there twice")
            .at(place("name", 1))
            .label(place("name", 0), "the first one is here"),
        Finding::note(Code::new("QC-P026"), "a whole block").at(place("systems:\n  crm:", 0)),
        Finding::error(Code::new("QC-P001"), "there is no `quickconnect.yaml`"),
        Finding::error(Code::new("QC-P008"), "not there").at(crate::files::file_place("x.yaml")),
    ]
}

#[test]
fn human() {
    insta::assert_snapshot!(render(Format::Human { colour: false }, &findings(), &files()));
    let coloured = render(Format::Human { colour: true }, &findings(), &files());
    assert!(coloured.contains("\u{1b}["));
    assert!(render(Format::Human { colour: false }, &[], &files()).contains("no findings"));
}

#[test]
fn json() {
    insta::assert_snapshot!(render(Format::Json, &findings(), &files()));
}

#[test]
fn github() {
    insta::assert_snapshot!(render(Format::Github, &findings(), &files()));
}

#[test]
fn junit() {
    insta::assert_snapshot!(render(Format::Junit, &findings(), &files()));
    insta::assert_snapshot!("junit_empty", render(Format::Junit, &[], &files()));
}

#[test]
fn sarif() {
    insta::assert_snapshot!(render(Format::Sarif, &findings(), &files()));
}
