//! How fast a subscription begins runs.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Keeps runs from beginning faster than a subscription says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace {
    next: Option<Instant>,
}

impl Pace {
    /// Waits until the next run may begin.
    pub(crate) async fn keep(&mut self, max_rate: Option<f64>) {
        let Some(rate) = max_rate.filter(|rate| *rate > 0.0) else { return };
        let Ok(between) = Duration::try_from_secs_f64(1.0 / rate) else { return };
        let now = Instant::now();
        let at = self.next.unwrap_or(now).max(now);
        sleep_until(at).await;
        self.next = Some(at + between);
    }
}
