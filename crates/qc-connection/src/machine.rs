use std::time::Duration;

use qc_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{provider::Rotation, schedule::backoff};

/// How long a client that was refused is not presented again.
pub(crate) const CLIENT_PAUSE: Duration = Duration::from_secs(60);

/// So many unanswered probes in a row are the system's trouble; fewer may be the network's.
const MISSES: u32 = 3;

/// The states of a connection. Each carries its facts; [`State::begin`] and [`State::settle`] are all there is of
/// going from one to another by itself, the rest is what people do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum State {
    /// Nobody has consented yet.
    PendingConsent,
    /// Its tokens are good, as far as anybody knows.
    Active,
    /// Somebody is asking for new tokens.
    Refreshing(Lease),
    /// Somebody is asking for new tokens because a person wanted new ones.
    Rotating(Lease),
    /// New tokens cannot be had now. The present one is used until it ends.
    Degraded {
        /// Why.
        trouble: Trouble,
        /// How often in a row.
        failures: u32,
        /// Not before this time is it tried again.
        retry_at: Timestamp,
    },
    /// A refresh token was sent and nobody knows what became of it. Sending it again could end all tokens. The present
    /// access token is used until it ends.
    Suspect {
        /// When it was sent first.
        sent_at: Timestamp,
        /// Whether it was sent again already.
        again: bool,
    },
    /// Somebody has to consent again.
    ReauthRequired {
        /// Why.
        reason: Reason,
        /// Since when.
        since: Timestamp,
    },
    /// It works, but not for everything: these scopes are missing.
    ScopeDrift {
        /// The scopes; empty when the other system did not say which.
        missing: Vec<String>,
    },
    /// Somebody ended it.
    Revoked {
        /// When.
        since: Timestamp,
    },
}

/// The right to ask for new tokens, for a time. It is on disk before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The node.
    pub owner: String,
    /// This attempt, and no other.
    pub attempt: String,
    /// The generation of the tokens that it replaces.
    pub generation: u64,
    /// When it was taken; the request is sent after that.
    pub began_at: Timestamp,
    /// Until when nobody else may ask. The request ends well before.
    pub until: Timestamp,
    /// How many attempts failed before, in a row.
    pub failures: u32,
    /// When the same refresh token was sent before without an answer, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Timestamp>,
}

/// Why new tokens cannot be had now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The token endpoint is away.
    Outage,
    /// The token endpoint refuses the client: every connection of it has this trouble.
    Client,
    /// The token endpoint refuses what is asked for: something is configured wrongly.
    Configuration,
    /// The system itself refuses the present token, also a new one.
    Refused,
    /// The system itself does not answer.
    System,
}

/// What was heard from the system itself when it was asked something with the present token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// It takes the token.
    Well,
    /// It does not, also not a new one.
    Refused,
    /// It did not answer.
    Away,
}

impl Heard {
    /// The name as written on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Refused => "refused",
            Self::Away => "away",
        }
    }
}

/// Why somebody has to consent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The provider says that the refresh token is not good: revoked, expired, or used twice.
    InvalidGrant,
    /// What became of the last refresh is not known, and the access token has ended.
    OutcomeUnknown,
    /// There is no refresh token, and the access token has ended.
    Expired,
}

/// What a refresh came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Tokens, with these scopes missing or none. They are in the record with the new state.
    Granted,
    /// Certainly none, for a reason that passes; the pause is what the provider asked for.
    Away(Option<Duration>),
    /// The request was sent and no answer came, or none that could be read.
    Unknown,
    /// The refresh token is no longer good.
    InvalidGrant,
    /// The client is refused.
    InvalidClient,
    /// What is asked for is refused.
    Refused,
}

/// Whether somebody may ask for new tokens now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// Yes, once this state is on disk.
    Send(State),
    /// Another one is at it, until then at the latest.
    Wait(Timestamp),
    /// Not before this time.
    Pause(Timestamp),
    /// No; the state is this one now.
    Became(State),
    /// No, until a person does something.
    Stays,
}

