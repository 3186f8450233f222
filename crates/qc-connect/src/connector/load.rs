use std::{collections::BTreeMap, sync::Arc, time::Duration};

use qc_contract::{Files, OpenApi};
use qc_document::{Document, Node, ObjectReader, ParseLimits, Reader, Source, parse_yaml};
use qc_model::{EnvironmentName, Finding, Name};
use qc_workflow::Effect;
use url::Url;

use super::{
    AuthProfile, BatchRule, CanaryRule, Connector, DeclaredLimit, OAuth, OperationRules,
    Pagination, Repairs, ResponseValidation, Rules, Webhook,
    effect::EffectRule,
    errors,
    errors::StatusMatch,
    retry,
    retry::milliseconds,
    setting::{Setting, secret_field},
};
use crate::{
    codes,
    webhook::{Challenge, SignatureScheme},
};

/// How long an attempt may take when nothing is declared.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest time for which a limit is declared.
const LONGEST_LIMIT: Duration = Duration::from_secs(31 * 24 * 3600);
/// The longest that can be declared.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(600);

/// The files below a folder, named relative to it.
struct Within<'f> {
    files: &'f dyn Files,
    folder: &'f str,
}

impl Files for Within<'_> {
    fn text(&self, path: &str) -> Option<Arc<str>> {
        self.files.text(&format!("{}/{path}", self.folder))
    }
}

impl Connector {
    /// Loads the package in `folder` (`connectors/<name>`, relative to the files' root, without a slash at its end).
    /// All findings at once, with places relative to the root.
    pub fn load(files: &dyn Files, folder: &str) -> (Option<Self>, Vec<Finding>) {
        let path = format!("{folder}/connector.yaml");
        let Some(text) = files.text(&path) else {
            let message = format!("`{folder}` has no `connector.yaml`");
            return (None, vec![Finding::error(codes::MISSING_FILE, message)]);
        };
        let source = Source::new(path, text);
        match parse_yaml(source, &ParseLimits::default()) {
            Ok(document) => load(&Within { files, folder }, &document),
            Err(finding) => (None, vec![*finding]),
        }
    }
}

fn load(files: &Within<'_>, document: &Document) -> (Option<Connector>, Vec<Finding>) {
    let reader = Reader::new(&document.source);
    let Some(mut top) = reader.object(&document.root, "a connector") else {
        return (None, reader.finish());
    };
    let name = name(&mut top, files.folder);
    let version = top.parse("version", semantic_version);
    let title = top.string("title").map(str::to_owned);
    let owner = top.optional_string("owner").map(str::to_owned);
    let (api, mut findings) = open_api(files, &mut top);
    let rules = rules(&mut top, api.as_ref());
    top.finish();
    findings.splice(0..0, reader.finish());
    let connector = (|| {
        Some(Connector {
            name: name?,
            version: version?,
            title: title?,
            owner,
            api: Arc::new(api?),
            rules: Arc::new(rules?),
        })
    })();
    (connector, findings)
}

fn name(top: &mut ObjectReader<'_, '_>, folder: &str) -> Option<Name> {
    let node = top.optional("name");
    let name = top.parse("name", Name::new)?;
    let expected = folder.rsplit('/').next().unwrap_or(folder);
    if let Some(node) = node
        && name.as_str() != expected
    {
        let message = format!("the connector is named `{name}`, but its folder `{expected}`");
        top.reader().report(codes::NAME_MISMATCH, node.span, message);
    }
    Some(name)
}

