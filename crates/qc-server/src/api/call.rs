use std::{str::FromStr, sync::Arc};

use bytes::Bytes;
use qc_access::{Action, Decided, Principal, Resource};
use qc_document::{ParseLimits, parse_json_value};
use qc_model::{Actor, EnvironmentName, Name, RunId};
use qc_release::Office;
use qc_store::RunHead;
use qc_vault::Secret;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Route,
    cut::{Cut, Listed},
};
use crate::{
    Problem, State,
    asker::Asker,
    audit::{Told, decided_by},
    codes,
};

/// The most entries of a page.
const PAGE: usize = 500;
/// The entries of a page when none are asked for.
const USUAL_PAGE: usize = 50;

/// The most characters of a parameter that the audit tells.
const SHOWN: usize = 200;

/// A request to an operation, by somebody who is known. What it may touch is decided by [`Call::may`].
pub(crate) struct Call {
    pub(super) state: Arc<State>,
    pub(super) asker: Asker,
    /// By what it says who it is.
    pub(super) credential: Secret,
    pub(super) route: &'static Route,
    pub(super) path: Vec<(String, String)>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Bytes,
}

/// The right to go on: the way to the server's parts.
pub(crate) struct Permit<'a> {
    pub(super) state: &'a Arc<State>,
    pub(super) actor: Actor,
}

impl Permit<'_> {
    /// Where releases are kept.
    pub(super) fn office(&self) -> Office<'_> {
        Office {
            store: &*self.state.store,
            committer: &self.state.committer,
            clock: &*self.state.clock,
            entropy: &*self.state.entropy,
        }
    }
}

impl Call {
    /// Whoever asks.
    pub(super) fn principal(&self) -> &Principal {
        &self.asker.principal
    }

    /// The units of whoever asks.
    pub(super) fn units(&self) -> &[String] {
        &self.asker.units
    }

