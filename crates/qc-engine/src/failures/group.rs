//! A group and its state: what is said of it, and what follows from that. Pure.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use qc_model::{Actor, EnvironmentName, Name, Timestamp};
use qc_store::{DeadGroup, StoreError};
use serde::{Deserialize, Serialize};

use crate::record::hex;

/// How long a group may be muted.
pub const MUTE_LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// So many hexadecimal digits of the digest name a group.
const ID_DIGITS: usize = 16;

/// So many of the words that were said are kept with the group; the ledger has all of them.
const WORDS_KEPT: usize = 50;

/// The version that is written.
const VERSION: u32 = 1;

/// Dead letters that died of the same, as people see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureGroup {
    /// Its name: made from tenant, environment and fingerprint.
    pub id: String,
    /// The letters, added up.
    pub letters: DeadGroup,
    /// Who is called when the integration fails, as its deployed release says.
    pub owner: Option<String>,
    /// How they are reached, as that release says.
    pub contact: Option<String>,
    /// Where it stands.
    pub state: GroupState,
    /// What was said of it, oldest first.
    pub said: Vec<Said>,
    /// The document's revision, when there is one.
    pub(crate) revision: Option<u64>,
}

/// Which groups to list. Empty fields do not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupFilter {
    /// Only this environment.
    pub environment: Option<EnvironmentName>,
    /// Only this integration.
    pub integration: Option<Name>,
    /// Only this failure's code.
    pub code: Option<String>,
    /// Only these states; empty means those that want somebody: open, regressed, acknowledged.
    pub states: Vec<GroupState>,
    /// At most so many.
    pub limit: usize,
}

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroupState {
    /// Nobody has said anything of it.
    Open,
    /// Somebody works on it.
    Acknowledged,
    /// Somebody said that the cause is mended, and nobody died of it since.
    Resolved,
    /// Somebody said so, and somebody died of it since.
    Regressed,
    /// It is to be left alone for a time.
    Muted,
    /// All its letters are dealt with, and nobody said anything that still counts.
    Settled,
}

impl GroupState {
    /// All, for tables and filters.
    pub const ALL: [Self; 6] = [
        Self::Open,
        Self::Acknowledged,
        Self::Resolved,
        Self::Regressed,
        Self::Muted,
        Self::Settled,
    ];

    /// Those that want somebody.
    pub const WANTED: [Self; 3] = [Self::Open, Self::Regressed, Self::Acknowledged];

    /// The name as shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::Regressed => "regressed",
            Self::Muted => "muted",
            Self::Settled => "settled",
        }
    }
}

/// What somebody says of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "word", rename_all = "snake_case")]
pub enum Word {
    /// I work on it.
    Acknowledge,
    /// The cause is mended.
    Resolve,
    /// Leave it alone until then.
    Mute {
        /// Until when.
        until: Timestamp,
    },
    /// What was said no longer counts.
    Reopen,
}

impl Word {
    /// The word as the ledger and lists show it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
            Self::Mute { .. } => "mute",
            Self::Reopen => "reopen",
        }
    }
}

/// A word, who said it and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// What.
    #[serde(flatten)]
    pub word: Word,
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// Why, or what is to be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The last death that there was to see, and how many letters.
    pub(crate) seen: Seen,
}

/// What of a group was there when somebody spoke. By the letters and not by the clock: nodes have
/// different clocks, and whoever dies between a look and a word was not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    last_at: Timestamp,
    total: u64,
}

impl Seen {
    pub(crate) fn of(letters: &DeadGroup) -> Self {
        Self { last_at: letters.last_at, total: letters.total }
    }

    /// Whether somebody has died since.
    fn more(self, letters: &DeadGroup) -> bool {
        letters.last_at > self.last_at
            || (letters.last_at == self.last_at && letters.total > self.total)
    }
}

/// What is stored of a group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stored {
    v: u32,
    pub(crate) tenant: qc_model::TenantName,
    pub(crate) environment: EnvironmentName,
    pub(crate) fingerprint: String,
    pub(crate) said: Vec<Said>,
}

impl Stored {
    /// Of a group, with one more word.
    pub(crate) fn with(group: &FailureGroup, word: Said) -> Self {
        let mut said = group.said.clone();
        said.push(word);
        let over = said.len().saturating_sub(WORDS_KEPT);
        said.drain(..over);
        let DeadGroup { tenant, environment, fingerprint, .. } = group.letters.clone();
        Self { v: VERSION, tenant, environment, fingerprint, said }
    }

    pub(crate) fn parse(name: &str, body: &[u8]) -> Result<Self, StoreError> {
        let stored: Result<Self, _> = serde_json::from_slice(body);
        stored.ok().filter(|stored| stored.v == VERSION).ok_or_else(|| {
            StoreError::Corrupt(format!("what is said of the group `{name}` cannot be read"))
        })
    }
}

/// A group's name.
pub(crate) fn id_of(letters: &DeadGroup) -> String {
    let DeadGroup { tenant, environment, fingerprint, .. } = letters;
    let text = format!("{tenant}\n{environment}\n{fingerprint}");
    let mut id = hex(digest(&SHA256, text.as_bytes()).as_ref());
    id.truncate(ID_DIGITS);
    id
}

