//! `wakegate config`: the complete default, the effective values, and exact refusals.

use std::fs;

use crate::cli_support::{package, run_in, stderr};
use wakegate_cli::config::{Config, DEFAULT};

fn stdout(output: &std::process::Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn print_gives_the_default_and_the_effective_values() {
    let folder = tempfile::tempdir().unwrap();
    let output = run_in(folder.path(), &["config", "print"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), DEFAULT);
    fs::write(folder.path().join("a.toml"), "[audio]\nring_s = 4.5\n").unwrap();
    let output = run_in(folder.path(), &["config", "print", "--config", "a.toml"]);
    let printed = stdout(&output);
    assert_eq!(printed, DEFAULT.replace("ring_s = 2.0", "ring_s = 4.5"));
    assert_eq!(Config::parse(&printed).unwrap().audio.ring_s, 4.5);
}

#[test]
fn check_says_what_differs_from_the_default() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), "[log]\nlevel = \"info\"\n").unwrap();
    let output = run_in(folder.path(), &["config", "check", "a.toml"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(stdout(&output), "a.toml: taken\n  log.level: \"warn\" -> \"info\"\n");
}

#[test]
fn what_is_refused_says_where_and_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    for (text, message) in [
        (
            "[audio]\nring_s = 2.0\ndevise = \"USB\"\n",
            "line 3: unknown key devise: expected enabled, device, rate_hz, channels, channel, \
             ring_s, stall_s, retry_max_s, found devise (hint: did you mean device?)",
        ),
        (
            "\n\n[hook]\n",
            "line 3: unknown key hook: expected audio, wake_word, hooks, mqtt, metrics, runtime, \
             log, decode, wyoming, review, found hook (hint: did you mean hooks?)",
        ),
        (
            "[log]\nlevel = \"loud\"\n",
            "line 2: unknown value loud: expected error, warn, info, debug, found loud \
             (hint: `wakegate config print` shows every key with its unit and range)",
        ),
        (
            "[log]\nlevel = \"warning\"\n",
            "line 2: unknown value warning: expected error, warn, info, debug, found warning \
             (hint: did you mean warn?)",
        ),
        (
            "[audio]\nring_s = \"long\"\n",
            "line 2: expected a number, found the text \"long\" (hint: `wakegate config print` \
             shows every key with its unit and range)",
        ),
        ("[audio]\nring_s = 0.0\n", "audio.ring_s is refused: expected 0.1 to 60, found 0"),
        ("[audio]\nring_s = nan\n", "audio.ring_s is refused: expected 0.1 to 60, found NaN"),
        (
            "[audio]\nchannels = 2\nchannel = 3\n",
            "audio.channel is refused: expected 1 to 2, found 3",
        ),
        ("[audio]\ndevice = \" \"\n", "audio.device is refused: expected a name, found nothing"),
        (
            "wake_word = []\n",
            "there is no wake word: expected at least one [[wake_word]], found none (hint: an \
             empty [[wake_word]] block is the model in the binary)",
        ),
        (
            "[[wake_word]]\nintended_at = 0.5\naccidental_below = 0.6\n",
            "wake_word.accidental_below is refused: expected 0.001 to 0.5, found 0.6",
        ),
        (
            "[[wake_word]]\nintended_at = 0.5\nsensitivity = \"low\"\n",
            "wake_word.sensitivity is refused: expected either sensitivity or intended_at, found both \
             (hint: a sensitivity is the intended_at that the model's card names)",
        ),
        (
            "[metrics]\nlisten = \"0.0.0.0:9464\"\n",
            "metrics.listen is refused: expected a loopback address, such as 127.0.0.1:9464, \
             found 0.0.0.0:9464 (hint: put a proxy with a login in front of it to reach it from \
             elsewhere)",
        ),
        (
            "[mqtt]\nbroker = \"http://broker\"\n",
            "mqtt.broker is refused: expected host or host:port, found \"http://broker\"",
        ),
        (
            "[mqtt]\ntopic = \"a/#\"\n",
            "mqtt.topic is refused: expected 1 to 200 characters without +, # and $, no / at \
             either end, found \"a/#\"",
        ),
        ("[hooks]\nqueue = 0\n", "hooks.queue is refused: expected 1 to 1000, found 0"),
        ("[runtime]\npriority = 100\n", "runtime.priority is refused: expected 0 to 99, found 100"),
    ] {
        fs::write(folder.path().join("a.toml"), text).unwrap();
        let output = run_in(folder.path(), &["config", "check", "a.toml"]);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert_eq!(stderr(&output), format!("error: a.toml: {message}\n"), "{text}");
        assert!(output.stdout.is_empty());
    }
    let missing = run_in(folder.path(), &["config", "check", "b.toml"]);
    assert_eq!(
        stderr(&missing),
        "error: cannot read b.toml: No such file or directory (os error 2) (hint: write one with \
         `wakegate config print > wakegate.toml`)\n"
    );
}

