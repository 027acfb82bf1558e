//! `wakegate score` on corpora: one set of recordings in every container, with the same scores.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::cli_support::{json_lines, package, run_in, speech_like, stderr, wakegate};
use crate::corpus_support::{gzip, parquet, read_parquet, tar, zip};
use ::zip::CompressionMethod;
use serde_json::{Value, json};
use tempfile::TempDir;

const COUNT: u32 = 6;

/// `0.wav` to `5.wav`, the same samples in every container that loses none of them, and the tiny
/// model.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    package(&path("tiny"));
    for name in ["wav", "flac", "raw"] {
        fs::create_dir(path(name)).unwrap();
    }
    let (mut wavs, mut flacs) = (Vec::new(), Vec::new());
    for k in 0..COUNT {
        // The first is the longest, so that with several threads it is done last.
        let samples = speech_like(if k == 0 { 12.0 } else { 1.0 + f64::from(k) }, k + 1);
        let wav = crate::audio::wav_i16(&samples, 1, 16_000);
        let flac = crate::audio::flac(&samples, 1, 16_000);
        fs::write(path(&format!("wav/{k}.wav")), &wav).unwrap();
        fs::write(path(&format!("flac/{k}.flac")), &flac).unwrap();
        fs::write(path(&format!("raw/{k}.pcm")), &wav[44..]).unwrap();
        let about = json!({"label": format!("l{k}"), "speaker": k}).to_string().into_bytes();
        wavs.push((format!("x/{k}.json"), about));
        wavs.push((format!("x/{k}.wav"), wav));
        flacs.push((format!("x/{k}.flac"), flac));
    }
    let members = |owned: &[(String, Vec<u8>)]| -> Vec<(&'static str, Vec<u8>)> {
        owned.iter().map(|(name, bytes)| (&*name.clone().leak(), bytes.clone())).collect()
    };
    let (wavs, flacs) = (members(&wavs), members(&flacs));
    fs::write(path("wav.tar"), tar(&wavs)).unwrap();
    fs::write(path("wav.tar.gz"), gzip(&tar(&wavs))).unwrap();
    fs::write(path("flac.tar"), tar(&flacs)).unwrap();
    fs::write(path("stored.zip"), zip(&wavs, CompressionMethod::Stored)).unwrap();
    fs::write(path("packed.zip"), zip(&wavs, CompressionMethod::Deflated)).unwrap();
    let names = ["file", "utt", "label", "speaker"];
    let row = |k: u32| [format!("wav/{k}.wav"), format!("x/{k}"), format!("l{k}"), k.to_string()];
    let rows: Vec<Vec<String>> = (0..COUNT).map(|k| row(k).to_vec()).collect();
    parquet(&path("m.parquet"), &names, &rows);
    let lines = |text: Vec<String>| text.join("\n") + "\n";
    let csv = rows.iter().map(|row| row.join(","));
    fs::write(path("m.csv"), lines([names.join(",")].into_iter().chain(csv).collect())).unwrap();
    let object = |row: &Vec<String>| {
        json!({"file": row[0], "utt": row[1], "label": row[2], "speaker": row[3]}).to_string()
    };
    fs::write(path("m.jsonl"), lines(rows.iter().map(object).collect())).unwrap();
    fs::write(path("list"), lines(rows.iter().map(|row| row[0].clone()).collect())).unwrap();
    folder
}

/// What is judged of a recording, without its path and what a corpus says of it.
fn judged(output: &Output) -> Vec<Value> {
    let mut lines = json_lines(output);
    for line in &mut lines {
        let object = line.as_object_mut().unwrap();
        for key in ["path", "id", "label", "group", "speaker"] {
            object.remove(key);
        }
    }
    lines
}

