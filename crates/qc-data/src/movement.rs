use std::collections::BTreeSet;

use serde_json::Value;

use crate::{DataClass, Known, Labels, MASK, TokenKey, labels::visit};

/// So many places are named of what was changed or refused; the rest is counted.
const NAMED: usize = 16;

/// What becomes of a field on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It goes as it is.
    Allow,
    /// A token goes in its place: the same for the same value.
    Tokenise,
    /// `***` goes in its place, or nothing where it is no text.
    Mask,
    /// Nothing goes at all.
    Deny,
}

/// One rule. What it leaves open it says of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The classes of which it speaks; empty: all.
    pub classes: BTreeSet<DataClass>,
    /// The names of destinations; empty: all.
    pub to: BTreeSet<String>,
    /// The environments; empty: all.
    pub environments: BTreeSet<String>,
    /// The regions in which the destination is; empty: all, and also where no region is known.
    pub regions: BTreeSet<String>,
    /// What it says.
    pub then: Verdict,
}

/// Where something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination<'a> {
    /// Its name: a system's, a publication's, or a word for people and senders.
    pub name: &'a str,
    /// The environment of the run.
    pub environment: &'a str,
    /// In which region it is, when that is declared.
    pub region: Option<&'a str>,
}

/// The policy: the first rule that speaks of a field decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    rules: Vec<Rule>,
    otherwise: Verdict,
    highest: DataClass,
}

/// What was done to a document on its way out, by JSON Pointers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// The first places that were masked.
    pub masked: Vec<String>,
    /// The first places with tokens.
    pub tokenised: Vec<String>,
    /// How many places were changed in all.
    pub changed: usize,
}

/// A document may not go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The first places for which that is so, as JSON Pointers.
    pub places: Vec<String>,
    /// How many there are.
    pub count: usize,
    /// The highest class among them.
    pub class: DataClass,
    /// Whether one of them has no label, and therefore the highest class.
    pub unlabelled: bool,
    /// Whether tokens were to go and no key is there for them.
    pub no_key: bool,
}

impl Rule {
    fn speaks_of(&self, class: DataClass, to: &Destination<'_>) -> bool {
        let names = |set: &BTreeSet<String>, name: &str| set.is_empty() || set.contains(name);
        (self.classes.is_empty() || self.classes.contains(&class))
            && names(&self.to, to.name)
            && names(&self.environments, to.environment)
            && (self.regions.is_empty() || to.region.is_some_and(|it| self.regions.contains(it)))
    }

    /// Whether all that another rule speaks of is decided by this one already.
    pub fn covers(&self, other: &Self) -> bool {
        fn all<T: Ord>(mine: &BTreeSet<T>, theirs: &BTreeSet<T>) -> bool {
            mine.is_empty() || (!theirs.is_empty() && mine.is_superset(theirs))
        }
        all(&self.classes, &other.classes)
            && all(&self.to, &other.to)
            && all(&self.environments, &other.environments)
            && all(&self.regions, &other.regions)
    }
}

impl Movement {
    /// A policy of these rules; `otherwise` is for what none of them speaks of.
    pub fn new(rules: Vec<Rule>, otherwise: Verdict) -> Self {
        let every = rules.iter().any(|rule| rule.classes.is_empty());
        let named = rules.iter().flat_map(|rule| rule.classes.iter().copied()).max();
        let highest = named.filter(|_| !every).unwrap_or(DataClass::Regulated);
        Self { rules, otherwise, highest }
    }

    /// The class of what has no label: the highest that the policy names.
    pub fn highest(&self) -> DataClass {
        self.highest
    }

    /// Whether any field may get a token in its place.
    pub fn tokenises(&self) -> bool {
        let mut rules = self.rules.iter();
        self.otherwise == Verdict::Tokenise || rules.any(|rule| rule.then == Verdict::Tokenise)
    }

    /// What becomes of a field of this class.
    pub fn decide(&self, class: DataClass, to: &Destination<'_>) -> Verdict {
        let rule = self.rules.iter().find(|rule| rule.speaks_of(class, to));
        rule.map_or(self.otherwise, |rule| rule.then)
    }

    /// Makes a document what may go. A value that came in under a higher class than its label here keeps that class. A
    /// text of the release itself (`own`) is no data. On an error the document is not to be used.
    pub fn send(
        &self,
        document: &mut Value,
        labels: &[&Labels],
        known: &Known,
        own: &dyn Fn(&str, &Value) -> bool,
        to: &Destination<'_>,
        key: Option<&TokenKey>,
    ) -> Result<Sent, Denied> {
        let mut sent = Sent::default();
        let mut denied: Option<Denied> = None;
        visit(document, labels, &mut |pointer, leaf, label| {
            if own(pointer, leaf) {
                return;
            }
            let class = label
                .unwrap_or(self.highest)
                .max(known.class_in(leaf).unwrap_or(DataClass::Public));
            let verdict = self.decide(class, to);
            let opaque = leaf.is_object() || leaf.is_array();
            match verdict {
                Verdict::Allow => {}
                // What a blob holds cannot be changed here.
                Verdict::Mask if !opaque => {
                    *leaf = if leaf.is_string() { Value::from(MASK) } else { Value::Null };
                    note(&mut sent.masked, pointer);
                    sent.changed += 1;
                }
                Verdict::Tokenise if !opaque && key.is_some() => {
                    if let Some(key) = key {
                        *leaf = Value::from(key.token(leaf));
                    }
                    note(&mut sent.tokenised, pointer);
                    sent.changed += 1;
                }
                Verdict::Mask | Verdict::Tokenise | Verdict::Deny => {
                    let denied = denied.get_or_insert_with(|| Denied {
                        places: Vec::new(),
                        count: 0,
                        class,
                        unlabelled: false,
                        no_key: false,
                    });
                    note(&mut denied.places, pointer);
                    denied.count += 1;
                    denied.class = denied.class.max(class);
                    denied.unlabelled |= label.is_none();
                    denied.no_key |= verdict == Verdict::Tokenise && !opaque;
                }
            }
        });
        denied.map_or(Ok(sent), Err)
    }
}

fn note(places: &mut Vec<String>, pointer: &str) {
    if places.len() < NAMED {
        places.push(pointer.to_owned());
    }
}
