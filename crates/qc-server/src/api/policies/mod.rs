//! The rules by which is decided.

pub(super) mod apply;
pub(super) mod show;

use qc_access::{Policies, policy::KeptPolicies};

use super::wire::{PolicyFile, PolicySet};

fn shown(policies: &Policies, kept: Option<&KeptPolicies>) -> PolicySet {
    let files = policies.files().iter();
    PolicySet {
        schema_version: 1,
        version: policies.version().to_owned(),
        files: files
            .map(|(name, text)| PolicyFile { name: name.clone(), text: text.clone() })
            .collect(),
        by: kept.map(|kept| kept.by.clone()),
        at: kept.map(|kept| kept.at.to_string()),
    }
}
