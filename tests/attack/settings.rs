//! One truth about what enables the review, and about every key of the settings: whatever feeds
//! the queue goes by the owner's file, and by nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::cli_support::{
    checkout, embedded_package, json_lines, run_in, stderr, wakegate, write_wav,
};
use serde_json::Value;
use wakegate::audio::read_all;
use wakegate_cli::config::Config;
use wakegate_lab::decode::FileSource;

/// Every command that can end in a clip.
const FEEDERS: [&str; 3] = ["score", "listen --input", "listen"];

/// A folder with a recording of three intended words, and a consent for the queue in it.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let word = read_all(&mut FileSource::open(checkout("data/alexa_timer.flac")).unwrap());
        let mut samples = [word.unwrap(), vec![0.0; 16_000]].concat().repeat(3);
        samples.extend(vec![0.0; 5 * 16_000]);
        write_wav(&folder.path().join("a.wav"), &samples);
        let home = Self(folder);
        let consent =
            run_in(home.path(), &["review", "--queue", "queue", "consent", "--by", "Owner"]);
        assert!(consent.status.success(), "{consent:?}");
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs a feeder with the arguments; the pipe gets the recording's samples.
    fn feed(&self, feeder: &str, arguments: &[&str]) -> Output {
        let own: &[&str] = match feeder {
            "score" => &["score", "a.wav"],
            "listen --input" => &["listen", "--input", "a.wav"],
            _ => &["listen", "--device", "-"],
        };
        let mut command = wakegate();
        command.current_dir(self.path()).args(own).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let wav = fs::read(self.path().join("a.wav")).unwrap();
        // A command that refuses its settings reads nothing.
        drop(child.stdin.take().unwrap().write_all(&wav[44..]));
        child.wait_with_output().unwrap()
    }

    /// Feeds under `settings` and gives what the queue lists afterwards.
    fn queued(&self, feeder: &str, settings: &str) -> Vec<Value> {
        fs::write(self.path().join("s.toml"), settings).unwrap();
        let place = ["--config", "s.toml", "--queue", "queue"];
        let output = self.feed(feeder, &place);
        assert_eq!(output.status.code(), Some(0), "{feeder} {settings}: {output:?}");
        self.list(&place)
    }

    fn list(&self, place: &[&str]) -> Vec<Value> {
        let listed = run_in(self.path(), &[&["review", "list", "--by", "Ann"], place].concat());
        assert!(listed.status.success(), "{listed:?}");
        json_lines(&listed)
    }
}

/// Settings under which everything intended is kept, with `keys` beside them.
fn settings(section: &str, keys: &str) -> String {
    let base = "[review]\nenabled = true\nmin_free_mb = 0\n";
    match section {
        "review" => {
            let free = if keys.contains("min_free_mb") { "" } else { "min_free_mb = 0\n" };
            let enabled = if keys.contains("enabled") { "" } else { "enabled = true\n" };
            format!("[review]\n{enabled}{free}{keys}\n")
        }
        _ => format!("{base}[[wake_word]]\n{keys}\n"),
    }
}

/// What holds of the folder and of the clips that are listed.
type Holds = fn(&Path, &[Value]) -> bool;

/// What a key has to do to the queue, for whatever command.
enum Does {
    /// Nothing is stored.
    Forbids,
    /// What is stored is so.
    Shapes(Holds),
    /// It is about what happens to clips afterwards, and has tests of its own.
    Afterwards,
}

fn seconds(clip: &Value) -> f64 {
    clip["audio_s"].as_f64().unwrap()
}

