//! Acceptance, communication and review.

use std::time::Duration;

use qc_model::Name;

use crate::shape::{Fields, ProjectPath, Record, Spanned};

/// One criterion of acceptance.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// The criterion, in business words.
    pub criterion: String,
    /// The scenario that proves it.
    pub scenario: ProjectPath,
}

/// Who is told of changes.
#[derive(Debug, Clone)]
pub struct Communication {
    /// Who is told, by id of person or team, or by mail address.
    pub audience: Vec<Spanned<String>>,
    /// Where.
    pub channel: String,
    /// How long before a change.
    pub notice: Duration,
}

/// How often all of this is looked at again.
#[derive(Debug, Clone)]
pub struct Review {
    /// How often.
    pub every: Duration,
    /// By whom: id of a person or team.
    pub by: Spanned<Name>,
}

impl Record for Acceptance {
    const NAME: &'static str = "acceptance";
    const DOC: &'static str = "One criterion of acceptance.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let criterion = f.required("criterion", "The criterion, in business words.");
        let scenario =
            f.required("scenario", "The scenario that proves it, a file of this folder.");
        Some(Self { criterion: criterion?, scenario: scenario? })
    }
}

impl Record for Communication {
    const NAME: &'static str = "communication";
    const DOC: &'static str = "Who is told of changes.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let audience =
            f.required("audience", "Who is told: ids of people or teams, or mail addresses.");
        let channel = f.required("channel", "Where they are told.");
        let notice = f.required("notice", "How long before a change.");
        Some(Self { audience: audience?, channel: channel?, notice: notice? })
    }
}

impl Record for Review {
    const NAME: &'static str = "review";
    const DOC: &'static str = "How often all of this is looked at again.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let every = f.required("every", "How often.");
        let by = f.required("by", "By whom: id of a person or team.");
        Some(Self { every: every?, by: by? })
    }
}
