//! Regular expressions, matched by stepping an automaton of the regex crate's family ourselves, so
//! that every step is paid for: the time is linear in text and pattern, and even so it is bounded.

use std::sync::Arc;

use regex_automata::nfa::thompson::{Compiler, Config, NFA, State, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;

use crate::meter::{Limit, Meter};

/// The largest automaton, in bytes.
const SIZE: usize = 256 * 1024;
/// The longest pattern, in bytes.
const LONGEST: usize = 4 * 1024;
/// How deeply the groups of a pattern may nest.
const NESTING: u32 = 64;
/// The most groups that a pattern may capture.
const GROUPS: usize = 32;

/// jq's regex flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flags {
    pub(crate) global: bool,
    ignore_case: bool,
    extended: bool,
    dot_all: bool,
    pub(crate) skip_empty: bool,
}

impl Flags {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut flags = Self::default();
        for flag in text.chars() {
            match flag {
                'g' => flags.global = true,
                'i' => flags.ignore_case = true,
                'x' => flags.extended = true,
                's' | 'p' => flags.dot_all = true,
                'n' => flags.skip_empty = true,
                'l' => return Err("the regex flag `l` (longest match) is not available".into()),
                other => return Err(format!("{other:?} is not a regex flag (g i n p s x are)")),
            }
        }
        Ok(flags)
    }
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Regex {
    nfa: Arc<NFA>,
    pub(crate) flags: Flags,
}

/// The pattern that was compiled last, for one that is not known before the evaluation.
#[derive(Debug, Default)]
pub(crate) struct Recent(Option<(String, Regex)>);

/// Where a group matched, in bytes.
pub(crate) type Span = Option<(usize, usize)>;

impl Recent {
    /// Compiles, or takes what was compiled last.
    pub(crate) fn get(
        &mut self,
        meter: &Meter,
        text: &str,
        flags: Flags,
    ) -> Result<Result<Regex, String>, Limit> {
        if let Some((known, regex)) = &self.0
            && known == text
            && regex.flags == flags
        {
            return Ok(Ok(regex.clone()));
        }
        // A pattern's automaton may be large whatever its length (`\w{50}`).
        meter.tick(5_000)?;
        let compiled = Regex::compile(text, flags);
        if let Ok(regex) = &compiled {
            self.0 = Some((text.to_owned(), regex.clone()));
        }
        Ok(compiled)
    }
}

impl Regex {
    pub(crate) fn compile(text: &str, flags: Flags) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("the regex is longer than {LONGEST} bytes"));
        }
        let syntax = syntax::Config::new()
            .case_insensitive(flags.ignore_case)
            .ignore_whitespace(flags.extended)
            .dot_matches_new_line(flags.dot_all)
            .nest_limit(NESTING);
        let nfa = Compiler::new()
            .syntax(syntax)
            .configure(
                Config::new()
                    .nfa_size_limit(Some(SIZE))
                    .which_captures(WhichCaptures::All)
                    .utf8(true),
            )
            .build(text)
            .map_err(|error| format!("the regex does not work: {}", root_cause(&error)))?;
        if nfa.group_info().all_group_len() > GROUPS {
            return Err(format!("the regex has more than {GROUPS} groups"));
        }
        Ok(Self { nfa: Arc::new(nfa), flags })
    }

    /// The bytes that the automaton holds.
    pub(crate) fn size(&self) -> usize {
        self.nfa.memory_usage()
    }

    /// The names of the groups after the whole match.
    pub(crate) fn groups(&self) -> impl Iterator<Item = Option<&str>> {
        self.nfa.group_info().pattern_names(regex_automata::PatternID::ZERO).skip(1)
    }

    /// Whether the text matches anywhere.
    pub(crate) fn is_match(&self, meter: &Meter, text: &str) -> Result<bool, Limit> {
        Search::new(self, text, 0).run(meter, 0, true).map(|found| found.is_some())
    }

    /// The first match at or after `from`: the whole, then each group.
    pub(crate) fn find(
        &self,
        meter: &Meter,
        text: &str,
        from: usize,
    ) -> Result<Option<Vec<Span>>, Limit> {
        let slots = self.nfa.group_info().slot_len();
        let found = Search::new(self, text, slots).run(meter, from, false)?;
        Ok(found.map(|slots| {
            slots.chunks(2).map(|pair| Some((pair[0]?, *pair.get(1)?.as_ref()?))).collect()
        }))
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string().lines().last().unwrap_or_default().to_owned()
}

/// The states that are alive at one place, in the order of preference, each with its captures.
struct Threads {
    states: Vec<StateID>,
    alive: Vec<bool>,
    slots: Vec<Option<usize>>,
}

