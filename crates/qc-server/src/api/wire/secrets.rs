//! Secrets and the vault that holds them.

use qc_vault::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

/// A secret's value, on its way in. It cannot be printed; no answer of the API has one.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(extend("writeOnly" = true, "format" = "password"))]
pub struct SecretText(#[schemars(with = "String")] pub Secret);

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(Secret::new(text))),
            // Not in serde's own words: they repeat what stands there.
            _ => Err(de::Error::custom("the value is a text")),
        }
    }
}

/// A value to be stored, in place of the present one at once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetSecretRequest {
    /// Where.
    pub environment: String,
    /// The name, as after `secret://`.
    pub name: String,
    /// The value: 1 byte to 64 KiB of text.
    pub value: SecretText,
    /// How often it is to be changed, such as `90d`, or `never`; left out, as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_every: Option<String>,
}

/// A new value, beside the present one for a while.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateSecretRequest {
    /// Where.
    pub environment: String,
    /// The name, as after `secret://`.
    pub name: String,
    /// The new value: 1 byte to 64 KiB of text.
    pub value: SecretText,
    /// How long the present value stays valid, such as `24h`, which it is when left out; at most 90 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<String>,
}

/// Which secret.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveSecretRequest {
    /// Where.
    pub environment: String,
    /// The name, as after `secret://`.
    pub name: String,
}

/// A secret of the vault, but for its value.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct StoredSecret {
    /// Where.
    pub environment: String,
    /// The name, as after `secret://`.
    pub name: String,
    /// Rises by one with every new value.
    pub version: u64,
    /// When this value was set.
    pub created_at: String,
    /// By whom.
    pub created_by: String,
    /// How often it is to be changed, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_every: Option<u64>,
    /// When it is to be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// Whether that time is past.
    pub overdue: bool,
    /// Until when the value before is valid, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_until: Option<String>,
    /// Whether this server can open it.
    pub opens: bool,
}

/// How the vault stands.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct VaultStanding {
    /// The version of this form.
    pub schema_version: u32,
    /// Whether secrets can be stored.
    pub on: bool,
    /// Where the key-encryption key is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The key-encryption key that wraps now, when it can be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kek: Option<String>,
    /// The environments that have secrets.
    pub environments: Vec<VaultEnvironment>,
    /// How many secrets do not open on this server.
    pub not_opening: usize,
    /// How many are past their cadence.
    pub overdue: usize,
    /// What should be done.
    pub findings: Vec<Value>,
}

/// An environment's part of the vault.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct VaultEnvironment {
    /// The environment.
    pub environment: String,
    /// How many secrets it has.
    pub secrets: usize,
    /// Its data keys; the last one seals, those before it are on their way out.
    pub keys: Vec<DataKeyShown>,
    /// How many secrets are still to be sealed under the last one.
    pub remaining: usize,
}

/// A data key, but for its bytes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DataKeyShown {
    /// Its version.
    pub version: u32,
    /// When it was made.
    pub created_at: String,
    /// The key-encryption key that wraps it.
    pub kek: String,
    /// Whether it is older than half a year.
    pub overdue: bool,
}

/// Whose data key is to be replaced.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateDataKey {
    /// The environment.
    pub environment: String,
}

/// A data key that seals from now on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DataKeyRotated {
    /// Its version.
    pub version: u32,
}

/// Data keys were wrapped anew.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Rewrapped {
    /// How many.
    pub keys: usize,
}

/// Asks for a link at which somebody gives a value.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeDropLink {
    /// Where the value goes.
    pub environment: String,
    /// The name, as after `secret://`.
    pub name: String,
    /// How long the link works, such as `24h`, which it is when left out; at most 7 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// How often the secret is to be changed, such as `90d`; left out, as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_every: Option<String>,
}

/// A link at which somebody gives a value: once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DropLink {
    /// Its id.
    pub id: String,
    /// Where the value goes.
    pub environment: String,
    /// The name, as after `secret://`.
    pub name: String,
    /// When it was made.
    pub created_at: String,
    /// By whom.
    pub created_by: String,
    /// Until when it works.
    pub expires_at: String,
}

/// A new link, whose address is shown here and never again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct MadeDropLink {
    /// The address that a person opens.
    pub url: String,
    /// The link.
    pub link: DropLink,
}

/// Asks for a drill.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillVault {
    /// The environment.
    pub environment: String,
    /// A secret that gets a new value in the drill; left out, only one of the drill's own does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<DrillSecret>,
}

/// A task of rotation. It ends by rotating the thing.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RotationTask {
    /// The task's id; the next one of the same thing has it, too.
    pub id: String,
    /// `secret`, `data_key`, `api_key` or `connection`.
    pub kind: String,
    /// Where; left out when it is everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The secret, the connection, the key's id, or the data key's version.
    pub name: String,
    /// Who answers for it: the owners of what uses it, or who made it.
    pub owner: String,
    /// Until when.
    pub due_at: String,
    /// `overdue`, `soon` (within two weeks) or `scheduled`.
    pub state: String,
    /// The command that does it.
    pub how: String,
}

/// A secret that gets a new value in a drill; the present one stays valid for an hour.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillSecret {
    /// The name, as after `secret://`.
    pub name: String,
    /// The new value: 1 byte to 64 KiB of text.
    pub value: SecretText,
}

/// What a drill did, and what failed meanwhile.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Drilled {
    /// The version of this form.
    pub schema_version: u32,
    /// How many look-ups were made.
    pub requests: u64,
    /// How many of them gave no value, or one that does not count.
    pub failures: u64,
    /// The first of these, without a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
    /// How many data keys were wrapped anew; 0: all were wrapped with the current key.
    pub rewrapped: usize,
    /// The data key that seals now.
    pub data_key: u32,
    /// How many secrets were looked up, the drill's own among them.
    pub secrets: usize,
    /// How long it took.
    pub millis: u64,
}
