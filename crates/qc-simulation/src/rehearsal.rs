//! At the end of a story its past is played again on the release that ran: everything must be as it was.

use std::sync::Arc;

use qc_engine::{Incomparable, Rehearsing, SAMPLE_MAX, Verdict};

use crate::{Invariant, story::Story};

impl Story {
    pub(crate) async fn rehearse(&self) {
        for deployment in self.abilities.deployments(&self.workflows) {
            let asked = Rehearsing {
                environment: deployment.environment.clone(),
                integration: deployment.release.integration.clone(),
                since: None,
                run: None,
                sample: SAMPLE_MAX,
                seed: self.seed,
            };
            let played = self.world.engine.rehearse(&asked, Arc::new(deployment)).await;
            let Ok(played) = played else { continue };
            for run in played.runs {
                match run.verdict {
                    Verdict::Same
                    | Verdict::Incomparable(
                        Incomparable::Child
                        | Incomparable::NeverBegun
                        | Incomparable::ClockWentBack,
                    ) => {}
                    verdict => self.record.broken(
                        Invariant::PastIsReproduced,
                        format_args!("{}: {verdict:?}", run.run),
                    ),
                }
            }
        }
    }
}
