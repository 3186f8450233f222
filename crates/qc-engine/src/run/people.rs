//! Calls that people answer, and people who are asked what becomes of a run.

use std::{collections::BTreeMap, time::Duration};

use qc_model::{Actor, Class, Failure, NextAction, Retry, Timestamp};
use qc_workflow::{
    CallId, CallOutput, CallRequest, CallTarget, FILLED, Happening as Told, HumanKind, HumanTask,
    RequestFacts, read_human,
};
use serde_json::{Value, json};

use super::{ActiveRun, in_a_line};
use crate::{
    EngineError, People, RunEnd, codes,
    command::{Command, Request, TaskDeed},
    draft::Draft,
    entry::Journaled,
    happening::What,
    person::{
        Decision, PersonTask, Rung, StuckAct, TaskAnswer, TaskKind, TaskState, TaskStep, VERSION,
        check, compiled, refused, shown_hash,
    },
    record,
};

/// The titles of tasks about runs that cannot go on.
const PARKED: &str = "A run cannot go on by itself";
const DEAD: &str = "A run ended in failure";

/// A call that a person answers instead: which task of the run that failed, and what with.
#[derive(Debug, Clone)]
pub(super) struct Skip {
    pointer: String,
    output: Value,
}

impl ActiveRun {
    /// The workflow asks a person: opens a task, or fails the call when it cannot be asked.
    pub(super) fn ask_person(&mut self, request: CallRequest, draft: &mut Draft) {
        let CallTarget::Human { ask, arguments } = &request.target else { return };
        match self.question(*ask, arguments, draft.at) {
            Ok(task) => {
                let task = PersonTask { call: Some(request.id), attempt: request.attempt, ..task };
                self.open_task(task, draft);
            }
            Err(detail) => {
                let failure = Failure {
                    next_action: NextAction::FixRequest,
                    ..Failure::new(
                        Class::Invalid,
                        codes::TASK_ARGUMENTS,
                        "nobody can be asked this",
                        detail,
                    )
                };
                let (call, attempt) = (request.id, request.attempt);
                draft.told.push_back(Told::CallFailed { call, attempt, failure });
            }
        }
    }

    fn question(
        &self,
        ask: HumanKind,
        arguments: &Value,
        at: Timestamp,
    ) -> Result<PersonTask, String> {
        let people = &self.context.deployment.release.people;
        let (asked, problems) = read_human(ask, arguments, false);
        let Some(asked) = asked else {
            let told: Vec<String> = problems.into_iter().map(|one| one.message).collect();
            return Err(told.join("; "));
        };
        if let Some(schema) = &asked.schema {
            compiled(schema)?;
        }
        let ladder = self.ladder_of(&asked, at)?;
        for rung in &ladder {
            if *people != People::default() && !people.knows(&rung.to) {
                return Err(format!(
                    "`{}` is no person and no team of the organisation",
                    rung.to.chars().take(80).collect::<String>()
                ));
            }
        }
        let HumanTask { title, description, of, options, schema, deadline_ms, on_expiry, .. } =
            asked;
        Ok(PersonTask {
            title,
            description,
            of,
            options,
            schema,
            deadline: deadline_ms.map(|after| at + Duration::from_millis(after)),
            on_expiry,
            ..self.task(ask.into(), ladder, at)
        })
    }

    /// Who is asked: whom the task names, and then its own escalation, or else the integration's.
    fn ladder_of(&self, asked: &HumanTask, at: Timestamp) -> Result<Vec<Rung>, String> {
        let release = &self.context.deployment.release;
        let own = asked.escalation.iter();
        let mut levels: Vec<(String, Duration)> =
            own.map(|level| (level.to.clone(), Duration::from_millis(level.after_ms))).collect();
        if levels.is_empty() {
            let limit = asked.deadline_ms.map(Duration::from_millis);
            let named = asked.assignee.is_some();
            let theirs = release.people.escalation.iter();
            // Whom the task names stands for those whom the integration asks at once.
            let later = theirs.filter(|level| {
                limit.is_none_or(|limit| level.after < limit) && !(named && level.after.is_zero())
            });
            levels.extend(later.map(|level| (level.to.clone(), level.after)));
        }
        let usual = release.people.asked.clone().or_else(|| release.owner.clone());
        rungs(asked.assignee.clone(), usual, levels, at).ok_or_else(|| {
            "nobody is asked: name an `assignee`, or `owners` of the integration".to_owned()
        })
    }

