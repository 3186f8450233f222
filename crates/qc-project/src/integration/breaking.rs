//! What is written about changes that break.

use qc_version::Date;

use crate::shape::{Fields, Record, Spanned};

/// What is written about one breaking change.
#[derive(Debug, Clone)]
pub struct BreakingChange {
    /// The day on which others were told.
    pub announced: Spanned<Date>,
    /// Where the changelog tells of it.
    pub changelog: Spanned<String>,
    /// Where it says how to move on.
    pub migration: Spanned<String>,
}

impl Record for BreakingChange {
    const NAME: &'static str = "breaking_change";
    const DOC: &'static str = "What is written about one breaking change.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let announced = f.required(
            "announced",
            "The day on which others were told; `notice.breaking` of quickconnect.yaml counts from it.",
        );
        let changelog = f.required(
            "changelog",
            "Where the changelog tells of it: a file of this folder, and `#` with a heading of it.",
        );
        let migration =
            f.required("migration", "Where it says how to move on, written the same way.");
        Some(Self { announced: announced?, changelog: changelog?, migration: migration? })
    }
}
