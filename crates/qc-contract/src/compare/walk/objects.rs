//! Objects: which properties there may and must be, and what they hold.

use super::super::annotation::annotation;
use super::super::found::{Found, Said};
use super::super::lifecycle::{self, Standing};
use super::super::rules::{self, Facet, Level, Rule, Subject, Turn};
use super::super::shape::{Additional, Conj, Facets};
use super::super::side::{Side, Spot};
use super::scalars::{Sides, compare_counts};
use super::{Pair, Walker};
use crate::mismatch::Direction;

/// One side of a property.
struct Property<'d> {
    schema: Option<Conj<'d>>,
    required: Option<Spot<'d>>,
    /// Whether it travels this way: what is read only is not in requests.
    travels: bool,
    spot: Spot<'d>,
}

impl<'d> Property<'d> {
    fn of(
        side: &Side<'d>,
        facets: &Facets<'d>,
        name: &str,
        way: Direction,
        around: Spot<'d>,
    ) -> Self {
        let schema = facets.property(name);
        let required = facets.required.get(name).copied();
        let flag = match way {
            Direction::Request => "readOnly",
            Direction::Response => "writeOnly",
        };
        let flagged = schema.as_ref().and_then(|schema| annotation(side, schema, flag));
        let travels = flagged.and_then(|spot| spot.node.as_bool()) != Some(true);
        let own = facets.properties.get(name).and_then(|spots| spots.first()).copied();
        let spot = own.or(required).unwrap_or(around);
        Self { schema, required, travels, spot }
    }

    fn is_there(&self) -> bool {
        self.schema.is_some() || self.required.is_some()
    }

    fn is_required(&self) -> bool {
        self.required.is_some() && self.travels
    }

    fn schema(&self) -> Conj<'d> {
        self.schema.clone().unwrap_or_else(|| Conj::anything(self.spot))
    }
}

