//! Rights for a time: who finds out what went wrong in production asks for them, and a second person gives them.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use qc_model::{Actor, Clock, Entropy, EnvironmentName, Name, TenantName, Timestamp, TxnId};
use qc_store::{Change, DocumentOp, Expect, LedgerKind, LedgerRow, PAGE_MAX, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Action, Resource, record::hex};

/// The kind of the documents that hold grants; their name is the grant's id.
pub const GRANT_KIND: &str = "access-grant";
/// The longest time for which rights are given.
pub const LONGEST: Duration = Duration::from_secs(4 * 3_600);
/// The longest time for which somebody of another unit sees what holds no payloads.
const LONGEST_ACROSS: Duration = Duration::from_secs(30 * 24 * 3_600);
/// How long what the store said is believed: a grant that is given or taken counts within this time.
const FRESH: Duration = Duration::from_secs(1);
/// How long a grant that nobody decides on can be decided on.
const OPEN: Duration = Duration::from_secs(24 * 3_600);

/// How a grant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantState {
    /// Nobody has decided yet.
    Requested,
    /// It was given; it holds until it ends.
    Given,
    /// It was refused.
    Refused,
    /// It was taken back before its end.
    Revoked,
}

impl GrantState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Given => "given",
            Self::Refused => "refused",
            Self::Revoked => "revoked",
        }
    }
}

/// Rights for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The version of this body's form.
    pub schema_version: u32,
    /// Its id.
    pub id: String,
    /// For whom.
    pub person: Name,
    /// To do what; each takes a grant in production.
    pub actions: Vec<Action>,
    /// Where.
    pub environment: EnvironmentName,
    /// To which integration; None: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<Name>,
    /// The unit to which what is seen belongs, when it is another one's than the person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Name>,
    /// Why.
    pub reason: String,
    /// The ticket under which it is worked on.
    pub ticket: String,
    /// For how long, from when it is given, in seconds.
    pub seconds: u64,
    /// How it stands.
    pub state: GrantState,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Name>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct GrantRequest {
    /// For whom: the one who asks.
    pub person: Name,
    /// To do what.
    pub actions: Vec<Action>,
    /// Where.
    pub environment: EnvironmentName,
    /// To which integration; None: all.
    pub integration: Option<Name>,
    /// The unit to which what is seen belongs, when it is another one's than the person's.
    pub unit: Option<Name>,
    /// Why.
    pub reason: String,
    /// The ticket.
    pub ticket: String,
    /// For how long.
    pub lifetime: Duration,
}