    /// Decides whether the caller may do the route's action to this. When that changes something, the audit has it
    /// before the caller gets on.
    pub(super) async fn may(
        &self,
        environment: Option<&str>,
        name: Option<&str>,
    ) -> Result<Permit<'_>, Problem> {
        let units = self.asker.directory.of_thing(self.route.action, environment, name);
        self.may_on(Resource { environment, name, units: &units }).await
    }

    /// Decides the same of something whose units are known.
    pub(super) async fn may_on(&self, resource: Resource<'_>) -> Result<Permit<'_>, Problem> {
        let (permit, decided) = self.decide_on(resource)?;
        let Resource { environment, name, .. } = resource;
        if self.route.changes() {
            // Of the path only: bodies may hold payloads.
            let facts: serde_json::Map<String, Value> =
                self.path.iter().map(|(name, text)| (name.clone(), short(text).into())).collect();
            let mut facts = Value::Object(facts);
            decided_by(&mut facts, &decided);
            let told = Told {
                actor: &permit.actor,
                subject: self.route.id,
                outcome: "allowed",
                environment,
                integration: name,
                code: None,
                facts,
            };
            self.state.tell_grant(told).await?;
        }
        Ok(permit)
    }

    /// Decides the same for what changes nothing.
    fn may_look(
        &self,
        environment: Option<&str>,
        name: Option<&str>,
    ) -> Result<Permit<'_>, Problem> {
        self.decide(environment, name).map(|(permit, _)| permit)
    }

    fn decide(
        &self,
        environment: Option<&str>,
        name: Option<&str>,
    ) -> Result<(Permit<'_>, Decided), Problem> {
        let units = self.asker.directory.of_thing(self.route.action, environment, name);
        self.decide_on(Resource { environment, name, units: &units })
    }

    fn decide_on(&self, resource: Resource<'_>) -> Result<(Permit<'_>, Decided), Problem> {
        let action = self.route.action;
        let decided = self.asker.decide_on(&self.state.access, action, resource)?;
        self.state.uses.note(self.principal(), action, resource);
        Ok((Permit { state: &self.state, actor: self.asker.actor(action) }, decided))
    }

    /// Decides whether the caller may do another action, too, to this.
    pub(super) fn may_also(
        &self,
        action: Action,
        environment: Option<&str>,
        name: Option<&str>,
    ) -> Result<(), Problem> {
        self.asker.decide(&self.state.access, action, environment, name)?;
        let resource = Resource { environment, name, units: &[] };
        self.state.uses.note(self.principal(), action, resource);
        Ok(())
    }

    /// For what is of one integration: the environment and integration that are asked for.
    pub(super) fn place(
        &self,
    ) -> Result<(Option<EnvironmentName>, Option<Name>, Permit<'_>), Problem> {
        let (environment, integration) = self.asked_for()?;
        let permit = self.may_look(
            environment.as_ref().map(Name::as_str),
            integration.as_ref().map(Name::as_str),
        )?;
        Ok((environment, integration, permit))
    }

    /// For lists: the environment and integration that are asked for, and what of the list is shown.
    pub(super) fn filter(&self) -> Result<Listed<'_>, Problem> {
        let (environment, integration) = self.asked_for()?;
        let (place, name) =
            (environment.as_ref().map(Name::as_str), integration.as_ref().map(Name::as_str));
        let (permit, cut) = self.list(place, name)?;
        Ok(Listed { environment, integration, permit, cut })
    }

    /// Decides on a list. One of a single thing is refused to who may not see that; of others, what belongs to units of
    /// somebody else is left out.
    pub(super) fn list(
        &self,
        environment: Option<&str>,
        name: Option<&str>,
    ) -> Result<(Permit<'_>, Cut<'_>), Problem> {
        let one = environment.is_some() && name.is_some();
        let cut = Cut::new(self, one);
        if let (None, Some(name)) = (environment, name)
            && !cut.shows_anywhere(name)
        {
            self.may_look(None, Some(name))?;
        }
        let permit = if cut.is_whole() || one {
            self.may_look(environment, name)?
        } else {
            self.decide_on(Resource { environment, name, units: &[] })?.0
        };
        Ok((permit, cut))
    }

    /// Without an environment, a token that is bound to one means that one.
    fn asked_for(&self) -> Result<(Option<EnvironmentName>, Option<Name>), Problem> {
        let environment: Option<EnvironmentName> = self.query("environment")?;
        let environment = environment.or_else(|| self.principal().environment.clone());
        Ok((environment, self.query("integration")?))
    }

    /// The run that the path names, when the caller may do the action to it.
    pub(super) async fn run(&self) -> Result<(RunHead, Permit<'_>), Problem> {
        let id: RunId = self.path("run")?;
        // Looked at before the decision, as its environment and integration are what is decided on.
        let head = self.state.store.run(id).await?.ok_or_else(|| {
            Problem::new(404, codes::NO_RUN, "No such run", format!("there is no run {id}"))
        })?;
        let (environment, integration) = (&head.facts.environment, &head.facts.integration);
        let permit = self.may(Some(environment.as_str()), Some(integration.as_str())).await?;
        Ok((head, permit))
    }

    /// A parameter of the path.
    pub(super) fn path<T: FromStr<Err: std::fmt::Display>>(
        &self,
        name: &str,
    ) -> Result<T, Problem> {
        let text = self.path.iter().find(|(own, _)| own == name).map_or("", |(_, text)| text);
        text.parse().map_err(|error: T::Err| bad_parameter(name, &error.to_string()))
    }

    /// A parameter of the query.
    pub(super) fn query<T: FromStr<Err: std::fmt::Display>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Problem> {
        let text = self.query.iter().find(|(own, _)| own == name).map(|(_, text)| text);
        text.map(|text| text.parse())
            .transpose()
            .map_err(|error: T::Err| bad_parameter(name, &error.to_string()))
    }

    /// Words of a fixed set from the query.
    pub(super) fn words<T: Copy>(
        &self,
        name: &str,
        known: &[T],
        as_str: impl Fn(T) -> &'static str,
    ) -> Result<Vec<T>, Problem> {
        let given = self.query.iter().find(|(own, _)| own == name).map(|(_, text)| text.as_str());
        let Some(given) = given else { return Ok(Vec::new()) };
        given
            .split(',')
            .map(|word| {
                known.iter().copied().find(|one| as_str(*one) == word).ok_or_else(|| {
                    let known: Vec<_> = known.iter().map(|one| as_str(*one)).collect();
                    bad_parameter(name, &format!("`{word}` is none of {}", known.join(", ")))
                })
            })
            .collect()
    }

    /// How many entries are asked for, bounded.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        let given = self.query.iter().find(|(own, _)| own == "limit");
        let Some((_, given)) = given else { return Ok(USUAL_PAGE) };
        let limit = given.parse().ok().filter(|limit| (1..=PAGE).contains(limit));
        limit.ok_or_else(|| {
            bad_parameter("limit", &format!("`{given}` is no whole number from 1 to {PAGE}"))
        })
    }

    /// The body as its type; an absent body counts as `{}`.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        read(&self.body, &self.limits())
    }

    /// The same for a body that may be large: its pieces come and go apart from the threads that live on.
    pub(super) async fn large_body<T: DeserializeOwned + Send + 'static>(
        &mut self,
    ) -> Result<T, Problem> {
        let (body, limits) = (std::mem::take(&mut self.body), self.limits());
        self.state.catalogue.apart(move || read(&body, &limits)).await?
    }

    fn limits(&self) -> ParseLimits {
        ParseLimits { bytes: self.state.settings.api_body_limit, ..ParseLimits::default() }
    }
}

/// A parameter of the path as the audit tells it.
fn short(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

fn read<T: DeserializeOwned>(body: &Bytes, limits: &ParseLimits) -> Result<T, Problem> {
    let bytes: &[u8] = if body.is_empty() { b"{}" } else { body };
    let value = parse_json_value(bytes, limits).map_err(|error| Problem::json(&error))?;
    serde_json::from_value(value).map_err(|error| {
        let detail = error.to_string();
        Problem::new(422, codes::BAD_BODY, "Unusable body", detail.clone()).pointing("", detail)
    })
}

/// A parameter that cannot be used.
pub(super) fn bad_parameter(name: &str, why: &str) -> Problem {
    Problem::new(400, codes::BAD_PARAMETER, "Unusable parameter", format!("`{name}`: {why}"))
}
