//! Guides that were generated still say what the contracts say.

use super::Subject;
use crate::papers::stale;

pub(super) fn check(subject: &mut Subject<'_>) {
    let found = stale(subject.project, subject.folder);
    subject.out.extend(found);
}
