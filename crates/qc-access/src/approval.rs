//! Who approves changes: n of m persons, never the author, for a time. The rules are the file `approvals.yaml` among the
//! policies in force, so that a release cannot change the rule by which it is deployed.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use qc_document::{ParseLimits, Source, parse_duration};
use qc_model::{Actor, Entropy, EnvironmentName, Name, TenantName, Timestamp, TxnId};
use qc_store::{Change, DocumentOp, Expect, LedgerKind, LedgerRow, PAGE_MAX, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Action, policy::PolicyError, record::hex};

/// The file's name in the `access/` folder.
pub const APPROVALS_FILE: &str = "approvals.yaml";
/// The kind of the documents that hold approvals; their name is the approval's id.
pub const APPROVAL_KIND: &str = "access-approval";
/// How long an approval counts when its rule does not say.
const USUAL: Duration = Duration::from_secs(24 * 3_600);
/// The longest time for which one counts.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3_600);

/// The rules of a server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApprovalRules {
    rules: Vec<ApprovalRule>,
}

/// Who approves a kind of change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRule {
    /// The change: `deployments:write`, `deployments:override`, `policies:write` or `captures:approve`.
    pub action: Action,
    /// Where; empty: everywhere.
    pub environments: Vec<EnvironmentName>,
    /// By how many.
    pub need: usize,
    /// Of whom, by the ids of the owner directory.
    pub of: BTreeSet<Name>,
    /// For how long an approval counts.
    pub expires: Duration,
}

/// Exactly what is approved: nothing else that comes later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// The change.
    pub action: Action,
    /// Where; None for what belongs to no environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// Of which integration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<Name>,
    /// What comes in force, by its content: a release's hash, or a version of policies; of a debug capture its id.
    pub what: String,
}

/// An approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The version of this body's form.
    pub schema_version: u32,
    /// Its id.
    pub id: String,
    /// Of what.
    #[serde(flatten)]
    pub approved: Approved,
    /// By whom.
    pub person: Name,
    /// When.
    pub at: Timestamp,
    /// Whether it was taken back.
    #[serde(default)]
    pub withdrawn: bool,
}

/// That approvals are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// How many there have to be.
    pub need: usize,
    /// Who has approved.
    pub have: Vec<Name>,
    /// Who else may.
    pub could: Vec<Name>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    approvals: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    action: String,
    #[serde(default)]
    environments: Vec<EnvironmentName>,
    need: usize,
    of: Vec<Name>,
    expires: Option<String>,
}

impl ApprovalRules {
    /// Reads them. Err: all that is wrong.
    pub fn read(text: &str) -> Result<Self, Vec<PolicyError>> {
        let wrong =
            |reason: String| PolicyError { file: APPROVALS_FILE.to_owned(), line: None, reason };
        let source = Source::new(APPROVALS_FILE, text);
        let document = qc_document::parse(source, &ParseLimits::default())
            .map_err(|finding| vec![wrong(finding.to_string())])?;
        let file: File = serde_json::from_value(document.root.to_value())
            .map_err(|error| vec![wrong(error.to_string())])?;
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        for (at, rule) in file.approvals.into_iter().enumerate() {
            match rule.judge() {
                Ok(rule) => rules.push(rule),
                Err(reason) => errors.push(wrong(format!("rule {}: {reason}", at + 1))),
            }
        }
        if errors.is_empty() { Ok(Self { rules }) } else { Err(errors) }
    }

    /// The rules, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &ApprovalRule> {
        self.rules.iter()
    }

    /// The approvals that are missing for a change; None: none are. `authors`: who made what comes in force, and who
    /// puts it there; what they approve does not count.
    pub fn missing(
        &self,
        change: &Approved,
        given: &[Approval],
        authors: &[Name],
        now: Timestamp,
    ) -> Option<Missing> {
        let short = |rule: &ApprovalRule| {
            let could = || rule.of.iter().filter(|person| !authors.contains(person));
            let counts = |person: &Name| {
                given.iter().any(|approval| {
                    approval.person == *person
                        && approval.approved == *change
                        && !approval.withdrawn
                        && now < approval.at + rule.expires
                })
            };
            let (have, rest): (Vec<Name>, Vec<Name>) = could().cloned().partition(counts);
            (have.len() < rule.need).then_some(Missing { need: rule.need, have, could: rest })
        };
        self.rules.iter().filter(|rule| rule.is_about(change)).find_map(short)
    }

    /// Whether any rule is about a change.
    pub fn speak_of(&self, change: &Approved) -> bool {
        self.rules.iter().any(|rule| rule.is_about(change))
    }

    /// Whether any rule lets this person approve this.
    pub fn lets(&self, person: &Name, change: &Approved) -> bool {
        self.rules.iter().any(|rule| rule.is_about(change) && rule.of.contains(person))
    }
}

