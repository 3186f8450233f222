use std::collections::VecDeque;

use tokio::sync::OwnedSemaphorePermit;

use crate::StoreError;

/// So many batch sizes are remembered.
const SIZES_MAX: usize = 1000;

/// How a batch is to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is no room; nothing is written.
    Full,
    /// The store cannot be reached; nothing is written.
    Unavailable,
    /// The answer is lost.
    Unknown {
        /// Whether the batch was written all the same.
        applied: bool,
    },
}

/// Keeps batches in flight while it lives.
#[derive(Debug)]
pub struct Hold {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Hold {
    pub(super) fn new(permit: Option<OwnedSemaphorePermit>) -> Self {
        Self { _permit: permit }
    }
}

/// The faults that tests have asked for, and what was written.
#[derive(Debug, Default)]
pub(super) struct Faults {
    next: VecDeque<Fault>,
    batches_left: Option<usize>,
    sizes: VecDeque<usize>,
}

impl Faults {
    pub(super) fn line_up(&mut self, fault: Fault) {
        self.next.push_back(fault);
    }

    pub(super) fn stop_after(&mut self, batches: usize) {
        self.batches_left = Some(batches);
    }

    pub(super) fn go_on(&mut self) {
        self.batches_left = None;
    }

    pub(super) fn batch_sizes(&self) -> Vec<usize> {
        self.sizes.iter().copied().collect()
    }

    /// The fault of the batch that is about to be written.
    pub(super) fn next(&mut self, batch_size: usize) -> Result<Option<Fault>, StoreError> {
        match &mut self.batches_left {
            Some(0) => return Err(StoreError::Unavailable("the store was stopped".to_owned())),
            Some(left) => *left -= 1,
            None => {}
        }
        let fault = self.next.pop_front();
        if fault.is_none() {
            if self.sizes.len() == SIZES_MAX {
                self.sizes.pop_front();
            }
            self.sizes.push_back(batch_size);
        }
        Ok(fault)
    }
}
