//! A simulator of the description in this process: no sockets, and nobody else's provider.

use std::sync::Arc;

use qc_contract::OpenApi;
use qc_model::{Caller, Clock, Finding};
use qc_simulator::{Provider, Setup, SimulatedCaller, SimulatorSpec};

use crate::credentials::{MADE_KEY, MADE_PASSWORD, MADE_TOKEN, MADE_USER};
use crate::target::Target;

/// Who reaches a simulator of the description at [`Target::simulated`]. It takes the credentials of
/// [`crate::Credentials::made`] and no others.
pub fn simulated(
    api: OpenApi,
    spec: SimulatorSpec,
    clock: Arc<dyn Clock>,
    seed: u64,
) -> Result<Arc<dyn Caller>, Vec<Finding>> {
    let credentials = qc_simulator::Credentials::none()
        .api_key(MADE_KEY)
        .bearer(MADE_TOKEN)
        .login(MADE_USER, MADE_PASSWORD)
        .client(MADE_USER, MADE_PASSWORD);
    let setup = Setup { name: "verified".to_owned(), clock, seed, credentials, ledger: None };
    let provider = Provider::new(api, spec, setup)?;
    Ok(Arc::new(SimulatedCaller::new().with(Target::SIMULATED, Arc::new(provider))))
}
