//! How a past event would begin a run on another release.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use qc_expression::Expression;
use qc_model::{Event, Name};
use qc_store::RunFacts;
use qc_workflow::Start;
use serde_json::{Map, Value};

use super::{
    origin::push,
    past::Past,
    report::{Difference, DifferenceKind},
};
use crate::{Deployment, Refusal, Release, Trigger, judge, start::over_event, view};

/// What a run would begin with.
pub(super) struct Begun {
    pub(super) start: Start,
    /// What is different before it begins.
    pub(super) differences: Vec<Difference>,
}

/// The start on the candidate. Err: it would not begin.
pub(super) fn begin(
    past: &Past,
    facts: &RunFacts,
    event: Option<&Value>,
    own: &Deployment,
    candidate: &Deployment,
) -> Result<Begun, Difference> {
    let name = &facts.trigger;
    let mut start = past.start.clone();
    if let Some(metadata) = start.runtime.metadata.as_object_mut() {
        let vars = candidate.vars.iter().map(|(name, value)| (name.clone(), value.clone()));
        metadata.insert("vars".to_owned(), Value::Object(vars.collect::<Map<_, _>>()));
    }
    let Some(input) = input_of(&candidate.release, name) else {
        return Err(unfit(format!("it has no trigger `{name}`")));
    };
    let mut differences = Vec::new();
    let Some(event) = event else { return Ok(Begun { start, differences }) };
    // A replay with an edited input is not what the event says.
    let as_then =
        input_of(&own.release, name).and_then(|input| evaluated(&input, event, facts).ok());
    if as_then.as_ref() != Some(&past.start.input) {
        return Ok(Begun { start, differences });
    }
    let mut raised = event.clone();
    if let Some(trigger) = candidate.release.triggers.get(name) {
        let then = own.release.triggers.get(name);
        let (judged, key) = judged(trigger, then, event, facts)?;
        raised = judged;
        let key_then = then.and_then(|then| Some(self::judged(then, None, event, facts).ok()?.1));
        if key_then.is_some_and(|then| then != key) {
            differences.push(unfit("its idempotency key is another one".to_owned()));
        }
    }
    start.input = evaluated(&input, &raised, facts).map_err(|()| {
        unfit(format!("the `input` of the trigger `{name}` cannot be evaluated over it"))
    })?;
    Ok(Begun { start, differences })
}

fn unfit(detail: String) -> Difference {
    Difference {
        kind: DifferenceKind::Event,
        effect: String::new(),
        task: String::new(),
        fields: Vec::new(),
        detail,
    }
}

/// A refusal without the names that stand in the event: some documents have data as names.
fn refused(refusal: &Refusal) -> String {
    let code = refusal.code();
    let (Refusal::Contract(mismatches) | Refusal::Misfit { mismatches, .. }) = refusal else {
        return format!("it refuses it ({code})");
    };
    let Some(first) = mismatches.first() else { return format!("it refuses it ({code})") };
    let mut place = String::new();
    for name in first.pointer.split('/').skip(1) {
        push(&mut place, &name.replace("~1", "/").replace("~0", "~"));
    }
    format!("it refuses it ({code}): at `{place}` its contract's `{}` does not hold", first.keyword)
}

/// What makes the input of a run.
enum Made<'r> {
    /// This, over the event.
    By(&'r Expression),
    /// It is the event's data.
    OfData,
}

/// What makes the input of what begins runs under this name; None when nothing does.
fn input_of<'r>(release: &'r Release, name: &Name) -> Option<Made<'r>> {
    let trigger = release.triggers.get(name).map(|trigger| trigger.input.as_ref());
    let bus = &release.bus;
    trigger
        .or_else(|| bus.subscriptions.get(name).map(|one| one.input.as_ref()))
        .or_else(|| bus.schedules.get(name).map(|one| one.input.as_ref()))
        .map(|input| input.map_or(Made::OfData, Made::By))
}

fn evaluated(input: &Made<'_>, event: &Value, facts: &RunFacts) -> Result<Value, ()> {
    match input {
        Made::By(expression) => over_event(expression, event, facts.accepted_at).map_err(drop),
        Made::OfData => Ok(event.get("data").cloned().unwrap_or_default()),
    }
}

/// The event as a trigger sees it, and its key. It is stored in the version with which its workflow worked.
fn judged(
    trigger: &Trigger,
    then: Option<&Trigger>,
    event: &Value,
    facts: &RunFacts,
) -> Result<(Value, Option<String>), Difference> {
    let decode = |text: &str| STANDARD.decode(text).ok();
    let mut read = Event::from_structured(event.clone(), decode)
        .map_err(|_| unfit("it cannot be read as an event".to_owned()))?;
    let version_then = then.and_then(|then| {
        let versions = then.versions.as_ref()?;
        Some(versions.entries()[versions.current()].name.to_string())
    });
    let spoken = trigger.versions.as_ref().map(|versions| {
        let named = version_then.and_then(|name| versions.named(&name).ok());
        let index = named.unwrap_or_else(|| versions.current());
        // It was taken then.
        qc_version::Spoken { index, outlives: true }
    });
    let judged = judge(trigger, &mut read, None, spoken, facts.accepted_at)
        .map_err(|refusal| unfit(refused(&refusal)))?;
    if let Some(refusal) = judged.breach {
        return Err(unfit(refused(&refusal)));
    }
    Ok((view::structured(&mut read, Value::clone), judged.key))
}
