//! `judge contracts`: our verdicts beside those of labelled cases that others published.
//!
//! One file for each kind of case: what a case is, what we say to it, and which shares are aimed at. Reading files and
//! printing is here. The same functions run as tests where the cases are there (`tests/judge.rs`).

pub mod openapi;
pub mod pact;
pub mod schemas;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What `judge` takes.
pub const USAGE: &str = "cargo xtask judge contracts --cases DIR";

/// A kind of case: the file of a folder of cases that holds it, one JSON value a line, and who judges it.
pub struct Kind {
    /// Path below the folder.
    pub file: &'static str,
    /// Judges the file's text.
    pub judge: fn(&str) -> Result<Report, String>,
}

/// Every kind that is judged, in the order of the output.
pub const KINDS: &[Kind] = &[
    Kind { file: "openapi_pairs_unified.jsonl", judge: openapi::judge },
    Kind { file: "json_schema_subschema_unified.jsonl", judge: schemas::judge },
    Kind { file: "pact/cases.jsonl", judge: pact::judge },
];

/// What judging one file came to.
#[derive(Debug, Default)]
pub struct Report {
    /// The table and the disagreements, as they are printed.
    pub lines: Vec<String>,
    /// The shares that are aimed at.
    pub aims: Vec<Aim>,
}

/// A share that is aimed at.
#[derive(Debug, Clone, PartialEq)]
pub struct Aim {
    /// What is counted.
    pub what: &'static str,
    /// How many of how many.
    pub counted: (usize, usize),
    /// The bound, in percent.
    pub bound: Bound,
}

/// Which side of a percentage is good.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// This share or more.
    AtLeast(f64),
    /// This share or less.
    AtMost(f64),
}

impl Aim {
    /// The share in percent. Nothing of nothing keeps every bound.
    pub fn percent(&self) -> f64 {
        let (part, whole) = self.counted;
        #[expect(clippy::cast_precision_loss, reason = "cases are thousands, not billions")]
        let share = |part: usize, whole: usize| 100.0 * part as f64 / whole as f64;
        match (whole, self.bound) {
            (0, Bound::AtLeast(_)) => 100.0,
            (0, Bound::AtMost(_)) => 0.0,
            _ => share(part, whole),
        }
    }

    /// Whether it is reached.
    pub fn is_reached(&self) -> bool {
        match self.bound {
            Bound::AtLeast(bound) => self.percent() >= bound,
            Bound::AtMost(bound) => self.percent() <= bound,
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.is_reached() { "reached" } else { "MISSED" };
        let (part, whole) = self.counted;
        let (sign, bound) = match self.bound {
            Bound::AtLeast(bound) => (">=", bound),
            Bound::AtMost(bound) => ("<=", bound),
        };
        let percent = self.percent();
        write!(f, "{mark}: {} {part} of {whole} = {percent:.1} % (aim {sign} {bound} %)", self.what)
    }
}

/// Judges the kinds whose files are in the folder; 1 when an aim is missed, 2 when the arguments are wrong.
pub fn run(given: &[&str]) -> ExitCode {
    let ["contracts", "--cases", folder] = given else {
        eprintln!("usage: {USAGE}");
        return ExitCode::from(2);
    };
    let folder = Path::new(folder);
    let present: Vec<_> = KINDS.iter().filter(|kind| folder.join(kind.file).is_file()).collect();
    if present.is_empty() {
        eprintln!("{} has none of the files that are judged:", folder.display());
        for kind in KINDS {
            eprintln!("  {}", kind.file);
        }
        return ExitCode::from(2);
    }
    let mut is_good = true;
    for kind in present {
        println!("# {}", kind.file);
        match judge_file(&folder.join(kind.file), kind) {
            Ok(report) => {
                report.lines.iter().for_each(|line| println!("{line}"));
                report.aims.iter().for_each(|aim| println!("{aim}"));
                is_good &= report.aims.iter().all(Aim::is_reached);
            }
            Err(problem) => {
                eprintln!("{problem}");
                is_good = false;
            }
        }
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Judges one file.
pub fn judge_file(path: &Path, kind: &Kind) -> Result<Report, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    (kind.judge)(&text)
}

/// The folder of the shared cases, where it is: `QC_SHARED` or `../shared`, and `contract-cases` in it.
pub fn shared_cases() -> Option<PathBuf> {
    let shared = std::env::var_os("QC_SHARED")
        .map_or_else(|| crate::root().join("../shared"), PathBuf::from);
    let folder = shared.join("data/contract-cases");
    folder.is_dir().then_some(folder)
}

/// The cases of a file, each with its number of line for messages.
pub fn cases(text: &str) -> Result<Vec<serde_json::Value>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            serde_json::from_str(line).map_err(|error| format!("line {}: {error}", at + 1))
        })
        .collect()
}