/// Why a grant is not asked for, given or refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// Nothing is asked for.
    #[error("name at least one action")]
    Nothing,
    /// An action that nobody of another unit is granted.
    #[error("`{0}` is not granted across units: only what shows is")]
    NotAcross(&'static str),
    /// The one who decides is of another unit.
    #[error("it is for {0} to decide: somebody of that unit, or of none")]
    OtherUnit(Name),
    /// An action that takes no grant.
    #[error("`{0}` takes no grant: roles and scopes decide on it")]
    NotNeeded(&'static str),
    /// Nothing is said.
    #[error("the {0} is empty")]
    Silent(&'static str),
    /// Too long, or no time at all.
    #[error("it is for more than nothing and for at most {0}")]
    Lifetime(&'static str),
    /// Whoever asked decides.
    #[error("nobody decides on what he asked for: a second person does")]
    OwnRequest,
    /// It was decided, or nobody decided in time.
    #[error("it is {0} already")]
    Decided(&'static str),
}

impl Grant {
    /// Asks for rights. Err: why not.
    pub fn request(
        request: GrantRequest,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self, GrantError> {
        if request.actions.is_empty() {
            return Err(GrantError::Nothing);
        }
        let refused = match &request.unit {
            None => request.actions.iter().find(|action| !action.takes_grant()),
            Some(_) => request.actions.iter().find(|action| !action.crosses_units()),
        };
        if let Some(action) = refused {
            let action = action.as_str();
            return Err(match request.unit {
                None => GrantError::NotNeeded(action),
                Some(_) => GrantError::NotAcross(action),
            });
        }
        for (what, text) in [("reason", &request.reason), ("ticket", &request.ticket)] {
            if text.trim().is_empty() {
                return Err(GrantError::Silent(what));
            }
        }
        let payloads = request.actions.iter().any(|action| action.takes_grant());
        let (longest, told) =
            if payloads { (LONGEST, "4 hours") } else { (LONGEST_ACROSS, "30 days") };
        if request.lifetime < Duration::from_secs(1) || request.lifetime > longest {
            return Err(GrantError::Lifetime(told));
        }
        Ok(Self {
            schema_version: 1,
            id: hex(&entropy.next_u64().to_be_bytes()),
            person: request.person,
            actions: request.actions,
            environment: request.environment,
            integration: request.integration,
            unit: request.unit,
            reason: request.reason,
            ticket: request.ticket,
            seconds: request.lifetime.as_secs(),
            state: GrantState::Requested,
            requested_at: now,
            decided_by: None,
            decided_at: None,
            expires_at: None,
        })
    }

    /// Gives or refuses it. `units`: those of the one who decides. Err: why not.
    pub fn decide(
        &self,
        give: bool,
        by: &Name,
        units: &[String],
        now: Timestamp,
    ) -> Result<Self, GrantError> {
        if *by == self.person {
            return Err(GrantError::OwnRequest);
        }
        if let Some(unit) = &self.unit
            && !units.is_empty()
            && !units.iter().any(|own| own == unit.as_str())
        {
            return Err(GrantError::OtherUnit(unit.clone()));
        }
        if self.state != GrantState::Requested {
            return Err(GrantError::Decided(self.state.as_str()));
        }
        if now >= self.requested_at + OPEN {
            return Err(GrantError::Decided("too old, more than a day,"));
        }
        let state = if give { GrantState::Given } else { GrantState::Refused };
        let expires_at = give.then(|| now + Duration::from_secs(self.seconds));
        let (by, at) = (Some(by.clone()), Some(now));
        Ok(Self { state, decided_by: by, decided_at: at, expires_at, ..self.clone() })
    }

    /// Takes it back. Err: it is not in force.
    pub fn revoke(&self, now: Timestamp) -> Result<Self, GrantError> {
        match self.state {
            GrantState::Given if self.holds(now) => {
                Ok(Self { state: GrantState::Revoked, expires_at: Some(now), ..self.clone() })
            }
            GrantState::Given => Err(GrantError::Decided("over")),
            other => Err(GrantError::Decided(other.as_str())),
        }
    }

    /// Whether it is in force.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.state == GrantState::Given && self.expires_at.is_some_and(|end| now < end)
    }

    /// Whether it is about this.
    pub fn covers(&self, action: Action, resource: Resource<'_>) -> bool {
        self.actions.contains(&action)
            && resource.environment == Some(self.environment.as_str())
            && self.integration.as_ref().is_none_or(|own| resource.name == Some(own.as_str()))
            && self.unit.as_ref().is_none_or(|unit| is_of(resource, unit))
    }

    /// Whether it lets somebody of another unit do this.
    pub fn crosses(&self, action: Action, resource: Resource<'_>) -> bool {
        self.unit.as_ref().is_some_and(|unit| is_of(resource, unit))
            && self.covers(action, resource)
    }

    /// The change that keeps it, with its audit row. `before`: the revision of the document; None: it is new.
    pub fn change(
        &self,
        before: Option<u64>,
        actor: &Actor,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Change {
        let put = DocumentOp::Put {
            kind: GRANT_KIND.to_owned(),
            name: self.id.clone(),
            expect: before.map_or(Expect::Absent, Expect::Revision),
            body: serde_json::to_vec(self).expect("a grant has only string keys").into(),
            at: now,
        };
        let facts = json!({
            "person": self.person, "unit": self.unit, "actions": self.actions, "reason": self.reason, "ticket": self.ticket,
            "decided_by": self.decided_by, "expires_at": self.expires_at,
        });
        let row = LedgerRow {
            at: now,
            kind: LedgerKind::Audit,
            tenant: TenantName::new("platform").expect("a legal name"),
            environment: Some(self.environment.clone()),
            integration: self.integration.clone(),
            run: None,
            event: None,
            actor: actor.text(),
            subject: format!("grant {}", self.id),
            outcome: self.state.as_str().to_owned(),
            code: None,
            facts: actor.with_origin(facts).to_string().into_bytes().into(),
        };
        Change {
            id: TxnId::new(now, entropy),
            documents: vec![put],
            ledger: vec![row],
            signals: vec![],
        }
    }
}

/// Tells which rights somebody has for a time.
pub struct Grants {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    known: RwLock<Option<Known>>,
}

struct Known {
    read_at: Timestamp,
    given: HashMap<Name, Vec<Grant>>,
}

impl Grants {
    /// Over a store.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, known: RwLock::default() }
    }

    /// What is granted to this person now.
    pub async fn of(&self, person: &Name) -> Result<Vec<Grant>, StoreError> {
        let now = self.clock.now();
        let pick = |known: &Known| -> Vec<Grant> {
            let own = known.given.get(person).into_iter().flatten();
            own.filter(|grant| grant.holds(now)).cloned().collect()
        };
        if let Some(known) = &*self.known.read().unwrap_or_else(PoisonError::into_inner)
            && now < known.read_at + FRESH
        {
            return Ok(pick(known));
        }
        let mut given: HashMap<Name, Vec<Grant>> = HashMap::new();
        for grant in self.all().await?.into_iter().filter(|grant| grant.holds(now)) {
            given.entry(grant.person.clone()).or_default().push(grant);
        }
        let known = Known { read_at: now, given };
        let own = pick(&known);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(own)
    }

    /// All that there are.
    pub async fn all(&self) -> Result<Vec<Grant>, StoreError> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.documents(GRANT_KIND, after.as_deref(), PAGE_MAX).await?;
            let Some(last) = page.last() else { return Ok(all) };
            after = Some(last.name.clone());
            for document in page {
                all.push(read(&document.name, &document.body)?);
            }
        }
    }

    /// One, with the revision of its document.
    pub async fn one(&self, id: &str) -> Result<Option<(Grant, u64)>, StoreError> {
        let document = self.store.document(GRANT_KIND, id).await?;
        document.map(|found| Ok((read(id, &found.body)?, found.revision))).transpose()
    }

    /// Forgets what it knows, so that a change counts at once on this node.
    pub fn forget(&self) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Whether something belongs to this unit alone.
fn is_of(resource: Resource<'_>, unit: &Name) -> bool {
    !resource.units.is_empty() && resource.units.iter().all(|own| own == unit.as_str())
}

fn read(id: &str, body: &[u8]) -> Result<Grant, StoreError> {
    serde_json::from_slice(body)
        .map_err(|error| StoreError::Corrupt(format!("the grant {id} cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zero;
    impl Entropy for Zero {
        fn next_u64(&self) -> u64 {
            0
        }
    }

    /// Mallory asks to see what is the desk's, for an hour.
    fn asked() -> Grant {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let request = GrantRequest {
            person: name("mallory"),
            actions: vec![Action::RunsRead],
            environment: name("production"),
            integration: None,
            unit: Some(name("desk")),
            reason: "our orders".to_owned(),
            ticket: "OPS-9".to_owned(),
            lifetime: Duration::from_secs(3_600),
        };
        Grant::request(request, Timestamp::from_millis(0), &Zero).unwrap()
    }

    #[test]
    fn a_grant_of_one_unit_opens_what_is_that_units_alone() {
        let crosses = |units: &[&str], environment| {
            let units: Vec<String> = units.iter().map(|unit| (*unit).to_owned()).collect();
            let runs = Resource { environment: Some(environment), name: None, units: &units };
            asked().crosses(Action::RunsRead, runs)
        };
        assert!(crosses(&["desk"], "production"));
        assert!(!crosses(&["desk", "legal"], "production"), "another one's, too");
        assert!(!crosses(&["legal"], "production"));
        assert!(!crosses(&[], "production"), "nobody's needs none");
        assert!(!crosses(&["desk"], "sandbox"));
    }

    #[test]
    fn somebody_else_of_the_unit_gives_it_once() {
        let now = Timestamp::from_millis(1_000);
        let by = |person: &str, units: &[&str]| {
            let units: Vec<String> = units.iter().map(|unit| (*unit).to_owned()).collect();
            asked().decide(true, &person.parse().unwrap(), &units, now)
        };
        assert_eq!(by("mallory", &["desk"]), Err(GrantError::OwnRequest));
        let other = GrantError::OtherUnit("desk".parse().unwrap());
        assert_eq!(by("eve", &["rival"]), Err(other));
        let given = by("ada", &["desk"]).unwrap();
        assert!(given.holds(now) && !given.holds(now + Duration::from_secs(3_600)));
        assert!(by("bob", &[]).is_ok(), "the whole organisation's");
        let again = given.decide(true, &"bob".parse().unwrap(), &[], now);
        assert_eq!(again, Err(GrantError::Decided("given")));
    }
}
