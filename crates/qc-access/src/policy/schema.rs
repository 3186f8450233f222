use std::fmt::Write as _;

use cedar_policy::Schema;

use crate::{Action, Power};

/// The group of actions whose things belong to no environment.
pub(super) const CROSSING: &str = "crossing";
/// The group of actions that take a grant in production.
pub(super) const GRANTED: &str = "granted";

/// The group of actions on what belongs to the unit that owns an integration.
pub(super) const OF_UNIT: &str = "of-unit";
/// The group of actions that each of several units may do to what they share.
pub(super) const SHARED: &str = "shared";

/// What policies may speak of, in Cedar's own notation. The actions and their groups are those of [`Action`], so that
/// a new action is in it by itself.
pub fn schema_text() -> String {
    let mut text = String::from(TYPES);
    let groups =
        Power::ALL.into_iter().map(Power::as_str).chain([CROSSING, GRANTED, OF_UNIT, SHARED]);
    for group in groups {
        let _ = writeln!(text, "    action \"{group}\";");
    }
    for action in Action::ALL {
        let mut groups = vec![action.power().as_str()];
        groups.extend(action.crosses().then_some(CROSSING));
        groups.extend(action.takes_grant().then_some(GRANTED));
        groups.extend(action.is_of_unit().then_some(OF_UNIT));
        groups.extend(action.is_shared().then_some(SHARED));
        let groups: Vec<String> = groups.iter().map(|group| format!("\"{group}\"")).collect();
        let (name, groups) = (action.as_str(), groups.join(", "));
        let _ = writeln!(text, "    action \"{name}\" in [{groups}] {APPLIES};");
    }
    text.push_str("}\n");
    text
}

pub(super) fn schema() -> Schema {
    let (schema, _warnings) =
        Schema::from_cedarschema_str(&schema_text()).expect("our own schema is legal");
    schema
}

const TYPES: &str = "namespace QC {
    entity Role;
    // Who asks. `kind` is api_key, access_token, session, break_glass, local or run. A run's name is its integration's.
    entity Principal in [Role] = {
        kind: String,
        name: String,
        environment?: String,
        person?: String,
        // The person's units, or those of the team or person that owns the key; none: the whole organisation's.
        units: Set<String>,
    };
    // What an action is done to. `name` is the integration's, or the thing's own; a list over all has none. A system's is
    // its connector's, or the host that is called without one.
    entity Thing = {
        type: String,
        environment?: String,
        name?: String,
        production: Bool,
        // The units of the integrations that it is of, or that use it.
        units: Set<String>,
    };
";

const APPLIES: &str = "appliesTo { principal: Principal, resource: Thing, context: {
        // A scope of the token covers it, or the token has none.
        in_scope: Bool,
        // A second person has granted this for a time that is not over.
        granted: Bool,
        // The unit to which it belongs has granted that somebody of another one sees it for now.
        across: Bool,
        // The server runs for the owner of its machine alone.
        local: Bool,
    } }";
