//! `wakegate mix`: the ratio is the one that was asked for, and the labels are exact.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cli_support::{RATE, json_lines, package, run_in, stderr, write_wav};
use wakegate::audio::read_all;
use wakegate_lab::decode::FileSource;
use wakegate_lab::eval::mix::Snr;

/// Noise that is the same for the same seed, in -level to level.
fn noise(seconds: f64, seed: u32, level: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..(seconds * RATE as f64) as usize)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            level * ((state >> 8) as f32 / 8_388_608.0 - 1.0)
        })
        .collect()
}

/// Three clips of half a second in the middle of one, a minute of background, a room.
fn material(folder: &Path) {
    for directory in ["clips", "noise", "rooms"] {
        fs::create_dir(folder.join(directory)).unwrap();
    }
    for n in 0..3 {
        let mut clip = vec![0.0; RATE];
        let loud = noise(0.6, n + 1, 0.3);
        for (index, sample) in clip[4_000..13_600].iter_mut().enumerate() {
            // Half of it is quieter, so that the two ratios differ; then a breath, 30 dB below.
            *sample = loud[index]
                * match index {
                    0..4_000 => 1.0,
                    4_000..8_000 => 0.25,
                    _ => 0.03,
                };
        }
        write_wav(&folder.join(format!("clips/{n}.wav")), &clip);
    }
    write_wav(&folder.join("noise/hiss.wav"), &noise(60.0, 9, 0.05));
    let mut room = vec![0.0; 4_000];
    (room[100], room[2_100]) = (0.8, 0.4);
    write_wav(&folder.join("rooms/hall.wav"), &room);
}

fn mix(folder: &Path, extra: &[&str]) -> std::process::Output {
    let arguments = ["mix", "--background", "noise", "--gap-s", "1"];
    run_in(folder, &[&arguments[..], extra].concat())
}

fn mixed(folder: &Path, extra: &str) {
    let output = mix(folder, &extra.split(' ').collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
}

fn labels(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t').map(str::to_owned));
    let head: Vec<String> = lines.next().unwrap().collect();
    lines.map(|cells| head.iter().cloned().zip(cells).collect()).collect()
}

fn samples(path: PathBuf) -> Vec<f32> {
    read_all(&mut FileSource::open(path).unwrap()).unwrap()
}

/// A label, the word without the background, and the background alone.
type Word = (BTreeMap<String, String>, Vec<f32>, Vec<f32>);

/// What is under each label in `out`.
fn words(folder: &Path, out: &str) -> Vec<Word> {
    let background = samples(folder.join("noise/hiss.wav"));
    let rows = labels(&folder.join(out).join("labels.tsv"));
    rows.into_iter()
        .map(|row| {
            let stream = samples(folder.join(out).join(&row["path"]));
            let at =
                |name: &str| (row[name].parse::<f64>().unwrap() * RATE as f64).round() as usize;
            let noise = background[at("start_s")..at("end_s")].to_vec();
            let word = stream[at("start_s")..at("end_s")].iter().zip(&noise).map(|(s, n)| s - n);
            (row.clone(), word.collect(), noise)
        })
        .collect()
}

#[test]
fn the_ratio_under_every_label_is_the_one_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    material(folder.path());
    let mut gains = Vec::new();
    for (snr, name) in [(Snr::PeakFrame, "peak-frame"), (Snr::MeanPower, "mean-power")] {
        mixed(
            folder.path(),
            &format!(
                "--keywords clips --word alexa --snr {name} --snr-db 10 -5 --format f32 --output \
             {name}"
            ),
        );
        let found = words(folder.path(), name);
        assert_eq!(found.len(), 6, "three clips at two ratios");
        for (row, word, noise) in &found {
            let wanted: f64 = row["snr_db"].parse().unwrap();
            let ratio = 10.0 * (snr.level(word) / snr.level(noise)).log10();
            assert!((ratio - wanted).abs() < 0.01, "{ratio} dB, not {wanted}");
            assert_eq!((row["snr"].as_str(), row["label"].as_str()), (snr.as_str(), "alexa"));
            assert_eq!(
                (row["background"].as_str(), row["gain_db"].as_str()),
                ("noise/hiss.wav", "0.00")
            );
            // Neither the silent edges nor the breath are of the word: 0.5 s are left.
            assert_eq!(word.len(), 8_000);
            gains.push(Snr::MeanPower.level(word));
            let level: f64 = row["level_db"].parse().unwrap();
            assert!((level - 10.0 * Snr::MeanPower.level(word).log10()).abs() < 0.06, "{level}");
        }
    }
    assert!(gains[6] > 1.2 * gains[0], "the two ratios are not the same mixture");
}

