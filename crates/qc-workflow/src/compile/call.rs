//! Calls: what is called, with which policy, and how it authenticates.

use std::sync::Arc;

use qc_document::{Span, closest};

use super::{Compiler, variables::Stage};
use crate::{
    CallPolicy, Effect, HUMAN, HumanKind, OutputShape, RetryPolicy, codes,
    dsl::{self, Text, is_expression},
    program::{
        Call, CallSite, Credentials, Endpoint, Kind, Part, Shape, SiteTarget, Target, TaskIndex,
    },
};

/// Where a call stands.
#[derive(Clone, Copy)]
pub(super) struct Site<'s> {
    pub(super) pointer: &'s Arc<str>,
    pub(super) name: &'s Text,
    pub(super) depth: usize,
}

impl Compiler<'_> {
    pub(super) fn call(&mut self, call: &dsl::Call, site: Site<'_>) -> Option<Kind> {
        let mut kind = self.call_itself(call, site)?;
        if let Kind::Call(plan) = &mut kind {
            plan.unreachable = self.unreachable(site);
        }
        Some(kind)
    }

    fn call_itself(&mut self, call: &dsl::Call, site: Site<'_>) -> Option<Kind> {
        match call {
            dsl::Call::Named { name, with } => self.named(name, with.as_ref(), site),
            dsl::Call::Http {
                method,
                endpoint,
                headers,
                query,
                body,
                authentication,
                output,
                redirect,
            } => {
                let headers = headers.as_ref().and_then(|node| self.table(node));
                let query = query.as_ref().and_then(|node| self.table(node));
                let body = body.as_ref().and_then(|node| self.data(node, Stage::Definition));
                let authentication = self.authentication(authentication.as_ref());
                let plan = self.endpoint(endpoint);
                let fallback = self.bindings.http_default(method);
                let (method, written) = (method.clone(), endpoint.text.to_string());
                let target = SiteTarget::Http { method: method.clone(), endpoint: written };
                let policy = self.policy(site, target, fallback, true);
                let redirect = *redirect;
                let endpoint = plan?;
                let target = Target::Http {
                    method,
                    endpoint,
                    headers,
                    query,
                    body,
                    authentication,
                    redirect,
                };
                Some(call_kind(policy, *output, target))
            }
            dsl::Call::OpenApi {
                document,
                operation,
                parameters,
                authentication,
                output,
                redirect,
            } => {
                let arguments = parameters.as_ref().and_then(|node| self.table(node));
                let authentication = self.authentication(authentication.as_ref());
                let policy = self.openapi_policy(document, operation, site);
                let target = Target::OpenApi {
                    document: document.text.to_string(),
                    operation: operation.text.to_string(),
                    arguments,
                    authentication,
                    redirect: *redirect,
                };
                Some(call_kind(policy, *output, target))
            }
        }
    }

    /// An object of values, or an expression for the whole object.
    fn table(&mut self, node: &qc_document::Node) -> Option<Shape> {
        if node.as_str().is_some() {
            self.shape(node, Stage::Definition)
        } else {
            self.data(node, Stage::Definition)
        }
    }

    fn openapi_policy(&mut self, document: &Text, operation: &Text, site: Site<'_>) -> CallPolicy {
        let fallback = match self.bindings.openapi(&document.text, &operation.text) {
            Ok(policy) => policy,
            Err(finding) => {
                let place = self.source.place(operation.span);
                self.findings.push(finding.at(place));
                CallPolicy::default()
            }
        };
        let target = SiteTarget::OpenApi {
            document: document.text.to_string(),
            operation: operation.text.to_string(),
        };
        self.policy(site, target, fallback, true)
    }

    /// The policy of a call, and the call's entry in the program's list.
    pub(super) fn policy(
        &mut self,
        site: Site<'_>,
        target: SiteTarget,
        fallback: CallPolicy,
        warn_once: bool,
    ) -> CallPolicy {
        let declared = self.bindings.task_override(site.pointer, &site.name.text);
        if warn_once && declared.is_none() && fallback.effect == Effect::Once {
            let message = format!(
                "`{}` is sent at most once: when its outcome is unknown the run parks for a person",
                site.name.text
            );
            let help = "declare its effect for this task in `integration.yaml`: `idempotent`, \
                        `keyed` or `verify`; or `once` if that is meant";
            self.warn(codes::SENT_ONCE, site.name.span, message, help);
        }
        let policy = declared.unwrap_or(fallback);
        self.calls.push(CallSite {
            pointer: Arc::clone(site.pointer),
            task_name: Arc::clone(&site.name.text),
            target,
            policy: policy.clone(),
            place: self.source.place(site.name.span),
        });
        policy
    }

    /// `call: name`: a function of `use.functions`, or `connector.operation`.
    fn named(
        &mut self,
        name: &Text,
        with: Option<&qc_document::Node>,
        site: Site<'_>,
    ) -> Option<Kind> {
        let arguments = with.and_then(|node| self.data(node, Stage::Definition));
        let functions = &self.workflow.components.functions;
        if functions.contains_key(&name.text) {
            let body = self.function(name, site)?;
            return Some(Kind::Function { arguments, body });
        }
        let Some((connector, operation)) = name.text.split_once('.') else {
            let near = closest(&name.text, functions.keys().map(|key| &**key));
            let help = near.map_or_else(
                || {
                    "call `http`, `openapi`, a `<connector>.<operation>`, or a function of \
                     `use.functions`"
                        .to_owned()
                },
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("there is no function `{}`", name.text);
            self.report(codes::UNKNOWN_REFERENCE, name.span, message).help = Some(help);
            return None;
        };
        if crate::is_kept(connector) {
            return self.kept(name, connector, operation, with, site);
        }
        if connector == HUMAN {
            return self.human(name, operation, with, arguments, site);
        }
        let Some(fallback) = self.bindings.operation(connector, operation) else {
            self.unknown_operation(name.span, connector, operation);
            return None;
        };
        let (connector, operation) = (connector.to_owned(), operation.to_owned());
        let target =
            SiteTarget::Connector { connector: connector.clone(), operation: operation.clone() };
        let policy = self.policy(site, target, fallback, false);
        let target = Target::Connector { connector, operation, arguments };
        Some(call_kind(policy, OutputShape::Content, target))
    }

    /// `call: human.approve | human.choose | human.fill`. Asking again changes nothing more than that a person is asked
    /// again: a replay asks anew, as what is shown may have changed.
    fn human(
        &mut self,
        name: &Text,
        operation: &str,
        with: Option<&qc_document::Node>,
        arguments: Option<Shape>,
        site: Site<'_>,
    ) -> Option<Kind> {
        let Some(ask) = HumanKind::parse(operation) else {
            let names = HumanKind::ALL.map(|kind| format!("`{HUMAN}.{}`", kind.as_str()));
            let help = closest(operation, HumanKind::ALL.map(HumanKind::as_str)).map_or_else(
                || format!("people are asked by {}", names.join(", ")),
                |near| format!("did you mean `{HUMAN}.{near}`?"),
            );
            let message = format!("people cannot be asked to `{operation}`");
            self.report(codes::UNKNOWN_OPERATION, name.span, message).help = Some(help);
            return None;
        };
        let fallback = CallPolicy {
            effect: Effect::Idempotent,
            retry: RetryPolicy::never(),
            ..CallPolicy::default()
        };
        let target = SiteTarget::Human { ask, with: with.cloned().map(Box::new) };
        let policy = self.policy(site, target, fallback, false);
        Some(call_kind(policy, OutputShape::Content, Target::Human { ask, arguments }))
    }

    fn unknown_operation(&mut self, span: Span, connector: &str, operation: &str) {
        let names = self.bindings.operation_names(connector);
        let (message, help) = if names.is_empty() {
            let message = format!("there is no connector `{connector}`");
            (message, format!("add it under `connectors/{connector}/`"))
        } else {
            let message = format!("the connector `{connector}` has no operation `{operation}`");
            let help = closest(operation, names.iter().map(String::as_str)).map_or_else(
                || {
                    let shown: Vec<String> =
                        names.iter().take(8).map(|name| format!("`{name}`")).collect();
                    format!("it has {}", shown.join(", "))
                },
                |near| format!("did you mean `{connector}.{near}`?"),
            );
            (message, help)
        };
        self.report(codes::UNKNOWN_OPERATION, span, message).help = Some(help);
    }

    /// Unfolds a function at the place of its call.
    fn function(&mut self, name: &Text, site: Site<'_>) -> Option<TaskIndex> {
        if self.functions.contains(&name.text) {
            let message = format!("the function `{}` calls itself", name.text);
            let help = "loop with `for` or with `then` to an earlier task";
            self.report(codes::RECURSIVE_FUNCTION, name.span, message).help = Some(help.into());
            return None;
        }
        let workflow = self.workflow;
        let function = workflow.components.functions.get(&name.text)?;
        self.functions.push(Arc::clone(&name.text));
        // A function sees no variables of the place that calls it.
        let locals = std::mem::take(&mut self.locals);
        // It stands in the workflow's file, from wherever it is called.
        let source = std::mem::replace(&mut self.source, workflow.source.clone());
        let prefix = format!("{}/call", site.pointer);
        let mut pointer = prefix;
        qc_document::push_pointer(&mut pointer, &name.text);
        let body = self.task(function, &pointer, &[], site.depth + 1);
        self.source = source;
        self.locals = locals;
        self.functions.pop();
        body
    }

    pub(super) fn endpoint(&mut self, text: &Text) -> Option<Endpoint> {
        if is_expression(&text.text) {
            return self.expression(text, Stage::Definition).map(Endpoint::Expression);
        }
        match parts(&text.text) {
            Ok(parts) => Some(Endpoint::Template(parts)),
            Err(problem) => {
                let help = "write an absolute `http` or `https` address with `{name}` for \
                            top-level fields of the task's input, or an expression `${ … }`";
                self.report(codes::ENDPOINT, text.span, problem).help = Some(help.to_owned());
                None
            }
        }
    }

    fn authentication(&mut self, used: Option<&dsl::AuthenticationUse>) -> Option<Credentials> {
        let workflow = self.workflow;
        let credentials = match used? {
            dsl::AuthenticationUse::Named(name) => {
                self.lookup("authentications", &workflow.components.authentications, name)?
            }
            dsl::AuthenticationUse::Inline(credentials) => credentials,
        };
        let stage = Stage::Definition;
        match credentials {
            dsl::Credentials::Basic { username, password } => {
                let username = self.wording(username, stage);
                let password = self.wording(password, stage);
                Some(Credentials::Basic { username: username?, password: password? })
            }
            dsl::Credentials::Bearer { token } => {
                let token = self.wording(token, stage)?;
                Some(Credentials::Bearer { token })
            }
            dsl::Credentials::Secret { of, name } => {
                self.check_secret(&name.text, name.span);
                Some(Credentials::Secret { of: *of, secret: name.text.to_string() })
            }
            dsl::Credentials::OAuth2 {
                authority,
                token_path,
                client_id,
                client_secret,
                client_authentication,
                scopes,
                audiences,
            } => {
                let authority = self.endpoint(authority);
                let client_id = self.wording(client_id, stage);
                let client_secret = self.wording(client_secret, stage);
                let scopes = scopes.iter().filter_map(|t| self.wording(t, stage)).collect();
                let audiences = audiences.iter().filter_map(|t| self.wording(t, stage)).collect();
                Some(Credentials::OAuth2 {
                    authority: authority?,
                    token_path: token_path.text.to_string(),
                    client_id: client_id?,
                    client_secret: client_secret?,
                    client_authentication: *client_authentication,
                    scopes,
                    audiences,
                })
            }
        }
    }
}

pub(super) fn call_kind(policy: CallPolicy, output: OutputShape, target: Target) -> Kind {
    Kind::Call(Box::new(Call { policy, output, target, unreachable: None }))
}

/// Splits a URI template with simple expansions (RFC 6570 section 3.2.2).
fn parts(template: &str) -> Result<Vec<Part>, String> {
    let absolute = ["http://", "https://"].iter().find_map(|scheme| {
        template.get(..scheme.len()).filter(|head| head.eq_ignore_ascii_case(scheme))?;
        Some(&template[scheme.len()..])
    });
    if absolute.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
        return Err(format!("`{template}` is no absolute `http` or `https` address"));
    }
    if template.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("`{template}` has white space in it"));
    }
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.find(['{', '}']) {
        let literal = &rest[..open];
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.to_owned()));
        }
        let inner = rest[open..].strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let Some((name, after)) = inner else {
            return Err(format!("`{template}` has an unpaired brace"));
        };
        if name.is_empty() || name.contains(['{', '+', '#', '/', ';', '?', '&', ',', '*', '|']) {
            return Err(format!("`{{{name}}}` in `{template}` is more than a simple variable"));
        }
        parts.push(Part::Variable(name.to_owned()));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_owned()));
    }
    Ok(parts)
}
