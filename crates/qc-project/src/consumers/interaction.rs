//! One interaction of a Pact file that is about a trigger.

use qc_contract::{
    Schema,
    pact::{Body, Content, Exchange, Interaction, Request, Response},
};
use qc_version::{Versions, expectation::Miss};
use serde_json::Value;

/// The media type of a CloudEvent in one JSON object.
const CLOUD_EVENT: &str = "application/cloudevents+json";

/// What a consumer sends to a trigger, and what it expects.
pub(super) struct Asked<'a> {
    pub(super) trigger: &'a str,
    version: Option<&'a str>,
    description: &'a str,
    request: &'a Request,
    response: &'a Response,
}

/// One version of a contract.
pub(super) struct Side<'a> {
    pub(super) contract: Option<&'a Schema>,
    pub(super) reply: Option<&'a Schema>,
}

/// What becomes of a request, as far as a consumer says what it expects.
enum Expected {
    Taken,
    Refused,
    /// Something else, which no contract decides.
    Other,
}

impl<'a> Asked<'a> {
    /// None: it is no request to a trigger of this integration. The environment and what stands before `/in/` may be any.
    pub(super) fn of(interaction: &'a Interaction, integration: &str) -> Option<Self> {
        let Exchange::Http { request, response } = &interaction.exchange else { return None };
        let (_, path) = request.path.split_once("/in/")?;
        let segments: Vec<&str> = path.split('/').collect();
        let (of, trigger, version) = match segments[..] {
            [_, of, trigger] => (of, trigger, None),
            [_, of, trigger, version] => (of, trigger, Some(version)),
            _ => return None,
        };
        let description = interaction.description.as_str();
        (of == integration).then_some(Self { trigger, version, description, request, response })
    }

    pub(super) fn missed(&self, why: String) -> Miss {
        Miss { interaction: self.description.to_owned(), why }
    }

    /// The version that it speaks; an error says why it speaks none.
    pub(super) fn version(&self, versions: &Versions, consumer: &str) -> Result<usize, String> {
        let select = &versions.select;
        if self.version.is_some() && !select.path {
            return Err("its address says a version, which this contract does not read".to_owned());
        }
        let attribute = match select.attribute.as_deref() {
            Some(name) => self.attribute(name)?,
            None => None,
        };
        let field = self.header(&select.header);
        let said: Vec<&str> =
            [self.version, field, attribute.as_deref()].into_iter().flatten().collect();
        if said.windows(2).any(|pair| pair[0].trim() != pair[1].trim()) {
            return Err("it says two different versions".to_owned());
        }
        let spoken = versions.spoken(said.first().copied(), &[consumer]);
        spoken.map_err(|unknown| unknown.to_string())
    }

    /// An attribute of the CloudEvent that it sends, in a field of its own or in the event's object.
    fn attribute(&self, name: &str) -> Result<Option<String>, String> {
        if self.header("ce-specversion").is_some() {
            return Ok(self.header(&format!("ce-{name}")).map(str::to_owned));
        }
        // What is no event at all is told where its data are held against the contract.
        let event = self.content().filter(|content| self.is_event(content));
        let Some(event) = event.and_then(|content| json(content).ok()) else { return Ok(None) };
        match event.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err("its version is said in an attribute that is no text".to_owned()),
        }
    }

    fn content(&self) -> Option<&Content> {
        let Body::Present(content) = &self.request.body else { return None };
        Some(content)
    }

    /// Whether its body is a CloudEvent in one JSON object.
    fn is_event(&self, content: &Content) -> bool {
        let media = content.media_type.split(';').next().unwrap_or_default().trim();
        let said = self.header("content-type").unwrap_or_default();
        [media, said].iter().any(|it| it.starts_with(CLOUD_EVENT))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let of = |headers: &'a [(String, Vec<String>)]| {
            let field = headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name))?;
            field.1.first().map(String::as_str)
        };
        of(&self.request.headers)
    }

    /// Why it does not go at a version; None: it does, or no contract decides it.
    pub(super) fn held(&self, side: &Side<'_>) -> Option<Miss> {
        if !self.request.method.eq_ignore_ascii_case("post") {
            return Some(
                self.missed(format!("events are sent with POST, not {}", self.request.method)),
            );
        }
        let broken = match (side.contract, self.data()) {
            (None, _) => None,
            (Some(_), Err(why)) => Some(why),
            (Some(contract), Ok(data)) => contract.check(&data).first().map(ToString::to_string),
        };
        match (self.expected(), broken) {
            (Expected::Taken, Some(why)) => {
                Some(self.missed(format!("the event is refused: {why}")))
            }
            (Expected::Refused, None) => {
                Some(self.missed("it is to be refused, and would be taken".to_owned()))
            }
            (Expected::Taken, None) => self.answered(side),
            (Expected::Refused, Some(_)) | (Expected::Other, _) => None,
        }
    }

    fn expected(&self) -> Expected {
        match self.response.status {
            None | Some(200..=299) => Expected::Taken,
            Some(400 | 422) => Expected::Refused,
            Some(_) => Expected::Other,
        }
    }

    /// Whether what it expects to hear fits what is answered.
    fn answered(&self, side: &Side<'_>) -> Option<Miss> {
        match self.response.status {
            None | Some(200 | 202) => {}
            Some(status) => {
                let why = format!("it expects {status}; the answer is 202, and 200 for who waits");
                return Some(self.missed(why));
            }
        }
        let (Some(reply), Some(200), Body::Present(content)) =
            (side.reply, self.response.status, &self.response.body)
        else {
            return None;
        };
        let why = match json(content) {
            Ok(output) => reply.check(&output).first().map(ToString::to_string)?,
            Err(why) => why,
        };
        Some(self.missed(format!("it expects an answer that does not come: {why}")))
    }

    /// The event's data.
    fn data(&self) -> Result<Value, String> {
        let content = self.content().ok_or("it has no body")?;
        let document = json(content)?;
        let is_event = self.is_event(content);
        Ok(if is_event { document.get("data").cloned().unwrap_or(Value::Null) } else { document })
    }
}

fn json(content: &Content) -> Result<Value, String> {
    serde_json::from_slice(&content.bytes).map_err(|_| "its body is no JSON".to_owned())
}
