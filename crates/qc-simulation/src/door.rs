//! What people do at the door and with lines: a trigger is paused, goes on, or what was held is given up;
//! and somebody decides about a line whose first run failed.

use qc_engine::{Engine, EngineError, LineName, TriggerName};
use qc_model::{Actor, EnvironmentName, Name};
use qc_store::RunStatus;

use crate::story::Story;

/// What is done at the door.
#[derive(Debug, Clone, Copy)]
enum AtDoor {
    Pause,
    Resume,
    Discard,
}

/// What is done about a line whose first run failed.
#[derive(Debug, Clone, Copy)]
enum InLine {
    Resume,
    Skip,
    Discard,
}

fn somebody() -> Actor {
    Actor::platform("people")
}

fn door() -> TriggerName {
    TriggerName {
        environment: EnvironmentName::new("production").unwrap(),
        integration: Name::new("test").unwrap(),
        trigger: Name::new("in").unwrap(),
    }
}

impl AtDoor {
    async fn done(self, engine: &Engine) -> Result<(), EngineError> {
        let (door, who) = (door(), somebody());
        match self {
            Self::Pause => engine.pause_trigger(&door, "a whim", &who).await.map(drop),
            Self::Resume => engine.resume_trigger(&door, "enough", &who).await.map(drop),
            Self::Discard => {
                let plan = engine.plan_discard(&door).await?;
                engine.discard_held(&door, &plan.confirm, "too old", &who).await.map(drop)
            }
        }
    }
}

impl InLine {
    async fn done(self, engine: &Engine, line: &LineName) -> Result<(), EngineError> {
        let who = somebody();
        match self {
            Self::Resume => engine.resume_line(line, "go on", &who).await.map(drop),
            Self::Skip => engine.skip_line(line, "not needed", &who).await.map(drop),
            Self::Discard => {
                let plan = engine.plan_discard_line(line).await?;
                engine.discard_line(line, &plan.confirm, "all of it", &who).await.map(drop)
            }
        }
    }
}

impl Story {
    /// The trigger is paused, goes on, or what was held is given up.
    pub(crate) fn at_the_door(&mut self) {
        let deed = match self.dice.below(10) {
            0..=4 => AtDoor::Pause,
            5..=7 => AtDoor::Resume,
            _ => AtDoor::Discard,
        };
        self.tell(format_args!("at the door: {deed:?}"));
        let (engine, record) = (self.world.engine.clone(), self.record.clone());
        tokio::spawn(async move {
            let answer = Box::pin(deed.done(&engine)).await;
            record.tell(format_args!("{deed:?} at the door is answered: {answer:?}"));
        });
    }

    /// Somebody decides about one of the lines that do not go on.
    pub(crate) async fn free_a_line(&mut self) {
        let blocked = self.blocked_lines().await;
        let Some(line) = self.dice.pick(&blocked).cloned() else { return };
        let deed = match self.dice.below(4) {
            0 => InLine::Resume,
            1 | 2 => InLine::Skip,
            _ => InLine::Discard,
        };
        self.tell(format_args!("the line {}: {deed:?}", line.key));
        let (engine, record) = (self.world.engine.clone(), self.record.clone());
        tokio::spawn(async move {
            let answer = Box::pin(deed.done(&engine, &line)).await;
            record.tell(format_args!("{deed:?} of {} is answered: {answer:?}", line.key));
        });
    }

    /// Has everything go on that waits for a word of people.
    pub(crate) async fn let_go_on(&mut self) {
        let engine = self.world.engine.clone();
        if engine.paused(&door()) {
            let answer = Box::pin(AtDoor::Resume.done(&engine)).await;
            self.tell(format_args!("the trigger goes on: {answer:?}"));
        }
        for line in self.blocked_lines().await {
            let answer = Box::pin(InLine::Resume.done(&engine, &line)).await;
            self.tell(format_args!("the line {} goes on: {answer:?}", line.key));
        }
    }

    /// Lines in which somebody waits behind a run that failed.
    async fn blocked_lines(&self) -> Vec<LineName> {
        let lines = Box::pin(self.world.engine.lines(None, None)).await.unwrap_or_default();
        lines
            .into_iter()
            .filter(|line| line.first.state.status == RunStatus::Faulted)
            .map(|line| line.name)
            .collect()
    }
}
