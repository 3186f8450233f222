//! `listen`: takes events until it has what it waits for. While an event is worked on the listen is
//! closed, so that nothing is taken that would not be worked on.

use std::sync::Arc;

use qc_model::{Class, Failure, StandardError, Timestamp};
use serde_json::Value;

use super::{
    Answer, Machine, STEP_BUDGET,
    fault::Fault,
    for_each::with_locals,
    frame::{FrameId, Stage},
    list::longer,
    step::{Deed, Step},
    view::{Sight, View},
};
use crate::{
    Action, CallId, FilterIndex, ListenId, Subscription, codes,
    correlation::canonical,
    dsl::Mode,
    event_filter::{EventFilter, Expected},
    program::{Kind, Listen, Until},
};

/// A listen under way.
#[derive(Debug)]
pub(super) struct ListenState {
    pub(super) id: ListenId,
    /// What `now` is in its filters: an event fits or not whenever it is asked.
    began: Timestamp,
    /// Its place in the order of beginnings and takings.
    opened: u64,
    /// `$context` when it began.
    context: Arc<Value>,
    /// What each filter expects as the workflow says it; those of `until` come last.
    expected: Vec<Expected>,
    /// What the first event that carried a value made expected.
    fixed: Expected,
    /// Which filters had an event; those of `until` come last.
    met: Vec<bool>,
    /// The output so far, an array.
    items: Arc<Value>,
    /// The event that is being worked on.
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    item: Arc<Value>,
    /// What its tasks gave.
    worked: Option<Arc<Value>>,
}

/// That an event was taken.
#[derive(Debug)]
pub(super) struct Taken {
    by: ListenId,
    at: u64,
}

/// How an event fits.
struct Fit {
    /// Which filter; those of `until` come last.
    at: usize,
    found: Expected,
}

impl Listen {
    fn all_filters(&self) -> impl Iterator<Item = &EventFilter> {
        let until = match &self.until {
            Some(Until::Events { filters, .. }) => &filters[..],
            _ => &[],
        };
        self.filters.iter().chain(until)
    }
}

impl ListenState {
    /// What a filter expects by now.
    fn expected(&self, at: usize, filter: &EventFilter) -> Expected {
        let mut expected = self.expected[at].clone();
        for correlation in &filter.correlate {
            if let Some(value) = self.fixed.get(&correlation.name) {
                expected.entry(Arc::clone(&correlation.name)).or_insert_with(|| value.clone());
            }
        }
        expected
    }

    /// The filters that can still take an event: those of `until` first, as they decide.
    fn open<'p>(&self, plan: &'p Listen) -> Vec<(usize, &'p EventFilter)> {
        let own = plan.filters.len();
        let spent = |at: usize, mode: Mode| mode == Mode::All && self.met[at];
        let filters: Vec<(usize, &EventFilter)> = plan.all_filters().enumerate().collect();
        let (own, until) = filters.split_at(own);
        let until_mode = match &plan.until {
            Some(Until::Events { mode, .. }) => *mode,
            _ => Mode::Any,
        };
        let until = until.iter().filter(|(at, _)| !spent(*at, until_mode));
        until.chain(own.iter().filter(|(at, _)| !spent(*at, plan.mode))).copied().collect()
    }
}