    /// A task of this run about which nothing is said yet.
    fn task(&self, kind: TaskKind, ladder: Vec<Rung>, at: Timestamp) -> PersonTask {
        let facts = self.facts();
        PersonTask {
            v: VERSION,
            run: facts.id,
            number: self.tasks.next_number(),
            kind,
            tenant: facts.tenant.clone(),
            environment: facts.environment.clone(),
            integration: facts.integration.clone(),
            subject: facts.subject.clone(),
            call: None,
            attempt: 0,
            title: String::new(),
            description: None,
            of: Value::Null,
            hash: String::new(),
            options: Vec::new(),
            schema: None,
            actions: Vec::new(),
            level: u32::try_from(ladder.iter().filter(|rung| rung.at <= at).count()).unwrap_or(1),
            ladder,
            deadline: None,
            on_expiry: None,
            opened_at: at,
            state: TaskState::Open,
        }
    }

    fn open_task(&mut self, mut task: PersonTask, draft: &mut Draft) {
        task.hash = shown_hash(&task.of);
        let asked: Vec<String> = task.asked().map(str::to_owned).collect();
        self.step_task(
            TaskStep::Opened { task: Box::new(task) },
            "opened",
            Some(asked.join(", ")),
            draft,
        );
    }

    /// Journals a step of a task, and says it to the ledger, to those who listen, and to those who will look.
    fn step_task(
        &mut self,
        step: TaskStep,
        outcome: &'static str,
        who: Option<String>,
        draft: &mut Draft,
    ) {
        draft.journal(Journaled::Person { step: step.clone() });
        let number = match &step {
            TaskStep::Opened { .. } => None,
            TaskStep::Escalated { number, .. } | TaskStep::Moved { number, .. } => Some(*number),
        };
        let from = number.and_then(|number| self.tasks.get(number)?.holder());
        let Some(task) = self.tasks.apply(step) else { return };
        let facts = &self.context.facts;
        let mut title = task.title.clone();
        self.custody.clean_text(&mut title);
        let row =
            record::person_asked(facts, draft.at, task, (&title, outcome), (from, who.as_deref()));
        draft.ledger(row);
        draft.people.push(What::Person {
            task: task.id().to_string(),
            kind: task.kind.as_str(),
            state: outcome,
            title,
            who,
        });
        draft.tasks.insert(task.number, task.clone());
    }

    fn move_task(&mut self, number: u32, to: TaskState, who: Option<String>, draft: &mut Draft) {
        let outcome = to.as_str();
        self.step_task(TaskStep::Moved { number, to }, outcome, who, draft);
    }

    fn close(&mut self, number: u32, why: &str, draft: &mut Draft) {
        let to = TaskState::Closed { at: draft.at, why: why.to_owned() };
        self.move_task(number, to, None, draft);
    }

    /// The machine gave a call up that waits for a person: nobody has to answer any more. False: it does not wait for
    /// one.
    pub(super) fn withdraw_question(&mut self, call: &CallId, draft: &mut Draft) -> bool {
        let Some(task) = self.tasks.asking(call) else { return false };
        let (number, attempt) = (task.number, task.attempt);
        self.close(number, "the run no longer waits for the answer", draft);
        let failure = Failure::new(
            Class::Cancelled,
            codes::CUT_OFF,
            "the call was cut off",
            "nobody had answered",
        );
        draft.told.push_back(Told::CallFailed { call: call.clone(), attempt, failure });
        true
    }

