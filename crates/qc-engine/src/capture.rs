//! Debug captures of what comes in: events, once they are accepted.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use qc_capture::{Passing, Recorded, content};
use qc_model::RunId;

use crate::{Deployment, Engine, Incoming};

impl Engine {
    /// Records an event, when a capture is under way that wants it.
    pub(crate) async fn capture_event(
        &self,
        deployment: &Deployment,
        incoming: &Incoming,
        run: RunId,
    ) {
        let Some(captures) = self.shared.outbound.captures() else { return };
        let passing = Passing {
            environment: &deployment.environment,
            tenant: &incoming.tenant,
            integration: &deployment.release.integration,
            run,
        };
        let Some(tap) = captures.tap_event(passing) else { return };
        let structured = incoming.event.to_structured(|bytes| STANDARD.encode(bytes)).to_string();
        let event = content(structured.as_bytes());
        let recorded = Recorded::Event { trigger: incoming.trigger.to_string(), event };
        Box::pin(tap.keep(&recorded)).await;
    }
}
