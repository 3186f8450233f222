//! Tokens: who may use the API and the triggers.

pub(super) mod create;
pub(super) mod list;
pub(super) mod revoke;

use qc_access::TokenRecord;

use super::wire::Token;

fn shown(record: &TokenRecord) -> Token {
    Token {
        id: record.id.clone(),
        name: record.name.clone(),
        person: record.person.as_ref().map(ToString::to_string),
        environment: record.environment.as_ref().map(ToString::to_string),
        role: record.role.as_str().to_owned(),
        scopes: record
            .scopes
            .as_ref()
            .map(|scopes| scopes.iter().map(ToString::to_string).collect()),
        created_at: record.created_at.to_string(),
        created_by: record.created_by.clone(),
        expires_at: record.expires_at.map(|at| at.to_string()),
    }
}
