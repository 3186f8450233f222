//! What people do with the tasks that wait for them: answer, claim, act; or nothing, and they are over
//! at their deadlines.

use qc_engine::{EngineError, PersonTask, StuckAct, TaskAnswer, TaskFilter, TaskKind};
use qc_model::{Actor, ActorKind, RunId};
use qc_workflow::CallId;
use serde_json::{Value, json};

use crate::{
    abilities::{PEOPLE, TEAM},
    effect::{Effect, name_of},
    story::Story,
};

/// So many tasks are looked at.
const LOOKED_AT: usize = 200;

/// Code of a call of which only a person can say whether it took effect.
const AMBIGUOUS: &str = "QC-R002";

/// What somebody does with a task.
#[derive(Debug)]
enum Deed {
    Claim,
    Answer(TaskAnswer),
    Act(StuckAct, Option<Value>),
}

fn person(id: &str) -> Actor {
    Actor { kind: ActorKind::Human, id: id.to_owned(), via: None }
}

/// One of those who are asked.
fn asked(task: &PersonTask) -> &str {
    let last = task.asked().next_back().unwrap_or(TEAM.0);
    if last == TEAM.0 { TEAM.1 } else { last }
}

/// The only answers that a task of this kind can have, the hash of what was seen with it.
fn answer_to(task: &PersonTask, yes: bool) -> TaskAnswer {
    let (answer, data) = match task.kind {
        TaskKind::Approve => (if yes { "approved" } else { "rejected" }, None),
        TaskKind::Choose => (if yes { "go" } else { "stay" }, None),
        TaskKind::Fill | TaskKind::Stuck => ("filled", Some(json!({ "amount": 7 }))),
    };
    let (hash, reason) = (Some(task.hash.clone()), None);
    TaskAnswer { answer: answer.to_owned(), data, reason, hash }
}

impl Story {
    /// One of the tasks that wait, or a few of them, are looked at.
    pub(crate) async fn attend(&mut self) {
        let filter = TaskFilter { limit: LOOKED_AT, ..TaskFilter::default() };
        let Ok(page) = self.world.engine.tasks(&filter).await else { return };
        for _ in 0..=self.dice.below(3) {
            let Some(task) = self.dice.pick(&page.tasks).cloned() else { return };
            let busy = self.asked.lock().unwrap().contains(&task.run);
            if !busy {
                self.attend_to(&task);
            }
        }
    }

    /// Answers whatever a run asks.
    pub(crate) async fn answer_all(&mut self, run: RunId) {
        let filter = TaskFilter { run: Some(run), limit: LOOKED_AT, ..TaskFilter::default() };
        let Ok(page) = self.world.engine.tasks(&filter).await else { return };
        for task in page.tasks.iter().filter(|task| task.kind != TaskKind::Stuck) {
            let given = answer_to(task, self.dice.percent(50));
            let answer = self.do_to(task, asked(task), Deed::Answer(given)).await;
            self.tell(format_args!("answer {}: {answer:?}", task.id()));
        }
    }

    fn attend_to(&mut self, task: &PersonTask) {
        if task.kind == TaskKind::Stuck {
            let deed = self.way_out(task);
            return self.meanwhile(task, asked(task), deed);
        }
        let yes = self.dice.percent(50);
        match self.dice.below(10) {
            0..=5 => self.meanwhile(task, asked(task), Deed::Answer(answer_to(task, yes))),
            6 | 7 => self.meanwhile(task, asked(task), Deed::Claim),
            // Somebody who may not be among those who are asked.
            _ => {
                let anybody = self.dice.pick(&PEOPLE).copied().unwrap_or(PEOPLE[0]);
                self.meanwhile(task, anybody, Deed::Answer(answer_to(task, yes)));
            }
        }
    }

    /// How a run goes on that cannot by itself: a call that took effect is not said not to have.
    fn way_out(&mut self, task: &PersonTask) -> Deed {
        let skip = Deed::Act(StuckAct::Skip, Some(json!({ "id": 7 })));
        if task.of["code"] == AMBIGUOUS && self.took_place(task) {
            return skip;
        }
        let offered = task.actions.contains(&StuckAct::Skip);
        match self.dice.below(10) {
            0..=3 => Deed::Act(StuckAct::Resume, None),
            4..=6 if offered => skip,
            _ => Deed::Act(StuckAct::Discard, None),
        }
    }

    /// Whether the call that a task is about took effect.
    fn took_place(&self, task: &PersonTask) -> bool {
        let name = task.of["call"].as_str().unwrap_or_default();
        let Some((pointer, visit)) = name.split_once(':') else { return false };
        let call = CallId { pointer: pointer.into(), visit: visit.into() };
        let origin = self.witness.origin(task.run).unwrap_or(task.run);
        self.witness.took_place(&Effect { origin, name: name_of(&call) })
    }

    /// Does something to a task without waiting for the answer.
    fn meanwhile(&mut self, task: &PersonTask, who: &str, deed: Deed) {
        let what = format!("{who}, {}: {deed:?}", task.id());
        let asking = self.do_to(task, who, deed);
        self.ask_meanwhile(task.run, what, asking);
    }

    /// Does something to a task; when it is an answer and counts, it must stand in the journal.
    fn do_to(
        &self,
        task: &PersonTask,
        who: &str,
        deed: Deed,
    ) -> impl Future<Output = Result<(), EngineError>> + Send + 'static {
        let (id, actor) = (task.id(), person(who));
        let (engine, witness) = (self.world.engine.clone(), self.witness.clone());
        Box::pin(async move {
            match deed {
                Deed::Claim => engine.claim_task(id, &actor).await.map(drop),
                Deed::Act(act, output) => {
                    engine.act_on_task(id, act, output, None, &actor).await.map(drop)
                }
                Deed::Answer(given) => {
                    let answer = given.answer.clone();
                    engine.answer_task(id, given, &actor).await?;
                    witness.was_answered(id, &answer, &actor.id);
                    Ok(())
                }
            }
        })
    }
}
