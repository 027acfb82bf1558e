//! `wakegate eval` on cases whose counts are known by hand.

use std::fs;
use std::path::Path;

use crate::cli_support::{json_lines, run_in, stderr, write_wav};
use serde_json::{Value, json};

/// A line of `score --activations`.
fn activation(path: &str, number: u64, end_s: f64, p: f64) -> Value {
    json!({
        "path": path, "activation": number, "audio_s": 3600.0,
        "verdict": if p >= 0.8 { "intended" } else { "accidental" },
        "reason": if p >= 0.8 { "intended" } else { "not_addressed" },
        "p_intended": p, "wake_word": "alexa", "start_s": end_s - 0.5, "end_s": end_s,
        "decided_s": end_s + 0.9, "model": "alexa-1", "error": null,
    })
}

/// A line of `score`.
fn clip(path: &str, end_s: Option<f64>, p: f64) -> Value {
    let mut line = activation(path, 1, end_s.unwrap_or(0.0), p);
    let fields = line.as_object_mut().unwrap();
    fields.remove("activation");
    fields["audio_s"] = json!(3.0);
    if end_s.is_none() {
        fields["end_s"] = Value::Null;
    }
    line
}

fn write_lines(path: &Path, lines: &[Value]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(path, text).unwrap();
}

/// Two streams: the first with two words, a mention and a six-frame false event, the second,
/// without anything said, with nothing found.
fn streams(folder: &Path) {
    let mut lines = vec![
        // The first word is found twice, the second not at all.
        activation("a.wav", 1, 10.4, 0.9),
        activation("a.wav", 2, 10.8, 0.95),
        activation("a.wav", 3, 100.5, 0.3),
        // The mention is taken for a command.
        activation("a.wav", 4, 200.4, 0.85),
    ];
    lines.extend((0..6).map(|n| activation("a.wav", 5 + n, 300.0 + 0.08 * n as f64, 0.9)));
    write_lines(&folder.join("scores.jsonl"), &lines);
    fs::write(
        folder.join("labels.csv"),
        "path,start_s,end_s,label,speaker,audio_s,kind\n\
         a.wav,10,10.5,alexa,ann,3600,word\n\
         a.wav,100,100.5,Alexa,bob,3600,word\n\
         a.wav,200,200.5,,bob,3600,mention\n\
         b.wav,,,,,3600,quiet\n",
    )
    .unwrap();
}

fn eval(folder: &Path, extra: &[&str]) -> std::process::Output {
    let arguments = ["eval", "--scores", "scores.jsonl", "--labels", "labels.csv"];
    run_in(folder, &[&arguments[..], extra].concat())
}

