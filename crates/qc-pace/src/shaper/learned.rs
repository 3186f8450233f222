//! What refusals teach that nothing explains. The rate is cut to what was dealt with of late, comes back to just below it,
//! waits there, and then feels its way upward, slowly at first and faster with every step (the shape is CUBIC's: Ha, Rhee
//! and Xu, 2008). It grows only as far as it is used. Refusals that come by chance teach nothing of a rate: [`Chance`].

use std::collections::VecDeque;

use super::chance::Chance;

/// The longest pause after a refusal. In milliseconds.
const PAUSE_MAX: f64 = 10_000.0;
/// The shortest.
const PAUSE_MIN: f64 = 50.0;
/// How many answers are remembered to tell the rate by.
const REMEMBERED: usize = 256;
/// The rate is told by the answers of this time at least. In milliseconds.
const TOLD_BY: f64 = 1_000.0;
/// A step of the way up takes this long at least, and at least so many calls. In milliseconds.
const STEP: f64 = 6_000.0;
const STEP_CALLS: f64 = 60.0;
/// So many where some calls fail by chance: what was learned may have been learned of them.
const CHANCE_STEP_CALLS: f64 = 10.0;
/// Where the way up waits, and how far its first step goes beyond.
const WAITS_AT: f64 = 0.99;
const FIRST_STEP: f64 = 0.01;
/// After a cut it begins here.
const BEGINS_AT: f64 = 0.95;
/// Until here on the way who is limited is not refused.
const SAFE: f64 = 1.5;
/// So many cuts in a row before that did not help.
const FOR_NOTHING: u32 = 3;
/// After so many steps nothing is left of what was learned.
const STEPS_MAX: f64 = 16.0;
/// A refusal for longer than this part of the time shows how much is allowed on average.
const LONG_OUT: f64 = 0.15;
/// A step takes so many times as long as the last refusals kept everything waiting: they are not to cost more.
const STEP_PER_OUT: f64 = 30.0;
/// A probe that brings no answer is over after this. In milliseconds.
const PROBE_LASTS: f64 = 60_000.0;
/// The lowest rate, per millisecond: a call in ten seconds.
const RATE_MIN: f64 = 0.000_1;
/// What is told by fewer answers than this is told by chance: who sends little learns little of what is allowed.
const TELLS: f64 = 15.0;
/// A step of the way up from there takes this long at least, and one call. In milliseconds.
const STEP_BY_CHANCE: f64 = 250.0;
/// A pause between calls longer than this, and longer than the rate asks for, is one in which nothing was to be sent. In
/// milliseconds.
const IDLE_FROM: f64 = 1_000.0;

#[derive(Debug, Clone, Default)]
pub(super) struct Learned {
    limit: Option<Limit>,
    /// When the last calls that were dealt with were answered.
    dealt: VecDeque<f64>,
    /// Since when it is counted what is dealt with, and how much that is.
    since: Option<f64>,
    count: f64,
    /// Of that time, how long nothing was to be sent.
    idle: f64,
    /// When the last such time ended.
    idle_until: f64,
    refusals: Option<Refusals>,
    /// Answers that told of an overload, in a row.
    overloads: u32,
    /// Refusals of every kind, as far as nothing explains them.
    chance: Chance,
}

/// What is believed to be allowed, in calls per millisecond.
#[derive(Debug, Clone, Copy)]
struct Limit {
    ceiling: f64,
    /// How far it has come on its way up, in steps.
    way: f64,
    cut_at: f64,
    /// A step takes at least this long.
    step: f64,
    /// It was told by enough answers.
    sure: bool,
    /// How often it was cut in a row at a safe pace, and the pace before those cuts.
    cuts: u32,
    before: Option<f64>,
}

/// Refusals in a row.
#[derive(Debug, Clone, Copy)]
struct Refusals {
    began: f64,
    times: i32,
    until: f64,
    /// How long nothing was to be sent although something could.
    idle: f64,
    /// When the call went that probes.
    probe: Option<f64>,
}

impl Limit {
    fn told(ceiling: f64, now: f64, sure: bool) -> Self {
        Self { ceiling, way: 0.0, cut_at: now, step: STEP, sure, cuts: 0, before: None }
    }

    fn rate(&self) -> f64 {
        let part = if self.way < 1.0 {
            BEGINS_AT + (WAITS_AT - BEGINS_AT) * self.way
        } else {
            WAITS_AT + FIRST_STEP * ((self.way - 1.0).exp2() - 1.0)
        };
        (self.ceiling * part).max(RATE_MIN)
    }

