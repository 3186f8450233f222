//! The killer, and the test that is his.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    say,
    stage::{
        Clock as _, WallClock,
        chance::Chance,
        judge::{judge, judge_holdings, unaccounted},
        project::replace,
        sender::{Sender, case_of},
        story::Story,
        wish,
    },
};

const CONNECTIONS: usize = 12;
/// How long the runs get to end after the last kill: a failing call is tried again with growing pauses, and a pace that was
/// cut for failures by chance comes back only when enough calls have shown that it was.
const ENDING: u64 = 180;
/// How long an event may take to be acknowledged after a restart.
const ACKNOWLEDGING: Duration = Duration::from_secs(60);

/// What the killer did.
#[derive(Default)]
struct Kills {
    /// While events were under way.
    loaded: usize,
    /// While the server was starting.
    starting: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_effect_takes_place_once_however_often_the_server_is_killed() {
    let seed = wish("QC_KILL_SEED", WallClock.now().as_millis().unsigned_abs());
    let events = usize::try_from(wish("QC_KILL_EVENTS", 600)).unwrap();
    let kills = usize::try_from(wish("QC_KILLS", 12)).unwrap();
    say(&format!("kill test: QC_KILL_SEED={seed} QC_KILL_EVENTS={events} QC_KILLS={kills}"));
    let mut story = Story::set(seed, true).await;
    story.deploy().await;
    let sender = Sender::new(story.server.port, events, seed);
    let connections = sender.begin(CONNECTIONS as u64);
    let began = Instant::now();
    let done = kill(&mut story, &sender, Chance::new(seed), events, kills).await;
    sender.let_all_through(CONNECTIONS);
    connections.join_all().await;
    let (acknowledged, took) = (sender.count(), began.elapsed());
    let outputs = sender.outcomes(CONNECTIONS, ENDING).await;
    let mut wrongs = sender.complaints();
    wrongs.extend(standing(&story, &sender).await);
    let cases: BTreeSet<String> = (0..events).map(case_of).collect();
    wrongs.extend(judge(&cases, &story.systems.seen()));
    wrongs.extend(judge_holdings(&outputs, &story.systems.holdings()));
    let rate = f64::from(u32::try_from(acknowledged).unwrap()) / took.as_secs_f64();
    say(&format!(
        "kill test: {acknowledged} events in {:.1} s ({rate:.0}/s), {} kills under load and {} while starting, \
         {} sent again, requests {:?}, all ended after {:.1} s",
        took.as_secs_f64(),
        done.loaded,
        done.starting,
        sender.resent(),
        story.systems.received(),
        began.elapsed().as_secs_f64(),
    ));
    if done.loaded < kills {
        wrongs.push(format!(
            "only {} of {kills} kills came while events were under way",
            done.loaded
        ));
    }
    if !wrongs.is_empty() {
        let (count, shown) = (wrongs.len(), wrongs.iter().take(40).cloned().collect::<Vec<_>>());
        let kept = story.keep();
        panic!("QC_KILL_SEED={seed}: {count} wrongs (kept in {kept}):\n{}", shown.join("\n"));
    }
}

/// The same with systems that do not do what their connectors say: a tracker that ignores keys, and a chat whose
/// messages cannot be found. The platform cannot help but double, and the verdict says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn doubles_are_seen_when_the_systems_forget_keys_and_messages() {
    const EVENTS: usize = 200;
    let mut story = Story::doctored(1, true, |project| {
        let tracker = project.join("connectors/tracker/simulator.yaml");
        replace(&tracker, "[createIssue, createComment]", "[createComment]");
        let chat = project.join("connectors/chat/connector.yaml");
        replace(&chat, "any(.[]; .ref ==", "any(.[]; .ref + \"?\" ==");
    })
    .await;
    story.deploy().await;
    let sender = Sender::new(story.server.port, EVENTS, 1);
    let connections = sender.begin(CONNECTIONS as u64);
    kill(&mut story, &sender, Chance::new(1), EVENTS, 3).await;
    sender.let_all_through(CONNECTIONS);
    connections.join_all().await;
    sender.outcomes(CONNECTIONS, ENDING).await;
    let cases: BTreeSet<String> = (0..EVENTS).map(case_of).collect();
    let wrongs = judge(&cases, &story.systems.seen());
    for system in ["tracker", "chat"] {
        let doubled = |wrong: &&String| wrong.starts_with(system) && wrong.ends_with("effects");
        assert!(
            wrongs.iter().any(|wrong| doubled(&wrong)),
            "no double at the {system}: {wrongs:#?}"
        );
    }
    // Even so, the platform itself did nothing wrong: one key a case.
    assert!(!wrongs.iter().any(|wrong| wrong.contains("keys")), "{wrongs:#?}");
}

