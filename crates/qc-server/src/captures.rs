//! Debug captures: kept up by itself, and their errors as problems.

use std::{sync::Arc, time::Duration};

use qc_capture::{CaptureError, ReadError, codes as capture};
use qc_model::NextAction;
use tokio::time::sleep;

use crate::{Problem, State, codes};

/// How soon a node learns what another one was told, and removes what is over.
const LOOK: Duration = Duration::from_secs(1);
/// The same while it does not work.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

impl State {
    /// Learns which captures are under way and removes those that are over, for ever.
    pub async fn keep_captures(self: Arc<Self>) {
        // Said once, not every time.
        let mut well = true;
        loop {
            let done = Box::pin(self.captures.round()).await;
            match &done {
                Err(error) if well => {
                    tracing::warn!(%error, "debug captures cannot be kept up now");
                }
                Ok(()) if !well => tracing::info!("debug captures are kept up again"),
                _ => {}
            }
            well = done.is_ok();
            sleep(if well { LOOK } else { LOOK_AGAIN }).await;
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        let detail = error.to_string();
        match error {
            ReadError::Nothing => Self::new(404, capture::NO_CAPTURE, "No such capture", detail),
            ReadError::Closed(_) => {
                let title = "Nothing of the capture can be seen";
                Self::new(410, capture::CAPTURE_CLOSED, title, detail).next(NextAction::FixRequest)
            }
            ReadError::Unfit(why) => {
                let status = match why {
                    CaptureError::OwnRequest => 403,
                    CaptureError::Decided(_)
                    | CaptureError::NotUnderWay(_)
                    | CaptureError::TooMany(_) => 409,
                    CaptureError::Silent(_)
                    | CaptureError::Long(..)
                    | CaptureError::Lifetime
                    | CaptureError::Count => 422,
                };
                Self::new(status, capture::CAPTURE, "The capture cannot be so", detail)
            }
            ReadError::Changed => {
                Self::new(409, codes::CHANGED_MEANWHILE, "Changed meanwhile", detail)
            }
            ReadError::Vault(error) => Self::from(error),
        }
    }
}
