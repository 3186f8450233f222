//! One step between two versions, in both directions, with what is lost on the way.

use std::{collections::BTreeMap, fmt};

use qc_expression::{Expression, Limits, Scope};
use serde_json::{Map, Value};

use crate::{Path, path::segments};

/// Which way a document goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the older version to the newer one.
    Up,
    /// From the newer version to the older one.
    Down,
}

impl Direction {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// One step between two versions.
#[derive(Debug, Clone)]
pub enum Step {
    /// A field has another name or place.
    Rename(Move),
    /// A field appears going up, with this value where it is not there; going down it leaves.
    Default(Fill),
    /// A field leaves going up; going down it comes back with the value, where there is one.
    Drop(Fill),
    /// Words of a field are other words.
    Map(Words),
    /// Whatever the others cannot say.
    Jq(Jq),
}

/// From where to where a field goes.
#[derive(Debug, Clone)]
pub struct Move {
    from: Path,
    to: Path,
}

/// A field, and what it is filled with.
#[derive(Debug, Clone)]
pub struct Fill {
    at: Path,
    value: Option<Value>,
    /// The bytes of the value as text.
    size: usize,
}

/// Words that become others.
#[derive(Debug, Clone)]
pub struct Words {
    at: Path,
    up: BTreeMap<String, String>,
    down: BTreeMap<String, String>,
}

/// An expression for each way.
#[derive(Debug, Clone)]
pub struct Jq {
    up: Expression,
    down: Expression,
    loses: Vec<Path>,
}

/// What all steps of one conversion may add to a document.
#[derive(Debug)]
pub struct Budget {
    left: usize,
}

impl Budget {
    /// The most bytes by which one conversion makes a document grow: a default is put into each item of a list.
    pub const BYTES: usize = 16 << 20;
    /// What an object costs that is made on the way to a field.
    const OBJECT: usize = 64;

