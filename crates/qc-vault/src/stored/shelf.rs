use std::sync::{Arc, PoisonError, RwLock};

use qc_model::EnvironmentName;

use super::view::{Held, View};
use crate::Secret;

/// What of the vault is at hand in this process. Filled by [`Vault`](super::Vault), read wherever a secret is looked
/// up; empty until then, and where there is no vault.
#[derive(Default)]
pub struct Shelf(RwLock<Arc<View>>);

/// What the shelf says of a name.
pub(crate) enum Shelved {
    /// The value.
    Value(Secret),
    /// The vault has this secret, and no value before the present one.
    NoPrevious,
    /// The vault does not have it: it may be elsewhere.
    NotHere,
    /// The vault has it, and it cannot be used: why.
    Unusable(String),
}

impl Shelf {
    pub(super) fn view(&self) -> Arc<View> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn replace(&self, view: View) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }

    /// Whether secrets can be stored in the vault here.
    pub(crate) fn is_on(&self) -> bool {
        self.view().on
    }

    /// The present value, or the one before it.
    pub(crate) fn find(
        &self,
        environment: &EnvironmentName,
        name: &str,
        previous: bool,
    ) -> Shelved {
        let view = self.view();
        let Some(Held { record, before, .. }) = view.held(environment, name) else {
            return Shelved::NotHere;
        };
        // Opened as it was before only while the new data key is not to be had.
        let record = match before {
            Some(before) if !view.has_keys(record) => before,
            _ => record,
        };
        let value = if previous {
            let now = view.clock.as_ref().map(|clock| clock.now());
            let Some(previous) = now.and_then(|now| record.previous_at(now)) else {
                return Shelved::NoPrevious;
            };
            &previous.value
        } else {
            &record.current
        };
        match view.open(record, value) {
            Ok(secret) => Shelved::Value(secret),
            Err(_) if !view.on => Shelved::Unusable(
                "the vault holds it, and `vault_key` does not say where the vault's key is"
                    .to_owned(),
            ),
            Err(error) => {
                let why =
                    view.trouble.as_ref().map_or_else(|| error.to_string(), ToString::to_string);
                Shelved::Unusable(format!("the vault holds it, and it does not open: {why}"))
            }
        }
    }
}