    /// How long a step takes. `by_chance`: some refusals come by chance.
    fn step(&self, by_chance: bool) -> f64 {
        if !self.sure {
            return STEP_BY_CHANCE.max(1.0 / self.rate());
        }
        let (least, calls) =
            if by_chance { (STEP, CHANCE_STEP_CALLS) } else { (self.step, STEP_CALLS) };
        least.max(calls / self.ceiling)
    }
}

impl Learned {
    /// Calls per millisecond, if anything was learned.
    pub(super) fn rate(&self) -> Option<f64> {
        self.limit.map(|limit| limit.rate())
    }

    /// Until when nothing goes, after a refusal.
    pub(super) fn held_until(&self, now: f64) -> Option<f64> {
        self.refusals.map(|refusals| refusals.until).filter(|until| *until > now)
    }

    /// A call goes, so many milliseconds after the last one. `held`: until then a stated pause kept all from going.
    pub(super) fn departed(&mut self, now: f64, after: f64, rate: Option<f64>, held: f64) {
        if let Some(refusals) = &mut self.refusals {
            let free = refusals.until.max(held);
            if refusals.probe.is_none() && now > free + IDLE_FROM {
                refusals.idle += now - free;
                self.idle += now - free;
                self.idle_until = now;
            }
            // One alone shows whether calls are let through again.
            (refusals.probe, refusals.until) = (Some(now), now + PROBE_LASTS);
            return;
        }
        let between = rate.map_or(0.0, |rate| 1.0 / rate);
        if self.since.is_some() && after > between + IDLE_FROM {
            self.idle += after - between;
            self.idle_until = now;
        }
        let (Some(limit), Some(rate)) = (&mut self.limit, rate) else { return };
        // Only as far as it is this limit that holds the calls back.
        if rate >= limit.rate() * 0.999 {
            limit.way += after.clamp(0.0, 2.0 / rate) / limit.step(self.chance.is_known());
        }
        if limit.way > STEPS_MAX {
            self.limit = None;
        }
    }

    /// Nothing is known of a call that went at this time.
    pub(super) fn unknown(&mut self, went: f64, now: f64) {
        if let Some(refusals) = self.refusals.as_mut().filter(|one| one.probe == Some(went)) {
            (refusals.probe, refusals.until) = (None, now);
        }
    }

    /// A call was dealt with that went at this time.
    pub(super) fn dealt(&mut self, went: f64, now: f64) {
        self.overloads = 0;
        self.chance.answered(false, self.is_safe(went));
        if self.dealt.len() == REMEMBERED {
            self.dealt.pop_front();
        }
        self.dealt.push_back(now);
        // Refusals are faster than answers: what was under way then was let through as well.
        if let Some(limit) = self.limit.as_mut().filter(|one| !one.sure && went < one.cut_at) {
            limit.ceiling += 1.0 / TOLD_BY;
        }
        let since = *self.since.get_or_insert(went);
        if let Some(refusals) = self.refusals.filter(|one| one.probe.is_some_and(|at| went >= at)) {
            self.let_through(refusals.began + refusals.idle, since, went);
        }
        self.count += 1.0;
    }

    /// Calls are let through again that were refused since `began`, but for the time in which none was to be sent.
    fn let_through(&mut self, began: f64, since: f64, now: f64) {
        let (whole, out) = ((now - since - self.idle).max(0.0), now - began);
        let average = (self.count / whole.max(TOLD_BY / 4.0)).max(RATE_MIN);
        match &mut self.limit {
            // Nothing was dealt with before: it is not known how much is too much.
            None if self.count < 1.0 => {}
            None => {
                let sure = self.count >= TELLS;
                self.limit = Some(Limit::told(average, now, sure));
            }
            Some(limit) if out > whole * LONG_OUT && whole > TOLD_BY && self.count >= TELLS => {
                limit.ceiling = average.min(limit.ceiling);
                limit.sure = true;
                (limit.way, limit.step) = (1.0, STEP);
            }
            Some(limit) => limit.step = STEP.max(out * STEP_PER_OUT),
        }
        (self.refusals, self.since, self.count, self.idle) = (None, Some(now), 0.0, 0.0);
    }

