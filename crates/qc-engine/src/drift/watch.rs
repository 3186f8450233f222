use qc_connect::call::Performed;
use qc_model::{EnvironmentName, Timestamp};

use super::{
    Book, Broken,
    finding::{Seer, Site, of_notes},
};
use crate::Release;

/// An answer that somebody got.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watched<'a> {
    pub(crate) environment: &'a EnvironmentName,
    pub(crate) release: &'a Release,
    pub(crate) performed: &'a Performed,
    pub(crate) at: Timestamp,
    /// A canary call got it, no run's.
    pub(crate) canary: bool,
}

impl Book {
    /// Notes how an answer differed from its contract. The finding, when it breaks it.
    pub(crate) fn watch(&self, watched: Watched<'_>) -> Option<(String, Option<Box<Broken>>)> {
        let Watched { environment, release, performed, at, canary } = watched;
        let (notes, end) = (performed.drift.as_slice(), performed.notice.as_ref());
        if notes.is_empty() && end.is_none() {
            return None;
        }
        let record = &performed.record;
        let (connector, operation) = record.connector.as_ref().zip(record.operation.as_ref())?;
        let site = Site {
            environment: environment.clone(),
            integration: release.integration.clone(),
            connector: connector.clone(),
            operation: operation.clone(),
        };
        let own = release.connectors.get(connector).and_then(|one| one.owner());
        let owner = own.or_else(|| release.system_owners.get(connector).map(String::as_str));
        let owner = owner.or(release.owner.as_deref());
        let seer = Seer { owner, release: &release.hash, at, canary };
        let finding = of_notes(&site, seer, notes);
        self.note(&site, seer, (notes, end), finding.as_ref());
        let finding = finding?;
        let id = finding.id.clone();
        let broken = performed.unfit.clone().map(|answer| {
            let known = self.is_written(&site, &finding.id);
            Box::new(Broken { finding, answer: *answer, known })
        });
        Some((id, broken))
    }
}
