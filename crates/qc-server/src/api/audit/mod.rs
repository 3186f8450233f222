//! The sealed audit: its entries, its checkpoints, and proofs that it only grew.

pub(super) mod checkpoint;
pub(super) mod consistency;
pub(super) mod entries;

use qc_audit::Newest;

use super::Permit;
use crate::{Problem, codes};

/// The newest checkpoint.
async fn newest(permit: &Permit<'_>) -> Result<Newest, Problem> {
    qc_audit::newest(&*permit.state.store).await?.ok_or_else(|| {
        let detail = "nothing of the audit is sealed yet; that is done within a second of the server's start";
        Problem::new(404, codes::NOT_SEALED, "Not sealed yet", detail).retry_after(2)
    })
}