/// Every key of what decides whether a clip is stored and how: section, key, its lines, effect.
fn keys() -> Vec<(&'static str, &'static str, &'static str, Does)> {
    use Does::{Afterwards, Forbids, Shapes};
    vec![
        ("review", "enabled", "enabled = false", Forbids),
        // The command line's folder comes before it.
        (
            "review",
            "directory",
            "directory = \"other\"",
            Shapes(|at, _| !at.join("other").exists()),
        ),
        (
            "review",
            "key_file",
            "key_file = \"elsewhere.key\"",
            Shapes(|at, _| at.join("elsewhere.key").exists()),
        ),
        ("review", "sampling_rate", "sampling_rate = 0.0", Forbids),
        ("review", "daily_cap", "daily_cap = 0", Forbids),
        ("review", "min_free_mb", "min_free_mb = 1000000", Forbids),
        ("review", "quiet_hours", "quiet_hours = [\"00:00-00:00\"]", Forbids),
        (
            "review",
            "before_s",
            "before_s = 0.0\nafter_s = 0.0",
            Shapes(|_, clips| clips.iter().all(|clip| seconds(clip) < 1.2)),
        ),
        (
            "review",
            "after_s",
            "after_s = 0.1\nbefore_s = 0.1",
            Shapes(|_, clips| clips.iter().all(|clip| seconds(clip) < 1.4)),
        ),
        ("review", "min_p_intended", "min_p_intended = 1.0", Forbids),
        (
            "review",
            "retention_days",
            "retention_days = 0.5",
            Shapes(|_, clips| {
                let at = |clip: &Value, key: &str| -> jiff::Timestamp {
                    clip[key].as_str().unwrap().parse().unwrap()
                };
                clips.iter().all(|clip| {
                    at(clip, "expires_at").duration_since(at(clip, "stored_at")).as_hours() == 12
                })
            }),
        ),
        ("review", "max_clips", "max_clips = 1", Shapes(|_, clips| clips.len() == 1)),
        ("review", "max_mb", "max_mb = 1", Shapes(|_, clips| clips.len() == 3)),
        ("review", "keep_labelled", "keep_labelled = true", Afterwards),
        ("review", "lease_min", "lease_min = 1", Afterwards),
        ("wake_word", "model", "model = \"strict\"", Forbids),
        ("wake_word", "intended_at", "intended_at = 1.0", Forbids),
        // A name for a value of the key above.
        ("wake_word", "sensitivity", "sensitivity = \"low\"", Afterwards),
        // It decides between two verdicts of which neither is stored.
        ("wake_word", "accidental_below", "accidental_below = 0.01", Afterwards),
        ("wake_word", "spotter_threshold", "spotter_threshold = 0.998", Forbids),
    ]
}

/// The package in the binary with a threshold that nothing reaches.
fn strict_package(folder: &Path) {
    let to = folder.join("strict");
    fs::create_dir_all(&to).unwrap();
    for entry in fs::read_dir(embedded_package()).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    let mut manifest: toml::Table =
        fs::read_to_string(to.join("manifest.toml")).unwrap().parse().unwrap();
    let decision = manifest["decision"].as_table_mut().unwrap();
    decision.insert("intended_at".to_owned(), 1.0.into());
    // Its other points would lie below the threshold, and be refused.
    decision.remove("sensitivity");
    if let Some(early) = manifest["verifier"].get_mut("early") {
        early.as_table_mut().unwrap().insert("intended_at".to_owned(), 1.0.into());
    }
    fs::write(to.join("manifest.toml"), manifest.to_string()).unwrap();
}

#[test]
fn every_key_that_decides_about_clips_decides_in_every_command_that_feeds_the_queue() {
    // No key is left out.
    let all = toml::Table::try_from(Config::default()).unwrap();
    let mut named: BTreeSet<String> = all["review"].as_table().unwrap().keys().cloned().collect();
    named.extend(
        [
            "key_file",
            "model",
            "intended_at",
            "sensitivity",
            "accidental_below",
            "spotter_threshold",
        ]
        .map(str::to_owned),
    );
    let covered: BTreeSet<String> = keys().iter().map(|key| key.1.to_owned()).collect();
    assert_eq!(named, covered);
    for feeder in FEEDERS {
        let home = Home::new();
        let plain = home.queued(feeder, &settings("review", ""));
        assert_eq!(plain.len(), 3, "{feeder} stores what is intended");
        for (section, key, lines, does) in keys() {
            let home = Home::new();
            strict_package(home.path());
            if key == "key_file" {
                fs::rename(home.path().join("queue/device.key"), home.path().join("elsewhere.key"))
                    .unwrap();
            }
            let (forbids, holds): (bool, Holds) = match does {
                Does::Afterwards => continue,
                Does::Forbids => (true, |_, _| true),
                Does::Shapes(holds) => (false, holds),
            };
            let clips = home.queued(feeder, &settings(section, lines));
            assert_eq!(clips.is_empty(), forbids, "{feeder}: {key}: {clips:?}");
            assert!(holds(home.path(), &clips), "{feeder}: {key}: {clips:?}");
        }
    }
}