    /// All of it.
    pub fn new() -> Self {
        Self { left: Self::BYTES }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Stuck> {
        self.left = self.left.checked_sub(bytes).ok_or(Stuck::TooLarge)?;
        Ok(())
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a step cannot be taken with a document. Names fields and never values.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Stuck {
    /// The place is taken.
    #[error("`{0}` is there already, and would be overwritten")]
    Taken(String),
    /// What should hold the field is no object.
    #[error("`{0}` cannot be put there: what should hold it is no object")]
    NoObject(String),
    /// The document would grow too much.
    #[error("the document would grow by more than {} bytes", Budget::BYTES)]
    TooLarge,
    /// The expression gives nothing. Its own words may hold values of the document and are left out.
    #[error("the expression fails on this document ({0})")]
    Expression(qc_model::Code),
}

impl Move {
    /// From one field to another one, within the same items of the same lists.
    ///
    /// Errors: what is wrong, in one sentence.
    pub fn new(from: Path, to: Path) -> Result<Self, String> {
        if !from.is_field() || !to.is_field() {
            return Err("`from` and `to` end with a field, not with `[]`".to_owned());
        }
        if !from.shares_items(&to) {
            return Err(format!(
                "`{from}` and `{to}` are not in the same items: up to the last `[]` they must be equal"
            ));
        }
        if from.names() == to.names() {
            return Err("`from` and `to` are the same".to_owned());
        }
        Ok(Self { from, to })
    }

    fn go(document: &mut Value, from: &Path, to: &Path, budget: &mut Budget) -> Result<(), Stuck> {
        from.each(document, &mut |value| {
            let Some(map) = value.as_object_mut() else { return Ok(()) };
            match take(map, from.names()) {
                Some(taken) => put(map, to, to.names(), taken, budget),
                None => Ok(()),
            }
        })
    }
}

/// Takes a field out; objects that are empty then go with it.
fn take(map: &mut Map<String, Value>, names: &[String]) -> Option<Value> {
    let (first, rest) = names.split_first()?;
    if rest.is_empty() {
        return map.remove(first);
    }
    let below = map.get_mut(first)?.as_object_mut()?;
    let taken = take(below, rest)?;
    if below.is_empty() {
        map.remove(first);
    }
    Some(taken)
}

/// Puts a field in; objects that it needs are made.
fn put(
    map: &mut Map<String, Value>,
    whole: &Path,
    names: &[String],
    value: Value,
    budget: &mut Budget,
) -> Result<(), Stuck> {
    let Some((first, rest)) = names.split_first() else { return Ok(()) };
    if rest.is_empty() {
        if map.contains_key(first) {
            return Err(Stuck::Taken(whole.to_string()));
        }
        map.insert(first.clone(), value);
        return Ok(());
    }
    if !map.contains_key(first) {
        budget.spend(Budget::OBJECT + first.len())?;
    }
    match map.entry(first.as_str()).or_insert_with(|| Value::Object(Map::new())) {
        Value::Object(below) => put(below, whole, rest, value, budget),
        _ => Err(Stuck::NoObject(whole.to_string())),
    }
}

impl Fill {
    /// A field and what it is filled with, when it is.
    ///
    /// Errors: what is wrong, in one sentence.
    pub fn new(at: Path, value: Option<Value>) -> Result<Self, String> {
        if !at.is_field() {
            return Err("`at` ends with a field, not with `[]`".to_owned());
        }
        let size = value.as_ref().map_or(0, |value| value.to_string().len());
        Ok(Self { at, value, size })
    }

    /// Fills the field where its object is there and it is not.
    fn fill(&self, document: &mut Value, budget: &mut Budget) -> Result<(), Stuck> {
        let Some(value) = &self.value else { return Ok(()) };
        self.at.parents(document, &mut |parent, field| {
            if !parent.contains_key(field) {
                budget.spend(self.size + field.len())?;
                parent.insert(field.to_owned(), value.clone());
            }
            Ok(())
        })
    }
}

fn clear(at: &Path, document: &mut Value) {
    let cleared = at.parents(document, &mut |parent, field| {
        parent.remove(field);
        Ok::<(), std::convert::Infallible>(())
    });
    let Ok(()) = cleared;
}

/// Each word becomes again what it was.
fn reverse(up: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    let mut down = BTreeMap::new();
    for (old, new) in up {
        if let Some(other) = down.insert(new.clone(), old.clone()) {
            return Err(format!(
                "`{other}` and `{old}` both become `{new}`: say in `down` what that becomes again"
            ));
        }
    }
    Ok(down)
}

impl Words {
    /// Words that become others going up. Going down they become what `down` says, or each again what it was.
    ///
    /// Errors: what is wrong, in one sentence.
    pub fn new(
        at: Path,
        up: BTreeMap<String, String>,
        down: Option<BTreeMap<String, String>>,
    ) -> Result<Self, String> {
        if up.is_empty() && down.as_ref().is_none_or(BTreeMap::is_empty) {
            return Err("there is nothing in `values`".to_owned());
        }
        let down = match down {
            Some(down) => down,
            None => reverse(&up)?,
        };
        Ok(Self { at, up, down })
    }

    fn go(
        &self,
        words: &BTreeMap<String, String>,
        document: &mut Value,
        budget: &mut Budget,
    ) -> Result<(), Stuck> {
        self.at.values(document, &mut |value| {
            if let Value::String(text) = value
                && let Some(word) = words.get(text.as_str())
            {
                budget.spend(word.len())?;
                word.clone_into(text);
            }
            Ok(())
        })
    }

    /// What a word is when it went one way and came back.
    fn and_back<'a>(&'a self, first: Direction, word: &'a str) -> &'a str {
        let (there, back) = match first {
            Direction::Up => (&self.up, &self.down),
            Direction::Down => (&self.down, &self.up),
        };
        let there = there.get(word).map_or(word, String::as_str);
        back.get(there).map_or(there, String::as_str)
    }

    /// The words that do not come back when they go this way first.
    fn lost(&self, first: Direction) -> Vec<&str> {
        let all = self.up.iter().chain(&self.down).flat_map(|(one, other)| [one, other]);
        let mut lost: Vec<&str> =
            all.map(String::as_str).filter(|word| self.and_back(first, word) != *word).collect();
        lost.sort_unstable();
        lost.dedup();
        lost
    }

    /// The words of which the step speaks, on the side from which this direction begins.
    pub fn spoken(&self, direction: Direction) -> impl Iterator<Item = &str> {
        let words = match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        };
        words.keys().map(String::as_str)
    }
}

impl Jq {
    /// An expression for each way, and the fields of which it is said that they do not come back.
    pub fn new(up: Expression, down: Expression, loses: Vec<Path>) -> Self {
        Self { up, down, loses }
    }

    fn go(expression: &Expression, document: &mut Value, budget: &mut Budget) -> Result<(), Stuck> {
        // A conversion knows no time: the same document gives the same one whenever it is asked for.
        let scope = Scope { variables: &[], now_ms: 0, limits: Limits::default() };
        *document = expression
            .evaluate(document, &scope)
            .map_err(|error| Stuck::Expression(error.code()))?;
        budget.spend(Budget::OBJECT)
    }
}

impl Step {
    /// Takes the step with a document.
    ///
    /// Errors: why it cannot be taken; the document is in no usable state then.
    pub fn take(
        &self,
        direction: Direction,
        document: &mut Value,
        budget: &mut Budget,
    ) -> Result<(), Stuck> {
        match (self, direction) {
            (Self::Rename(it), Direction::Up) => Move::go(document, &it.from, &it.to, budget),
            (Self::Rename(it), Direction::Down) => Move::go(document, &it.to, &it.from, budget),
            (Self::Default(fill), Direction::Up) | (Self::Drop(fill), Direction::Down) => {
                fill.fill(document, budget)
            }
            (Self::Default(fill), Direction::Down) | (Self::Drop(fill), Direction::Up) => {
                clear(&fill.at, document);
                Ok(())
            }
            (Self::Map(words), Direction::Up) => words.go(&words.up, document, budget),
            (Self::Map(words), Direction::Down) => words.go(&words.down, document, budget),
            (Self::Jq(jq), Direction::Up) => Jq::go(&jq.up, document, budget),
            (Self::Jq(jq), Direction::Down) => Jq::go(&jq.down, document, budget),
        }
    }

    /// What does not come back when a document goes this way first and then returns, in one sentence.
    pub fn loses(&self, first: Direction) -> Option<String> {
        match (self, first) {
            (Self::Default(fill), Direction::Down) => {
                Some(format!("the value of `{}`, unless it is the default", fill.at))
            }
            (Self::Drop(fill), Direction::Up) => Some(format!("the value of `{}`", fill.at)),
            (Self::Map(words), first) => {
                let lost = words.lost(first);
                let names: Vec<String> = lost.iter().map(|word| format!("`{word}`")).collect();
                let word = words.at.to_string();
                (!names.is_empty()).then(|| format!("which of {} `{word}` was", names.join(", ")))
            }
            (Self::Jq(jq), _) if !jq.loses.is_empty() => {
                let names: Vec<String> = jq.loses.iter().map(|path| format!("`{path}`")).collect();
                Some(names.join(", "))
            }
            _ => None,
        }
    }

    /// Makes two documents equal that differ only in what the step says it loses when it goes this way first.
    pub(crate) fn forget(&self, first: Direction, document: &mut Value) {
        match self {
            Self::Rename(it) => {
                for path in [&it.from, &it.to] {
                    let pruned = path.each(document, &mut |value| {
                        if let Some(map) = value.as_object_mut() {
                            prune(map, path.names());
                        }
                        Ok::<(), std::convert::Infallible>(())
                    });
                    let Ok(()) = pruned;
                }
            }
            Self::Default(fill) | Self::Drop(fill) => clear(&fill.at, document),
            Self::Map(words) => {
                let known = words.at.values(document, &mut |value| {
                    if let Value::String(text) = value {
                        *text = words.and_back(first, text).to_owned();
                    }
                    Ok::<(), std::convert::Infallible>(())
                });
                let Ok(()) = known;
            }
            Self::Jq(jq) => jq.loses.iter().for_each(|path| clear(path, document)),
        }
    }

    /// Whether what is wrong at a place is this step's work.
    pub(crate) fn wrote(&self, direction: Direction, pointer: &str, message: &str) -> bool {
        let pointer = segments(pointer);
        let paths: Vec<&Path> = match (self, direction) {
            (Self::Rename(it), _) => vec![&it.to, &it.from],
            (Self::Default(fill) | Self::Drop(fill), _) => vec![&fill.at],
            (Self::Map(words), _) => vec![&words.at],
            (Self::Jq(_), _) => return true,
        };
        paths.into_iter().any(|path| {
            let named = || path.names().iter().any(|name| message.contains(&format!("`{name}`")));
            path.covers(&pointer) || (path.is_in(&pointer) && named())
        })
    }

    /// The words that a step maps, with where.
    pub(crate) fn words(&self) -> Option<(&Path, &Words)> {
        match self {
            Self::Map(words) => Some((&words.at, words)),
            _ => None,
        }
    }
}

/// Removes the objects on the way to a field that hold nothing.
fn prune(map: &mut Map<String, Value>, names: &[String]) {
    let [first, rest @ ..] = names else { return };
    if rest.is_empty() {
        return;
    }
    if let Some(below) = map.get_mut(first).and_then(Value::as_object_mut) {
        prune(below, rest);
        if below.is_empty() {
            map.remove(first);
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rename(it) => write!(f, "rename {} to {}", it.from, it.to),
            Self::Default(fill) => write!(f, "default {}", fill.at),
            Self::Drop(fill) => write!(f, "drop {}", fill.at),
            Self::Map(words) => write!(f, "map {}", words.at),
            Self::Jq(_) => f.write_str("jq"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    fn words(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
    }

    fn there_and_back(step: &Step, old: &Value, new: &Value) {
        let mut document = old.clone();
        step.take(Direction::Up, &mut document, &mut Budget::new()).unwrap();
        assert_eq!(&document, new, "{step} up");
        step.take(Direction::Down, &mut document, &mut Budget::new()).unwrap();
        assert_eq!(&document, old, "{step} down");
    }

    #[test]
    fn each_step_goes_up_and_comes_back() {
        let rename = Step::Rename(Move::new(path(".name"), path(".customer.name")).unwrap());
        there_and_back(&rename, &json!({"name": 1}), &json!({"customer": {"name": 1}}));
        there_and_back(&rename, &json!({"b": 1}), &json!({"b": 1}));
        let each = Step::Rename(Move::new(path(".lines[].qty"), path(".lines[].count")).unwrap());
        there_and_back(
            &each,
            &json!({"lines": [{"qty": 1}, {"x": 2}, 3]}),
            &json!({"lines": [{"count": 1}, {"x": 2}, 3]}),
        );
        let default = Step::Default(Fill::new(path(".c.severity"), Some(json!("high"))).unwrap());
        there_and_back(&default, &json!({"c": {}}), &json!({"c": {"severity": "high"}}));
        there_and_back(&default, &json!({}), &json!({}));
        let drop = Step::Drop(Fill::new(path(".legacy"), Some(json!("none"))).unwrap());
        there_and_back(&drop, &json!({"legacy": "none", "a": 1}), &json!({"a": 1}));
        let map =
            Step::Map(Words::new(path(".tags[]"), words(&[("gold", "premium")]), None).unwrap());
        there_and_back(
            &map,
            &json!({"tags": ["gold", "x", 1]}),
            &json!({"tags": ["premium", "x", 1]}),
        );
        let jq = |text| Expression::parse(text, &[]).unwrap();
        let jq = Step::Jq(Jq::new(jq(".n += 1"), jq(".n -= 1"), Vec::new()));
        there_and_back(&jq, &json!({"n": 1}), &json!({"n": 2}));
    }

    #[test]
    fn a_step_says_what_it_loses() {
        let default = Step::Default(Fill::new(path(".a"), Some(json!(1))).unwrap());
        assert_eq!(default.loses(Direction::Up), None);
        assert!(default.loses(Direction::Down).unwrap().contains("`.a`"));
        let drop = Step::Drop(Fill::new(path(".a"), None).unwrap());
        assert!(drop.loses(Direction::Up).unwrap().contains("`.a`"));
        assert_eq!(drop.loses(Direction::Down), None);
        let up = words(&[("gold", "premium")]);
        let one = Words::new(path(".t"), up.clone(), None).unwrap();
        // A word that is on both sides, and means something else.
        assert_eq!(Step::Map(one).loses(Direction::Up).unwrap(), "which of `premium` `.t` was");
        let down = words(&[("premium", "gold"), ("platinum", "gold")]);
        let two = Words::new(path(".t"), up, Some(down)).unwrap();
        assert!(Step::Map(two).loses(Direction::Down).unwrap().contains("`platinum`"));
        let both = words(&[("a", "x"), ("b", "x")]);
        assert!(Words::new(path(".t"), both, None).unwrap_err().contains("`down`"));
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_grows_without_end() {
        let mut budget = Budget::new();
        let rename = Step::Rename(Move::new(path(".a"), path(".b.c")).unwrap());
        let stuck = |mut document: Value, budget: &mut Budget| {
            rename.take(Direction::Up, &mut document, budget).unwrap_err()
        };
        assert_eq!(stuck(json!({"a": 1, "b": {"c": 2}}), &mut budget), Stuck::Taken(".b.c".into()));
        assert_eq!(stuck(json!({"a": 1, "b": null}), &mut budget), Stuck::NoObject(".b.c".into()));
        let large = json!("x".repeat(Budget::BYTES / 100));
        let default = Step::Default(Fill::new(path(".lines[].x"), Some(large)).unwrap());
        let mut many = json!({"lines": vec![json!({}); 101]});
        let told = default.take(Direction::Up, &mut many, &mut budget);
        assert_eq!(told, Err(Stuck::TooLarge));
        assert!(Move::new(path(".a[].b"), path(".c")).is_err());
        assert!(Move::new(path(".a"), path(".a")).is_err());
        assert!(Fill::new(path(".a[]"), None).is_err());
    }

    #[test]
    fn an_expression_that_fails_says_no_value() {
        let jq = |text| Expression::parse(text, &[]).unwrap();
        let step = Step::Jq(Jq::new(jq("error(.secret)"), jq("."), Vec::new()));
        let told = step.take(Direction::Up, &mut json!({"secret": "s3cr3t"}), &mut Budget::new());
        let told = told.unwrap_err().to_string();
        assert!(!told.contains("s3cr3t") && told.contains("QC-E"), "{told}");
    }
}
