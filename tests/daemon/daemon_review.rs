//! From the microphone to the review queue: what was judged intended and nothing else.

use std::path::Path;
use std::sync::Arc;

use crate::cli_support::{edit_manifest, json_lines, package, run_in, speech_like, write_wav};
use crate::daemon_support::live::{Live, config, folder, free_port, metric};
use crate::daemon_support::{Fake, Opening, Rig, bomb, ear, feed, offline, plays, tiny};
use crate::review_support::{HandClock, RATE, open_settings, person, queue, reopen};
use rustix::process::Signal;
use wakegate::gate::{Stop, system_draw};
use wakegate::pipeline::Activation;
use wakegate::review::{Feed, Label, Queue, Recorder, Settings};
use wakegate_cli::daemon::Order;

/// A queue with a consent and a recorder for it.
struct Place {
    folder: tempfile::TempDir,
    clock: Arc<HandClock>,
    settings: Settings,
    recorder: Arc<Recorder>,
}

impl Place {
    fn new() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
        // Short enough that words of the test's stream do not overlap all the time.
        let settings = Settings { before_s: 0.5, after_s: 0.5, ..open_settings() };
        drop(queue(folder.path(), &settings, &clock));
        let recorder =
            Recorder::start(folder.path(), &settings, Arc::clone(&clock) as _, system_draw());
        Self { folder, clock, settings, recorder: Arc::new(recorder.unwrap()) }
    }

    fn feed(&self) -> Option<Feed> {
        Feed::new(&self.recorder)
    }

    /// The queue, once everything is in it.
    fn queue(&self) -> Queue {
        self.recorder.flush();
        assert_eq!(self.recorder.last_error(), None);
        reopen(self.folder.path(), &self.settings, &self.clock).unwrap()
    }

    /// The audio of every clip.
    fn clips(&self) -> Vec<Vec<f32>> {
        let (mut queue, ann) = (self.queue(), person("Ann"));
        let mut found = Vec::new();
        while let Some(clip) = queue.next_for(&ann).unwrap() {
            found.push(clip.audio.samples().to_vec());
            queue.label(&ann, &clip.id, Label::Intended).unwrap();
        }
        found
    }
}

/// What a clip of `activation` holds of the stream.
fn around(activation: &Activation, samples: &[f32]) -> Vec<f32> {
    let start = (activation.start_sample as usize).saturating_sub(RATE as usize / 2);
    let end = (activation.end_sample + RATE / 2).min(samples.len() as u64) as usize;
    samples[start..end].iter().map(|s| (s * 32_768.0).round() / 32_768.0).collect()
}

/// Loud samples on the 16-bit grid, as a sound card gives them.
fn samples(seconds: f64) -> Vec<f32> {
    let plain = speech_like(seconds, 3);
    plain.iter().map(|s| (s * 32_768.0).round().clamp(-32_768.0, 32_767.0) / 32_768.0).collect()
}

#[test]
fn every_intended_activation_is_kept_with_the_audio_around_it() {
    let (model, samples, place) = (tiny("verifier", 0.001), samples(12.0), Place::new());
    let expected = offline(&model, &samples);
    assert!(expected.len() > 3);
    let fake = Fake { ends: true, ..Fake::new([plays(samples.clone())]) };
    Rig::start_with(fake, place.feed(), ear(&model)).end();
    let mut found = place.clips();
    let mut wanted: Vec<_> = expected.iter().map(|a| around(a, &samples)).collect();
    found.sort_by(|a, b| a.partial_cmp(b).unwrap());
    wanted.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let lengths = |clips: &[Vec<f32>]| clips.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(lengths(&found), lengths(&wanted));
    assert!(found == wanted, "the clips hold other audio than the stream");
    assert_eq!(place.recorder.stored(), expected.len() as u64);
}

#[test]
fn nothing_is_kept_of_what_was_not_intended_and_all_of_it_is_counted() {
    let (model, samples, place) = (tiny("verifier", 1.0), samples(12.0), Place::new());
    let expected = offline(&model, &samples).len() as u64;
    let fake = Fake { ends: true, ..Fake::new([plays(samples)]) };
    Rig::start_with(fake, place.feed(), ear(&model)).end();
    assert!(place.clips().is_empty());
    let stopped = |stop| place.recorder.stopped(stop);
    assert!(expected > 3);
    assert_eq!(stopped(Stop::NotWakeWord) + stopped(Stop::NotAddressed), expected);
}

