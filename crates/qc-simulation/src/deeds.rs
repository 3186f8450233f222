//! What happens in the hostile part of a story, and how often.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::{
    abilities::Abilities,
    dice::Dice,
    link::Fault,
    story::{Sent, Story, Waited, credential},
};

/// The most by which the clock is ever wrong, in milliseconds.
const WRONG_MAX: i64 = 60_000;

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// An event comes in, now and then one that came before.
    Send,
    /// Many come at once.
    Burst,
    /// Many come one after the other, faster than they can be done.
    Rush,
    /// A key is used for another body.
    Misuse,
    /// Somebody waits for a run's end.
    Wait,
    /// A person interferes.
    Operate,
    /// Somebody looks after the tasks that wait for people.
    Attend,
    /// An event is published for those who listen, now and then one that was published before.
    Publish,
    /// Somebody pauses the trigger, lets it go on, or gives up what was held.
    Door,
    /// Somebody decides about a line whose first run failed.
    FreeLine,
    /// Writes go wrong.
    BreakStore,
    /// Nothing can be read for a while.
    Blind,
    /// The process ends.
    Kill,
    /// It ends with one of its next writes.
    KillAtWrite,
    /// It ends in good order.
    Restart,
    /// It is cut off from everything, and another one takes over.
    CutOff,
    /// The desk takes another credential from now on; the platform learns it later.
    Rotate,
    /// The clock is set.
    Jump,
}

/// All, and how often each comes. A further one needs a line here and a deed in [`Story::act`].
const DEEDS: [(u64, Deed); 18] = [
    (18, Deed::Send),
    (3, Deed::Burst),
    (1, Deed::Rush),
    (1, Deed::Misuse),
    (3, Deed::Wait),
    (12, Deed::Operate),
    (10, Deed::Attend),
    (12, Deed::Publish),
    (8, Deed::Door),
    (5, Deed::FreeLine),
    (8, Deed::BreakStore),
    (1, Deed::Blind),
    (3, Deed::Kill),
    (3, Deed::KillAtWrite),
    (1, Deed::Restart),
    (2, Deed::CutOff),
    (1, Deed::Rotate),
    (1, Deed::Jump),
];

impl Abilities {
    /// Whether there is anything for this in the story.
    fn give_cause_for(&self, deed: Deed) -> bool {
        match deed {
            Deed::Attend => self.asks || self.escalates,
            Deed::Publish => self.listens,
            Deed::Door => self.pauses,
            Deed::FreeLine => self.ordered.is_some(),
            _ => true,
        }
    }
}

/// What kind of story it is. Each leaves some of the deeds out: what is rare together with
/// everything else is common without it.
#[derive(Debug, Clone)]
pub(crate) struct Temper {
    deeds: Vec<(u64, Deed)>,
    /// How many of a hundred requests go wrong.
    pub(crate) faults: u64,
    /// The most that an operation of the store takes, in milliseconds.
    pub(crate) latency: u64,
}

impl Temper {
    pub(crate) fn new(dice: &mut Dice, abilities: &Abilities) -> Self {
        let faults = dice.pick(&[0, 15, 35, 60]).copied().unwrap_or(0);
        let mut deeds = DEEDS.to_vec();
        deeds.retain(|(_, deed)| abilities.give_cause_for(*deed));
        deeds.retain(|(_, deed)| matches!(deed, Deed::Send) || dice.percent(60));
        let latency = dice.pick(&[0, 0, 3, 20]).copied().unwrap_or(0);
        Self { deeds, faults, latency }
    }

    /// Whether the clock is set in this story.
    pub(crate) fn jumps(&self) -> bool {
        self.deeds.iter().any(|(_, deed)| *deed == Deed::Jump)
    }

    /// Whether the store fails in this story.
    pub(crate) fn breaks_store(&self) -> bool {
        let breaks = |deed| matches!(deed, Deed::BreakStore | Deed::Blind);
        self.deeds.iter().any(|(_, deed)| breaks(*deed))
    }

    fn draw(&self, dice: &mut Dice) -> Deed {
        let mut drawn = dice.below(self.deeds.iter().map(|(weight, _)| weight).sum());
        for (weight, deed) in &self.deeds {
            if drawn < *weight {
                return *deed;
            }
            drawn -= weight;
        }
        Deed::Send
    }
}

