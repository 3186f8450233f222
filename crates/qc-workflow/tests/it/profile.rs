//! Our own scenarios: one at least for each numbered point of `docs/workflow-profile.md`, with the
//! point's number as its tag.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use gherkin::{Feature, GherkinEnv, Scenario, Step};
use qc_document::{ParseLimits, Source, parse_yaml};
use qc_model::{Applied, Class, Failure, Retry, Timestamp};
use qc_workflow::{
    CallTarget, CatchUp, Gathering, Happening, Lifecycle, LifecycleFact, NoteKind, Outcome,
    Schedule, Start, Timetable, Zone,
};
use serde_json::{Value, json};

use crate::driver::{Run, compensated, endpoint, failure, findings_of, shown, with_head};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn scenarios() -> Vec<(String, Scenario)> {
    let mut found = Vec::new();
    let mut files: Vec<PathBuf> = folder()
        .join("tests/profile")
        .read_dir()
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    for file in files {
        let feature = Feature::parse_path(&file, GherkinEnv::default()).expect("is Gherkin");
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let expanded = feature.scenarios.into_iter().flat_map(expanded);
        found.extend(expanded.map(|scenario| (name.clone(), scenario)));
    }
    found
}

/// An outline once for each of its examples.
fn expanded(outline: Scenario) -> Vec<Scenario> {
    let rows: Vec<&Vec<String>> = outline
        .examples
        .iter()
        .filter_map(|one| one.table.as_ref())
        .flat_map(|t| &t.rows)
        .collect();
    let Some((head, rows)) = rows.split_first() else { return vec![outline.clone()] };
    let one = |row: &Vec<String>| {
        let fill = |text: &str| {
            let cells = head.iter().zip(row);
            cells.fold(text.to_owned(), |text, (key, cell)| text.replace(&format!("<{key}>"), cell))
        };
        let mut scenario = outline.clone();
        for step in &mut scenario.steps {
            step.value = fill(&step.value);
            step.docstring = step.docstring.as_deref().map(fill);
        }
        scenario.name = format!("{}: {}", scenario.name, row.join(" | "));
        scenario
    };
    rows.iter().map(|row| one(row)).collect()
}

#[test]
fn every_point_of_the_profile_has_its_scenario() {
    let page = std::fs::read_to_string(folder().join("../../docs/workflow-profile.md"));
    let points: Vec<u32> = page
        .expect("the page")
        .lines()
        .filter_map(|line| line.split_once(". ")?.0.parse().ok())
        .collect();
    let expected: Vec<u32> = (1..).take(points.len()).collect();
    assert_eq!(points, expected, "points are numbered without a gap");
    let tagged: BTreeSet<u32> = scenarios()
        .iter()
        .flat_map(|(_, scenario)| &scenario.tags)
        .map(|tag| tag.parse().expect("a number"))
        .collect();
    assert_eq!(tagged, points.into_iter().collect());
}

