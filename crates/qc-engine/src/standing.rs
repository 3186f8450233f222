//! How the platform's own ties to the outside stand: subscriptions to queues, polls, routes to exchanges. What nobody
//! asked for over HTTP nobody would miss when it does not come; so it is said here.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use qc_model::{EnvironmentName, Finding, Name, Timestamp};

/// What kind of tie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TieKind {
    /// Messages come from a queue.
    Queue,
    /// Another system is asked again and again.
    Poll,
    /// Events go to an exchange.
    Route,
}

impl TieKind {
    /// The name as shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Poll => "poll",
            Self::Route => "route",
        }
    }
}

/// Which tie.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tie {
    /// What kind.
    pub kind: TieKind,
    /// Where.
    pub environment: EnvironmentName,
    /// Whose.
    pub integration: Name,
    /// The trigger's or the publication's name.
    pub name: Name,
}

/// How a tie stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Since when it stands so.
    pub since: Timestamp,
    /// What keeps it from working; None when it works.
    pub finding: Option<Finding>,
}

/// How all ties stand.
#[derive(Debug, Default)]
pub struct Standings(Mutex<BTreeMap<Tie, Standing>>);

impl Standings {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Tie, Standing>> {
        // Every change is one call on the map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how a tie stands; whether that is news.
    pub fn stands(&self, tie: &Tie, finding: Option<Finding>, now: Timestamp) -> bool {
        let mut all = self.all();
        match all.get_mut(tie) {
            Some(known) if known.finding == finding => false,
            Some(known) => {
                *known = Standing { since: now, finding };
                true
            }
            None => {
                all.insert(tie.clone(), Standing { since: now, finding });
                true
            }
        }
    }

    /// A tie that is there no longer.
    pub fn gone(&self, tie: &Tie) {
        self.all().remove(tie);
    }

    /// All of them.
    pub fn list(&self) -> Vec<(Tie, Standing)> {
        self.all().iter().map(|(tie, standing)| (tie.clone(), standing.clone())).collect()
    }

    /// What keeps ties from working, each naming its tie.
    pub fn findings(&self) -> Vec<Finding> {
        let told = |(tie, standing): (Tie, Standing)| {
            let mut finding = standing.finding?;
            let Tie { kind, environment, integration, name } = tie;
            let (kind, message) = (kind.as_str(), &finding.message);
            finding.message =
                format!("the {kind} `{name}` of `{integration}` in `{environment}`: {message}");
            Some(finding)
        };
        self.list().into_iter().filter_map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use qc_model::Code;

    use super::*;

    #[test]
    fn only_a_change_is_news() {
        let standings = Standings::default();
        let tie = Tie {
            kind: TieKind::Queue,
            environment: EnvironmentName::new("production").unwrap(),
            integration: Name::new("orders").unwrap(),
            name: Name::new("in").unwrap(),
        };
        let at = Timestamp::from_millis;
        let bad = Finding::error(Code::new("QC-B001"), "away");
        assert!(standings.stands(&tie, None, at(1)));
        assert!(!standings.stands(&tie, None, at(2)));
        assert!(standings.stands(&tie, Some(bad.clone()), at(3)));
        assert!(!standings.stands(&tie, Some(bad), at(4)));
        assert_eq!(standings.list()[0].1.since, at(3));
        let said = standings.findings();
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].message, "the queue `in` of `orders` in `production`: away");
        standings.gone(&tie);
        assert!(standings.list().is_empty());
    }
}