/// What decides beside the state.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// What a refresh does to the refresh token.
    pub rotation: Rotation,
    /// Whether the access token can be used now.
    pub usable: bool,
    /// Whether there is something to ask with: a refresh token, or a client that needs none.
    pub refreshable: bool,
    /// Whether a person asks for it.
    pub by_hand: bool,
}

impl State {
    /// Whether new tokens may be asked for with this lease, whose doubts and failures are filled in here.
    #[must_use]
    pub fn begin(&self, lease: Lease, facts: Facts) -> Begin {
        let now = lease.began_at;
        let send = |failures: u32, doubt: Option<Timestamp>| {
            if !facts.refreshable {
                if facts.usable {
                    return Begin::Stays;
                }
                let reason = Reason::Expired;
                return Begin::Became(Self::ReauthRequired { reason, since: now });
            }
            let lease = Lease { failures, doubt, ..lease.clone() };
            Begin::Send(if facts.by_hand { Self::Rotating(lease) } else { Self::Refreshing(lease) })
        };
        match self {
            Self::PendingConsent | Self::ReauthRequired { .. } | Self::Revoked { .. } => {
                Begin::Stays
            }
            // With what the system itself said the token endpoint has nothing to do.
            Self::Active
            | Self::ScopeDrift { .. }
            | Self::Degraded { trouble: Trouble::Refused | Trouble::System, .. } => send(0, None),
            Self::Degraded { retry_at, .. } if now < *retry_at && !facts.by_hand => {
                Begin::Pause(*retry_at)
            }
            Self::Degraded { failures, .. } => send(*failures, None),
            Self::Refreshing(other) | Self::Rotating(other) if now < other.until => {
                Begin::Wait(other.until)
            }
            // Its owner is gone. Whether it had sent its request, nobody knows.
            Self::Refreshing(other) | Self::Rotating(other) => {
                if facts.rotation == Rotation::Fixed {
                    return send(other.failures, None);
                }
                let (sent_at, again) =
                    other.doubt.map_or((other.began_at, false), |first| (first, true));
                let suspect = Self::Suspect { sent_at, again };
                match suspect.begin(lease, facts) {
                    Begin::Stays => Begin::Became(suspect),
                    other => other,
                }
            }
            Self::Suspect { sent_at, again } => match facts.rotation.grace() {
                None => send(0, None),
                Some(grace) if !again && now < *sent_at + grace => send(0, Some(*sent_at)),
                Some(_) if facts.usable => Begin::Stays,
                Some(_) => Begin::Became(Self::ReauthRequired {
                    reason: Reason::OutcomeUnknown,
                    since: now,
                }),
            },
        }
    }

    /// The state after a refresh that this lease allowed. `missing` are the scopes that the new tokens lack.
    #[must_use]
    pub fn settle(lease: &Lease, outcome: Outcome, missing: &[String], facts: Settling) -> Self {
        let Settling { now, rotation, jitter } = facts;
        let degraded = |trouble, pause: Option<Duration>, least: Duration| {
            let failures = lease.failures.saturating_add(1);
            let pause = backoff(failures, jitter).max(least).max(pause.unwrap_or_default());
            Self::Degraded { trouble, failures, retry_at: now + pause }
        };
        match outcome {
            Outcome::Granted if missing.is_empty() => Self::Active,
            Outcome::Granted => Self::ScopeDrift { missing: missing.to_vec() },
            // The doubt of before remains: the first of the two may have been answered.
            Outcome::Away(_) if lease.doubt.is_some() => {
                Self::Suspect { sent_at: lease.doubt.unwrap_or(now), again: true }
            }
            Outcome::Away(pause) => degraded(Trouble::Outage, pause, Duration::ZERO),
            Outcome::Unknown if rotation == Rotation::Fixed => {
                degraded(Trouble::Outage, None, Duration::ZERO)
            }
            Outcome::Unknown => match lease.doubt {
                Some(first) => Self::Suspect { sent_at: first, again: true },
                None => Self::Suspect { sent_at: lease.began_at, again: false },
            },
            Outcome::InvalidGrant => {
                Self::ReauthRequired { reason: Reason::InvalidGrant, since: now }
            }
            Outcome::InvalidClient => degraded(Trouble::Client, None, CLIENT_PAUSE),
            Outcome::Refused => degraded(Trouble::Configuration, None, CLIENT_PAUSE),
        }
    }

