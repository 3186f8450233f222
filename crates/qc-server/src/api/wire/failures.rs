//! Groups of failures.

use qc_engine::{FailureGroup, Said, Word};
use qc_model::{Actor, Meaning, page_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a failure is, for whoever has to do something about it: as its code says where it says it itself no longer. The
/// run has all that its own failure says.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Meant {
    /// The failure's class.
    pub class: String,
    /// The page of its code.
    pub page: String,
    /// What is done next.
    pub next_action: String,
    /// Where it failed: `sender`, `ours` or `system`.
    pub hop: String,
}

impl Meant {
    /// Of a letter's code and fingerprint, of which the class is the part before the last.
    pub(super) fn of(code: &str, fingerprint: &str) -> Self {
        let meaning = Meaning::of(code);
        let class = fingerprint.rsplit('|').nth(1).unwrap_or_else(|| meaning.class.as_str());
        Self {
            class: class.to_owned(),
            page: page_of(code),
            next_action: meaning.next_action.as_str().to_owned(),
            hop: meaning.party.hop().to_owned(),
        }
    }
}

/// Dead letters that died of the same.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DeadGroup {
    /// Its name.
    pub group: String,
    /// `open`, `acknowledged`, `resolved`, `regressed` (somebody died of it after it was resolved), `muted` or `settled`
    /// (all its letters are dealt with).
    pub state: String,
    /// How many of its letters are open.
    pub open: u64,
    /// How many letters it has.
    pub total: u64,
    /// When the first died.
    pub first_at: String,
    /// When the last died.
    pub last_at: String,
    /// Whose runs.
    pub tenant: String,
    /// Where.
    pub environment: String,
    /// Which integration.
    pub integration: String,
    /// Who is called when that fails, as its deployed release says: the on-call owner, else the technical one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// How they are reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// What the letters have in common: integration, task, class and code.
    pub fingerprint: String,
    /// The failure's code.
    pub code: String,
    /// What that means.
    #[serde(flatten)]
    pub meant: Meant,
    /// What happened, of the newest run's letter.
    pub summary: String,
    /// What was said of it, oldest first; at most the last 50. The audit has all of it.
    pub said: Vec<SaidOfGroup>,
}

/// Something said of a group.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SaidOfGroup {
    /// `acknowledge`, `resolve`, `mute` or `reopen`.
    pub word: String,
    /// Who said it.
    pub by: String,
    /// When.
    pub at: String,
    /// Until when it is muted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// What is to be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One group.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DeadGroupShown {
    /// The version of this form.
    pub schema_version: u32,
    /// The group.
    #[serde(flatten)]
    pub group: DeadGroup,
}

/// What is to be known with a word.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// In words, at most 2,000 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Until when a group is left alone: one of `until` and `for`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MuteRequest {
    /// An RFC 3339 time, at most 30 days away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// A duration from now, such as `8h` or `7d`.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasting: Option<String>,
    /// In words, at most 2,000 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl From<&FailureGroup> for DeadGroup {
    fn from(group: &FailureGroup) -> Self {
        let letters = &group.letters;
        Self {
            group: group.id.clone(),
            state: group.state.as_str().to_owned(),
            open: letters.open,
            total: letters.total,
            first_at: letters.first_at.to_string(),
            last_at: letters.last_at.to_string(),
            tenant: letters.tenant.to_string(),
            environment: letters.environment.to_string(),
            integration: letters.integration.to_string(),
            owner: group.owner.clone(),
            contact: group.contact.clone(),
            meant: Meant::of(&letters.code, &letters.fingerprint),
            fingerprint: letters.fingerprint.clone(),
            code: letters.code.clone(),
            summary: letters.summary.clone(),
            said: group.said.iter().map(SaidOfGroup::from).collect(),
        }
    }
}

impl From<&Said> for SaidOfGroup {
    fn from(said: &Said) -> Self {
        let until = match said.word {
            Word::Mute { until } => Some(until.to_string()),
            Word::Acknowledge | Word::Resolve | Word::Reopen => None,
        };
        Self {
            word: said.word.as_str().to_owned(),
            by: actor(&said.by),
            at: said.at.to_string(),
            until,
            note: said.note.clone(),
        }
    }
}

/// An actor as the ledger writes it: `kind:id`.
pub(super) fn actor(actor: &Actor) -> String {
    let kind = serde_json::to_value(actor.kind).ok();
    let kind = kind.as_ref().and_then(serde_json::Value::as_str).unwrap_or("unknown");
    format!("{kind}:{}", actor.id)
}