    /// The machine is about to hear something: what people were asked about it needs no answer any more.
    pub(super) fn people_hear(&mut self, told: &Told, draft: &mut Draft) {
        let (call, why) = match told {
            Told::CallSucceeded { call, .. } => (Some(call), "the call has its answer"),
            Told::CallFailed { call, .. } => (Some(call), "the call has failed for good"),
            Told::Reopened => (None, "the run was opened again"),
            _ => return,
        };
        let task = self.tasks.stuck(call).map(|task| task.number);
        if let Some(number) = task.filter(|number| self.acting != Some(*number)) {
            self.close(number, why, draft);
        }
    }

    /// A call is parked: somebody is asked what is to become of it, when the integration says whom.
    pub(super) fn ask_about_parked(&mut self, call: &CallId, failure: &Failure, draft: &mut Draft) {
        if self.tasks.stuck(Some(call)).is_some() {
            return;
        }
        let mut actions = vec![StuckAct::Resume, StuckAct::Skip];
        if self.machine().program().compensated().next().is_some() {
            actions.push(StuckAct::Compensate);
        }
        actions.push(StuckAct::Discard);
        self.ask_about(Some(call.clone()), PARKED, failure, actions, &call.pointer.clone(), draft);
    }

    /// The run is at its end: nobody has to answer any more. When it failed, somebody is asked what becomes of it.
    pub(super) fn people_at_the_end(&mut self, end: &RunEnd, draft: &mut Draft) {
        let acting = self.acting;
        let open = self.tasks.open().map(|task| task.number);
        let open: Vec<u32> = open.filter(|number| acting != Some(*number)).collect();
        for number in open {
            self.close(number, "the run is at its end", draft);
        }
        if let RunEnd::Faulted { failure, error } = end {
            let place = error["instance"].as_str().unwrap_or("/").to_owned();
            let actions = match self.undone() {
                Some(_) => vec![StuckAct::Discard],
                None if self.failed_call(error).is_some() => {
                    vec![StuckAct::Resume, StuckAct::Skip, StuckAct::Discard]
                }
                None => vec![StuckAct::Resume, StuckAct::Discard],
            };
            self.ask_about(None, DEAD, failure, actions, &place, draft);
        }
    }

    /// The place of the call that failed, when it was one.
    fn failed_call(&self, error: &Value) -> Option<String> {
        let place = error["instance"].as_str()?;
        let program = self.machine().program();
        program.calls().any(|site| &*site.pointer == place).then(|| place.to_owned())
    }

    fn ask_about(
        &mut self,
        call: Option<CallId>,
        title: &str,
        failure: &Failure,
        actions: Vec<StuckAct>,
        place: &str,
        draft: &mut Draft,
    ) {
        let release = &self.context.deployment.release;
        let (mode, levels) = release.people.after(place, failure);
        if levels.is_empty() {
            return;
        }
        let levels = levels.iter().map(|level| (level.to.clone(), level.after)).collect();
        let Some(ladder) = rungs(None, release.owner.clone(), levels, draft.at) else { return };
        let of = json!({
            "code": failure.code,
            "class": failure.class,
            "title": failure.title,
            "detail": failure.detail,
            "applied": failure.applied,
            "owner": failure.owner,
            "failure_mode": mode,
            "task": place,
            "call": call.as_ref().map(ToString::to_string),
        });
        let task = PersonTask {
            title: title.to_owned(),
            description: Some(in_a_line(failure)),
            of,
            actions,
            call,
            ..self.task(TaskKind::Stuck, ladder, draft.at)
        };
        self.open_task(task, draft);
    }

    /// Asks the next ones whose time has come, and ends what nobody answered in time.
    pub(super) fn wake_people(&mut self, entropy: u64, draft: &mut Draft) {
        let due: Vec<u32> = self
            .tasks
            .open()
            .filter(|task| task.next_at().is_some_and(|at| at <= draft.at))
            .map(|task| task.number)
            .collect();
        for number in due {
            self.escalate(number, draft);
            self.expire(number, draft);
        }
        self.tell_on(entropy, draft);
    }

