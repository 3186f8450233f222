//! The organisation's own consistency: members, variables and their values.

use qc_model::{Finding, Name};

use super::closest_or_list;
use crate::{
    codes,
    organisation::{Environment, Organisation},
    project::Loaded,
    shape::Spanned,
};

pub(super) fn check(file: &Loaded<Organisation>, out: &mut Vec<Finding>) {
    members(file, out);
    defaults(file, out);
    for (name, environment) in file.value.environments.iter() {
        values(file, name, environment, out);
    }
}

fn members(file: &Loaded<Organisation>, out: &mut Vec<Finding>) {
    let people = &file.value.people;
    for (team, details) in file.value.teams.iter() {
        if people.get(team.as_str()).is_some() {
            let message = format!("`{}` is both a person and a team", team.value);
            out.push(
                file.error(codes::DUPLICATE_ID, team.span, message)
                    .help("owners are named by id; give one of them another"),
            );
        }
        for member in details.members.iter().chain(&details.on_call) {
            if people.get(member.as_str()).is_none() {
                let message = format!(
                    "the member `{}` of `{}` is not among `people`",
                    member.value, team.value
                );
                let help = closest_or_list(member.as_str(), people.names().map(Name::as_str));
                out.push(file.error(codes::UNKNOWN_OWNER, member.span, message).help(help));
            }
        }
        if let Some(unit) = &details.unit
            && file.value.units.get(unit.as_str()).is_none()
        {
            let message =
                format!("the unit `{}` of `{}` is not among `units`", unit.value, team.value);
            let help = closest_or_list(unit.as_str(), file.value.units.names().map(Name::as_str));
            out.push(file.error(codes::UNKNOWN_OWNER, unit.span, message).help(help));
        }
        if let Some(on_call) = &details.on_call
            && !details.members.iter().any(|member| member.value == on_call.value)
        {
            let message = format!(
                "`{}` is on call for `{}` without being its member",
                on_call.value, team.value
            );
            out.push(
                file.error(codes::CONTRADICTION, on_call.span, message)
                    .help("add the person to `members`"),
            );
        }
    }
}

fn defaults(file: &Loaded<Organisation>, out: &mut Vec<Finding>) {
    for (name, variable) in file.value.vars.iter() {
        let looks_secret = ["password", "secret", "token", "api_key", "apikey", "credential"]
            .iter()
            .any(|word| name.to_ascii_lowercase().contains(word));
        if looks_secret {
            let message = format!(
                "the variable `{}` sounds like a secret; variables are no place for one",
                name.value
            );
            let help = "write `secret://…` where it is used, and put the value into the secrets of each environment";
            out.push(file.warning(codes::LITERAL_SECRET, name.span, message).help(help));
        }
        if let Some(default) = &variable.default
            && let Some(expected) = variable.kind.mismatch(&default.value)
        {
            let message = format!("the default of `{}` must be {expected}", name.value);
            out.push(file.error(codes::VARIABLE, default.span, message));
        }
    }
}

fn values(
    file: &Loaded<Organisation>,
    name: &Spanned<Name>,
    environment: &Environment,
    out: &mut Vec<Finding>,
) {
    let declared = &file.value.vars;
    for (key, value) in environment.vars.iter() {
        let Some(variable) = declared.get(key.as_str()) else {
            let message = format!("the variable `{}` is not declared in `vars`", key.value);
            let help = closest_or_list(&key.value, declared.names().map(String::as_str));
            out.push(file.error(codes::VARIABLE, key.span, message).help(help));
            continue;
        };
        if let Some(expected) = variable.kind.mismatch(&value.value) {
            let message = format!("`{}` must be {expected}", key.value);
            out.push(file.error(codes::VARIABLE, value.span, message));
        }
    }
    for (key, variable) in declared.iter() {
        if variable.default.is_none() && environment.vars.get(key.as_str()).is_none() {
            let message =
                format!("the environment `{}` gives `{}` no value", name.value, key.value);
            let finding = file
                .error(codes::VARIABLE, name.span, message)
                .label(file.place(key.span), "declared here, without a default");
            out.push(finding.help(format!("add `{}` to its `vars`, or a `default`", key.value)));
        }
    }
}
