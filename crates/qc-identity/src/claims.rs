use qc_access::{Principal, Role, Scope, TokenKind};
use qc_model::EnvironmentName;
use serde::{Deserialize, Serialize};

/// The claims of an access token (RFC 9068), all of which it must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    /// One audience, not a list: our tokens are for one place.
    pub(crate) aud: String,
    pub(crate) sub: String,
    pub(crate) client_id: String,
    pub(crate) jti: String,
    /// Seconds since 1970.
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nbf: Option<i64>,
    /// Scopes by spaces; absent: all that the role may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    pub(crate) role: Role,
    /// The team or person that answers for the client. Tokens of before it was said have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    pub(crate) environment: EnvironmentName,
}

impl Claims {
    /// Who holds the token; the error says what of the claims cannot be.
    pub(crate) fn principal(&self) -> Result<Principal, &'static str> {
        if self.sub != self.client_id {
            return Err("its subject is not its client");
        }
        let scopes = self.scope.as_deref().map(scopes).transpose();
        Ok(Principal {
            id: self.client_id.clone(),
            kind: TokenKind::AccessToken,
            name: self.client_id.clone(),
            person: None,
            owner: self.owner.clone(),
            environment: Some(self.environment.clone()),
            role: self.role,
            scopes: scopes.map_err(|()| "its scopes cannot be read")?,
        })
    }
}

/// Reads scopes that stand one after the other.
pub(crate) fn scopes(text: &str) -> Result<Vec<Scope>, ()> {
    text.split(' ').map(|scope| scope.parse().map_err(drop)).collect()
}