    fn escalate(&mut self, number: u32, draft: &mut Draft) {
        while let Some(task) = self.tasks.get(number) {
            let next = usize::try_from(task.level).ok().and_then(|level| task.ladder.get(level));
            let due = next.filter(|rung| task.state == TaskState::Open && rung.at <= draft.at);
            let Some(to) = due.map(|rung| rung.to.clone()) else { return };
            let step = TaskStep::Escalated { number, level: task.level + 1 };
            self.step_task(step, "escalated", Some(to), draft);
        }
    }

    fn expire(&mut self, number: u32, draft: &mut Draft) {
        let Some(task) = self.tasks.get(number) else { return };
        let over = task.deadline.is_some_and(|at| at <= draft.at);
        let (true, true, Some(call)) = (over, task.state.is_open(), task.call.clone()) else {
            return;
        };
        let (attempt, answer, hash) = (task.attempt, task.on_expiry.clone(), task.hash.clone());
        let id = task.id();
        self.move_task(
            number,
            TaskState::Expired { at: draft.at, answer: answer.clone() },
            None,
            draft,
        );
        let told = if let Some(answer) = answer {
            let content = json!({
                "decision": answer, "by": null, "at": draft.at, "reason": null, "hash": hash,
                "expired": true, "task": id.to_string(),
            });
            Told::CallSucceeded { call, attempt, output: answered(content) }
        } else {
            let failure = Failure {
                retry: Retry::Never,
                next_action: NextAction::ContactOwner,
                ..Failure::new(
                    Class::Expired,
                    codes::TASK_EXPIRED,
                    "nobody answered in time",
                    format!("the deadline of {id} is over"),
                )
            };
            Told::CallFailed { call, attempt, failure }
        };
        draft.told.push_back(told);
    }

    /// Somebody does something to a task of this run.
    pub(super) fn on_task(
        &mut self,
        number: u32,
        deed: &TaskDeed,
        command: &Command,
        entropy: u64,
        draft: &mut Draft,
    ) -> Result<(), EngineError> {
        if let TaskDeed::Wake = deed {
            self.wake_people(entropy, draft);
            return Ok(());
        }
        let task = self.tasks.get(number).cloned().ok_or_else(|| {
            EngineError::NoTask(crate::TaskId { run: self.facts().id, number }.to_string())
        })?;
        let actor = &command.actor;
        match deed {
            TaskDeed::Wake => Ok(()),
            TaskDeed::Claim => self.claim(&task, actor, draft),
            TaskDeed::Answer { given } => self.decide(&task, given, actor, entropy, draft),
            TaskDeed::Act { act, output, reason } => {
                let act = Act { how: *act, output: output.as_ref(), reason: reason.as_deref() };
                self.act(&task, &act, command, entropy, draft)
            }
        }
    }

    fn claim(
        &mut self,
        task: &PersonTask,
        actor: &Actor,
        draft: &mut Draft,
    ) -> Result<(), EngineError> {
        match &task.state {
            TaskState::Claimed { by, .. } if by == actor => return Ok(()),
            state if state.is_open() => {}
            _ => return Err(over(task)),
        }
        let deed = record::operated(self.facts(), draft.at, actor, "task.claim", "");
        draft.ledger(record::of_task(deed, task, json!({})));
        let to = TaskState::Claimed { by: actor.clone(), at: draft.at };
        self.move_task(task.number, to, Some(actor.id.clone()), draft);
        Ok(())
    }

