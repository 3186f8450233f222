//! What consumers say that they expect, held against what is offered: who can speak which version.

use serde_json::{Value, json};

use crate::State;

/// One consumer at one version of a trigger's contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The consumer.
    pub consumer: String,
    /// The trigger.
    pub trigger: String,
    /// The version; empty where there is one only.
    pub version: String,
    /// How the version stands, where there are several.
    pub state: Option<State>,
    /// Whether it is the one that the consumer speaks.
    pub is_spoken: bool,
    /// How many of its interactions were looked at.
    pub interactions: usize,
    /// Those that do not go.
    pub unmet: Vec<Miss>,
}

/// An interaction that does not go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// In the consumer's words.
    pub interaction: String,
    /// Why.
    pub why: String,
}

impl Cell {
    /// For programs.
    pub fn to_json(&self) -> Value {
        let unmet =
            self.unmet.iter().map(|it| json!({ "interaction": it.interaction, "why": it.why }));
        json!({
            "consumer": self.consumer,
            "trigger": self.trigger,
            "version": self.version,
            "state": self.state.map(State::as_str),
            "is_spoken": self.is_spoken,
            "interactions": self.interactions,
            "fits": self.unmet.is_empty(),
            "unmet": unmet.collect::<Vec<_>>(),
        })
    }

    /// What does not go in the version that the consumer speaks.
    pub fn unmet(self) -> impl Iterator<Item = Unmet> {
        let Self { consumer, trigger, version, is_spoken, unmet, .. } = self;
        unmet.into_iter().filter(move |_| is_spoken).map(move |miss| Unmet {
            consumer: consumer.clone(),
            trigger: trigger.clone(),
            version: version.clone(),
            interaction: miss.interaction,
            why: miss.why,
        })
    }
}

/// What a consumer expects and does not get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The consumer.
    pub consumer: String,
    /// Where it sends.
    pub trigger: String,
    /// The version that it speaks; empty where there is one only.
    pub version: String,
    /// What it does, in its words.
    pub interaction: String,
    /// Why that does not go.
    pub why: String,
}

impl Unmet {
    /// Whether it is the same interaction of the same consumer.
    pub fn is_of(&self, other: &Self) -> bool {
        (&self.consumer, &self.trigger, &self.interaction)
            == (&other.consumer, &other.trigger, &other.interaction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmet(consumer: &str, interaction: &str) -> Unmet {
        Unmet {
            consumer: consumer.to_owned(),
            trigger: "alert".to_owned(),
            version: "1.0.0".to_owned(),
            interaction: interaction.to_owned(),
            why: "it is refused".to_owned(),
        }
    }

    /// What never went for one consumer, or in one interaction, excuses nothing for another.
    #[test]
    fn an_interaction_is_the_same_by_consumer_trigger_and_words() {
        let one = unmet("shop", "tells of a disk");
        assert!(one.is_of(&Unmet {
            version: "2.0.0".to_owned(),
            why: String::new(),
            ..one.clone()
        }));
        assert!(!one.is_of(&unmet("bank", "tells of a disk")));
        assert!(!one.is_of(&unmet("shop", "tells of a fan")));
        assert!(!one.is_of(&Unmet { trigger: "alarm".to_owned(), ..one.clone() }));
    }

    #[test]
    fn a_cell_fits_where_everything_goes() {
        let miss = Miss { interaction: "tells".to_owned(), why: "it is refused".to_owned() };
        let mut cell = Cell {
            consumer: "shop".to_owned(),
            trigger: "alert".to_owned(),
            version: "1.0.0".to_owned(),
            state: Some(State::Current),
            is_spoken: false,
            interactions: 1,
            unmet: vec![miss],
        };
        let told = cell.to_json();
        assert_eq!(
            (&told["fits"], &told["unmet"][0]["why"]),
            (&json!(false), &json!("it is refused"))
        );
        assert_eq!(cell.clone().unmet().count(), 0, "it speaks another one");
        cell.unmet.clear();
        assert_eq!(cell.to_json()["fits"], true);
    }
}
