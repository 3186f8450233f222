use qc_model::Name;

use super::*;

fn share(tenant: &str, lane: &str) -> Share {
    Share {
        tenant: Name::new(tenant).unwrap(),
        integration: Name::new("it").unwrap(),
        lane: lane.into(),
        key: "".into(),
        priority: Priority::Normal,
    }
}

struct Hand(std::sync::Mutex<Timestamp>);

impl Hand {
    /// So much time passes, and whoever may go does.
    fn pass(&self, millis: u64, gate: &Arc<Gate>) {
        let mut now = self.0.lock().unwrap();
        *now = *now + Duration::from_millis(millis);
        drop(now);
        gate.go_on();
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

fn gate_of(limits: GateLimits) -> Arc<Gate> {
    Gate::new(limits, Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1)))))
}

fn asks(share: Share) -> Asks<'static> {
    Asks { share, declared: None, fresh: true, patient: true, batch: None }
}

fn dealt(said: Said) -> Told {
    let (outcome, health) = (Outcome::Dealt, Health::Good);
    Told { outcome, health, said, requests: 1, failure: None, calls: 1 }
}

#[test]
fn a_limit_is_shared_by_turns_and_a_stated_pause_holds_for_all() {
    let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
    let gate = Gate::new(GateLimits::default(), hand.clone());
    let pass = |millis: u64| hand.pass(millis, &gate);
    let declared = Declared { rates: vec![(10, Duration::from_secs(1))], concurrent: None };
    let ask = |tenant: &str| {
        let declared = Some(&declared);
        gate.pass(Asks { declared, ..asks(share(tenant, "x")) })
    };
    let mut first = ask("a").unwrap();
    let mut a = ask("a").unwrap_err();
    let mut more = ask("a").unwrap_err();
    let mut b = ask("b").unwrap_err();
    assert!(matches!(gate.why(&share("a", "x")), Some(Why::Pace(_))));
    pass(104);
    let Ok(Grant::Go(second)) = a.try_recv() else { panic!("its turn") };
    assert!(b.try_recv().is_err() && more.try_recv().is_err());
    pass(104);
    assert!(b.try_recv().is_ok(), "b does not wait for all of a");
    // A call is refused with a pause: nobody goes before it is over.
    let said = Said { retry_after: Some(Duration::from_secs(60)), ..Said::default() };
    let told = Told { outcome: Outcome::Throttled, ..dealt(said) };
    let (limit, until) = first.tell(&told).unwrap();
    assert_eq!((&*limit, until), ("x", Timestamp::from_millis(1_060_208)));
    drop((first, second));
    pass(59_999);
    assert!(more.try_recv().is_err());
    assert_eq!(gate.why(&share("c", "x")), Some(Why::Stated(until)));
    pass(1);
    assert!(more.try_recv().is_ok());
}

#[test]
fn what_is_declared_is_divided_among_the_nodes_and_theirs_again_when_they_are_gone() {
    let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
    let gate = Gate::new(GateLimits::default(), hand.clone());
    let declared = Declared { rates: vec![(10, Duration::from_secs(1))], concurrent: None };
    let ask = || gate.pass(Asks { declared: Some(&declared), ..asks(share("a", "x")) });
    let next = || {
        let Some(Why::Pace(at)) = gate.why(&share("a", "x")) else { panic!("it waits") };
        at.since(Timestamp::from_millis(1_000_000)).as_millis()
    };
    gate.among(2);
    let _first = ask().unwrap();
    let _second = ask().unwrap_err();
    let of_two = next();
    gate.among(1);
    let _third = ask().unwrap_err();
    let alone = next();
    // Between calls lies the time that the declared rate says, less a little; with two that time once more.
    assert!((80..=104).contains(&alone), "{alone}");
    assert!((of_two - 106..=of_two - 100).contains(&alone), "{of_two}, alone {alone}");
}

