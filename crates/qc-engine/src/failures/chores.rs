use std::time::Duration;

use tokio::time::sleep;

use crate::Engine;

/// How often one page of what was said is looked through.
const TIDY_EVERY: Duration = Duration::from_secs(600);

impl Engine {
    /// Removes what was said of groups that are gone, until the drain.
    pub(crate) async fn keep_failures_tidy(&self) {
        let mut after: Option<String> = None;
        loop {
            tokio::select! {
                biased;
                () = self.draining() => return,
                () = sleep(TIDY_EVERY) => {}
            }
            match self.tidy_failures(after.as_deref()).await {
                Ok(next) => after = next,
                Err(error) => tracing::warn!("what was said of failures cannot be tidied: {error}"),
            }
        }
    }
}
