use std::time::Duration;

use qc_model::{Actor, Entropy, EnvironmentName, Name, TenantName, Timestamp, TxnId};
use qc_store::{Change, DocumentOp, Expect, LedgerKind, LedgerRow};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The kind of the documents that hold captures; their name is the capture's id.
pub const CAPTURE_KIND: &str = "debug-capture";
/// The longest time for which is recorded.
pub const LONGEST: Duration = Duration::from_secs(4 * 3_600);
/// The longest time for which what was recorded is kept after that.
pub const KEPT_LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// The most that one capture records: calls and events together.
pub const MOST: u32 = 1_000;
/// The most bytes that one capture records, before they are sealed.
const BYTES: u64 = 16 << 20;
/// How long a capture on which nobody decides can be decided on.
const OPEN: Duration = Duration::from_secs(24 * 3_600);
/// How long it is remembered that there was one.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3_600);

/// A capture: what is recorded, why, and how it stands. Holds nothing of what was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// The version of this body's form.
    pub schema_version: u32,
    /// Its id.
    pub id: String,
    /// Who asked.
    pub person: Name,
    /// Whose data it may see.
    pub tenant: TenantName,
    /// Where.
    pub environment: EnvironmentName,
    /// Of which integration.
    pub integration: Name,
    /// Of which task only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Of calls to which system only: a connector, or a host that is called without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Whether the events that come in are recorded, too.
    pub events: bool,
    /// Why.
    pub reason: String,
    /// The ticket under which it is worked on.
    pub ticket: String,
    /// For how long is recorded, from when a second person agrees, in seconds.
    pub seconds: u64,
    /// How long what was recorded is kept after that, in seconds.
    pub keep_seconds: u64,
    /// How much is recorded at most.
    pub max: u32,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// How it stands.
    pub stage: Stage,
    /// How much was recorded.
    pub taken: u32,
    /// How many bytes that were, before they were sealed.
    pub bytes: u64,
}

/// How a capture stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Stage {
    /// Nobody has decided yet.
    Requested,
    /// A second person refused it.
    Refused {
        /// Who.
        by: Name,
        /// When.
        at: Timestamp,
    },
    /// A second person agreed: it records, and then it is kept for a while.
    Approved(Window),
    /// What it recorded was removed; the files of the store are still to be written anew.
    Emptied {
        /// By whom it was agreed to, and until when it was.
        window: Window,
        /// When it was emptied.
        at: Timestamp,
    },
    /// Nothing of it is left.
    Purged {
        /// By whom it was agreed to, and until when it was.
        window: Window,
        /// Since when.
        at: Timestamp,
    },
}

/// What a second person agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Who agreed.
    pub by: Name,
    /// When.
    pub at: Timestamp,
    /// Until when it records.
    pub until: Timestamp,
    /// When all of it is removed.
    pub expires_at: Timestamp,
}

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct CaptureRequest {
    /// Who asks.
    pub person: Name,
    /// Whose data it may see.
    pub tenant: TenantName,
    /// Where.
    pub environment: EnvironmentName,
    /// Of which integration.
    pub integration: Name,
    /// Of which task only.
    pub task: Option<String>,
    /// Of calls to which system only.
    pub system: Option<String>,
    /// Whether the events that come in are recorded, too.
    pub events: bool,
    /// Why.
    pub reason: String,
    /// The ticket.
    pub ticket: String,
    /// For how long is recorded.
    pub lifetime: Duration,
    /// How long it is kept after that.
    pub keep: Duration,
    /// How much is recorded at most.
    pub max: u32,
}