fn batch(with: &str, most: usize) -> Batch {
    Batch { with: with.into(), most }
}

fn go(ticket: &mut Ticket) -> Option<Permit> {
    match ticket.try_recv() {
        Ok(Grant::Go(permit)) => Some(permit),
        _ => None,
    }
}

#[test]
fn what_waits_behind_a_call_goes_along_and_is_one_departure() {
    let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
    let gate = Gate::new(GateLimits::default(), hand.clone());
    let pass = |millis: u64| hand.pass(millis, &gate);
    let declared = Declared { rates: vec![(1, Duration::from_secs(1))], concurrent: None };
    let ask = |tenant: &str, key: &str, with: Batch| {
        let share = Share { key: key.into(), ..share(tenant, "x") };
        gate.pass(Asks { declared: Some(&declared), batch: Some(with), ..asks(share) })
    };
    let mut first = ask("a", "1", batch("t", 3)).unwrap();
    assert!(first.seat().is_none(), "nobody waited");
    let mut t2 = ask("a", "2", batch("t", 3)).unwrap_err();
    let mut other = ask("a", "3", batch("u", 3)).unwrap_err();
    let mut behind = ask("a", "3", batch("t", 3)).unwrap_err();
    let gone = ask("a", "4", batch("t", 3)).unwrap_err();
    let mut t5 = ask("a", "5", batch("t", 3)).unwrap_err();
    let mut t6 = ask("a", "6", batch("t", 3)).unwrap_err();
    let mut t7 = ask("a", "7", batch("t", 3)).unwrap_err();
    let mut of_b = ask("b", "2", batch("t", 3)).unwrap_err();
    drop((gone, first));
    pass(1_040);
    let together = [&mut t2, &mut t5, &mut t6].map(|ticket| go(ticket).expect("goes along"));
    let stay = [&mut other, &mut behind, &mut t7, &mut of_b].map(|ticket| go(ticket).is_none());
    assert_eq!(stay, [true; 4], "another task, behind it, one too many, another tenant");
    assert_eq!(gate.numbers(), (3, 4));
    let group = together.iter().map(|permit| match &permit.departs {
        Departs::Together(group, Some(_)) => Arc::as_ptr(group),
        _ => panic!("it goes with others"),
    });
    let group: std::collections::BTreeSet<_> = group.collect();
    assert_eq!(group.len(), 1);
    // They are one departure: the next one goes after one second, and not after three.
    pass(1_040);
    assert!(go(&mut of_b).is_some());
    drop(together);
    let mut rest = Vec::new();
    for _ in 0..3 {
        pass(1_040);
        rest.extend([&mut other, &mut behind, &mut t7].map(go).into_iter().flatten());
    }
    assert_eq!((rest.len(), gate.numbers()), (3, (3, 0)));
}

#[test]
fn one_at_a_time_tries_a_system_that_is_away() {
    let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
    let gate = Gate::new(GateLimits::default(), hand.clone());
    let failure = qc_model::Code::new("QC-N101");
    let failure = Failure::new(qc_model::Class::Dependency, failure, "It is away", "no answer");
    let failure = Some(Box::new(failure));
    let bad = Told { health: Health::Bad, failure, ..dealt(Said::default()) };
    let ask = || gate.pass(Asks { batch: Some(batch("t", 50)), ..asks(share("a", "x")) });
    for _ in 0..20 {
        ask().unwrap().tell(&bad);
    }
    let mut waiting: Vec<Ticket> = (0..10).map(|_| ask().unwrap_err()).collect();
    *hand.0.lock().unwrap() = Timestamp::from_millis(1_001_000);
    gate.go_on();
    let went: Vec<Permit> = waiting.iter_mut().filter_map(go).collect();
    assert_eq!(went.len(), 1);
    assert!(matches!(went[0].departs, Departs::Alone(_)));
}

