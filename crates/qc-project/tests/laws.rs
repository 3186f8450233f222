//! Whatever is done to the files of a project: checking them ends, with places that lie in the files, and every format
//! can write what was found.

use proptest::prelude::*;
use qc_project::{Project, ProjectFiles, render, scaffold};

/// One change of one file.
#[derive(Debug, Clone)]
enum Damage {
    DropLine,
    DoubleLine,
    CutHere,
    Insert(String),
    Gone,
}

fn damage() -> impl Strategy<Value = Damage> {
    let text = prop_oneof![
        Just("[".to_owned()),
        Just("}".to_owned()),
        Just(": ".to_owned()),
        Just("\t".to_owned()),
        Just("ä€𝄞".to_owned()),
        Just("null".to_owned()),
        Just("-1".to_owned()),
        Just("${ .x }".to_owned()),
        Just("secret://a".to_owned()),
        Just("\u{0}".to_owned()),
        Just("&a *a".to_owned()),
        "[ -~]{1,8}",
    ];
    prop_oneof![
        3 => Just(Damage::DropLine),
        2 => Just(Damage::DoubleLine),
        1 => Just(Damage::CutHere),
        6 => text.prop_map(Damage::Insert),
        1 => Just(Damage::Gone),
    ]
}

fn apply(files: &ProjectFiles, which: usize, at: usize, damage: &Damage) -> ProjectFiles {
    let paths: Vec<&str> = files.iter().map(|(path, _)| path).collect();
    let path = paths[which % paths.len()].to_owned();
    let text = files.text(&path).unwrap_or_default().to_owned();
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let line = at % lines.len().max(1);
    let changed = match damage {
        Damage::DropLine if lines.is_empty() => String::new(),
        Damage::DropLine => {
            lines.remove(line);
            lines.concat()
        }
        Damage::DoubleLine => {
            let again = lines.get(line).copied().unwrap_or_default();
            lines.insert(line, again);
            lines.concat()
        }
        Damage::CutHere | Damage::Insert(_) => {
            let mut cut = at % (text.len() + 1);
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            match damage {
                Damage::Insert(more) => format!("{}{more}{}", &text[..cut], &text[cut..]),
                _ => text[..cut].to_owned(),
            }
        }
        Damage::Gone => {
            let rest = files.iter().filter(|(known, _)| *known != path);
            return ProjectFiles::new(rest.map(|(path, bytes)| (path.to_owned(), bytes.clone())));
        }
    };
    let mut files = files.clone();
    files.insert(path, changed);
    files
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn checking_always_ends_with_findings_that_can_be_shown(
        template in 0usize..3,
        damages in proptest::collection::vec((any::<usize>(), any::<usize>(), damage()), 1..4),
    ) {
        let mut files = scaffold::init(scaffold::Template::ALL[template]);
        for (which, at, damage) in &damages {
            files = apply(&files, *which, *at, damage);
        }
        let project = Project::load(files);
        let findings = project.check();
        for finding in &findings {
            let places = finding.place.iter().chain(finding.labels.iter().map(|label| &label.place));
            for place in places {
                let length = project.files().bytes(&place.file).map_or(0, bytes::Bytes::len);
                prop_assert!(place.start <= place.end && place.end <= length.max(place.start), "{finding}");
                prop_assert!(place.line >= 1 && place.column >= 1, "{finding}");
            }
        }
        for name in render::FORMAT_NAMES {
            let format = render::Format::parse(name, true).expect("is a format");
            let text = render::render(format, &findings, project.files());
            if matches!(name, "json" | "sarif") {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
            }
        }
        // Building a release of what is damaged either works or says why.
        for name in project.integrations().keys() {
            if let Err(why) = qc_project::compile::build(&project, name) {
                prop_assert!(!why.is_empty());
            }
        }
    }
}