/// Why a capture is not asked for, decided on or ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// Nothing is said.
    #[error("the {0} is empty")]
    Silent(&'static str),
    /// A text that is too long.
    #[error("the {0} has at most {1} bytes")]
    Long(&'static str, usize),
    /// Too long, or no time at all.
    #[error(
        "it records for more than nothing and for at most 4 hours, and is kept after that for at most 24"
    )]
    Lifetime,
    /// Too much, or nothing at all.
    #[error("it records at least one call and at most {MOST}")]
    Count,
    /// Whoever asked decides.
    #[error("nobody decides on what he asked for: a second person does")]
    OwnRequest,
    /// It was decided, or nobody decided in time.
    #[error("it is {0} already")]
    Decided(&'static str),
    /// It is not under way.
    #[error("it is {0}: there is nothing to end")]
    NotUnderWay(&'static str),
    /// There are so many that no further one is taken.
    #[error("{0} captures are asked for or under way already; end some")]
    TooMany(usize),
}

/// What is to be done about a capture by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// What it recorded is to be removed.
    Empty,
    /// The store is to be written anew, so that nothing is left of it.
    Purge,
    /// It need not be remembered any more.
    Forget,
}

/// The longest reason, ticket, task and system, in bytes.
const TEXT: usize = 1_000;

impl Capture {
    /// Asks for one. Err: why not.
    pub fn request(
        asked: CaptureRequest,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self, CaptureError> {
        for (what, text) in [("reason", &asked.reason), ("ticket", &asked.ticket)] {
            if text.trim().is_empty() {
                return Err(CaptureError::Silent(what));
            }
        }
        let narrowed = [("task", &asked.task), ("system", &asked.system)];
        let narrowed = narrowed.into_iter().filter_map(|(what, it)| Some((what, it.as_ref()?)));
        for (what, text) in narrowed.chain([("reason", &asked.reason), ("ticket", &asked.ticket)]) {
            if text.len() > TEXT {
                return Err(CaptureError::Long(what, TEXT));
            }
        }
        let second = Duration::from_secs(1);
        if asked.lifetime < second || asked.lifetime > LONGEST || asked.keep > KEPT_LONGEST {
            return Err(CaptureError::Lifetime);
        }
        if asked.max == 0 || asked.max > MOST {
            return Err(CaptureError::Count);
        }
        Ok(Self {
            schema_version: 1,
            id: format!("{:016x}", entropy.next_u64()),
            person: asked.person,
            tenant: asked.tenant,
            environment: asked.environment,
            integration: asked.integration,
            task: asked.task,
            system: asked.system,
            events: asked.events,
            reason: asked.reason,
            ticket: asked.ticket,
            seconds: asked.lifetime.as_secs(),
            keep_seconds: asked.keep.as_secs(),
            max: asked.max,
            requested_at: now,
            stage: Stage::Requested,
            taken: 0,
            bytes: 0,
        })
    }

    /// Agrees to it: it records from now on. Err: why not.
    pub fn approve(&self, by: &Name, now: Timestamp) -> Result<Self, CaptureError> {
        self.decidable(by, now)?;
        let until = now + Duration::from_secs(self.seconds);
        let expires_at = until + Duration::from_secs(self.keep_seconds);
        let window = Window { by: by.clone(), at: now, until, expires_at };
        Ok(Self { stage: Stage::Approved(window), ..self.clone() })
    }

    /// Refuses it. Err: why not.
    pub fn refuse(&self, by: &Name, now: Timestamp) -> Result<Self, CaptureError> {
        self.decidable(by, now)?;
        Ok(Self { stage: Stage::Refused { by: by.clone(), at: now }, ..self.clone() })
    }

    fn decidable(&self, by: &Name, now: Timestamp) -> Result<(), CaptureError> {
        if *by == self.person {
            return Err(CaptureError::OwnRequest);
        }
        if !self.is_open(now) {
            return Err(CaptureError::Decided(self.word(now)));
        }
        Ok(())
    }

    /// Whether somebody may still decide on it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.stage == Stage::Requested && now < self.requested_at + OPEN
    }

    /// Whether it records.
    pub fn records(&self, now: Timestamp) -> bool {
        let full = self.taken >= self.max || self.bytes >= BYTES;
        matches!(&self.stage, Stage::Approved(window) if now < window.until) && !full
    }

    /// Whether what it recorded can be seen.
    pub fn is_readable(&self, now: Timestamp) -> bool {
        matches!(&self.stage, Stage::Approved(window) if now < window.expires_at)
    }

