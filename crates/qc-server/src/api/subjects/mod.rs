//! What is stored of a person: handed out, and erased.

pub(super) mod erase;
pub(super) mod export;

use qc_engine::Subject;

use super::{unusable, wire::SubjectRequest};
use crate::Problem;

/// The shortest value by which a person is looked for: shorter ones stand in everything.
const SHORTEST: usize = 3;
/// The shortest reason.
const REASON: usize = 3;

fn named(request: &SubjectRequest) -> Result<Subject, Problem> {
    if request.subject.trim().len() < SHORTEST {
        return Err(unusable("subject", &format!("it has fewer than {SHORTEST} letters")));
    }
    if request.reason.trim().len() < REASON {
        return Err(unusable("reason", &"say why, such as the number of the request"));
    }
    Ok(Subject {
        tenant: request.tenant.parse().map_err(|error| unusable("tenant", &error))?,
        environment: request
            .environment
            .parse()
            .map_err(|error| unusable("environment", &error))?,
        value: request.subject.clone(),
    })
}
