//! Idempotency keys and the answers that they got.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use qc_model::Timestamp;

use crate::exchange::SimResponse;

/// Most keys held. The oldest is forgotten first, as a provider with a full cache would.
const KEY_LIMIT: usize = 1_000_000;

pub(crate) struct Remembered {
    window: Duration,
    keys: HashMap<Arc<str>, Entry>,
    oldest: VecDeque<(Timestamp, Arc<str>)>,
}

struct Entry {
    at: Timestamp,
    fingerprint: [u8; 32],
    answer: SimResponse,
}

/// What is known about a key.
#[derive(Debug, PartialEq)]
pub(crate) enum Recall {
    /// Never seen, or forgotten.
    Fresh,
    /// Seen with the same request: this was the answer.
    Same(SimResponse),
    /// Seen with another request.
    Other,
}

impl Remembered {
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, keys: HashMap::new(), oldest: VecDeque::new() }
    }

    pub(crate) fn recall(&mut self, key: &str, fingerprint: &[u8; 32], now: Timestamp) -> Recall {
        self.forget(now);
        match self.keys.get(key) {
            None => Recall::Fresh,
            Some(entry) if entry.fingerprint == *fingerprint => Recall::Same(entry.answer.clone()),
            Some(_) => Recall::Other,
        }
    }

    pub(crate) fn remember(
        &mut self,
        key: &str,
        fingerprint: [u8; 32],
        answer: SimResponse,
        now: Timestamp,
    ) {
        if self.keys.len() >= KEY_LIMIT
            && let Some((_, key)) = self.oldest.pop_front()
        {
            self.keys.remove(&key);
        }
        let key: Arc<str> = key.into();
        self.oldest.push_back((now, Arc::clone(&key)));
        self.keys.insert(key, Entry { at: now, fingerprint, answer });
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((at, key)) = self.oldest.front() {
            if now.since(*at) < self.window {
                break;
            }
            if self.keys.get(key).is_some_and(|entry| entry.at == *at) {
                self.keys.remove(key);
            }
            self.oldest.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    #[test]
    fn a_key_is_known_within_its_window_only() {
        let mut remembered = Remembered::new(Duration::from_secs(10));
        let at = Timestamp::from_millis;
        let answer = SimResponse::empty(StatusCode::CREATED);
        remembered.remember("k", [1; 32], answer.clone(), at(0));
        assert_eq!(remembered.recall("k", &[1; 32], at(9_999)), Recall::Same(answer));
        assert_eq!(remembered.recall("k", &[2; 32], at(9_999)), Recall::Other);
        assert_eq!(remembered.recall("k", &[1; 32], at(10_000)), Recall::Fresh);
        assert!(remembered.keys.is_empty() && remembered.oldest.is_empty());
    }
}
