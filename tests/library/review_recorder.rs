//! The daemon's way into the queue.

use std::sync::Arc;

use crate::review_support::{
    HandClock, Scripted, heard, intended, live, noise, open_settings, person, queue, reopen,
};
use wakegate::decision::Verdict;
use wakegate::gate::{Stop, system_draw};
use wakegate::review::{Feed, Recorder, Settings};
use wakegate::stream::{Stream, WakeWord};

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
    recorder.offer(heard(Verdict::Unsure, 0.6, 1.0, 1.5), live(&samples));
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
    assert_eq!(other.waiting().unwrap(), 0);
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
        let words = [intended(0.2, 0.6), intended(6.2, 6.6)];
        let mut stream =
            Stream::new(vec![WakeWord::new("alexa", "tiny-1", Scripted::saying(words))]);
        stream.keep(Feed::new(&recorder));
        let samples = noise(16_000, 1);
        let mut hear = |seconds: u32| {
            for _ in 0..seconds {
                fixture.clock.pass(1_000);
                stream.push(&samples, &mut |_, _| true).unwrap();
            }
        };
        // The word is heard and judged; the seconds after it are still to come.
        hear(2);
        fixture.clock.pass(500);
        if revoked {
            queue.revoke_consent(&person("Owner")).unwrap();
            queue.give_consent(&person("Owner")).unwrap();
        }
        hear(3);
        recorder.flush();
        assert_eq!(recorder.last_error(), None);
        assert_eq!(recorder.stored(), u64::from(!revoked));
        assert_eq!(recorder.stopped(Stop::NoConsent), u64::from(revoked));
        // What is heard from now on is another matter.
        hear(5);
        recorder.flush();
        assert_eq!(recorder.stored(), 1 + u64::from(!revoked));
    }
}

/// Transactions that stand in the write-ahead log of the queue in `directory`: frames that say
/// how many pages the database has after them.
fn commits(directory: &std::path::Path) -> usize {
    let log = std::fs::read(directory.join("queue.db-wal")).unwrap_or_default();
    let Some((header, frames)) = log.split_at_checked(32) else { return 0 };
    let page = u32::from_be_bytes(header[8..12].try_into().unwrap()) as usize;
    let is_commit = |frame: &&[u8]| frame[8..16] == header[16..24] && frame[4..8] != [0; 4];
    frames.chunks_exact(24 + page).filter(is_commit).count()
}

#[test]
fn an_idle_recorder_writes_nothing_and_a_clip_is_one_transaction() {
    let fixture = Fixture::new(Settings { retention_days: 1.0, ..open_settings() });
    let directory = fixture.directory();
    drop(queue(&directory, &fixture.settings, &fixture.clock));
    let recorder = fixture.recorder();
    recorder.flush();
    let idle = |minutes: i64| {
        for _ in 0..minutes {
            fixture.clock.pass(60_000);
            recorder.flush();
        }
    };
    let before = commits(&directory);
    idle(300);
    assert_eq!(commits(&directory), before, "a queue without clips");
    recorder.offer(intended(1.0, 1.5), live(&noise(48_000, 1)));
    while recorder.stored() < 1 {
        std::thread::yield_now();
    }
    assert_eq!(commits(&directory), before + 1, "a clip");
    idle(59);
    assert_eq!(commits(&directory), before + 1, "a clip that waits");
    idle(61);
    assert_eq!(commits(&directory), before + 3, "the time, once an hour");
    recorder.offer(heard(Verdict::Accidental, 0.1, 1.0, 1.5), live(&noise(48_000, 1)));
    recorder.offer(heard(Verdict::Unsure, 0.6, 1.0, 1.5), live(&noise(48_000, 1)));
    recorder.flush();
    assert_eq!(commits(&directory), before + 4, "what was stopped, all at once");
    idle(24 * 60);
    assert_eq!(metric(&recorder, "wakegate_review_waiting_clips", None), 0, "it has expired");
    assert_eq!(recorder.last_error(), None);
}
