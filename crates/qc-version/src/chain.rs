//! From any version to any other one.

use serde_json::Value;

use crate::{Budget, Direction, Step, Stuck};

/// The steps between neighbouring versions, from the oldest to the newest.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    names: Vec<String>,
    /// The steps from each version to the next one.
    links: Vec<Vec<Step>>,
}

/// Why a document cannot be converted. Names steps and fields, and never values.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("from {from} to {to}, step {} (`{step}`), going {}: {stuck}", .number + 1, .direction.as_str())]
pub struct ConvertError {
    /// From which version.
    pub from: String,
    /// To which neighbour.
    pub to: String,
    /// Which step, from 0, in the order of the file.
    pub number: usize,
    /// The step itself.
    pub step: String,
    /// Which way.
    pub direction: Direction,
    /// Why.
    pub stuck: Stuck,
}

impl Chain {
    /// The most versions of one contract.
    pub const VERSIONS_MAX: usize = 64;
    /// The most steps between two versions.
    pub const STEPS_MAX: usize = 128;

    /// A chain of versions: each with its steps to the next one. The steps of the last lead nowhere and are left out.
    pub fn new(versions: impl IntoIterator<Item = (String, Vec<Step>)>) -> Self {
        let (names, mut links): (Vec<String>, Vec<Vec<Step>>) = versions.into_iter().unzip();
        links.truncate(names.len().saturating_sub(1));
        Self { names, links }
    }

    /// The steps from a version to the next one.
    pub fn link(&self, from: usize) -> &[Step] {
        self.links.get(from).map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes a document from one version, counted from the oldest, to another one.
    ///
    /// Errors: at which step it cannot go on, and why.
    pub fn convert(
        &self,
        mut document: Value,
        from: usize,
        to: usize,
    ) -> Result<Value, Box<ConvertError>> {
        let mut budget = Budget::new();
        for at in from..to {
            for (number, step) in self.link(at).iter().enumerate() {
                step.take(Direction::Up, &mut document, &mut budget).map_err(|stuck| {
                    Box::new(self.stuck(at, at + 1, number, Direction::Up, stuck))
                })?;
            }
        }
        for at in (to..from).rev() {
            for (number, step) in self.link(at).iter().enumerate().rev() {
                step.take(Direction::Down, &mut document, &mut budget).map_err(|stuck| {
                    Box::new(self.stuck(at + 1, at, number, Direction::Down, stuck))
                })?;
            }
        }
        Ok(document)
    }

    fn stuck(
        &self,
        from: usize,
        to: usize,
        number: usize,
        direction: Direction,
        stuck: Stuck,
    ) -> ConvertError {
        let name = |at: usize| self.names.get(at).cloned().unwrap_or_default();
        let step = self.link(from.min(to)).get(number).map(ToString::to_string);
        let step = step.unwrap_or_default();
        ConvertError { from: name(from), to: name(to), number, step, direction, stuck }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Fill, Move, Path};

    #[test]
    fn documents_go_over_several_versions_in_both_directions() {
        let path = |text| Path::parse(text).unwrap();
        let rename = |from, to| Step::Rename(Move::new(path(from), path(to)).unwrap());
        let chain = Chain::new([
            ("1".to_owned(), vec![rename(".a", ".b"), rename(".b", ".c")]),
            ("2".to_owned(), vec![]),
            (
                "3".to_owned(),
                vec![
                    rename(".c", ".d.e"),
                    Step::Default(Fill::new(path(".d.f"), Some(json!(1))).unwrap()),
                ],
            ),
            ("4".to_owned(), vec![rename(".nowhere", ".else")]),
        ]);
        let (oldest, newest) = (json!({"a": 7}), json!({"d": {"e": 7, "f": 1}}));
        assert_eq!(chain.convert(oldest.clone(), 0, 3).unwrap(), newest);
        assert_eq!(chain.convert(newest.clone(), 3, 0).unwrap(), oldest);
        assert_eq!(chain.convert(json!({"c": 7}), 1, 3).unwrap(), newest);
        assert_eq!(chain.convert(newest.clone(), 3, 3).unwrap(), newest);
        let error = chain.convert(json!({"a": 1, "c": 2}), 0, 3).unwrap_err();
        assert_eq!((error.number, error.direction), (1, Direction::Up));
        let told = error.to_string();
        assert!(
            told.starts_with("from 1 to 2, step 2 (`rename .b to .c`), going up: `.c`"),
            "{told}"
        );
    }
}