impl ApprovalRule {
    fn is_about(&self, change: &Approved) -> bool {
        self.action == change.action
            && (self.environments.is_empty()
                || change.environment.as_ref().is_some_and(|own| self.environments.contains(own)))
    }
}

impl Rule {
    fn judge(self) -> Result<ApprovalRule, String> {
        let action = Action::parse(&self.action).filter(|action| action.takes_approvals());
        let action = action.ok_or_else(|| {
            let known = "`deployments:write`, `deployments:override`, `policies:write` nor `captures:approve`";
            format!("`{}` is neither {known}", self.action)
        })?;
        if action == Action::PoliciesWrite && !self.environments.is_empty() {
            return Err("policies belong to no environment".to_owned());
        }
        let listed = self.of.len();
        let of: BTreeSet<Name> = self.of.into_iter().collect();
        if of.len() < listed {
            return Err("somebody stands twice in `of`".to_owned());
        }
        if self.need == 0 || self.need > of.len() {
            return Err(format!("`need` is {} of {}", self.need, of.len()));
        }
        let expires = match self.expires {
            None => USUAL,
            Some(text) => parse_duration(&text).map_err(|error| format!("`expires`: {error}"))?,
        };
        if expires.is_zero() || expires > LONGEST {
            return Err("`expires` is more than nothing and at most 30 days".to_owned());
        }
        Ok(ApprovalRule { action, environments: self.environments, need: self.need, of, expires })
    }
}

impl Approval {
    /// Gives one.
    pub fn give(approved: Approved, person: Name, now: Timestamp, entropy: &dyn Entropy) -> Self {
        let id = hex(&entropy.next_u64().to_be_bytes());
        Self { schema_version: 1, id, approved, person, at: now, withdrawn: false }
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
            kind: APPROVAL_KIND.to_owned(),
            name: self.id.clone(),
            expect: before.map_or(Expect::Absent, Expect::Revision),
            body: serde_json::to_vec(self).expect("an approval has only string keys").into(),
            at: now,
        };
        let facts = json!({
            "person": self.person, "action": self.approved.action, "what": self.approved.what,
        });
        let row = LedgerRow {
            at: now,
            kind: LedgerKind::Audit,
            tenant: TenantName::new("platform").expect("a legal name"),
            environment: self.approved.environment.clone(),
            integration: self.approved.integration.clone(),
            run: None,
            event: None,
            actor: actor.text(),
            subject: format!("approval {}", self.id),
            outcome: if self.withdrawn { "withdrawn" } else { "given" }.to_owned(),
            code: None,
            facts: actor.with_origin(facts).to_string().into_bytes().into(),
        };
        let id = TxnId::new(now, entropy);
        Change { id, documents: vec![put], ledger: vec![row], signals: vec![] }
    }

    /// All that there are.
    pub async fn all(store: &dyn Store) -> Result<Vec<Self>, StoreError> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = store.documents(APPROVAL_KIND, after.as_deref(), PAGE_MAX).await?;
            let Some(last) = page.last() else { return Ok(all) };
            after = Some(last.name.clone());
            for document in page {
                all.push(read(&document.name, &document.body)?);
            }
        }
    }

    /// One, with the revision of its document.
    pub async fn one(store: &Arc<dyn Store>, id: &str) -> Result<Option<(Self, u64)>, StoreError> {
        let document = store.document(APPROVAL_KIND, id).await?;
        document.map(|found| Ok((read(id, &found.body)?, found.revision))).transpose()
    }
}

