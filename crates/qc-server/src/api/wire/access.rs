//! Who may do what: policies, rights for a time, and services that get access tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Rights for a time.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Grant {
    /// The version of this form.
    pub schema_version: u32,
    /// Its id.
    pub id: String,
    /// For whom, by the id of the owner directory.
    pub person: String,
    /// To do what.
    pub actions: Vec<String>,
    /// Where.
    pub environment: String,
    /// To which integration; left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// The unit to which what is seen belongs, of a grant across units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Why.
    pub reason: String,
    /// The ticket.
    pub ticket: String,
    /// `requested`, `given`, `refused`, `revoked`, or `over`.
    pub state: String,
    /// For how long, from when it is given.
    pub seconds: u64,
    /// When it was asked for.
    pub requested_at: String,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// When it ends, or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// Asks for rights for a time.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestGrant {
    /// To do what: `runs:inspect`, `runs:replay`, `runs:bulk`, `dlq:retry`, `subjects:export`, `subjects:erase`, `captures:inspect`; with
    /// `unit`, what only shows.
    pub actions: Vec<String>,
    /// Where.
    pub environment: String,
    /// To which integration; left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// To see what belongs to this unit, of which one is not; somebody of it gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Why.
    pub reason: String,
    /// The ticket.
    pub ticket: String,
    /// For how long, such as `30m`; at most 4 hours, or 30 days across units without payloads. One hour when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<String>,
}

/// That a person approves a change, exactly as it is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// The version of this form.
    pub schema_version: u32,
    /// Its id.
    pub id: String,
    /// The change: `deployments:write`, `policies:write` or `captures:approve`.
    pub action: String,
    /// Where; left out for policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Of which integration; left out for policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// What comes in force: a release's hash, a version of policies, or the id of a debug capture.
    pub what: String,
    /// By whom.
    pub person: String,
    /// When.
    pub at: String,
    /// Whether it was taken back.
    pub withdrawn: bool,
}

/// Approves a change.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GiveApproval {
    /// The change: `deployments:write`, `policies:write` or `captures:approve`.
    pub action: String,
    /// Where; left out for policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Of which integration; left out for policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// What comes in force: a release's hash, or the beginning of it; a version of policies; or the id of a debug capture.
    pub what: String,
}

/// A file of policies.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// Its name in the project's `access/` folder.
    pub name: String,
    /// Its text, in Cedar.
    pub text: String,
}

/// Policies that are, or were, in force.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PolicySet {
    /// The version of this form.
    pub schema_version: u32,
    /// The version of the policies: of the program's own and of these files together.
    pub version: String,
    /// The files beside the program's own policies.
    pub files: Vec<PolicyFile>,
    /// By whom they were put in force; left out for the program's own alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// Puts policies in force.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyPolicies {
    /// All files beside the program's own policies.
    pub files: Vec<PolicyFile>,
    /// The matrix that was reviewed: it must be that of these policies.
    pub matrix: String,
}

/// A service that proves who it is, and gets access tokens.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// The only environment in which it acts.
    pub environment: String,
    /// What it is for.
    pub role: String,
    /// What it is narrowed to; left out, all that the role may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The team or person who answers for it.
    pub owner: String,
    /// What it does.
    pub purpose: String,
    /// How it proves who it is: `secret` or `keys`.
    pub proof: String,
    /// Its secrets, the newest first: when each was made, and when it ends.
    pub secrets: Vec<ClientSecret>,
    /// `live`, `expired` or `revoked`.
    pub state: String,
    /// When it was made.
    pub created_at: String,
    /// By whom, as `kind:id`.
    pub created_by: String,
    /// When it ends.
    pub expires_at: String,
}

/// A client's secret, without it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ClientSecret {
    /// When it was made.
    pub created_at: String,
    /// When it ends; left out, with the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<String>,
}

/// What a new client shall be.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateClient {
    /// Its id: a name that no client had before.
    pub id: String,
    /// The only environment in which it acts.
    pub environment: String,
    /// `admin`, `developer`, `operator`, `auditor`, `deployer`, `runtime` or `approver`.
    pub role: String,
    /// Narrower rights, as `environment/type/name-or-*:verb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The team or person who answers for it.
    pub owner: String,
    /// What it does.
    pub purpose: String,
    /// How long it is there, such as `90d`; left out, a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<String>,
    /// Its public keys, a JSON Web Key Set (RFC 7517), when it signs assertions; left out, it gets a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Value>,
}

/// A new client, or one with a new secret, which is shown here and never again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CreatedClient {
    /// The secret; left out when it signs assertions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The client.
    pub client: Client,
}

/// How a secret is changed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateClient {
    /// How long the present secret holds on, such as `24h`, which it is when left out; `0s`: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<String>,
}

/// A key that signs access tokens.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SigningKey {
    /// The environment whose tokens it signs.
    pub environment: String,
    /// Its id (RFC 7638).
    pub kid: String,
    /// `coming`, `signing` or `leaving`.
    pub state: String,
    /// When it was made.
    pub created_at: String,
    /// When it begins to sign.
    pub signs_from: String,
}

/// Which environment's key is changed, and how.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateSigningKey {
    /// The environment.
    pub environment: String,
    /// Whether the new key signs now and the others count no more: for a key that leaked.
    #[serde(default)]
    pub at_once: bool,
}

/// What keys and clients may do, beside what they did.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AccessReview {
    /// The version of this form.
    pub schema_version: u32,
    /// From when on uses count.
    pub since: String,
    /// Each key and client that counts now.
    pub items: Vec<ReviewedHolder>,
}

/// A key or a client.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReviewedHolder {
    /// `api_key` or `access_token` (of a client).
    pub kind: String,
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The team or person who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it is for.
    pub role: String,
    /// What it is narrowed to; left out, all that the role may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// What it did, as the narrowest scopes that cover it.
    pub used: Vec<String>,
    /// Its scopes of which nothing was used.
    pub unused: Vec<String>,
    /// When it did anything last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
    /// What should be looked at.
    pub findings: Vec<String>,
    /// The commands that leave it what it used, in their order; empty: nothing is proposed.
    pub proposal: Vec<String>,
}

/// What whoever holds something can touch.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct BlastRadius {
    /// The version of this form.
    pub schema_version: u32,
    /// Of what: `token ID`, `client ID` or `connection ENVIRONMENT/NAME`.
    pub of: String,
    /// What can be done here.
    pub reaches: Vec<Reach>,
    /// What can be called elsewhere, with a connection.
    pub operations: Vec<ReachedOperation>,
}

/// An action, and to what it can be done.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Reach {
    /// The action.
    pub action: String,
    /// Where; left out: what belongs to no environment, and lists over all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Whether to everything there, also what is not there yet.
    pub everything: bool,
    /// Else, to which of the things that there are.
    pub names: Vec<String>,
    /// Whether it takes a grant for a time.
    pub grant: bool,
}

/// An operation at another system that a deployed integration can call.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReachedOperation {
    /// The integration.
    pub integration: String,
    /// The connector.
    pub connector: String,
    /// The operation.
    pub operation: String,
    /// Its method.
    pub method: String,
    /// The scopes that it needs.
    pub scopes: Vec<String>,
    /// Whether the connection has them.
    pub allowed: bool,
}

/// Gives a token or a client another owner.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reassign {
    /// A token's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Or a client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The team or person who answers for it from now on.
    pub owner: String,
}
