//! What an integration publishes of the events that it emits.

use qc_document::{Node, Reader};
use qc_model::Name;
use serde_json::{Value, json};

use super::{BrokerName, BrokerSpec};
use crate::shape::{Definitions, Fields, Jq, ProjectPath, Record, Shape, Spanned};

/// Events of one type that others may rely on.
#[derive(Debug, Clone)]
pub struct PublicationSpec {
    /// The events' type.
    pub kind: Spanned<EventType>,
    /// Where they go.
    pub to: TargetSpec,
    /// The contract of their data.
    pub contract: Option<ProjectPath>,
    /// In which region they arrive, as `data_movement` names regions.
    pub region: Option<Spanned<Name>>,
}

/// Where events go.
#[derive(Debug, Clone)]
pub struct TargetSpec {
    /// An exchange.
    pub amqp: ExchangeSpec,
}

/// An exchange of an AMQP 0-9-1 broker.
#[derive(Debug, Clone)]
pub struct ExchangeSpec {
    /// The broker.
    pub broker: Spanned<BrokerSpec>,
    /// The exchange.
    pub exchange: BrokerName,
    /// The routing key, over the event.
    pub routing_key: Jq,
}

/// The type of an event: it goes into headers and indexes, which bound it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType(pub String);

const TYPE_LONGEST: usize = 255;

impl Shape for EventType {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let text = String::read(node, what, reader)?;
        if text.len() > TYPE_LONGEST {
            reader.invalid(node, format!("{what} must have at most {TYPE_LONGEST} bytes"));
            return None;
        }
        Some(Self(text))
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "minLength": 1, "maxLength": TYPE_LONGEST })
    }
}

impl Record for PublicationSpec {
    const NAME: &'static str = "publication";
    const DOC: &'static str = "Events of one type that the workflow emits and others may rely on.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let kind = f.required("type", "The events' type, such as `com.example.order.shipped`.");
        let to = f.required("to", "Where they go.");
        let contract = f.optional(
            "contract",
            "The JSON Schema of the events' data, a file of this folder: what others may rely on.",
        );
        let region = f.optional(
            "region",
            "In which region they arrive, as the rules of `data_movement` name it.",
        );
        Some(Self { kind: kind?, to: to?, contract, region })
    }
}

impl Record for TargetSpec {
    const NAME: &'static str = "publication_target";
    const DOC: &'static str = "Where events go.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let amqp = f.required("amqp", "To an exchange of an AMQP 0-9-1 broker.");
        Some(Self { amqp: amqp? })
    }
}

impl Record for ExchangeSpec {
    const NAME: &'static str = "amqp_target";
    const DOC: &'static str = "An exchange of an AMQP 0-9-1 broker.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let broker =
            f.required("broker", "The broker: a secret that is its whole address, or its parts.");
        let exchange = f.required("exchange", "The exchange. It must be there: none is made.");
        let routing_key = f.required(
            "routing_key",
            "The routing key: jq over the event, such as `\"order.\" + .data.country`.",
        );
        Some(Self { broker: broker?, exchange: exchange?, routing_key: routing_key? })
    }
}