    /// The state after the system itself was asked; None: the same. `misses`: how often in a row it did not answer, this
    /// time included. Only what the system's own answers brought about is ended by them.
    #[must_use]
    pub fn probed(&self, heard: Heard, misses: u32, now: Timestamp) -> Option<Self> {
        let trouble = match (heard, self) {
            (_, Self::Active) => None,
            (_, Self::Degraded { trouble, .. })
                if matches!(trouble, Trouble::Refused | Trouble::System) =>
            {
                Some(*trouble)
            }
            _ => return None,
        };
        let degraded = |trouble, failures| Self::Degraded { trouble, failures, retry_at: now };
        match heard {
            Heard::Well => trouble.map(|_| Self::Active),
            Heard::Refused if trouble == Some(Trouble::Refused) => None,
            Heard::Refused => Some(degraded(Trouble::Refused, 1)),
            Heard::Away if misses < MISSES || trouble.is_some() => None,
            Heard::Away => Some(degraded(Trouble::System, misses)),
        }
    }

    /// The lease under which tokens are being asked for.
    pub fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Refreshing(lease) | Self::Rotating(lease) => Some(lease),
            _ => None,
        }
    }

    /// Whether an access token of this connection may be used while it lives.
    pub fn allows_use(&self) -> bool {
        !matches!(self, Self::PendingConsent | Self::ReauthRequired { .. } | Self::Revoked { .. })
    }

    /// Whether no work waits for anything but scopes.
    pub(crate) fn is_well(&self) -> bool {
        matches!(self, Self::Active | Self::ScopeDrift { .. })
    }

    /// The name as written on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::PendingConsent => "pending_consent",
            Self::Active => "active",
            Self::Refreshing(_) => "refreshing",
            Self::Rotating(_) => "rotating",
            Self::Degraded { .. } => "degraded",
            Self::Suspect { .. } => "suspect",
            Self::ReauthRequired { .. } => "reauth_required",
            Self::ScopeDrift { .. } => "scope_drift",
            Self::Revoked { .. } => "revoked",
        }
    }
}

