//! What each stable code means: its class, what its reader does next, and who has to act. One table, so that the API, the
//! command line, the pages and the log cannot say different things of one code.

mod meanings;

use serde::{Deserialize, Serialize};

use crate::{Class, Code, NextAction};

/// Who has to act on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// Whoever sent the request or gave the command.
    Sender,
    /// Whoever writes the integration: the owners that its brief names.
    Author,
    /// Whoever runs this platform.
    Operator,
    /// Whoever owns the other system.
    System,
}

/// What a code usually means. One occurrence may know better: an error of another system has the class of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The code, such as `QC-I060`.
    pub code: &'static str,
    /// Its class.
    pub class: Class,
    /// What the reader does next.
    pub next_action: NextAction,
    /// Who has to act.
    pub party: Party,
}

impl Meaning {
    /// The meanings of all codes, in the order of the codes.
    pub fn all() -> &'static [Self] {
        meanings::MEANINGS
    }

    /// What a code means, as text. Of one that nobody knows, that something is wrong here.
    pub fn of(code: &str) -> Self {
        let table = Self::all();
        table.binary_search_by(|row| row.code.cmp(code)).map_or(
            Self {
                code: "",
                class: Class::Internal,
                next_action: NextAction::ContactOwner,
                party: Party::Operator,
            },
            |place| table[place],
        )
    }
}

impl Code {
    /// What the code means. A code that the table does not know (a newer node's, or one that an integration invents) is
    /// taken as a fault of the platform: nobody is told to change what may be right.
    pub fn meaning(&self) -> Meaning {
        Meaning::of(self.as_str())
    }
}

impl Party {
    /// The party's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Author => "author",
            Self::Operator => "operator",
            Self::System => "system",
        }
    }

    /// The hop that fails when this party has to act: whoever sent it, this platform with what runs on it, or the other system.
    pub fn hop(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Author | Self::Operator => "ours",
            Self::System => "system",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_each_code_finds_its_own_row() {
        for pair in Meaning::all().windows(2) {
            assert!(pair[0].code < pair[1].code, "{} before {}", pair[0].code, pair[1].code);
        }
        for row in Meaning::all() {
            assert_eq!(Code::new(row.code).meaning(), *row);
        }
    }

    #[test]
    fn who_acts_and_where_it_failed_have_their_words() {
        let words = [Party::Sender, Party::Author, Party::Operator, Party::System]
            .map(|party| (party.as_str(), party.hop()));
        let expected =
            [("sender", "sender"), ("author", "ours"), ("operator", "ours"), ("system", "system")];
        assert_eq!(words, expected);
    }

    #[test]
    fn a_code_that_nobody_knows_is_no_fault_of_the_reader() {
        let unknown = Code::new("QC-Z999").meaning();
        assert_eq!((unknown.class, unknown.party), (Class::Internal, Party::Operator));
        assert_eq!(unknown.next_action, NextAction::ContactOwner);
    }

    /// What a class says of trying again and what a code says of the next action must not contradict each other.
    #[test]
    fn a_code_is_only_tried_again_when_that_can_help() {
        for row in Meaning::all() {
            let fixed_by_the_reader =
                matches!(row.next_action, NextAction::FixRequest | NextAction::FixProject);
            let passes = matches!(
                row.class,
                Class::Throttled
                    | Class::Overloaded
                    | Class::Timeout
                    | Class::Transient
                    | Class::Dependency
            );
            assert!(!(fixed_by_the_reader && passes), "{}: nothing to fix", row.code);
            if matches!(row.next_action, NextAction::Retry | NextAction::WaitUntil) {
                // A conflict with somebody's change and something not there yet also pass by themselves.
                let mends_itself = passes || matches!(row.class, Class::Conflict | Class::NotFound);
                assert!(mends_itself, "{}: {:?} does not pass", row.code, row.class);
            }
            let asks_the_sender = row.next_action == NextAction::FixRequest;
            assert!(
                !asks_the_sender || row.party == Party::Sender,
                "{}: only who asked can change what was asked",
                row.code
            );
        }
    }
}
