//! The daemon's way into the queue.

use std::sync::Arc;

use crate::review_support::{
    HandClock, heard, intended, live, noise, open_settings, person, queue, reopen,
};
use wakegate::decision::Verdict;
use wakegate::gate::{Stop, system_draw};
use wakegate::review::{Feed, Recorder, Settings};

struct Fixture {
    folder: tempfile::TempDir,
    clock: Arc<HandClock>,
    settings: Settings,
}

impl Fixture {
    fn new(settings: Settings) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: HandClock::new(), settings }
    }

    fn directory(&self) -> std::path::PathBuf {
        self.folder.path().join("queue")
    }

    fn recorder(&self) -> Recorder {
        let clock = Arc::clone(&self.clock) as _;
        Recorder::start(&self.directory(), &self.settings, clock, system_draw()).unwrap()
    }
}

fn metric(recorder: &Recorder, name: &str, reason: Option<&str>) -> u64 {
    let metrics = recorder.metrics();
    let found = metrics.iter().find(|metric| metric.name == name && metric.reason == reason);
    found.unwrap_or_else(|| panic!("no metric {name}")).value
}

#[test]
fn what_is_intended_is_stored_and_the_rest_counted() {
    let fixture = Fixture::new(open_settings());
    drop(queue(&fixture.directory(), &fixture.settings, &fixture.clock));
    let recorder = fixture.recorder();
    let samples = noise(48_000, 1);
    recorder.offer(intended(1.0, 1.5), live(&samples));
    recorder.offer(heard(Verdict::Accidental, 0.1, 1.0, 1.5), live(&samples));
    recorder.note(&heard(Verdict::Unsure, 0.6, 1.0, 1.5).activation);
    recorder.flush();
    assert_eq!((recorder.stored(), recorder.last_error()), (1, None));
    assert_eq!(recorder.stopped(Stop::NotAddressed), 1);
    let stopped = "wakegate_gate_stopped_total";
    assert_eq!(metric(&recorder, stopped, Some("unsure")), 1);
    assert_eq!(metric(&recorder, "wakegate_review_stored_total", None), 1);
    assert_eq!(metric(&recorder, "wakegate_gate_admitted_total", None), 1);
    drop(recorder);
    let mut queue = reopen(&fixture.directory(), &fixture.settings, &fixture.clock).unwrap();
    let clip = queue.next_for(&person("Ann")).unwrap().unwrap();
    // One second before the word, and to the end of what was heard.
    assert_eq!(clip.audio.samples(), &samples[..]);
    let days = queue.stats().unwrap().days;
    assert_eq!((days[0].stored, days[0].stopped["unsure"]), (1, 1));
}

#[test]
fn where_review_is_off_nothing_is_even_opened() {
    let fixture = Fixture::new(Settings::default());
    let recorder = fixture.recorder();
    recorder.offer(intended(1.0, 1.5), live(&noise(48_000, 1)));
    recorder.flush();
    assert_eq!((recorder.stored(), recorder.stopped(Stop::Disabled)), (0, 1));
    drop(recorder);
    assert!(!fixture.directory().exists());
}

#[test]
fn without_a_consent_nothing_is_stored() {
    let fixture = Fixture::new(open_settings());
    let recorder = fixture.recorder();
    recorder.offer(intended(1.0, 1.5), live(&noise(48_000, 1)));
    recorder.flush();
    assert_eq!((recorder.stored(), recorder.stopped(Stop::NoConsent)), (0, 1));
}

#[test]
fn a_revoked_consent_holds_for_a_recorder_that_runs() {
    let fixture = Fixture::new(open_settings());
    let mut other = queue(&fixture.directory(), &fixture.settings, &fixture.clock);
    let recorder = fixture.recorder();
    recorder.offer(intended(1.0, 1.5), live(&noise(48_000, 1)));
    recorder.flush();
    assert_eq!(other.revoke_consent(&person("Owner")).unwrap(), 1);
    recorder.offer(intended(1.0, 1.5), live(&noise(48_000, 1)));
    recorder.flush();
    assert_eq!((recorder.stored(), recorder.stopped(Stop::NoConsent)), (1, 1));
    assert_eq!(other.left_today().unwrap(), 0);
}

#[test]
fn a_queue_that_fails_stores_nothing_and_says_why() {
    let fixture = Fixture::new(open_settings());
    drop(queue(&fixture.directory(), &fixture.settings, &fixture.clock));
    let recorder = fixture.recorder();
    let db = rusqlite::Connection::open(fixture.directory().join("queue.db")).unwrap();
    db.execute("UPDATE audit_head SET count = 99", []).unwrap();
    recorder.offer(intended(1.0, 1.5), live(&noise(48_000, 1)));
    recorder.flush();
    assert_eq!((recorder.stored(), recorder.stopped(Stop::Failed)), (0, 1));
    let error = recorder.last_error().unwrap();
    assert!(error.to_string().contains("audit log is altered"), "{error}");
    assert!(metric(&recorder, "wakegate_review_errors_total", None) > 0);
}

#[test]
fn a_recorder_that_is_behind_drops_and_counts_and_never_blocks() {
    let fixture = Fixture::new(open_settings());
    drop(queue(&fixture.directory(), &fixture.settings, &fixture.clock));
    let recorder = fixture.recorder();
    // Holds the database, so that the thread waits.
    let mut db = rusqlite::Connection::open(fixture.directory().join("queue.db")).unwrap();
    let held = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    for _ in 0..30 {
        recorder.offer(intended(1.0, 1.5), live(&noise(48_000, 1)));
    }
    let busy = recorder.stopped(Stop::Busy);
    // Eight wait, and one is with the thread.
    assert!((21..=22).contains(&busy), "{busy}");
    drop(held);
    recorder.flush();
    assert_eq!(recorder.stored() + busy, 30, "{:?}", recorder.last_error());
}

#[test]
fn what_was_heard_under_a_revoked_consent_is_not_stored_under_the_next_one() {
    let settings = Settings { before_s: 0.5, after_s: 0.5, ..open_settings() };
    for revoked in [false, true] {
        let fixture = Fixture::new(settings.clone());
        let mut queue = queue(&fixture.directory(), &fixture.settings, &fixture.clock);
        let recorder = Arc::new(fixture.recorder());
        let mut feed = Feed::new(&recorder).unwrap();
        let samples = noise(16_000, 1);
        fixture.clock.pass(1_000);
        // The word is heard and judged; the seconds after it are still to come.
        feed.push(&samples);
        feed.take(&intended(0.2, 0.6).activation, "alexa", "tiny-1");
        fixture.clock.pass(500);
        if revoked {
            queue.revoke_consent(&person("Owner")).unwrap();
            queue.give_consent(&person("Owner")).unwrap();
        }
        for _ in 0..5 {
            fixture.clock.pass(1_000);
            feed.push(&samples);
        }
        recorder.flush();
        assert_eq!(recorder.last_error(), None);
        assert_eq!(recorder.stored(), u64::from(!revoked));
        assert_eq!(recorder.stopped(Stop::NoConsent), u64::from(revoked));
        // What is heard from now on is another matter.
        feed.take(&intended(5.2, 5.6).activation, "alexa", "tiny-1");
        for _ in 0..5 {
            fixture.clock.pass(1_000);
            feed.push(&samples);
        }
        recorder.flush();
        assert_eq!(recorder.stored(), 1 + u64::from(!revoked));
    }
}