/// What decides beside the outcome.
#[derive(Debug, Clone, Copy)]
pub struct Settling {
    /// Now.
    pub now: Timestamp,
    /// What a refresh does to the refresh token.
    pub rotation: Rotation,
    /// Randomness, for pauses.
    pub jitter: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_358_400_000);

    fn at(seconds: u64) -> Timestamp {
        NOW + Duration::from_secs(seconds)
    }

    fn lease(began: u64) -> Lease {
        Lease {
            owner: "a".into(),
            attempt: format!("try{began}"),
            generation: 3,
            began_at: at(began),
            until: at(began + 30),
            failures: 0,
            doubt: None,
        }
    }

    const STRICT: Rotation = Rotation::Rotating { grace_ms: 0 };
    const GRACE: Rotation = Rotation::Rotating { grace_ms: 60_000 };

    fn facts(rotation: Rotation, usable: bool) -> Facts {
        Facts { rotation, usable, refreshable: true, by_hand: false }
    }

    /// `send`, `wait`, `pause`, `stays`, or the state that it became.
    fn word(begin: &Begin) -> &'static str {
        match begin {
            Begin::Send(state) => match state.lease().and_then(|lease| lease.doubt) {
                Some(_) => "send again",
                None => "send",
            },
            Begin::Wait(_) => "wait",
            Begin::Pause(_) => "pause",
            Begin::Stays => "stays",
            Begin::Became(state) => state.as_str(),
        }
    }

    fn states() -> Vec<State> {
        let doubted = Lease { doubt: Some(at(0)), ..lease(0) };
        vec![
            State::PendingConsent,
            State::Active,
            State::ScopeDrift { missing: vec![] },
            State::Refreshing(lease(0)),
            State::Refreshing(doubted),
            State::Rotating(lease(0)),
            State::Degraded { trouble: Trouble::Outage, failures: 2, retry_at: at(20) },
            State::Suspect { sent_at: at(0), again: false },
            State::Suspect { sent_at: at(0), again: true },
            State::ReauthRequired { reason: Reason::InvalidGrant, since: at(0) },
            State::Revoked { since: at(0) },
        ]
    }

    #[test]
    fn who_may_begin_is_a_table() {
        // For each state: after 10 s, 40 s and 100 s with a live token; after 40 s and 100 s without one.
        let table = |rotation: Rotation| -> Vec<[&'static str; 5]> {
            states()
                .iter()
                .map(|state| {
                    [(10, true), (40, true), (100, true), (40, false), (100, false)]
                        .map(|(s, usable)| word(&state.begin(lease(s), facts(rotation, usable))))
                })
                .collect()
        };
        let fixed = [
            ["stays"; 5],
            ["send"; 5],
            ["send"; 5],
            ["wait", "send", "send", "send", "send"],
            ["wait", "send", "send", "send", "send"],
            ["wait", "send", "send", "send", "send"],
            ["pause", "send", "send", "send", "send"],
            ["send"; 5],
            ["send"; 5],
            ["stays"; 5],
            ["stays"; 5],
        ];
        assert_eq!(table(Rotation::Fixed), fixed);
        let reauth = "reauth_required";
        let strict = [
            ["stays"; 5],
            ["send"; 5],
            ["send"; 5],
            ["wait", "suspect", "suspect", reauth, reauth],
            ["wait", "suspect", "suspect", reauth, reauth],
            ["wait", "suspect", "suspect", reauth, reauth],
            ["pause", "send", "send", "send", "send"],
            ["stays", "stays", "stays", reauth, reauth],
            ["stays", "stays", "stays", reauth, reauth],
            ["stays"; 5],
            ["stays"; 5],
        ];
        assert_eq!(table(STRICT), strict);
        let again = "send again";
        let grace = [
            ["stays"; 5],
            ["send"; 5],
            ["send"; 5],
            ["wait", again, "suspect", again, reauth],
            ["wait", "suspect", "suspect", reauth, reauth],
            ["wait", again, "suspect", again, reauth],
            ["pause", "send", "send", "send", "send"],
            [again, again, "stays", again, reauth],
            ["stays", "stays", "stays", reauth, reauth],
            ["stays"; 5],
            ["stays"; 5],
        ];
        assert_eq!(table(GRACE), grace);
    }

    #[test]
    fn what_the_system_itself_says_is_a_table() {
        let degraded = |trouble| State::Degraded { trouble, failures: 1, retry_at: at(0) };
        let from = [
            State::Active,
            degraded(Trouble::Refused),
            degraded(Trouble::System),
            degraded(Trouble::Outage),
            State::Suspect { sent_at: at(0), again: false },
            State::ReauthRequired { reason: Reason::InvalidGrant, since: at(0) },
            State::ScopeDrift { missing: vec![] },
            State::Refreshing(lease(0)),
        ];
        let heard = [(Heard::Well, 0), (Heard::Refused, 0), (Heard::Away, 2), (Heard::Away, 3)];
        let table: Vec<[String; 4]> = from
            .iter()
            .map(|state| {
                heard.map(|(heard, misses)| match state.probed(heard, misses, at(1)) {
                    Some(State::Degraded { trouble, .. }) => format!("{trouble:?}"),
                    Some(state) => state.as_str().to_owned(),
                    None => "-".to_owned(),
                })
            })
            .collect();
        let mut expected = vec![
            ["-", "Refused", "-", "System"],
            ["active", "-", "-", "-"],
            ["active", "Refused", "-", "-"],
        ];
        // What the token endpoint or people said stands.
        expected.extend([["-"; 4]; 5]);
        assert_eq!(table, expected);
    }

    #[test]
    fn what_a_refresh_comes_to_is_a_table() {
        let outcomes = [
            Outcome::Granted,
            Outcome::Away(None),
            Outcome::Unknown,
            Outcome::InvalidGrant,
            Outcome::InvalidClient,
            Outcome::Refused,
        ];
        let table = |rotation, lease: &Lease| {
            let facts = Settling { now: at(5), rotation, jitter: 0 };
            outcomes.map(|outcome| State::settle(lease, outcome, &[], facts).as_str())
        };
        let (reauth, lost) = ("reauth_required", "suspect");
        let plain = ["active", "degraded", "degraded", reauth, "degraded", "degraded"];
        assert_eq!(table(Rotation::Fixed, &lease(0)), plain);
        let rotating = ["active", "degraded", lost, reauth, "degraded", "degraded"];
        assert_eq!(table(STRICT, &lease(0)), rotating);
        assert_eq!(table(GRACE, &lease(0)), rotating);
        let doubted = Lease { doubt: Some(at(0)), ..lease(0) };
        let doubtful = ["active", lost, lost, reauth, "degraded", "degraded"];
        assert_eq!(table(GRACE, &doubted), doubtful);
        let facts = Settling { now: at(5), rotation: STRICT, jitter: 0 };
        let missing = ["b".to_owned()];
        let drift = State::settle(&lease(0), Outcome::Granted, &missing, facts);
        assert_eq!(drift, State::ScopeDrift { missing: missing.to_vec() });
    }

    #[test]
    fn an_outage_never_ends_a_connection_however_often_it_fails() {
        let mut state = State::Active;
        let mut now = 0;
        for failures in 1..200_u32 {
            let Begin::Send(State::Refreshing(lease)) =
                state.begin(lease(now), facts(STRICT, true))
            else {
                panic!("after {failures} failures it may not begin: {state:?}");
            };
            let facts = Settling { now: at(now), rotation: STRICT, jitter: 7 };
            state = State::settle(&lease, Outcome::Away(None), &[], facts);
            let State::Degraded { failures: counted, retry_at, .. } = &state else { panic!() };
            assert_eq!(*counted, failures);
            now = u64::try_from(retry_at.as_secs() - NOW.as_secs()).unwrap() + 1;
        }
    }

    #[test]
    fn without_a_refresh_token_an_ended_token_needs_consent() {
        let facts = Facts { refreshable: false, ..facts(Rotation::Fixed, false) };
        assert_eq!(word(&State::Active.begin(lease(0), facts)), "reauth_required");
        assert_eq!(word(&State::Active.begin(lease(0), Facts { usable: true, ..facts })), "stays");
    }

    #[test]
    fn by_hand_a_pause_is_not_waited_for_and_the_state_says_so() {
        let facts = Facts { by_hand: true, ..facts(STRICT, true) };
        let state = State::Degraded { trouble: Trouble::Outage, failures: 2, retry_at: at(20) };
        assert!(matches!(state.begin(lease(1), facts), Begin::Send(State::Rotating(_))));
        assert_eq!(word(&State::Refreshing(lease(0)).begin(lease(1), facts)), "wait");
    }

    #[test]
    fn every_state_is_stored_and_read_back() {
        for state in states() {
            let text = serde_json::to_value(&state).unwrap();
            assert_eq!(text["is"], state.as_str());
            assert_eq!(serde_json::from_value::<State>(text).unwrap(), state);
        }
    }
}
