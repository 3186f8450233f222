use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use qc_document::closest;
use qc_model::{Finding, Place};
use serde::Serialize;

use super::setting::{SETTINGS, Setting, find};
use crate::{
    cli::{Exit, Trouble},
    codes,
};

/// Where a value comes from; the first that has one wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "source", content = "where", rename_all = "snake_case")]
pub(crate) enum Source {
    /// A flag of the command line.
    Flag(String),
    /// A variable of the process environment.
    Variable(String),
    /// The configuration file.
    File(String),
    /// Built in.
    Default,
}

/// A setting's value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Resolved {
    /// The value; empty when there is none.
    pub(crate) value: String,
    /// Where it comes from.
    #[serde(flatten)]
    pub(crate) source: Source,
}

/// Everything that was said about settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    /// By flags: key to value.
    pub(crate) flags: BTreeMap<String, String>,
    /// The process environment.
    pub(crate) variables: BTreeMap<String, String>,
    /// The configuration file that was named; `qc.toml` here counts when it exists.
    pub(crate) file: Option<PathBuf>,
    /// A verb's own defaults, in place of the usual ones.
    pub(crate) defaults: BTreeMap<&'static str, String>,
}

impl Said {
    /// Resolves every setting. All problems at once.
    pub(crate) fn resolve(&self) -> Result<BTreeMap<&'static str, Resolved>, Trouble> {
        let (path, from_file) = self.read_file()?;
        let shown = path.display().to_string();
        let mut all = BTreeMap::new();
        for setting in SETTINGS {
            all.insert(setting.key, self.one(setting, &shown, &from_file));
        }
        Ok(all)
    }

    fn one(&self, setting: &Setting, path: &str, file: &BTreeMap<String, String>) -> Resolved {
        let variable = setting.variable();
        let (value, source) = if let Some(value) = self.flags.get(setting.key) {
            (value.clone(), Source::Flag(format!("--{}", setting.flag())))
        } else if let Some(value) = self.variables.get(&variable) {
            (value.clone(), Source::Variable(variable))
        } else if let Some(value) = file.get(setting.key) {
            (value.clone(), Source::File(path.to_owned()))
        } else {
            let own = self.defaults.get(setting.key);
            (own.map_or(setting.default, String::as_str).to_owned(), Source::Default)
        };
        Resolved { value, source }
    }

    fn read_file(&self) -> Result<(PathBuf, BTreeMap<String, String>), Trouble> {
        let named =
            self.file.clone().or_else(|| self.variables.get("QC_CONFIG").map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| PathBuf::from("qc.toml"));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {
                return Ok((path, BTreeMap::new()));
            }
            Err(error) => {
                let message = format!("the configuration file {}: {error}", path.display());
                return Err(Trouble::usage(
                    codes::CONFIG_FILE,
                    message,
                    "check the path and its permissions",
                ));
            }
        };
        let values = parse(&path, &text).map_err(|findings| Trouble {
            exit: Exit::Usage,
            findings,
            problem: None,
        })?;
        Ok((path, values))
    }
}

fn parse(path: &Path, text: &str) -> Result<BTreeMap<String, String>, Vec<Finding>> {
    let source = qc_document::Source::new(path.display().to_string(), text);
    let place = |range: std::ops::Range<usize>| -> Place {
        source.place(qc_document::Span::new(range.start, range.end))
    };
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let finding = Finding::error(codes::CONFIG_FILE, error.message().to_owned());
        vec![match error.span() {
            Some(span) => finding.at(place(span)),
            None => finding,
        }]
    })?;
    let (mut values, mut findings) = (BTreeMap::new(), Vec::new());
    for (key, value) in table {
        let start = key_offset(text, &key);
        let at = place(start..start + key.len());
        if find(&key).is_none() {
            let names = SETTINGS.iter().map(|setting| setting.key);
            let help = closest(&key, names).map_or_else(
                || "`qc config explain` lists the settings".to_owned(),
                |name| format!("did you mean `{name}`?"),
            );
            let message = format!("there is no setting `{key}`");
            findings.push(Finding::error(codes::UNKNOWN_SETTING, message).at(at).help(help));
            continue;
        }
        match value {
            toml::Value::String(text) => drop(values.insert(key, text)),
            toml::Value::Integer(number) => drop(values.insert(key, number.to_string())),
            toml::Value::Boolean(truth) => drop(values.insert(key, truth.to_string())),
            toml::Value::Array(items) if items.iter().all(toml::Value::is_str) => {
                let items: Vec<&str> = items.iter().filter_map(toml::Value::as_str).collect();
                values.insert(key, items.join(","));
            }
            // Names of groups may hold commas.
            toml::Value::Table(pairs)
                if key == "oidc_roles" && pairs.values().all(toml::Value::is_str) =>
            {
                let pair = |(group, role): (&String, &toml::Value)| {
                    format!("{group}={}", role.as_str().unwrap_or_default())
                };
                values.insert(key, pairs.iter().map(pair).collect::<Vec<_>>().join("\n") + "\n");
            }
            _ => findings.push(
                Finding::error(
                    codes::BAD_SETTING,
                    format!("`{key}` is a text, a number or a list of texts"),
                )
                .at(at),
            ),
        }
    }
    if findings.is_empty() { Ok(values) } else { Err(findings) }
}

/// Where a key stands: the file is flat, so it begins a line.
fn key_offset(text: &str, key: &str) -> usize {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start().trim_start_matches(['"', '\'', '[']);
        if trimmed
            .strip_prefix(key)
            .is_some_and(|rest| rest.trim_start().starts_with(['=', '"', '\'', ']', '.']))
        {
            return offset + line.len() - line.trim_start().len();
        }
        offset += line.len();
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flag_beats_variable_beats_file_beats_default() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qc.toml");
        fs::write(&path, "listen = \"file:1\"\nnode = \"file\"\nconnections = 5\n").unwrap();
        let said = Said {
            flags: [("listen".to_owned(), "flag:1".to_owned())].into(),
            variables: [
                ("QC_LISTEN".to_owned(), "variable:1".to_owned()),
                ("QC_NODE".to_owned(), "variable".to_owned()),
            ]
            .into(),
            file: Some(path),
            defaults: [("node", "own".to_owned()), ("store", "memory".to_owned())].into(),
        };
        let all = said.resolve().unwrap();
        assert_eq!(all["listen"].value, "flag:1");
        assert_eq!(all["listen"].source, Source::Flag("--listen".into()));
        assert_eq!(all["node"].value, "variable");
        assert_eq!(all["connections"].value, "5");
        assert!(matches!(all["connections"].source, Source::File(_)));
        assert_eq!(all["store"].source, Source::Default);
        assert_eq!(all["store"].value, "memory");
    }

    #[test]
    fn all_unknown_keys_are_named_with_places() {
        let findings =
            parse(Path::new("qc.toml"), "lisen = \"x\"\nnode = \"a\"\nzzzzzzzz = 1\n").unwrap_err();
        assert_eq!(findings.len(), 2);
        assert_eq!(findings[0].help.as_deref(), Some("did you mean `listen`?"));
        assert_eq!(findings[1].place.as_ref().unwrap().line, 3);
    }

    #[test]
    fn a_named_file_must_exist() {
        let said = Said { file: Some("/nowhere/qc.toml".into()), ..Said::default() };
        assert_eq!(said.resolve().unwrap_err().findings[0].code, codes::CONFIG_FILE);
    }
}
