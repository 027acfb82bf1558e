//! The way of a newcomer: consent, a corpus through the gate, review, a leak, a wipe.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::cli_support::{checkout, embedded_id, json_lines, run_in, stderr};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

/// Runs and expects an exit code.
fn run(folder: &Path, code: i32, arguments: &[&str]) -> Output {
    let output = run_in(folder, arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    output
}

fn review(folder: &Path, code: i32, arguments: &[&str]) -> Output {
    run(folder, code, &[&["review", "--queue", "queue"], arguments].concat())
}

/// A folder with settings under which a corpus fits.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[review]\nenabled = true\nmin_free_mb = 0\n\n[runtime]\nqueue = 8\n";
    fs::write(folder.path().join("settings.toml"), settings).unwrap();
    folder
}

#[test]
fn a_corpus_goes_through_the_gate_and_a_leak_is_gone() {
    let folder = folder();
    let folder = folder.path();
    let data = checkout("data");
    let recordings: Vec<String> =
        ["alexa_timer", "alexa_alone", "mention_told", "alike_lesson", "noise_hum"]
            .map(|name| data.join(format!("{name}.flac")).to_str().unwrap().to_owned())
            .into();
    let score: Vec<&str> = ["score", "--config", "settings.toml", "--queue", "queue"]
        .into_iter()
        .chain(recordings.iter().map(String::as_str))
        .collect();
    // Without a consent nothing is stored, and the scores are the same.
    let refused = run(folder, 0, &score);
    assert!(stderr(&refused).contains("0 clips stored"), "{refused:?}");
    assert!(stderr(&refused).contains("2 no_consent"), "{refused:?}");
    assert!(stderr(&refused).contains("hint: `wakegate review consent --by NAME`"), "{refused:?}");
    review(folder, 0, &["consent", "--by", "Owner"]);
    let scored = run(folder, 0, &score);
    assert_eq!(scored.stdout, refused.stdout);
    assert!(stderr(&scored).contains("2 clips stored"), "{scored:?}");

    let listed = json_lines(&review(folder, 0, &["list", "--by", "Ann"]));
    assert_eq!(listed.len(), 2);
    for clip in &listed {
        assert!(clip["p_intended"].as_f64().unwrap() > 0.5, "{clip}");
        // The word, a second before it and four after, or to the end of the recording.
        assert!((1.0..7.0).contains(&clip["audio_s"].as_f64().unwrap()), "{clip}");
    }
    let id = listed[0]["id"].as_str().unwrap();
    // As much of a name as no other begins with is enough.
    let labelled = review(folder, 0, &["label", &id[..12], "accidental", "--by", "Ann"]);
    assert!(stderr(&labelled).contains("a leak: deleted"), "{labelled:?}");
    review(folder, 1, &["label", id, "intended", "--by", "Ann"]);
    let left = json_lines(&review(folder, 0, &["list", "--by", "Ann"]));
    assert_eq!(left.len(), 1);
    assert_ne!(left[0]["id"], listed[0]["id"]);

    let status = json_lines(&review(folder, 0, &["status", "--json"]));
    assert_eq!((&status[0]["leaks"], &status[0]["queued"]), (&1.into(), &1.into()));
    assert_eq!(status[0]["days"][0]["stopped"]["no_consent"], 2);
    let said = String::from_utf8(review(folder, 0, &["status"]).stdout).unwrap();
    assert!(said.contains("1 leak:") && said.contains("consent      Owner, "), "{said}");

    let exported = review(folder, 0, &["export", "--csv", "--by", "Ann"]);
    let csv = String::from_utf8(exported.stdout).unwrap();
    let header = "day,label,wake_word,model,p_intended,p_not_wake_word,p_not_addressed,p_wake_word,p_addressed,spotter_peak";
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, header));
    assert!(lines[1].contains(&format!(",accidental,alexa,{},0.", embedded_id())), "{csv}");
    let json = json_lines(&review(folder, 0, &["export", "--jsonl", "--by", "Ann"]));
    assert_eq!(json[0]["label"], "accidental");

    exported_alike(folder, &csv);

    let verified = json_lines(&review(folder, 0, &["audit", "verify"]));
    let lines = verified[0]["lines"].as_u64().unwrap();
    let shown = json_lines(&review(folder, 0, &["audit", "show"]));
    assert_eq!(shown.len() as u64, lines);
    assert!(shown.iter().any(|line| line["act"] == "leak" && line["by"] == "Ann"));
    let mark = format!("{lines}:{}", verified[0]["head"].as_str().unwrap());
    review(folder, 0, &["key", "rotate", "--by", "Owner"]);
    review(folder, 0, &["audit", "verify", "--expect", &mark]);
    review(folder, 0, &["purge"]);
    let wiped = review(folder, 0, &["purge", "--all", "--by", "Owner"]);
    assert!(stderr(&wiped).contains("1 clip wiped"), "{wiped:?}");
    let revoked = review(folder, 0, &["consent", "--by", "Owner", "--revoke"]);
    assert!(stderr(&revoked).contains("consent revoked; 0 clips wiped"), "{revoked:?}");
    review(
        folder,
        1,
        &[
            "audit",
            "verify",
            "--expect",
            &mark.replace(':', ":0").replace(":00", ":01")[..mark.len()],
        ],
    );
}

