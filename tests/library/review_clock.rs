//! Expiry, leases and caps under clocks that are wrong.

use crate::review_support::{
    DAY_MS, Fixture, HOUR_MS, START_MS, clip, open_settings, person, store,
};
use wakegate::gate::Stop;
use wakegate::review::{Line, Queue, Settings, Stored};

fn sound(queue: &Queue) {
    assert_eq!(queue.verify_audit().unwrap().problems, Vec::<String>::new());
}

#[test]
fn a_clock_set_back_lengthens_no_life() {
    let fixture = Fixture::with(Settings { retention_days: 2.0, ..open_settings() });
    let mut queue = fixture.queue();
    store(&mut queue, 1);
    fixture.clock.pass(DAY_MS);
    queue.sweep().unwrap();
    drop(queue);
    // A machine without a battery for its clock starts in 1970.
    fixture.clock.set(0);
    let mut queue = fixture.reopen().unwrap();
    assert_eq!(queue.stats().unwrap().clock_behind_s, (START_MS + DAY_MS) / 1000);
    assert_eq!(queue.waiting().unwrap(), 1);
    fixture.clock.pass(DAY_MS);
    assert_eq!(queue.sweep().unwrap(), 1, "a day of running is a day");
    // A clip stored under the wrong clock expires all the same.
    store(&mut queue, 2);
    fixture.clock.set(START_MS + 4 * DAY_MS);
    assert_eq!(queue.sweep().unwrap(), 1);
    sound(&queue);
}

#[test]
fn a_clock_that_jumps_about_lengthens_no_life_and_no_lease() {
    let mut state = 7_u64;
    let mut draw = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let fixture = Fixture::with(Settings { retention_days: 1.0, ..open_settings() });
    let mut queue = fixture.queue();
    for seed in 0..4 {
        let id = store(&mut queue, seed);
        let held = queue.next_for(&person("Ann")).unwrap().unwrap();
        assert_eq!(held.id, id);
        let (mut ran, mut alive) = (0, true);
        while alive {
            // Set anywhere from 1970 to half a day ahead, then an hour or less goes by.
            fixture.clock.set(draw((START_MS + DAY_MS / 2) as u64) as i64);
            if draw(4) == 0 {
                drop(queue);
                queue = fixture.reopen().unwrap();
            }
            let passed = draw(HOUR_MS as u64) as i64;
            fixture.clock.pass(passed);
            ran += passed;
            queue.sweep().unwrap();
            alive = queue.waiting().unwrap() == 1;
            assert!(!alive || ran < DAY_MS, "{ran} ms");
            // After its minutes, the lease is over.
            if alive && passed > HOUR_MS / 4 {
                let clip = queue.next_for(&person("Bob")).unwrap();
                assert_eq!(clip.map(|clip| clip.id).as_ref(), Some(&id));
                queue.release(&person("Bob"), &id).unwrap();
            }
        }
    }
    let mut times = Vec::new();
    let mut take = |line: String| {
        times.push(serde_json::from_str::<Line>(&line).unwrap().at);
        Ok(())
    };
    Queue::audit_lines(queue.directory(), &mut take).unwrap();
    assert!(times.is_sorted(), "the log's own time went back");
    sound(&queue);
}

#[test]
fn a_clock_set_back_gives_no_second_daily_cap() {
    let fixture = Fixture::with(Settings { daily_cap: 2, ..open_settings() });
    let mut queue = fixture.queue();
    store(&mut queue, 1);
    store(&mut queue, 2);
    assert_eq!(queue.gate_state().unwrap().stored_today, 2);
    assert_eq!(queue.store(clip(3)).unwrap(), Stored::Dropped(Stop::DailyCap));
    fixture.clock.set(START_MS - DAY_MS);
    assert_eq!(queue.store(clip(3)).unwrap(), Stored::Dropped(Stop::DailyCap));
    fixture.clock.set(START_MS + DAY_MS);
    store(&mut queue, 3);
    let stats = queue.stats().unwrap();
    assert_eq!(stats.days[0].stopped["daily_cap"], 2);
    assert_eq!((stats.days[0].stored, stats.days[1].stored), (2, 1));
}

#[test]
fn after_one_jump_far_ahead_an_owner_can_set_the_time_and_the_log_tells() {
    let fixture = Fixture::with(Settings { daily_cap: 1, ..open_settings() });
    let mut queue = fixture.queue();
    let before = store(&mut queue, 1);
    let mut other = fixture.reopen().unwrap();
    // Half a year ahead for a moment, in which a clip is stored and the owner agrees again.
    fixture.clock.set(START_MS + 180 * DAY_MS);
    assert_eq!(queue.sweep().unwrap(), 1, "{before}: what was there expires");
    store(&mut queue, 2);
    fixture.clock.set(START_MS + DAY_MS);
    assert_eq!(queue.store(clip(3)).unwrap(), Stored::Dropped(Stop::DailyCap), "stuck");
    assert_eq!(other.waiting().unwrap(), 1);
    assert_eq!(queue.set_time(&person("Owner")).unwrap(), 1, "the clip of that time");
    // In every process that has the queue open.
    assert_eq!(other.stats().unwrap().clock_behind_s, 0);
    store(&mut other, 4);
    assert_eq!(queue.stats().unwrap().clock_behind_s, 0);
    fixture.clock.pass(8 * DAY_MS);
    assert_eq!(queue.sweep().unwrap(), 1, "it lives as long as it should");
    let mut said = Vec::new();
    let mut take = |line: String| {
        said.push(line);
        Ok(())
    };
    Queue::audit_lines(queue.directory(), &mut take).unwrap();
    let set = said.iter().find(|line| line.contains("\"act\":\"time_set\"")).unwrap();
    assert!(set.contains("\"by\":\"Owner\"") && set.contains("from 2026-08-"), "{set}");
    // Where the time is right, nothing happens.
    assert_eq!(queue.set_time(&person("Owner")).unwrap(), 0);
    sound(&queue);
}

#[test]
fn a_consent_that_was_given_in_a_time_taken_back_holds_from_then_on() {
    let fixture = Fixture::new();
    let mut queue = fixture.queue();
    fixture.clock.set(START_MS + 180 * DAY_MS);
    queue.revoke_consent(&person("Owner")).unwrap();
    queue.give_consent(&person("Owner")).unwrap();
    fixture.clock.set(START_MS + DAY_MS);
    queue.set_time(&person("Owner")).unwrap();
    let given = queue.consent().unwrap().unwrap().given_at;
    assert_eq!(given, "2026-03-03T10:00:00Z");
    sound(&queue);
}
