//! Triggers, as the engine takes them.

use std::{collections::BTreeMap, sync::Arc};

use qc_connect::webhook::{Challenge, SignatureScheme};
use qc_contract::Schema;
use qc_document::{Node, Reader, Span};
use qc_engine::{
    AmqpTrigger, BrokerAccess, Idempotency, MessageForm, OrderingRule, PollTrigger, TenantRule,
    Traffic, Trigger, TriggerAuth, TriggerKind,
};
use qc_expression::Expression;
use qc_model::{Finding, Name};
use qc_vault::SecretRef;
use qc_version::Versions;

use crate::files::relocate;
use crate::{
    Project, codes,
    integration::{
        AmqpSpec, BrokerSpec, Integration, PollSpec, SignatureRef, TenantSpec, TriggerAccess,
        TriggerForm, TriggerSpec,
    },
    project::{FilesIn, IntegrationFolder, Loaded},
    shape::{Jq, Rate, Spanned},
};

/// Compiles all triggers of an integration. What is wrong is among the findings, and not in the result.
pub(crate) fn triggers(
    project: &Project,
    folder: &IntegrationFolder,
    findings: &mut Vec<Finding>,
) -> BTreeMap<Name, Trigger> {
    let Some(definition) = &folder.definition else { return BTreeMap::new() };
    let mut compiling = Compiling { project, folder, definition, findings };
    let triggers = definition.value.triggers.iter();
    triggers
        .filter(|(_, spec)| !matches!(spec.form, TriggerForm::Schedule(_) | TriggerForm::Event(_)))
        .filter_map(|(name, spec)| {
            Some((name.value.clone(), compiling.trigger(&name.value, spec).ok()?))
        })
        .collect()
}

fn traffic(integration: &Integration, spec: &TriggerSpec) -> Traffic {
    let profile = spec.traffic.as_ref();
    let throughput = integration.nfr.as_ref().and_then(|nfr| nfr.throughput.as_ref());
    Traffic {
        average: spec.expected_rate.map(Rate::per_second),
        peak: profile.map(|profile| profile.peak.per_second()),
        peak_lasts: profile.and_then(|profile| profile.peak_lasts),
        burst: throughput
            .and_then(|throughput| throughput.burst.as_ref())
            .map_or(0, |burst| burst.0.unsigned_abs()),
    }
}

/// Compiles what keeps an integration's events in order.
pub(crate) fn ordering(
    folder: &IntegrationFolder,
    findings: &mut Vec<Finding>,
) -> Option<OrderingRule> {
    let definition = folder.definition.as_ref()?;
    let ordering = definition.value.ordering.as_ref()?;
    match compile_jq(definition, &ordering.key, &[]) {
        Ok(key) => Some(OrderingRule { key, on_failure: ordering.on_failure }),
        Err(finding) => {
            findings.push(*finding);
            None
        }
    }
}

struct Compiling<'a> {
    project: &'a Project,
    folder: &'a IntegrationFolder,
    definition: &'a Loaded<Integration>,
    findings: &'a mut Vec<Finding>,
}