fn score(folder: &TempDir, arguments: &[&str]) -> Output {
    let output = run_in(folder.path(), &[&["score", "--model", "tiny"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    output
}

const MANIFEST: [&str; 2] = ["--column", "path=file,id=utt,group=speaker"];

#[test]
fn every_container_and_any_number_of_threads_give_the_same_scores() {
    let folder = folder();
    let expected = judged(&score(&folder, &["wav", "--activations", "--threads", "1"]));
    assert!(expected.len() > 2 * COUNT as usize, "the test needs activations");
    let inputs: [&[&str]; 12] = [
        &["wav/0.wav", "wav/[1-3].wav", "wav/4.wav", "wav/5.wav"],
        &["wav/*.wav"],
        &["flac"],
        &["raw", "--raw", "s16le"],
        &["wav.tar"],
        &["wav.tar.gz"],
        &["flac.tar"],
        &["stored.zip"],
        &["packed.zip"],
        &["--list", "list"],
        &["--manifest", "m.csv", MANIFEST[0], MANIFEST[1]],
        &["--manifest", "m.parquet", MANIFEST[0], MANIFEST[1]],
    ];
    for (input, threads) in inputs.iter().zip(["2", "5", "1"].iter().cycle()) {
        let output = score(&folder, &[*input, &["--activations", "--threads", *threads]].concat());
        assert_eq!(judged(&output), expected, "{input:?}");
    }
    // What a stream is told, whatever its chunks.
    for chunk_ms in ["1", "37", "500"] {
        let mut streamed = Vec::new();
        for k in 0..COUNT {
            let input = format!("flac/{k}.flac");
            let arguments =
                ["listen", "--model", "tiny", "--input", &input, "--chunk-ms", chunk_ms];
            streamed.extend(judged(&run_in(folder.path(), &arguments)));
        }
        let without_length = |mut line: Value| {
            line["audio_s"] = Value::Null;
            line
        };
        let expected: Vec<Value> = expected.iter().cloned().map(without_length).collect();
        assert_eq!(streamed, expected, "chunks of {chunk_ms} ms");
    }
}

#[test]
fn the_projects_recordings_score_alike_in_a_folder_a_shard_and_a_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::cli_support::checkout("data");
    let mut paths: Vec<_> = fs::read_dir(&data).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "flac"));
    paths.sort();
    let names: Vec<&str> = paths.iter().map(|p| p.file_name().unwrap().to_str().unwrap()).collect();
    let members: Vec<_> =
        names.iter().zip(&paths).map(|(name, path)| (*name, fs::read(path).unwrap())).collect();
    fs::write(folder.path().join("s.tar"), tar(&members)).unwrap();
    let rows: Vec<Vec<String>> =
        paths.iter().map(|path| vec![path.to_str().unwrap().to_owned()]).collect();
    parquet(&folder.path().join("m.parquet"), &["path"], &rows);
    let score = |input: &[&str]| judged(&run_in(folder.path(), &[&["score"], input].concat()));
    let expected = score(&[data.to_str().unwrap()]);
    assert!(expected.len() > 20, "{} recordings", expected.len());
    assert_eq!(score(&["s.tar", "--threads", "2"]), expected);
    assert_eq!(score(&["--manifest", "m.parquet", "--threads", "3"]), expected);
}

/// The rows of a CSV file by column, without those of the header.
fn csv_rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

