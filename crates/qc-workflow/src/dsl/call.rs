//! The `call` task.

use qc_document::{Node, ObjectReader, Reader, Span};

use super::{
    AuthenticationUse, Call, Text,
    authentication::authentication_use,
    fields::{is_expression, required_text, text, unsupported},
};
use crate::{OutputShape, codes};

/// Reads `call` and `with`.
pub(super) fn call(task: &mut ObjectReader<'_, '_>) -> Option<Call> {
    let reader = task.reader();
    let name = required_text(task, "call");
    let with = task.optional("with");
    let name = name?;
    match &*name.text {
        "http" => http(reader, with_object(task, with)?),
        "openapi" => openapi(reader, with_object(task, with)?),
        "asyncapi" | "grpc" | "mcp" | "a2a" => {
            let feature = format!("call: {}", name.text);
            let help = "call it over HTTP, with `call: http`, `call: openapi` or a connector";
            unsupported(reader, name.span, &feature, help);
            None
        }
        other if other.contains("://") => {
            let help = "put the function into `use.functions`: nothing is fetched at run time";
            unsupported(reader, name.span, "call: a function at a URL", help);
            None
        }
        other if other.contains('@') => {
            let help = "put the function into `use.functions`: there are no catalogs";
            unsupported(reader, name.span, "call: a function of a catalog", help);
            None
        }
        _ => {
            let with = with.filter(|node| reader.entries(node, "`with`").is_some()).cloned();
            Some(Call::Named { name, with })
        }
    }
}

fn with_object<'r, 'n>(
    task: &mut ObjectReader<'r, 'n>,
    with: Option<&'n Node>,
) -> Option<ObjectReader<'r, 'n>> {
    if with.is_none() {
        // Reports the missing key.
        task.required("with");
        return None;
    }
    task.object("with")
}

fn http(reader: &Reader<'_>, mut with: ObjectReader<'_, '_>) -> Option<Call> {
    let method = required_text(&mut with, "method").and_then(|method| http_method(reader, &method));
    let endpoint = with.required("endpoint").and_then(|node| endpoint(reader, node));
    let headers = table(&mut with, "headers");
    let query = table(&mut with, "query");
    let body = with.optional("body").cloned();
    let output = output(&mut with);
    let redirect = with.optional_bool("redirect").unwrap_or(false);
    with.finish();
    let (endpoint, authentication) = endpoint?;
    let method = method?;
    Some(Call::Http { method, endpoint, headers, query, body, authentication, output, redirect })
}

fn http_method(reader: &Reader<'_>, method: &Text) -> Option<String> {
    let name = method.text.to_ascii_uppercase();
    let legal = !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    if !legal {
        let message = "`method` must be the name of an HTTP method, written out";
        reader.report(codes::ENDPOINT, method.span, message);
        return None;
    }
    Some(name)
}

/// An object of values, or an expression that gives one.
fn table(with: &mut ObjectReader<'_, '_>, key: &'static str) -> Option<Node> {
    let node = with.optional(key)?;
    let expression = node.as_str().is_some_and(is_expression);
    if !expression && node.as_mapping().is_none() {
        with.reader().wrong_kind(node, &format!("`{key}`"), "an object or an expression");
        return None;
    }
    Some(node.clone())
}

fn output(with: &mut ObjectReader<'_, '_>) -> OutputShape {
    let words = [
        ("content", OutputShape::Content),
        ("response", OutputShape::Response),
        ("raw", OutputShape::Raw),
    ];
    with.optional_choice("output", &words).unwrap_or_default()
}

fn endpoint(reader: &Reader<'_>, node: &Node) -> Option<(Text, Option<AuthenticationUse>)> {
    if node.as_str().is_some() {
        return Some((text(node)?, None));
    }
    let mut fields = reader.object(node, "`endpoint`")?;
    let uri = required_text(&mut fields, "uri");
    let authentication =
        fields.optional("authentication").and_then(|node| authentication_use(reader, node));
    fields.finish();
    Some((uri?, authentication))
}

fn openapi(reader: &Reader<'_>, mut with: ObjectReader<'_, '_>) -> Option<Call> {
    let document = with.object("document").and_then(|resource| document(reader, resource));
    let operation = required_text(&mut with, "operationId");
    let parameters = with.optional("parameters").cloned();
    if let Some(node) = &parameters
        && node.as_str().is_none_or(|written| !is_expression(written))
    {
        reader.entries(node, "`parameters`");
    }
    let authentication =
        with.optional("authentication").and_then(|node| authentication_use(reader, node));
    let output = output(&mut with);
    let redirect = with.optional_bool("redirect").unwrap_or(false);
    with.finish();
    let (document, operation) = (document?, operation?);
    Some(Call::OpenApi { document, operation, parameters, authentication, output, redirect })
}

/// The document of an OpenAPI call: an address that the release pins, so it is written out.
fn document(reader: &Reader<'_>, mut resource: ObjectReader<'_, '_>) -> Option<Text> {
    resource.optional_string("name");
    let node = resource.required("endpoint");
    resource.finish();
    let node = node?;
    let written = if node.as_str().is_some() {
        text(node)
    } else {
        let mut endpoint = reader.object(node, "`endpoint`")?;
        if let Some((at, _)) = endpoint.entry("authentication") {
            let help = "the release holds the document; nothing is fetched at run time";
            unsupported(reader, at.span, "authentication for a document", help);
        }
        let uri = required_text(&mut endpoint, "uri");
        endpoint.finish();
        uri
    }?;
    if is_expression(&written.text) {
        computed_document(reader, written.span);
        return None;
    }
    Some(written)
}

fn computed_document(reader: &Reader<'_>, span: Span) {
    let help = "write the address out: the release pins the document";
    unsupported(reader, span, "an expression for a document", help);
}