#[test]
fn each_that_is_tried_again_takes_of_the_budget() {
    let gate = gate_of(GateLimits::default());
    gate.shut(true);
    let again = || {
        let mut share = share("a", "x");
        share.lane.again = true;
        gate.pass(Asks { batch: Some(batch("t", 50)), ..asks(share) })
    };
    let mut waiting: Vec<Ticket> = (0..60).map(|_| again().unwrap_err()).collect();
    gate.shut(false);
    let went: Vec<Permit> = waiting.iter_mut().filter_map(go).collect();
    assert!((5..=15).contains(&went.len()), "{}", went.len());
}

#[test]
fn nobody_goes_along_for_whom_there_is_no_room() {
    let gate = gate_of(GateLimits { calls: 100, per_tenant: 100, per_system: 3 });
    let ask = || gate.pass(Asks { batch: Some(batch("t", 50)), ..asks(share("a", "x")) });
    let held: Vec<Permit> = (0..3).map(|_| ask().unwrap()).collect();
    let mut waiting: Vec<Ticket> = (0..10).map(|_| ask().unwrap_err()).collect();
    drop(held);
    let went: Vec<Permit> = waiting.iter_mut().filter_map(go).collect();
    assert_eq!((went.len(), gate.numbers().0), (3, 3));
}

#[test]
fn what_waits_long_for_a_system_that_does_not_answer_is_turned_away_unless_in_doubt() {
    let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
    let gate = Gate::new(GateLimits::default(), hand.clone());
    let code = qc_model::Code::new("QC-N101");
    let failure =
        Failure::new(qc_model::Class::Dependency, code.clone(), "It is away", "no answer");
    let failure = Some(Box::new(failure));
    let bad = Told { health: Health::Bad, failure, ..dealt(Said::default()) };
    for _ in 0..20 {
        gate.pass(asks(share("a", "x"))).unwrap().tell(&bad);
    }
    let mut fresh = gate.pass(asks(share("a", "x"))).unwrap_err();
    let mut doubtful = gate.pass(Asks { fresh: false, ..asks(share("a", "x")) }).unwrap_err();
    let mut other = gate.pass(asks(share("a", "y"))).unwrap();
    let since = Timestamp::from_millis(1_000_000);
    assert_eq!(gate.why(&share("a", "x")), Some(Why::Away(since)));
    gate.turn_away(since + Duration::from_millis(9_999));
    assert!(fresh.try_recv().is_err());
    gate.turn_away(since + PATIENCE);
    let Ok(Grant::Barred(failure)) = fresh.try_recv() else { panic!("turned away") };
    assert_eq!((failure.code, failure.applied), (code, qc_model::Applied::No));
    assert!(failure.detail.starts_with("the call was not sent: "), "{}", failure.detail);
    assert!(doubtful.try_recv().is_err(), "what may have been sent is not given up");
    assert_eq!((gate.counts().barred, gate.counts().open), (1, 1));
    assert_eq!(other.tell(&dealt(Said::default())), None);
}

#[test]
fn a_system_takes_so_many_at_once_and_the_others_go_on() {
    let gate = gate_of(GateLimits { calls: 100, per_tenant: 100, per_system: 2 });
    let first = gate.pass(asks(share("a", "slow"))).unwrap();
    let second = gate.pass(asks(share("a", "slow"))).unwrap();
    let mut third = gate.pass(asks(share("a", "slow"))).unwrap_err();
    let other = gate.pass(asks(share("a", "fast"))).unwrap();
    assert_eq!(gate.numbers(), (3, 1));
    drop(first);
    let Ok(Grant::Go(third)) = third.try_recv() else { panic!("its turn") };
    assert_eq!(gate.numbers(), (3, 0));
    drop((second, third, other));
    assert_eq!(gate.numbers(), (0, 0));
    assert!(gate.state().systems.is_empty());
}