    /// How it stands, in a word.
    pub fn word(&self, now: Timestamp) -> &'static str {
        match &self.stage {
            Stage::Requested if self.is_open(now) => "requested",
            Stage::Requested => "lapsed",
            Stage::Refused { .. } => "refused",
            Stage::Approved(_) if self.records(now) => "recording",
            Stage::Approved(window) if now < window.expires_at => "kept",
            Stage::Approved(_) => "over",
            Stage::Emptied { .. } => "emptied",
            Stage::Purged { .. } => "purged",
        }
    }

    /// What a second person agreed to, if one did.
    pub fn window(&self) -> Option<&Window> {
        match &self.stage {
            Stage::Approved(window)
            | Stage::Emptied { window, .. }
            | Stage::Purged { window, .. } => Some(window),
            Stage::Requested | Stage::Refused { .. } => None,
        }
    }

    /// With one more recorded, of so many bytes.
    #[must_use]
    pub(crate) fn with_one_more(&self, bytes: u64) -> Self {
        Self { taken: self.taken + 1, bytes: self.bytes + bytes, ..self.clone() }
    }

    /// What it recorded is removed with this change. Err: it records nothing.
    pub(crate) fn emptied(&self, now: Timestamp) -> Result<Self, CaptureError> {
        match &self.stage {
            Stage::Approved(window) => {
                let stage = Stage::Emptied { window: window.clone(), at: now };
                Ok(Self { stage, ..self.clone() })
            }
            _ => Err(CaptureError::NotUnderWay(self.word(now))),
        }
    }

    /// Nothing of it is left. None: it was not emptied.
    pub(crate) fn purged(&self, now: Timestamp) -> Option<Self> {
        let Stage::Emptied { window, .. } = &self.stage else { return None };
        let stage = Stage::Purged { window: window.clone(), at: now };
        Some(Self { stage, ..self.clone() })
    }

    /// What is to be done about it by itself.
    pub(crate) fn due(&self, now: Timestamp) -> Option<Due> {
        let old = |since: Timestamp| (now >= since + REMEMBERED).then_some(Due::Forget);
        match &self.stage {
            Stage::Requested => old(self.requested_at),
            Stage::Refused { at, .. } | Stage::Purged { at, .. } => old(*at),
            Stage::Approved(window) => (now >= window.expires_at).then_some(Due::Empty),
            Stage::Emptied { .. } => Some(Due::Purge),
        }
    }

    /// The change of its document, without a row of the audit.
    pub(crate) fn put(&self, before: Option<u64>, now: Timestamp) -> DocumentOp {
        DocumentOp::Put {
            kind: CAPTURE_KIND.to_owned(),
            name: self.id.clone(),
            expect: before.map_or(Expect::Absent, Expect::Revision),
            body: serde_json::to_vec(self).expect("a capture has only string keys").into(),
            at: now,
        }
    }

    /// The change that keeps it, with its audit row. `before`: the revision of the document; None: it is new.
    pub(crate) fn change(
        &self,
        before: Option<u64>,
        actor: &Actor,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Change {
        Change {
            id: TxnId::new(now, entropy),
            documents: vec![self.put(before, now)],
            ledger: vec![self.row(actor, now)],
            signals: vec![],
        }
    }

    /// What the audit says of it.
    fn row(&self, actor: &Actor, now: Timestamp) -> LedgerRow {
        let window = self.window();
        let outcome = match &self.stage {
            Stage::Approved(_) => "approved",
            _ => self.word(now),
        };
        let facts = json!({
            "person": self.person, "task": self.task, "system": self.system, "events": self.events,
            "reason": self.reason, "ticket": self.ticket, "max": self.max, "taken": self.taken,
            "approved_by": window.map(|window| &window.by),
            "records_until": window.map(|window| window.until),
            "expires_at": window.map(|window| window.expires_at),
        });
        LedgerRow {
            at: now,
            kind: LedgerKind::Audit,
            tenant: self.tenant.clone(),
            environment: Some(self.environment.clone()),
            integration: Some(self.integration.clone()),
            run: None,
            event: None,
            actor: actor.text(),
            subject: format!("capture {}", self.id),
            outcome: outcome.to_owned(),
            code: None,
            facts: actor.with_origin(facts).to_string().into_bytes().into(),
        }
    }
}