#[test]
fn the_formats_hold_the_same_and_carry_what_the_manifest_says() {
    let folder = folder();
    let base = [
        &["--manifest", "m.jsonl", "none.wav", "--carry", "speaker"][..],
        &["--column", "path=file,id=utt"],
    ]
    .concat();
    let run = |extra: &[&str]| {
        let output =
            run_in(folder.path(), &[&["score", "--model", "tiny"], &base[..], extra].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        output
    };
    let lines = run(&[]);
    let text = String::from_utf8(lines.stdout.clone()).unwrap();
    let objects = json_lines(&lines);
    assert_eq!(objects.len(), 1 + COUNT as usize);
    // Paths come before manifests, and a bare path has no names.
    assert!(objects[0]["error"].is_string() && objects[0]["id"].is_null());
    let second = text.lines().nth(1).unwrap();
    assert!(
        second.starts_with(
            r#"{"path":"wav/0.wav","id":"x/0","label":"l0","group":null,"audio_s":12.0,"#
        ),
        "{second}"
    );
    assert!(
        second.ends_with(r#""model":"tiny-1","schema":1,"error":null,"speaker":"0"}"#),
        "{second}"
    );

    run(&["--output", "out.jsonl"]);
    assert_eq!(fs::read(folder.path().join("out.jsonl")).unwrap(), lines.stdout);
    run(&["--output", "out.csv"]);
    let piped = run(&["--format", "csv"]);
    assert_eq!(fs::read(folder.path().join("out.csv")).unwrap(), piped.stdout);
    let rows = csv_rows(&folder.path().join("out.csv"));
    run(&["--output", "table", "--format", "parquet"]);
    let piped = run(&["--format", "parquet"]);
    assert_eq!(fs::read(folder.path().join("table")).unwrap(), piped.stdout);
    let (names, cells) = read_parquet(&folder.path().join("table"));
    assert_eq!(
        names.join(" "),
        "path id label group audio_s verdict reason p_intended p_wake_word p_addressed wake_word \
         start_s end_s decided_s word_decided_s model schema error warnings speaker"
    );
    assert_eq!((rows.len(), cells.len()), (objects.len(), objects.len()));
    for ((object, row), cells) in objects.iter().zip(&rows).zip(&cells) {
        for (name, cell) in names.iter().zip(cells) {
            let value = object.get(name).unwrap_or(&Value::Null);
            match value {
                Value::Null => {
                    assert_eq!((row[name].as_str(), cell.as_str()), ("", "null"), "{name}")
                }
                Value::String(text) => assert_eq!((&row[name], cell), (text, text), "{name}"),
                Value::Number(number) => {
                    assert_eq!(row[name].parse::<f64>().unwrap(), number.as_f64().unwrap());
                    // Scores have 32 bits, here as there.
                    assert_eq!(
                        cell.parse::<f64>().unwrap() as f32,
                        number.as_f64().unwrap() as f32,
                        "{name}"
                    );
                }
                other => panic!("{name}: {other}"),
            }
        }
    }
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("out.") || name.contains("table"))
        .collect();
    assert_eq!(left.len(), 3, "no journal and nothing half-written: {left:?}");
}

#[test]
fn a_trigger_of_a_row_takes_the_spotters_place_for_that_row() {
    let folder = folder();
    let rows =
        [("wav/1.wav", "1.5"), ("wav/1.wav", ""), ("wav/1.wav", "0.25"), ("wav/1.wav", "99")];
    let text: String = rows.iter().map(|(path, at)| format!("{path},{at}\n")).collect();
    fs::write(folder.path().join("t.csv"), format!("path,at\n{text}")).unwrap();
    let arguments = ["--manifest", "t.csv", "--column", "trigger_s=at"];
    let output = run_in(folder.path(), &[&["score", "--model", "tiny"], &arguments[..]].concat());
    let lines = judged(&output);
    assert_eq!(lines[0], judged(&score(&folder, &["--trigger-at", "1.5", "wav/1.wav"]))[0]);
    assert_eq!(lines[1], judged(&score(&folder, &["wav/1.wav"]))[0]);
    assert_eq!(lines[2], judged(&score(&folder, &["--trigger-at", "0.25", "wav/1.wav"]))[0]);
    assert!(lines[3]["error"].as_str().unwrap().starts_with("the trigger lies behind the audio"));
    // A trigger of the command line is for the rows without one.
    let arguments = [&arguments[..], &["--trigger-at", "0.25"]].concat();
    let output = run_in(folder.path(), &[&["score", "--model", "tiny"], &arguments[..]].concat());
    assert_eq!(judged(&output)[1], lines[2]);
}

#[test]
fn a_manifest_may_come_through_a_pipe() {
    let folder = folder();
    let expected = score(&folder, &[&["--manifest", "m.jsonl"][..], &MANIFEST].concat());
    let file = fs::File::open(folder.path().join("m.jsonl")).unwrap();
    let output = wakegate()
        .current_dir(folder.path())
        .args(["score", "--model", "tiny", "--manifest", "-"])
        .args(MANIFEST)
        .stdin(Stdio::from(file))
        .output()
        .unwrap();
    assert_eq!(output.stdout, expected.stdout);
}

#[test]
fn the_summary_says_what_came_of_it() {
    let folder = folder();
    fs::write(folder.path().join("bad.wav"), "no audio").unwrap();
    let output = run_in(
        folder.path(),
        &["score", "--model", "tiny", "wav", "bad.wav", "none.wav", "--threads", "2", "--timings"],
    );
    let text = stderr(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5, "{text}");
    assert!(lines[0].starts_with("error: cannot decode bad.wav: "), "{text}");
    assert!(lines[1].starts_with("error: no such file or folder: none.wav"), "{text}");
    let lines = &lines[2..];
    let verdicts = json_lines(&output);
    let count = |verdict: &str| verdicts.iter().filter(|l| l["verdict"] == verdict).count();
    let start = format!("6 recordings scored, 0.5 min of audio: {} intended, ", count("intended"));
    assert!(lines[0].starts_with(&start), "{text}");
    assert!(lines[0].contains(&format!("{} accidental", count("accidental"))), "{text}");
    assert!(lines[0].ends_with("; 2 failed (1 audio, 1 io)"), "{text}");
    assert!(lines[1].contains(" s with 2 threads: ") && lines[1].ends_with(" times real time"));
    assert!(lines[2].starts_with("time: decode "), "{text}");
    let shares: f64 =
        lines[2].split(" %").filter_map(|part| part.rsplit(' ').next()?.parse::<f64>().ok()).sum();
    assert!((shares - 100.0).abs() < 1.0, "{shares}: {text}");
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_scored() {
    let folder = folder();
    fs::write(folder.path().join("done.csv"), "as it was").unwrap();
    for (arguments, part) in [
        (&["wav", "--output", "out.doc"][..], "cannot tell the output's format"),
        (&["wav", "--resume"], "--output"),
        (&["wav", "--output", "done.csv", "--resume", "--queue", "q"], "stored twice"),
        (&["--manifest", "m.csv"], "has no column \"path\""),
        (&["--manifest", "m.csv", "--column", "path"], "expected MEANING=NAME"),
        (&["--manifest", "m.jsonl", "--carry", "verdict"], "a column can't be carried"),
        (&["--manifest", "m.csv", "--column", "path=file", "--carry", "age"], "no column \"age\""),
        (&["wav", "--raw", "mp3"], "s16le"),
        (&["wav", "--raw-rate", "8000"], "--raw"),
        (&["raw", "--raw", "u8", "--raw-rate", "7"], "unusable sample rate"),
        (&["wav", "--output", "no/such/folder.csv"], "no/such/folder.csv"),
        (&["wav", "--output", "-", "--format", "csv"], "without --output, stdout is written"),
        (&["done.csv", "--output", "./done.csv"], "--output is refused: expected another file"),
        (&["--manifest", "done.csv", "--output", "done.csv"], "--output is refused"),
        (&["--list", "done.csv", "--output", "wav/../done.csv"], "found done.csv"),
        (&[], "required"),
    ] {
        let output = run_in(folder.path(), &[&["score", "--model", "tiny"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(stderr(&output).contains(part), "{arguments:?}: {}", stderr(&output));
    }
    assert_eq!(fs::read(folder.path().join("done.csv")).unwrap(), b"as it was");
}
