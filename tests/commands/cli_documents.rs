//! What a package brings beside the program, and what every command shares.

use std::fs;

use crate::cli_support::{checkout, package, run_in, speech_like, stderr, write_wav};

#[test]
fn every_command_has_a_page_and_examples() {
    let folder = tempfile::tempdir().unwrap();
    let made = run_in(folder.path(), &["manual", "man"]);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let pages: Vec<String> = fs::read_dir(folder.path().join("man"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let help = String::from_utf8(run_in(folder.path(), &["--help"]).stdout).unwrap();
    let (_, listed) = help.split_once("Commands:\n").unwrap();
    let commands = listed.lines().take_while(|line| !line.is_empty());
    let commands: Vec<&str> =
        commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    assert!(commands.contains(&"score") && commands.len() > 12, "{help}");
    for command in commands.into_iter().filter(|name| !["", "help"].contains(name)) {
        assert!(pages.contains(&format!("wakegate-{command}.1")), "{command}: {pages:?}");
        let help = run_in(folder.path(), &[command, "--help"]);
        let help = String::from_utf8(help.stdout).unwrap();
        assert!(
            help.contains(&format!("Examples:\n  wakegate {command}"))
                || help.contains("| wakegate"),
            "{help}"
        );
    }
    assert!(
        pages.contains(&"wakegate.1".to_owned())
            && pages.contains(&"wakegate-review-label.1".to_owned())
    );
    let page = fs::read_to_string(folder.path().join("man/wakegate-score.1")).unwrap();
    assert!(page.starts_with(".ie") || page.contains(".TH"), "{page}");
}

#[test]
fn every_command_that_goes_by_settings_reads_them_alike() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), "\n[[wake_word]]\nintended_ad = 0.5\n").unwrap();
    fs::write(folder.path().join("labels.csv"), "p_intended,label\n0.9,intended\n").unwrap();
    fs::write(folder.path().join("l.tsv"), "path\tstart_s\tend_s\tlabel\na.wav\t0\t1\talexa\n")
        .unwrap();
    let line = r#"{"path":"a.wav","audio_s":2.0,"verdict":"intended","reason":"intended","p_intended":0.9,"wake_word":"alexa","end_s":1.0,"schema":1,"error":null}"#;
    fs::write(folder.path().join("s.jsonl"), line).unwrap();
    write_wav(&folder.path().join("a.wav"), &speech_like(1.6, 0));
    for command in [
        "score a.wav",
        "listen --input a.wav",
        "config check",
        "config print",
        "demo",
        "model show",
        "model check",
        "features a.wav --output a.npz",
        "review status",
        "review serve",
        "calibrate --labels labels.csv",
        "eval --scores s.jsonl --labels l.tsv --phases 2",
        "bench --seconds 0.1",
    ] {
        let arguments: Vec<&str> = command.split(' ').chain(["--config", "a.toml"]).collect();
        let refused = run_in(folder.path(), &arguments);
        assert_eq!(refused.status.code(), Some(2), "{command}: {refused:?}");
        let said = stderr(&refused);
        assert!(said.contains("a.toml: line 3: unknown key intended_ad"), "{command}: {said}");
        assert!(said.contains("did you mean intended_at?"), "{command}: {said}");
    }
}

#[test]
fn the_wake_word_of_the_settings_is_taken_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    package(&folder.path().join("tiny"));
    fs::write(folder.path().join("a.toml"), "[[wake_word]]\nmodel = \"tiny\"\n").unwrap();
    for (arguments, code) in [
        (vec!["model", "show", "--config", "a.toml"], 0),
        (vec!["model", "check", "--config", "a.toml"], 0),
        (vec!["config", "check", "--config", "a.toml"], 0),
        (vec!["model", "show", "tiny", "--config", "a.toml"], 2),
        (vec!["config", "check"], 2),
    ] {
        let told = run_in(folder.path(), &arguments);
        assert_eq!(told.status.code(), Some(code), "{arguments:?}: {told:?}");
        if code == 0 {
            assert!(String::from_utf8_lossy(&told.stdout).contains("tiny"), "{told:?}");
        }
    }
    // Each word's package.
    let both = "[[wake_word]]\n[[wake_word]]\nmodel = \"tiny\"\n";
    fs::write(folder.path().join("a.toml"), both).unwrap();
    let told = run_in(folder.path(), &["model", "check", "--config", "a.toml"]);
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert_eq!(text.matches("package: ").count(), 2, "{text}");
}

