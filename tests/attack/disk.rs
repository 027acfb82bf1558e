//! Disks that fail the queue, seen from outside: slow ones, full ones, and ones that are only read.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::cli_support::{checkout, json_lines, run_in, speech_like, stderr, wakegate};
use crate::daemon_support::live::{Live, folder, free_port, get, metric};
use crate::daemon_support::{offline, tiny};
use crate::disk_support::in_memory;

/// How long each sync takes on a slow disk.
const SLOW: Duration = Duration::from_millis(400);

/// The program with these arguments, whose every sync of a file is slow; none, with a note
/// of what is skipped, where the system lets no process be traced.
fn on_a_slow_disk(test: &str, arguments: &[&str]) -> Option<Command> {
    let delay = format!("inject=fsync,fdatasync:delay_enter={}", SLOW.as_micros());
    let trace = "trace=fsync,fdatasync";
    let slow = ["-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", trace, "-e", &delay, "--"];
    let traced = Command::new("strace").args(slow).arg("true").output();
    if !traced.is_ok_and(|output| output.status.success()) {
        crate::skip::skipped(test, "strace is missing, or may trace nothing here");
        return None;
    }
    let mut command = Command::new("strace");
    command.args(slow).arg(wakegate().get_program()).args(arguments);
    command.env_remove("ORT_DYLIB_PATH");
    Some(command)
}

fn consent(folder: &Path, queue: &str) {
    let consent = ["review", "--queue", queue, "consent", "--by", "Owner"];
    assert!(run_in(folder, &consent).status.success());
}

/// Clips in the queue, once its log is known to be whole.
fn clips(folder: &Path, queue: &str) -> usize {
    let review = |arguments: &[&str]| {
        let output = run_in(folder, &[&["review", "--queue", queue], arguments].concat());
        assert!(output.status.success(), "{output:?}");
        output
    };
    review(&["audit", "verify"]);
    json_lines(&review(&["list", "--by", "Ann"])).len()
}

