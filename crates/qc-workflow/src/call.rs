//! What a run asks of the outside, and what comes back.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Effect, HumanKind, KeptDeed, SecretMark};

/// Which call of a run: the task and its visit. Stable over attempts, retries and restarts, so the
/// key `qc:{origin}:{pointer}:{visit}` is too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CallId {
    /// The task's place: a JSON pointer into the workflow with the task's name at its end, such as
    /// `/do/0/createTicket`.
    pub pointer: Arc<str>,
    /// Which visit of the task: for every list of tasks around it how often the path was entered
    /// there before, and for every loop its index, outermost first, joined by `.`. Never counts
    /// attempts or retries.
    pub visit: Arc<str>,
}

impl CallId {
    /// The call that is made in the place of this one while its system is not there.
    #[must_use]
    pub fn fallback(&self) -> Self {
        let pointer = format!("{}{FALLBACK}", self.pointer);
        Self { pointer: Arc::from(pointer), visit: Arc::clone(&self.visit) }
    }
}

/// At the end of the place of a call that is made in the place of another one.
pub(crate) const FALLBACK: &str = "/fallback";

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.pointer, self.visit)
    }
}

/// One attempt of a call, to be performed by the engine and answered once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRequest {
    /// Which call.
    pub id: CallId,
    /// The task's name.
    pub task: Arc<str>,
    /// Which attempt, from 1; rises with every request for the same id.
    pub attempt: u32,
    /// What to call.
    pub target: CallTarget,
    /// What an ambiguous outcome means.
    pub effect: Effect,
    /// How long the attempt may take, in milliseconds.
    pub timeout_ms: u64,
    /// Recognises this run's secret placeholders in the target.
    pub secrets: SecretMark,
}

/// What is called. All texts may hold secret placeholders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum CallTarget {
    /// An operation of a connector.
    Connector {
        /// The connector's name.
        connector: String,
        /// The operation's id.
        operation: String,
        /// The arguments, an object.
        arguments: Value,
        /// What the task wants of the answer.
        output: OutputShape,
    },
    /// An operation of an OpenAPI document that the release holds.
    OpenApi {
        /// The document's address as written in the workflow.
        document: String,
        /// The operation's id.
        operation: String,
        /// The parameters, an object.
        arguments: Value,
        /// How to authenticate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        authentication: Option<Authentication>,
        /// What the task wants of the answer.
        output: OutputShape,
        /// Whether redirects are followed; otherwise a 3xx answer is a failure.
        redirect: bool,
    },
    /// A plain HTTP request.
    Http {
        /// The method, in capitals.
        method: String,
        /// The absolute address, its variables filled in and percent-encoded.
        endpoint: String,
        /// Header fields: an object of texts.
        headers: Value,
        /// Query parameters to add: an object of scalars, or of lists of scalars.
        query: Value,
        /// The body; a JSON value unless the content-type header says otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<Value>,
        /// How to authenticate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        authentication: Option<Authentication>,
        /// What the task wants of the answer.
        output: OutputShape,
        /// Whether redirects are followed; otherwise a 3xx answer is a failure.
        redirect: bool,
    },
    /// What the integration keeps for itself.
    Kept {
        /// What is done.
        deed: KeptDeed,
        /// With which state or table.
        place: String,
        /// The arguments, an object.
        arguments: Value,
    },
    /// A person, who is asked something.
    Human {
        /// What is asked.
        ask: HumanKind,
        /// The arguments, an object: see [`crate::read_human`].
        arguments: Value,
    },
}

impl CallTarget {
    /// What the task wants of the answer. With [`OutputShape::Raw`] the performer gives the body as
    /// base64 text in [`CallOutput::content`]; otherwise parsed where the media type is known.
    pub fn output(&self) -> OutputShape {
        match self {
            Self::Connector { output, .. }
            | Self::OpenApi { output, .. }
            | Self::Http { output, .. } => *output,
            Self::Kept { .. } | Self::Human { .. } => OutputShape::Content,
        }
    }
}

/// What of an answer becomes the task's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputShape {
    /// The parsed body.
    #[default]
    Content,
    /// Request, status, headers and parsed body.
    Response,
    /// The body as base64 text.
    Raw,
}

/// How a call proves who it is. The texts may hold secret placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "scheme")]
pub enum Authentication {
    /// HTTP Basic.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: String,
    },
    /// A bearer token.
    Bearer {
        /// The token.
        token: String,
    },
    /// OAuth 2 client credentials.
    OAuth2ClientCredentials {
        /// The token endpoint: the authority with the path of `endpoints.token`.
        token_url: String,
        /// The client's id.
        client_id: String,
        /// The client's secret.
        client_secret: String,
        /// How the client authenticates at the token endpoint.
        client_authentication: ClientAuthentication,
        /// Scopes asked for.
        #[serde(default)]
        scopes: Vec<String>,
        /// Audiences asked for.
        #[serde(default)]
        audiences: Vec<String>,
    },
    /// All properties of a scheme come from one secret, which holds them as a JSON object with the
    /// names that the DSL gives them (`username`, `password`; `token`; `authority`, `client`, …).
    Secret {
        /// The scheme.
        of: AuthenticationScheme,
        /// The secret's name, as declared in `use.secrets`.
        secret: String,
    },
}

/// The schemes of [`Authentication::Secret`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthenticationScheme {
    /// HTTP Basic.
    Basic,
    /// A bearer token.
    Bearer,
    /// OAuth 2 client credentials.
    #[serde(rename = "oauth2")]
    OAuth2,
}

/// How a client authenticates at a token endpoint (RFC 6749 section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// In the form body; what the DSL assumes.
    #[default]
    ClientSecretPost,
    /// In the Authorization header.
    ClientSecretBasic,
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallOutput {
    /// The HTTP status.
    pub status: u16,
    /// Header fields, names in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body: see [`CallTarget::output`]. Null when there was none.
    pub content: Value,
    /// What was sent.
    pub request: RequestFacts,
}

/// What was sent, without credentials.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RequestFacts {
    /// The method.
    pub method: String,
    /// The address.
    pub uri: String,
    /// Header fields that hold no credential.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

impl CallOutput {
    /// The task's output in the wanted shape.
    pub(crate) fn shaped(&self, shape: OutputShape) -> Value {
        match shape {
            OutputShape::Content | OutputShape::Raw => self.content.clone(),
            OutputShape::Response => serde_json::json!({
                "request": {
                    "method": self.request.method,
                    "uri": self.request.uri,
                    "headers": self.request.headers,
                },
                "statusCode": self.status,
                "headers": self.headers,
                "content": self.content,
            }),
        }
    }
}