/// Kills the server until so many kills came while events were under way, and leaves it running.
async fn kill(
    story: &mut Story,
    sender: &Arc<Sender>,
    mut chance: Chance,
    events: usize,
    kills: usize,
) -> Kills {
    let mut done = Kills::default();
    // A kill that comes when all has just ended does not count, and there are events for some more.
    let most = kills + kills / 2;
    let batch = (events / (most + 1)).max(1);
    for nth in 1..=most {
        if done.loaded == kills {
            break;
        }
        let before = sender.count();
        sender.let_through(batch);
        let acknowledged = sender.acknowledged_beyond(before);
        let any = tokio::time::timeout(ACKNOWLEDGING, acknowledged).await;
        assert!(any.is_ok(), "nothing is acknowledged any more:\n{}", story.server.log_end());
        // Half of them while events are being taken, the others while their runs are at work.
        let longest = if chance.percent(50) { 50 } else { 700 };
        let pause = chance.between(0, longest);
        tokio::time::sleep(pause).await;
        story.server.kill();
        let (count, messages) = (sender.count(), story.systems.messages());
        let under_way = count.saturating_sub(messages);
        done.loaded += usize::from(under_way > 0);
        say(&format!(
            "kill {nth:>2}: {pause:>5.0?} after the first event, {count} acknowledged, {messages} at their end, \
             {under_way} under way",
        ));
        if chance.percent(25) {
            story.server.spawn();
            tokio::time::sleep(chance.between(1, 250)).await;
            story.server.kill();
            done.starting += 1;
        }
        story.server.start().await;
    }
    done
}

/// What is wrong with how the runs stand, by the platform's own account.
async fn standing(story: &Story, sender: &Sender) -> Vec<String> {
    let mut wrongs = Vec::new();
    let open = story.server.told(&["runs", "list", "--status", "running,waiting,parked"]);
    if open["items"] != json!([]) {
        wrongs.push(format!("runs that did not end: {}", open["items"]));
    }
    let runs = story.server.ask_all("/api/v1/runs").await;
    let completed: BTreeSet<_> = runs
        .iter()
        .filter(|run| run["status"] == "completed")
        .map(|run| {
            (run["subject"].as_str().unwrap_or_default(), run["run"].as_str().unwrap_or_default())
        })
        .collect();
    let book = sender.book();
    let expected: BTreeSet<_> =
        book.iter().map(|(case, run)| (case.as_str(), run.as_str())).collect();
    for (case, run) in expected.difference(&completed) {
        wrongs.push(format!("{case}: acknowledged as {run}, which did not complete"));
    }
    if runs.len() != expected.len() {
        wrongs.push(format!("{} runs for {} events", runs.len(), expected.len()));
    }
    let dead = story.server.told(&["dlq", "list"]);
    if dead["items"] != json!([]) {
        wrongs.push(format!("dead letters: {}", dead["items"]));
    }
    wrongs.extend(unaccounted(&story.server));
    let server = story.server.ask("/api/v1/server").await;
    if server["stuck"] != 0 || server["findings"] != json!([]) {
        wrongs.push(format!("the server says: {server}"));
    }
    wrongs
}
