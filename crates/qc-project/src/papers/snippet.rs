//! What a sender runs to send a payload.

use qc_version::Select;
use serde_json::{Value, json};

use super::line;
use crate::integration::{TriggerAccess, TriggerForm, TriggerSpec};

/// Ends the payload in a script. JSON has no such line.
const END: &str = "PAYLOAD";

/// How a trigger is sent to.
#[derive(Debug, Clone)]
pub(super) enum Sending {
    /// Over HTTP.
    Http { address: String, proof: Proof, body: Body },
    /// As messages of a queue.
    Queue { queue: String },
    /// Nobody sends.
    Fetched,
}

/// How a sender shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    Token,
    Signature,
    Nothing,
}

/// What is around a payload.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Plain,
    /// An event of this type.
    CloudEvent(String),
}

impl Sending {
    pub(super) fn of(integration: &str, trigger: &str, spec: &TriggerSpec) -> Self {
        let proof = match spec.access.value {
            TriggerAccess::Token => Proof::Token,
            TriggerAccess::Signature { .. } => Proof::Signature,
            TriggerAccess::Open | TriggerAccess::Fetched | TriggerAccess::Timed => Proof::Nothing,
        };
        let address = format!("{integration}/{trigger}");
        match &spec.form {
            TriggerForm::Json { .. } | TriggerForm::Webhook { .. } => {
                Self::Http { address, proof, body: Body::Plain }
            }
            TriggerForm::CloudEvents { types, .. } => {
                let kind = types.first().map_or("com.example.event", |kind| kind.value.as_str());
                Self::Http { address, proof, body: Body::CloudEvent(kind.to_owned()) }
            }
            TriggerForm::Amqp { source, .. } => Self::Queue { queue: source.queue.0.clone() },
            TriggerForm::Poll { .. } | TriggerForm::Schedule(_) | TriggerForm::Event(_) => {
                Self::Fetched
            }
        }
    }

    /// What the script needs, in words.
    pub(super) fn said(&self) -> String {
        let server = "`QC_SERVER` is the server's address and `QC_ENVIRONMENT` the environment";
        match self {
            Self::Http { proof: Proof::Token, .. } => {
                format!("{server}; `QC_TOKEN` is your token.")
            }
            Self::Http { proof: Proof::Signature, .. } => format!(
                "{server}; `QC_SIGNED` is a file with the header fields of your signature over this very body, one on each \
                 line, made as before: what is signed changes, how it is signed does not."
            ),
            Self::Http { proof: Proof::Nothing, .. } => format!("{server}."),
            Self::Queue { queue } => {
                format!(
                    "Put it into the queue `{queue}` with the attribute that names the version."
                )
            }
            Self::Fetched => "Nobody sends it: it is fetched.".to_owned(),
        }
    }

    /// Sends a payload in a version, for a POSIX shell with curl.
    pub(super) fn script(&self, select: &Select, version: &str, payload: &str) -> Option<String> {
        let Self::Http { address, proof, body } = self else { return None };
        let (media, sent) = match body {
            Body::Plain => ("application/json", payload.to_owned()),
            Body::CloudEvent(kind) => {
                let data: Value = serde_json::from_str(payload).ok()?;
                let event = json!({
                    "specversion": "1.0", "id": format!("example-{version}"), "source": "/example",
                    "type": kind, "data": data,
                });
                let text = serde_json::to_string_pretty(&event).ok()?;
                ("application/cloudevents+json", text)
            }
        };
        let mut fields =
            vec![format!("content-type: {media}"), format!("{}: {version}", select.header)];
        match proof {
            Proof::Token => fields.push("authorization: Bearer $QC_TOKEN".to_owned()),
            Proof::Signature | Proof::Nothing => {}
        }
        let mut script = format!(
            "curl --silent --show-error --fail-with-body --include \\\n  \"$QC_SERVER/in/$QC_ENVIRONMENT/{address}\" \\\n"
        );
        for field in fields {
            line(&mut script, format_args!("  --header \"{field}\" \\"));
        }
        if *proof == Proof::Signature {
            script.push_str("  --header @\"$QC_SIGNED\" \\\n");
        }
        line(&mut script, format_args!("  --data-binary @- <<'{END}'\n{sent}\n{END}"));
        Some(script)
    }
}
