//! What stays the same while a run is in memory.

use std::sync::Arc;

use qc_connect::call::EnvironmentScope;
use qc_store::RunFacts;

use crate::{Deployment, entry::Lineage, line::Line};

/// What stays the same while a run is in memory.
pub(crate) struct RunContext {
    pub(crate) facts: Arc<RunFacts>,
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) traceparent: Option<String>,
    pub(crate) scope: EnvironmentScope,
    /// The line in which it stood when it was accepted.
    pub(crate) line: Option<Line>,
    /// From where it comes.
    pub(crate) lineage: Lineage,
}

impl RunContext {
    pub(crate) fn new(
        facts: Arc<RunFacts>,
        deployment: Arc<Deployment>,
        traceparent: Option<String>,
        lineage: Lineage,
    ) -> Arc<Self> {
        Self::in_line(facts, deployment, traceparent, None, lineage)
    }

    pub(crate) fn in_line(
        facts: Arc<RunFacts>,
        deployment: Arc<Deployment>,
        traceparent: Option<String>,
        line: Option<Line>,
        lineage: Lineage,
    ) -> Arc<Self> {
        let scope = EnvironmentScope {
            name: facts.environment.clone(),
            tenant: facts.tenant.clone(),
            vars: deployment.vars.clone(),
        };
        Arc::new(Self { facts, deployment, traceparent, scope, line, lineage })
    }
}
