use std::{fmt, str, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const SCHEME: &str = "secret://";
const LONGEST: usize = 200;

/// A text is not a secret reference. Holds nothing of the text: it may be a secret typed at the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretRefError {
    /// It does not begin with `secret://`.
    #[error(
        "a secret is given by reference, such as `secret://crm/token`; this is a literal value"
    )]
    Literal,
    /// The name after `secret://` is malformed.
    #[error(
        "the name in a secret reference has segments of a-z, 0-9, `-` and `_`, joined by `/`, at most 200 characters"
    )]
    Name,
}

/// A reference to a secret, `secret://<name>`. What it means depends on the environment in which it is looked up.
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretRef(Arc<str>);

impl SecretRef {
    /// Reads `secret://<name>`.
    pub fn parse(text: &str) -> Result<Self, SecretRefError> {
        let name = text.strip_prefix(SCHEME).ok_or(SecretRefError::Literal)?;
        let legal = |segment: &str| {
            !segment.is_empty()
                && segment
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        };
        if name.len() <= LONGEST && name.split('/').all(legal) {
            Ok(Self(name.into()))
        } else {
            Err(SecretRefError::Name)
        }
    }

    /// The name of a value of the platform's own: behind a colon, which no reference in a file can have.
    pub(crate) fn own(name: &str) -> Self {
        Self(format!(":{name}").into())
    }

    /// The name after `secret://`.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The variable of the process environment that may hold it: `QC_SECRET_<ENVIRONMENT>_<NAME>`, in capitals, with
    /// `_` for `/` and `-`.
    pub fn variable(&self, environment: &str) -> String {
        format!("QC_SECRET_{environment}_{}", self.0)
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
            .collect()
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.0)
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl str::FromStr for SecretRef {
    type Err = SecretRefError;
    fn from_str(text: &str) -> Result<Self, SecretRefError> {
        Self::parse(text)
    }
}

impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_of_segments() {
        for good in ["secret://a", "secret://crm/token", "secret://crm/oauth2_client-1/secret"] {
            assert_eq!(SecretRef::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "secret://",
            "secret:///a",
            "secret://a/",
            "secret://a//b",
            "secret://../etc/passwd",
            "secret://A",
            "secret://a.previous",
        ] {
            assert_eq!(SecretRef::parse(bad), Err(SecretRefError::Name), "{bad}");
        }
    }

    #[test]
    fn a_literal_is_refused_and_not_repeated() {
        let error = SecretRef::parse("hunter2").unwrap_err();
        assert_eq!(error, SecretRefError::Literal);
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn names_its_variable() {
        let reference = SecretRef::parse("secret://crm/api-token").unwrap();
        assert_eq!(reference.variable("eu-production"), "QC_SECRET_EU_PRODUCTION_CRM_API_TOKEN");
    }
}
