//! The rules by which is decided: Cedar policies, ours and those of a project's `access/` folder.

mod decide;
mod kept;
mod matrix;
mod own;
mod schema;
#[cfg(test)]
mod tests;

pub use decide::{Question, Subject, Verdict};
pub use kept::{KeptPolicies, POLICIES_KIND};
pub use matrix::{Cell, Matrix, MatrixChange, Outcome, Scoped};
pub use own::PolicyError;
pub use schema::schema_text;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use aws_lc_rs::digest::{SHA256, digest};
use cedar_policy::{Authorizer, PolicySet};

use crate::{APPROVALS_FILE, Action, ApprovalRules, Role, TokenKind, record::hex};

/// The rules that every server has.
pub const SHIPPED: &str = include_str!("shipped.cedar");

/// A set of rules in force. Cheap to share; it never changes.
pub struct Policies {
    set: PolicySet,
    authorizer: Authorizer,
    version: String,
    files: Vec<(String, String)>,
    approvals: ApprovalRules,
    /// Whether a role and kind of token may ever do an action, as far as it was asked.
    ever: RwLock<HashMap<(Role, TokenKind, Action), bool>>,
    /// Decisions on questions that were asked before: rules and question are all that they depend on.
    decided: RwLock<HashMap<Question, Verdict>>,
}

impl Policies {
    /// Ours alone.
    pub fn shipped() -> Arc<Self> {
        static SHIPPED_ONLY: LazyLock<Arc<Policies>> =
            LazyLock::new(|| Arc::new(Policies::with(&[]).expect("our own policies are legal")));
        Arc::clone(&SHIPPED_ONLY)
    }

    /// Ours and those of these files, (name, text). Every mistake of every file is told.
    pub fn with(files: &[(String, String)]) -> Result<Self, Vec<PolicyError>> {
        let schema = schema::schema();
        let (rules, cedar): (Vec<_>, Vec<_>) =
            files.iter().cloned().partition(|(name, _)| name == APPROVALS_FILE);
        let set = own::assemble(&schema, &cedar);
        let approvals = rules.first().map(|(_, text)| ApprovalRules::read(text)).transpose();
        let (set, approvals) = match (set, approvals) {
            (Ok(set), Ok(approvals)) => (set, approvals.unwrap_or_default()),
            (set, approvals) => {
                let wrong = [set.err(), approvals.err()];
                return Err(wrong.into_iter().flatten().flatten().collect());
            }
        };
        let mut files = files.to_vec();
        files.sort();
        let version = version(&files);
        let policies = Self {
            set,
            authorizer: Authorizer::new(),
            version,
            files,
            approvals,
            ever: RwLock::default(),
            decided: RwLock::default(),
        };
        // A file may not undo what the house promises.
        if policies.files.is_empty() {
            return Ok(policies);
        }
        let broken = own::broken_promises(&policies.matrix());
        if broken.is_empty() { Ok(policies) } else { Err(broken) }
    }

    /// The version: the beginning of a hash over all that decides. Two servers of one version decide alike.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The files beside ours, (name, text), by name.
    pub fn files(&self) -> &[(String, String)] {
        &self.files
    }

    /// Who approves changes.
    pub fn approvals(&self) -> &ApprovalRules {
        &self.approvals
    }

    /// Whether who has this role by this kind of token may ever do this, whatever it is done to.
    pub fn ever(&self, role: Role, kind: TokenKind, action: Action) -> bool {
        let key = (role, kind, action);
        let known = self.ever.read().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        known.unwrap_or_else(|| {
            let ever = matrix::ever(self, role, kind, action);
            self.ever.write().unwrap_or_else(PoisonError::into_inner).insert(key, ever);
            ever
        })
    }
}

fn version(files: &[(String, String)]) -> String {
    let mut all = schema_text();
    all.push_str(SHIPPED);
    for (name, text) in files {
        all.extend(["\0", name, "\0", text]);
    }
    format!("policies-{}", hex(&digest(&SHA256, all.as_bytes()).as_ref()[..8]))
}