#[test]
fn a_clip_that_ends_in_lost_audio_is_not_kept() {
    let (model, samples, place) = (tiny("verifier", 0.001), samples(12.0), Place::new());
    let first = offline(&model, &samples)[0];
    // The verdict is there, the seconds after the word are not.
    let cut = first.decided_sample as usize / 160 * 160 + 320;
    let head = samples[..cut].to_vec();
    let play = Opening::Plays(Box::new(move |writer, _| {
        feed(writer, &head);
        // What does not fit the ring at all is lost.
        writer.push(&vec![0.5; 40_000], |sample| sample);
        feed(writer, &vec![0.0; 4 * RATE as usize]);
    }));
    let fake = Fake { ends: true, ..Fake::new([play]) };
    let (_, told, counters) = Rig::start_with(fake, place.feed(), ear(&model)).end();
    assert_eq!(told[0].activation, first);
    assert!(counters.gaps.get() >= 1);
    let kept = place.clips();
    assert!(kept.iter().all(|clip| *clip != around(&first, &samples)));
    assert!(place.recorder.stopped(Stop::NoAudio) >= 1);
    assert_eq!(kept.len() as u64, place.recorder.stored());
}

#[test]
fn a_change_of_wake_words_drops_the_clip_that_waits() {
    let (model, samples, place) = (tiny("verifier", 0.001), samples(12.0), Place::new());
    let first = offline(&model, &samples)[0];
    let cut = first.decided_sample as usize / 160 * 160 + 320;
    let (head, rest) = (samples[..cut].to_vec(), samples[cut..].to_vec());
    let (go, gone) = crossbeam_channel::bounded::<()>(0);
    let play = Opening::Plays(Box::new(move |writer, _| {
        feed(writer, &head);
        let _ = gone.recv();
        feed(writer, &rest);
    }));
    let fake = Fake { ends: true, ..Fake::new([play]) };
    let rig = Rig::start_with(fake, place.feed(), ear(&model));
    rig.wait_until("the first word", |c| c.judged_samples.get() == cut as u64);
    rig.worker.order(Order::Listen(ear(&model)(&rig.counters)));
    // The thread looks for orders between two blocks.
    let lost = || place.recorder.stopped(Stop::NoAudio) >= 1;
    rig.wait_until("the clip is lost", |_| lost());
    drop(go);
    rig.end();
    let kept = place.clips();
    assert!(kept.iter().all(|clip| *clip != around(&first, &samples)));
    assert_eq!(kept.len() as u64, place.recorder.stored());
}

#[test]
fn a_panic_of_the_judging_thread_drops_the_clip_that_waits() {
    let (model, samples, place) = (tiny("verifier", 0.001), samples(12.0), Place::new());
    let first = offline(&model, &samples)[0];
    let at = first.decided_sample as usize + 640;
    let fake = Fake { ends: true, ..Fake::new([plays(samples.clone())]) };
    let (_, told, counters) = Rig::start_with(fake, place.feed(), bomb(at, 1)).end();
    assert_eq!(counters.panics.get(), 1);
    assert_eq!(told[0].activation, first, "it was decided before");
    let kept = place.clips();
    assert!(kept.iter().all(|clip| *clip != around(&first, &samples)));
    assert!(place.recorder.stopped(Stop::NoAudio) >= 1);
}

