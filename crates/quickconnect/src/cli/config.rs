use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Exit, Trouble, output::table, session::Session};
use crate::{
    codes,
    config::{Config, Resolved, SETTINGS, SettingFlags, Source, find},
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Every setting, or one: its value, where it comes from, and what it is
    Explain(ExplainArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArguments {
    /// The setting
    key: Option<String>,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(super) fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    let Verb::Explain(ExplainArguments { key, settings }) = verb;
    let said = session.said(settings.0);
    let resolved = said.resolve()?;
    if let Some(key) = &key
        && find(key).is_none()
    {
        let message = format!("there is no setting `{key}`");
        let mut trouble =
            Trouble::usage(codes::UNKNOWN_SETTING, message, "`qc config explain` lists them");
        trouble.exit = Exit::NotFound;
        return Err(trouble);
    }
    let shown = |name: &str| key.as_deref().is_none_or(|key| key == name);
    let value = json_of(&resolved, &shown);
    session.output.result(&value, || human(&resolved, &shown));
    // What is explained must also be usable; wrong values are said after the table that shows where they come from.
    Config::new(&said).map(|_| Exit::Ok)
}

/// Every setting as it is shown.
pub(super) fn explained(session: &Session, settings: SettingFlags) -> Result<Value, Trouble> {
    let resolved = session.said(settings.0).resolve()?;
    Ok(json_of(&resolved, &|_| true)["settings"].take())
}

fn json_of(all: &BTreeMap<&'static str, Resolved>, shown: &dyn Fn(&str) -> bool) -> Value {
    let mut settings = Map::new();
    for setting in SETTINGS.iter().filter(|setting| shown(setting.key)) {
        let mut entry = json!(all.get(setting.key));
        if let Some(resolved) = all.get(setting.key) {
            entry["value"] = json!(setting.shown(&resolved.value));
        }
        entry["summary"] = json!(setting.summary);
        entry["default"] = json!(setting.default);
        settings.insert(setting.key.to_owned(), entry);
    }
    json!({ "schema_version": 1, "settings": settings })
}

fn human(all: &BTreeMap<&'static str, Resolved>, shown: &dyn Fn(&str) -> bool) -> String {
    let mut rows = Vec::new();
    for setting in SETTINGS.iter().filter(|setting| shown(setting.key)) {
        let Some(resolved) = all.get(setting.key) else { continue };
        let source = match &resolved.source {
            Source::Flag(flag) => format!("flag {flag}"),
            Source::Variable(variable) => format!("variable {variable}"),
            Source::File(path) => format!("file {path}"),
            Source::Default => "default".to_owned(),
        };
        let value = setting.shown(&resolved.value);
        let value = if value.is_empty() { "-".to_owned() } else { value };
        rows.push(vec![setting.key.to_owned(), value, source, setting.summary.to_owned()]);
    }
    table(&["SETTING", "VALUE", "FROM", "WHAT"], &rows)
}
