use std::collections::BTreeMap;

use qc_model::Severity;

use super::*;
use crate::Description;

fn loaded(files: &[(&str, &str)]) -> (Option<AsyncApi>, Vec<Finding>) {
    let files: BTreeMap<String, String> =
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    AsyncApi::load(&files, "orders.yaml")
}

const ORDERS: &str = "
asyncapi: 3.0.0
info: {title: Orders, version: 1.0.0}
defaultContentType: application/json
servers:
  main:
    host: broker.example.com:9092
    protocol: kafka
    security: [{$ref: '#/components/securitySchemes/login'}]
channels:
  placed:
    address: 'orders/{region}/placed'
    messages:
      placed: {$ref: '#/components/messages/placed'}
      gone: {payload: {$ref: 'schemas.yaml#/gone'}}
operations:
  tell:
    action: send
    channel: {$ref: '#/channels/placed'}
    messages: [{$ref: '#/channels/placed/messages/placed'}]
    security: [{type: oauth2, scopes: ['orders:read']}]
    reply:
      address: {location: '$message.header#/replyTo'}
      channel: {$ref: '#/channels/placed'}
      messages: [{$ref: '#/channels/placed/messages/gone'}]
  take: {action: receive, channel: {$ref: '#/channels/placed'}}
components:
  securitySchemes: {login: {type: userPassword}}
  messageTraits:
    traced:
      contentType: application/cloudevents+json
      headers: {type: object, properties: {trace: {type: string}}}
  messages:
    placed:
      name: OrderPlaced
      correlationId: {location: '$message.header#/correlationId'}
      headers: {type: object, required: [correlationId]}
      payload:
        schemaFormat: application/schema+json;version=draft-07
        schema: {type: object, properties: {id: {type: string}}}
      traits: [{$ref: '#/components/messageTraits/traced'}]
";

#[test]
fn operations_bring_their_messages_traits_and_replies() {
    let (api, findings) =
        loaded(&[("orders.yaml", ORDERS), ("schemas.yaml", "gone: {type: string}")]);
    assert!(findings.is_empty(), "{findings:?}");
    let api = api.expect("is read");
    let [tell, take] = api.operations() else { panic!("two operations") };
    assert_eq!((tell.action, take.action), (Action::Send, Action::Receive));
    assert_eq!(tell.channel.address.as_deref(), Some("orders/{region}/placed"));
    let [placed] = &tell.messages[..] else { panic!("one message") };
    assert_eq!(placed.name.as_deref(), Some("OrderPlaced"));
    assert_eq!(placed.content_type.as_deref(), Some("application/cloudevents+json"));
    assert_eq!(placed.correlation.as_deref(), Some("$message.header#/correlationId"));
    let payload = placed.payload.as_ref().expect("has a payload");
    assert_eq!(&*payload.pointer, "/components/messages/placed/payload/schema");
    assert_eq!(placed.headers.len(), 2, "its own and those of its trait");
    assert_eq!(take.messages.len(), 2, "all of the channel where none is named");
    assert_eq!(take.messages[1].content_type.as_deref(), Some("application/json"));
    let reply = tell.reply.as_ref().expect("has a reply");
    assert_eq!(reply.location.as_deref(), Some("$message.header#/replyTo"));
    assert_eq!(&*reply.messages[0].id, "gone");
    let (scheme, scopes) = &tell.security[0].schemes[0];
    assert_eq!((&**scheme, &*scopes[0]), ("oauth2", "orders:read"));
    assert_eq!(api.brokers()[0].address, "kafka://broker.example.com:9092");
    assert_eq!(&*api.brokers()[0].security[0].schemes[0].0, "login");
}

#[test]
fn what_is_not_read_is_an_error_with_its_place() {
    let avro = ORDERS.replace(
        "application/schema+json;version=draft-07",
        "application/vnd.apache.avro;version=1.9.0",
    );
    for (text, code, said) in [
        (&*avro, "QC-C010", "vnd.apache.avro"),
        (&ORDERS.replace("action: send", "action: publish"), "QC-C003", "`send` or `receive`"),
        (
            &ORDERS.replace("channel: {$ref: '#/channels/placed'}}", "channel: placed}"),
            "QC-C003",
            "needs `channel`",
        ),
        (
            &ORDERS.replace(
                "{$ref: '#/components/messages/placed'}",
                "{$ref: '#/components/messages/nothing'}",
            ),
            "QC-C004",
            "nothing",
        ),
        (
            &ORDERS.replace("schemas.yaml#/gone", "https://example.com/schemas.yaml#/gone"),
            "QC-C005",
            "remote",
        ),
    ] {
        let (_, findings) =
            loaded(&[("orders.yaml", text), ("schemas.yaml", "gone: {type: string}")]);
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
        let fitting = errors.filter(|one| one.code.as_str() == code && one.message.contains(said));
        let places: Vec<_> = fitting.filter_map(|finding| finding.place.as_ref()).collect();
        assert!(!places.is_empty(), "{code} {said}: {findings:?}");
        assert!(places.iter().all(|place| place.line > 1), "{places:?}");
    }
}

#[test]
fn other_versions_are_refused_with_what_to_do() {
    for (version, help) in [("2.6.0", "convert"), ("'4.0.0'", "known is 3.x"), ("3", "a text")] {
        let text = ORDERS.replace("asyncapi: 3.0.0", &format!("asyncapi: {version}"));
        let (api, findings) = loaded(&[("orders.yaml", &text)]);
        assert!(api.is_none());
        assert_eq!(findings[0].code.as_str(), "QC-C002");
        assert!(findings[0].help.as_deref().is_some_and(|own| own.contains(help)), "{findings:?}");
    }
    let (api, findings) = loaded(&[("orders.yaml", "openapi: 3.0.0")]);
    assert!(api.is_none() && findings[0].code.as_str() == "QC-C002");
}

#[test]
fn a_description_is_known_by_its_first_key() {
    let files = BTreeMap::from([
        ("a.yaml".to_owned(), ORDERS.replace("schemas.yaml#/gone", "#/info").clone()),
        (
            "b.yaml".to_owned(),
            "{openapi: 3.1.0, info: {title: t, version: '1'}, paths: {}}".to_owned(),
        ),
    ]);
    let load = |path: &str| Description::load(&files, path).0.expect("is read");
    let (events, api) = (load("a.yaml"), load("b.yaml"));
    assert!(matches!(events, Description::AsyncApi(_)) && matches!(api, Description::OpenApi(_)));
    let profile = crate::Profile::default();
    let options = crate::Options { profile: &profile, today: None };
    assert_eq!(events.compare(&api, options).expect_err("two kinds").code.as_str(), "QC-C002");
    assert!(events.compare(&events, options).is_ok());
}

#[test]
fn what_is_called_default_is_a_name_among_channels_and_data_in_a_schema() {
    let text = "
asyncapi: 3.0.0
channels: {default: {$ref: 'channels.yaml#/orders'}}
operations: {tell: {action: send, channel: {$ref: '#/channels/default'}}}
components: {schemas: {messages: {type: object, default: {$ref: 'nowhere.yaml'}}}}
";
    let channels = "orders: {address: orders, messages: {example: {payload: {type: string}}}}";
    let (api, findings) = loaded(&[("orders.yaml", text), ("channels.yaml", channels)]);
    assert!(findings.is_empty(), "{findings:?}");
    let api = api.expect("is read");
    assert_eq!(&*api.operations()[0].messages[0].id, "example");
}
