use std::{sync::Arc, time::Duration};

use jsonwebtoken::{Algorithm, Header};
use qc_access::{AuthenticationError, Policies, Principal, Scope, TokenKind};
use qc_model::{Actor, ActorKind, EnvironmentName, Name};
use qc_store::{DocumentOp, Expect, PAGE_MAX, StoreError};
use qc_vault::{Secret, Vault};
use serde_json::{Value, json};

use crate::{
    Client, Form, Ground, IdentityError, KeyRing, NewClient, OauthError, Place,
    assertion::{self, Assertion},
    claims::{Claims, scopes},
    clients::{CLIENT_KIND, OVERLAP_MAX},
    expiring,
    form::Proof,
    ground::body,
    revocations::{Revocations, TRIES, What},
    verify::{Refusal, TYPE, Verifier},
};

/// How long an access token holds.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(300);
/// What is revoked is remembered for so long: the life of a token, and clocks that are apart.
const REMEMBERED: Duration = Duration::from_secs(420);
/// The kind of the documents that say that an assertion was used.
const ASSERTION_KIND: &str = "used-assertion";

/// Issues access tokens to services that prove who they are, and tells who holds one.
pub struct Authority {
    ground: Ground,
    place: Option<Place>,
    keys: Arc<KeyRing>,
    revocations: Arc<Revocations>,
    verifier: Option<Verifier>,
}

impl Authority {
    /// `place` is where the server is for the world; without it no tokens are issued, and none are known.
    pub fn new(ground: Ground, place: Option<Place>, vault: Arc<Vault>) -> Self {
        let keys = Arc::new(KeyRing::new(ground.clone(), vault));
        let revocations = Arc::new(Revocations::new(ground.clone()));
        let verifier = place.clone().map(|place| {
            let clock = Arc::clone(&ground.clock);
            Verifier::new(place, Arc::clone(&keys), Arc::clone(&revocations), clock)
        });
        Self { ground, place, keys, revocations, verifier }
    }

    /// The keys with which it signs.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// Where the server is for the world.
    pub fn place(&self) -> Result<&Place, IdentityError> {
        self.place.as_ref().ok_or(IdentityError::NoPlace)
    }

    /// Who holds this access token.
    pub async fn authenticate(&self, text: &str) -> Result<Arc<Principal>, AuthenticationError> {
        let refused = AuthenticationError::Refused("this server issues no access tokens");
        let verifier = self.verifier.as_ref().ok_or(refused)?;
        Ok(verifier.verify(text).await?.principal)
    }

    /// The token endpoint (RFC 6749, section 4.4): a client proves who it is and gets a token.
    pub async fn token(&self, form: &Form, basic: Option<&str>) -> Result<Value, OauthError> {
        let place = self.oauth_place()?;
        match form.get("grant_type") {
            Some("client_credentials") => {}
            Some(_) => {
                let why = "a service gets tokens by `client_credentials` only";
                return Err(OauthError::new("unsupported_grant_type", why));
            }
            None => return Err(OauthError::request("`grant_type` is missing")),
        }
        let (client, used) = self.client(Proof::of(form, basic)?, place).await?;
        if let Some(resource) = form.get("resource")
            && resource != place.audience(&client.environment)
        {
            let why = "`resource` is not the one of the client's environment";
            return Err(OauthError::new("invalid_target", why));
        }
        let scopes = granted(&client, form.get("scope"))?;
        let now = self.ground.clock.now();
        let claims = Claims {
            iss: place.issuer(&client.environment),
            aud: place.audience(&client.environment),
            sub: client.id.to_string(),
            client_id: client.id.to_string(),
            jti: self.ground.random_text::<2>(),
            iat: now.as_secs(),
            exp: (now + TOKEN_LIFETIME).as_secs(),
            nbf: None,
            scope: scopes.as_deref().map(joined),
            role: client.role,
            owner: Some(client.owner.clone()),
            environment: client.environment.clone(),
        };
        let signer = self.keys.signer(&client.environment).await?;
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(signer.kid);
        let token = jsonwebtoken::encode(&header, &claims, &signer.key)
            .map_err(|_| OauthError::unavailable("the signing key cannot be used"))?;
        let actor = Actor::new(ActorKind::Service, client.id.to_string());
        let facts = json!({ "jti": claims.jti, "role": claims.role, "scope": claims.scope });
        let said = (format!("client {}", client.id), "token issued");
        let row = self.ground.audit(&actor, (&said.0, said.1), Some(&client.environment), facts);
        let documents = used.into_iter().collect();
        // Issued only when it is written down, and an assertion only once on all nodes.
        if !self.ground.change(documents, vec![row]).await? {
            return Err(OauthError::client("the assertion was used before"));
        }
        let mut answer = json!({
            "access_token": token, "token_type": "Bearer", "expires_in": TOKEN_LIFETIME.as_secs(),
        });
        if let Some(scope) = claims.scope {
            answer["scope"] = scope.into();
        }
        Ok(answer)
    }