#[test]
fn who_comes_later_waits_behind_its_own_and_takes_turns_with_others() {
    let gate = gate_of(GateLimits { calls: 1, per_tenant: 1, per_system: 1 });
    let permit = gate.pass(asks(share("a", "x"))).unwrap();
    let mut noisy: Vec<Ticket> =
        (0..100).map(|_| gate.pass(asks(share("a", "x"))).unwrap_err()).collect();
    let mut quiet = gate.pass(asks(share("b", "x"))).unwrap_err();
    drop(permit);
    let Ok(Grant::Go(permit)) = noisy[0].try_recv() else { panic!("its turn") };
    assert!(quiet.try_recv().is_err());
    drop(permit);
    assert!(quiet.try_recv().is_ok(), "b does not wait for all of a");
    assert_eq!(gate.numbers(), (1, 98));
}

#[test]
fn a_shut_gate_holds_everybody_until_it_is_opened() {
    let gate = gate_of(GateLimits::default());
    let before = gate.pass(asks(share("a", "x"))).unwrap();
    gate.shut(true);
    let mut ticket = gate.pass(asks(share("a", "x"))).unwrap_err();
    drop(before);
    assert!(ticket.try_recv().is_err());
    gate.shut(false);
    assert!(ticket.try_recv().is_ok());
}

#[test]
fn who_goes_away_takes_no_turn_also_when_many_do() {
    let gate = gate_of(GateLimits { calls: 1, per_tenant: 1, per_system: 1 });
    let permit = gate.pass(asks(share("a", "x"))).unwrap();
    let gone: Vec<Ticket> =
        (0..100_000).map(|_| gate.pass(asks(share("a", "x"))).unwrap_err()).collect();
    let mut stays = gate.pass(asks(share("a", "x"))).unwrap_err();
    drop(gone);
    drop(permit);
    assert!(stays.try_recv().is_ok());
    assert_eq!(gate.numbers(), (0, 0));
}

fn later(ticket: &mut Ticket) -> Option<(u64, String)> {
    match ticket.try_recv() {
        Ok(Grant::Later(later)) => {
            let wait = later.until.since(Timestamp::from_millis(1_000_000));
            Some((wait.as_secs(), later.why))
        }
        _ => None,
    }
}

#[test]
fn who_waits_for_long_is_put_off_unless_it_has_no_patience() {
    let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
    let gate = Gate::new(GateLimits::default(), hand.clone());
    let now = Timestamp::from_millis(1_000_000);
    gate.hold(&"x".into(), now + Duration::from_secs(30));
    let mut waits = gate.pass(asks(share("a", "x"))).unwrap_err();
    let mut doubtful = gate.pass(Asks { patient: false, ..asks(share("a", "x")) }).unwrap_err();
    gate.put_off(false, now);
    assert_eq!((later(&mut waits), gate.numbers()), (None, (0, 2)), "half a minute is not long");
    gate.put_off(true, now);
    let (wait, why) = later(&mut waits).unwrap();
    assert_eq!(wait, 30);
    assert!(why.contains("`x` wants no calls before"), "{why}");
    assert_eq!((later(&mut doubtful), gate.numbers()), (None, (0, 1)));
    hand.pass(30_000, &gate);
    assert!(go(&mut doubtful).is_some());
}