#[test]
fn every_scenario_of_the_profile_comes_true() {
    let all = scenarios();
    let mut failed = Vec::new();
    for (file, scenario) in &all {
        println!("{file}: {}", scenario.name);
        let played = std::panic::catch_unwind(|| {
            let mut world = World::default();
            scenario.steps.iter().for_each(|step| world.step(step));
        });
        if played.is_err() {
            failed.push(format!("{file}: {}", scenario.name));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(all.len() > 60, "there are {}", all.len());
}

/// What a scenario has said so far.
#[derive(Default)]
struct World {
    body: String,
    undo: Option<String>,
    input: Option<Value>,
    depth: u32,
    run: Option<Run>,
    gathering: Gathering,
    events: u32,
    taken: usize,
}

/// A text of the step in YAML: what follows it, or its docstring.
fn value(step: &Step, rest: &str) -> Value {
    let text = match &step.docstring {
        Some(text) => text.clone(),
        None => rest.to_owned(),
    };
    let source = Source::new("step.yaml", text);
    let parsed = parse_yaml(source, &ParseLimits::default());
    parsed.unwrap_or_else(|finding| panic!("{}: {finding}", step.value)).root.to_value()
}

/// The first text in quotes, and what follows it.
fn quoted(text: &str) -> (&str, &str) {
    let inner = text.split_once('"').unwrap_or_else(|| panic!("no quotes in: {text}")).1;
    let (name, rest) = inner.split_once('"').expect("a closing quote");
    (name, rest.trim_start())
}

/// Whether `part` says nothing that `whole` does not say.
fn holds(whole: &Value, part: &Value) -> bool {
    match part {
        Value::Object(entries) => {
            entries.iter().all(|(key, value)| whole.get(key).is_some_and(|it| holds(it, value)))
        }
        other => whole == other,
    }
}

fn names(rest: &str) -> Vec<&str> {
    rest.split(", ").map(str::trim).filter(|name| *name != "none").collect()
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

impl World {
    fn run(&mut self) -> &mut Run {
        self.run.as_mut().expect("the workflow runs")
    }

    fn step(&mut self, step: &Step) {
        let text = step.value.trim();
        let done = self.given(step, text)
            || self.happens(step, text)
            || self.is_asked(step, text)
            || self.is_so(step, text)
            || self.is_so_of_events(step, text);
        assert!(done, "unknown step: {text}");
    }

    fn given(&mut self, step: &Step, text: &str) -> bool {
        let doc = || step.docstring.clone().expect("a docstring");
        match text {
            "the workflow:" => self.body = doc(),
            "it is compensated by:" => self.undo = Some(doc()),
            "the workflow runs" => self.start(),
            _ => {
                if let Some(rest) = text.strip_prefix("the input is ") {
                    self.input = Some(value(step, rest));
                } else if let Some(depth) = text.strip_prefix("it stands below other workflows: ") {
                    self.depth = depth.parse().expect("a number");
                } else if let Some(code) = text.strip_prefix("it is refused with ") {
                    let findings = findings_of(&self.body);
                    let found = findings.iter().any(|finding| finding.code.as_str() == code);
                    assert!(found, "{}", shown(&findings));
                } else {
                    return false;
                }
            }
        }
        true
    }

    fn start(&mut self) {
        let text = with_head(&self.body);
        let undo = self.undo.clone().unwrap_or_else(|| "{}".to_owned());
        let program = compensated(&text, &undo).unwrap_or_else(|f| panic!("{}", shown(&f)));
        let input = self.input.take().unwrap_or_else(|| json!({}));
        let start = Run::start(program.clone(), input, 42).start;
        self.run = Some(Run::began(program, Start { depth: self.depth, ..start }));
    }

    fn happens(&mut self, step: &Step, text: &str) -> bool {
        if let Some(rest) = text.strip_prefix("an event comes in: ") {
            let mut event = value(step, rest);
            self.events += 1;
            let id = self.events.to_string();
            let attributes = event.as_object_mut().expect("an object");
            for (key, default) in [("source", "/test"), ("specversion", "1.0"), ("id", &id)] {
                attributes.entry(key).or_insert_with(|| json!(default));
            }
            self.taken = self.run().offer(event);
        } else if let Some(seconds) = text.strip_suffix(" seconds pass") {
            self.pass(seconds.parse().expect("a number"));
        } else if text == "the run is cancelled" || text == "the run is cancelled and undone" {
            let compensate = text.ends_with("undone");
            self.run().tell(Happening::Cancelled { reason: "enough".to_owned(), compensate });
        } else if text == "the run is continued" {
            self.run().tell(Happening::Reopened);
        } else if text.starts_with("the child of ") {
            self.child(step, text);
        } else if text.starts_with('"') {
            return self.call(step, text);
        } else {
            return false;
        }
        true
    }

    /// Time passes; timers fire in their order, each at its time.
    fn pass(&mut self, seconds: u64) {
        let run = self.run();
        let end = run.now + Duration::from_secs(seconds);
        while run.machine().next_wake().is_some_and(|at| at <= end) {
            run.wake();
        }
        run.now = end;
    }

    fn call(&mut self, step: &Step, text: &str) -> bool {
        let (task, rest) = quoted(text);
        if let Some(rest) = rest.strip_prefix("answers ") {
            let content = value(step, rest);
            self.run().succeed(task, content);
        } else if let Some(rest) = rest.strip_prefix("fails as ") {
            let (class, more) = rest.split_once(", ").unwrap_or((rest, ""));
            let mut failed: Failure = failure(Class::parse(class).expect("a class"));
            if more == "maybe applied" {
                failed.applied = Applied::Maybe;
            } else if let Some(seconds) = more.strip_prefix("asking for seconds: ") {
                let ms = seconds.parse::<u64>().expect("a number") * 1_000;
                failed.retry = Retry::After { stated_ms: Some(ms) };
            }
            self.run().fail(task, failed);
        } else {
            return false;
        }
        true
    }

    fn child(&mut self, step: &Step, text: &str) {
        let (task, rest) = quoted(text);
        let outcome = if let Some(rest) = rest.strip_prefix("starts as ") {
            self.run().child_starts(task, quoted(rest).0);
            return;
        } else if let Some(rest) = rest.strip_prefix("completes with ") {
            Outcome::Completed { output: value(step, rest) }
        } else if let Some(rest) = rest.strip_prefix("faults with ") {
            let error = value(step, rest);
            let status = error["status"].as_u64().and_then(|status| u16::try_from(status).ok());
            let class = Class::of_status(status.expect("a status"));
            Outcome::Faulted { failure: failure(class), error, compensation: None }
        } else if rest == "is cancelled" {
            Outcome::Cancelled { reason: "enough".to_owned(), compensation: None }
        } else if let Some(wanted) = rest.strip_prefix("is asked for as ") {
            let child = self.run().children.iter().find(|child| &*child.task == task);
            let child = serde_json::to_value(child.expect("it is asked for")).expect("JSON");
            let wanted = value(step, wanted);
            assert!(holds(&child, &wanted), "{child} is not {wanted}");
            return;
        } else {
            panic!("unknown step: {text}");
        };
        self.run().child_ends(task, outcome);
    }

    /// What the run asks for.
    fn is_asked(&mut self, step: &Step, text: &str) -> bool {
        if let Some(rest) = text.strip_prefix("it waits for calls: ") {
            assert_eq!(self.run().waiting(), names(rest));
        } else if text == "it waits for no call" {
            assert_eq!(self.run().waiting(), Vec::<&str>::new());
        } else if let Some(seconds) = text.strip_prefix("it waits until seconds have passed: ") {
            let run = self.run();
            let next = run.machine().next_wake().expect("a timer");
            let left = Duration::from_secs(seconds.parse().expect("a number"));
            assert_eq!(next.since(run.now), left);
        } else if let Some(rest) = text.strip_prefix("how often is called ") {
            let (task, count) = quoted(rest);
            let sent = self.run().sent.iter().filter(|one| &*one.task == task).count();
            assert_eq!(sent.to_string(), count.trim_start_matches(": "), "{task}");
        } else if let Some(rest) = text.strip_prefix("what is sent for ") {
            let (task, rest) = quoted(rest);
            let sent = self.run().sent.iter().rfind(|one| &*one.task == task).expect("it was sent");
            let target = serde_json::to_value(&sent.target).expect("JSON");
            let wanted = value(step, rest.trim_start_matches("is "));
            assert!(holds(&target, &wanted), "{target} is not {wanted}");
        } else if let Some(rest) = text.strip_prefix("the address for ") {
            let (task, rest) = quoted(rest);
            let sent = self.run().sent.iter().find(|one| &*one.task == task).expect("it was sent");
            assert!(matches!(sent.target, CallTarget::Http { .. }));
            assert_eq!(endpoint(sent), quoted(rest).0);
        } else if let Some(rest) = text.strip_prefix("the places of calls are: ") {
            let places: Vec<String> =
                self.run().sent.iter().map(|one| one.id.to_string()).collect();
            assert_eq!(places, names(rest));
        } else if let Some(rest) = text.strip_prefix("cut short are: ") {
            assert_eq!(self.run().interrupted, names(rest));
        } else if let Some(rest) = text.strip_prefix("children are cancelled: ") {
            assert_eq!(self.run().cancelled, names(rest));
        } else {
            return false;
        }
        true
    }

    /// How the run stands.
    fn is_so(&mut self, step: &Step, text: &str) -> bool {
        if let Some(rest) = text.strip_prefix("it completes with ") {
            let wanted = value(step, rest);
            assert_eq!(self.run().output(), &wanted);
        } else if let Some(rest) = text.strip_prefix("it faults with ") {
            let wanted = value(step, rest);
            let error = self.run().error();
            assert!(holds(error, &wanted), "{error} is not {wanted}");
        } else if text == "it goes on" {
            assert_eq!(self.run().machine().outcome(), None);
        } else if text == "it is cancelled" {
            assert!(matches!(self.run().outcome(), Outcome::Cancelled { .. }));
        } else if let Some(rest) = text.strip_prefix("the tasks start in this order: ") {
            assert_eq!(self.run().started(), names(rest));
        } else if let Some(rest) = text.strip_prefix("skipped are: ") {
            assert_eq!(self.run().noted(|kind| *kind == NoteKind::Skipped), names(rest));
        } else if let Some(rest) = text.strip_prefix("undone are: ") {
            let (Outcome::Faulted { compensation, .. } | Outcome::Cancelled { compensation, .. }) =
                self.run().outcome()
            else {
                panic!("it completed");
            };
            let undone = compensation.as_ref().map(|all| all.undone.as_slice()).unwrap_or_default();
            let shown: Vec<String> = undone
                .iter()
                .map(|one| {
                    format!("{}{}", one.task, if one.failure.is_some() { " not" } else { "" })
                })
                .collect();
            assert_eq!(shown, names(rest));
        } else if let Some(rest) = text.strip_prefix("it is told of by: ") {
            let run = self.run();
            let lifecycle = Lifecycle { program: run.machine().program(), run: "run-1" };
            let mut facts = vec![LifecycleFact::Started];
            facts.extend(run.notes.iter().map(LifecycleFact::Task));
            facts.extend(run.machine().outcome().map(LifecycleFact::Ended));
            let told = facts.into_iter().flat_map(|fact| lifecycle.events(fact, run.now));
            let told: Vec<String> = told
                .inspect(|event| {
                    assert!(event["id"].as_str().is_some_and(|id| id.starts_with("run-1:")));
                })
                .map(|event| {
                    event["type"].as_str().expect("a type").replace("io.serverlessworkflow.", "")
                })
                .collect();
            assert_eq!(told, names(rest));
        } else {
            return false;
        }
        true
    }

    /// What there is to say of events and schedules.
    fn is_so_of_events(&mut self, step: &Step, text: &str) -> bool {
        if let Some(rest) = text.strip_prefix("the emitted events are these:") {
            let Value::Array(wanted) = value(step, rest) else { panic!("a list") };
            let events = &self.run().events;
            assert_eq!(events.len(), wanted.len());
            for (event, wanted) in events.iter().zip(&wanted) {
                assert!(holds(event, wanted), "{event} is not {wanted}");
            }
        } else if let Some(count) = text.strip_prefix("it is taken by listens: ") {
            assert_eq!(self.taken.to_string(), count);
        } else if let Some(rest) = text.strip_prefix("it listens to ") {
            let filters: Vec<Value> = self
                .run()
                .listens
                .values()
                .flat_map(|one| &one.filters)
                .map(|filter| serde_json::to_value(filter).expect("JSON"))
                .collect();
            let Value::Array(wanted) = value(step, rest) else { panic!("a list") };
            assert_eq!(filters.len(), wanted.len(), "{filters:?}");
            for (filter, wanted) in filters.iter().zip(&wanted) {
                assert!(holds(filter, wanted), "{filter} is not {wanted}");
            }
        } else if let Some(rest) = text.strip_prefix("by the clocks of ") {
            let (zone, rest) = quoted(rest);
            self.due(zone, rest);
        } else if let Some(rest) = text.strip_prefix("an event begins a run with ") {
            let (event, input) = rest.split_once(" => ").expect("an event and an input");
            assert_eq!(self.begun(&value(step, event)), Some(value(step, input)));
        } else if let Some(rest) = text.strip_prefix("no run begins with ") {
            assert_eq!(self.begun(&value(step, rest)), None);
        } else {
            return false;
        }
        true
    }

    /// The input of the run that an event begins; null while others are needed too.
    fn begun(&mut self, event: &Value) -> Option<Value> {
        let program = compensated(&with_head(&self.body), "{}").expect("it compiles");
        let Some(Schedule::On(start)) = program.schedule() else { panic!("no events") };
        start.gathering_of(event)?;
        Some(start.gather(&mut self.gathering, event).unwrap_or(Value::Null))
    }

    /// When the workflow's cron pattern is due, of what was missed since a moment.
    fn due(&self, zone: &str, rest: &str) {
        let program = compensated(&with_head(&self.body), "{}").expect("it compiles");
        let Some(Schedule::Cron(cron)) = program.schedule() else { panic!("no pattern") };
        let timetable = Timetable::cron(cron.clone(), Zone::named(zone).expect("a zone"));
        let (after, rest) = quoted(rest);
        let (until, rest) = quoted(rest);
        let due = CatchUp::All { limit: 1_000 }.due(&timetable, at(after), at(until), 0);
        let shown: Vec<String> =
            due.run.iter().map(|at| at.to_string().replace(".000Z", "Z")).collect();
        assert_eq!(shown, names(rest.trim_start_matches(": ")), "{cron}");
    }
}
