use std::cell::RefCell;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use qc_model::{Class, EnvironmentName, Failure, NextAction};
use qc_vault::{Secret, SecretRef, Secrets};
use qc_workflow::SecretMark;
use serde_json::Value;

use super::EffectContext;
use crate::codes;

/// A placeholder's two ends in a URL.
const OPEN: &str = "%EE%80%80";
const CLOSE: &str = "%EE%80%81";

/// What stands for a secret wherever the request is shown.
pub(super) const MASK: &str = "***";

/// Replaces a run's secret placeholders, and remembers which values it gave out, so that they can be kept out of what
/// is stored.
pub(super) struct Substitution<'a> {
    secrets: &'a Secrets,
    environment: &'a EnvironmentName,
    effect: &'a EffectContext,
    mark: SecretMark,
    /// Which of the values that are valid now: 0 is the present one, 1 the previous one.
    which: usize,
    exposed: RefCell<Vec<Secret>>,
    failure: RefCell<Option<Box<Failure>>>,
}

impl<'a> Substitution<'a> {
    pub(super) fn new(
        secrets: &'a Secrets,
        environment: &'a EnvironmentName,
        effect: &'a EffectContext,
        mark: SecretMark,
    ) -> Self {
        Self {
            secrets,
            environment,
            effect,
            mark,
            which: 0,
            exposed: RefCell::default(),
            failure: RefCell::default(),
        }
    }

    /// With the previous values, where there are any.
    pub(super) fn previous(mut self) -> Self {
        self.which = 1;
        self
    }

    /// The value of a secret that the workflow declares as `name`.
    pub(super) fn value(&self, name: &str) -> Result<Secret, Box<Failure>> {
        let reference = self.effect.secrets.get(name).ok_or_else(|| undeclared(name))?;
        let secret = self.live(reference)?;
        self.exposed.borrow_mut().push(secret.clone());
        Ok(secret)
    }

    fn live(&self, reference: &SecretRef) -> Result<Secret, Box<Failure>> {
        let mut values = self
            .secrets
            .live(self.environment, reference)
            .map_err(|missing| Box::new(missing.failure()))?;
        let at = self.which.min(values.len() - 1);
        Ok(values.swap_remove(at))
    }

    fn lookup(&self, name: &str) -> Option<String> {
        match self.value(name) {
            Ok(secret) => Some(secret.expose().to_owned()),
            Err(failure) => {
                self.failure.borrow_mut().get_or_insert(failure);
                None
            }
        }
    }

    /// A text with its placeholders replaced.
    pub(super) fn text(&self, text: &str) -> Result<String, Box<Failure>> {
        let replaced = self.mark.substitute_text(text, &|name| self.lookup(name));
        replaced.map(|new| new.unwrap_or_else(|| text.to_owned())).map_err(|e| self.failed(&e.name))
    }

    /// A value with the placeholders in all its texts replaced.
    pub(super) fn value_in_place(&self, value: &mut Value) -> Result<(), Box<Failure>> {
        self.mark.substitute(value, &|name| self.lookup(name)).map_err(|e| self.failed(&e.name))
    }

    /// An address with its placeholders replaced, also those that were percent-encoded with it.
    pub(super) fn address(&self, address: &str) -> Result<String, Box<Failure>> {
        with_encoded(address, &|text| self.text(text))
    }

    /// The values that were given out.
    pub(super) fn exposed(&self) -> Vec<Secret> {
        self.exposed.borrow().clone()
    }

    fn failed(&self, name: &str) -> Box<Failure> {
        self.failure.borrow_mut().take().unwrap_or_else(|| undeclared(name))
    }
}

/// The same replacements, but with `***` for every value: how a request is shown.
#[derive(Clone, Copy)]
pub(super) struct Masking(pub SecretMark);

impl Masking {
    pub(super) fn text(self, text: &str) -> String {
        let masked = self.0.substitute_text(text, &|_| Some(MASK.to_owned()));
        masked.ok().flatten().unwrap_or_else(|| text.to_owned())
    }

    /// The masked value; None when there was nothing to mask.
    pub(super) fn value(self, value: &Value) -> Option<Value> {
        if !holds_placeholder(value) {
            return None;
        }
        let mut masked = value.clone();
        // Masking looks nothing up, so it cannot fail.
        let _ = self.0.substitute(&mut masked, &|_| Some(MASK.to_owned()));
        Some(masked)
    }

    pub(super) fn address(self, address: &str) -> String {
        let mask = |text: &str| Ok(self.text(text));
        with_encoded(address, &mask).unwrap_or_default().replace("%2A%2A%2A", MASK)
    }
}

fn holds_placeholder(value: &Value) -> bool {
    match value {
        Value::String(text) => qc_workflow::contains_placeholder(text),
        Value::Array(items) => items.iter().any(holds_placeholder),
        Value::Object(entries) => entries.values().any(holds_placeholder),
        _ => false,
    }
}

fn with_encoded(
    address: &str,
    replace: &dyn Fn(&str) -> Result<String, Box<Failure>>,
) -> Result<String, Box<Failure>> {
    let mut whole = String::with_capacity(address.len());
    let mut rest = address;
    while let Some(start) = rest.find(OPEN) {
        let Some(length) = rest[start..].find(CLOSE).map(|at| at + CLOSE.len()) else { break };
        whole.push_str(&rest[..start]);
        let encoded = &rest[start..start + length];
        let plain = percent_decode_str(encoded).decode_utf8_lossy();
        let replaced = replace(&plain)?;
        if replaced == plain {
            whole.push_str(encoded);
        } else {
            whole.extend(utf8_percent_encode(&replaced, NON_ALPHANUMERIC));
        }
        rest = &rest[start + length..];
    }
    whole.push_str(rest);
    replace(&whole)
}

fn undeclared(name: &str) -> Box<Failure> {
    let detail =
        format!("the call uses the secret `{name}`, to which the integration gives no reference");
    let mut failure = Failure::new(
        Class::Permanent,
        codes::UNDECLARED_SECRET,
        "A secret is not declared",
        detail,
    );
    failure.next_action = NextAction::FixRequest;
    Box::new(failure)
}
