//! Random workflows from a small grammar. Every task has its own name, so that the outside knows
//! from a request which call of which event it is.

use serde_json::{Value, json};

use crate::{
    abilities::{Abilities, TEAM},
    desk::{OPERATIONS, Operation},
    dice::Dice,
    world::COUNTERS,
};

/// How deep tasks lie within tasks.
const DEPTH_MAX: u32 = 3;

/// The types of the events for which runs listen, and how many different numbers they carry.
pub(crate) const EVENTS: [&str; 2] = ["go", "stop"];
pub(crate) const NUMBERS: u64 = 3;

/// The workflow that is run by the first one, and with what the names of tasks begin that wait for it.
pub(crate) const HELPER: &str = "helper";
pub(crate) const AWAITED: &str = "child";

/// The numbers of its tasks are above this, and those of its inputs multiples of that apart.
const HELPERS_FIRST: u32 = 500;
const HELPERS_APART: u64 = 10_000_000;

/// A kind of task, and how often it comes.
type Kind = (u64, fn(&mut Writer, u32) -> Value);

/// Those that hold no others. A further kind of task needs a line in one of these lists.
const LEAVES: [Kind; 3] = [(4, Writer::call), (1, Writer::nap), (1, Writer::set)];

/// Those of which not every story knows.
const ASK: Kind = (3, Writer::ask);
const LISTEN: Kind = (3, Writer::listen);
const EMIT: Kind = (1, Writer::emit);
const COUNT: Kind = (3, Writer::count);
const CHILD: Kind = (3, Writer::child);

/// Those that hold others.
const BRANCHES: [Kind; 4] =
    [(2, Writer::fork), (1, Writer::each), (2, Writer::attempt), (1, Writer::switch)];

struct Writer {
    dice: Dice,
    last: u32,
    /// Index variables of the loops around.
    loops: Vec<String>,
    in_retry: bool,
    /// What the calls of this workflow are to.
    operations: Vec<&'static Operation>,
    /// What tasks there are beside those that every story knows.
    more: Vec<Kind>,
}

/// The tasks of the workflows of a story, as they stand under `do:`.
#[derive(Debug)]
pub(crate) struct Workflows {
    /// Of the one that events begin.
    pub(crate) first: String,
    /// Of the one that it may run.
    pub(crate) helper: String,
}

/// Random workflows.
pub(crate) fn workflows(dice: &mut Dice, abilities: &Abilities) -> Workflows {
    // Half of the workflows know all operations, the others one or two of them.
    let mut operations: Vec<&Operation> = OPERATIONS.iter().collect();
    if dice.percent(50) {
        let few = 1 + dice.below(2);
        operations = (0..few).filter_map(|_| dice.pick(&operations).copied()).collect();
    }
    let more = [
        (abilities.asks, ASK),
        (abilities.listens, LISTEN),
        (abilities.listens, EMIT),
        (abilities.keeps, COUNT),
    ];
    let mut more: Vec<Kind> =
        more.into_iter().filter(|(known, _)| *known).map(|(_, kind)| kind).collect();
    let mut writer = Writer {
        dice: dice.clone(),
        last: HELPERS_FIRST,
        loops: Vec::new(),
        in_retry: false,
        operations,
        more: more.clone(),
    };
    let mut helper = vec![writer.task(DEPTH_MAX - 1)];
    if writer.dice.percent(60) {
        helper.push(writer.nap(DEPTH_MAX));
    }
    let helper = Value::Array(helper);
    more.extend(abilities.delegates.then_some(CHILD));
    writer = Writer { last: 0, more, ..writer };
    let first = writer.list(0);
    *dice = writer.dice;
    Workflows { first: format!("  {first}\n"), helper: format!("  {helper}\n") }
}

impl Writer {
    fn name(&mut self, kind: &str) -> String {
        self.last += 1;
        format!("{kind}{}", self.last)
    }

    fn list(&mut self, depth: u32) -> Value {
        let length = 1 + self.dice.below(if depth == 0 { 4 } else { 2 });
        (0..length).map(|_| self.task(depth)).collect()
    }