/// Where a group stands, by its letters and the last word.
pub(crate) fn judged(letters: &DeadGroup, last: Option<&Said>, now: Timestamp) -> GroupState {
    let unsaid = if letters.open > 0 { GroupState::Open } else { GroupState::Settled };
    let Some(said) = last else { return unsaid };
    match said.word {
        Word::Mute { until } if now < until => GroupState::Muted,
        Word::Mute { .. } | Word::Reopen => unsaid,
        Word::Acknowledge if letters.open == 0 => GroupState::Settled,
        Word::Acknowledge => GroupState::Acknowledged,
        Word::Resolve if said.seen.more(letters) => GroupState::Regressed,
        Word::Resolve => GroupState::Resolved,
    }
}

#[cfg(test)]
mod tests {
    use qc_model::TenantName;

    use super::*;

    fn letters(open: u64, total: u64, last: i64) -> DeadGroup {
        DeadGroup {
            tenant: TenantName::new("default").unwrap(),
            environment: EnvironmentName::new("production").unwrap(),
            fingerprint: "orders|/do/0|timeout|QC-N005".to_owned(),
            code: "QC-N005".to_owned(),
            summary: "too slow".to_owned(),
            integration: Name::new("orders").unwrap(),
            open,
            total,
            first_at: Timestamp::from_millis(1),
            last_at: Timestamp::from_millis(last),
        }
    }

    fn said(word: Word, of: &DeadGroup) -> Said {
        let (by, at) = (Actor::platform("test"), Timestamp::from_millis(50));
        Said { word, by, at, note: None, seen: Seen::of(of) }
    }

    #[test]
    fn a_death_after_the_resolving_is_a_regression_whatever_the_clocks_say() {
        let now = Timestamp::from_millis(100);
        let before = letters(2, 2, 10);
        let resolved = said(Word::Resolve, &before);
        let state = |it: &DeadGroup| judged(it, Some(&resolved), now);
        assert_eq!(state(&before), GroupState::Resolved);
        assert_eq!(state(&letters(0, 2, 10)), GroupState::Resolved, "what was there is dealt with");
        assert_eq!(state(&letters(3, 3, 11)), GroupState::Regressed, "before the word was said");
        assert_eq!(state(&letters(3, 3, 10)), GroupState::Regressed, "in the same millisecond");
        assert_eq!(state(&letters(0, 3, 11)), GroupState::Regressed, "also when it was dealt with");
        assert_eq!(state(&letters(1, 1, 10)), GroupState::Resolved, "a letter that was removed");
    }

    #[test]
    fn a_mute_ends_by_itself_and_the_other_words_count_until_the_next() {
        let at = Timestamp::from_millis;
        let there = letters(1, 1, 10);
        let muted = said(Word::Mute { until: at(200) }, &there);
        let more = letters(5, 5, 150);
        assert_eq!(judged(&more, Some(&muted), at(199)), GroupState::Muted);
        assert_eq!(judged(&more, Some(&muted), at(200)), GroupState::Open);
        assert_eq!(judged(&letters(0, 5, 150), Some(&muted), at(200)), GroupState::Settled);
        let known = said(Word::Acknowledge, &there);
        assert_eq!(judged(&more, Some(&known), at(300)), GroupState::Acknowledged);
        assert_eq!(judged(&letters(0, 5, 150), Some(&known), at(300)), GroupState::Settled);
        assert_eq!(judged(&more, Some(&said(Word::Reopen, &there)), at(300)), GroupState::Open);
        assert_eq!(judged(&more, None, at(300)), GroupState::Open);
    }

    #[test]
    fn groups_of_different_tenants_or_places_have_different_names() {
        let one = letters(1, 1, 1);
        let other = DeadGroup { tenant: TenantName::new("other").unwrap(), ..one.clone() };
        let there =
            DeadGroup { environment: EnvironmentName::new("sandbox").unwrap(), ..one.clone() };
        let ids = [id_of(&one), id_of(&other), id_of(&there)];
        assert!(ids.iter().all(|id| id.len() == ID_DIGITS), "{ids:?}");
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        assert_eq!(ids[0], id_of(&letters(9, 9, 9)), "what changes is no part of the name");
    }

    #[test]
    fn what_was_said_is_kept_up_to_a_bound_and_read_back() {
        let letters = letters(1, 1, 1);
        let mut group = FailureGroup {
            id: id_of(&letters),
            owner: None,
            contact: None,
            state: GroupState::Open,
            said: Vec::new(),
            revision: None,
            letters,
        };
        for _ in 0..WORDS_KEPT + 3 {
            let word = said(Word::Mute { until: Timestamp::from_millis(7) }, &group.letters);
            let stored = Stored::with(&group, word);
            let body = serde_json::to_vec(&stored).unwrap();
            group.said = Stored::parse("x", &body).unwrap().said;
        }
        assert_eq!(group.said.len(), WORDS_KEPT);
        assert!(matches!(Stored::parse("x", b"{}"), Err(StoreError::Corrupt(_))));
    }
}