impl Threads {
    fn new(states: usize) -> Self {
        Self { states: Vec::new(), alive: vec![false; states], slots: Vec::new() }
    }

    fn clear(&mut self) {
        for state in self.states.drain(..) {
            self.alive[state.as_usize()] = false;
        }
        self.slots.clear();
    }
}

struct Search<'r> {
    nfa: &'r NFA,
    text: &'r [u8],
    width: usize,
    stack: Vec<Explore>,
    steps: usize,
}

enum Explore {
    State(StateID),
    /// Puts a capture back once everything behind it is explored.
    Restore(usize, Option<usize>),
}

impl<'r> Search<'r> {
    fn new(regex: &'r Regex, text: &'r str, width: usize) -> Self {
        Self { nfa: &regex.nfa, text: text.as_bytes(), width, stack: Vec::new(), steps: 0 }
    }

    /// Walks the text once. Eight automaton steps cost one step of fuel.
    fn run(
        &mut self,
        meter: &Meter,
        from: usize,
        earliest: bool,
    ) -> Result<Option<Vec<Option<usize>>>, Limit> {
        let count = self.nfa.states().len();
        meter.tick(count / 64)?;
        let (mut now, mut next) = (Threads::new(count), Threads::new(count));
        let mut found: Option<Vec<Option<usize>>> = None;
        let mut slots = vec![None; self.width];
        let anchored = self.nfa.is_always_start_anchored();
        for at in from..=self.text.len() {
            if found.is_none() && !(anchored && at > 0) {
                self.explore(self.nfa.start_anchored(), at, &mut slots, &mut now);
            }
            if now.states.is_empty() && (found.is_some() || anchored) {
                break;
            }
            for thread in 0..now.states.len() {
                self.steps += 1;
                let state = now.states[thread];
                let kept = thread * self.width..(thread + 1) * self.width;
                let to = match self.nfa.state(state) {
                    State::ByteRange { trans } => {
                        trans.matches(self.text, at).then_some(trans.next)
                    }
                    State::Sparse(sparse) => sparse.matches(self.text, at),
                    State::Dense(dense) => dense.matches(self.text, at),
                    State::Match { .. } => {
                        found = Some(now.slots[kept].to_vec());
                        break;
                    }
                    _ => None,
                };
                if let Some(to) = to {
                    slots.copy_from_slice(&now.slots[kept]);
                    self.explore(to, at + 1, &mut slots, &mut next);
                    slots.fill(None);
                }
            }
            meter.tick(1 + self.steps / 8)?;
            self.steps = 0;
            if earliest && found.is_some() {
                break;
            }
            now.clear();
            std::mem::swap(&mut now, &mut next);
        }
        Ok(found)
    }

    /// Adds everything that is reachable without reading, in the order of preference.
    fn explore(
        &mut self,
        start: StateID,
        at: usize,
        slots: &mut [Option<usize>],
        threads: &mut Threads,
    ) {
        self.stack.push(Explore::State(start));
        while let Some(explore) = self.stack.pop() {
            match explore {
                Explore::Restore(slot, old) => slots[slot] = old,
                Explore::State(state) => self.follow(state, at, slots, threads),
            }
        }
    }

    fn follow(
        &mut self,
        start: StateID,
        at: usize,
        slots: &mut [Option<usize>],
        threads: &mut Threads,
    ) {
        let mut state = start;
        loop {
            self.steps += 1;
            if std::mem::replace(&mut threads.alive[state.as_usize()], true) {
                return;
            }
            threads.states.push(state);
            threads.slots.extend_from_slice(slots);
            self.steps += self.width / 8;
            match self.nfa.state(state) {
                State::Look { look, next } => {
                    if !self.nfa.look_matcher().matches(*look, self.text, at) {
                        return;
                    }
                    state = *next;
                }
                State::Union { alternates } => {
                    let Some((first, others)) = alternates.split_first() else { return };
                    self.stack.extend(others.iter().rev().map(|other| Explore::State(*other)));
                    state = *first;
                }
                State::BinaryUnion { alt1, alt2 } => {
                    self.stack.push(Explore::State(*alt2));
                    state = *alt1;
                }
                State::Capture { next, slot, .. } => {
                    let slot = slot.as_usize();
                    if slot < slots.len() {
                        self.stack.push(Explore::Restore(slot, slots[slot]));
                        slots[slot] = Some(at);
                    }
                    state = *next;
                }
                State::ByteRange { .. }
                | State::Sparse(_)
                | State::Dense(_)
                | State::Match { .. }
                | State::Fail => return,
            }
        }
    }
}
