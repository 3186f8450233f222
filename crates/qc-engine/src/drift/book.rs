use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use qc_connect::call::{Deviation, DriftNote, EndNotice};
use tokio::sync::Notify;

use super::{
    DriftFinding,
    finding::{Seer, Site, of_notice},
    seen::DriftSeen,
};

/// The most operations of which is remembered what was seen; of further ones nothing is, until the next are written.
const SITES_MAX: usize = 4_096;
/// The most findings of one operation between two writes.
const FINDINGS_MAX: usize = 16;

/// What this node has seen since it was written last.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pages: Mutex<HashMap<Site, Page>>,
    /// Something was seen for the first time.
    pub(super) news: Notify,
    pub(crate) numbers: Numbers,
}

/// How often, since the start.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    breaking: AtomicU64,
    additive: AtomicU64,
    repaired: AtomicU64,
    ends: AtomicU64,
    canaries: AtomicU64,
    canaries_failed: AtomicU64,
}

/// What was seen of one operation. What has been written stays, without its counts: so what is known is known.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) seen: DriftSeen,
    pub(super) findings: HashMap<String, DriftFinding>,
}

impl Book {
    fn pages(&self) -> MutexGuard<'_, HashMap<Site, Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what an answer was. `finding`: how it breaks its contract.
    pub(crate) fn note(
        &self,
        site: &Site,
        seer: Seer<'_>,
        (notes, end): (&[DriftNote], Option<&EndNotice>),
        finding: Option<&DriftFinding>,
    ) {
        if notes.is_empty() && end.is_none() {
            return;
        }
        self.numbers.count(notes, end);
        let ended = end.map(|end| of_notice(site, seer, end));
        let mut pages = self.pages();
        if pages.len() >= SITES_MAX && !pages.contains_key(site) {
            pages.retain(|_, page| page.is_new());
            if pages.len() >= SITES_MAX {
                return;
            }
        }
        if !pages.contains_key(site) {
            let page = Page { seen: DriftSeen::of(site), findings: HashMap::new() };
            pages.insert(site.clone(), page);
        }
        let Some(page) = pages.get_mut(site) else { return };
        let mut news = page.seen.note(seer, notes, end);
        for one in finding.into_iter().chain(ended.as_ref()) {
            if let Some(known) = page.findings.get_mut(&one.id) {
                known.join(one);
            } else if page.findings.len() < FINDINGS_MAX {
                page.findings.insert(one.id.clone(), one.clone());
                news = true;
            }
        }
        if news {
            self.news.notify_one();
        }
    }

    /// Whether a finding has been written by this node.
    pub(crate) fn is_written(&self, site: &Site, finding: &str) -> bool {
        let pages = self.pages();
        pages
            .get(site)
            .and_then(|page| page.findings.get(finding))
            .is_some_and(|one| one.count == 0)
    }

    /// What is to be written.
    pub(super) fn unwritten(&self) -> Vec<(Site, Page)> {
        let pages = self.pages();
        let new = pages.iter().filter(|(_, page)| page.is_new());
        new.map(|(site, page)| (site.clone(), page.clone())).collect()
    }

    /// This has been written: what came in since is still to be.
    pub(super) fn written(&self, site: &Site, what: &Page) {
        let mut pages = self.pages();
        let Some(page) = pages.get_mut(site) else { return };
        page.seen.left_out = page.seen.left_out.saturating_sub(what.seen.left_out);
        for shape in &mut page.seen.shapes {
            let wrote = what.seen.shapes.iter().find(|one| {
                (one.kind, &one.pointer, &one.keyword, &one.message)
                    == (shape.kind, &shape.pointer, &shape.keyword, &shape.message)
            });
            shape.count = shape.count.saturating_sub(wrote.map_or(0, |one| one.count));
        }
        for (id, one) in &mut page.findings {
            let Some(wrote) = what.findings.get(id) else { continue };
            one.count = one.count.saturating_sub(wrote.count);
            one.canaries = one.canaries.saturating_sub(wrote.canaries);
        }
    }
}