impl View<'_> {
    /// The listens that wait for events, with what their filters expect by now.
    fn subscriptions(&self) -> Vec<Subscription> {
        if !self.program.listens || !self.state.running() {
            return Vec::new();
        }
        let frames = self.state.frames.ids().into_iter();
        frames.filter_map(|id| self.subscription(id)).collect()
    }

    fn listening(&self, id: FrameId) -> Option<(&ListenState, &Listen)> {
        let task = self.state.frames.task(id)?;
        let Stage::Listen(state) = &task.stage else { return None };
        match &self.program.task(task.task).kind {
            Kind::Listen(plan) if state.current.is_none() => Some((&**state, &**plan)),
            _ => None,
        }
    }

    fn subscription(&self, id: FrameId) -> Option<Subscription> {
        let (state, plan) = self.listening(id)?;
        let filters: Vec<FilterIndex> = state
            .open(plan)
            .into_iter()
            .map(|(at, filter)| filter.index(&state.expected(at, filter)))
            .collect();
        Some(Subscription { id: state.id.clone(), filters })
    }

    fn frame_of(&self, listen: &ListenId) -> Option<FrameId> {
        if !self.program.listens || !self.state.running() {
            return None;
        }
        let mut frames = self.state.frames.ids().into_iter();
        frames.find(|id| self.listening(*id).is_some_and(|(state, _)| state.id == *listen))
    }

    /// How an event fits a listen that waits.
    fn fit(&self, id: FrameId, event: &Value) -> Option<Fit> {
        let (state, plan) = self.listening(id)?;
        let (source, name) = (event["source"].as_str()?, event["id"].as_str()?);
        if self.is_spent(state, source, name) {
            return None;
        }
        let then = View { now: state.began, ..*self };
        let sight = Sight { context: Some(&state.context), ..Sight::default() };
        state.open(plan).into_iter().find_map(|(at, filter)| {
            let expected = state.expected(at, filter);
            let found = filter.fits(event, &expected, &|expr, value| {
                then.evaluate(id, expr, value, sight).ok()
            })?;
            Some(Fit { at, found })
        })
    }

    /// Whether an event counts no more for a listen: it took it, or another one did before it began.
    /// What the same listen took when an earlier attempt of a `try` began it counts again.
    fn is_spent(&self, state: &ListenState, source: &str, id: &str) -> bool {
        let taken = self.state.taken.get(&(source.to_owned(), id.to_owned()));
        taken.into_iter().flatten().any(|taken| (taken.by == state.id) == (taken.at > state.opened))
    }
}

impl Machine {
    /// Whether an event is one that a listen waits for. A pure question: what is wanted is then told
    /// with [`crate::Happening::EventReceived`], and only that needs to be journaled.
    pub fn wants(&self, id: &ListenId, event: &Value) -> bool {
        let view = self.view();
        view.frame_of(id).is_some_and(|frame| view.fit(frame, event).is_some())
    }

    /// Which beginning of a listen waits: another number after it began anew. None when it does not wait now.
    pub fn listen_opened(&self, id: &ListenId) -> Option<u64> {
        let view = self.view();
        let frame = view.frame_of(id)?;
        view.listening(frame).map(|(state, _)| state.opened)
    }

    /// The listens that wait for events.
    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.view().subscriptions()
    }

    fn view(&self) -> View<'_> {
        View { program: &self.program, state: &self.state, now: Timestamp::default() }
    }
}