    /// A call was refused that went at this time, and nothing explains it. `anew`: a limit has just begun anew, and it may
    /// be that the other side's clock is behind.
    pub(super) fn refused(&mut self, went: f64, now: f64, rate: Option<f64>, anew: bool) {
        let by_chance = self.by_chance(went);
        // Those that went before the probe were refused for the same reason.
        if self.refusals.is_some_and(|one| one.probe.is_none_or(|at| went < at)) {
            return;
        }
        if self.refusals.is_none() && by_chance {
            return;
        }
        let times = self.refusals.map_or(0, |refusals| refusals.times) + 1;
        let (began, idle) = self.refusals.map_or((now, 0.0), |one| (one.began, one.idle));
        let first = self.refusals.is_none();
        if first && !anew {
            self.cut(went, now, rate, self.told(now));
        }
        let between = rate.map_or(0.0, |rate| 1.0 / rate).clamp(PAUSE_MIN, PAUSE_MAX);
        let pause = (between * 2_f64.powi((times - 1).min(20))).min(PAUSE_MAX);
        self.refusals = Some(Refusals { began, times, until: now + pause, idle, probe: None });
    }

    /// The other side was overloaded. One that answers nothing else is not too busy but away: that is the breaker's. False:
    /// that comes now and then whatever the pace is.
    pub(super) fn overloaded(&mut self, went: f64, now: f64, rate: Option<f64>) -> bool {
        self.overloads = self.overloads.saturating_add(1);
        // A call that probes and ends like this has found out nothing: the next one probes.
        self.unknown(went, now);
        if self.by_chance(went) {
            return false;
        }
        if self.overloads <= 3 && !self.dealt.is_empty() {
            let told = self.told(now);
            let dealt = 1.0 - self.chance.lately();
            let told = (rate.map_or(told.0, |rate| told.0.max(rate * dealt)), told.1);
            self.cut(went, now, rate, told);
        }
        true
    }

    /// Whether a call that went then did so at a pace at which who is limited is not refused.
    fn is_safe(&self, went: f64) -> bool {
        self.limit.is_some_and(|limit| limit.cut_at <= went && limit.way < SAFE)
    }

    /// A call was refused that went then. Whether that is by chance.
    fn by_chance(&mut self, went: f64) -> bool {
        self.chance.answered(true, self.is_safe(went));
        let expected = self.chance.expects();
        // What was cut for such refusals was cut for nothing.
        if expected && let Some(limit) = self.limit.filter(|limit| limit.cuts >= FOR_NOTHING) {
            self.limit = limit.before.map(|ceiling| Limit {
                way: 1.0,
                ..Limit::told(ceiling, limit.cut_at, limit.sure)
            });
        }
        expected
    }

    /// `told`: the rate of late, and by how many answers it is told.
    fn cut(&mut self, went: f64, now: f64, rate: Option<f64>, (told, answers): (f64, f64)) {
        // One cut for all that was under way.
        if self.limit.is_some_and(|limit| went < limit.cut_at) {
            return;
        }
        // Refusals are faster than answers: the first of them come before anything was dealt with.
        if told <= 0.0 && rate.is_none() {
            return;
        }
        // Who sent nothing for a while was not refused for the rate.
        let after_idle = |rate: f64| went - self.idle_until <= 2.0 / rate + IDLE_FROM;
        if rate.is_some_and(after_idle) {
            return;
        }
        let ceiling = rate.map_or(told, |rate| rate.min(told.max(rate * 0.5)));
        let new = Limit::told(ceiling.max(RATE_MIN), now, answers >= TELLS);
        self.limit = Some(self.limit.map_or(new, |old| {
            let (cuts, before) =
                if old.way < SAFE { (old.cuts + 1, old.before) } else { (0, rate) };
            Limit { step: old.step, cuts, before, ..new }
        }));
    }

    /// How many calls per millisecond were dealt with of late, and by how many answers that is told.
    fn told(&self, now: f64) -> (f64, f64) {
        let over = self.rate().map_or(TOLD_BY, |rate| TOLD_BY.max(20.0 / rate));
        let within = self.dealt.iter().rev().take_while(|at| now - **at <= over);
        let (mut number, mut oldest) = (0.0, now);
        for at in within {
            (number, oldest) = (number + 1.0, *at);
        }
        // Where more came than is remembered, by those that are.
        let over = if number >= 256.0 { (now - oldest).max(1.0) } else { over };
        (number / over, number)
    }
}
