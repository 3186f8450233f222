//! CloudEvents: a schema of an envelope names the type of its events and the schema of their data.

use super::found::{Found, Said};
use super::rules;
use super::shape::{Conj, Kind};
use super::side::{Spot, Which};
use super::walk::Walker;

/// Attributes that every CloudEvent has (CloudEvents 1.0.2, 3).
const REQUIRED: [&str; 4] = ["specversion", "type", "source", "id"];

/// What an envelope fixes; nothing where any value may come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope<'d> {
    around: Spot<'d>,
    kind: Option<Spot<'d>>,
    data_schema: Option<Spot<'d>>,
}

impl<'d> Envelope<'d> {
    /// The one type of the events.
    pub(super) fn kind(&self) -> Option<&'d str> {
        self.kind.and_then(|spot| spot.node.as_str())
    }
}

impl<'d> Walker<'_, 'd> {
    /// The envelope that a schema describes, if it is one.
    pub(super) fn envelope(&mut self, which: Which, schema: &Conj<'d>) -> Option<Envelope<'d>> {
        let side = if which == Which::Old { self.old } else { self.new };
        let objects = self.kinds(which, schema).of_kind(Kind::Object);
        let [only] = &objects[..] else { return None };
        let properties = &only.facets.properties;
        if !REQUIRED.iter().all(|name| properties.contains_key(name)) {
            return None;
        }
        let fixed = |name: &str| {
            let spots = properties.get(name)?;
            spots.iter().find_map(|spot| fixed(side.follow(*spot)?))
        };
        let around = schema.anchor(side);
        Some(Envelope { around, kind: fixed("type"), data_schema: fixed("dataschema") })
    }

    /// What two envelopes fix otherwise.
    pub(super) fn compare_envelopes(&mut self, old: &Conj<'d>, new: &Conj<'d>) -> Vec<Found<'d>> {
        let (old, new) = (self.envelope(Which::Old, old), self.envelope(Which::New, new));
        let (Some(old), Some(new)) = (old, new) else { return Vec::new() };
        let text = |spot: Option<Spot<'d>>| spot.and_then(|spot| spot.node.as_str());
        let mut found = Vec::new();
        for (rule, name, was, is) in [
            (&rules::CLOUDEVENT_TYPE_CHANGED, "type", old.kind, new.kind),
            (&rules::CLOUDEVENT_DATASCHEMA_CHANGED, "dataschema", old.data_schema, new.data_schema),
        ] {
            if let (Some(one), Some(other)) = (text(was), text(is))
                && one != other
            {
                let said = (Said::maybe(was, old.around), Said::maybe(is, new.around));
                let message = format!("the `{name}` of the events was `{one}` and is `{other}`");
                found.push(Found::new(rule, said.0, said.1, message));
            }
        }
        found
    }
}

/// The only value that a schema admits.
fn fixed(schema: Spot<'_>) -> Option<Spot<'_>> {
    let listed = || match schema.node.get("enum")?.as_sequence()? {
        [only] => Some(schema.with(only)),
        _ => None,
    };
    schema.get("const").or_else(listed)
}
