use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use qc_access::Action;
use qc_document::parse_duration;
use qc_vault::Secret;

use super::{Globals, Output, Trouble, client::Client};
use crate::{
    codes,
    config::{Config, Said},
    context::{self, Context},
    signed_in::{self, SignedIn},
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

    /// The server to speak to, and by what: the token of the variables, else the session at this server, else the context
    /// file's token.
    pub(crate) fn context(&self) -> Result<Context, Trouble> {
        let context = self.place()?;
        if self.variables.get("QC_TOKEN").is_some_and(|token| !token.is_empty()) {
            return Ok(context);
        }
        match self.signed_in()?.filter(|session| session.url == context.url) {
            Some(session) => Ok(Context { token: Some(session.live()?), ..context }),
            None => Ok(context),
        }
    }

    /// Where the session is that `qc login` gets.
    pub(crate) fn signed_in_path(&self) -> Option<PathBuf> {
        self.context_path().map(|path| signed_in::path(&path))
    }

    /// The session that `qc login` got.
    pub(crate) fn signed_in(&self) -> Result<Option<SignedIn>, Trouble> {
        self.signed_in_path().map_or(Ok(None), |path| SignedIn::read(&path))
    }

    /// The server to speak to: flag, then variables, then the context file, then where somebody signed in.
    pub(crate) fn place(&self) -> Result<Context, Trouble> {
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
            (None, token, None) => {
                if let (None, Some(session)) = (token, self.signed_in()?) {
                    return Ok(Context { url: session.url, events_url: events, token: None });
                }
                let place = path.map_or_else(String::new, |path| format!(" ({})", path.display()));
                Err(Trouble::usage(
                    codes::NO_CONTEXT,
                    format!("there is no context file{place}, and no address is given"),
                    "start a server here with `qc serve` or `qc dev`, sign in with `qc login --url URL`, or set QC_URL and QC_TOKEN",
                ))
            }
        }
    }

    /// A client for the server.
    pub(crate) fn client(&self) -> Result<Client, Trouble> {
        self.client_of(self.context()?)
    }

    /// A client for this server.
    pub(crate) fn client_of(&self, context: Context) -> Result<Client, Trouble> {
        let timeout = self.timeout()?;
        let authorities = match self.variables.get("QC_CA_BUNDLE").filter(|path| !path.is_empty()) {
            Some(path) => {
                let path = PathBuf::from(path);
                Some(std::fs::read(&path).map_err(|error| Trouble::file(&path, &error))?)
            }
            None => None,
        };
        Client::new(context, timeout, authorities, self.actions)
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