    fn task(&mut self, depth: u32) -> Value {
        let branches: &[Kind] = if depth >= DEPTH_MAX { &[] } else { &BRANCHES };
        let kinds: Vec<Kind> = LEAVES.iter().chain(&self.more).chain(branches).copied().collect();
        let all = kinds.iter().map(|(weight, _)| weight).sum();
        let mut drawn = self.dice.below(all);
        for (weight, write) in kinds {
            if drawn < weight {
                return write(self, depth);
            }
            drawn -= weight;
        }
        self.call(depth)
    }

    fn set(&mut self, _: u32) -> Value {
        json!({ self.name("set"): { "set": { "x": 1 } } })
    }

    fn call(&mut self, _: u32) -> Value {
        let operation =
            self.dice.pick(&self.operations).map_or("charge", |operation| operation.name);
        // Tasks in a retried block repeat an idempotent call by right.
        let name = self.name(if self.in_retry { "r" } else { "t" });
        let at = self.loops.iter().map(|index| format!("${index}")).collect::<Vec<_>>().join(", ");
        let reference =
            format!("${{ ($context.n | tostring) + \"/{name}/\" + ([{at}] | tostring) }}");
        let mut task = json!({
            "call": format!("desk.{operation}"),
            "with": { "body": { "ref": reference, "run": "${ $workflow.id }" } },
        });
        if self.dice.percent(15) {
            task["timeout"] = json!({ "after": { "seconds": 2 + self.dice.below(20) } });
        }
        json!({ name: task })
    }

    /// A question to a person, with a deadline or without.
    fn ask(&mut self, _: u32) -> Value {
        let kind = self.dice.pick(&["approve", "choose", "fill"]).copied().unwrap_or("fill");
        let mut with = json!({ "title": "Shall it go on?", "of": { "n": "${ $context.n }" } });
        match kind {
            "choose" => with["options"] = json!(["stay", "go"]),
            "fill" => with["schema"] = json!({ "type": "object", "required": ["amount"] }),
            _ => {}
        }
        if self.dice.percent(50) {
            with["assignee"] = json!(TEAM.0);
        }
        if self.dice.percent(60) {
            let after = self.dice.pick(&["15s", "90s", "15m"]).copied().unwrap_or("15s");
            with["deadline"] = json!(after);
            if kind != "fill" && self.dice.percent(40) {
                with["on_expiry"] = json!(if kind == "choose" { "stay" } else { "rejected" });
            }
            if self.dice.percent(50) {
                with["escalation"] = json!([{ "to": "bob", "after": "7s" }]);
            }
        }
        let mut task = json!({ "call": format!("human.{kind}"), "with": with });
        if self.dice.percent(15) {
            task["timeout"] = json!({ "after": { "seconds": 5 + self.dice.below(60) } });
        }
        json!({ self.name("ask"): task })
    }

    /// Waits for one event or for several, of its own number or of any.
    fn listen(&mut self, _: u32) -> Value {
        let mut filter = |kind: &str| {
            let mut filter = json!({ "with": { "type": kind } });
            if self.dice.percent(60) {
                let expect = format!("${{ $context.n % {NUMBERS} }}");
                filter["correlate"] = json!({ "n": { "from": ".data.n", "expect": expect } });
            }
            filter
        };
        let [first, second] = EVENTS.map(&mut filter);
        let to = match self.dice.below(3) {
            0 => json!({ "one": first }),
            1 => json!({ "any": [first, second] }),
            _ => json!({ "all": [first, second] }),
        };
        let mut task = json!({ "listen": { "to": to } });
        if self.dice.percent(20) {
            task["timeout"] = json!({ "after": { "seconds": 5 + self.dice.below(60) } });
        }
        json!({ self.name("listen"): task })
    }

    /// Adds one to a counter by compare-and-set; whoever comes second tries again, or fails.
    fn count(&mut self, depth: u32) -> Value {
        let key = self.dice.pick(&["a", "b"]).copied().unwrap_or("a");
        let (get, put) = (self.name("get"), self.name("put"));
        let mut block = vec![json!({ get: {
            "call": "state.get", "with": { "in": COUNTERS, "key": key },
        } })];
        if self.dice.percent(50) {
            block.push(json!({ self.name("wait"): { "wait": { "seconds": 1 } } }));
        }
        block.push(json!({ put: { "call": "state.put", "with": {
            "in": COUNTERS,
            "key": key,
            "value": "${ (.value // 0) + 1 }",
            "expect": "${ .revision // \"absent\" }",
        } } }));
        let mut catch = json!({ "errors": { "with": { "status": 409 } } });
        match self.dice.below(3) {
            0 => {
                catch["retry"] = json!({ "delay": { "seconds": 1 }, "limit": {
                    "attempt": { "count": 4 },
                } });
            }
            1 => catch["do"] = json!([self.set(depth)]),
            _ => return json!({ self.name("do"): { "do": block } }),
        }
        json!({ self.name("try"): { "try": block, "catch": catch } })
    }