    fn decide(
        &mut self,
        task: &PersonTask,
        given: &TaskAnswer,
        actor: &Actor,
        entropy: u64,
        draft: &mut Draft,
    ) -> Result<(), EngineError> {
        if let TaskState::Decided { decision } = &task.state
            && decision.answer == given.answer
            && decision.data == given.data
            && decision.by == *actor
        {
            return Ok(());
        }
        if !task.state.is_open() {
            return Err(over(task));
        }
        check(task, given)?;
        let Some(call) = task.call.clone() else { return Err(over(task)) };
        let decision = Decision {
            answer: given.answer.clone(),
            data: given.data.clone(),
            by: actor.clone(),
            at: draft.at,
            reason: given.reason.clone(),
            hash: task.hash.clone(),
        };
        let reason = given.reason.as_deref().unwrap_or_default();
        let deed = record::operated(self.facts(), draft.at, actor, "task.decide", reason);
        let more = json!({"decision": given.answer, "hash": task.hash});
        draft.ledger(record::of_task(deed, task, more));
        let mut content = json!({
            "decision": given.answer, "by": actor.id, "at": draft.at, "reason": given.reason,
            "hash": task.hash, "expired": false, "task": task.id().to_string(),
        });
        if given.answer == FILLED && task.kind == TaskKind::Fill {
            content["data"] = given.data.clone().unwrap_or_default();
        }
        self.move_task(task.number, TaskState::Decided { decision }, Some(actor.id.clone()), draft);
        let told = Told::CallSucceeded { call, attempt: task.attempt, output: answered(content) };
        #[cfg(feature = "planted-bugs")]
        if crate::planted::planted(crate::planted::Bug::AnswerNotTold) {
            return Ok(());
        }
        self.tell(told, entropy, draft);
        Ok(())
    }

    /// A run that cannot go on by itself goes on as a person says.
    fn act(
        &mut self,
        task: &PersonTask,
        act: &Act<'_>,
        command: &Command,
        entropy: u64,
        draft: &mut Draft,
    ) -> Result<(), EngineError> {
        let actor = &command.actor;
        if let TaskState::Acted { act: done, by, .. } = &task.state
            && *done == act.how
            && by == actor
        {
            return Ok(());
        }
        if !task.state.is_open() {
            return Err(over(task));
        }
        if !task.actions.contains(&act.how) {
            let offered: Vec<&str> = task.actions.iter().map(|act| act.as_str()).collect();
            let offered = if offered.is_empty() {
                format!("it is to {}", task.kind.as_str())
            } else {
                format!("it can be {}", offered.join(", "))
            };
            let detail = format!("`{}` does nothing to {}: {offered}", act.how.as_str(), task.id());
            return Err(refused(Class::Conflict, codes::TASK_ACT, "Not to be done here", detail));
        }
        let told = self.acting.replace(task.number);
        let done = self.carry_out(task, act, command, entropy, draft);
        self.acting = told;
        done?;
        let reason = act.reason.unwrap_or_default();
        let deed = record::operated(self.facts(), draft.at, actor, "task.act", reason);
        draft.ledger(record::of_task(deed, task, json!({"act": act.how})));
        let to = TaskState::Acted {
            act: act.how,
            by: actor.clone(),
            at: draft.at,
            reason: act.reason.map(str::to_owned),
        };
        self.move_task(task.number, to, Some(actor.id.clone()), draft);
        Ok(())
    }

    fn carry_out(
        &mut self,
        task: &PersonTask,
        act: &Act<'_>,
        command: &Command,
        entropy: u64,
        draft: &mut Draft,
    ) -> Result<(), EngineError> {
        let reason = act.reason.map_or_else(|| format!("by {}", task.id()), str::to_owned);
        let what = match (act.how, &task.call) {
            (StuckAct::Resume, Some(call)) => {
                let doubtful = self
                    .parked
                    .get(call)
                    .is_some_and(|parked| parked.failure.code == codes::AMBIGUOUS);
                if doubtful {
                    let resolution = crate::Resolution::NotApplied;
                    Request::Resolve { call: Some(call.to_string()), resolution }
                } else {
                    Request::Resume
                }
            }
            (StuckAct::Resume, None) => Request::Retry { out_of_order: false, newest: false },
            (StuckAct::Skip, Some(call)) => return self.skip_parked(call, act, entropy, draft),
            (StuckAct::Skip, None) => {
                let pointer = match &self.end {
                    Some(RunEnd::Faulted { error, .. }) => self.failed_call(error),
                    _ => None,
                };
                let pointer = pointer.ok_or_else(|| over(task))?;
                self.skip = Some(Skip { pointer, output: act.output.cloned().unwrap_or_default() });
                Request::Retry { out_of_order: false, newest: false }
            }
            (StuckAct::Compensate, _) => Request::Cancel { reason, compensate: true },
            (StuckAct::Discard, _) => Request::Cancel { reason, compensate: false },
        };
        let inner = Command {
            what,
            actor: command.actor.clone(),
            letter: None,
            reopening: command.reopening.clone(),
            mending: None,
            reply: tokio::sync::oneshot::channel().0,
        };
        let done = self.operate(&inner, entropy, draft);
        self.skip = None;
        done
    }