impl Step<'_> {
    pub(super) fn enter_listen(
        &mut self,
        id: FrameId,
        plan: &Listen,
        input: &Value,
    ) -> Result<(), Fault> {
        let (Some(task), Some(frame)) = (self.task_of(id), self.state.frames.get(id)) else {
            return Ok(());
        };
        let (pointer, visit) = (Arc::clone(&task.pointer), Arc::clone(&frame.visit));
        let context = Arc::clone(&self.state.contexts[frame.thread]);
        let known = CallId { pointer: Arc::clone(&pointer), visit: Arc::clone(&visit) };
        let memory = self.state.memory.get(&known);
        if let Some(Answer::Value(heard)) = memory.and_then(|memory| memory.answer.as_ref()) {
            let heard = Arc::clone(heard);
            self.push(Deed::Leave(id, heard, task.then));
            return Ok(());
        }
        let expected: Vec<Expected> = plan
            .all_filters()
            .map(|filter| self.expectations(id, filter, input))
            .collect::<Result<_, Fault>>()?;
        self.state.order += 1;
        let state = ListenState {
            id: ListenId { pointer, visit },
            began: self.now,
            opened: self.state.order,
            context,
            met: vec![false; expected.len()],
            expected,
            fixed: Expected::new(),
            items: Arc::new(Value::Array(Vec::new())),
            current: None,
        };
        self.set_stage(id, Stage::Listen(Box::new(state)));
        Ok(())
    }

    /// What a filter's correlations expect, evaluated when the listen begins.
    fn expectations(
        &self,
        id: FrameId,
        filter: &EventFilter,
        input: &Value,
    ) -> Result<Expected, Fault> {
        let mut expected = Expected::new();
        for correlation in &filter.correlate {
            let Some(wording) = &correlation.expect else { continue };
            let what = format!("correlate.{}.expect", correlation.name);
            let value = self.worded(id, wording, input, &what)?;
            if value.is_null() {
                let title = "Nothing to correlate with";
                let detail = format!("`{what}` gave null: no event can be recognised by it");
                let failure = Failure::new(Class::Invalid, codes::NOTHING_EXPECTED, title, detail);
                return Err(self.standard_fault(id, StandardError::Expression, failure));
            }
            expected.insert(Arc::clone(&correlation.name), canonical(value));
        }
        Ok(expected)
    }

    fn listen_mut(&mut self, id: FrameId) -> Option<&mut ListenState> {
        match &mut self.state.frames.task_mut(id)?.stage {
            Stage::Listen(state) => Some(state),
            _ => None,
        }
    }

    /// An event was offered. One that is not wanted changes nothing.
    pub(super) fn event_received(&mut self, listen: &ListenId, event: &Value) {
        let view = self.view();
        let Some(id) = view.frame_of(listen) else { return };
        let Some(fit) = view.fit(id, event) else { return };
        self.take(id, listen, event, &fit);
        self.run();
    }

    fn take(&mut self, id: FrameId, listen: &ListenId, event: &Value, fit: &Fit) {
        let Some(Kind::Listen(plan)) = self.task_of(id).map(|task| &task.kind) else { return };
        let Some(filter) = plan.all_filters().nth(fit.at) else { return };
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        self.state.order += 1;
        let taken = Taken { by: listen.clone(), at: self.state.order };
        self.state.taken.entry((text("source"), text("id"))).or_default().push(taken);
        self.state.executed += 1;
        if self.state.executed > STEP_BUDGET {
            let fault = self.budget_fault(id);
            return self.fail(id, fault);
        }
        let Some(state) = self.listen_mut(id) else { return };
        state.met[fit.at] = true;
        for correlation in filter.correlate.iter().filter(|one| one.expect.is_none()) {
            if let Some(value) = fit.found.get(&correlation.name) {
                let name = Arc::clone(&correlation.name);
                state.fixed.entry(name).or_insert_with(|| value.clone());
            }
        }
        if fit.at >= plan.filters.len() {
            let Some(Until::Events { mode, .. }) = &plan.until else { return };
            if *mode != Mode::All || !state.met[plan.filters.len()..].contains(&false) {
                self.heard(id);
            }
            return;
        }
        let item = Arc::new(plan.read.of(event));
        state.current = Some(Current { item: Arc::clone(&item), worked: None });
        let index = state.items.as_array().map_or(0, Vec::len);
        let Some(body) = plan.each.as_ref().and_then(|each| each.body.as_ref()) else {
            return self.item_worked(id, item);
        };
        let Some(input) = self.state.frames.task(id).map(|task| Arc::clone(&task.input)) else {
            return;
        };
        let Some(list) = self.enter_list(id, body, input) else { return };
        if let Some(frame) = self.state.frames.get_mut(list) {
            frame.visit = longer(&frame.visit, index);
            frame.locals = with_locals(&frame.locals, &[item, Arc::new(index.into())]);
        }
    }

    /// The tasks of an event gave something.
    pub(super) fn item_worked(&mut self, id: FrameId, raw: Arc<Value>) {
        let Some(state) = self.listen_mut(id) else { return };
        let index = state.items.as_array().map_or(0, Vec::len);
        let Some(current) = &mut state.current else { return };
        current.worked = Some(Arc::clone(&raw));
        let variables = [Arc::clone(&current.item), Arc::new(index.into())];
        match self.item_output(id, &raw, &variables) {
            Err(fault) => self.fail(id, fault),
            Ok(output) => {
                if let Some(state) = self.listen_mut(id) {
                    state.current = None;
                    if let Value::Array(items) = Arc::make_mut(&mut state.items) {
                        items.push(Arc::unwrap_or_clone(output));
                    }
                }
                self.hear_on(id);
            }
        }
    }

    fn item_output(
        &mut self,
        id: FrameId,
        raw: &Arc<Value>,
        variables: &[Arc<Value>],
    ) -> Result<Arc<Value>, Fault> {
        let Some(Kind::Listen(plan)) = self.task_of(id).map(|task| &task.kind) else {
            return Ok(Arc::clone(raw));
        };
        let Some(each) = &plan.each else { return Ok(Arc::clone(raw)) };
        let sight = Sight { extra: variables, raw_output: Some(raw), ..Sight::default() };
        self.mould_output(id, &each.output, &each.export, raw, sight, "foreach.")
    }

    /// Ends the listen when it has what it waits for.
    fn hear_on(&mut self, id: FrameId) {
        let (Some(Kind::Listen(plan)), Some(Stage::Listen(state))) = (
            self.task_of(id).map(|task| &task.kind),
            self.state.frames.task(id).map(|task| &task.stage),
        ) else {
            return;
        };
        let over = match (plan.mode, &plan.until) {
            (Mode::All, _) => !state.met[..plan.filters.len()].contains(&false),
            (Mode::Any, Some(Until::Events { .. })) => false,
            (Mode::Any, Some(Until::Condition(condition))) => {
                let items = Arc::clone(&state.items);
                match self.test(id, condition, &items, Sight::default(), "until") {
                    Ok(over) => over,
                    Err(fault) => return self.fail(id, fault),
                }
            }
            (Mode::One | Mode::Any, _) => true,
        };
        if over {
            self.heard(id);
        }
    }

    /// The listen is over.
    fn heard(&mut self, id: FrameId) {
        let Some(task) = self.task_of(id) else { return };
        let Some(state) = self.listen_mut(id) else { return };
        let output = Arc::clone(&state.items);
        let ListenId { pointer, visit } = state.id.clone();
        if task.in_retry {
            let memory = self.state.memory.entry(CallId { pointer, visit }).or_default();
            memory.answer = Some(Answer::Value(Arc::clone(&output)));
        }
        self.push(Deed::Leave(id, output, task.then));
    }

    /// A reopened run: what failed in the listen itself is tried again.
    pub(super) fn resume_listen(&mut self, id: FrameId) {
        self.arm_task_timeout(id);
        let Some(state) = self.listen_mut(id) else { return };
        let began = state.items.as_array().is_some_and(|items| !items.is_empty());
        match &state.current {
            Some(Current { worked: Some(raw), .. }) => {
                let raw = Arc::clone(raw);
                self.item_worked(id, raw);
            }
            None if began => self.hear_on(id),
            // Its tasks go on where they were; or it has heard nothing yet.
            Some(Current { worked: None, .. }) | None => {}
        }
    }

    /// Says how the subscriptions differ from what was said last, before the end if this is it.
    pub(super) fn tell_subscriptions(&mut self) {
        if !self.program.listens {
            return;
        }
        let wanted = self.view().subscriptions();
        let told = std::mem::take(&mut self.state.subscribed);
        let gone = told.iter().filter(|old| !wanted.iter().any(|new| new.id == old.id));
        let mut changes: Vec<Action> =
            gone.map(|old| Action::StopListening { id: old.id.clone() }).collect();
        let new = wanted.iter().filter(|new| !told.contains(new));
        changes.extend(new.map(|new| Action::Listen(new.clone())));
        self.state.subscribed = wanted;
        let ends = matches!(self.actions.last(), Some(Action::Finish(_)));
        let at = self.actions.len() - usize::from(ends);
        self.actions.splice(at..at, changes);
    }
}
