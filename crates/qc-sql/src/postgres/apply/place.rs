use qc_model::{EnvironmentName, Name, TenantName};
use qc_store::{DeadLetter, RunFacts};

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::postgres) struct Place {
    pub(in crate::postgres) tenant: TenantName,
    pub(in crate::postgres) environment: EnvironmentName,
    pub(in crate::postgres) integration: Name,
}

impl Place {
    pub(super) fn of_run(facts: &RunFacts) -> Self {
        Self {
            tenant: facts.tenant.clone(),
            environment: facts.environment.clone(),
            integration: facts.integration.clone(),
        }
    }

    pub(super) fn of_letter(letter: &DeadLetter) -> Self {
        Self {
            tenant: letter.tenant.clone(),
            environment: letter.environment.clone(),
            integration: letter.integration.clone(),
        }
    }
}
