use std::{collections::BTreeMap, fs, path::PathBuf};

use qc_access::Role;
use qc_model::{Name, Reach};
use qc_vault::Secret;
use serde_json::Value;
use url::Url;

/// Where people sign in, as the settings say.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    /// The provider's issuer, as it writes it.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// Our secret there; None: we have none, and prove ourselves by PKCE alone.
    pub client_secret: Option<ClientSecret>,
    /// What is asked for, by spaces.
    pub scopes: String,
    /// The claim that lists a person's groups.
    pub groups_claim: String,
    /// The claim that is the person's id in the owner directory; None: sessions are of nobody there.
    pub person_claim: Option<String>,
    /// Which roles a group gives.
    pub roles: BTreeMap<String, Vec<Role>>,
}

/// Where our secret at the provider is.
#[derive(Debug, Clone)]
pub enum ClientSecret {
    /// In a file, which is read each time: a rotation needs no restart.
    File(PathBuf),
    /// Here.
    Value(Secret),
}

impl OidcSettings {
    /// Our secret, when we have one; the error says why it is not to be had.
    pub(super) fn client_secret(&self) -> Result<Option<Secret>, String> {
        match &self.client_secret {
            None => Ok(None),
            Some(ClientSecret::Value(secret)) => Ok(Some(secret.clone())),
            Some(ClientSecret::File(path)) => match fs::read_to_string(path) {
                Ok(text) => Ok(Some(Secret::new(text.trim()))),
                Err(error) => Err(format!("`oidc_client_secret` {}: {error}", path.display())),
            },
        }
    }

    /// The roles that these claims give, sorted; None: they do not speak of groups.
    pub(super) fn roles_of(&self, claims: &Value) -> Option<Vec<Role>> {
        let groups = match &claims[self.groups_claim.as_str()] {
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            Value::String(one) => vec![one.as_str()],
            _ => return None,
        };
        let given = groups.iter().filter_map(|group| self.roles.get(*group));
        let mut roles: Vec<Role> = given.flatten().copied().collect();
        roles.sort_unstable();
        roles.dedup();
        Some(roles)
    }

    /// Who it is in the owner directory.
    pub(super) fn person_of(&self, claims: &Value) -> Option<Name> {
        Name::new(claims[self.person_claim.as_deref()?].as_str()?).ok()
    }

    /// The operator wrote the issuer; what it says of other hosts is data.
    pub(super) fn reach(&self, url: &str) -> Reach {
        let host = |url: &str| Url::parse(url).ok()?.host_str().map(str::to_owned);
        let own = host(&self.issuer);
        if own.is_some() && host(url) == own { Reach::Anywhere } else { Reach::Public }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings() -> OidcSettings {
        OidcSettings {
            issuer: "https://id.example.test/realm".to_owned(),
            client_id: "qc".to_owned(),
            client_secret: None,
            scopes: "openid".to_owned(),
            groups_claim: "groups".to_owned(),
            person_claim: Some("uid".to_owned()),
            roles: BTreeMap::from([
                ("ops".to_owned(), vec![Role::Operator]),
                ("leads".to_owned(), vec![Role::Admin, Role::Operator]),
            ]),
        }
    }

    #[test]
    fn groups_give_roles_and_what_is_no_group_gives_none() {
        let roles = |claims: Value| settings().roles_of(&claims);
        assert_eq!(roles(json!({ "groups": ["ops", "x", 1] })), Some(vec![Role::Operator]));
        assert_eq!(roles(json!({ "groups": "leads" })).unwrap().len(), 2);
        assert_eq!(roles(json!({ "groups": ["leads", "ops"] })).unwrap().len(), 2);
        assert_eq!(roles(json!({ "groups": [] })), Some(vec![]));
        assert_eq!(roles(json!({ "roles": ["ops"] })), None);
        assert_eq!(settings().person_of(&json!({ "uid": "ines" })).unwrap().as_str(), "ines");
        assert_eq!(settings().person_of(&json!({ "uid": "Not a name" })), None);
    }

    #[test]
    fn private_addresses_are_reached_only_at_the_issuers_host() {
        let reach = |url| settings().reach(url);
        assert_eq!(reach("https://id.example.test/token"), Reach::Anywhere);
        for other in
            ["https://other.example.test/", "https://id.example.test@169.254.169.254/", "x"]
        {
            assert_eq!(reach(other), Reach::Public, "{other}");
        }
    }
}
