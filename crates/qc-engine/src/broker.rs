//! Brokers as releases name them: which one, who enters, which queue. The connection is made elsewhere.

use std::collections::BTreeMap;

use qc_connect::connector::{Setting, TextOrSecret};
use qc_model::{EnvironmentName, Failure};
use qc_vault::{MissingSecret, Secret, SecretRef, Secrets};
use serde_json::Value;

/// A broker and who enters it; the same text means another broker in another environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerAccess {
    /// The whole address is a secret: it has user and password in it.
    Url(SecretRef),
    /// The address is open and the credentials are secrets.
    Parts {
        /// The address without user and password.
        url: Setting,
        /// The user.
        user: TextOrSecret,
        /// The password.
        password: SecretRef,
    },
}

/// An address as it is in one environment now.
pub struct BrokerAddress {
    /// The address; a secret when it came from one.
    pub url: Secret,
    /// The user, when it does not stand in the address.
    pub user: Option<Secret>,
    /// The password, when it does not stand in the address.
    pub password: Option<Secret>,
}

/// Why an address cannot be had now.
#[derive(Debug)]
pub enum NoAddress {
    /// A secret is missing.
    Secret(MissingSecret),
    /// A variable is missing.
    Variable(Box<Failure>),
}

impl BrokerAccess {
    /// The secrets that it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let (first, second) = match self {
            Self::Url(reference) => (Some(reference), None),
            Self::Parts { user: TextOrSecret::Secret(user), password, .. } => {
                (Some(password), Some(user))
            }
            Self::Parts { password, .. } => (Some(password), None),
        };
        first.into_iter().chain(second)
    }

    /// The variables that it needs.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let (url, user) = match self {
            Self::Url(_) => (None, None),
            Self::Parts { url, user: TextOrSecret::Text(user), .. } => (Some(url), Some(user)),
            Self::Parts { url, .. } => (Some(url), None),
        };
        url.into_iter().chain(user).flat_map(Setting::variables)
    }

    /// Looks it up. To be done anew for every connection: secrets are rotated.
    pub fn resolve(
        &self,
        environment: &EnvironmentName,
        vars: &BTreeMap<String, Value>,
        secrets: &Secrets,
    ) -> Result<BrokerAddress, NoAddress> {
        let secret = |reference| secrets.lookup(environment, reference).map_err(NoAddress::Secret);
        let text =
            |setting: &Setting| setting.resolve(vars).map(Secret::new).map_err(NoAddress::Variable);
        match self {
            Self::Url(reference) => {
                Ok(BrokerAddress { url: secret(reference)?, user: None, password: None })
            }
            Self::Parts { url, user, password } => Ok(BrokerAddress {
                url: text(url)?,
                user: Some(match user {
                    TextOrSecret::Text(user) => text(user)?,
                    TextOrSecret::Secret(user) => secret(user)?,
                }),
                password: Some(secret(password)?),
            }),
        }
    }
}

/// A queue from which events come.
#[derive(Debug)]
pub struct AmqpTrigger {
    /// The broker.
    pub broker: BrokerAccess,
    /// The queue; it must be there.
    pub queue: String,
    /// How many messages are in hand at once.
    pub prefetch: u16,
    /// The form of its messages.
    pub form: MessageForm,
}

/// The form of a broker's messages.
#[derive(Debug)]
pub enum MessageForm {
    /// CloudEvents, binary or structured; only these types when some are named.
    CloudEvents {
        /// The accepted types.
        types: Vec<String>,
    },
    /// Plain JSON, wrapped as an event of this type.
    Json {
        /// The event's type.
        event_type: String,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_is_looked_up_in_its_environment() {
        let environment = EnvironmentName::new("production").unwrap();
        let secrets = Secrets::none()
            .with_value("production", "broker/url", "amqp://u:p@h")
            .with_value("production", "broker/password", "p");
        let whole = BrokerAccess::Url(SecretRef::parse("secret://broker/url").unwrap());
        let vars = BTreeMap::from([("host".to_owned(), json!("h.test"))]);
        let found = whole.resolve(&environment, &vars, &secrets).unwrap();
        assert_eq!(found.url.expose(), "amqp://u:p@h");
        let parts = BrokerAccess::Parts {
            url: Setting::parse("amqps://${vars.host}/orders").unwrap(),
            user: TextOrSecret::parse("intake").unwrap(),
            password: SecretRef::parse("secret://broker/password").unwrap(),
        };
        let found = parts.resolve(&environment, &vars, &secrets).unwrap();
        assert_eq!(found.url.expose(), "amqps://h.test/orders");
        assert_eq!(found.password.unwrap().expose(), "p");
        assert_eq!(parts.variables().collect::<Vec<_>>(), ["host"]);
        assert_eq!(parts.secrets().count(), 1);
        let none = parts.resolve(&environment, &BTreeMap::new(), &secrets);
        assert!(matches!(none, Err(NoAddress::Variable(_))));
        let other = EnvironmentName::new("sandbox").unwrap();
        assert!(matches!(whole.resolve(&other, &vars, &secrets), Err(NoAddress::Secret(_))));
    }
}
