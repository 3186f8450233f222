//! An account's holder leaves for the provider and comes back.

use http::{HeaderMap, HeaderValue, Method, header};
use qc_model::{Actor, Body, EnvironmentName, Failure, OutboundRequest, Reach};
use qc_store::{DocumentOp, Expect};
use qc_vault::{Guest, Secret};
use serde_json::{Value, json};

use super::{
    Connections,
    ask::{ANSWER_LIMIT, CALL},
    failure,
    stored::audit,
};
use crate::{
    codes,
    consent::{Journey, LINK_KIND, Link, authorization_url, link_name},
    machine::State,
    provider::{ConnectionId, ConsentRules, Grant},
    record::Record,
    token::{Answer, Purpose, Tokens, token_request},
};

/// How often the tokens are written again when others change the connection at the same time.
const TRIES: usize = 10;

/// Where somebody who opened a link goes.
#[derive(Debug, Clone)]
pub struct Departure {
    /// The provider's page.
    pub url: String,
    /// What the browser keeps until it comes back.
    pub cookie: String,
}

/// What became of a consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consented {
    /// The connection.
    pub id: ConnectionId,
    /// The account, when the provider says it.
    pub account: Option<String>,
    /// The scopes that were asked for and not granted.
    pub missing: Vec<String>,
}

/// What the provider sends back with the holder.
pub struct Returned<'a> {
    /// The `state`.
    pub state: &'a str,
    /// The code.
    pub code: Option<Secret>,
    /// The error's word.
    pub error: Option<&'a str>,
    /// The issuer (RFC 9207).
    pub issuer: Option<&'a str>,
    /// What the browser kept.
    pub cookie: Option<&'a str>,
}

impl Connections {
    /// Which connection a link's code, or the `state` of who comes back, is for. None: it is unknown, used or over.
    pub async fn link_of(&self, state: &str) -> Option<(Link, u64)> {
        let found = self.store().document(LINK_KIND, &link_name(state)).await.ok()??;
        let link: Link = serde_json::from_slice(&found.body).ok()?;
        (self.now() < link.expires_at).then_some((link, found.revision))
    }

    /// Where the holder of an account goes who opened this link.
    pub fn depart(grant: &Grant, link: &Link, code: &Secret) -> Result<Departure, Box<Failure>> {
        let rules = Self::consent_rules(grant).ok_or_else(spent)?;
        let journey = Journey::of(code);
        let url = authorization_url(grant, rules, &link.scopes, &journey)
            .map_err(|error| failure::refusal(codes::LINK, "The link leads nowhere", error))?;
        Ok(Departure { url, cookie: journey.cookie })
    }

    /// Takes what the provider sent back: exchanges the code, looks whose account it is, and stores the tokens. The link
    /// is used up by that, and by the holder's refusal.
    pub async fn consented(
        &self,
        grant: &Grant,
        (link, revision): (Link, u64),
        returned: Returned<'_>,
    ) -> Result<Consented, Box<Failure>> {
        let rules = Self::consent_rules(grant).ok_or_else(spent)?;
        let name = link_name(returned.state);
        let journey = self.journey(&link.environment, &name, &link).await?;
        let same_browser = returned.cookie == Some(journey.cookie.as_str());
        let right_issuer = match (&rules.issuer, returned.issuer) {
            (Some(issuer), Some(said)) => issuer == said,
            _ => true,
        };
        if !same_browser || !right_issuer {
            return Err(spent());
        }
        let used = DocumentOp::Delete {
            kind: LINK_KIND.to_owned(),
            name,
            expect: Expect::Revision(revision),
        };
        let Some(code) = returned.code.filter(|_| returned.error.is_none()) else {
            let done = self.change(vec![used], vec![]).await;
            done.map_err(|error| failure::store(&grant.id, error))?;
            let detail = "the provider says that consent was not given";
            return Err(failure::refusal(codes::LINK, "No consent", detail.to_owned()));
        };
        let verifier = rules.pkce.then_some(&journey.verifier);
        let (tokens, answer) = self.exchange_code(grant, rules, &code, verifier).await?;
        let account = self.account(rules, &tokens, &answer).await;
        if let Some(expected) = &link.account
            && account.as_ref() != Some(expected)
        {
            return Err(self.other_account(grant, &tokens, used, &link).await);
        }
        self.store_consent(grant, &link, used, account, &tokens).await
    }

    async fn journey(
        &self,
        environment: &EnvironmentName,
        name: &str,
        link: &Link,
    ) -> Result<Journey, Box<Failure>> {
        let guest = Guest { environment, kind: LINK_KIND, name };
        let sealed = link.sealed.get("code").ok_or_else(spent)?;
        let id = ConnectionId { environment: environment.clone(), name: link.connection.clone() };
        let code = self.open_of(guest, "code", sealed).await;
        Ok(Journey::of(&code.map_err(|error| failure::not_kept(&id, &error))?))
    }

