use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who acts. Every privileged change and every accepted event names one. Two are the same when kind
/// and id are, however they came.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Actor {
    /// What kind of identity this is.
    pub kind: ActorKind,
    /// Its stable id: a token's id, a provider's name, a component of the platform.
    pub id: String,
    /// By which request it acts, when by one of the management API: for the audit, and stored nowhere else.
    #[serde(skip)]
    pub via: Option<Arc<Origin>>,
}

/// The request by which somebody acts, as the audit tells it. Holds no secret and nothing of a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The id of the token that was presented.
    pub token: String,
    /// The role of the token.
    pub role: String,
    /// The action that was allowed or denied, as `noun:verb`.
    pub action: String,
    /// Which version of the rules said so.
    pub policy: String,
    /// The request's id, as the server's log and its answer have it.
    pub request: String,
    /// The address from which it came, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// The kinds of identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A person.
    Human,
    /// A service account or API token.
    Service,
    /// An external sender known by a verified signature.
    Sender,
    /// A part of the platform acting by itself, such as the retry timer.
    Platform,
    /// Nobody is known; only where `auth: none` was declared.
    Anonymous,
}

impl ActorKind {
    /// The name as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Service => "service",
            Self::Sender => "sender",
            Self::Platform => "platform",
            Self::Anonymous => "anonymous",
        }
    }
}

impl Actor {
    /// Somebody of this kind, of whom no request is known.
    pub fn new(kind: ActorKind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into(), via: None }
    }

    /// The platform's own part `id`.
    pub fn platform(id: &str) -> Self {
        Self::new(ActorKind::Platform, id)
    }

    /// As the ledger writes it: `kind:id`.
    pub fn text(&self) -> String {
        format!("{}:{}", self.kind.as_str(), self.id)
    }

    /// The facts of a row of the audit, with the request by which the actor acts as `via`. What is no object stays as
    /// it is.
    pub fn with_origin(&self, mut facts: Value) -> Value {
        if let (Some(via), Some(object)) = (&self.via, facts.as_object_mut()) {
            let via = serde_json::to_value(&**via).expect("an origin is plain data");
            object.insert("via".to_owned(), via);
        }
        facts
    }
}

impl PartialEq for Actor {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.id == other.id
    }
}

impl Eq for Actor {}

impl Hash for Actor {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind.hash(state);
        self.id.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_origin_is_told_to_the_audit_and_stored_nowhere_else() {
        let via = Origin {
            token: "k1".into(),
            role: "admin".into(),
            action: "tokens:write".into(),
            policy: "p".into(),
            request: "r".into(),
            address: None,
        };
        let plain = Actor::new(ActorKind::Human, "ada");
        let actor = Actor { via: Some(Arc::new(via)), ..plain.clone() };
        assert_eq!(actor, plain);
        assert_eq!(serde_json::to_value(&actor).unwrap(), json!({"kind": "human", "id": "ada"}));
        let facts = actor.with_origin(json!({"reason": "x"}));
        assert_eq!(facts["via"]["request"], "r");
        assert_eq!(plain.with_origin(json!({})), json!({}));
        assert_eq!(actor.text(), "human:ada");
    }
}
