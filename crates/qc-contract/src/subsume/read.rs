//! From a normalised schema to a formula.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::decimal::Decimal;
use super::formula::{Formula, Formulas, Id, Kind};

/// Reads the schema; `document` keeps the definitions of two schemas apart.
pub(super) fn read(formulas: &mut Formulas, schema: &Value, document: &'static str) -> Id {
    let mut reading = Reading { formulas, root: schema, document, definitions: HashMap::new() };
    let id = reading.schema(schema);
    // Definitions are read one after the other, not inside one another.
    let mut done = 0;
    while let Some((name, at)) = reading.pending(done) {
        let body = schema.get("$defs").and_then(|defs| defs.get(&name)).unwrap_or(&Value::Null);
        let body = reading.schema(body);
        reading.formulas.definitions[at] = Some(body);
        done += 1;
    }
    id
}

pub(super) struct Reading<'r> {
    pub(super) formulas: &'r mut Formulas,
    pub(super) root: &'r Value,
    document: &'static str,
    /// The place of each definition, and when it was first met.
    definitions: HashMap<String, (usize, usize)>,
}

type Keywords = Map<String, Value>;
/// What a keyword says with its limit.
type OfLimit = fn(Decimal) -> Formula;

impl Reading<'_> {
    fn pending(&self, done: usize) -> Option<(String, usize)> {
        let found = self.definitions.iter().find(|(_, (order, _))| *order == done);
        found.map(|(name, (_, at))| (name.clone(), *at))
    }

    pub(super) fn schema(&mut self, value: &Value) -> Id {
        let map = match value {
            Value::Bool(false) => return self.formulas.falsehood(),
            Value::Object(map) => map,
            _ => return self.formulas.truth(),
        };
        let mut parts = Vec::new();
        if let Some(name) = definition_name(map) {
            parts.push(self.definition(name));
        }
        self.values(map, &mut parts);
        self.combinations(map, &mut parts);
        self.numbers(map, &mut parts);
        self.texts(map, &mut parts);
        self.arrays(map, &mut parts);
        self.objects(map, &mut parts);
        self.dependencies(map, &mut parts);
        self.unevaluated(value, map, &mut parts);
        self.formulas.all(parts)
    }

    fn definition(&mut self, name: &str) -> Id {
        let order = self.definitions.len();
        let (_, at) = *self.definitions.entry(name.to_owned()).or_insert_with(|| {
            self.formulas.definitions.push(None);
            (order, self.formulas.definitions.len() - 1)
        });
        self.formulas.add(Formula::Defined(at))
    }

    fn values(&mut self, map: &Keywords, parts: &mut Vec<Id>) {
        match map.get("type") {
            Some(Value::String(kind)) => parts.push(self.kinds(&[kind.as_str()])),
            Some(Value::Array(kinds)) => {
                let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
                parts.push(self.kinds(&kinds));
            }
            _ => {}
        }
        if let Some(Value::Array(options)) = map.get("enum") {
            parts.push(self.one_of_values(options));
        }
        if let Some(only) = map.get("const") {
            parts.push(self.formulas.constant(only));
        }
    }

    fn kinds(&mut self, names: &[&str]) -> Id {
        let mut kinds = Vec::new();
        let mut has_integers = false;
        for name in names {
            match *name {
                "string" => kinds.push(Kind::Text),
                "number" => kinds.push(Kind::Number),
                "boolean" => kinds.push(Kind::Bool),
                "null" => kinds.push(Kind::Null),
                "array" => kinds.push(Kind::Array),
                "object" => kinds.push(Kind::Object),
                _ => has_integers = true,
            }
        }
        let plain = self.formulas.kinds(&kinds);
        if !has_integers || kinds.contains(&Kind::Number) {
            return plain;
        }
        let integer = self.formulas.of_kind(Kind::Number, Formula::MultipleOf(Decimal::ONE));
        self.formulas.any([plain, integer])
    }

    fn one_of_values(&mut self, options: &[Value]) -> Id {
        let mut words = Vec::new();
        let mut numbers = Vec::new();
        let mut parts = Vec::new();
        for option in options {
            match option {
                Value::String(word) => words.push(word.clone()),
                Value::Number(number) => match Decimal::of(number) {
                    Some(decimal) => numbers.push(decimal),
                    None => parts.push(self.formulas.constant(option)),
                },
                other => parts.push(self.formulas.constant(other)),
            }
        }
        parts.push(self.formulas.words(words));
        if !numbers.is_empty() {
            numbers.sort_unstable_by_key(|number| format!("{number:?}"));
            numbers.dedup();
            parts.push(self.formulas.add(Formula::NumberIn(numbers.into())));
        }
        self.formulas.any(parts)
    }

    fn combinations(&mut self, map: &Keywords, parts: &mut Vec<Id>) {
        if let Some(inner) = map.get("not") {
            let inner = self.schema(inner);
            parts.push(self.formulas.not(inner));
        }
        for inner in list(map, "allOf") {
            parts.push(self.schema(inner));
        }
        if map.contains_key("anyOf") {
            let branches: Vec<Id> = list(map, "anyOf").iter().map(|one| self.schema(one)).collect();
            parts.push(self.formulas.any(branches));
        }
        if map.contains_key("oneOf") {
            let branches: Vec<Id> = list(map, "oneOf").iter().map(|one| self.schema(one)).collect();
            parts.push(self.exactly_one(&branches));
        }
        if let Some(condition) = map.get("if") {
            let condition = self.schema(condition);
            let otherwise = self.formulas.not(condition);
            if let Some(then) = map.get("then") {
                let then = self.schema(then);
                parts.push(self.formulas.any([otherwise, then]));
            }
            if let Some(alternative) = map.get("else") {
                let alternative = self.schema(alternative);
                parts.push(self.formulas.any([condition, alternative]));
            }
        }
    }

    fn exactly_one(&mut self, branches: &[Id]) -> Id {
        let opposites: Vec<Id> = branches.iter().map(|branch| self.formulas.not(*branch)).collect();
        let mut alternatives = Vec::new();
        for (at, branch) in branches.iter().enumerate() {
            let others = opposites.iter().enumerate().filter(|(other, _)| *other != at);
            let parts: Vec<Id> =
                others.map(|(_, not)| *not).chain(std::iter::once(*branch)).collect();
            alternatives.push(self.formulas.all(parts));
        }
        let exactly = self.formulas.any(alternatives);
        // The opposite, said as "none, or some two", is short as well.
        let mut others = vec![self.formulas.all(opposites)];
        for (at, one) in branches.iter().enumerate() {
            for other in &branches[at + 1..] {
                others.push(self.formulas.all([*one, *other]));
            }
        }
        let otherwise = self.formulas.any(others);
        self.formulas.declare_opposites(exactly, otherwise);
        exactly
    }

    fn numbers(&mut self, map: &Keywords, parts: &mut Vec<Id>) {
        let keywords: [(&str, OfLimit); 5] = [
            ("minimum", |limit| Formula::Least(limit, false)),
            ("exclusiveMinimum", |limit| Formula::Least(limit, true)),
            ("maximum", |limit| Formula::Most(limit, false)),
            ("exclusiveMaximum", |limit| Formula::Most(limit, true)),
            ("multipleOf", Formula::MultipleOf),
        ];
        for (keyword, make) in keywords {
            let Some(Value::Number(limit)) = map.get(keyword) else { continue };
            let opaque = || {
                let kinds = Formulas::kind_set(&[Kind::Number]);
                Formula::Opaque(kinds, format!("{keyword} {limit}"))
            };
            let formula = Decimal::of(limit).map_or_else(opaque, make);
            parts.push(self.formulas.add(formula));
        }
    }

    fn texts(&mut self, map: &Keywords, parts: &mut Vec<Id>) {
        if let Some(least) = number(map, "minLength").filter(|least| *least > 0) {
            parts.push(self.formulas.add(Formula::LengthLeast(least)));
        }
        if let Some(most) = number(map, "maxLength") {
            parts.push(self.formulas.add(Formula::LengthMost(most)));
        }
        if let Some(Value::String(pattern)) = map.get("pattern") {
            parts.push(self.formulas.pattern(pattern));
        }
        if let Some(Value::String(format)) = map.get("format") {
            let kinds = Formulas::kind_set(&[Kind::Text]);
            parts.push(self.formulas.add(Formula::Opaque(kinds, format!("format {format}"))));
        }
    }

    fn arrays(&mut self, map: &Keywords, parts: &mut Vec<Id>) {
        if let Some(least) = number(map, "minItems").filter(|least| *least > 0) {
            parts.push(self.formulas.add(Formula::ItemsLeast(least)));
        }
        if let Some(most) = number(map, "maxItems") {
            parts.push(self.formulas.add(Formula::ItemsMost(most)));
        }
        let prefix = list(map, "prefixItems");
        let truth = self.formulas.truth();
        for (at, item) in prefix.iter().enumerate() {
            let item = self.schema(item);
            if item != truth {
                parts.push(self.formulas.add(Formula::At(at, item)));
            }
        }
        if let Some(rest) = map.get("items") {
            let rest = self.schema(rest);
            if rest == self.formulas.falsehood() {
                parts.push(self.formulas.add(Formula::ItemsMost(prefix.len() as u64)));
            } else if rest != truth {
                parts.push(self.formulas.add(Formula::From(prefix.len(), rest)));
            }
        }
        if map.get("uniqueItems") == Some(&Value::Bool(true)) {
            parts.push(self.formulas.add(Formula::Unique));
        }
        if let Some(wanted) = map.get("contains") {
            self.contains(map, wanted, parts);
        }
    }

    fn contains(&mut self, map: &Keywords, wanted: &Value, parts: &mut Vec<Id>) {
        let wanted = self.schema(wanted);
        let least = match number(map, "minContains").unwrap_or(1) {
            0 => None,
            1 => Some(self.formulas.add(Formula::Exists(0, wanted))),
            least => Some(self.formulas.add(Formula::AtLeast(least, wanted))),
        };
        if let Some(least) = least {
            parts.push(self.unless(Kind::Array, least));
        }
        match number(map, "maxContains") {
            None => {}
            Some(0) => {
                let other = self.formulas.not(wanted);
                parts.push(self.formulas.add(Formula::From(0, other)));
            }
            Some(most) => parts.push(self.formulas.add(Formula::AtMost(most, wanted))),
        }
    }

    /// An existential statement as a keyword makes it: other kinds of values pass.
    pub(super) fn unless(&mut self, kind: Kind, formula: Id) -> Id {
        let kind = self.formulas.kinds(&[kind]);
        let other = self.formulas.not(kind);
        self.formulas.any([other, formula])
    }

    fn objects(&mut self, map: &Keywords, parts: &mut Vec<Id>) {
        if let Some(least) = number(map, "minProperties").filter(|least| *least > 0) {
            parts.push(self.formulas.add(Formula::FieldsLeast(least)));
        }
        if let Some(most) = number(map, "maxProperties") {
            parts.push(self.formulas.add(Formula::FieldsMost(most)));
        }
        for name in list(map, "required").iter().filter_map(Value::as_str) {
            let is_there = self.field_is_there(name);
            parts.push(self.unless(Kind::Object, is_there));
        }
        for (name, inner) in fields(map, "properties") {
            let name = self.formulas.word(name);
            let inner = self.schema(inner);
            parts.push(self.every(name, inner));
        }
        for (pattern, inner) in fields(map, "patternProperties") {
            let names = self.formulas.pattern(pattern);
            let inner = self.schema(inner);
            parts.push(self.every(names, inner));
        }
        if let Some(inner) = map.get("additionalProperties") {
            let known = self.named(map);
            let others = self.formulas.not(known);
            let inner = self.schema(inner);
            parts.push(self.every(others, inner));
        }
        if let Some(names) = map.get("propertyNames") {
            let names = self.schema(names);
            let others = self.formulas.not(names);
            let never = self.formulas.falsehood();
            parts.push(self.every(others, never));
        }
    }

    pub(super) fn every(&mut self, names: Id, inner: Id) -> Id {
        if inner == self.formulas.truth() || names == self.formulas.falsehood() {
            return self.formulas.truth();
        }
        self.formulas.add(Formula::Every(names, inner))
    }

    fn field_is_there(&mut self, name: &str) -> Id {
        let name = self.formulas.word(name);
        let truth = self.formulas.truth();
        self.formulas.add(Formula::Some(name, truth))
    }

    /// The names that `properties` and `patternProperties` speak about.
    pub(super) fn named(&mut self, map: &Keywords) -> Id {
        let words: Vec<String> = fields(map, "properties").map(|(name, _)| name.clone()).collect();
        let mut parts = vec![self.formulas.words(words)];
        for (pattern, _) in fields(map, "patternProperties") {
            parts.push(self.formulas.pattern(pattern));
        }
        self.formulas.any(parts)
    }

    fn dependencies(&mut self, map: &Keywords, parts: &mut Vec<Id>) {
        for (name, needed) in fields(map, "dependentRequired") {
            let is_there = self.field_is_there(name);
            let is_absent = self.formulas.not(is_there);
            let needed: Vec<Id> = needed
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(|name| self.field_is_there(name))
                .collect();
            let needed = self.formulas.all(needed);
            parts.push(self.formulas.any([is_absent, needed]));
        }
        for (name, inner) in fields(map, "dependentSchemas") {
            let is_there = self.field_is_there(name);
            let is_absent = self.formulas.not(is_there);
            let inner = self.schema(inner);
            parts.push(self.formulas.any([is_absent, inner]));
        }
    }

    /// What is not understood, recognised only where it is written in the same words.
    pub(super) fn opaque(&mut self, kind: Kind, schema: &Value) -> Id {
        let text = schema.to_string();
        let own = if text.contains("\"$ref\"") { self.document } else { "" };
        let kinds = Formulas::kind_set(&[kind]);
        self.formulas.add(Formula::Opaque(kinds, format!("{own} {text}")))
    }
}

pub(super) fn definition_name(map: &Keywords) -> Option<&str> {
    map.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
}

pub(super) fn list<'m>(map: &'m Keywords, keyword: &str) -> &'m [Value] {
    map.get(keyword).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn fields<'m>(
    map: &'m Keywords,
    keyword: &str,
) -> impl Iterator<Item = (&'m String, &'m Value)> {
    map.get(keyword).and_then(Value::as_object).into_iter().flatten()
}

fn number(map: &Keywords, keyword: &str) -> Option<u64> {
    map.get(keyword).and_then(Value::as_u64)
}