#[test]
fn a_value_of_another_form_is_told_in_plain_words() {
    for (text, message) in [
        ("[mqtt]\ntls = 1\n", "line 2: expected true or false, found 1"),
        ("mqtt = 1\n", "line 1: expected a table, found 1"),
        ("[hooks]\nqueue = -1\n", "line 2: expected a whole number from 0 on, found -1"),
        ("[hooks]\nqueue = 1.5\n", "line 2: expected a whole number from 0 on, found 1.5"),
        (
            "[audio]\nrate_hz = -1\n",
            "line 2: expected a whole number from 0 to 4294967295, found -1",
        ),
        ("[runtime]\npriority = 300\n", "line 2: expected a whole number from 0 to 255, found 300"),
        ("[audio]\ndevice = 7\n", "line 2: expected text in quotes, found 7"),
        ("[audio]\nring_s = true\n", "line 2: expected a number, found true"),
        ("[audio]\nring_s = [1]\n", "line 2: expected a number, found a list"),
        ("[wyoming]\nupstream_names = \"a\"\n", "line 2: expected a table, found the text \"a\""),
        ("[[wake_word]]\nmodel = {}\n", "line 2: expected text in quotes, found a table"),
        ("[metrics]\nlisten = \"here\"\n", "line 2: expected an address with its port"),
        ("[review]\nenabled = \"yes\"\n", "line 2: expected true or false, found the text \"yes\""),
    ] {
        let error = Config::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(message), "{text}: {error}");
        for word in ["invalid", "u8", "u32", "f64", "usize", "struct", "map", "sequence"] {
            assert!(!error.contains(word), "{text}: {error}");
        }
    }
}

#[test]
fn a_list_is_no_table_though_its_values_would_fit() {
    let folder = tempfile::tempdir().unwrap();
    for (text, key) in [
        ("review = [true]\n", "review"),
        ("mqtt = []\n", "mqtt"),
        ("wyoming = [\"127.0.0.1:10400\"]\n", "wyoming"),
        ("wake_word = [[]]\n", "wake_word.1"),
    ] {
        fs::write(folder.path().join("s.toml"), text).unwrap();
        let output = run_in(folder.path(), &["config", "check", "s.toml"]);
        assert_eq!(output.status.code(), Some(2), "{text}: {output:?}");
        let said = stderr(&output);
        let refused = format!("error: s.toml: {key} is refused: expected a table, found a list");
        assert!(said.starts_with(&refused), "{said}");
    }
}

#[test]
fn a_broker_is_a_host_with_or_without_a_port() {
    for (broker, expected) in [
        ("broker", Some(("broker", 1883))),
        ("10.0.0.7:1884", Some(("10.0.0.7", 1884))),
        ("[fd00::1]:1884", Some(("fd00::1", 1884))),
        ("fd00::1", Some(("fd00::1", 1883))),
        ("broker:mqtt", None),
        (":1883", None),
        ("broker:0", None),
    ] {
        let text = format!("[mqtt]\nbroker = \"{broker}\"\n");
        let found = Config::parse(&text).and_then(|config| config.mqtt.address());
        let expected = expected.map(|(host, port)| Some((host.to_owned(), port)));
        assert_eq!(found.ok(), expected, "{broker}");
    }
}

#[test]
fn check_refuses_what_listen_would_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let wyoming = "[wyoming]\nlisten = \"tcp://0.0.0.0:10400\"\n";
    let other = folder.path().join("other");
    package(&folder.path().join("tiny"));
    package(&other);
    for (text, message) in [
        (
            "[hooks]\non_word = \"true \\u0000; false\"\n".to_owned(),
            "hooks.on_word is refused: expected text without a NUL character, found one",
        ),
        (
            "[[wake_word]]\nmodel = \"a\\u0000b\"\n".to_owned(),
            "wake_word.model is refused: expected text without a NUL character, found one",
        ),
        (
            "[[wake_word]]\nmodel = \"gone\"\n".to_owned(),
            "cannot open the model gone: expected a directory with manifest.toml",
        ),
        (
            "[[wake_word]]\nmodel = \"tiny\"\n[[wake_word]]\nmodel = \"other\"\n".to_owned(),
            "two models have one wake word: expected a wake word for each model",
        ),
        (
            format!("{wyoming}upstream_names = {{ \"x\" = \"y\" }}\n"),
            "wyoming.upstream_names.x is refused: expected one of alexa, found \"y\"",
        ),
        (
            "[mqtt]\nbroker = \"b\"\ntls = true\nca_file = \"gone.pem\"\n".to_owned(),
            "cannot read gone.pem",
        ),
        (
            "[mqtt]\nbroker = \"b\"\nusername = \"u\"\npassword_file = \"gone\"\n".to_owned(),
            "cannot read gone: expected a file, by mqtt.password_file, found no such file",
        ),
        (
            format!("{wyoming}upstream = \"tcp://127.0.0.1:10400\"\n"),
            "wyoming.upstream is refused: expected another service than this one",
        ),
        (
            "[[wake_word]]\n[[wake_word]]\n".to_owned(),
            "wake_word[2].model is refused: expected a model of its own for each [[wake_word]], \
             found the model in the binary twice",
        ),
        ("[wake_word]\nintended_at = 0.9\n".to_owned(), "hint: write [[wake_word]]"),
        ("#".repeat(2 << 20), "expected settings of at most 1024 KiB, found more"),
    ] {
        fs::write(folder.path().join("a.toml"), &text).unwrap();
        for command in [&["config", "check", "a.toml"][..], &["listen", "--config", "a.toml"]] {
            let output = run_in(folder.path(), command);
            assert_eq!(output.status.code(), Some(2), "{command:?} {message}");
            assert!(stderr(&output).contains(message), "{command:?}: {}", stderr(&output));
        }
    }
    let output = run_in(folder.path(), &["config", "check", "/dev/zero"]);
    assert_eq!(output.status.code(), Some(2));
}