/// The three forms hold the same, in a file as on stdout.
fn exported_alike(folder: &Path, csv: &str) {
    let export = |arguments: &[&str]| {
        review(folder, 0, &[&["export", "--by", "Ann"], arguments].concat()).stdout
    };
    export(&["--output", "labels.csv"]);
    assert_eq!(fs::read_to_string(folder.join("labels.csv")).unwrap(), csv);
    export(&["--output", "labels.txt", "--format", "jsonl"]);
    export(&["--output", "labels.parquet"]);
    let json = fs::read_to_string(folder.join("labels.txt")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    for bytes in
        [fs::read(folder.join("labels.parquet")).unwrap(), export(&["--format", "parquet"])]
    {
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let about = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
        let said = |key: &str| about.iter().find(|pair| pair.key == key).unwrap().value.clone();
        assert_eq!(said("wakegate.schema_version").as_deref(), Some("1"));
        assert_eq!(said("wakegate.rows").as_deref(), Some("labelled activations"));
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap()).collect();
        assert_eq!(rows.len(), 1);
        let columns: Vec<(&String, &Field)> = rows[0].get_column_iter().collect();
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.join(","), csv.lines().next().unwrap());
        for (name, value) in columns {
            match value {
                Field::Str(text) => assert_eq!(json[name], text.as_str(), "{name}"),
                Field::Double(number) => {
                    assert_eq!(json[name].as_f64().unwrap() as f32, *number as f32, "{name}");
                }
                other => panic!("{name}: {other}"),
            }
        }
    }
    // What can't be told or written leaves what was there.
    let unknown = review(folder, 2, &["export", "--output", "labels.xls"]);
    assert!(stderr(&unknown).contains(".csv, .jsonl or .parquet"), "{unknown:?}");
    review(folder, 2, &["export", "--output", "missing/labels.csv"]);
    review(folder, 2, &["export", "--output", "queue", "--format", "csv"]);
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["labels.csv", "labels.parquet", "labels.txt", "queue", "settings.toml"]);
}

#[test]
fn without_enabled_in_the_settings_nothing_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("settings.toml"), "[review]\nmin_free_mb = 0\n").unwrap();
    let told = review(folder.path(), 0, &["consent", "--by", "Owner"]);
    assert!(stderr(&told).contains("enabled = false"), "{told:?}");
    let recording = checkout("data/alexa_timer.flac");
    let arguments =
        ["score", "--config", "settings.toml", "--queue", "queue", recording.to_str().unwrap()];
    let scored = run(folder.path(), 0, &arguments);
    assert!(
        stderr(&scored).contains("0 clips stored, 1 stopped and wiped (1 disabled)"),
        "{scored:?}"
    );
}

