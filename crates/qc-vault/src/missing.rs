use std::fmt;

use qc_model::{Class, Code, EnvironmentName, Failure, Finding, NextAction};

use crate::{SecretRef, codes};

/// A secret that cannot be had. Names the reference and the places, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSecret {
    pub(crate) reference: SecretRef,
    pub(crate) environment: EnvironmentName,
    pub(crate) looked_in: Vec<String>,
    /// When it was found and cannot be used, or its source does not tell: why.
    pub(crate) unusable: Option<(Code, String)>,
}

impl MissingSecret {
    /// Which secret.
    pub fn reference(&self) -> &SecretRef {
        &self.reference
    }

    /// As a finding without a place; the caller knows where the reference stands.
    pub fn finding(&self) -> Finding {
        Finding::error(self.code(), self.to_string())
            .help(format!("provide it in {}", self.looked_in.join(" or in ")))
    }

    /// As the failure of a call: the credential is dead, and the work waits until it is there.
    pub fn failure(&self) -> Failure {
        let mut failure =
            Failure::new(Class::Auth, self.code(), "A secret is missing", self.to_string());
        failure.next_action = NextAction::ContactOwner;
        failure
    }

    fn code(&self) -> Code {
        self.unusable.as_ref().map_or(codes::MISSING_SECRET, |(code, _)| code.clone())
    }
}

impl fmt::Display for MissingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reference, environment, .. } = self;
        match &self.unusable {
            Some((_, why)) => write!(f, "`{reference}` in `{environment}` cannot be used: {why}"),
            None => write!(
                f,
                "`{reference}` has no value in `{environment}`; looked for {}",
                self.looked_in.join(" and ")
            ),
        }
    }
}

impl std::error::Error for MissingSecret {}
