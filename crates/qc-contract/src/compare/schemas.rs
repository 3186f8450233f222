//! Plain JSON Schemas, compared as registries do: who may read what whom wrote. Here silence is read to the letter, and
//! a proof over the whole has the last word.

use std::rc::Rc;

use qc_model::{Finding, Severity};

use super::found::{Found, Said};
use super::lifecycle::Calendar;
use super::outcome::Outcome;
use super::rules::{self, Level, Rule};
use super::shape::Conj;
use super::side::Side;
use super::walk::{Bound, Context, Walker, Wire};
use super::{Comparison, Options};
use crate::documents::Documents;
use crate::files::Files;
use crate::mismatch::Direction;
use crate::model::Version;
use crate::subsume::{CoverOptions, Covers, covers};

/// Which of the two versions must understand what the other wrote.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// The new version reads what the old one wrote.
    Backward,
    /// The old version reads what the new one writes.
    Forward,
    /// Both.
    Full,
}

impl Mode {
    /// From its name; with `-transitive` it holds against every version before, not only the last one.
    pub fn parse(name: &str) -> Option<(Self, bool)> {
        let (name, is_transitive) = match name.strip_suffix("-transitive") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let mode = match name {
            "backward" => Self::Backward,
            "forward" => Self::Forward,
            "full" => Self::Full,
            _ => return None,
        };
        Some((mode, is_transitive))
    }

    fn ways(self) -> &'static [Direction] {
        match self {
            Self::Backward => &[Direction::Request],
            Self::Forward => &[Direction::Response],
            Self::Full => &[Direction::Request, Direction::Response],
        }
    }
}

/// A JSON Schema file with its places, and the files that it refers to.
#[derive(Debug)]
pub struct SchemaDocument {
    documents: Documents,
}

impl SchemaDocument {
    /// Loads a schema; references outside of the folder are findings and are never fetched.
    pub fn load(files: &dyn Files, path: &str) -> Result<Self, Vec<Finding>> {
        let mut documents = Documents::open(files, path).map_err(|finding| vec![*finding])?;
        let mut findings = Vec::new();
        documents.gather(files, &mut findings);
        if findings.iter().any(|finding| finding.severity == Severity::Error) {
            return Err(findings);
        }
        Ok(Self { documents })
    }
}

/// Compares two versions of a JSON Schema.
pub fn compare_schemas(
    old: &SchemaDocument,
    new: &SchemaDocument,
    mode: Mode,
    options: Options<'_>,
) -> Comparison {
    let sides =
        (Side::new(&old.documents, Version::V3_1), Side::new(&new.documents, Version::V3_1));
    let calendar = Calendar { today: options.today, notice: options.profile.notice_days() };
    let mut walker = Walker::new(&sides.0, &sides.1, calendar);
    let mut outcome = Outcome::default();
    let roots = (sides.0.root(), sides.1.root());
    for found in walker.compare_envelopes(&Conj::one(roots.0), &Conj::one(roots.1)) {
        outcome.add(&found, found.level, found.rule.area, &Rc::from(""), "");
    }
    for way in mode.ways() {
        let context = Context { way: *way, wire: Wire::Document };
        let pair = walker.pair(&Conj::one(roots.0), &Conj::one(roots.1), context);
        let proof = proof(old, new, *way);
        let bound = match proof {
            Covers::Yes => Bound::capped(Level::Additive),
            Covers::No { .. } | Covers::Unknown { .. } => Bound::NONE,
        };
        let mut heaviest = None;
        walker.collect(pair, bound, |found, level| {
            heaviest = heaviest.max(Some(level));
            outcome.add(found, level, found.rule.area, &Rc::from(""), "");
        });
        let (rule, message, witness): (&'static Rule, _, _) = match proof {
            Covers::No { witness } => {
                (&rules::SCHEMA_INCOMPATIBLE, incompatible(*way).to_owned(), witness)
            }
            Covers::Unknown { why } if heaviest.is_some_and(|level| level < Level::Risky) => {
                (&rules::SCHEMA_UNPROVEN, why.to_owned(), None)
            }
            Covers::Yes | Covers::Unknown { .. } => continue,
        };
        let said = (Said::new(roots.0, "the schema"), Said::new(roots.1, "the schema"));
        let found = Found::new(rule, said.0, said.1, message).witnessed(witness);
        outcome.add(&found, found.level, rule.area, &Rc::from(""), "");
    }
    outcome.is_cut_short |= walker.cut_short;
    Comparison::of(outcome, &sides, options.profile)
}

fn incompatible(way: Direction) -> &'static str {
    match way {
        Direction::Request => "the old version admits something that the new one does not",
        Direction::Response => "the new version admits something that the old one does not",
    }
}

fn proof(old: &SchemaDocument, new: &SchemaDocument, way: Direction) -> Covers {
    if old.documents.file_count() > 1 || new.documents.file_count() > 1 {
        return Covers::Unknown { why: "a schema that is spread over several files is not proven" };
    }
    let (old, new) = (old.documents.root().to_value(), new.documents.root().to_value());
    match way {
        Direction::Request => covers(&new, &old, CoverOptions::default()),
        Direction::Response => covers(&old, &new, CoverOptions::default()),
    }
}
