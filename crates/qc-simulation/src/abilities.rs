//! What the integration of a story can do beside calling. Each story knows some of it: what is rare
//! together with everything else is common without it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use qc_engine::{Deployment, Level, OnFailure, OrderingRule, People, Release};
use qc_expression::Expression;

use crate::{
    desk,
    dice::Dice,
    workflows::{HELPER, Workflows},
    world::{Written, deployment_of},
};

/// The people of every story.
pub(crate) const PEOPLE: [&str; 3] = ["ada", "bob", "cto"];

/// A team of them: those who are asked first.
pub(crate) const TEAM: (&str, &str) = ("finance", "ada");

/// What may become of those behind a run that fails.
const ON_FAILURE: [OnFailure; 3] = [OnFailure::Block, OnFailure::Skip, OnFailure::Park];

/// The key by which events are kept in order.
const ORDER: &str = ".data.n % 3";

/// What a story's integration can do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Abilities {
    /// Its workflow asks people.
    pub(crate) asks: bool,
    /// People are asked about runs that cannot go on.
    pub(crate) escalates: bool,
    /// Its workflow listens for events, and publishes some.
    pub(crate) listens: bool,
    /// Its workflow runs another one.
    pub(crate) delegates: bool,
    /// Its workflow counts in what is kept.
    pub(crate) keeps: bool,
    /// It keeps its events in order, by a key: what becomes of those behind a run that fails.
    pub(crate) ordered: Option<OnFailure>,
    /// People pause its trigger.
    pub(crate) pauses: bool,
}

impl Abilities {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        Self {
            asks: dice.percent(35),
            escalates: dice.percent(30),
            listens: dice.percent(35),
            delegates: dice.percent(30),
            keeps: dice.percent(30),
            ordered: dice.percent(25).then(|| dice.pick(&ON_FAILURE).copied().unwrap_or_default()),
            pauses: dice.percent(25),
        }
    }

    /// What is deployed: the first one is that which takes the events.
    pub(crate) fn deployments(&self, workflows: &Workflows) -> Vec<Deployment> {
        let written = Written { hash: "r1", name: "test", tasks: &workflows.first };
        let mut first = deployment_of(&written, desk::connectors());
        let release: &mut Release =
            Arc::get_mut(&mut first.release).expect("nobody else has it yet");
        release.people = self.people();
        release.ordering = self.ordered.map(|on_failure| OrderingRule {
            key: Expression::parse(ORDER, &[]).expect("it is written well"),
            on_failure,
        });
        if !self.delegates {
            return vec![first];
        }
        let written = Written { hash: "c1", name: HELPER, tasks: &workflows.helper };
        let mut helper = deployment_of(&written, desk::connectors());
        let release: &mut Release =
            Arc::get_mut(&mut helper.release).expect("nobody else has it yet");
        release.people = self.people();
        vec![first, helper]
    }

    fn people(&self) -> People {
        let level = |to: &str, seconds: u64| Level {
            to: to.to_owned(),
            after: Duration::from_secs(seconds),
        };
        let levels = vec![level(TEAM.0, 0), level("bob", 20), level("cto", 600)];
        People {
            people: PEOPLE.map(str::to_owned).into(),
            teams: BTreeMap::from([(TEAM.0.to_owned(), [TEAM.1.to_owned()].into())]),
            asked: Some(TEAM.0.to_owned()),
            escalation: if self.escalates { levels } else { Vec::new() },
            ..People::default()
        }
    }
}