    /// Ends an access token (RFC 7009): at once on this node, within five seconds elsewhere. What is no token of the
    /// client that counts is none afterwards, either.
    pub async fn revoke(&self, form: &Form, basic: Option<&str>) -> Result<(), OauthError> {
        let (client, used) = self.client(Proof::of(form, basic)?, self.oauth_place()?).await?;
        self.use_up(used).await?;
        let token = form.get("token").ok_or_else(|| OauthError::request("`token` is missing"))?;
        let Some(claims) = self.own_token(token, &client).await? else { return Ok(()) };
        if claims.client_id != client.id.as_str() {
            let why = "the token is another client's";
            return Err(OauthError::new("unauthorized_client", why));
        }
        let actor = Actor::new(ActorKind::Service, client.id.to_string());
        let subject = format!("client {}", client.id);
        for _ in 0..TRIES {
            let until = self.ground.clock.now() + REMEMBERED;
            let put = self.revocations.adding(What::Token(&claims.jti), until).await?;
            let facts = json!({ "jti": claims.jti });
            let said = (subject.as_str(), "token revoked");
            let row = self.ground.audit(&actor, said, Some(&client.environment), facts);
            if self.ground.change(vec![put], vec![row]).await? {
                self.revocations.forget();
                return Ok(());
            }
        }
        Err(OauthError::unavailable("others revoke at the same time; try again"))
    }

    /// What a token says (RFC 7662), to a client of the same environment.
    pub async fn introspect(&self, form: &Form, basic: Option<&str>) -> Result<Value, OauthError> {
        let (client, used) = self.client(Proof::of(form, basic)?, self.oauth_place()?).await?;
        self.use_up(used).await?;
        let token = form.get("token").ok_or_else(|| OauthError::request("`token` is missing"))?;
        let Some(claims) = self.own_token(token, &client).await? else {
            return Ok(json!({ "active": false }));
        };
        let mut answer = serde_json::to_value(&*claims).expect("claims are plain data");
        answer["active"] = true.into();
        answer["token_type"] = "Bearer".into();
        Ok(answer)
    }

    /// The claims of a token that counts in the client's environment.
    async fn own_token(
        &self,
        token: &str,
        client: &Client,
    ) -> Result<Option<Arc<Claims>>, OauthError> {
        let Some(verifier) = &self.verifier else { return Ok(None) };
        match verifier.verify(token).await {
            Ok(known) if known.claims.environment == client.environment => Ok(Some(known.claims)),
            Ok(_) | Err(Refusal::Token(_)) => Ok(None),
            Err(Refusal::Store(error)) => Err(error.into()),
        }
    }

    /// The client that proves who it is, and the write that uses its assertion up. Who is not known, ended, or wrong is
    /// told the same.
    async fn client(
        &self,
        proof: Proof,
        place: &Place,
    ) -> Result<(Client, Option<DocumentOp>), OauthError> {
        let now = self.ground.clock.now();
        let stranger = || OauthError::client("the client is not known here, ended, or not proven");
        match proof {
            Proof::Secret { client, secret } => {
                let client = self.find(&client).await?.ok_or_else(stranger)?;
                if client.is_live(now) && client.has_secret(secret.expose(), now) {
                    return Ok((client, None));
                }
                Err(stranger())
            }
            Proof::Assertion(text) => {
                let id = assertion::claimed(text.expose()).ok_or_else(stranger)?;
                let client = self.find(&id).await?.ok_or_else(stranger)?;
                if !client.is_live(now) {
                    return Err(stranger());
                }
                let claims =
                    assertion::check(text.expose(), &client, place, now).map_err(|why| {
                        OauthError::client(format!("the assertion is refused: {why}"))
                    })?;
                let used = self.used(&client, &claims);
                Ok((client, Some(used)))
            }
        }
    }