#[test]
fn what_is_wrong_is_said_with_a_way_out() {
    let folder = folder();
    let folder = folder.path();
    let missing = review(folder, 2, &["list", "--by", "Ann"]);
    assert!(
        stderr(&missing).contains("there is no review queue: expected one in queue"),
        "{missing:?}"
    );
    assert!(!folder.join("queue").exists(), "looking makes none");
    review(folder, 0, &["consent", "--by", "Owner"]);
    for bad in ["../queue", "", "ZZ23456789abcdef0123456789abcdef"] {
        let output = review(folder, 2, &["label", bad, "intended"]);
        assert!(stderr(&output).contains("32 lower-case hexadecimal digits"), "{output:?}");
    }
    let none = review(folder, 2, &["label", "0123", "intended"]);
    assert!(stderr(&none).contains("no clip's name begins so"), "{none:?}");
    let unknown = "0".repeat(32);
    let gone = review(folder, 1, &["delete", &unknown, "--by", "Ann"]);
    assert!(stderr(&gone).contains("no such clip"), "{gone:?}");
    fs::write(folder.join("typo.toml"), "[review]\nenable = true\n").unwrap();
    let typo = run(folder, 2, &["review", "--config", "typo.toml", "status"]);
    assert!(stderr(&typo).contains("typo.toml: line 2: unknown key enable"), "{typo:?}");
    assert!(stderr(&typo).contains("did you mean enabled?"), "{typo:?}");
    // A queue whose key is gone can only be wiped.
    fs::remove_file(folder.join("queue/device.key")).unwrap();
    let closed = review(folder, 2, &["status"]);
    assert!(stderr(&closed).contains("purge --all"), "{closed:?}");
    let wiped = review(folder, 0, &["purge", "--all", "--by", "Owner"]);
    assert!(stderr(&wiped).contains("database destroyed"), "{wiped:?}");
    assert_eq!(fs::read_dir(folder.join("queue")).unwrap().count(), 0);
}

/// Labelled activations: `count` of them, every `accidental`-th one accidental.
fn labels(count: usize, accidental: usize) -> String {
    (0..count)
        .map(|n| {
            let label = if n % accidental == accidental - 1 { "not_addressed" } else { "intended" };
            let p = 0.5 + 0.5 * (n as f64 * 0.618_033_988).fract();
            format!("{{\"p_intended\":{p:.6},\"label\":\"{label}\",\"path\":\"x\"}}\n")
        })
        .collect()
}

#[test]
fn calibrate_certifies_or_says_what_it_would_take() {
    let folder = folder();
    let folder = folder.path();
    fs::write(folder.join("many.jsonl"), labels(6000, usize::MAX)).unwrap();
    let many = ["calibrate", "--labels", "many.jsonl"];
    let answer = json_lines(&run(folder, 0, &[&many[..], &["--json"]].concat()));
    assert_eq!(answer[0]["certified"]["accidental"], 0);
    assert_eq!(answer[0]["upper_share"], 0.001);
    assert_eq!(answer[0]["accidental_a_day_95_of_100_days_at_most"], 3);
    assert_eq!((&answer[0]["day_clips"], &answer[0]["reported_2019"]), (&1000.into(), &100.into()));
    let said = String::from_utf8(run(folder, 0, &many).stdout).unwrap();
    assert!(
        said.contains("at most 1.0 accidental on average, at most 3 on 95 of 100 days"),
        "{said}"
    );

    fs::write(folder.join("few.jsonl"), labels(500, usize::MAX)).unwrap();
    let few = run(folder, 1, &["calibrate", "--labels", "few.jsonl"]);
    let said = String::from_utf8(few.stdout).unwrap();
    assert!(
        said.contains("nothing: these labels can't; it would take about 4118 labels"),
        "{said}"
    );
    fs::write(folder.join("bad.jsonl"), labels(3000, 10)).unwrap();
    let bad = run(folder, 1, &["calibrate", "--labels", "bad.jsonl"]);
    let said = String::from_utf8(bad.stdout).unwrap();
    assert!(said.contains("the share is too high at every threshold"), "{said}");
    // A looser goal is met by the same labels.
    run(folder, 0, &["calibrate", "--labels", "bad.jsonl", "--share", "0.15"]);
}

#[test]
fn a_certified_threshold_is_put_in_force() {
    let folder = folder();
    let folder = folder.path();
    fs::write(folder.join("many.jsonl"), labels(6000, usize::MAX)).unwrap();
    fs::write(folder.join("strict.csv"), {
        // As `review export` writes it; certified far above what the recording has.
        let rows: String = (0..400).map(|_| "2026-03-02,intended,0.999\n").collect();
        format!("day,label,p_intended\n{rows}")
    })
    .unwrap();
    review(folder, 0, &["consent", "--by", "Owner"]);
    run(
        folder,
        0,
        &[
            "calibrate",
            "--labels",
            "strict.csv",
            "--share",
            "0.05",
            "--apply",
            "--queue",
            "queue",
            "--by",
            "Owner",
        ],
    );
    let recording = checkout("data/alexa_timer.flac");
    let arguments =
        ["score", "--config", "settings.toml", "--queue", "queue", recording.to_str().unwrap()];
    let scored = run(folder, 0, &arguments);
    assert!(stderr(&scored).contains("1 below_threshold"), "{scored:?}");
    let status = String::from_utf8(review(folder, 0, &["status"]).stdout).unwrap();
    assert!(
        status.contains("at most 5 % accidental with 95 % confidence, from p_intended 0.999"),
        "{status}"
    );
}