#[test]
fn the_word_is_exactly_where_its_label_says() {
    let folder = tempfile::tempdir().unwrap();
    material(folder.path());
    mixed(
        folder.path(),
        "--keywords clips --word alexa --snr-db 20 --rir rooms --format f32 --output out",
    );
    for (row, word, _) in words(folder.path(), "out") {
        let clip = &samples(folder.path().join(&row["source"]))[4_000..12_000];
        // Up to the first echo the word is the clip, times one factor.
        let dot =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let (found, clip) = (&word[..2_000], &clip[..2_000]);
        let alike = dot(found, clip) / (dot(found, found) * dot(clip, clip)).sqrt();
        assert!(alike > 0.9999, "{alike}");
        assert_eq!(row["rir"], "rooms/hall.wav");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    material(folder.path());
    let made = |out: &str, seed: &str| {
        mixed(
            folder.path(),
            &format!(
                "--keywords clips --word alexa --snr-db 5 --stream-s 2.5 --seed {seed} --output \
             {out}"
            ),
        );
        let mut files: Vec<PathBuf> = fs::read_dir(folder.path().join(out))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert_eq!(files.len(), 4, "a stream each and the labels");
        files.iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>()
    };
    let first = made("first", "1");
    assert_eq!(made("again", "1"), first);
    assert_ne!(made("other", "2"), first);
}

#[test]
fn labels_of_clips_are_carried_into_the_mixture() {
    let folder = tempfile::tempdir().unwrap();
    material(folder.path());
    fs::write(
        folder.path().join("clips/words.csv"),
        "path,start_s,end_s,label,speaker,age\n0.wav,0.3,0.45,alexa,ann,30\n1.wav,,,,bob,40\n",
    )
    .unwrap();
    mixed(folder.path(), "--keyword-labels clips/words.csv --snr-db 10 --output out");
    let mut rows = labels(&folder.path().join("out/labels.tsv"));
    rows.sort_by_key(|row| row["speaker"].clone());
    let shown: Vec<_> =
        rows.iter().map(|row| (row["label"].as_str(), row["age"].as_str())).collect();
    assert_eq!(shown, [("alexa", "30"), ("", "40")]);
    let length = |row: &BTreeMap<String, String>| {
        row["end_s"].parse::<f64>().unwrap() - row["start_s"].parse::<f64>().unwrap()
    };
    assert!((length(&rows[0]) - 0.15).abs() < 1e-9 && (length(&rows[1]) - 0.5).abs() < 1e-9);
}

/// From clips to figures by the commands of the README.
#[test]
fn a_mixture_is_scored_and_evaluated_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    material(folder.path());
    package(&folder.path().join("tiny"));
    mixed(folder.path(), "--keywords clips --word tiny --snr-db 10 0 --output out");
    let scored = run_in(folder.path(), &["score", "out", "--activations", "--model", "tiny"]);
    assert_eq!(scored.status.code(), Some(0), "{}", stderr(&scored));
    fs::write(folder.path().join("scores.jsonl"), &scored.stdout).unwrap();
    let output = run_in(
        folder.path(),
        &[
            "eval",
            "--scores",
            "scores.jsonl",
            "--labels",
            "out/labels.tsv",
            "--by",
            "snr_db",
            "--json",
        ],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let found = &json_lines(&output)[0];
    assert_eq!(found["system"]["frr"]["n"], 6);
    let ratios = found["system"]["groups"]["snr_db"].as_array().unwrap();
    assert_eq!(ratios.iter().map(|r| r["name"].as_str().unwrap()).collect::<Vec<_>>(), ["0", "10"]);
    assert!(ratios.iter().all(|ratio| ratio["frr"]["n"] == 3));
}

#[test]
fn what_can_not_be_mixed_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    material(folder.path());
    let refusal = |extra: &[&str]| {
        let output = mix(folder.path(), &[&["--output", "out"], extra].concat());
        assert_eq!(output.status.code(), Some(2), "{extra:?}");
        let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(
            left.into_iter().all(|name| !name.to_string_lossy().contains("out")),
            "a part is left"
        );
        stderr(&output)
    };
    let clips = ["--keywords", "clips", "--word", "alexa"];
    let with = |extra: &[&'static str]| refusal(&[&clips[..], extra].concat());
    assert!(with(&["--snr-db", "NaN"]).contains("--snr-db is refused"));
    for twice in [["5", "5"], ["5", "5.0"], ["0", "-0"]] {
        let said = with(&["--snr-db", twice[0], twice[1]]);
        assert!(said.contains("expected each ratio once"), "{said}");
    }
    let labelled = ["--keyword-labels", "labels.tsv", "--snr-db", "5"];
    fs::write(
        folder.path().join("labels.tsv"),
        "path\tstart_s\tend_s\tlabel\nclips/0.wav\t0.3\t0.8\tx\n",
    )
    .unwrap();
    let said = refusal(&[&labelled[..], &["--word-db", "20"]].concat());
    assert!(said.contains("found the times of every word"), "{said}");
    let said = refusal(&[&labelled[..], &["--word", "alexa"]].concat());
    assert!(said.contains("cannot be used with '--word"), "{said}");
    assert!(with(&["--snr-db", "5", "--trim-db", "0"]).contains("--trim-db is refused"));
    assert!(with(&["--snr-db", "5", "--rir", "gone"]).contains("gone"));
    assert!(refusal(&["--keywords", "clips", "--snr-db", "5"]).contains("--word"));
    write_wav(&folder.path().join("clips/silent.wav"), &[0.0; 8_000]);
    let said = with(&["--snr-db", "5"]);
    assert!(said.contains("silent.wav") && said.contains("digital silence"), "{said}");
    fs::remove_file(folder.path().join("clips/silent.wav")).unwrap();
    write_wav(&folder.path().join("noise/hiss.wav"), &vec![0.0; 20 * RATE]);
    let said = with(&["--snr-db", "5"]);
    assert!(said.contains("the background is silent"), "{said}");
    fs::create_dir(folder.path().join("there")).unwrap();
    let output =
        mix(folder.path(), &[&clips[..], &["--snr-db", "5", "--output", "there"]].concat());
    assert!(stderr(&output).contains("name a folder that is not there yet"));
}
