//! Random workflows from a small grammar. Every task has its own name, so that the outside knows
//! from a request which call of which event it is.

use serde_json::{Value, json};

use super::dice::Dice;

/// The operations of the desk, one for each effect class.
const OPERATIONS: [&str; 4] = ["putState", "createTicket", "postMessage", "charge"];

struct Writer<'a> {
    dice: &'a mut Dice,
    last: u32,
    /// Index variables of the loops around.
    loops: Vec<String>,
    in_retry: bool,
}

/// The tasks of a workflow, as they stand under `do:`.
pub(super) fn tasks(dice: &mut Dice) -> String {
    let mut writer = Writer { dice, last: 0, loops: Vec::new(), in_retry: false };
    let list = writer.list(0);
    format!("  {list}\n")
}

impl Writer<'_> {
    fn name(&mut self, kind: &str) -> String {
        self.last += 1;
        format!("{kind}{}", self.last)
    }

    fn list(&mut self, depth: u32) -> Value {
        let length = 1 + self.dice.below(if depth == 0 { 4 } else { 2 });
        (0..length).map(|_| self.task(depth)).collect()
    }

    fn task(&mut self, depth: u32) -> Value {
        let kind = if depth >= 3 { self.dice.below(6) } else { self.dice.below(12) };
        match kind {
            0..=3 => self.call(),
            4 => self.nap(),
            5 => json!({ self.name("set"): { "set": { "x": 1 } } }),
            6 | 7 => self.fork(depth),
            8 => self.each(depth),
            9 | 10 => self.attempt(depth),
            _ => self.switch(depth),
        }
    }

    fn call(&mut self) -> Value {
        let operation = OPERATIONS[usize::try_from(self.dice.below(4)).unwrap()];
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

    /// A pause that faults its run when it is over too early.
    fn nap(&mut self) -> Value {
        let seconds = [1, 3, 9, 14, 45][usize::try_from(self.dice.below(5)).unwrap()];
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
        let flow = *self.dice.pick(&["continue", "exit", "end"]).unwrap();
        let choose = json!({ self.name("switch"): { "switch": [
            { "even": { "when": "${ $context.n % 2 == 0 }", "then": flow } },
            { "odd": { "then": "continue" } },
        ] } });
        let mut list = vec![choose];
        list.push(self.task(depth + 1));
        json!({ name: { "do": list } })
    }
}