/// `MAJOR.MINOR.PATCH`, with an optional pre-release and build as Semantic Versioning 2.0.0 writes them.
fn semantic_version(text: &str) -> Result<String, String> {
    let wrong = || "not a semantic version such as `1.4.0`".to_owned();
    let (rest, build) = text.split_once('+').map_or((text, None), |(a, b)| (a, Some(b)));
    let (core, pre) = rest.split_once('-').map_or((rest, None), |(a, b)| (a, Some(b)));
    let number = |part: &str| {
        !part.is_empty()
            && part.len() <= 9
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let identifiers = |part: &str| {
        part.split('.').all(|one| {
            !one.is_empty() && one.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
    };
    let parts: Vec<&str> = core.split('.').collect();
    let legal = parts.len() == 3
        && parts.iter().all(|part| number(part))
        && pre.is_none_or(identifiers)
        && build.is_none_or(identifiers);
    if legal { Ok(text.to_owned()) } else { Err(wrong()) }
}

/// Loads the document, with its overlay. Findings inside it get places relative to the project's root.
fn open_api(files: &Within<'_>, top: &mut ObjectReader<'_, '_>) -> (Option<OpenApi>, Vec<Finding>) {
    let node = top.optional("openapi");
    let entry = top.string("openapi");
    let overlay_node = top.optional("overlay");
    let overlay = top.optional_string("overlay");
    let reader = top.reader();
    let mut present = true;
    for (node, file) in [(node, entry), (overlay_node, overlay)] {
        if let (Some(node), Some(file)) = (node, file)
            && files.text(file).is_none()
        {
            let message = format!("`{}/{file}` is not there", files.folder);
            reader.report(codes::MISSING_FILE, node.span, message);
            present = false;
        }
    }
    let Some(entry) = entry.filter(|_| present) else { return (None, Vec::new()) };
    let overlays: Vec<&str> = overlay.into_iter().collect();
    let (api, mut findings) = OpenApi::load_with_overlays(files, entry, &overlays);
    for finding in &mut findings {
        let places = finding.place.iter_mut();
        for place in places.chain(finding.labels.iter_mut().map(|label| &mut label.place)) {
            place.file = format!("{}/{}", files.folder, place.file).into();
        }
    }
    (api, findings)
}

fn rules(top: &mut ObjectReader<'_, '_>, api: Option<&OpenApi>) -> Option<Rules> {
    let reader = top.reader();
    let base_urls = base_urls(reader, top.entries("base_urls"));
    let auth_node = top.optional("auth");
    let auth = match (top.has("auth"), top.optional_object("auth")) {
        (false, _) => Some((AuthProfile::None, None)),
        (true, auth) => auth.and_then(AuthProfile::read),
    };
    let (auth, certificate) = auth.unzip();
    if let (Some(node), Some(AuthProfile::Connection(oauth))) = (auth_node, &auth) {
        check_probe(reader, api, node, oauth);
    }
    let (total, connect) = top.optional_object("timeouts").map(timeouts).unwrap_or_default();
    let retry = top.optional_object("retry").map(retry::read);
    let retryable = top.has("retryable_statuses").then(|| {
        let nodes = top.list("retryable_statuses");
        nodes.iter().filter_map(|node| StatusMatch::read(reader, node)).collect()
    });
    let limits = limits(top, api);
    let errors = errors::read(top);
    let validations =
        [("observe", ResponseValidation::Observe), ("enforce", ResponseValidation::Enforce)];
    let validation = top.optional_choice("response_validation", &validations).unwrap_or_default();
    let operations_node = top.optional("operations");
    let operations = operations(top, api);
    if let Some(node) = operations_node {
        check_batches(reader, node, &operations, &limits);
    }
    let webhook = top.optional_object("webhook").and_then(webhook);
    if let (Some(node), Some(AuthProfile::Connection(oauth))) = (auth_node, &auth)
        && oauth.probe.as_ref().is_some_and(|probe| {
            operations.get(&probe.operation).is_some_and(|rules| rules.pagination.is_some())
        })
    {
        reader.invalid(node, "a probe asks once: its operation has no `pagination`");
    }
    Some(Rules {
        base_urls,
        auth: auth?,
        certificate: certificate?,
        timeout_ms: milliseconds(total.unwrap_or(TIMEOUT)),
        connect,
        retry: retry.unwrap_or_default(),
        retryable,
        limits,
        errors,
        operations,
        validation,
        webhook,
    })
}

/// How long an attempt may take, and how long a connection may take of that.
fn timeouts(mut object: ObjectReader<'_, '_>) -> (Option<Duration>, Option<Duration>) {
    let total = timeout(&mut object, "total");
    let node = object.optional("connect");
    let connect = timeout(&mut object, "connect");
    if let (Some(node), Some(connect)) = (node, connect)
        && connect > total.unwrap_or(TIMEOUT)
    {
        let message = "`connect` is longer than `total`, which the connection is a part of";
        object.reader().invalid(node, message.to_owned());
    }
    object.finish();
    (total, connect)
}

fn timeout(object: &mut ObjectReader<'_, '_>, key: &'static str) -> Option<Duration> {
    let node = object.optional(key)?;
    let length = object.optional_duration(key)?;
    if length.is_zero() || length > LONGEST_TIMEOUT {
        object.reader().invalid(node, format!("`{key}` is more than 0 and at most 10m"));
        return None;
    }
    Some(length)
}

fn base_urls(
    reader: &Reader<'_>,
    entries: &[(qc_document::Key, Node)],
) -> BTreeMap<EnvironmentName, Setting> {
    let mut urls = BTreeMap::new();
    for (key, node) in entries {
        let Some(text) = reader.text(node, "a base URL") else { continue };
        let environment = match EnvironmentName::new(&key.name) {
            Ok(environment) => environment,
            Err(error) => {
                reader.report(codes::BAD_BASE_URL, key.span, error.to_string());
                continue;
            }
        };
        let setting = Setting::parse(text).and_then(|setting| match setting.constant() {
            Some(url) => check_base_url(&url).map(|()| setting),
            None => Ok(setting),
        });
        match setting {
            Ok(setting) => drop(urls.insert(environment, setting)),
            Err(message) => reader.report(codes::BAD_BASE_URL, node.span, message),
        }
    }
    urls
}

/// Whether a text can be a base address.
pub(crate) fn check_base_url(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("a base URL begins with `https://` or `http://`".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a base URL holds no credentials; use `auth`".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("a base URL has no query and no fragment".to_owned());
    }
    Ok(())
}

/// What the vendor documents of its limits: a rate, how many calls at once, or both.
fn limits(top: &mut ObjectReader<'_, '_>, api: Option<&OpenApi>) -> Vec<DeclaredLimit> {
    let reader = top.reader();
    let mut limits: Vec<DeclaredLimit> = Vec::new();
    for mut object in top.objects("limits") {
        let span = object.span();
        let requests = object.optional_integer("requests", 1..=1_000_000_000);
        let node = object.optional("per");
        let per = object.optional_duration("per");
        let concurrent = object.optional_integer("concurrent", 1..=100_000);
        let wrong = requests.is_none() && object.has_value("requests")
            || per.is_none() && object.has_value("per")
            || concurrent.is_none() && object.has_value("concurrent");
        let named = object.optional("operations").map(|node| node.span);
        let mut operations = Vec::new();
        for node in object.list("operations") {
            let Some(id) = reader.text(node, "an operation's id") else { continue };
            if api.is_some_and(|api| api.operation(id).is_none()) {
                unknown_operation(reader, api, id, node.span);
            }
            operations.push(id.to_owned());
        }
        object.finish();
        if let (Some(span), true) = (named, operations.is_empty()) {
            let message = "a limit that names no operation is for none: leave `operations` out for all that no other names";
            reader.report(codes::BAD_LIMIT, span, message);
            continue;
        }
        if let (Some(node), Some(per)) = (node, per)
            && (per.is_zero() || per > LONGEST_LIMIT)
        {
            reader.invalid(node, "`per` is more than 0 and at most 31d");
            continue;
        }
        let rate = match (requests, per) {
            (Some(requests), Some(per)) => Some((u32::try_from(requests).unwrap_or(u32::MAX), per)),
            (None, None) if concurrent.is_some() => None,
            // What is wrong of them is a finding already.
            _ if wrong => continue,
            _ => {
                let message = "a limit is `requests` with `per`, or `concurrent`, or both";
                reader.report(codes::BAD_LIMIT, span, message);
                continue;
            }
        };
        let overlaps = limits.iter().any(|other| {
            other.operations != operations
                && other.operations.iter().any(|id| operations.contains(id))
        });
        if overlaps {
            let message = "an operation is in two limits that name different operations";
            reader.report(codes::BAD_LIMIT, span, message);
            continue;
        }
        let concurrent = concurrent.and_then(|most| u32::try_from(most).ok());
        limits.push(DeclaredLimit { rate, concurrent, operations });
    }
    limits
}

fn operations(
    top: &mut ObjectReader<'_, '_>,
    api: Option<&OpenApi>,
) -> BTreeMap<String, OperationRules> {
    let reader = top.reader();
    let mut operations = BTreeMap::new();
    let known = |id: &str| api.is_none_or(|api| api.operation(id).is_some());
    for (key, mut object) in top.named_objects("operations") {
        if !known(&key.name) {
            unknown_operation(reader, api, &key.name, key.span);
        }
        let effect = object.optional_object("effect").and_then(EffectRule::read);
        let verify_node = object.node().at("/effect/verify/operation");
        if let (Some(node), Some(verify)) =
            (verify_node, effect.as_ref().and_then(|e| e.verify.as_ref()))
        {
            check_verify(reader, api, node, &verify.operation);
        }
        let timeout_ms = timeout(&mut object, "timeout").map(milliseconds);
        let retry = object.optional_object("retry").map(retry::read);
        let pages_node = object.optional("pagination");
        let pagination = object.optional_object("pagination").and_then(Pagination::read);
        if let (Some(node), Some(_), Some(found)) =
            (pages_node, &pagination, api.and_then(|api| api.operation(&key.name)))
            && EffectRule::derived(found.method.as_str()).class != Effect::Idempotent
        {
            reader.invalid(node, "only an operation that reads can have pages");
        }
        let repairs = object.optional_object("repairs").and_then(Repairs::read);
        let node = object.optional("canary");
        let canary = object.optional_object("canary").map(CanaryRule::read);
        let found = api.and_then(|api| Some((api, api.operation(&key.name)?)));
        if let (Some(node), Some(canary), Some((api, found))) = (node, &canary, found)
            && let Some(why) = canary.refused(api, found, effect.as_ref())
        {
            reader.invalid(node, why);
        }
        let node = object.optional("batch");
        let batch = object.optional_object("batch").and_then(BatchRule::read);
        if let (Some(node), Some(batch), Some((api, found))) = (node, &batch, found) {
            batch.check(reader, node, (api, found), (effect.as_ref(), pagination.is_some()));
        }
        object.finish();
        let rules =
            OperationRules { effect, timeout_ms, retry, pagination, repairs, canary, batch };
        operations.insert(key.name.to_string(), rules);
    }
    operations
}

/// Calls that go together count as one request against the limit of a single call. The operation that takes many must not
/// have another limit, which they would not be held to, nor pages, of which they would read the first.
fn check_batches(
    reader: &Reader<'_>,
    node: &Node,
    operations: &BTreeMap<String, OperationRules>,
    limits: &[DeclaredLimit],
) {
    let family = |id: &str| {
        limits
            .iter()
            .find(|one| one.operations.iter().any(|op| op == id))
            .map(|one| &one.operations)
    };
    for (single, rule) in operations.iter().filter_map(|(id, one)| Some((id, one.batch.as_ref()?)))
    {
        let many = &rule.operation;
        let has_pages = operations.get(many).is_some_and(|rules| rules.pagination.is_some());
        let why = if has_pages {
            format!("`{many}` has pages, and the request of many calls reads none")
        } else if family(single) == family(many) {
            continue;
        } else {
            format!(
                "`{single}` and `{many}` are in different limits: calls that go together count against one; name both in it"
            )
        };
        let at = node.at(&format!("/{single}/batch")).unwrap_or(node);
        reader.report(codes::BAD_BATCH, at.span, why);
    }
}

fn check_verify(reader: &Reader<'_>, api: Option<&OpenApi>, node: &Node, operation: &str) {
    let Some(api) = api else { return };
    match api.operation(operation) {
        None => unknown_operation(reader, Some(api), operation, node.span),
        Some(found) if !matches!(found.method.as_str(), "GET" | "HEAD" | "QUERY" | "POST") => {
            reader.invalid(node, "a read-back must not change anything");
        }
        Some(_) => {}
    }
}

/// A probe changes nothing.
fn check_probe(reader: &Reader<'_>, api: Option<&OpenApi>, auth: &Node, oauth: &OAuth) {
    let (Some(probe), Some(api)) = (&oauth.probe, api) else { return };
    match api.operation(&probe.operation) {
        None => unknown_operation(reader, Some(api), &probe.operation, auth.span),
        Some(found) if !matches!(found.method.as_str(), "GET" | "HEAD" | "QUERY") => {
            reader.invalid(auth, "a `probe` must not change anything: it is a GET, HEAD or QUERY");
        }
        Some(_) => {}
    }
}

pub(super) fn unknown_operation(
    reader: &Reader<'_>,
    api: Option<&OpenApi>,
    operation: &str,
    span: qc_document::Span,
) {
    let message = format!("the document has no operation `{operation}`");
    let mut finding = reader.error(codes::UNKNOWN_OPERATION, span, message);
    let names = api.map(OpenApi::operations).unwrap_or_default().iter().map(|one| &*one.id);
    if let Some(name) = qc_document::closest(operation, names) {
        finding = finding.help(format!("did you mean `{name}`?"));
    }
    reader.push(finding);
}

fn webhook(mut object: ObjectReader<'_, '_>) -> Option<Webhook> {
    let reader = object.reader();
    let signature = object.required("signature").and_then(|n| SignatureScheme::parse(reader, n));
    let secret = object.required("secret").and_then(|node| secret_field(reader, "secret", node));
    let challenge = object.optional("challenge").and_then(|node| Challenge::parse(reader, node));
    object.finish();
    Some(Webhook { signature: signature?, secret: secret?, challenge })
}
