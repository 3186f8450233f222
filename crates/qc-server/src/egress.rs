use std::sync::Arc;

use qc_access::{Access, Action, Circumstances, Denial, Principal, Resource};
use qc_connect::call::{Departure, Egress};

/// Asks the policies in force before a call goes out: `systems:call`, by the run's own identity.
pub struct PolicyEgress {
    access: Arc<Access>,
}

impl PolicyEgress {
    /// By these policies.
    pub fn new(access: Arc<Access>) -> Self {
        Self { access }
    }
}

impl Egress for PolicyEgress {
    fn may(&self, call: &Departure<'_>) -> Result<(), String> {
        let run = Principal::run(call.environment, call.integration);
        let system = Resource {
            environment: Some(call.environment.as_str()),
            name: Some(call.system),
            units: &[],
        };
        let decided =
            self.access.decide(&run, Action::SystemsCall, system, Circumstances::default());
        let Some(denial) = decided.verdict.denial else { return Ok(()) };
        let policies = decided.verdict.policies.join(", ");
        Err(match denial {
            Denial::Policy => format!("{policies} of {} forbids it", decided.version),
            other => other.reason().to_owned(),
        })
    }
}
