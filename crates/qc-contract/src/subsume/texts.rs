//! Texts by length, expression and list.

use serde_json::Value;

use super::automaton::{Automaton, find};
use super::decide::{Deciding, Models};
use super::formula::{Formula, Id};

impl Deciding<'_> {
    pub(super) fn text_of(&mut self, facts: &[Id]) -> Models {
        let whole = self.formulas.all(facts.iter().copied());
        let (mut least, mut most) = (0, None::<u64>);
        let mut only: Option<Vec<&String>> = None;
        let mut excluded: Vec<&str> = Vec::new();
        let mut parts: Vec<(&Automaton, bool)> = Vec::new();
        for fact in facts {
            match self.formulas.get(*fact) {
                Formula::LengthLeast(length) => least = least.max(*length),
                Formula::LengthMost(length) => most = Some(most.unwrap_or(*length).min(*length)),
                Formula::TextIn(words) => {
                    let fits =
                        |word: &&String| only.as_ref().is_none_or(|only| only.contains(word));
                    only = Some(words.iter().filter(fits).collect());
                }
                Formula::Pattern(at) => {
                    parts.extend(self.formulas.automaton(*at).map(|automaton| (automaton, true)));
                }
                Formula::Not(inner) => match self.formulas.get(*inner) {
                    Formula::TextIn(words) => excluded.extend(words.iter().map(String::as_str)),
                    Formula::Pattern(at) => {
                        parts.extend(self.formulas.automaton(*at).map(|one| (one, false)));
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        if let Some(only) = only {
            return self.one_of(whole, only.into_iter().map(|word| Value::from(word.as_str())));
        }
        if most.is_some_and(|most| most < least) {
            return Models::None;
        }
        let excluded = if excluded.is_empty() { None } else { Automaton::words(excluded) };
        if let Some(words) = &excluded {
            parts.push((words, false));
        }
        let found = find(&parts, least, most);
        if found.is_err() {
            // It took as long as many steps.
            self.burn(2_000);
        }
        match found {
            Ok(Some(word)) => Models::Found(Value::String(word)),
            Ok(None) => Models::None,
            Err(_) => Models::Unknown,
        }
    }
}
