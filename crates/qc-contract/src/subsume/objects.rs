//! Objects: which fields there must be, which there may be, and what they hold.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::decide::{Deciding, Models};
use super::formula::{Formula, Id};

/// Most fields that are added only to reach a number of fields.
const FILL_LIMIT: u64 = 256;
/// Most groups of names that the expressions of one object are told apart into.
const GROUP_LIMIT: usize = 64;

struct Object {
    every: Vec<(Id, Id)>,
    some: Vec<(Id, Id)>,
    least: u64,
    most: u64,
    /// Names that a statement mentions by themselves.
    mentioned: BTreeSet<String>,
}

/// Names that no statement mentions and that all statements treat alike.
#[derive(Clone)]
struct Group {
    names: Id,
    values: Vec<Id>,
}

type Fields = BTreeMap<String, Vec<Id>>;

impl Deciding<'_> {
    pub(super) fn object(&mut self, facts: &[Id]) -> Models {
        let object = self.read_object(facts);
        let mut fields = Fields::new();
        let mut loose = Vec::new();
        for (names, wanted) in &object.some {
            match self.formulas.get(*names) {
                Formula::TextIn(words) if words.len() == 1 => {
                    fields.entry(words[0].clone()).or_default().push(*wanted);
                }
                _ => loose.push((*names, *wanted)),
            }
        }
        if object.least > object.most || fields.len() as u64 > object.most {
            return Models::None;
        }
        let mut models = Models::Found(Value::Null);
        for (name, wanted) in &fields {
            match self.field(&object, name, wanted) {
                Models::None => return Models::None,
                Models::Unknown => models = Models::Unknown,
                Models::Found(_) => {}
            }
        }
        match self.place_fields(&object, fields, &loose) {
            Models::Found(_) if models == Models::Unknown => Models::Unknown,
            other => other,
        }
    }

    fn read_object(&self, facts: &[Id]) -> Object {
        let mut object = Object {
            every: Vec::new(),
            some: Vec::new(),
            least: 0,
            most: u64::MAX,
            mentioned: BTreeSet::new(),
        };
        for fact in facts {
            match self.formulas.get(*fact) {
                Formula::FieldsLeast(least) => object.least = object.least.max(*least),
                Formula::FieldsMost(most) => object.most = object.most.min(*most),
                Formula::Every(names, inner) => object.every.push((*names, *inner)),
                Formula::Some(names, inner) => object.some.push((*names, *inner)),
                _ => {}
            }
        }
        let named: Vec<Id> =
            object.every.iter().chain(&object.some).map(|(names, _)| *names).collect();
        for names in named {
            self.mention(names, &mut object.mentioned, 0);
        }
        object
    }

    fn mention(&self, names: Id, mentioned: &mut BTreeSet<String>, depth: u32) {
        match self.formulas.get(names) {
            _ if depth > 16 => {}
            Formula::TextIn(words) => mentioned.extend(words.iter().cloned()),
            Formula::All(parts) | Formula::Any(parts) => {
                parts.iter().for_each(|part| self.mention(*part, mentioned, depth + 1));
            }
            Formula::Not(inner) => self.mention(*inner, mentioned, depth + 1),
            _ => {}
        }
    }

    /// What the value of a field must satisfy. A statement that may or may not speak of the name is left out.
    fn allowed(&self, object: &Object, name: &str) -> Vec<Id> {
        let name = Value::from(name);
        let speaks = |names: &Id| self.formulas.holds(*names, &name) == Some(true);
        object.every.iter().filter(|(names, _)| speaks(names)).map(|(_, inner)| *inner).collect()
    }

    fn field(&mut self, object: &Object, name: &str, wanted: &[Id]) -> Models {
        let mut parts = self.allowed(object, name);
        parts.extend(wanted);
        let whole = self.formulas.all(parts);
        self.find(whole)
    }

    /// Finds a name for each statement that some field satisfies: a new one, or one that is there already.
    fn place_fields(&mut self, object: &Object, fields: Fields, loose: &[(Id, Id)]) -> Models {
        let Some(((names, wanted), rest)) = loose.split_first() else {
            return self.fill(object, fields);
        };
        if !self.burn(1) {
            return Models::Unknown;
        }
        let mut models = Models::None;
        let mut options: Vec<String> = Vec::new();
        if (fields.len() as u64) < object.most {
            match self.new_names(object, *names, Some(*wanted), &fields) {
                Some(found) => options.extend(found),
                None => models = Models::Unknown,
            }
        }
        for name in fields.keys() {
            if self.formulas.holds(*names, &Value::from(name.as_str())) != Some(false) {
                options.push(name.clone());
            }
        }
        for name in options {
            let mut placed = fields.clone();
            let wants = placed.entry(name.clone()).or_default();
            wants.push(*wanted);
            let wants = wants.clone();
            match self.field(object, &name, &wants) {
                Models::None => continue,
                Models::Unknown => {
                    models = Models::Unknown;
                    continue;
                }
                Models::Found(_) => {}
            }
            match self.place_fields(object, placed, rest) {
                Models::None => {}
                Models::Unknown => models = Models::Unknown,
                found @ Models::Found(_) => return found,
            }
        }
        models
    }

    /// Names that are not used yet, one for each group of names that may make a difference; `None` when not all of
    /// them could be told.
    fn new_names(
        &mut self,
        object: &Object,
        names: Id,
        wanted: Option<Id>,
        fields: &Fields,
    ) -> Option<Vec<String>> {
        let mut found = Vec::new();
        let mut is_complete = true;
        if let Formula::TextIn(words) = self.formulas.get(names) {
            let unused = words.iter().filter(|word| !fields.contains_key(*word));
            return Some(unused.cloned().collect());
        }
        match self.groups(object, names) {
            None => is_complete = false,
            Some(groups) => {
                for group in groups {
                    let parts = group.values.iter().copied().chain(wanted);
                    let inner = self.formulas.all(parts);
                    if self.find(inner) == Models::None {
                        continue;
                    }
                    let used = self.formulas.words(fields.keys().cloned());
                    let unused = self.formulas.not(used);
                    let names = self.formulas.all([group.names, unused]);
                    match self.text(names) {
                        Models::Found(Value::String(name)) => found.push(name),
                        Models::None => {}
                        _ => is_complete = false,
                    }
                }
            }
        }
        for name in &object.mentioned {
            let speaks = self.formulas.holds(names, &Value::from(name.as_str()));
            if !fields.contains_key(name) && speaks != Some(false) {
                found.push(name.clone());
            }
        }
        is_complete.then_some(found)
    }

    /// The groups into which the statements divide the names that none of them mentions.
    fn groups(&mut self, object: &Object, names: Id) -> Option<Vec<Group>> {
        let mentioned = self.formulas.words(object.mentioned.iter().cloned());
        let others = self.formulas.not(mentioned);
        let start = self.formulas.all([names, others]);
        let mut groups = vec![Group { names: start, values: Vec::new() }];
        for (spoken, inner) in &object.every {
            if matches!(self.formulas.get(*spoken), Formula::TextIn(_)) {
                continue;
            }
            let unspoken = self.formulas.not(*spoken);
            let mut divided = Vec::new();
            for group in groups {
                for (side, value) in [(unspoken, None), (*spoken, Some(*inner))] {
                    let names = self.formulas.all([group.names, side]);
                    if self.text(names) == Models::None {
                        continue;
                    }
                    let mut values = group.values.clone();
                    values.extend(value);
                    divided.push(Group { names, values });
                }
            }
            groups = divided;
            if groups.len() > GROUP_LIMIT {
                return None;
            }
        }
        groups.retain(|group| self.text(group.names) != Models::None);
        Some(groups)
    }

    /// Adds fields until there are enough. Names are independent of one another, so that taking any is as good as
    /// taking the best.
    fn fill(&mut self, object: &Object, mut fields: Fields) -> Models {
        if object.least.saturating_sub(fields.len() as u64) > FILL_LIMIT {
            return Models::Unknown;
        }
        while (fields.len() as u64) < object.least {
            let anything = self.formulas.truth();
            let Some(options) = self.new_names(object, anything, None, &fields) else {
                return Models::Unknown;
            };
            let mut is_open = false;
            let mut chosen = None;
            for name in options {
                match self.field(object, &name, &[]) {
                    Models::Found(_) => {
                        chosen = Some(name);
                        break;
                    }
                    Models::Unknown => is_open = true,
                    Models::None => {}
                }
            }
            match chosen {
                Some(name) => fields.insert(name, Vec::new()),
                None if is_open => return Models::Unknown,
                None => return Models::None,
            };
        }
        let mut made = Map::new();
        for (name, wanted) in &fields {
            match self.field(object, name, wanted) {
                Models::Found(value) => made.insert(name.clone(), value),
                other => return other,
            };
        }
        Models::Found(Value::Object(made))
    }
}
