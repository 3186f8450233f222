use std::collections::BTreeMap;

use qc_connect::call::{Deviation, DriftNote, EndNotice};
use qc_model::{EnvironmentName, Name, Timestamp};
use serde::{Deserialize, Serialize};

use super::finding::{Seer, Site, is_of_contract, of_items};

/// The most shapes that are kept of one operation; of further ones only their number.
pub(super) const SHAPES_MAX: usize = 64;
/// The longest pointer and message of a shape, in bytes.
const TEXT_BYTES: usize = 300;

/// What was seen of the answers of an operation that its contract does not say. Holds shapes, never values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftSeen {
    /// The version of the stored form.
    pub(crate) v: u32,
    /// Where.
    pub environment: EnvironmentName,
    /// Who calls the operation.
    pub integration: Name,
    /// The connector, or the document's address.
    pub connector: String,
    /// The operation.
    pub operation: String,
    /// Whose the connector is.
    pub owner: Option<String>,
    /// What was seen, at most 64 shapes.
    pub shapes: Vec<DriftShape>,
    /// How many times something was seen for which there was no room.
    pub left_out: u64,
    /// What the provider said last of the operation's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EndNotice>,
}

/// One shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftShape {
    /// What it means.
    pub kind: Deviation,
    /// JSON Pointer in the answer, `*` for the items of a list.
    pub pointer: String,
    /// The keyword that it is about.
    pub keyword: String,
    /// What was seen.
    pub message: String,
    /// The status of the answer that came last.
    pub status: u16,
    /// When it was first seen.
    pub first_at: Timestamp,
    /// When it was last seen.
    pub last_at: Timestamp,
    /// How often.
    pub count: u64,
    /// The release that saw it last.
    pub release: String,
}

impl DriftShape {
    fn is(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.pointer == other.pointer
            && self.keyword == other.keyword
            && self.message == other.message
    }
}

impl DriftSeen {
    pub(super) fn of(site: &Site) -> Self {
        let Site { environment, integration, connector, operation } = site.clone();
        Self {
            v: 1,
            environment,
            integration,
            connector,
            operation,
            owner: None,
            shapes: Vec::new(),
            left_out: 0,
            end: None,
        }
    }

    /// Takes in what one answer was. Says whether anything of it was not known.
    pub(super) fn note(
        &mut self,
        seer: Seer<'_>,
        notes: &[DriftNote],
        end: Option<&EndNotice>,
    ) -> bool {
        self.owner = seer.owner.map(str::to_owned);
        // What stands at many items of one answer is one shape of it.
        let mut found: BTreeMap<(Deviation, String, &str, String), u16> = BTreeMap::new();
        for note in notes.iter().filter(|note| is_of_contract(note)) {
            let (pointer, message) = (short(of_items(&note.pointer)), short(note.message.clone()));
            found.insert((note.kind, pointer, note.keyword.as_str(), message), note.status);
        }
        let mut news = false;
        for ((kind, pointer, keyword, message), status) in found {
            let (first_at, last_at) = (seer.at, seer.at);
            let (keyword, release) = (keyword.to_owned(), seer.release.to_owned());
            let one = DriftShape {
                kind,
                pointer,
                keyword,
                message,
                status,
                first_at,
                last_at,
                count: 1,
                release,
            };
            news |= self.take(one);
        }
        if let Some(end) = end.filter(|end| self.end.as_ref() != Some(end)) {
            self.end = Some(end.clone());
            news = true;
        }
        news
    }

    fn take(&mut self, one: DriftShape) -> bool {
        if let Some(known) = self.shapes.iter_mut().find(|known| known.is(&one)) {
            known.first_at = known.first_at.min(one.first_at);
            if one.last_at >= known.last_at {
                known.last_at = one.last_at;
                known.status = one.status;
                known.release = one.release;
            }
            known.count = known.count.saturating_add(one.count);
            return false;
        }
        if self.shapes.len() >= SHAPES_MAX {
            self.left_out = self.left_out.saturating_add(one.count);
            return false;
        }
        self.shapes.push(one);
        true
    }

    /// What somebody else saw, too.
    pub(super) fn join(&mut self, other: Self) {
        self.owner = other.owner.or(self.owner.take());
        self.left_out = self.left_out.saturating_add(other.left_out);
        self.end = other.end.or(self.end.take());
        for shape in other.shapes {
            self.take(shape);
        }
    }

    /// Whether anything of it is to be written.
    pub(super) fn is_new(&self) -> bool {
        self.left_out > 0 || self.shapes.iter().any(|shape| shape.count > 0)
    }
}

fn short(mut text: String) -> String {
    let mut end = TEXT_BYTES.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::finding::tests::{note, seer, site};

    #[test]
    fn a_shape_is_counted_once_for_an_answer_and_merged_from_many_places() {
        let mut here = DriftSeen::of(&site());
        let more = |pointer: &str| note(Deviation::Additive, pointer, "more than was promised");
        assert!(here.note(seer(5), &[more("/lines/0/new"), more("/lines/1/new")], None));
        assert!(!here.note(seer(6), &[more("/lines/4/new")], None));
        let mut there = DriftSeen::of(&site());
        there.note(seer(2), &[more("/lines/9/new"), more("/other")], None);
        here.join(there);
        let shapes: Vec<_> = here
            .shapes
            .iter()
            .map(|one| {
                (&*one.pointer, one.count, one.first_at.as_millis(), one.last_at.as_millis())
            })
            .collect();
        assert_eq!(shapes, [("/lines/*/new", 3, 2, 6), ("/other", 1, 2, 2)]);
        for shape in &mut here.shapes {
            shape.count = 0;
        }
        assert!(!here.is_new());
        here.note(seer(7), &[more("/other")], None);
        assert!(here.is_new());
    }

    #[test]
    fn what_is_seen_now_counts_before_what_is_stored() {
        let end = |deprecated| EndNotice { deprecated, ..EndNotice::default() };
        let mut stored = DriftSeen::of(&site());
        stored.note(seer(1), &[], Some(&end(false)));
        let mut now = DriftSeen::of(&site());
        now.note(Seer { owner: Some("others"), ..seer(2) }, &[], Some(&end(true)));
        stored.join(now);
        assert_eq!((stored.owner.as_deref(), &stored.end), (Some("others"), &Some(end(true))));
        // Another node that saw nothing of an end takes nothing away.
        stored.join(DriftSeen::of(&site()));
        assert_eq!((stored.owner.as_deref(), &stored.end), (Some("others"), &Some(end(true))));
    }

    #[test]
    fn shapes_are_bounded_and_what_is_left_out_is_counted() {
        let mut seen = DriftSeen::of(&site());
        for n in 0..SHAPES_MAX + 3 {
            seen.note(
                seer(1),
                &[note(Deviation::Additive, &format!("/f{n}"), &"é".repeat(400))],
                None,
            );
        }
        assert_eq!((seen.shapes.len(), seen.left_out), (SHAPES_MAX, 3));
        assert!(seen.shapes[0].message.len() <= TEXT_BYTES);
        let size = serde_json::to_vec(&seen).unwrap().len();
        assert!(size < 64 * 1024, "{size}");
    }
}
