//! What of an integration goes on by itself: its subscriptions and schedules, as the engine takes them.

use std::time::Duration;

use qc_engine::{Bus, Schedule, Subscription, Takes, Times};
use qc_expression::Expression;
use qc_model::Finding;
use qc_workflow::{Program, Zone};

use super::triggers::{compile_jq, load_schema};
use crate::{
    Project,
    integration::{
        Beginning, EventSpec, Integration, Rhythm, ScheduleSpec, TenantSpec, TriggerForm,
        TriggerSpec,
    },
    project::{IntegrationFolder, Loaded},
    shape::Jq,
};

/// Compiles what an integration has on the bus and when its runs begin by themselves. What is wrong is among the
/// findings, and not in the result.
pub(crate) fn standing(
    project: &Project,
    folder: &IntegrationFolder,
    findings: &mut Vec<Finding>,
) -> Bus {
    let mut bus = Bus::default();
    let events = project.organisation().and_then(|file| file.value.events.as_ref());
    if let Some(retention) = events.and_then(|events| events.retention) {
        bus.retention = retention;
    }
    let (Some(definition), Some(program)) = (&folder.definition, &folder.program) else {
        return bus;
    };
    bus.lifecycle = definition.value.lifecycle_events;
    let mut compiling = Compiling { project, folder, definition, findings };
    for (name, spec) in definition.value.triggers.iter() {
        match &spec.form {
            TriggerForm::Event(event) => {
                let made = compiling.subscription(spec, event);
                bus.subscriptions.extend(made.map(|made| (name.value.clone(), made)));
            }
            TriggerForm::Schedule(schedule) if begins_with_events(schedule, program) => {
                let made = compiling.of_workflow(spec);
                bus.subscriptions.extend(made.map(|made| (name.value.clone(), made)));
            }
            TriggerForm::Schedule(schedule) => {
                let made = compiling.schedule(spec, schedule, program);
                bus.schedules.extend(made.map(|made| (name.value.clone(), made)));
            }
            TriggerForm::CloudEvents { .. }
            | TriggerForm::Json { .. }
            | TriggerForm::Webhook { .. }
            | TriggerForm::Amqp { .. }
            | TriggerForm::Poll { .. } => {}
        }
    }
    bus
}

/// Whether a trigger takes up a workflow's own `schedule.on`.
fn begins_with_events(schedule: &ScheduleSpec, program: &Program) -> bool {
    matches!(schedule.rhythm, Some(Rhythm::OfWorkflow))
        && matches!(program.schedule(), Some(qc_workflow::Schedule::On(_)))
}

struct Compiling<'a> {
    project: &'a Project,
    folder: &'a IntegrationFolder,
    definition: &'a Loaded<Integration>,
    findings: &'a mut Vec<Finding>,
}

/// Something is wrong, and among the findings.
struct Told;

impl Compiling<'_> {
    fn expression(&mut self, jq: Option<&Jq>) -> Result<Option<Expression>, Told> {
        let compiled = jq.map(|jq| compile_jq(self.definition, jq, &[])).transpose();
        compiled.map_err(|finding| {
            self.findings.push(*finding);
            Told
        })
    }

    fn subscription(&mut self, spec: &TriggerSpec, event: &EventSpec) -> Option<Subscription> {
        let (filter, subject) =
            (self.expression(event.filter.as_ref()), self.expression(spec.subject.as_ref()));
        let input = self.expression(spec.input.as_ref());
        let contract = match &spec.contract {
            None => None,
            Some(path) => match load_schema(self.project, self.folder, &path.path) {
                Ok(schema) => Some(schema),
                Err(found) => {
                    self.findings.extend(found);
                    return None;
                }
            },
        };
        let types = event.types.iter().map(|kind| kind.value.clone()).collect();
        Some(Subscription {
            tenant: tenant_of(spec),
            takes: Takes::Types { types, filter: filter.ok()? },
            contract,
            subject: subject.ok()?,
            input: input.ok()?,
            from_beginning: event.from == Beginning::Oldest,
            max_rate: event.max_rate.as_ref().map(|rate| rate.per_second()),
        })
    }

    fn of_workflow(&mut self, spec: &TriggerSpec) -> Option<Subscription> {
        let (subject, input) =
            (self.expression(spec.subject.as_ref()), self.expression(spec.input.as_ref()));
        Some(Subscription {
            tenant: tenant_of(spec),
            takes: Takes::Workflow,
            contract: None,
            subject: subject.ok()?,
            input: input.ok()?,
            from_beginning: false,
            max_rate: None,
        })
    }

    fn schedule(
        &mut self,
        spec: &TriggerSpec,
        schedule: &ScheduleSpec,
        program: &Program,
    ) -> Option<Schedule> {
        let (subject, input) =
            (self.expression(spec.subject.as_ref()), self.expression(spec.input.as_ref()));
        let (zone, zone_name) = match &schedule.time_zone {
            Some(zone) => (zone.value.clone(), self.written(zone.span)),
            None => (Zone::utc(), "UTC".to_owned()),
        };
        let cron = |cron: &qc_workflow::Cron| Times::Cron { cron: cron.clone(), zone, zone_name };
        let times = match (schedule.rhythm.as_ref()?, program.schedule()) {
            (Rhythm::Every(every), _) => Times::Every { ms: millis(every.value) },
            (Rhythm::Cron(pattern), _) => cron(&pattern.value),
            (Rhythm::OfWorkflow, Some(qc_workflow::Schedule::Every { ms })) => {
                Times::Every { ms: *ms }
            }
            (Rhythm::OfWorkflow, Some(qc_workflow::Schedule::After { ms })) => {
                Times::After { ms: *ms }
            }
            (Rhythm::OfWorkflow, Some(qc_workflow::Schedule::Cron(pattern))) => cron(pattern),
            (Rhythm::OfWorkflow, Some(qc_workflow::Schedule::On(_)) | None) => return None,
        };
        Some(Schedule {
            tenant: tenant_of(spec)?,
            times,
            overlap: schedule.overlap,
            catch_up: schedule.catch_up,
            jitter: schedule.jitter.unwrap_or_default(),
            subject: subject.ok()?,
            input: input.ok()?,
        })
    }

    /// A word of the file, without its quotes.
    fn written(&self, span: qc_document::Span) -> String {
        let text = self
            .definition
            .source
            .text
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default();
        text.trim_matches(['"', '\'']).to_owned()
    }
}

fn tenant_of(spec: &TriggerSpec) -> Option<qc_model::TenantName> {
    match &spec.tenant {
        TenantSpec::Fixed(tenant) => Some(tenant.value.clone()),
        TenantSpec::FromEvent(_) | TenantSpec::OfEvent => None,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