fn read(id: &str, body: &[u8]) -> Result<Approval, StoreError> {
    serde_json::from_slice(body)
        .map_err(|error| StoreError::Corrupt(format!("the approval {id} cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "
approvals:
- { action: 'deployments:write', environments: [production], need: 2, of: [ada, bob, grace, eve], expires: 8h }
- { action: 'policies:write', need: 1, of: [ada, bob] }
";

    struct Zero;
    impl Entropy for Zero {
        fn next_u64(&self) -> u64 {
            0
        }
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn deploy(environment: &str, what: &str) -> Approved {
        Approved {
            action: Action::DeploymentsWrite,
            environment: Some(environment.parse().unwrap()),
            integration: Some(name("crm")),
            what: what.to_owned(),
        }
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * 3_600_000)
    }

    fn by(person: &str, approved: Approved, hours: i64) -> Approval {
        Approval::give(approved, name(person), at(hours), &Zero)
    }

    #[test]
    fn n_of_m_persons_approve_exactly_this_and_never_its_author() {
        let rules = ApprovalRules::read(RULES).unwrap();
        let change = deploy("production", "r1");
        let missing = |given: &[Approval], authors: &[&str], hours| {
            let authors: Vec<Name> = authors.iter().map(|one| name(one)).collect();
            rules.missing(&change, given, &authors, at(hours)).map(|missing| missing.have.len())
        };
        let (ada, bob) = (by("ada", change.clone(), 0), by("bob", change.clone(), 1));
        assert_eq!(missing(&[], &[], 1), Some(0));
        assert_eq!(missing(&[ada.clone(), ada.clone()], &[], 1), Some(1), "one person is one");
        assert_eq!(missing(&[ada.clone(), bob.clone()], &[], 1), None);
        assert_eq!(missing(&[ada.clone(), bob.clone()], &["ada"], 1), Some(1), "the author");
        assert_eq!(missing(&[ada.clone(), bob.clone()], &[], 8), Some(1), "one is over");
        let stranger = by("mallory", change.clone(), 1);
        assert_eq!(missing(&[ada.clone(), stranger], &[], 1), Some(1));
        let withdrawn = Approval { withdrawn: true, ..bob };
        assert_eq!(missing(&[ada.clone(), withdrawn], &[], 1), Some(1));
        for other in [deploy("production", "r2"), deploy("staging", "r1")] {
            assert_eq!(missing(&[ada.clone(), by("bob", other, 1)], &[], 1), Some(1));
        }
        assert_eq!(rules.missing(&deploy("sandbox", "r1"), &[], &[], at(0)), None);
        let told = rules.missing(&change, &[ada], &[name("grace")], at(1)).unwrap();
        assert_eq!(
            (told.need, told.have, told.could),
            (2, vec![name("ada")], vec![name("bob"), name("eve")])
        );
        assert!(rules.lets(&name("ada"), &change) && !rules.lets(&name("mallory"), &change));
    }

    #[test]
    fn what_could_never_be_approved_is_no_rule() {
        for (rule, why) in [
            ("{ action: 'runs:read', need: 1, of: [ada, bob] }", "neither"),
            ("{ action: 'deployments:write', need: 0, of: [ada, bob] }", "`need` is 0 of 2"),
            ("{ action: 'deployments:write', need: 3, of: [ada, bob] }", "`need` is 3 of 2"),
            ("{ action: 'deployments:write', need: 1, of: [ada, ada] }", "twice"),
            ("{ action: 'deployments:write', need: 1, of: [ada, bob], expires: soon }", "expires"),
            ("{ action: 'deployments:write', need: 1, of: [ada, bob], expires: 31d }", "30 days"),
            (
                "{ action: 'policies:write', environments: [production], need: 1, of: [ada, bob] }",
                "no environment",
            ),
            ("{ action: 'policies:write', need: 1, of: [ada, bob], by: me }", "by"),
        ] {
            let told = ApprovalRules::read(&format!("approvals:\n- {rule}\n")).unwrap_err();
            assert!(told[0].to_string().contains(why), "{rule}: {}", told[0]);
        }
        assert!(ApprovalRules::read("approvals: [").is_err());
        assert!(ApprovalRules::read("").is_err());
    }
}
