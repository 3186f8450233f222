//! `run: workflow`.

use std::sync::Arc;

use super::{Compiler, call::Site, variables::Stage};
use crate::{
    ChildSite, WorkflowRef,
    dsl::{self, LATEST},
    program::Subflow,
};

impl Compiler<'_> {
    pub(super) fn subflow(&mut self, subflow: &dsl::Subflow, site: Site<'_>) -> Option<Subflow> {
        let version = Some(subflow.version.text.to_string()).filter(|version| version != LATEST);
        let workflow = WorkflowRef {
            namespace: subflow.namespace.text.to_string(),
            name: subflow.name.text.to_string(),
            version,
        };
        self.children.push(ChildSite {
            pointer: Arc::clone(site.pointer),
            task_name: Arc::clone(&site.name.text),
            workflow: workflow.clone(),
            place: self.source.place(site.name.span),
        });
        let input = match &subflow.input {
            None => None,
            Some(node) => Some(self.data(node, Stage::Definition)?),
        };
        Some(Subflow { workflow, input, awaited: subflow.awaited })
    }
}