    async fn exchange_code(
        &self,
        grant: &Grant,
        rules: &ConsentRules,
        code: &Secret,
        verifier: Option<&Secret>,
    ) -> Result<(Tokens, Value), Box<Failure>> {
        self.can_seal(grant).await.map_err(|error| failure::not_kept(&grant.id, &error))?;
        let unique = format!("{:016x}{:016x}", self.random(), self.random());
        let purpose = Purpose::Code { code, redirect_uri: &rules.redirect_uri, verifier };
        let request = token_request(grant, purpose, self.asking(CALL, &unique))
            .map_err(|error| failure::unsendable(&grant.id, &error))?;
        let away = |_| failure::away(&grant.id, None);
        let response = self.parts.caller.call(request).await.map_err(away)?;
        let status = response.status.as_u16();
        let body = response.body.collect(ANSWER_LIMIT).await.map_err(away)?;
        let said = serde_json::from_slice(&body).unwrap_or(Value::Null);
        match Answer::read(&grant.dialect, status, None, &body) {
            Answer::Granted(tokens) => Ok((*tokens, said)),
            Answer::InvalidClient => Err(failure::client_refused(&grant.id)),
            Answer::Away { pause } => Err(failure::away(&grant.id, pause)),
            Answer::InvalidGrant | Answer::Refused(_) | Answer::Unreadable => {
                let detail = "the token endpoint did not take the code; open the link again";
                Err(failure::refusal(codes::LINK, "No tokens came", detail.to_owned()))
            }
        }
    }

    /// Whose account it is, as far as the provider says.
    async fn account(&self, rules: &ConsentRules, tokens: &Tokens, said: &Value) -> Option<String> {
        let path = rules.account.as_deref()?;
        let text = |value: &Value| match value.pointer(path)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let Some(url) = &rules.userinfo_url else { return text(said) };
        let mut headers = HeaderMap::new();
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", tokens.access.expose())).ok()?;
        bearer.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, bearer);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let request = OutboundRequest {
            method: Method::GET,
            url: url.clone(),
            headers,
            body: Body::empty(),
            timeout: CALL,
            connect_timeout: None,
            reach: Reach::Anywhere,
            identity: None,
        };
        let response = self.parts.caller.call(request).await.ok()?;
        let body = response.body.collect(ANSWER_LIMIT).await.ok()?;
        text(&serde_json::from_slice(&body).ok()?)
    }

    /// Another account consented: its tokens are not kept, and the provider is told that nobody uses them.
    async fn other_account(
        &self,
        grant: &Grant,
        tokens: &Tokens,
        used: DocumentOp,
        link: &Link,
    ) -> Box<Failure> {
        let actor = Actor::platform("connections");
        let record = Record::new(grant, State::PendingConsent);
        let facts = json!({ "link": "consent", "made_by": link.created_by });
        let row = audit(&record, "other account refused", facts, &actor, self.now());
        drop(self.change(vec![used], vec![row]).await);
        tracing::warn!(connection = %grant.id.text(), "another account than the expected one consented and is refused");
        for token in tokens.refresh.iter().chain([&tokens.access]) {
            self.tell_revoked(grant, token).await;
        }
        let detail = format!(
            "`{}` belongs to another account than the one that consented now",
            grant.id.text()
        );
        failure::refusal(codes::OTHER_ACCOUNT, "Another account", detail)
    }

    async fn store_consent(
        &self,
        grant: &Grant,
        link: &Link,
        used: DocumentOp,
        account: Option<String>,
        tokens: &Tokens,
    ) -> Result<Consented, Box<Failure>> {
        let (id, asked_at) = (&grant.id, self.now());
        // Exactly what was asked for then, whatever has been deployed since.
        let grant = &Grant { scopes: link.scopes.clone(), ..grant.clone() };
        for _ in 0..TRIES {
            let found = self.find(id).await.map_err(|error| failure::store(id, error))?;
            let before = match &found {
                Some((record, _)) => Record {
                    // Consent stands over what was before: nothing of it is kept.
                    state: State::PendingConsent,
                    granted: vec![],
                    sealed: qc_vault::SealedValues::new(),
                    refresh_expires_at: None,
                    ends_at: None,
                    forced_at: None,
                    ..record.clone()
                },
                None => Record::new(grant, State::PendingConsent),
            };
            let renewed = self.renewed(&before, grant, asked_at, tokens).await;
            let renewed = renewed.map_err(|error| failure::not_kept(id, &error))?;
            let record = Record { account: account.clone(), ..renewed };
            let facts = json!({ "account": account, "granted": record.granted, "made_by": link.created_by });
            let now = self.now();
            let row = audit(&record, "consented", facts, &Actor::platform("connections"), now);
            let put = record.put(found.as_ref().map(|found| found.1), now);
            let documents = vec![put, used.clone(), self.works_again(id)];
            let done = self.change(documents, vec![row]).await;
            if done.map_err(|error| failure::store(id, error))? {
                self.shelf.forget(id);
                let missing = match record.state {
                    State::ScopeDrift { missing } => missing,
                    _ => vec![],
                };
                return Ok(Consented { id: id.clone(), account, missing });
            }
            if self.store().document(LINK_KIND, op_name(&used)).await.ok().flatten().is_none() {
                return Err(spent());
            }
        }
        Err(failure::busy(id))
    }
}

fn op_name(op: &DocumentOp) -> &str {
    match op {
        DocumentOp::Put { name, .. } | DocumentOp::Delete { name, .. } => name,
    }
}

/// What everybody hears whose link is not good: unknown, used, over, or opened elsewhere.
pub(super) fn spent() -> Box<Failure> {
    let detail = "the link is unknown, was used, or is over; ask for another one";
    failure::refusal(codes::LINK, "The link is not good", detail.to_owned())
}