    /// Says that an assertion was used; can be written once.
    fn used(&self, client: &Client, assertion: &Assertion) -> DocumentOp {
        let name = expiring::name(assertion.exp, &format!("{} {}", client.id, assertion.jti));
        self.ground.put((ASSERTION_KIND, &name), Expect::Absent, &json!({ "schema_version": 1 }))
    }

    async fn use_up(&self, used: Option<DocumentOp>) -> Result<(), OauthError> {
        if let Some(used) = used
            && !self.ground.change(vec![used], Vec::new()).await?
        {
            return Err(OauthError::client("the assertion was used before"));
        }
        Ok(())
    }

    async fn find(&self, id: &str) -> Result<Option<Client>, StoreError> {
        if Name::new(id).is_err() {
            return Ok(None);
        }
        Ok(self.ground.read::<Client>(CLIENT_KIND, id).await?.map(|(client, _)| client))
    }

    fn oauth_place(&self) -> Result<&Place, OauthError> {
        self.place().map_err(|error| OauthError::unavailable(error.to_string()))
    }

    /// Clients after this id, those that ended included.
    pub async fn clients(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Client>, StoreError> {
        let documents =
            self.ground.store.documents(CLIENT_KIND, after, limit.min(PAGE_MAX)).await?;
        documents.iter().map(body).collect()
    }

    /// Makes a client; with its secret, when it is not to sign assertions.
    pub async fn create_client(
        &self,
        new: NewClient,
        actor: &Actor,
    ) -> Result<(Client, Option<Secret>), IdentityError> {
        let now = self.ground.clock.now();
        let (client, secret) =
            new.made(actor, now, &*self.ground.entropy).map_err(IdentityError::Unfit)?;
        let facts = json!({
            "role": client.role, "scopes": client.scopes, "owner": client.owner,
            "purpose": client.purpose, "expires_at": client.expires_at,
            "proof": if secret.is_some() { "secret" } else { "keys" },
        });
        if !self.write_client(&client, Expect::Absent, vec![], (actor, "created", facts)).await? {
            let why = format!("there is, or was, a client `{}`; ids are used once", client.id);
            return Err(IdentityError::Unfit(why));
        }
        Ok((client, secret))
    }

    /// Gives a client a new secret; the present one holds on for the overlap.
    pub async fn rotate_client(
        &self,
        id: &Name,
        overlap: Duration,
        actor: &Actor,
    ) -> Result<(Client, Secret), IdentityError> {
        if overlap > OVERLAP_MAX {
            return Err(IdentityError::Unfit("two secrets hold for at most 30 days".to_owned()));
        }
        let (mut client, revision) = self.present(id).await?;
        if client.keys.is_some() {
            let why =
                "the client signs assertions and has no secret; make a new client with new keys";
            return Err(IdentityError::Unfit(why.to_owned()));
        }
        let now = self.ground.clock.now();
        let secret = client.add_secret(overlap, now, &*self.ground.entropy);
        let facts = json!({ "overlap": overlap.as_secs() });
        let said = (actor, "rotated", facts);
        if !self.write_client(&client, Expect::Revision(revision), vec![], said).await? {
            return Err(IdentityError::Busy);
        }
        Ok((client, secret))
    }

    /// One client; an error when it is unknown or was revoked.
    pub async fn client_by_id(&self, id: &Name) -> Result<Client, IdentityError> {
        Ok(self.present(id).await?.0)
    }

    /// Gives a client another owner.
    pub async fn reassign_client(
        &self,
        id: &Name,
        owner: &str,
        actor: &Actor,
    ) -> Result<(), IdentityError> {
        let (client, revision) = self.present(id).await?;
        let facts = json!({ "owner": owner, "before": client.owner });
        let client = Client { owner: owner.to_owned(), ..client };
        let said = (actor, "reassigned", facts);
        let written = self.write_client(&client, Expect::Revision(revision), vec![], said).await?;
        if written { Ok(()) } else { Err(IdentityError::Busy) }
    }

    /// Ends a client and all its tokens: at once on this node, within five seconds elsewhere.
    pub async fn revoke_client(&self, id: &Name, actor: &Actor) -> Result<(), IdentityError> {
        for _ in 0..TRIES {
            let (mut client, revision) = self.present(id).await?;
            let now = self.ground.clock.now();
            client.revoked_at = Some(now);
            client.secrets.clear();
            let until = now + REMEMBERED;
            let list = self.revocations.adding(What::Client(id.as_str()), until).await?;
            let said = (actor, "revoked", json!({}));
            let expect = Expect::Revision(revision);
            if self.write_client(&client, expect, vec![list], said).await? {
                self.revocations.forget();
                return Ok(());
            }
        }
        Err(IdentityError::Busy)
    }

    async fn present(&self, id: &Name) -> Result<(Client, u64), IdentityError> {
        let read = self.ground.read::<Client>(CLIENT_KIND, id.as_str()).await?;
        read.filter(|(client, _)| client.revoked_at.is_none())
            .ok_or_else(|| IdentityError::NoClient(id.to_string()))
    }

    async fn write_client(
        &self,
        client: &Client,
        expect: Expect,
        mut documents: Vec<DocumentOp>,
        (actor, outcome, facts): (&Actor, &str, Value),
    ) -> Result<bool, StoreError> {
        documents.push(self.ground.put((CLIENT_KIND, client.id.as_str()), expect, client));
        let subject = format!("client {}", client.id);
        let said = (subject.as_str(), outcome);
        let row = self.ground.audit(actor, said, Some(&client.environment), facts);
        self.ground.change(documents, vec![row]).await
    }

    /// What other software asks of an issuer (RFC 8414).
    pub fn metadata(&self, environment: &EnvironmentName) -> Result<Value, IdentityError> {
        let place = self.place()?;
        let url = place.url();
        let proofs = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
        let algorithms = ["ES256", "RS256", "EdDSA"];
        Ok(json!({
            "issuer": place.issuer(environment),
            "token_endpoint": place.token_endpoint(),
            "jwks_uri": place.jwks(environment),
            "revocation_endpoint": format!("{url}/oauth/revoke"),
            "introspection_endpoint": format!("{url}/oauth/introspect"),
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": proofs,
            "token_endpoint_auth_signing_alg_values_supported": algorithms,
            "revocation_endpoint_auth_methods_supported": proofs,
            "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
            "introspection_endpoint_auth_methods_supported": proofs,
            "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        }))
    }

    /// What other software asks of the API (RFC 9728): of one environment, or of the server with all of them.
    pub async fn resource(
        &self,
        environment: Option<&EnvironmentName>,
    ) -> Result<Value, IdentityError> {
        let place = self.place()?;
        let (resource, servers) = if let Some(own) = environment {
            (place.audience(own), vec![place.issuer(own)])
        } else {
            let all = self.keys.environments().await?;
            (place.url().to_owned(), all.iter().map(|own| place.issuer(own)).collect())
        };
        Ok(json!({
            "resource": resource,
            "authorization_servers": servers,
            "bearer_methods_supported": ["header"],
            "resource_name": "QuickConnect",
        }))
    }

    /// Removes what need not be remembered, and makes keys that are due. Called now and then on every node.
    pub async fn tend(&self) -> Result<(), IdentityError> {
        let now = self.ground.clock.now();
        expiring::remove(&self.ground, ASSERTION_KIND, now).await?;
        if self.place.is_some() {
            self.keys.tend().await?;
        }
        Ok(())
    }
}

/// What a token may do: what is asked for, within what the client may.
fn granted(client: &Client, asked: Option<&str>) -> Result<Option<Vec<Scope>>, OauthError> {
    let Some(asked) = asked else { return Ok(client.scopes.clone()) };
    let invalid = |why| OauthError::new("invalid_scope", why);
    let asked =
        scopes(asked).map_err(|()| invalid("scopes are `environment/type/name-or-*:verb`"))?;
    let within = |scope: &Scope| match &client.scopes {
        Some(own) => own.iter().any(|wider| scope.is_within(wider)),
        None => Policies::shipped().ever(client.role, TokenKind::AccessToken, scope.action()),
    };
    if asked.iter().all(within) {
        Ok(Some(asked))
    } else {
        Err(invalid("the client has not all of these"))
    }
}

fn joined(scopes: &[Scope]) -> String {
    scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
