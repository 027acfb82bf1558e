//! `wakegate eval` on every form that `wakegate score` writes, and on files that are not whole.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Output;

use crate::cli_support::{json_lines, package, run_in, speech_like, stderr, write_wav};
use serde_json::Value;

const FORMS: [&str; 4] = ["jsonl", "csv", "tsv", "parquet"];

/// Three recordings with labels of two speakers, and their scores in every form: a record a
/// recording in `clips.*`, a record an activation in `stream.*`.
fn scored() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    package(&path.join("tiny"));
    for (name, seconds, seed) in [("a", 9.0, 0), ("b,\"q\"", 6.0, 1), ("c", 4.0, 2)] {
        write_wav(&path.join(format!("{name}.wav")), &speech_like(seconds, seed));
    }
    fs::write(path.join("empty.wav"), "").unwrap();
    for form in FORMS {
        for (extra, name) in [(&[][..], "clips"), (&["--activations"], "stream")] {
            let file = format!("{name}.{form}");
            let inputs = ["a.wav", "b,\"q\".wav", "c.wav", "empty.wav"];
            let score = ["score", "--model", "tiny", "--output", &file];
            let output = run_in(path, &[&score[..], extra, &inputs].concat());
            assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        }
    }
    // One word is where the tiny model hears it best, the other where it hears nothing.
    let lines = fs::read_to_string(path.join("clips.jsonl")).unwrap();
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let [start, end] = ["start_s", "end_s"].map(|key| first[key].as_f64().unwrap());
    let labels = format!(
        "path,start_s,end_s,label,speaker,audio_s,room\n\
         a.wav,{start},{end},tiny,ann,9,hall\n\
         a.wav,0.1,0.2,tiny,bob,9,hall\n\
         \"b,\"\"q\"\".wav\",,,,,6,\"a, b\"\n\
         c.wav,,,,bob,4,hall\n\
         empty.wav,,,,,1,hall\n"
    );
    fs::write(path.join("labels.csv"), labels).unwrap();
    folder
}

fn eval(folder: &Path, extra: &[&str]) -> Output {
    let arguments = ["eval", "--labels", "labels.csv", "--word", "tiny"];
    run_in(folder, &[&arguments[..], extra].concat())
}

