//! What is done about each call while its system cannot be reached.

use std::collections::BTreeMap;
use std::sync::Arc;

use qc_workflow::{Program, Unavailable, WhenUnavailable};

use super::policies::milliseconds;
use crate::check::declared_system;
use crate::integration::{Integration, OnUnavailable};
use crate::project::Loaded;

/// By the place of the task. `has_connector`: whether there is such a connector's folder; `servers`: the hosts of a
/// document that the workflow names.
pub(crate) fn unavailable(
    definition: &Loaded<Integration>,
    program: &Program,
    has_connector: &dyn Fn(&str) -> bool,
    servers: &dyn Fn(&str) -> Vec<String>,
) -> BTreeMap<String, Unavailable> {
    let systems = &definition.value.systems;
    let mut all = BTreeMap::new();
    for site in program.calls() {
        let Some(name) = declared_system(systems, has_connector, servers, site) else { continue };
        let Some(system) = systems.get(name) else { continue };
        let Some(answer) = answer(&system.on_unavailable.value) else { continue };
        let unavailable = Unavailable {
            system: Arc::from(name.as_str()),
            source: definition.source.clone(),
            span: system.on_unavailable.span,
            answer,
        };
        all.insert(site.pointer.to_string(), unavailable);
    }
    all
}

fn answer(declared: &OnUnavailable) -> Option<WhenUnavailable> {
    Some(match declared {
        // Said before there was anything to be done about it: the run ends as it did then.
        OnUnavailable::Bare(_) => return None,
        OnUnavailable::Queue { ttl, max } => {
            WhenUnavailable::Queue { ttl_ms: milliseconds(*ttl), max: *max }
        }
        OnUnavailable::Fallback(fallback) => WhenUnavailable::Fallback {
            call: fallback.call.value.0.clone(),
            with: fallback.with.as_ref().map(|with| with.0.clone()),
        },
        OnUnavailable::Degrade { value } => WhenUnavailable::Degrade { value: value.clone() },
        OnUnavailable::Fail { escalate } => {
            WhenUnavailable::Fail { escalate: escalate.as_ref().map(|who| who.value.to_string()) }
        }
    })
}