impl Compiling<'_> {
    fn trigger(&mut self, name: &Name, spec: &TriggerSpec) -> Result<Trigger, Reported> {
        let webhook = self.webhook(spec);
        let kind =
            self.kind(&spec.form, webhook.as_ref().and_then(|(_, _, challenge)| challenge.clone()));
        let auth = match (&spec.access.value, webhook) {
            (TriggerAccess::Token, _) => Ok(TriggerAuth::Token),
            (TriggerAccess::Open, _) => Ok(TriggerAuth::Open),
            (TriggerAccess::Fetched, _) => Ok(TriggerAuth::Fetched),
            (TriggerAccess::Signature { .. }, Some((scheme, secret, _))) => {
                Ok(TriggerAuth::Signature { scheme, secret })
            }
            // What time pulls is not among those that the doors know.
            (TriggerAccess::Signature { .. }, None) | (TriggerAccess::Timed, _) => Err(Reported),
        };
        let tenant = match &spec.tenant {
            TenantSpec::Fixed(tenant) => Ok(TenantRule::Fixed(tenant.value.clone())),
            TenantSpec::FromEvent(jq) => self.expression(jq).map(TenantRule::FromEvent),
            TenantSpec::OfEvent => Err(Reported),
        };
        let idempotency = spec.idempotency.as_ref().map(|rule| {
            self.expression(&rule.key).map(|key| Idempotency { key, window: rule.window })
        });
        let subject = spec.subject.as_ref().map(|jq| self.expression(jq));
        let input = spec.input.as_ref().map(|jq| self.expression(jq));
        let contract = spec.contract.as_ref().map(|path| self.contract(&path.path, path.span));
        let versions = spec.versions.as_ref().map(|_| self.versions(spec));
        // An optional part that is there but wrong takes the whole trigger away.
        Ok(Trigger {
            name: name.clone(),
            kind: kind?,
            auth: auth?,
            tenant: tenant?,
            idempotency: idempotency.transpose()?,
            subject: subject.transpose()?,
            contract: contract.transpose()?,
            versions: versions.transpose()?,
            input: input.transpose()?,
            body_limit: spec.body_limit.0,
            does: spec.does.value,
            cost: spec.cost.value.0.unsigned_abs(),
            traffic: traffic(&self.definition.value, spec),
        })
    }

    fn kind(
        &mut self,
        form: &TriggerForm,
        by_connector: Option<Challenge>,
    ) -> Result<TriggerKind, Reported> {
        Ok(match form {
            TriggerForm::CloudEvents { types, challenge } => TriggerKind::CloudEvents {
                types: types.iter().map(|kind| kind.value.clone()).collect(),
                challenge: self.challenge(challenge.as_ref())?.or(by_connector),
            },
            TriggerForm::Json { event_type } => {
                TriggerKind::Json { event_type: event_type.clone() }
            }
            TriggerForm::Schedule(_) | TriggerForm::Event(_) => return Err(Reported),
            TriggerForm::Webhook { event_type, event_id, challenge } => {
                let event_id = event_id.as_ref().map(|jq| self.expression(jq));
                let challenge = self.challenge(challenge.as_ref());
                TriggerKind::Webhook {
                    event_type: self.expression(event_type)?,
                    event_id: event_id.transpose()?,
                    challenge: challenge?.or(by_connector),
                }
            }
            TriggerForm::Amqp { source, types, event_type } => {
                TriggerKind::Amqp(amqp(source, types, event_type.as_deref()))
            }
            TriggerForm::Poll { poll, event_type } => {
                TriggerKind::Poll(Box::new(self.poll(poll, event_type)?))
            }
        })
    }

    fn poll(&mut self, spec: &PollSpec, event_type: &str) -> Result<PollTrigger, Reported> {
        let arguments = spec.arguments.as_ref().map(|jq| self.expression(jq));
        let (items, cursor) = (self.expression(&spec.items), self.expression(&spec.cursor));
        Ok(PollTrigger {
            connector: spec.connector.value.to_string(),
            operation: spec.operation.value.clone(),
            arguments: arguments.transpose()?,
            every: spec.every.value,
            items: items?,
            cursor: cursor?,
            start: spec.start.clone(),
            event_type: event_type.to_owned(),
        })
    }

    /// How senders sign and with what, and the connector's handshake.
    fn webhook(
        &mut self,
        spec: &TriggerSpec,
    ) -> Option<(SignatureScheme, SecretRef, Option<Challenge>)> {
        let TriggerAccess::Signature { scheme, secret } = &spec.access.value else { return None };
        match scheme {
            SignatureRef::Inline(node) => {
                let scheme = self.read(node, SignatureScheme::parse).ok()?;
                Some((scheme, secret.clone()?, None))
            }
            SignatureRef::Connector(name) => {
                let connector = self.project.connectors().get(name.as_str());
                let Some(webhook) = connector.and_then(|connector| connector.webhook()) else {
                    // A connector that is there but broken has findings of its own.
                    if connector.is_some() || !self.project.has_connector_folder(name.as_str()) {
                        let message =
                            format!("the connector `{}` describes no webhook", name.value);
                        self.report(
                            codes::SIGNATURE,
                            name.span,
                            message,
                            "describe `webhook` in its connector.yaml, or the scheme here",
                        );
                    }
                    return None;
                };
                let secret = secret.clone().unwrap_or_else(|| webhook.secret.clone());
                Some((webhook.signature.clone(), secret, webhook.challenge.clone()))
            }
        }
    }

    fn challenge(&mut self, node: Option<&Node>) -> Result<Option<Challenge>, Reported> {
        node.map(|node| self.read(node, Challenge::parse)).transpose()
    }

    fn read<T>(
        &mut self,
        node: &Node,
        read: impl FnOnce(&Reader<'_>, &Node) -> Option<T>,
    ) -> Result<T, Reported> {
        let reader = Reader::new(&self.definition.source);
        let value = read(&reader, node);
        self.findings.extend(reader.finish());
        value.ok_or(Reported)
    }

    fn expression(&mut self, jq: &Jq) -> Result<Expression, Reported> {
        compile_jq(self.definition, jq, &[]).map_err(|finding| {
            self.findings.push(*finding);
            Reported
        })
    }

    fn contract(&mut self, path: &str, span: Span) -> Result<Schema, Reported> {
        let whole = self.folder.path(path);
        if !self.project.files().has(&whole) {
            self.report(
                codes::MISSING_FILE,
                span,
                format!("`{whole}` is not there"),
                "create it, or mend the path",
            );
            return Err(Reported);
        }
        load_schema(self.project, self.folder, path).map_err(|found| {
            self.findings.extend(found);
            Reported
        })
    }

    fn versions(&mut self, spec: &TriggerSpec) -> Result<Arc<Versions>, Reported> {
        let made = super::versions::versions(self.project, self.folder, spec, self.findings);
        made.map(Arc::new).ok_or(Reported)
    }

    fn report(&mut self, code: qc_model::Code, span: Span, message: String, help: &str) {
        let finding = Finding::error(code, message).at(self.definition.place(span));
        self.findings.push(finding.help(help));
    }
}

