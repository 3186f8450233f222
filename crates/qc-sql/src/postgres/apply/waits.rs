use std::collections::BTreeMap;

use qc_store::Wait;

/// What becomes of a run's waits.
#[derive(Debug, Default)]
pub(in crate::postgres) struct WaitDeed<'a> {
    /// Those that were there before the batch end.
    pub(in crate::postgres) all_end: bool,
    /// By their ids; None: it ends, when it is there.
    pub(in crate::postgres) waits: BTreeMap<&'a str, Option<&'a Wait>>,
}

impl<'a> WaitDeed<'a> {
    pub(super) fn put(&mut self, wait: &'a Wait) {
        self.waits.insert(&wait.id, Some(wait));
    }

    pub(super) fn end(&mut self, id: &'a str) {
        self.waits.insert(id, None);
    }

    pub(super) fn end_all(&mut self) {
        self.all_end = true;
        self.waits.clear();
    }
}
