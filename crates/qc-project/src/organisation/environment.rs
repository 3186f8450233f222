//! Environments.

use qc_model::Name;
use serde_json::Value;

use crate::shape::{Fields, Named, Record, Spanned};

/// An environment: own keys, own connections, own values of the variables.
#[derive(Debug, Clone)]
pub struct Environment {
    /// What it is for.
    pub description: Option<String>,
    /// The values of the declared variables.
    pub vars: Named<String, Spanned<Value>>,
    /// Whose events it takes.
    pub tenants: Option<Tenants>,
}

/// The tenants of an environment.
#[derive(Debug, Clone)]
pub struct Tenants {
    /// The only tenants whose events it takes.
    pub only: Vec<Spanned<Name>>,
}

impl Record for Environment {
    const NAME: &'static str = "environment";
    const DOC: &'static str =
        "An environment: own keys, own connections, own values of the variables.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let description = f.optional("description", "What the environment is for.");
        let vars = f.several("vars", "Values of the declared variables.");
        let tenants = f
            .optional("tenants", "Whose events the environment takes; any tenant's when left out.");
        Some(Self { description, vars, tenants })
    }
}

impl Record for Tenants {
    const NAME: &'static str = "tenants";
    const DOC: &'static str = "The tenants of an environment.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let only = f.required("only", "The only tenants whose events it takes.");
        Some(Self { only: only? })
    }
}