#[test]
fn a_slow_disk_holds_up_no_verdict_and_what_it_can_not_take_is_counted() {
    let test = "disk::a_slow_disk_holds_up_no_verdict_and_what_it_can_not_take_is_counted";
    let arguments = ["listen", "--config", "a.toml"];
    let Some(command) = on_a_slow_disk(test, &arguments) else { return };
    let port = free_port();
    let folder = folder(&format!(
        "[metrics]\nlisten = \"127.0.0.1:{port}\"\n[review]\nenabled = true\nmin_free_mb = 0\n\
         directory = \"queue\"\nbefore_s = 0.5\nafter_s = 0.5\n"
    ));
    consent(folder.path(), "queue");
    let samples = speech_like(40.0, 3);
    let expected = offline(&tiny("verifier", 0.001), &samples).len();
    assert!(expected > 20, "{expected}");
    let mut live = Live::run(command, folder.path(), |_| {});
    live.feed(&samples);
    (1..expected).for_each(|_| drop(live.next()));
    // The verdicts are out, and the disk has still to do.
    let stored = metric(port, "wakegate_review_stored_total").unwrap();
    assert!((stored as usize) < expected, "{stored} of {expected}: the disk was not slow");
    // Whoever asks is answered meanwhile.
    let asked = Instant::now();
    assert!(metric(port, "wakegate_review_errors_total").is_some());
    assert!(asked.elapsed() < 5 * SLOW, "{:?}", asked.elapsed());
    let numbers = || {
        let (_, body) = get(port, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let is_told = |line: &&str| {
            line.starts_with("wakegate_review_stored_total ")
                || line.starts_with("wakegate_gate_stopped_total{")
        };
        let number = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        body.lines().filter(is_told).map(number).sum::<f64>() as usize
    };
    live.wait_until("each is stored or counted", || numbers() + 1 >= expected);
    let stored = metric(port, "wakegate_review_stored_total").unwrap() as usize;
    drop(live.stdin.take());
    assert_eq!(live.end().code(), Some(0));
    let kept = clips(folder.path(), "queue");
    assert!(kept >= stored && kept > 0 && kept <= expected, "{kept} of {stored}");
}

#[test]
fn a_slow_disk_makes_a_batch_slow_and_loses_nothing() {
    let test = "disk::a_slow_disk_makes_a_batch_slow_and_loses_nothing";
    let arguments =
        ["score", "--config", "a.toml", "--queue", "queue", "lights.flac", "timer.flac"];
    let Some(mut command) = on_a_slow_disk(test, &arguments) else { return };
    let home = home(Path::new("queue"));
    consent(home.path(), "queue");
    let output = command.current_dir(home.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(stderr(&output).contains("2 clips stored"), "{output:?}");
    assert_eq!(clips(home.path(), "queue"), 2);
}

/// A folder with two recordings that are intended, and settings that keep them in `queue`.
fn home(queue: &Path) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for name in ["lights", "timer"] {
        let from = checkout(&format!("data/alexa_{name}.flac"));
        fs::copy(from, home.path().join(format!("{name}.flac"))).unwrap();
    }
    let settings =
        format!("[review]\nenabled = true\nmin_free_mb = 0\ndirectory = \"{}\"\n", queue.display());
    fs::write(home.path().join("a.toml"), settings).unwrap();
    home
}

/// What feeds a queue judges, stores nothing, and says so with the reason.
fn judges_and_keeps_nothing(folder: &Path, queue: &str, why: &str) {
    let commands: [&[&str]; 2] = [
        &["score", "--config", "a.toml", "--queue", queue, "lights.flac", "timer.flac"],
        &["listen", "--config", "a.toml", "--input", "lights.flac"],
    ];
    for command in commands {
        let output = run_in(folder, command);
        let said = stderr(&output).to_lowercase();
        assert!(said.contains(why), "{command:?}: {output:?}");
        assert!(!said.contains("clip stored") && !said.contains("clips stored"), "{output:?}");
        assert_ne!(output.status.code(), Some(0), "{command:?}: {output:?}");
    }
}

fn remount(disk: &Path, how: &str) {
    let options = format!("remount,{how}");
    let mounted = Command::new("mount").args(["-o", &options]).arg(disk).status();
    assert!(mounted.unwrap().success());
}

#[test]
fn a_disk_that_is_only_read_keeps_nothing_and_says_so() {
    in_memory("disk::a_disk_that_is_only_read_keeps_nothing_and_says_so", "4m", |disk| {
        let queue = disk.join("queue");
        let home = home(&queue);
        let place = queue.to_str().unwrap();
        consent(home.path(), place);
        remount(disk, "ro");
        judges_and_keeps_nothing(home.path(), place, "read");
        let refused = |arguments: &[&str]| -> Output {
            let place = ["review", "--queue", place];
            let output = run_in(home.path(), &[&place, arguments].concat());
            assert_ne!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
            output
        };
        refused(&["revoke", "--by", "Owner"]);
        refused(&["purge", "--all", "--by", "Owner"]);
        remount(disk, "rw");
        assert_eq!(clips(home.path(), place), 0);
        let again = ["score", "--config", "a.toml", "--queue", place, "lights.flac"];
        let output = run_in(home.path(), &again);
        assert!(stderr(&output).contains("1 clip stored"), "{output:?}");
        assert_eq!(clips(home.path(), place), 1);
    });
}

#[test]
fn a_full_disk_keeps_nothing_and_says_so() {
    in_memory("disk::a_full_disk_keeps_nothing_and_says_so", "4m", |disk| {
        let queue = disk.join("queue");
        let home = home(&queue);
        let place = queue.to_str().unwrap();
        consent(home.path(), place);
        let ballast = disk.join("ballast");
        // As much as there is room for.
        drop(fs::write(&ballast, vec![1; 4 << 20]));
        judges_and_keeps_nothing(home.path(), place, "full");
        // What is written whole or not at all is not there.
        let scores = disk.join("scores.jsonl");
        let arguments = ["score", "lights.flac", "--output", scores.to_str().unwrap()];
        let output = run_in(home.path(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(!scores.exists(), "{output:?}");
        fs::remove_file(&ballast).unwrap();
        assert_eq!(clips(home.path(), place), 0);
        let again = ["score", "--config", "a.toml", "--queue", place, "lights.flac"];
        let output = run_in(home.path(), &again);
        assert!(stderr(&output).contains("1 clip stored"), "{output:?}");
    });
}

#[test]
fn a_queue_on_a_way_with_links_of_its_owner_is_the_same_queue() {
    let home = home(Path::new("way/queue"));
    fs::create_dir(home.path().join("real")).unwrap();
    std::os::unix::fs::symlink("real", home.path().join("way")).unwrap();
    consent(home.path(), "way/queue");
    let arguments = ["score", "--config", "a.toml", "--queue", "way/queue", "lights.flac"];
    let output = run_in(home.path(), &arguments);
    assert!(stderr(&output).contains("1 clip stored"), "{output:?}");
    assert_eq!(clips(home.path(), "real/queue"), 1);
}