#[test]
fn the_owner_s_threshold_holds_for_a_model_of_the_command_line_too() {
    let model = embedded_package();
    for feeder in FEEDERS {
        let home = Home::new();
        let text = settings("wake_word", "intended_at = 1.0");
        fs::write(home.path().join("s.toml"), text).unwrap();
        let place = ["--config", "s.toml", "--queue", "queue"];
        let named = [&place[..], &["--model", model.to_str().unwrap()]].concat();
        let output = home.feed(feeder, &named);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(home.list(&place).is_empty(), "{feeder}");
        // A model for several words is none.
        fs::write(home.path().join("s.toml"), "[[wake_word]]\n[[wake_word]]\n").unwrap();
        let output = home.feed(feeder, &named);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains("--model names the model of one wake word"), "{output:?}");
    }
}

#[test]
fn a_folder_on_the_command_line_keeps_nothing_and_the_status_says_what_is_known() {
    for feeder in FEEDERS {
        let home = Home::new();
        fs::write(home.path().join("off.toml"), "[review]\nmin_free_mb = 0\n").unwrap();
        for place in [&["--queue", "queue"][..], &["--config", "off.toml", "--queue", "queue"]] {
            let output = home.feed(feeder, place);
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            let said = stderr(&output);
            assert!(said.contains("nothing will be kept"), "{feeder}: {said}");
            assert!(home.list(&["--queue", "queue"]).is_empty(), "{feeder} {place:?}");
        }
    }
    let home = Home::new();
    home.queued("score", &settings("review", ""));
    let status = |place: &[&str]| {
        let output = run_in(home.path(), &[&["review", "status"], place].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().find(|line| line.starts_with("enabled")).unwrap().to_owned()
    };
    fs::write(home.path().join("off.toml"), "").unwrap();
    assert!(status(&["--queue", "queue"]).contains("not known: name the settings"));
    assert!(status(&["--queue", "queue", "--config", "s.toml"]).ends_with("yes, by s.toml"));
    let off = status(&["--queue", "queue", "--config", "off.toml"]);
    assert!(off.ends_with("no: under off.toml nothing is kept"), "{off}");
    let json = |place: &[&str]| {
        json_lines(&run_in(home.path(), &[&["review", "status", "--json"], place].concat()))[0]
            ["enabled"]
            .clone()
    };
    assert_eq!(json(&["--queue", "queue"]), Value::Null);
    assert_eq!(json(&["--queue", "queue", "--config", "s.toml"]), Value::Bool(true));
}

#[test]
fn an_unknown_key_anywhere_is_refused_by_every_command_that_has_to_do_with_clips() {
    let home = Home::new();
    fs::write(home.path().join("l.csv"), "p_intended,label\n0.9,intended\n").unwrap();
    let sections = [
        "",
        "[audio]",
        "[[wake_word]]",
        "[hooks]",
        "[mqtt]",
        "[metrics]",
        "[runtime]",
        "[log]",
        "[wyoming]",
        "[review]",
    ];
    for section in sections {
        fs::write(home.path().join("s.toml"), format!("{section}\nno_such_key = 1\n")).unwrap();
        let commands: [&[&str]; 7] = [
            &["score", "a.wav"],
            &["listen", "--input", "a.wav"],
            &["listen", "--device", "-"],
            &["review", "consent", "--by", "Owner"],
            &["review", "status"],
            &["review", "purge", "--all"],
            &[
                "calibrate",
                "--labels",
                "l.csv",
                "--apply",
                "--share",
                "0.99",
                "--confidence",
                "0.5",
            ],
        ];
        for command in commands {
            let place = ["--config", "s.toml", "--queue", "queue"];
            let output = run_in(home.path(), &[command, &place[..]].concat());
            assert_eq!(output.status.code(), Some(2), "{section} {command:?}: {output:?}");
            assert!(stderr(&output).contains("unknown key no_such_key"), "{output:?}");
        }
    }
}
