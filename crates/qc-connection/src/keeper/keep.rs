//! What calls ask for.

use std::{sync::Arc, time::Duration};

use qc_model::{Class, Failure, NextAction};

use super::{Access, Connections, Why, failure, shelf::Shelved, stored::missing};
use crate::{
    codes,
    machine::State,
    provider::{ConnectionId, Grant, GrantKind, Waiver},
    record::Record,
};

/// What a call needs of its connection.
#[derive(Debug, Clone, Copy)]
pub struct Need<'a> {
    /// The scopes of its operation.
    pub scopes: &'a [String],
    /// Until when more scopes than were asked for may be used.
    pub waiver: Option<&'a Waiver>,
}

impl Connections {
    /// A token that is at hand and not due, without the store; None: ask [`Connections::access`].
    pub fn at_hand(&self, id: &ConnectionId, need: Need<'_>) -> Option<Access> {
        let now = self.now();
        let shelved = self.shelf.fresh(id, now).filter(|one| !one.record.is_due(now))?;
        self.allowed(&shelved.record, need).ok()?;
        shelved.access(now)
    }

    /// A token for a call: the present one; it is renewed meanwhile when that is due, and waited for only when it has
    /// ended.
    pub async fn access(
        self: &Arc<Self>,
        grant: Grant,
        need: Need<'_>,
        wait: Duration,
    ) -> Result<Access, Box<Failure>> {
        let id = grant.id.clone();
        let found = self.fresh(&id).await?;
        let now = self.now();
        if let Some(shelved) = &found {
            self.allowed(&shelved.record, need)?;
            if let Some(access) = shelved.access(now) {
                if shelved.record.is_due(now) {
                    drop(self.fly(grant, Why::Due));
                }
                return Ok(access);
            }
        }
        let landed = self.landed(grant, Why::Due, wait).await?;
        let access = landed.ok_or_else(|| failure::away(&id, None))?;
        if let Some(shelved) = self.shelf.fresh(&id, self.now()) {
            self.allowed(&shelved.record, need)?;
        }
        Ok(access)
    }

    /// Another token in place of one that was refused: one that came meanwhile, the one before while both are good, or a
    /// new one. None: there is no other.
    pub async fn renewed_access(
        self: &Arc<Self>,
        grant: Grant,
        refused: &Access,
        wait: Duration,
    ) -> Result<Option<Access>, Box<Failure>> {
        let id = grant.id.clone();
        let found = self.read(&id).await.map_err(|error| failure::not_kept(&id, &error))?;
        let (now, generation) = (self.now(), refused.generation);
        let Some(shelved) = found else { return Ok(None) };
        if shelved.record.generation > generation && !refused.previous {
            return Ok(shelved.access(now));
        }
        if !refused.previous
            && Self::young(&shelved.record, now)
            && let Some(previous) = shelved.previous(now)
        {
            tracing::info!(connection = %id.text(), "a new token was refused; the one before is tried once");
            return Ok(Some(previous));
        }
        self.landed(grant, Why::Refused(shelved.record.generation), wait).await
    }

    /// Has new tokens brought when it is time, without a call that wants them: for connections that nobody uses now.
    pub async fn tend(self: &Arc<Self>, grant: Grant, wait: Duration) -> Result<(), Box<Failure>> {
        let Some(shelved) = self.fresh(&grant.id).await? else { return Ok(()) };
        let record = &shelved.record;
        if !self.begins_anew(&grant, record)
            && (!record.state.allows_use() || !record.is_due(self.now()))
        {
            return Ok(());
        }
        self.landed(grant, Why::Due, wait).await.map(drop)
    }

    /// Whether somebody brought another refresh token.
    fn begins_anew(&self, grant: &Grant, record: &Record) -> bool {
        let GrantKind::RefreshToken { seed } = &grant.kind else { return false };
        self.parts.vault.fingerprint(seed).is_some_and(|now| record.seed != Some(now))
    }

    async fn fresh(&self, id: &ConnectionId) -> Result<Option<Shelved>, Box<Failure>> {
        match self.shelf.fresh(id, self.now()) {
            Some(shelved) => Ok(Some(shelved)),
            None => self.read(id).await.map_err(|error| failure::not_kept(id, &error)),
        }
    }

    /// Whether a call may use this connection's token: neither with less than it needs, nor, in production, with more
    /// than anybody asked for.
    fn allowed(&self, record: &Record, need: Need<'_>) -> Result<(), Box<Failure>> {
        let excess = record.excess();
        if !excess.is_empty() && !record.may_exceed(&self.parts.production, need.waiver, self.now())
        {
            let detail = format!(
                "`{}` was granted `{}`, which nothing here needs; have a link made and consented to, \
                 or declare a `waiver` in the connector",
                record.id().text(),
                excess.join(" ")
            );
            let title = "A connection was granted too much";
            return Err(waits(codes::SCOPES_EXCESS, title, detail));
        }
        let lacks = match record.granted.as_slice() {
            [] => vec![],
            granted => missing(need.scopes, granted),
        };
        if lacks.is_empty() || record.generation == 0 {
            return Ok(());
        }
        let detail = format!(
            "the operation needs `{}`, which `{}` was not granted",
            lacks.join(" "),
            record.id().text()
        );
        Err(waits(codes::SCOPES_MISSING, "A connection lacks scopes", detail))
    }

    /// The other system said that a call needs more scopes (RFC 6750, section 3.1, `insufficient_scope`). The connection
    /// says so; the call gets the failure with which it waits, and others go on.
    pub async fn scopes_refused(&self, id: &ConnectionId, needed: &[String]) -> Box<Failure> {
        let found = self.find(id).await.ok().flatten();
        if let Some(found) = found.filter(|(record, _)| record.state == State::Active) {
            let state = State::ScopeDrift { missing: needed.to_vec() };
            let record = Record { state, ..found.0.clone() };
            // When it was changed meanwhile, the next refusal says it again.
            drop(self.put(&record, Some(&found), vec![]).await);
        }
        let detail = format!("the other system says that `{}` lacks scopes for this", id.text());
        waits(codes::SCOPES_MISSING, "A connection lacks scopes", detail)
    }
}

fn waits(code: qc_model::Code, title: &str, detail: String) -> Box<Failure> {
    let mut failure = Failure::new(Class::Auth, code, title, detail);
    failure.next_action = NextAction::Reconsent;
    Box::new(failure)
}