impl Story {
    /// Does one thing.
    pub(crate) async fn act(&mut self) {
        match self.temper.clone().draw(&mut self.dice) {
            Deed::Send => self.send(),
            Deed::Burst => {
                for _ in 0..4 + self.dice.below(10) {
                    self.send();
                    tokio::task::yield_now().await;
                }
            }
            Deed::Rush => {
                for _ in 0..20 + self.dice.below(20) {
                    self.send();
                    self.pause(Duration::from_millis(1)).await;
                }
            }
            Deed::Misuse => self.misuse(),
            Deed::Wait => self.wait().await,
            Deed::Operate => self.operate().await,
            Deed::Attend => self.attend().await,
            Deed::Publish => self.publish(),
            Deed::Door => self.at_the_door(),
            Deed::FreeLine => self.free_a_line().await,
            Deed::BreakStore => self.break_store(),
            Deed::Blind => {
                let time = Duration::from_millis(self.dice.below(3_000));
                self.tell(format_args!("nothing can be read for {time:?}"));
                self.link.blind_for(time);
            }
            Deed::Kill => self.replace(false),
            Deed::KillAtWrite => {
                let nth = 1 + u32::try_from(self.dice.below(6)).unwrap_or(0);
                self.tell(format_args!("the process will end with write {nth} from now"));
                self.link.end_with_write(nth);
            }
            Deed::Restart => self.restart().await,
            Deed::CutOff => self.replace(true),
            Deed::Rotate => self.rotate(),
            Deed::Jump => self.jump(),
        }
    }

    /// Sends an event, now and then one that was sent before, without waiting for the answer.
    fn send(&mut self) {
        let again = self.events > 0 && self.dice.percent(30);
        let event = if again { self.dice.below(self.events) } else { self.events };
        self.events = self.events.max(event + 1);
        // A third comes without a key: such an event is sent once.
        let keyed = event % 3 != 2;
        if !again || keyed {
            self.send_as(event, keyed.then(|| format!("k{event}")), false);
        }
    }

    /// Sends another body under a key that was used before.
    fn misuse(&mut self) {
        let event = self.dice.below(self.events + 1);
        let used = self.sent.iter().any(|sent| sent.event == event && sent.answer.is_ok());
        if event % 3 != 2 && used {
            self.send_as(event, Some(format!("k{event}")), true);
        }
    }

    fn send_as(&mut self, event: u64, key: Option<String>, misused: bool) {
        self.tell(format_args!("event {event}, {key:?}{}", if misused { ", misused" } else { "" }));
        let sender = self.world.sender();
        let (witness, record) = (self.witness.clone(), self.record.clone());
        let n = if misused { event + 1_000_000 } else { event };
        self.sending.spawn(async move {
            let answer = sender.send(key.as_deref(), json!({ "n": n })).await;
            record.tell(format_args!("event {event} is answered: {answer:?}"));
            witness.acknowledged(&answer);
            Sent { event, misused, answer }
        });
    }

    async fn wait(&mut self) {
        let runs = self.runs().await;
        let Some(run) = self.dice.pick(&runs).map(|head| head.facts.id) else { return };
        let limit = Duration::from_millis(self.dice.below(90_000));
        self.tell(format_args!("somebody waits {limit:?} for {run}"));
        let (engine, clock) = (self.world.engine.clone(), self.world.clock.clone());
        let (from, process) = (clock.uptime(), self.processes - 1);
        self.waiting.spawn(async move {
            let answer = engine.wait(run, limit).await;
            Waited { run, process, from, to: clock.uptime(), answer }
        });
    }

    fn break_store(&mut self) {
        let times = 1 + self.dice.below(4);
        for _ in 0..times {
            let applied = self.dice.percent(50);
            let mut time = |most| Duration::from_millis(self.dice.below(most));
            let (blind, before, after) = (time(2_500), time(4_000), time(4_000));
            let fault = match self.dice.below(6) {
                0 => Fault::Full,
                1 => Fault::Unavailable,
                2 => Fault::Lost { applied, blind: Duration::ZERO },
                3 => Fault::Lost { applied, blind },
                4 => Fault::Slow { before, after: Duration::ZERO },
                _ => Fault::Slow { before: Duration::ZERO, after },
            };
            self.tell(format_args!("a write will go wrong: {fault:?}"));
            self.link.fail_next(fault);
        }
    }

    fn rotate(&mut self) {
        self.rotations += 1;
        let after = self.dice.pick(&[100, 20_000, 120_000, 1_500_000]).copied().unwrap_or(100);
        let after = Duration::from_millis(self.dice.below(after));
        self.tell(format_args!("another credential is wanted; the platform gets it in {after:?}"));
        self.outside.accept_only(&credential(self.rotations));
        self.mended_at = Some(Instant::now() + after);
    }

    fn jump(&mut self) {
        let far = i64::try_from(self.dice.below(60_000)).unwrap_or(0) - 30_000;
        let wrong = (self.jumped + far).clamp(-WRONG_MAX, WRONG_MAX);
        self.tell(format_args!("the clock jumps by {} ms", wrong - self.jumped));
        self.world.clock.jump(wrong - self.jumped);
        self.witness.jumped();
        self.jumped = wrong;
    }
}