#[test]
fn a_score_or_a_label_with_a_key_twice_is_refused_with_its_line() {
    let folder = scored();
    let path = folder.path();
    let lines = fs::read_to_string(path.join("clips.jsonl")).unwrap();
    let twice = lines.replacen("{\"path\":\"c.wav\"", "{\"path\":\"a.wav\",\"path\":\"c.wav\"", 1);
    assert_ne!(twice, lines);
    fs::write(path.join("twice.jsonl"), twice).unwrap();
    let output = eval(path, &["--scores", "twice.jsonl"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = stderr(&output);
    assert!(said.contains("line 3") && said.contains("found \"path\" twice"), "{said}");
}

/// The page of the scores in `file`, without their name, size and hash.
fn page(folder: &Path, file: &str) -> (String, Value) {
    let output = eval(folder, &["--scores", file, "--report", "out", "--by", "room", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let bytes = fs::metadata(folder.join(file)).unwrap().len();
    let page = fs::read_to_string(folder.join("out/index.html")).unwrap();
    let mut answer = json_lines(&output).remove(0);
    let sha256 = answer["inputs"][0]["sha256"].as_str().unwrap().to_owned();
    let page = page
        .replace(&sha256, "HASH")
        .replace(&format!("{file}, {bytes} bytes"), "FILE")
        .replace(file, "FILE");
    answer["inputs"] = Value::Null;
    answer["command"] = Value::Null;
    (page, answer)
}

#[test]
fn every_form_of_the_same_scores_gives_the_same_report() {
    let folder = scored();
    for name in ["clips", "stream"] {
        let (first, answer) = page(folder.path(), &format!("{name}.jsonl"));
        assert!(answer["system"]["triggers"][0].as_u64() > Some(0), "{answer}");
        assert_eq!(answer["failed"][0]["recording"], "empty.wav");
        for form in &FORMS[1..] {
            let (again, same) = page(folder.path(), &format!("{name}.{form}"));
            assert_eq!(same, answer, "{name}.{form}");
            assert_eq!(again, first, "{name}.{form}");
        }
    }
    // What a file is called says nothing of its form.
    fs::copy(folder.path().join("stream.parquet"), folder.path().join("stream.dat")).unwrap();
    assert_eq!(page(folder.path(), "stream.dat"), page(folder.path(), "stream.jsonl"));
}

#[test]
fn labels_come_as_parquet_too() {
    use wakegate_lab::table::{Column, Field, Kind, ParquetWriter, Values};

    let folder = scored();
    let at = |name: &str| folder.path().join(name);
    let from_csv = eval(folder.path(), &["--scores", "stream.csv", "--json", "--by", "room"]);
    let text = |values: &[&str]| {
        Values::Text(values.iter().map(|v| (!v.is_empty()).then(|| v.to_string())).collect())
    };
    let table = fs::read_to_string(at("labels.csv")).unwrap();
    // The names with commas are in rows without times.
    let numbers = |place: usize| {
        let rows = table.lines().skip(1);
        let cells = rows.map(|row| row.split(',').nth(place).and_then(|cell| cell.parse().ok()));
        Values::Float(cells.collect())
    };
    let columns = [
        Column::new("path", text(&["a.wav", "a.wav", "b,\"q\".wav", "c.wav", "empty.wav"])),
        Column::new("start_s", numbers(1)),
        Column::new("end_s", numbers(2)),
        Column::new("label", text(&["tiny", "tiny", "", "", ""])),
        Column::new("speaker", text(&["ann", "bob", "", "bob", ""])),
        Column::new("audio_s", Values::Int([9, 9, 6, 4, 1].map(Some).to_vec())),
        Column::new("room", text(&["hall", "hall", "a, b", "hall", "hall"])),
    ];
    let schema: Vec<Field> = columns.iter().map(Column::field).collect();
    assert_eq!(schema[1].kind, Kind::Float);
    let mut writer = ParquetWriter::new(Vec::new(), &schema, &[]).unwrap();
    writer.write_rows(&columns).unwrap();
    fs::write(at("labels.csv"), writer.finish().unwrap()).unwrap();
    let from_parquet = eval(folder.path(), &["--scores", "stream.csv", "--json", "--by", "room"]);
    let figures = |output: &Output| json_lines(output).remove(0)["system"].clone();
    assert_eq!(figures(&from_parquet), figures(&from_csv));
}

#[test]
fn labels_from_audacity_are_of_the_recording_of_their_name() {
    let folder = scored();
    let path = folder.path();
    fs::create_dir_all(path.join("labels")).unwrap();
    fs::write(path.join("labels/a.txt"), "1.7\t2.2\ttiny\n5.1\t5.6\tTiny\n7.0\t7.4\tmusic\n")
        .unwrap();
    fs::write(path.join("labels/b,\"q\".txt"), "").unwrap();
    fs::write(path.join("labels/c.txt"), "").unwrap();
    let mut scores: Vec<String> = fs::read_to_string(path.join("clips.jsonl"))
        .unwrap()
        .lines()
        .filter(|line| !line.contains("empty.wav"))
        .map(str::to_owned)
        .collect();
    let evaluate = |scores: &[String]| {
        fs::write(path.join("some.jsonl"), scores.join("\n")).unwrap();
        let files = ["labels/a.txt", "labels/b,\"q\".txt", "labels/c.txt"];
        let labels = files.map(|file| ["--labels", file]).concat();
        run_in(path, &[&["eval", "--scores", "some.jsonl", "--json"][..], &labels].concat())
    };
    let output = evaluate(&scores);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let found = json_lines(&output).remove(0);
    assert_eq!(found["system"]["frr"]["n"], 2);
    // The music and the two recordings in which nothing is said.
    assert_eq!(found["system"]["negatives_accepted"]["n"], 3);
    let notes = found["notes"].as_array().unwrap();
    let last = notes.last().unwrap().as_str().unwrap();
    assert_eq!(last, "labels of other words are negatives: music 1", "{notes:?}");
    // Another recording of that name, elsewhere: whose are they?
    scores.push(scores[0].replace("\"a.wav\"", "\"x/a.flac\""));
    let output = evaluate(&scores);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("labels could be of several recordings"), "{output:?}");
    assert!(stderr(&output).contains("found a.wav, x/a.flac"), "{output:?}");
}

#[test]
fn what_is_not_known_is_said_before_what_is_known_badly() {
    let folder = scored();
    let path = folder.path();
    let scores = fs::read_to_string(path.join("clips.jsonl")).unwrap();
    fs::write(path.join("one.jsonl"), scores.lines().next().unwrap()).unwrap();
    fs::write(path.join("one.tsv"), "path\tstart_s\tend_s\tlabel\na.wav\t0.1\t0.2\ttiny\n")
        .unwrap();
    let output = run_in(path, &["eval", "--scores", "one.jsonl", "--labels", "one.tsv", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let found = json_lines(&output).remove(0);
    let notes = found["notes"].as_array().unwrap();
    let place = |part: &str| {
        let at = notes.iter().position(|note| note.as_str().unwrap().contains(part));
        at.unwrap_or_else(|| panic!("{part}: {notes:?}"))
    };
    assert!(place("no label is a negative") < place("targets are few"), "{notes:?}");
}

/// What is said of the scores in `file`, which are refused.
fn refusal(folder: &Path, file: &str) -> String {
    let output = eval(folder, &["--scores", file]);
    assert_eq!(output.status.code(), Some(2), "{file}: {output:?}");
    assert!(output.stdout.is_empty());
    stderr(&output)
}

#[test]
fn a_file_that_is_cut_off_is_refused_and_said_to_be() {
    let folder = scored();
    for form in FORMS {
        let whole = fs::read(folder.path().join(format!("clips.{form}"))).unwrap();
        let file = format!("cut.{form}");
        for missing in [1, 2, 9, 60] {
            // Without its last line's end a JSON line is whole.
            if form == "jsonl" && missing == 1 {
                continue;
            }
            fs::write(folder.path().join(&file), &whole[..whole.len() - missing]).unwrap();
            let said = refusal(folder.path(), &file);
            assert!(said.contains(&format!("{file}: ")), "{said}");
            assert!(said.contains("the scores are cut off"), "{form} less {missing}: {said}");
            assert!(said.contains("--resume"), "{said}");
        }
    }
}

#[test]
fn scores_of_another_schema_are_refused_in_every_form() {
    let folder = scored();
    let at = |name: &str| folder.path().join(name);
    for (form, from, to) in [
        ("jsonl", "\"schema\":1", "\"schema\":2"),
        ("csv", ",tiny-1,1,", ",tiny-1,2,"),
        ("tsv", "\ttiny-1\t1\t", "\ttiny-1\t2\t"),
    ] {
        let text = fs::read_to_string(at(&format!("clips.{form}"))).unwrap();
        assert!(text.contains(from), "{form}");
        fs::write(at("other"), text.replace(from, to)).unwrap();
        let said = refusal(folder.path(), "other");
        let expected =
            "expected schema 1, as this version of wakegate writes and reads, found schema 2";
        assert!(said.contains(expected), "{said}");
        assert!(said.contains("line 2") || said.contains("line 1"), "{said}");
    }
    // In Parquet the file says it, before any row.
    let mut bytes = fs::read(at("clips.parquet")).unwrap();
    let key = b"wakegate.schema_version";
    let places: Vec<usize> =
        (0..bytes.len() - key.len()).filter(|&n| bytes[n..].starts_with(key)).collect();
    for place in &places {
        let digit = place + key.len() + 2;
        assert_eq!(bytes[digit], b'1', "the value lies behind its key and its length");
        bytes[digit] = b'9';
    }
    assert!(!places.is_empty());
    fs::write(at("other"), bytes).unwrap();
    let said = refusal(folder.path(), "other");
    assert!(said.contains("found schema 9"), "{said}");
}

#[test]
fn a_run_that_has_not_finished_is_told_from_one_that_has() {
    let folder = scored();
    let at = |name: &str| folder.path().join(name);
    // A run that was killed: its journal is there, its output is not.
    let lines = fs::read_to_string(at("clips.jsonl")).unwrap();
    let first = lines.lines().next().unwrap();
    fs::write(at("killed.csv.journal"), format!("{{\"journal\":1}}\n{first}\n")).unwrap();
    let said = refusal(folder.path(), "killed.csv");
    assert!(said.contains("found killed.csv.journal of one that has not"), "{said}");
    assert!(said.contains("the same command with --resume finishes it"), "{said}");
    // The journal itself is no scores.
    let said = refusal(folder.path(), "killed.csv.journal");
    assert!(said.contains("the journal of a run that has not finished"), "{said}");
    // Beside an output it is a later run's, and the output is older.
    fs::copy(at("clips.csv"), at("killed.csv")).unwrap();
    let output = eval(folder.path(), &["--scores", "killed.csv"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let note = "note: a run that is to write killed.csv has not finished: these are the scores of the run before it";
    assert!(text.contains(note), "{text}");
    // Started again and appended, every recording is there twice.
    let mut file = OpenOptions::new().append(true).open(at("clips.jsonl")).unwrap();
    writeln!(file, "{first}").unwrap();
    let said = refusal(folder.path(), "clips.jsonl");
    assert!(said.contains("found a.wav again") && said.contains("--resume"), "{said}");
    // And a table of something else.
    let said = refusal(folder.path(), "labels.csv");
    assert!(said.contains("expected the columns path, p_intended, end_s"), "{said}");
}