impl<'d> Walker<'_, 'd> {
    pub(super) fn compare_objects(&mut self, sides: &Sides<'_, 'd>, pair: &mut Pair<'d>) {
        let counts =
            [("minProperties", Facet::MinProperties), ("maxProperties", Facet::MaxProperties)];
        compare_counts(sides, &counts, pair);
        let (old, new) = sides.facets();
        let mut names = old.property_names();
        names.extend(new.property_names());
        for name in names {
            let way = sides.context.way;
            let one = Property::of(self.old, old, name, way, sides.around.0);
            let other = Property::of(self.new, new, name, way, sides.around.1);
            match (one.is_there(), other.is_there()) {
                (true, false) => self.removed(name, &one, sides, pair),
                (false, true) => self.added(name, &other, sides, pair),
                _ => self.kept(name, &one, &other, sides, pair),
            }
        }
        self.compare_additional(sides, pair);
    }

    fn removed(
        &mut self,
        name: &str,
        old: &Property<'d>,
        sides: &Sides<'_, 'd>,
        pair: &mut Pair<'d>,
    ) {
        let (standing, new) = (standing(self.old, old), &sides.new.facets);
        let said = (Said::value(old.spot), Said::absent(sides.around.1));
        let mut cap =
            if old.travels && !standing.is_unstable() { Level::Breaking } else { Level::Cosmetic };
        let announced =
            lifecycle::removal(Subject::Property, &standing, sides.around.1, self.calendar);
        if let Some(found) = announced {
            pair.push(found.at_most(cap));
            return;
        }
        let rule: &Rule = match sides.context.way {
            Direction::Request => match new.additional() {
                Additional::Nothing(_) if !is_matched(new) => &rules::REQUEST_PROPERTY_REFUSED,
                Additional::Schema(rest) => {
                    // It is one of the others now.
                    let below = self.pair(&old.schema(), &rest, sides.context.inside());
                    pair.edge(below);
                    cap = cap.min(Level::Additive);
                    &rules::REQUEST_PROPERTY_REMOVED
                }
                _ => &rules::REQUEST_PROPERTY_REMOVED,
            },
            Direction::Response if old.is_required() => &rules::RESPONSE_PROPERTY_REMOVED,
            Direction::Response => &rules::RESPONSE_OPTIONAL_PROPERTY_REMOVED,
        };
        let message = format!("the property `{name}` is gone");
        pair.push(Found::new(rule, said.0, said.1, message).at_most(cap));
    }

    fn added(
        &mut self,
        name: &str,
        new: &Property<'d>,
        sides: &Sides<'_, 'd>,
        pair: &mut Pair<'d>,
    ) {
        let has_default = self.has_default(new);
        let old = sides.old.facets.additional();
        if let Additional::Schema(rest) = &old {
            let below = self.pair(rest, &new.schema(), sides.context.inside());
            pair.edge(below);
        }
        let rule: &Rule = match sides.context.way {
            Direction::Request if new.is_required() && has_default => {
                &rules::REQUEST_PROPERTY_BECAME_REQUIRED_WITH_DEFAULT
            }
            Direction::Request if new.is_required() => &rules::REQUEST_PROPERTY_ADDED_REQUIRED,
            Direction::Request => &rules::REQUEST_PROPERTY_ADDED_OPTIONAL,
            Direction::Response => match old {
                Additional::Nothing(_) if !is_matched(&sides.old.facets) => {
                    &rules::RESPONSE_PROPERTY_ADDED_TO_CLOSED
                }
                _ => &rules::RESPONSE_PROPERTY_ADDED,
            },
        };
        let cap = if new.travels { Level::Breaking } else { Level::Cosmetic };
        let message = format!("there is a property `{name}` now");
        let said = (Said::absent(sides.around.0), Said::value(new.spot));
        pair.push(Found::new(rule, said.0, said.1, message).at_most(cap));
    }

    fn kept(
        &mut self,
        name: &str,
        old: &Property<'d>,
        new: &Property<'d>,
        sides: &Sides<'_, 'd>,
        pair: &mut Pair<'d>,
    ) {
        let way = sides.context.way;
        let said = || (Said::new(old.spot, name), Said::new(new.spot, name));
        let mut push = |rule: &'static Rule, message: String| {
            pair.push(Found::new(rule, said().0, said().1, message));
        };
        match (old.travels, new.travels, way) {
            (true, false, Direction::Request) => {
                push(
                    &rules::REQUEST_PROPERTY_BECAME_READ_ONLY,
                    format!("`{name}` is read only now"),
                );
            }
            (false, true, Direction::Request) => {
                let message = format!("`{name}` is no longer read only");
                push(&rules::REQUEST_PROPERTY_BECAME_WRITABLE, message);
            }
            (true, false, Direction::Response) => {
                let message = format!("`{name}` is write only now");
                push(&rules::RESPONSE_PROPERTY_BECAME_WRITE_ONLY, message);
            }
            (false, true, Direction::Response) => {
                let message = format!("`{name}` is no longer write only");
                push(&rules::RESPONSE_PROPERTY_BECAME_READABLE, message);
            }
            _ => {}
        }
        if new.travels || old.travels {
            let (was, is) = (old.is_required(), new.is_required());
            match (was, is, way) {
                (false, true, Direction::Request) => {
                    let rule: &'static Rule = if self.has_default(new) {
                        &rules::REQUEST_PROPERTY_BECAME_REQUIRED_WITH_DEFAULT
                    } else {
                        &rules::REQUEST_PROPERTY_BECAME_REQUIRED
                    };
                    push(rule, format!("`{name}` has to be sent"));
                }
                (false, true, Direction::Response) => {
                    let message = format!("`{name}` always comes");
                    push(&rules::RESPONSE_PROPERTY_BECAME_REQUIRED, message);
                }
                (true, false, Direction::Request) => {
                    let message = format!("`{name}` can be left out");
                    push(&rules::REQUEST_PROPERTY_BECAME_OPTIONAL, message);
                }
                // What became write only is told above.
                (true, false, Direction::Response) if new.travels => {
                    let message = format!("`{name}` may be missing");
                    push(&rules::RESPONSE_PROPERTY_BECAME_OPTIONAL, message);
                }
                _ => {}
            }
        }
        let standings = (standing(self.old, old), standing(self.new, new));
        let mut found = Vec::new();
        lifecycle::changes(
            Subject::Property,
            &standings.0,
            &standings.1,
            self.calendar,
            &mut found,
        );
        let travels = old.travels && new.travels;
        let cap =
            if travels && !standings.0.is_unstable() { Level::Breaking } else { Level::Cosmetic };
        pair.found.extend(found.into_iter().map(|found| {
            found.at_most(
                // Losing stability matters to those who relied on it.
                if travels { Level::Breaking } else { Level::Cosmetic },
            )
        }));
        let below = self.pair(&old.schema(), &new.schema(), sides.context.inside());
        pair.edges.push(super::Edge { to: below, bound: super::Bound::capped(cap) });
    }

    fn has_default(&self, property: &Property<'d>) -> bool {
        let schema = property.schema.as_ref();
        schema.is_some_and(|schema| annotation(self.new, schema, "default").is_some())
    }

    fn compare_additional(&mut self, sides: &Sides<'_, 'd>, pair: &mut Pair<'d>) {
        use Additional::{Anything, Nothing, Schema, Unsaid};
        let (old, new) = (sides.old.facets.additional(), sides.new.facets.additional());
        let spot = |additional: &Additional<'d>| match additional {
            Unsaid => None,
            Anything(spot) | Nothing(spot) => Some(*spot),
            Schema(schema) => schema.schemas.first().copied(),
        };
        let turn = match (&old, &new) {
            (Unsaid | Anything(_), Nothing(_) | Schema(_)) | (Schema(_), Nothing(_)) => {
                Turn::Narrowed
            }
            (Nothing(_), Unsaid | Anything(_) | Schema(_)) | (Schema(_), Unsaid | Anything(_)) => {
                Turn::Widened
            }
            (Schema(one), Schema(other)) => {
                let below = self.pair(one, other, sides.context.inside());
                pair.edge(below);
                return;
            }
            (Unsaid | Anything(_), Unsaid | Anything(_)) | (Nothing(_), Nothing(_)) => return,
        };
        pair.push(sides.found(Facet::AdditionalProperties, turn, (spot(&old), spot(&new))));
    }
}

/// Whether properties may be described by patterns.
fn is_matched(facets: &Facets<'_>) -> bool {
    facets.extras.contains_key("patternProperties")
}

fn standing<'d>(side: &Side<'d>, property: &Property<'d>) -> Standing<'d> {
    let schema = property.schema();
    Standing::by(property.spot, |key| annotation(side, &schema, key))
}