#[test]
fn labels_that_cannot_be_read_are_refused_by_line() {
    let folder = folder();
    let folder = folder.path();
    for (name, text, said) in [
        ("a.jsonl", "{\"p_intended\":0.5,\"label\":\"intended\"}\n{\"p_int", "a.jsonl: line 2"),
        ("b.jsonl", "{\"p_intended\":0.5,\"label\":\"perhaps\"}\n", "found \"perhaps\""),
        ("c.csv", "score,label\n0.5,intended\n", "a column p_intended"),
        ("d.csv", "p_intended,label\n0.5,intended\nhigh,intended\n", "d.csv: line 3"),
        ("e.csv", "p_intended,label\n1.5,intended\n", "a p_intended from 0 to 1"),
    ] {
        fs::write(folder.join(name), text).unwrap();
        let output = run(folder, 2, &["calibrate", "--labels", name]);
        assert!(stderr(&output).contains(said), "{name}: {output:?}");
    }
    // Rows without a label or a score are left out, and counted.
    let text = "{\"p_intended\":0.5}\n{\"p_intended\":null,\"label\":\"intended\"}\n\n{\"p_intended\":0.9,\"label\":\"intended\"}\n";
    fs::write(folder.join("f.jsonl"), text).unwrap();
    let answer = json_lines(&run(folder, 1, &["calibrate", "--labels", "f.jsonl", "--json"]));
    assert_eq!(answer[0]["left_out"], 2);
}

#[test]
fn labels_of_another_model_or_queue_are_put_in_force_by_force_alone() {
    let folder = folder();
    let folder = folder.path();
    review(folder, 0, &["consent", "--by", "Owner"]);
    let today =
        String::from_utf8(std::process::Command::new("date").arg("+%F").output().unwrap().stdout)
            .unwrap();
    let rows = |model: &str| -> String {
        let row = format!("{},intended,alexa,{model},0.9\n", today.trim());
        format!("day,label,wake_word,model,p_intended\n{}", row.repeat(400))
    };
    fs::write(folder.join("other.csv"), rows("alexa-1")).unwrap();
    fs::write(folder.join("same.csv"), rows(&embedded_id())).unwrap();
    let base = ["calibrate", "--share", "0.05", "--queue", "queue", "--by", "Owner", "--labels"];
    for (file, said) in [
        ("other.csv", &*format!("of the model \"alexa-1\"; here {} judges", embedded_id())),
        ("same.csv", "400 of 400 labels are not of this queue"),
    ] {
        let looked = run(folder, 0, &[&base[..], &[file]].concat());
        assert!(stderr(&looked).contains(said), "{looked:?}");
        let refused = run(folder, 2, &[&base[..], &[file, "--apply"]].concat());
        assert!(stderr(&refused).contains("--force"), "{refused:?}");
        let status = String::from_utf8(review(folder, 0, &["status"]).stdout).unwrap();
        assert!(status.contains("certificate  none"), "{status}");
    }
    run(folder, 0, &[&base[..], &["other.csv", "--apply", "--force"]].concat());
    let status = String::from_utf8(review(folder, 0, &["status"]).stdout).unwrap();
    assert!(status.contains("from p_intended 0.9"), "{status}");
}

#[test]
fn calibrate_says_how_long_a_certificate_takes() {
    let folder = folder();
    let folder = folder.path();
    fs::write(folder.join("few.jsonl"), labels(500, usize::MAX)).unwrap();
    fs::write(folder.join("cap.toml"), "[review]\ndaily_cap = 10\n").unwrap();
    let few = ["calibrate", "--labels", "few.jsonl"];
    let said = String::from_utf8(run(folder, 1, &few).stdout).unwrap();
    // 4118 labels in all, of which 500 are there, at 50 a day.
    assert!(said.contains("about 73 days more at the daily cap of 50 clips"), "{said}");
    let capped = [&few[..], &["--config", "cap.toml", "--json"]].concat();
    let answer = &json_lines(&run(folder, 1, &capped))[0];
    assert_eq!((&answer["daily_cap"], &answer["days_at_daily_cap"]), (&10.into(), &362.into()));
}