    /// A parked call has its answer from a person.
    fn skip_parked(
        &mut self,
        call: &CallId,
        act: &Act<'_>,
        entropy: u64,
        draft: &mut Draft,
    ) -> Result<(), EngineError> {
        let parked = self.parked.remove(call).ok_or_else(|| {
            self.wrong_state("the call is under way again; look at its run before you skip it")
        })?;
        self.log.remove(call);
        let (attempt, output) =
            (parked.request.attempt, answered(act.output.cloned().unwrap_or_default()));
        self.tell(Told::CallSucceeded { call: call.clone(), attempt, output }, entropy, draft);
        Ok(())
    }

    /// A call that a person has answered in its place is not made. Gives it back when there is no such answer.
    pub(super) fn skipped(
        &mut self,
        request: CallRequest,
        draft: &mut Draft,
    ) -> Option<CallRequest> {
        let skip = self.skip.take_if(|skip| skip.pointer == *request.id.pointer);
        let Some(skip) = skip else { return Some(request) };
        self.log.remove(&request.id);
        let (call, attempt) = (request.id, request.attempt);
        draft.told.push_back(Told::CallSucceeded { call, attempt, output: answered(skip.output) });
        None
    }

    /// A call that a person answers is taken up again. False: it is none.
    pub(super) fn still_asks(&mut self, request: &CallRequest, draft: &mut Draft) -> bool {
        if !matches!(request.target, CallTarget::Human { .. }) {
            return false;
        }
        if self.tasks.asking(&request.id).is_none() {
            self.ask_person(request.clone(), draft);
            self.tell_on(0, draft);
        }
        true
    }
}

/// What somebody says is to become of a run.
struct Act<'a> {
    how: StuckAct,
    output: Option<&'a Value>,
    reason: Option<&'a str>,
}

/// Those who are asked, from when on: whoever is named; else whoever is to be asked at once, else the usual one. None:
/// nobody is.
fn rungs(
    named: Option<String>,
    usual: Option<String>,
    levels: Vec<(String, Duration)>,
    at: Timestamp,
) -> Option<Vec<Rung>> {
    let at_once = levels.first().is_some_and(|(_, after)| after.is_zero());
    let first = named.or(if at_once { None } else { usual });
    let mut ladder: Vec<Rung> = first.iter().map(|to| Rung { to: to.clone(), at }).collect();
    let later =
        levels.into_iter().filter(|(to, after)| !after.is_zero() || first.as_ref() != Some(to));
    ladder.extend(later.map(|(to, after)| Rung { to, at: at + after }));
    // Nobody is not asked at all only because nobody is asked at once.
    ladder.first_mut()?.at = at;
    Some(ladder)
}

fn answered(content: Value) -> CallOutput {
    CallOutput { status: 200, headers: BTreeMap::new(), content, request: RequestFacts::default() }
}

/// A task that is over.
fn over(task: &PersonTask) -> EngineError {
    let how = match &task.state {
        TaskState::Open | TaskState::Claimed { .. } => "not in a state for this".to_owned(),
        TaskState::Decided { decision } => {
            format!("decided already: `{}` by {}", decision.answer, decision.by.id)
        }
        TaskState::Acted { act, by, .. } => format!("done already: {} by {}", act.as_str(), by.id),
        TaskState::Expired { .. } => "over: nobody answered in time".to_owned(),
        TaskState::Closed { why, .. } => format!("closed: {why}"),
    };
    refused(
        Class::Conflict,
        codes::TASK_OVER,
        "The task is over",
        format!("{} is {how}", task.id()),
    )
}
