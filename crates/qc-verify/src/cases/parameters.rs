//! One wrong parameter at a time.

use qc_contract::{Direction, Parameter, ParameterLocation};
use serde_json::Value;

use super::{Change, Expects, Kind, Maker, Plan, sampled};
use crate::credentials::Sign;
use crate::vary;

/// Longest text of a parameter, in bytes: RFC 9110 (section 4.1) has servers take addresses of 8000 octets at least.
const TEXT_LIMIT: usize = 4_000;

impl Maker<'_> {
    pub(super) fn parameters(&mut self) {
        for parameter in &self.operation.parameters {
            let place = format!("{}/{}", parameter.location.as_str(), parameter.name);
            if parameter.required && parameter.location != ParameterLocation::Path {
                self.parameter_case(
                    parameter,
                    None,
                    format!("{place}/missing"),
                    format!(
                        "the {} parameter `{}` is missing",
                        parameter.location.as_str(),
                        parameter.name
                    ),
                    Some(false),
                );
            }
            let Some(schema) = &parameter.schema else { continue };
            let value = sampled(self.api, parameter, self.seed);
            if value.is_array() || value.is_object() {
                self.skip(
                    format!(
                        "values of the {} parameter `{}`",
                        parameter.location.as_str(),
                        parameter.name
                    ),
                    "lists and objects in parameters are sent as sampled only",
                );
                continue;
            }
            let schema = self.api.schema(schema, Direction::Request);
            for variation in vary::variations(&schema, &value, self.seed) {
                let Some(text) = text_of(&variation.value) else { continue };
                let name = format!(
                    "the {} parameter `{}` {}",
                    parameter.location.as_str(),
                    parameter.name,
                    variation.words
                );
                let slug = format!("{place}/{}", variation.slug);
                self.parameter_case(parameter, Some(text), slug, name, variation.keeps);
            }
        }
    }

    fn parameter_case(
        &mut self,
        parameter: &Parameter,
        text: Option<String>,
        slug: String,
        name: String,
        keeps: Option<bool>,
    ) {
        let is_path = parameter.location == ParameterLocation::Path;
        // An empty segment is another path.
        if is_path && matches!(text.as_deref(), Some("" | "." | "..") | None) {
            return;
        }
        // Other values of a path parameter name other resources, which need not be there.
        if is_path && keeps != Some(false) {
            return;
        }
        let is_header =
            matches!(parameter.location, ParameterLocation::Header | ParameterLocation::Cookie);
        let is_writable = |text: &String| {
            !text.is_empty() && text.chars().all(|c| c == ' ' || c.is_ascii_graphic())
        };
        if is_header && !text.as_ref().is_none_or(is_writable) {
            return;
        }
        if text.as_ref().is_some_and(|text| text.len() > TEXT_LIMIT) {
            self.skip(
                name,
                format!("servers bound their addresses; at most {TEXT_LIMIT} bytes are sent"),
            );
            return;
        }
        let change = Change::Parameter {
            location: parameter.location,
            name: parameter.name.to_string(),
            text,
        };
        let Some(wire) = self.changed(&change) else { return };
        let is_admitted = self.admits(&wire);
        if keeps.is_some_and(|keeps| keeps != is_admitted) {
            return;
        }
        self.add(Plan {
            slug,
            name,
            kind: if is_admitted { Kind::Valid } else { Kind::Parameter },
            change,
            sign: Sign::Valid,
            expects: if is_admitted { Expects::Accepted } else { Expects::Refused },
        });
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}