fn amqp(source: &AmqpSpec, types: &[Spanned<String>], event_type: Option<&str>) -> AmqpTrigger {
    let form = match event_type {
        Some(event_type) => MessageForm::Json { event_type: event_type.to_owned() },
        None => MessageForm::CloudEvents {
            types: types.iter().map(|kind| kind.value.clone()).collect(),
        },
    };
    AmqpTrigger {
        broker: broker(&source.broker.value),
        queue: source.queue.0.clone(),
        prefetch: u16::try_from(source.prefetch.0).unwrap_or(1),
        form,
    }
}

/// A broker as the engine names it.
pub(crate) fn broker(spec: &BrokerSpec) -> BrokerAccess {
    match spec {
        BrokerSpec::Url(secret) => BrokerAccess::Url(secret.clone()),
        BrokerSpec::Parts(parts) => BrokerAccess::Parts {
            url: parts.url.clone(),
            user: parts.user.clone(),
            password: parts.password.clone(),
        },
    }
}

/// What is wrong was reported; the part cannot be had.
struct Reported;

/// Loads a JSON Schema of an integration's folder; findings have places from the project's root.
pub(crate) fn load_schema(
    project: &Project,
    folder: &IntegrationFolder,
    path: &str,
) -> Result<Schema, Vec<Finding>> {
    let files = FilesIn { files: project.files(), folder: &folder.folder };
    Schema::load(&files, path).map_err(|mut findings| {
        relocate(&mut findings, &folder.folder);
        findings
    })
}

/// Compiles an expression of a project file.
pub(crate) fn compile_jq<T>(
    file: &Loaded<T>,
    jq: &Jq,
    variables: &[&str],
) -> Result<Expression, Box<Finding>> {
    Expression::parse(&jq.source, variables).map_err(|error| {
        let shown = jq.source.get(error.range.clone()).unwrap_or_default();
        let mut finding = Finding::error(
            codes::EXPRESSION,
            format!("the expression does not compile: {}", error.message),
        )
        .at(file.place(jq.span));
        if !shown.trim().is_empty() {
            finding = finding.cause(format!("at `{shown}`"));
        }
        Box::new(match error.help {
            Some(help) => finding.help(help),
            None => finding,
        })
    })
}