impl Page {
    fn is_new(&self) -> bool {
        self.seen.is_new() || self.findings.values().any(|one| one.count > 0)
    }
}

impl Numbers {
    fn count(&self, notes: &[DriftNote], end: Option<&EndNotice>) {
        for note in notes {
            let number = match note.kind {
                Deviation::Breaking => &self.breaking,
                Deviation::Additive => &self.additive,
                Deviation::Repaired => &self.repaired,
            };
            number.fetch_add(1, Ordering::Relaxed);
        }
        if end.is_some() {
            self.ends.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A canary call was made.
    pub(crate) fn canary(&self, failed: bool) {
        self.canaries.fetch_add(1, Ordering::Relaxed);
        self.canaries_failed.fetch_add(u64::from(failed), Ordering::Relaxed);
    }

    /// Broken, additive, put right, and said to end; canary calls, and those that failed.
    pub(crate) fn read(&self) -> [u64; 6] {
        let Self { breaking, additive, repaired, ends, canaries, canaries_failed } = self;
        [breaking, additive, repaired, ends, canaries, canaries_failed]
            .map(|number| number.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::{
        FindingKind,
        finding::{
            of_notes,
            tests::{note, seer, site},
        },
        seen::SHAPES_MAX,
    };

    #[test]
    fn what_comes_in_while_it_is_written_is_written_next() {
        let book = Book::default();
        let notes = [note(Deviation::Breaking, "/id", "a text, not a number")];
        let finding = of_notes(&site(), seer(1), &notes).unwrap();
        let see = || book.note(&site(), seer(2), (&notes[..], None), Some(&finding));
        see();
        see();
        let first = book.unwritten();
        assert_eq!(first[0].1.seen.shapes[0].count, 2);
        assert!(!book.is_written(&site(), &finding.id));
        see();
        book.written(&site(), &first[0].1);
        let next = book.unwritten();
        assert_eq!((next[0].1.seen.shapes[0].count, next[0].1.findings[&finding.id].count), (1, 1));
        book.written(&site(), &next[0].1);
        assert!(book.unwritten().is_empty());
        assert!(book.is_written(&site(), &finding.id));
        assert_eq!(book.numbers.read(), [3, 0, 0, 0, 0, 0]);
    }
    #[test]
    fn an_end_is_written_once_though_nothing_else_is_seen() {
        let book = Book::default();
        let end = EndNotice {
            deprecated: true,
            sunset: Some(qc_model::Timestamp::from_millis(9)),
            ..EndNotice::default()
        };
        book.note(&site(), seer(1), (&[], Some(&end)), None);
        let unwritten = book.unwritten();
        let [(_, page)] = &unwritten[..] else { panic!("{unwritten:?}") };
        assert_eq!(page.seen.end.as_ref(), Some(&end));
        let findings: Vec<_> = page.findings.values().collect();
        let [finding] = findings[..] else { panic!("{findings:?}") };
        let said: Vec<&str> = finding.diff.iter().map(|one| &*one.keyword).collect();
        assert_eq!((finding.kind, &said[..]), (FindingKind::End, &["deprecation", "sunset"][..]));
        book.written(&site(), page);
        assert!(book.unwritten().is_empty());
        assert_eq!(book.numbers.read(), [0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn what_there_was_no_room_for_is_written_once() {
        let book = Book::default();
        for n in 0..SHAPES_MAX + 2 {
            let notes = [note(Deviation::Additive, &format!("/f{n}"), "more")];
            book.note(&site(), seer(1), (&notes[..], None), None);
        }
        let first = book.unwritten();
        assert_eq!(first[0].1.seen.left_out, 2);
        book.written(&site(), &first[0].1);
        assert!(book.unwritten().is_empty(), "nothing of it is written again");
    }
}