fn review(folder: &Path, arguments: &[&str]) -> std::process::Output {
    let output = run_in(folder, &[&["review", "--config", "a.toml"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    output
}

fn section(more: &str) -> String {
    format!(
        "[review]\nenabled = true\ndirectory = \"queue\"\nmin_free_mb = 0\nafter_s = 0.5\n{more}"
    )
}

#[test]
fn the_daemon_fills_the_queue_of_its_configuration_once_the_owner_agrees() {
    let port = free_port();
    let more = format!("{}[metrics]\nlisten = \"127.0.0.1:{port}\"\n", section(""));
    let folder = folder(&more);
    // Long enough that a clip lies wholly behind the consent, with the seconds after its word.
    let samples = samples(20.0);
    let expected = offline(&tiny("verifier", 0.001), &samples).len() as f64;
    let mut live = Live::start(folder.path());
    live.feed(&samples);
    let stopped = "wakegate_gate_stopped_total{reason=\"no_consent\"}";
    live.wait_until("stopped", || metric(port, stopped).is_some_and(|count| count > 0.0));
    review(folder.path(), &["consent", "--by", "Owner"]);
    live.feed(&samples);
    let stored = "wakegate_review_stored_total";
    live.wait_until("stored", || metric(port, stored).is_some_and(|count| count > 0.0));
    drop(live.stdin.take());
    assert_eq!(live.end().code(), Some(0));
    let clips = json_lines(&review(folder.path(), &["list", "--by", "Ann"]));
    assert!(!clips.is_empty() && clips.len() as f64 <= 2.0 * expected, "{clips:?}");
    assert!(clips.iter().all(|clip| clip["wake_word"] == "tiny"), "{clips:?}");
}

#[test]
fn review_that_is_turned_off_at_a_reload_keeps_nothing_from_then_on() {
    let port = free_port();
    let page = format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n");
    let folder = folder(&format!("{}{page}", section("")));
    review(folder.path(), &["consent", "--by", "Owner"]);
    let mut live = Live::start(folder.path());
    live.feed(&samples(6.0));
    let stored = "wakegate_review_stored_total";
    live.wait_until("stored", || metric(port, stored).is_some_and(|count| count > 0.0));
    std::fs::write(folder.path().join("a.toml"), config(&page)).unwrap();
    live.signal(Signal::HUP);
    live.wait_for("review.enabled: true -> false\" when=\"now\"");
    // The order reaches the judging thread between two blocks.
    live.wait_until("closed", || metric(port, stored).is_none());
    std::thread::sleep(std::time::Duration::from_millis(300));
    let place = ["--queue", "queue"];
    let list = || {
        let arguments = [&["review"], &place[..], &["list", "--by", "Ann"]].concat();
        json_lines(&run_in(folder.path(), &arguments)).len()
    };
    let before = list();
    live.feed(&samples(6.0));
    drop(live.stdin.take());
    assert_eq!(live.end().code(), Some(0));
    assert_eq!(list(), before);
}

#[test]
fn a_recording_goes_through_the_same_gate() {
    let folder = folder(&section(""));
    let samples = samples(12.0);
    write_wav(&folder.path().join("a.wav"), &samples);
    review(folder.path(), &["consent", "--by", "Owner"]);
    let listen = ["listen", "--config", "a.toml", "--input", "a.wav"];
    let output = run_in(folder.path(), &listen);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let found = json_lines(&output).len();
    assert!(found > 3);
    let said = crate::cli_support::stderr(&output);
    assert!(said.contains(&format!("review queue: {found} clips stored, 0 stopped")), "{said}");
    std::fs::write(folder.path().join("b.toml"), "[review]\nenabled = true\nmin_free_mb = 0\n")
        .unwrap();
    let strict = [
        "listen", "--config", "b.toml", "--model", "strict", "--queue", "queue", "--input", "a.wav",
    ];
    package(&folder.path().join("strict"));
    edit_manifest(&folder.path().join("strict"), "intended_at = 0.5", "intended_at = 1.0");
    let output = run_in(folder.path(), &strict);
    let said = crate::cli_support::stderr(&output);
    assert!(said.contains("review queue: 0 clips stored"), "{said}");
    assert_eq!(json_lines(&review(folder.path(), &["list", "--by", "Ann"])).len(), found);
}

#[test]
fn killed_in_the_middle_the_queue_is_whole_and_holds_what_was_intended_and_nothing_else() {
    let port = free_port();
    let more = format!("{}[metrics]\nlisten = \"127.0.0.1:{port}\"\n", section(""));
    let folder = folder(&more);
    review(folder.path(), &["consent", "--by", "Owner"]);
    let mut live = Live::start(folder.path());
    let samples = samples(12.0);
    live.feed(&samples);
    let stored = "wakegate_review_stored_total";
    live.wait_until("stored", || metric(port, stored).is_some_and(|count| count > 1.0));
    live.signal(Signal::KILL);
    live.end();
    let intended = offline(&tiny("verifier", 0.001), &samples).len();
    let clips = json_lines(&review(folder.path(), &["list", "--by", "Ann"]));
    assert!((2..=intended).contains(&clips.len()), "{} of {intended}", clips.len());
    review(folder.path(), &["audit", "verify"]);
}

#[test]
fn a_disk_that_is_nearly_full_stops_every_clip_and_says_so() {
    let port = free_port();
    let more = section("").replace("min_free_mb = 0", "min_free_mb = 1000000");
    let folder = folder(&format!("{more}[metrics]\nlisten = \"127.0.0.1:{port}\"\n"));
    review(folder.path(), &["consent", "--by", "Owner"]);
    let mut live = Live::start(folder.path());
    live.feed(&samples(6.0));
    let stopped = "wakegate_gate_stopped_total{reason=\"low_disk\"}";
    live.wait_until("stopped", || metric(port, stopped).is_some_and(|count| count > 0.0));
    assert_eq!(metric(port, "wakegate_review_stored_total"), Some(0.0));
}

#[test]
fn memory_stays_out_of_core_files() {
    let folder = folder("");
    let live = Live::start(folder.path());
    live.wait_for("listening device=");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", live.child.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(line.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
}
