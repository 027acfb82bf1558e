//! Hours of audio through the real daemon at full speed, its clips into a review queue that
//! fills up and expires: memory stays flat.
//!
//! A short run belongs to the tests. The long one:
//! `WAKEGATE_SOAK_HOURS=8 cargo test --test soak -- --nocapture`

use std::fs;
use std::io::Write;
use std::time::Instant;

use crate::cli_support::{RATE, checkout, embedded_package, run_in};
use crate::daemon_support::live::{Live, free_port, metric, pcm};
use rustix::process::Signal;
use wakegate::audio::read_all;
use wakegate_lab::decode::FileSource;

/// Hours that the short run takes.
const SHORT_H: f64 = 0.25;
/// Parts into which a run is divided; memory is looked at after each.
const PARTS: usize = 10;
/// What the resident memory may grow by after the first two parts, in KiB.
const SLACK_KIB: u64 = 2_048;

/// Resident memory of the process `pid` that is its own, in KiB.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn memory_stays_flat() {
    let asked = std::env::var("WAKEGATE_SOAK_HOURS").ok();
    let hours: f64 = asked.map_or(SHORT_H, |hours| hours.parse().expect("a number of hours"));
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = format!(
        "[audio]\ndevice = \"-\"\n[metrics]\nlisten = \"127.0.0.1:{port}\"\n\
         [runtime]\npriority = 0\nmodel_check_s = 1.0\n[[wake_word]]\nmodel = \"alexa\"\n\
         [review]\nenabled = true\ndirectory = \"queue\"\nmin_free_mb = 0\ndaily_cap = 100000\n\
         max_clips = 40\nretention_days = 0.001\n"
    );
    fs::write(folder.path().join("a.toml"), config).unwrap();
    let package = folder.path().join("alexa");
    fs::create_dir(&package).unwrap();
    for file in fs::read_dir(embedded_package()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), package.join(file.file_name())).unwrap();
    }
    let consent = ["review", "--config", "a.toml", "consent", "--by", "Owner"];
    assert_eq!(run_in(folder.path(), &consent).status.code(), Some(0));
    // The demo's recordings, over and over: words, mentions, sound-alikes, noise.
    let mut recordings: Vec<_> =
        fs::read_dir(checkout("data")).unwrap().map(|entry| entry.unwrap().path()).collect();
    recordings.retain(|path| path.extension().is_some_and(|e| e == "flac"));
    recordings.sort();
    let samples: Vec<f32> = recordings
        .iter()
        .flat_map(|path| read_all(&mut FileSource::open(path).unwrap()).unwrap())
        .collect();
    let loop_bytes = pcm(&samples);
    assert!(samples.len() > 60 * RATE, "the recordings were not found");

    let mut live = Live::start(folder.path());
    let pid = live.child.id();
    let total = (hours * 3_600.0 * RATE as f64) as usize;
    let (mut fed, mut memory, start) = (0, Vec::new(), Instant::now());
    for part in 1..=PARTS {
        while fed < total * part / PARTS {
            live.stdin.as_mut().unwrap().write_all(&loop_bytes).unwrap();
            fed += samples.len();
        }
        let judged = || metric(port, "wakegate_judged_samples_total") >= Some(fed as f64);
        live.wait_until("all was judged", judged);
        // Every part ends with a reload, which must not leave anything behind either.
        live.signal(Signal::HUP);
        live.wait_until("it was read again", || {
            metric(port, "wakegate_reloads_total") == Some(part as f64)
        });
        let count = live.lines.try_iter().count();
        memory.push(resident(pid));
        println!(
            "{:6.2} h of audio, {:6.1} s: {:6} KiB, {count} activations, {} clips",
            fed as f64 / RATE as f64 / 3_600.0,
            start.elapsed().as_secs_f64(),
            memory[part - 1],
            metric(port, "wakegate_review_stored_total").unwrap_or(0.0)
        );
    }
    assert!(metric(port, "wakegate_review_stored_total") > Some(0.0));
    assert_eq!(metric(port, "wakegate_review_errors_total"), Some(0.0));
    assert_eq!(metric(port, "wakegate_audio_lost_frames_total"), Some(0.0));
    let (settled, end) = (memory[1], memory[PARTS - 1]);
    assert!(end <= settled + SLACK_KIB, "it grew from {settled} to {end} KiB: {memory:?}");
}
