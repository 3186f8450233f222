//! Two versions of a contract, compared: what changed, which way, how much that weighs, and what consumers do about
//! it.
//!
//! The way: both descriptions are read by the one loader and stay trees with spans. Operations are paired by what is
//! on the wire ([`api`]); schemas are reduced to what they admit ([`shape`]) and walked side by side ([`walk`]), and
//! where several keywords work together a proof decides ([`crate::covers`]). Every kind of change is a [`Rule`] of one
//! table; a [`Profile`] may weigh it otherwise.
//!
//! How silence is read: consumers send only what is described, so a new optional property of a request breaks nobody,
//! though to the letter of JSON Schema an undescribed property admits anything.

mod annotation;
mod api;
mod envelope;
mod equal;
mod found;
mod lifecycle;
mod outcome;
mod profile;
mod report;
mod rules;
mod schemas;
mod shape;
mod side;
mod walk;

use std::fmt;

use qc_model::Place;
use serde_json::Value;

use crate::asyncapi::AsyncApi;
use crate::model::Version;
use crate::openapi::OpenApi;
use api::{Comparing, Offered};
use lifecycle::Calendar;
use outcome::Outcome;
use side::Side;
use walk::Walker;

pub use lifecycle::Day;
pub use profile::Profile;
pub use report::ReportFormat;
pub use rules::{Area, Level, Rule, rule, rules};
pub use schemas::{Mode, SchemaDocument, compare_schemas};

/// Longest witness that reports show, in bytes of JSON.
const WITNESS_LIMIT: usize = 2_000;

/// What a comparison comes to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing changed.
    NoChange,
    /// No consumer has to do anything.
    NonBreaking,
    /// Kept to the letter; consumers in the wild may be hurt.
    PotentiallyBreaking,
    /// Consumers that kept to the old version fail.
    Breaking,
}

impl Verdict {
    /// As files and output write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoChange => "no-change",
            Self::NonBreaking => "non-breaking",
            Self::PotentiallyBreaking => "potentially-breaking",
            Self::Breaking => "breaking",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How two versions differ.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The heaviest of the changes.
    pub verdict: Verdict,
    /// The name of the profile that weighed them.
    pub profile: String,
    /// The changes, the heaviest first.
    pub changes: Vec<Change>,
    /// Whether a limit of size or time cut it short: then there may be changes that are not listed.
    pub is_cut_short: bool,
}

impl Comparison {
    fn of<'d>(outcome: Outcome<'d>, sides: &(Side<'d>, Side<'d>), profile: &Profile) -> Self {
        let is_cut_short = outcome.is_cut_short;
        let changes = outcome.finish(&sides.0, &sides.1, profile);
        let (verdict, profile) = (verdict(&changes), profile.name().to_owned());
        Self { verdict, profile, changes, is_cut_short }
    }
}

/// One change.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its kind.
    pub rule: &'static Rule,
    /// How much it weighs.
    pub level: Level,
    /// What decided the level: a rule's default, or a line of the profile.
    pub decided_by: String,
    /// What it is about; where failures are told, that.
    pub area: Area,
    /// The part of the operation, such as `answer 200, application/json`; empty for the whole.
    pub part: String,
    /// The operations that it is seen in.
    pub uses: Uses,
    /// What happened, in one line.
    pub message: String,
    /// Before.
    pub old: ChangeSide,
    /// After.
    pub new: ChangeSide,
    /// A value that one version admits and the other does not.
    pub witness: Option<Value>,
}

/// One side of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSide {
    /// What is there, shortened; nothing when it is absent there.
    pub text: Option<String>,
    /// JSON Pointer in its file: of the value, or of what lacks it.
    pub pointer: String,
    /// Where that is.
    pub place: Option<Place>,
}

/// Where a change is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uses {
    /// Operations, such as `POST /pets`.
    pub named: Vec<String>,
    /// How many more there are.
    pub further: usize,
}

impl Change {
    /// The witness, when it is short enough to be read.
    fn readable_witness(&self) -> Option<&Value> {
        self.witness.as_ref().filter(|witness| witness.to_string().len() <= WITNESS_LIMIT)
    }

    /// For sorting: file and offset of the new side.
    fn position(&self) -> (usize, &str, &str) {
        let start = self.new.place.as_ref().map_or(usize::MAX, |place| place.start);
        (start, &self.rule.id, &self.message)
    }
}

/// What a comparison needs to know besides the two versions.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// How changes are weighed.
    pub profile: &'a Profile,
    /// The day on which the new version is published, for sunsets; without it they are not held against a date.
    pub today: Option<Day>,
}

/// Compares two descriptions of an API.
pub fn compare(old: &OpenApi, new: &OpenApi, options: Options<'_>) -> Comparison {
    let sides =
        (Side::new(old.documents(), old.version()), Side::new(new.documents(), new.version()));
    let calendar = Calendar { today: options.today, notice: options.profile.notice_days() };
    let mut comparing = Comparing {
        old_api: Offered::of(old),
        new_api: Offered::of(new),
        old: &sides.0,
        new: &sides.1,
        walker: Walker::new(&sides.0, &sides.1, calendar),
        calendar,
        outcome: Outcome::default(),
    };
    comparing.all();
    comparing.compare_versions();
    Comparison::of(comparing.outcome, &sides, options.profile)
}

/// Compares two descriptions of what is exchanged over channels. What the application sends is read by consumers, so
/// it is judged as answers are; what it receives is sent to it, as requests are.
pub fn compare_events(old: &AsyncApi, new: &AsyncApi, options: Options<'_>) -> Comparison {
    // Schemas of AsyncAPI are a superset of JSON Schema draft-07, which the newest generation reads, too.
    let sides =
        (Side::new(old.documents(), Version::V3_1), Side::new(new.documents(), Version::V3_1));
    let calendar = Calendar { today: options.today, notice: options.profile.notice_days() };
    let mut comparing = Comparing {
        old_api: Offered::default(),
        new_api: Offered::default(),
        old: &sides.0,
        new: &sides.1,
        walker: Walker::new(&sides.0, &sides.1, calendar),
        calendar,
        outcome: Outcome::default(),
    };
    comparing.all_exchanges(old, new);
    comparing.compare_versions();
    Comparison::of(comparing.outcome, &sides, options.profile)
}

fn verdict(changes: &[Change]) -> Verdict {
    match changes.iter().map(|change| change.level).max() {
        None => Verdict::NoChange,
        Some(Level::Cosmetic | Level::Additive) => Verdict::NonBreaking,
        Some(Level::Risky) => Verdict::PotentiallyBreaking,
        Some(Level::Breaking) => Verdict::Breaking,
    }
}
