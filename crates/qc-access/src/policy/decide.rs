use std::{
    collections::{HashMap, HashSet},
    str::FromStr,
    sync::{LazyLock, PoisonError},
};

use cedar_policy::{
    Context, Decision as Ruling, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicyId,
    Request, RestrictedExpression,
};
use serde::{Deserialize, Serialize};

use super::{
    Policies,
    schema::{CROSSING, GRANTED, OF_UNIT, SHARED},
};
use crate::{Action, PLATFORM, Role, TokenKind, authorise::Denial};

/// Decisions that are remembered; beyond it the memory starts anew.
const REMEMBERED: usize = 10_000;

/// Who asks, as far as rules may know.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The token's id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// By what it is known.
    pub kind: TokenKind,
    /// In which role it acts.
    pub role: Role,
    /// The environment to which it is bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The person's units; none: the whole organisation's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<String>,
}

/// All that a decision depends on beside the rules. Kept in the audit, it can be decided again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Question {
    /// Who asks.
    pub subject: Subject,
    /// To do what.
    pub action: Action,
    /// The environment of what it is done to; None: the platform's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Its integration or own name; None: a list over all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The units to which it belongs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<String>,
    /// Whether its environment is one of production.
    pub production: bool,
    /// Whether a scope covers it, or there are none.
    pub in_scope: bool,
    /// Whether a second person has granted it for now.
    pub granted: bool,
    /// Whether its unit has granted that somebody of another one sees it for now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub across: bool,
    /// Whether the server runs for the owner of its machine alone.
    pub local: bool,
}

/// What the rules say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// None: it may.
    pub denial: Option<Denial>,
    /// The ids of the policies that decided, in order: those that permit, or those that forbid; none when no policy permits.
    pub policies: Vec<String>,
}

impl Verdict {
    /// Whether it may.
    pub fn allowed(&self) -> bool {
        self.denial.is_none()
    }
}

impl Policies {
    /// Decides. A policy that cannot be evaluated counts as one that forbids: nothing is allowed by a mistake.
    pub fn decide(&self, question: &Question) -> Verdict {
        let known = self.decided.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(verdict) = known.get(question) {
            return verdict.clone();
        }
        drop(known);
        let verdict = self.decide_anew(question);
        let mut known = self.decided.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(question.clone(), verdict.clone());
        verdict
    }

    /// Decides without looking at what is remembered.
    pub fn decide_anew(&self, question: &Question) -> Verdict {
        let (ruling, mut policies, mistaken) = self.rule(question);
        policies.sort_unstable();
        if mistaken {
            return Verdict { denial: Some(Denial::Policy), policies };
        }
        if ruling == Ruling::Allow {
            return Verdict { denial: None, policies };
        }
        let denial = if policies.is_empty() || !self.permitted(question) {
            Denial::Role
        } else {
            // The first of ours that forbids; a project's own come last.
            let ours = [
                ("environment", Denial::Environment),
                ("scope", Denial::Scope),
                ("unit", Denial::Unit),
                ("grant", Denial::Grant),
            ];
            let first = ours.into_iter().find(|(id, _)| policies.iter().any(|own| own == id));
            first.map_or(Denial::Policy, |(_, denial)| denial)
        };
        Verdict { denial: Some(denial), policies }
    }

    /// Whether any policy permits it, were it not forbidden.
    fn permitted(&self, question: &Question) -> bool {
        self.ever(question.subject.role, question.subject.kind, question.action)
    }

    /// Cedar's ruling, the policies that determined it, and whether one could not be evaluated.
    pub(super) fn rule(&self, question: &Question) -> (Ruling, Vec<String>, bool) {
        let [principal, action, thing] = entities(question);
        let (who, what) = (principal.uid(), thing.uid());
        let request = Request::new(who, action.uid(), what, context(question), None)
            .expect("without a schema nothing is checked");
        let entities = Entities::from_entities([principal, action, thing], None)
            .expect("the three are of different types");
        let response = self.authorizer.is_authorized(&request, &self.set, &entities);
        let name = |id: &PolicyId| {
            let own: &str = id.as_ref();
            own.to_owned()
        };
        let reasons = response.diagnostics().reason().map(name).collect();
        let mistaken = response.diagnostics().errors().next().is_some();
        (response.decision(), reasons, mistaken)
    }
}

/// Who, which deed, and what. Roles and groups need not be entities: nothing is known of them but their names.
fn entities(question: &Question) -> [Entity; 3] {
    let subject = &question.subject;
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let texts = |all: &[String]| RestrictedExpression::new_set(all.iter().map(|one| text(one)));
    let mut about = HashMap::from([
        ("kind".to_owned(), text(subject.kind.as_str())),
        ("name".to_owned(), text(&subject.name)),
        ("units".to_owned(), texts(&subject.units)),
    ]);
    let told = [("environment", &subject.environment), ("person", &subject.person)];
    about.extend(
        told.into_iter().filter_map(|(key, value)| Some((key.to_owned(), text(value.as_deref()?)))),
    );
    let role = HashSet::from([uid(&ROLE, subject.role.as_str())]);
    let principal =
        Entity::new(uid(&PRINCIPAL, &subject.id), about, role).expect("texts are legal attributes");
    let mut about = HashMap::from([
        ("type".to_owned(), text(question.action.noun())),
        ("production".to_owned(), RestrictedExpression::new_bool(question.production)),
        ("units".to_owned(), texts(&question.units)),
    ]);
    let told = [("environment", &question.environment), ("name", &question.name)];
    about.extend(
        told.into_iter().filter_map(|(key, value)| Some((key.to_owned(), text(value.as_deref()?)))),
    );
    let id = format!(
        "{}/{}/{}",
        question.environment.as_deref().unwrap_or(PLATFORM),
        question.action.noun(),
        question.name.as_deref().unwrap_or("*"),
    );
    let thing =
        Entity::new(uid(&THING, &id), about, HashSet::new()).expect("texts are legal attributes");
    [principal, deed(question.action), thing]
}

/// An action in its groups.
fn deed(action: Action) -> Entity {
    let mut groups = HashSet::from([uid(&ACTION, action.power().as_str())]);
    groups.extend(action.crosses().then(|| uid(&ACTION, CROSSING)));
    groups.extend(action.takes_grant().then(|| uid(&ACTION, GRANTED)));
    groups.extend(action.is_of_unit().then(|| uid(&ACTION, OF_UNIT)));
    groups.extend(action.is_shared().then(|| uid(&ACTION, SHARED)));
    Entity::new_no_attrs(uid(&ACTION, action.as_str()), groups)
}

static ROLE: LazyLock<EntityTypeName> = LazyLock::new(|| type_name("QC::Role"));
static PRINCIPAL: LazyLock<EntityTypeName> = LazyLock::new(|| type_name("QC::Principal"));
static ACTION: LazyLock<EntityTypeName> = LazyLock::new(|| type_name("QC::Action"));
static THING: LazyLock<EntityTypeName> = LazyLock::new(|| type_name("QC::Thing"));

fn type_name(name: &str) -> EntityTypeName {
    EntityTypeName::from_str(name).expect("our own type names are legal")
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn context(question: &Question) -> Context {
    let flag = |key: &str, value| (key.to_owned(), RestrictedExpression::new_bool(value));
    Context::from_pairs([
        flag("in_scope", question.in_scope),
        flag("granted", question.granted),
        flag("across", question.across),
        flag("local", question.local),
    ])
    .expect("the keys differ")
}
