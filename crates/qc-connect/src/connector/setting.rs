use std::collections::BTreeMap;

use qc_document::{Node, Reader};
use qc_model::{Class, Failure};
use qc_vault::{SecretRef, codes as vault_codes};
use serde_json::Value;

use crate::codes;

const OPEN: &str = "${vars.";

/// Text in a connector that may refer to variables of the environment: `https://${vars.host}/v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(String),
}

impl Setting {
    /// Parses a text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            if at > 0 {
                pieces.push(Piece::Text(rest[..at].to_owned()));
            }
            let inside = rest[at..]
                .strip_prefix(OPEN)
                .ok_or("only `${vars.<name>}` can stand in a connector")?;
            let (name, after) = inside.split_once('}').ok_or("a `${` without `}`")?;
            let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if name.is_empty() || !name.chars().all(legal) {
                return Err(format!("`{name}` is not a variable's name"));
            }
            pieces.push(Piece::Variable(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The variables that it needs.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The text in an environment with these variables.
    pub fn resolve(&self, variables: &BTreeMap<String, Value>) -> Result<String, Box<Failure>> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(fixed) => text.push_str(fixed),
                Piece::Variable(name) => match variables.get(name) {
                    Some(Value::String(value)) => text.push_str(value),
                    Some(value @ (Value::Number(_) | Value::Bool(_))) => {
                        text.push_str(&value.to_string());
                    }
                    _ => return Err(Box::new(missing(name))),
                },
            }
        }
        Ok(text)
    }

    /// The text when it needs no variable.
    pub fn constant(&self) -> Option<String> {
        self.variables().next().is_none().then(|| self.resolve(&BTreeMap::new()).ok()).flatten()
    }
}

fn missing(name: &str) -> Failure {
    let detail =
        format!("the environment has no text variable `{name}`, which the connector needs");
    Failure::new(Class::Permanent, codes::MISSING_VARIABLE, "A variable is missing", detail)
}

/// A setting, or a reference to a secret: for user names and client ids, which some count as secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextOrSecret {
    /// Plain text.
    Text(Setting),
    /// A secret.
    Secret(SecretRef),
}

impl TextOrSecret {
    /// Parses `secret://…`, or text.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("secret://") {
            SecretRef::parse(text).map(Self::Secret).map_err(|error| error.to_string())
        } else {
            Setting::parse(text).map(Self::Text)
        }
    }
}

/// Reads a secret-typed field: a reference; a literal is refused and not repeated.
pub(crate) fn secret_field(reader: &Reader<'_>, key: &str, node: &Node) -> Option<SecretRef> {
    let Some(text) = node.as_str() else {
        reader.wrong_kind(node, &format!("`{key}`"), "a string");
        return None;
    };
    match SecretRef::parse(text) {
        Ok(reference) => Some(reference),
        Err(error) => {
            let finding = reader
                .error(vault_codes::BAD_REFERENCE, node.span, format!("`{key}`: {error}"))
                .help("store the value for each environment and write `secret://<name>` here");
            reader.push(finding);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn variables_are_filled_in() {
        let setting = Setting::parse("https://${vars.host}:${vars.port}/v1").unwrap();
        assert_eq!(setting.variables().collect::<Vec<_>>(), ["host", "port"]);
        let variables =
            BTreeMap::from([("host".into(), json!("api.test")), ("port".into(), json!(81))]);
        assert_eq!(setting.resolve(&variables).unwrap(), "https://api.test:81/v1");
        let failure = setting.resolve(&BTreeMap::new()).unwrap_err();
        assert_eq!(failure.code, codes::MISSING_VARIABLE);
        assert_eq!(setting.constant(), None);
        assert_eq!(Setting::parse("https://x").unwrap().constant().as_deref(), Some("https://x"));
    }

    #[test]
    fn other_interpolations_are_refused() {
        for bad in ["${env.HOME}", "${vars.}", "${vars.a", "${ .x }", "${vars.a b}"] {
            assert!(Setting::parse(bad).is_err(), "{bad}");
        }
    }
}