#[test]
fn who_stands_far_behind_is_put_off_and_tenants_take_turns_there_too() {
    let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
    let gate = Gate::new(GateLimits::default(), hand);
    let declared = Declared { rates: vec![(1, Duration::from_secs(1))], concurrent: None };
    let ask = |tenant: &str| {
        let declared = Some(&declared);
        gate.pass(Asks { declared, ..asks(share(tenant, "x")) })
    };
    let _first = ask("a").unwrap();
    let mut of_a: Vec<Ticket> = (0..400).map(|_| ask("a").unwrap_err()).collect();
    let mut of_b: Vec<Ticket> = (0..10).map(|_| ask("b").unwrap_err()).collect();
    gate.put_off(false, Timestamp::from_millis(1_000_000));
    assert!(of_b.iter_mut().all(|ticket| later(ticket).is_none()), "they come next");
    let of_a: Vec<Option<(u64, String)>> = of_a.iter_mut().map(later).collect();
    let stay = of_a.iter().take_while(|one| one.is_none()).count();
    // 0.97 a second, and the ten of the other tenant: half of what the pace says is a minute for the 107th.
    assert!((105..=108).contains(&stay), "{stay}");
    let (last, why) = of_a.last().unwrap().as_ref().unwrap();
    assert!((209..=212).contains(last), "{last}");
    assert!(why.contains("its turn at `x`, where many calls stand before it"), "{why}");
    assert!(of_a[stay..].iter().all(Option::is_some));
    assert_eq!(gate.numbers(), (1, stay + 10));
}

#[test]
fn few_of_many_tenants_and_calls_that_go_together_are_few_requests() {
    let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
    let gate = Gate::new(GateLimits::default(), hand);
    let declared = Declared { rates: vec![(1, Duration::from_secs(1))], concurrent: None };
    let ask = |tenant: &str, batch| {
        let declared = Some(&declared);
        gate.pass(Asks { declared, batch, ..asks(share(tenant, "x")) })
    };
    let _first = ask("z", None).unwrap();
    let mut tickets: Vec<Ticket> =
        (0..50).map(|n| ask(&format!("t{n}"), None).unwrap_err()).collect();
    tickets.extend((0..60).map(|_| ask("noisy", None).unwrap_err()));
    gate.put_off(false, Timestamp::from_millis(1_000_000));
    assert!(tickets.iter_mut().all(|ticket| later(ticket).is_none()), "110 requests are not far");
    drop(tickets);
    let mut together: Vec<Ticket> =
        (0..1_000).map(|_| ask("a", Some(batch("t", 100))).unwrap_err()).collect();
    gate.put_off(false, Timestamp::from_millis(1_000_000));
    assert!(together.iter_mut().all(|ticket| later(ticket).is_none()), "they are ten requests");
}

#[test]
fn what_went_of_a_long_window_is_known_also_while_a_pause_is() {
    let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
    let gate = Gate::new(GateLimits::default(), hand.clone());
    let (now, hour) = (Timestamp::from_millis(1_000_000), Duration::from_secs(3_600));
    gate.hold(&"x".into(), now + Duration::from_secs(30));
    let spent = |limit: u64| Spent { per: hour, ends: now + hour, calls: limit };
    gate.know_spent(&"x".into(), vec![spent(100)]);
    gate.among(3);
    let declared = Declared { rates: vec![(100, hour)], concurrent: None };
    let ask = || gate.pass(Asks { declared: Some(&declared), ..asks(share("a", "x")) });
    let mut waits = ask().unwrap_err();
    hand.pass(1_800_000, &gate);
    assert!(go(&mut waits).is_none(), "nothing is left of it");
    hand.pass(1_800_000, &gate);
    assert!(go(&mut waits).is_some());
    // Half of it went: a part of what is left is this node's.
    let gate = Gate::new(GateLimits::default(), hand.clone());
    gate.know_spent(&"x".into(), vec![Spent { ends: now + hour * 3, ..spent(50) }]);
    gate.among(3);
    let ask = || gate.pass(Asks { declared: Some(&declared), ..asks(share("a", "x")) });
    assert!(ask().is_ok());
}

#[test]
fn a_tenant_has_so_many_calls_in_flight_and_what_is_critical_counts_by_itself() {
    let gate = gate_of(GateLimits { calls: 100, per_tenant: 2, per_system: 100 });
    let ask = |priority| gate.pass(asks(Share { priority, ..share("a", "x") }));
    let _held = [ask(Priority::Normal).unwrap(), ask(Priority::Normal).unwrap()];
    assert!(ask(Priority::Normal).is_err());
    let _critical = [ask(Priority::High).unwrap(), ask(Priority::High).unwrap()];
    assert!(ask(Priority::High).is_err());
    assert!(gate.pass(asks(share("b", "x"))).is_ok());
}

