//! What is done while a system is not there, for each call of it.

use std::sync::Arc;

use qc_document::Node;

use super::{Compiler, call::Site, variables::Stage};
use crate::{
    Unavailable, WhenUnavailable,
    call::FALLBACK,
    codes,
    program::{CallSite, Detour, Shape, SiteTarget, Unreachable},
};

impl Compiler<'_> {
    /// What holds for a call at this place.
    pub(super) fn unreachable(&mut self, site: Site<'_>) -> Option<Box<Unreachable>> {
        let declared = self.bindings.unavailable(site.pointer)?;
        let undoes = site.pointer.starts_with("/compensate/");
        let detour = match &declared.answer {
            WhenUnavailable::Queue { ttl_ms, max } => Detour::Hold { ttl_ms: *ttl_ms, max: *max },
            // What undoes something is done by that call, or it is not undone.
            WhenUnavailable::Fallback { .. } | WhenUnavailable::Degrade { .. } if undoes => {
                return None;
            }
            WhenUnavailable::Fallback { call, with } => {
                self.fallback(&declared, call, with.as_ref(), site)?
            }
            WhenUnavailable::Degrade { value } => {
                let value = match value {
                    Some(node) => Some(self.elsewhere(&declared, node)?),
                    None => None,
                };
                Detour::LeaveOut { value }
            }
            WhenUnavailable::Fail { escalate } => {
                Detour::Fail { escalate: escalate.as_deref().map(Arc::from) }
            }
        };
        Some(Box::new(Unreachable { system: declared.system, detour }))
    }

    fn fallback(
        &mut self,
        declared: &Unavailable,
        call: &str,
        with: Option<&Node>,
        site: Site<'_>,
    ) -> Option<Detour> {
        let (connector, operation) = call.split_once('.')?;
        let Some(policy) = self.bindings.operation(connector, operation) else {
            let place = declared.source.place(declared.span);
            let message = format!("there is no operation `{call}` to fall back to");
            let finding =
                qc_model::Finding::error(codes::UNKNOWN_OPERATION, message).at(place).help(
                    "name an operation of a connector of this project: `<connector>.<operation>`",
                );
            self.findings.push(finding);
            return None;
        };
        let arguments = match with {
            Some(node) => Some(self.elsewhere(declared, node)?),
            None => None,
        };
        let (connector, operation) = (connector.to_owned(), operation.to_owned());
        let target =
            SiteTarget::Connector { connector: connector.clone(), operation: operation.clone() };
        let pointer: Arc<str> = Arc::from(format!("{}{FALLBACK}", site.pointer));
        self.calls.push(CallSite {
            pointer: Arc::clone(&pointer),
            task_name: Arc::from(format!("{}.fallback", site.name.text)),
            target,
            policy: policy.clone(),
            place: declared.source.place(declared.span),
        });
        Some(Detour::Call { pointer, connector, operation, arguments, policy })
    }

    /// Values that stand in the integration's file: no variable of a loop is seen there.
    fn elsewhere(&mut self, declared: &Unavailable, node: &Node) -> Option<Shape> {
        let source = std::mem::replace(&mut self.source, declared.source.clone());
        let locals = std::mem::take(&mut self.locals);
        let shape = self.data(node, Stage::Definition);
        self.locals = locals;
        self.source = source;
        shape
    }
}