#[test]
fn headerless_recordings_are_named_alike() {
    let folder = tempfile::tempdir().unwrap();
    package(&folder.path().join("tiny"));
    let samples: Vec<u8> = speech_like(4.0, 0)
        .iter()
        .flat_map(|sample| ((sample * 32767.0) as i16).to_be_bytes())
        .collect();
    fs::write(folder.path().join("a.raw"), samples).unwrap();
    let raw = ["--model", "tiny", "--raw", "s16be", "--raw-rate", "16000", "--raw-channels", "1"];
    let run = |first: &[&str]| run_in(folder.path(), &[first, &raw].concat());
    let scored = run(&["score", "a.raw", "--activations"]);
    let listened = run(&["listen", "--input", "a.raw"]);
    for told in [&scored, &listened] {
        assert_eq!(told.status.code(), Some(0), "{told:?}");
    }
    let moments = |output: &std::process::Output| -> Vec<(String, String)> {
        let lines = crate::cli_support::json_lines(output);
        lines.iter().map(|line| (line["end_s"].to_string(), line["verdict"].to_string())).collect()
    };
    assert!(!moments(&scored).is_empty());
    assert_eq!(moments(&scored), moments(&listened));
    for arguments in [&["listen", "--input", "-"][..], &["listen"]] {
        let refused = run(arguments);
        assert_eq!(refused.status.code(), Some(2));
        assert!(stderr(&refused).contains("--raw is refused: expected a headerless file"));
    }
}

#[test]
fn completions_know_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let made = run_in(folder.path(), &["completions", shell]);
        assert_eq!(made.status.code(), Some(0), "{made:?}");
        let text = String::from_utf8(made.stdout).unwrap();
        assert!(text.contains("calibrate") && text.contains("wakegate"), "{shell}");
    }
    assert_eq!(run_in(folder.path(), &["completions", "tcl"]).status.code(), Some(2));
}

#[test]
fn the_version_says_which_program_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for option in ["--version", "-V"] {
        let told = run_in(folder.path(), &[option]);
        assert_eq!(told.status.code(), Some(0), "{told:?}");
        let text = String::from_utf8(told.stdout).unwrap();
        assert!(text.starts_with(&format!("wakegate {}\n", env!("CARGO_PKG_VERSION"))), "{text}");
        let features = "\nfeatures  capture corpora documents page tls\n";
        for line in ["\ncommit  ", "\ntarget  ", features, "\nmodel     alexa-"] {
            assert!(text.contains(line), "{line:?} is not in\n{text}");
        }
    }
}

#[test]
fn quiet_leaves_data_and_errors_alone() {
    let folder = tempfile::tempdir().unwrap();
    package(&folder.path().join("tiny"));
    write_wav(&folder.path().join("a.wav"), &speech_like(1.6, 0));
    let told = run_in(folder.path(), &["score", "--model", "tiny", "a.wav"]);
    assert!(stderr(&told).contains("1 recording scored"), "{told:?}");
    for arguments in [["-q", "score", "--model"], ["score", "--quiet", "--model"]] {
        let quiet = run_in(folder.path(), &[&arguments[..], &["tiny", "a.wav"]].concat());
        assert_eq!(quiet.stdout, told.stdout);
        assert!(quiet.stderr.is_empty(), "{quiet:?}");
    }
    let failed = run_in(folder.path(), &["-q", "score", "--model", "missing", "a.wav"]);
    assert!(stderr(&failed).starts_with("error: cannot open the model missing"), "{failed:?}");
}

#[test]
fn frames_are_refused_under_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let refused = run_in(folder.path(), &["features", "a.wav", "--output", "a.csv"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("expected a name that ends in .npz, found a.csv"),
        "{refused:?}"
    );
}

#[test]
fn the_labels_of_the_demo_are_those_of_its_words() {
    let read = |name: &str| fs::read_to_string(checkout("data").join(name)).unwrap();
    let (labels, words, manifest) = (read("labels.tsv"), read("words.tsv"), read("manifest.tsv"));
    assert_eq!(labels.lines().count(), manifest.lines().count());
    for (label, entry) in labels.lines().zip(manifest.lines()).skip(1) {
        let label: Vec<&str> = label.split('\t').collect();
        let entry: Vec<&str> = entry.split('\t').collect();
        assert_eq!(label[0], format!("data/{}", entry[0]));
        assert_eq!(label[5], entry[2]);
        let word = words.lines().find(|line| line.starts_with(entry[0]));
        if entry[2] == "address" {
            assert_eq!(format!("{}\t{}\t{}", entry[0], label[1], label[2]), word.unwrap());
        } else {
            assert_eq!((label[1], label[3]), ("", ""), "{}", entry[0]);
        }
    }
}
