use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use qc_access::Action;
use qc_document::parse_duration;
use qc_vault::Secret;

use super::{Globals, Output, Trouble, client::Client};
use crate::{
    codes,
    config::{Config, Said},
    context::{self, Context},
};

/// One run of the program: what the user said for all verbs.
pub(crate) struct Session {
    pub(crate) output: Output,
    globals: Globals,
    pub(crate) variables: BTreeMap<String, String>,
    /// What the verb does on a server.
    actions: &'static [Action],
}

impl Session {
    pub(crate) fn new(
        output: Output,
        globals: Globals,
        variables: BTreeMap<String, String>,
        actions: &'static [Action],
    ) -> Self {
        Self { output, globals, variables, actions }
    }

    /// Where the context file is.
    pub(crate) fn context_path(&self) -> Option<PathBuf> {
        self.globals
            .context
            .clone()
            .or_else(|| context::usual_path(&|name: &str| self.variables.get(name).cloned()))
    }

    /// The server to speak to: flag, then variables, then the context file.
    pub(crate) fn context(&self) -> Result<Context, Trouble> {
        let url = self.globals.url.clone().or_else(|| self.variables.get("QC_URL").cloned());
        let token = self.variables.get("QC_TOKEN").filter(|token| !token.is_empty());
        let token = token.map(|token| Secret::new(token.clone()));
        let path = self.context_path();
        let events = self.variables.get("QC_EVENTS_URL").filter(|url| !url.is_empty()).cloned();
        let file = match (&url, &token, &path) {
            // A token is never sent to an address that it was not written down with.
            (Some(_), Some(_), _) | (_, _, None) => None,
            (_, _, Some(path)) => context::read(path)?,
        };
        match (url, token, file) {
            (Some(url), Some(token), _) => {
                Ok(Context { url, events_url: events, token: Some(token) })
            }
            (Some(url), None, file) => match file.filter(|file| file.url == url) {
                Some(file) => Ok(Context { events_url: events.or(file.events_url), ..file }),
                None => Ok(Context { url, events_url: events, token: None }),
            },
            (None, token, Some(file)) => Ok(Context {
                url: file.url,
                events_url: events.or(file.events_url),
                token: token.or(file.token),
            }),
            (None, _, None) => {
                let place = path.map_or_else(String::new, |path| format!(" ({})", path.display()));
                Err(Trouble::usage(
                    codes::NO_CONTEXT,
                    format!("there is no context file{place}, and no address is given"),
                    "start a server here with `qc serve` or `qc dev`, or set QC_URL and QC_TOKEN",
                ))
            }
        }
    }

    /// A client for the server.
    pub(crate) fn client(&self) -> Result<Client, Trouble> {
        let timeout = self.timeout()?;
        let authorities = match self.variables.get("QC_CA_BUNDLE").filter(|path| !path.is_empty()) {
            Some(path) => {
                let path = PathBuf::from(path);
                Some(std::fs::read(&path).map_err(|error| Trouble::file(&path, &error))?)
            }
            None => None,
        };
        Client::new(self.context()?, timeout, authorities, self.actions)
    }

    fn timeout(&self) -> Result<Duration, Trouble> {
        parse_duration(&self.globals.timeout).map_err(|error| {
            Trouble::usage(
                codes::BAD_SETTING,
                format!("`--timeout`: {error}"),
                "write `30s` or `2m`",
            )
        })
    }

    /// What was said about settings.
    pub(crate) fn said(&self, flags: BTreeMap<String, String>) -> Said {
        Said {
            flags,
            variables: self.variables.clone(),
            file: self.globals.config.clone(),
            defaults: BTreeMap::new(),
        }
    }

    /// The settings.
    pub(crate) fn settings(&self, flags: BTreeMap<String, String>) -> Result<Config, Trouble> {
        Config::new(&self.said(flags))
    }

    /// The settings of a verb with defaults of its own.
    pub(crate) fn settings_or(
        &self,
        flags: BTreeMap<String, String>,
        defaults: BTreeMap<&'static str, String>,
    ) -> Result<Config, Trouble> {
        Config::new(&Said { defaults, ..self.said(flags) })
    }
}