    /// Runs the other workflow, whose input has a number of its own for every place and visit.
    fn child(&mut self, _: u32) -> Value {
        let awaited = self.dice.percent(70);
        let name = self.name(if awaited { AWAITED } else { "spawn" });
        let mut place = (u64::from(self.last) * 27).to_string();
        for (index, weight) in self.loops.iter().zip([9, 3, 1]) {
            place.push_str(&format!(" + ${index} * {weight}"));
        }
        let n = format!("${{ $context.n + {HELPERS_APART} * ({place}) }}");
        let workflow = json!({
            "namespace": "test", "name": HELPER, "version": "1.0.0", "input": { "n": n },
        });
        let mut task = json!({ "run": { "workflow": workflow, "await": awaited } });
        if self.dice.percent(20) {
            task["timeout"] = json!({ "after": { "seconds": 5 + self.dice.below(60) } });
        }
        json!({ name: task })
    }

    /// Publishes an event for those who listen.
    fn emit(&mut self, _: u32) -> Value {
        let kind = self.dice.pick(&EVENTS).copied().unwrap_or(EVENTS[0]);
        let n = format!("${{ $context.n % {NUMBERS} }}");
        json!({ self.name("emit"): {
            "emit": { "event": { "with": { "type": kind, "data": { "n": n } } } },
        } })
    }

    /// A pause that faults its run when it is over too early.
    fn nap(&mut self, _: u32) -> Value {
        let seconds = self.dice.pick(&[1, 3, 9, 14, 45]).copied().unwrap_or(1);
        let (stamp, wait, early) = (self.name("stamp"), self.name("wait"), self.name("early"));
        json!({ self.name("nap"): { "do": [
            { stamp: { "set": { "t": "${ now }" } } },
            { wait: { "wait": { "seconds": seconds } } },
            { early: {
                "if": format!("${{ now - .t < {seconds} }}"),
                "raise": { "error": {
                    "type": "https://simulation.test/early", "status": 500, "title": "early",
                } },
            } },
        ] } })
    }

    fn fork(&mut self, depth: u32) -> Value {
        let branches: Vec<Value> =
            (0..2 + self.dice.below(2)).map(|_| self.task(depth + 1)).collect();
        let compete = self.dice.percent(40);
        json!({ self.name("fork"): { "fork": { "compete": compete, "branches": branches } } })
    }

    fn each(&mut self, depth: u32) -> Value {
        let (name, item, index) = (self.name("for"), self.name("x"), self.name("i"));
        self.loops.push(index.clone());
        let list = self.list(depth + 1);
        self.loops.pop();
        let length = 1 + self.dice.below(3);
        json!({ name: {
            "for": { "each": item, "in": format!("${{ [range({length})] }}"), "at": index },
            "do": list,
        } })
    }

    fn attempt(&mut self, depth: u32) -> Value {
        let retried = self.dice.percent(60);
        let before = self.in_retry;
        self.in_retry |= retried;
        let block = self.list(depth + 1);
        self.in_retry = before;
        let mut catch = json!({});
        if retried {
            catch["retry"] =
                json!({ "delay": { "seconds": 2 }, "limit": { "attempt": { "count": 3 } } });
        }
        if !retried || self.dice.percent(40) {
            catch["do"] = self.list(depth + 1);
        }
        json!({ self.name("try"): { "try": block, "catch": catch } })
    }

    fn switch(&mut self, depth: u32) -> Value {
        let name = self.name("do");
        let flow = self.dice.pick(&["continue", "exit", "end"]).copied().unwrap_or("continue");
        let choose = json!({ self.name("switch"): { "switch": [
            { "even": { "when": "${ $context.n % 2 == 0 }", "then": flow } },
            { "odd": { "then": "continue" } },
        ] } });
        let mut list = vec![choose];
        list.push(self.task(depth + 1));
        json!({ name: { "do": list } })
    }
}