fn answer(folder: &Path, extra: &[&str]) -> Value {
    let output = eval(folder, &[&["--json"], extra].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    json_lines(&output).remove(0)
}

#[test]
fn counts_are_those_made_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    streams(folder.path());
    let found = answer(folder.path(), &["--refractory-s", "0.3", "--by", "kind"]);
    let system = &found["system"];
    assert_eq!(found["events"], "merge 0.25 s, refractory 0.3 s, tolerance 0.5 s");
    assert_eq!((&system["frr"]["k"], &system["frr"]["n"]), (&json!(1), &json!(2)));
    assert_eq!(system["repeats"], 1, "a second detection of a word is no second hit");
    // The mention and the six frames: two events, not seven.
    assert_eq!(system["false_accepts"]["count"], 2);
    // Two hours less twice 0.5 s of word and 0.5 s of tolerance.
    let hours = system["false_accepts"]["hours"].as_f64().unwrap();
    assert!((hours - (7200.0 - 2.0) / 3600.0).abs() < 1e-9);
    assert_eq!(system["negatives_accepted"]["k"], 1);
    assert_eq!(system["negatives_accepted"]["n"], 2);
    assert_eq!(system["queue_precision"]["k"], 1);
    assert_eq!(system["queue_precision"]["n"], 3);
    assert_eq!(system["triggers"], json!([2, 2]));
    // 10.4 + 0.9 - 10.5.
    assert!((system["delay_s"]["p50"].as_f64().unwrap() - 0.8).abs() < 1e-3);
    assert_eq!((&found["silent"], &found["speakers"]), (&json!(1), &json!(2)));
    let kinds = system["groups"]["kind"].as_array().unwrap();
    let names: Vec<_> = kinds.iter().map(|kind| kind["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["(several)", "mention", "quiet", "word"]);
    assert_eq!(kinds[1]["negatives_accepted"]["k"], 1);
    assert_eq!(kinds[0]["false_accepts"]["count"], 2);
    assert_eq!(kinds[3]["frr"]["k"], 1);
    let reasons = &system["reasons"];
    assert_eq!(reasons[1]["reason"], "not_addressed");
    assert_eq!(reasons[1]["true_triggers"], 1);
    // The refractory time is part of the metric: with a longer one the word fires once.
    assert_eq!(answer(folder.path(), &[])["system"]["repeats"], 0);
    // Lax enough, the second word is found; the false accepts stay two.
    let lax = answer(folder.path(), &["--threshold", "0.2"]);
    assert_eq!(lax["system"]["frr"]["k"], 0);
    assert_eq!(lax["system"]["false_accepts"]["count"], 2);
    assert_eq!(lax["accepted"], "p_intended is 0.2 or more");
}

#[test]
fn the_table_says_what_was_counted_and_what_is_too_little() {
    let folder = tempfile::tempdir().unwrap();
    streams(folder.path());
    let output = eval(folder.path(), &["--by", "speaker"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    for line in [
        "alexa: 2 targets and 2 negatives in 2 recordings, 2.00 h outside of the targets, 2 speakers",
        "events: merge 0.25 s, refractory 1 s, tolerance 0.5 s; accepted where the verdict is intended",
        "alexa-1 (95 % intervals)",
        "note: 1 recording has no line in the scores and is taken to be without an activation",
        "note: 2 targets are few: see the width of the miss rate's interval",
        "note: 2.00 h are too short to show 0.1 or 0.5 false accepts an hour: the miss rate there is that without any",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is not in\n{text}");
    }
    let row = |name: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("miss rate (FRR)"), "miss rate (FRR) 50.0 % [1.3, 98.7] 1 of 2 targets");
    assert_eq!(
        row("false accepts an hour"),
        "false accepts an hour 1.00 [0.12, 3.61] 2 in 2.00 h; Poisson"
    );
    // Recordings of an hour without a speaker are drawn in blocks of five minutes.
    assert!(
        row("by the bootstrap")
            .ends_with("over 24 blocks of 300 s; no sign of clusters, p = 0.1227"),
        "{text}"
    );
    assert!(row("ann").contains("0.0 % [0.0, 97.5] 0/1"), "{}", row("ann"));
    // The same run gives the same bytes.
    assert_eq!(eval(folder.path(), &["--by", "speaker"]).stdout, output.stdout);
}

#[test]
fn whole_recordings_and_paths_beside_the_labels() {
    let folder = tempfile::tempdir().unwrap();
    let clips = folder.path().join("clips");
    fs::create_dir(&clips).unwrap();
    let lines = [
        clip("clips/one.wav", Some(1.0), 0.9),
        clip("./clips/two.wav", Some(1.2), 0.6),
        clip("clips/three.wav", None, 0.1),
        clip("clips/noise.wav", Some(2.0), 0.95),
    ];
    write_lines(&folder.path().join("scores.jsonl"), &lines);
    let labels = "path\tlabel\tspeaker\none.wav\talexa\ta\ntwo.wav\talexa\tb\nthree.wav\talexa\tc\nnoise.wav\tcomputer\td\n";
    fs::write(clips.join("labels.tsv"), labels).unwrap();
    let output = run_in(
        folder.path(),
        &["eval", "--scores", "scores.jsonl", "--labels", "clips/labels.tsv", "--json"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let found = &json_lines(&output)[0];
    assert_eq!(found["system"]["frr"]["k"], 2);
    assert_eq!(found["system"]["triggers"], json!([2, 1]));
    // The clips of the word are no time for false accepts: 3 s are left.
    assert!(
        (found["system"]["false_accepts"]["hours"].as_f64().unwrap() - 3.0 / 3600.0).abs() < 1e-9
    );
    let notes = found["notes"].to_string();
    assert!(notes.contains("one line a recording") && notes.contains("computer 1"), "{notes}");
}

#[test]
fn two_systems_are_compared_pair_by_pair() {
    let folder = tempfile::tempdir().unwrap();
    let lines = |scores: &[f64]| {
        let clips = (0..).zip(scores);
        clips.map(|(n, &p)| clip(&format!("{n}.wav"), Some(1.0), p)).collect::<Vec<_>>()
    };
    // Six targets and two negatives: the first finds five, the second two of the same.
    let first = [0.9, 0.9, 0.9, 0.9, 0.9, 0.1, 0.1, 0.9];
    let second = [0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1];
    write_lines(&folder.path().join("scores.jsonl"), &lines(&first));
    let other: Vec<Value> = lines(&second)
        .into_iter()
        .map(|mut line| {
            line["model"] = json!("other-2");
            line
        })
        .collect();
    write_lines(&folder.path().join("other.jsonl"), &other);
    let rows: String =
        (0..8).map(|n| format!("{n}.wav,{},s{n}\n", if n < 6 { "alexa" } else { "" })).collect();
    fs::write(folder.path().join("labels.csv"), format!("path,label,speaker\n{rows}")).unwrap();
    let found = answer(folder.path(), &["--against", "other.jsonl"]);
    let targets = &found["contest"]["targets"];
    assert_eq!(
        targets["pairs"],
        json!({"both": 2, "only_first": 3, "only_second": 0, "neither": 1})
    );
    assert_eq!(targets["difference"], 0.5);
    assert!((targets["p_value"].as_f64().unwrap() - 0.25).abs() < 1e-9);
    let interval = &targets["interval"];
    assert!(interval["low"].as_f64().unwrap() < 0.5 && interval["high"].as_f64().unwrap() > 0.5);
    assert_eq!(found["contest"]["negatives"]["pairs"]["only_first"], 1);
    assert_eq!(found["against"]["name"], "other-2");
    let output = eval(folder.path(), &["--against", "other.jsonl"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("alexa-1 less other-2 on the same data"), "{text}");
    assert!(
        text.contains("only the first 3, only the second 0, of 6; McNemar p = 0.2500"),
        "{text}"
    );
}

#[test]
fn what_does_not_fit_together_is_refused_and_said() {
    let folder = tempfile::tempdir().unwrap();
    streams(folder.path());
    let labels = fs::read_to_string(folder.path().join("labels.csv")).unwrap();
    let refusal = |labels: &str, extra: &[&str]| {
        fs::write(folder.path().join("labels.csv"), labels).unwrap();
        let output = eval(folder.path(), extra);
        assert_eq!(output.status.code(), Some(2), "{labels}");
        assert!(output.stdout.is_empty());
        stderr(&output)
    };
    let said = refusal(&labels.replace("path,", "file,"), &[]);
    assert!(said.contains("expected the columns path (or id) and label"), "{said}");
    let said = refusal(&format!("{labels}c.wav,,,,,,\n"), &[]);
    assert!(said.contains("labels have no scores") && said.contains("1 without: c.wav"), "{said}");
    assert!(said.contains("audio_s"), "{said}");
    let said = refusal("path,label,audio_s\nb.wav,,3600\n", &[]);
    assert!(said.contains("scores have no labels") && said.contains("1 without: a.wav"), "{said}");
    let said = refusal(&labels, &["--by", "room"]);
    assert!(said.contains("a column of the labels") && said.contains("\"room\""), "{said}");
    let said = refusal(&labels.to_lowercase().replace("alexa", "alexia"), &[]);
    assert!(said.contains("expected \"alexa\" in label") && said.contains("alexia"), "{said}");
    let said = refusal(&labels.replace("a.wav,10,10.5", "a.wav,10000,10500"), &[]);
    assert!(said.contains("outside of its recording") && said.contains("at 10000"), "{said}");
    for (option, value) in
        [("--confidence", "1"), ("--threshold", "2"), ("--merge-s", "-1"), ("--merge-s", "NaN")]
    {
        let said = refusal(&labels, &[&format!("{option}={value}")]);
        assert!(said.contains("is refused"), "{said}");
    }
}

#[test]
fn a_recording_that_could_not_be_scored_is_left_out_by_name() {
    let folder = tempfile::tempdir().unwrap();
    streams(folder.path());
    let path = folder.path().join("scores.jsonl");
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str(
        &json!({"path": "b.wav", "activation": null, "error": "cannot decode b.wav"}).to_string(),
    );
    fs::write(&path, text).unwrap();
    let output = eval(folder.path(), &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("b.wav: left out, it could not be scored: cannot decode b.wav")
    );
    let found = &json_lines(&output)[0];
    assert_eq!(
        (&found["recordings"], &found["failed"][0]["recording"]),
        (&json!(1), &json!("b.wav"))
    );
    assert!(found["system"]["false_accepts"]["hours"].as_f64().unwrap() < 1.0);
}

#[test]
fn the_report_is_one_page_that_fetches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    streams(folder.path());
    // A name that would be markup, and a recording that is there to be heard.
    for file in ["scores.jsonl", "labels.csv"] {
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("mention", "<b>&mention")).unwrap();
    }
    write_wav(&folder.path().join("a.wav"), &vec![0.1; 302 * 16_000]);
    let page = |extra: &[&str]| {
        let output = eval(folder.path(), &[&["--report", "out"], extra].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        fs::read_to_string(folder.path().join("out/index.html")).unwrap()
    };
    let quiet = page(&["--by", "kind"]);
    assert_eq!(quiet.matches("<svg").count(), 4);
    // The only addresses are the names of SVG's namespace, which nobody opens.
    assert_eq!(
        quiet.matches("://").count(),
        quiet.matches("xmlns=\"http://www.w3.org/2000/svg\"").count()
    );
    assert!(quiet.contains("default-src 'none'") && !quiet.contains("<script"));
    assert!(quiet.contains("&lt;b&gt;&amp;mention") && !quiet.contains("<b>&mention"));
    assert!(
        !quiet.contains("<audio") && !quiet.contains("data:audio"),
        "no audio unless asked for"
    );
    let labels = fs::read(folder.path().join("labels.csv")).unwrap();
    let digest: String = <sha2::Sha256 as sha2::Digest>::digest(&labels)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert!(quiet.contains(&digest), "the page names the labels by their hash");
    assert!(quiet.contains(
        "wakegate eval --scores scores.jsonl --labels labels.csv --report out --by kind"
    ));
    let figures: Value =
        serde_json::from_slice(&fs::read(folder.path().join("out/figures.json")).unwrap()).unwrap();
    assert_eq!(figures["system"]["frr"]["n"], 2);
    assert_eq!(page(&["--by", "kind"]), quiet, "the same inputs give the same page");

    let heard = page(&["--audio"]);
    // One miss and two false accepts.
    assert_eq!(heard.matches("<li class=\"card\">").count(), 3);
    assert_eq!(heard.matches("<audio controls").count(), 3);
    assert!(heard.contains("data:audio/wav;base64,UklGR"), "a WAV begins with RIFF");
    assert!(heard.len() < 1_000_000, "{} bytes", heard.len());
    fs::remove_file(folder.path().join("a.wav")).unwrap();
    assert_eq!(page(&["--audio"]).matches("no audio: ").count(), 3);
    let output = eval(folder.path(), &["--audio"]);
    assert_eq!(output.status.code(), Some(2), "--audio needs --report");
}