fn more(share: &Share, until: u64, tries: bool) -> OnceMore<'_> {
    let until = Timestamp::from_millis(1_000_000) + Duration::from_secs(until);
    OnceMore { share, declared: None, until, tries }
}

#[tokio::test(start_paused = true)]
async fn a_read_back_gives_up_at_once_where_it_may_not_go_in_time() {
    let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
    let gate = Gate::new(GateLimits::default(), hand.clone());
    let (now, share) = (Timestamp::from_millis(1_000_000), share("a", "x"));
    assert!(gate.once_more(more(&share, 0, false)).await.is_ok());
    gate.hold(&"x".into(), now + Duration::from_secs(100));
    let began = tokio::time::Instant::now();
    let late = gate.once_more(more(&share, 99, false)).await;
    assert_eq!(late.err(), Some(Why::Stated(now + Duration::from_secs(100))));
    assert!(began.elapsed() < Duration::from_millis(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_read_back_goes_to_a_system_that_is_away_only_when_its_call_tries_it() {
    let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
    let gate = Gate::new(GateLimits::default(), hand.clone());
    let share = share("a", "x");
    let bad = Told { health: Health::Bad, ..dealt(Said::default()) };
    for _ in 0..20 {
        gate.pass(asks(share.clone())).unwrap().tell(&bad);
    }
    let since = Timestamp::from_millis(1_000_000);
    assert_eq!(gate.once_more(more(&share, 900, false)).await.err(), Some(Why::Away(since)));
    assert!(gate.once_more(more(&share, 900, true)).await.is_ok());
}

/// A limit that refused a call: the next one probes it.
fn refused_once(hand: &Hand, gate: &Arc<Gate>, share: &Share) {
    for _ in 0..5 {
        gate.pass(asks(share.clone())).unwrap().tell(&dealt(Said::default()));
        hand.pass(100, gate);
    }
    let refused = Told { outcome: Outcome::Throttled, ..dealt(Said::default()) };
    gate.pass(asks(share.clone())).unwrap().tell(&refused);
    hand.pass(2_000, gate);
}

/// After a refusal one call probes the limit. When that is one to be read back first, its read-back does not wait for it.
#[tokio::test(start_paused = true)]
async fn a_read_back_does_not_wait_for_its_own_call_to_probe_the_limit() {
    let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
    let gate = Gate::new(GateLimits::default(), hand.clone());
    let share = share("a", "x");
    refused_once(&hand, &gate, &share);
    let probe = gate.pass(Asks { fresh: false, ..asks(share.clone()) }).unwrap();
    let others = gate.once_more(more(&share, 900, false));
    let waited = tokio::time::timeout(Duration::from_secs(30), others).await;
    assert!(waited.is_err(), "others wait for it");
    assert!(gate.once_more(more(&share, 30, probe.is_untold())).await.is_ok());
}

/// While another call probes the limit nobody knows when the next one goes; with its answer a read-back goes, and not only
/// when the probe would be given up.
#[tokio::test(start_paused = true)]
async fn a_read_back_goes_when_another_call_has_tried_the_limit() {
    let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
    let gate = Gate::new(GateLimits::default(), hand.clone());
    let share = share("a", "x");
    refused_once(&hand, &gate, &share);
    let mut probe = gate.pass(asks(share.clone())).unwrap();
    let began = tokio::time::Instant::now();
    let answer = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        probe.tell(&dealt(Said::default()));
        hand.pass(2_000, &gate);
    };
    let (went, ()) = tokio::join!(gate.once_more(more(&share, 900, false)), answer);
    assert!(went.is_ok());
    let waited = began.elapsed();
    assert!((1_000..1_500).contains(&waited.as_millis()), "{waited:?}");
}
