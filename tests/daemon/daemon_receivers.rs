//! What receivers get: the same event on standard output, in hooks and at the service manager.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;

use crate::cli_support::{RATE, speech_like};
use crate::daemon_support::live::{Live, config, folder};
use crate::daemon_support::{PATIENCE, offline, tiny};
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn lines_have_the_documented_keys_and_the_stream_s_times() {
    let samples = speech_like(12.0, 3);
    let expected = offline(&tiny("verifier", 0.001), &samples);
    let folder = folder("");
    let mut live = Live::start(folder.path());
    live.feed(&samples);
    drop(live.stdin.take());
    assert_eq!(live.end().code(), Some(0));
    let lines: Vec<String> = live.lines.iter().collect();
    assert_eq!(lines.len(), expected.len());
    let start = "{\"activation\":1,\"source\":\"stdin\",\"verdict\":\"intended\",\
                 \"reason\":\"intended\",\"p_intended\":";
    assert!(lines[0].starts_with(start), "{}", lines[0]);
    for (line, activation) in lines.iter().zip(&expected) {
        let line: Value = serde_json::from_str(line).unwrap();
        let keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        let documented = [
            "activation",
            "at",
            "decided_s",
            "end_s",
            "model",
            "p_addressed",
            "p_intended",
            "p_wake_word",
            "reason",
            "schema",
            "source",
            "start_s",
            "verdict",
            "wake_word",
            "word_decided_s",
        ];
        assert_eq!(keys, documented);
        assert_eq!(line["end_s"], activation.end_sample as f64 / RATE as f64);
        assert_eq!((&line["wake_word"], &line["model"]), (&"tiny".into(), &"tiny-1".into()));
    }
}

#[test]
fn a_hook_gets_the_event_on_its_stdin_and_in_its_environment() {
    let write = "cat > $WAKEGATE_VERDICT-$WAKEGATE_ACTIVATION.json; \
                 env | grep ^WAKEGATE_ > $WAKEGATE_VERDICT-$WAKEGATE_ACTIVATION.env; echo said";
    let hooks = format!("[hooks]\non_intended = '{write}'\non_accidental = '{write}'\n");
    let samples = speech_like(12.0, 3);
    for (threshold, verdict) in [("0.001", "intended"), ("1.0", "accidental")] {
        let folder = folder("");
        fs::write(folder.path().join("a.toml"), config(&hooks).replace("0.001", threshold))
            .unwrap();
        let mut live = Live::start(folder.path());
        live.feed(&samples);
        let mut first = live.next();
        // The clock of the wall is for who reads the lines.
        first.as_object_mut().unwrap().remove("at").unwrap();
        let file = |end: &str| folder.path().join(format!("{verdict}-1.{end}"));
        drop(live.stdin.take());
        assert_eq!(live.end().code(), Some(0));
        let given: Value =
            serde_json::from_str(&fs::read_to_string(file("json")).unwrap()).unwrap();
        assert_eq!(given, first);
        let text = fs::read_to_string(file("env")).unwrap();
        let variables: BTreeMap<&str, &str> =
            text.lines().map(|line| line.split_once('=').unwrap()).collect();
        for (key, value) in first.as_object().unwrap() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let name = format!("WAKEGATE_{}", key.to_uppercase());
            assert_eq!(variables.get(name.as_str()), Some(&value.as_str()), "{name}");
        }
        // What a hook prints goes with our own words, not between the activations.
        assert!(live.said().contains("said\n"));
        assert!(live.lines.try_iter().all(|line| line.starts_with('{')));
        let other = if verdict == "intended" { "accidental" } else { "intended" };
        assert!(!folder.path().join(format!("{other}-1.json")).exists());
    }
}

#[test]
fn a_word_has_its_hook_before_its_verdict_has() {
    let note = |name: &str| {
        format!("cat > {name}-$WAKEGATE_ACTIVATION.json; echo {name} $WAKEGATE_ACTIVATION >> order")
    };
    let (word, intended) = (note("word"), note("intended"));
    let folder = folder(&format!("[hooks]\non_word = '{word}'\non_intended = '{intended}'\n"));
    let mut live = Live::start(folder.path());
    live.feed(&speech_like(12.0, 3));
    let first = live.next();
    drop(live.stdin.take());
    assert_eq!(live.end().code(), Some(0));
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let given: Value = serde_json::from_str(&read("word-1.json")).unwrap();
    for key in ["activation", "source", "wake_word", "word_decided_s", "model"] {
        assert_eq!(given[key], first[key], "{key}");
    }
    assert!(given.get("verdict").is_none(), "nobody knows it yet: {given}");
    let order = read("order");
    assert!(order.contains("word 1\n") && order.contains("intended 1\n"), "{order}");
}

#[test]
fn the_command_line_goes_before_the_file_at_a_reload_too() {
    let folder = folder("[hooks]\non_intended = \"touch from-file\"\n");
    let arguments = ["--on-intended", "touch from-arguments"];
    let mut live = Live::start_with(folder.path(), &arguments, |_| {});
    live.wait_for("listening device=");
    live.signal(Signal::HUP);
    live.wait_for("the configuration was read again");
    live.feed(&speech_like(6.0, 3));
    live.next();
    drop(live.stdin.take());
    assert_eq!(live.end().code(), Some(0));
    assert!(folder.path().join("from-arguments").exists());
    assert!(!folder.path().join("from-file").exists());
}

/// The next message that holds `text`.
fn told(socket: &UnixDatagram, text: &str) -> String {
    let mut message = [0; 1_024];
    loop {
        let count = socket.recv(&mut message).unwrap_or_else(|e| panic!("no {text}: {e}"));
        let message = String::from_utf8_lossy(&message[..count]).into_owned();
        if message.contains(text) {
            return message;
        }
    }
}

#[test]
fn the_service_manager_hears_of_audio_that_is_judged_and_of_nothing_else() {
    let folder = folder("");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut live = Live::start_with(folder.path(), &[], |command| {
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "30000000");
    });
    told(&socket, "STATUS=waiting for audio");
    // Not a word before there is audio.
    socket.set_read_timeout(Some(std::time::Duration::from_millis(600))).unwrap();
    assert!(socket.recv(&mut [0; 64]).is_err());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    live.feed(&speech_like(2.0, 3));
    told(&socket, "WATCHDOG=1");
    told(&socket, "READY=1");
    live.signal(Signal::HUP);
    assert!(told(&socket, "RELOADING=1").contains("MONOTONIC_USEC="));
    told(&socket, "READY=1");
    // Silence: the watchdog is left to run down.
    told(&socket, "STATUS=no audio is judged");
    socket.set_read_timeout(Some(std::time::Duration::from_millis(600))).unwrap();
    assert!(socket.recv(&mut [0; 64]).is_err());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    live.feed(&speech_like(2.0, 3));
    told(&socket, "WATCHDOG=1");
    live.signal(Signal::TERM);
    told(&socket, "STOPPING=1");
    assert_eq!(live.end().code(), Some(0));
}

#[test]
fn words_for_the_journal_carry_their_gravity() {
    let folder = folder("");
    let mut live = Live::start_with(folder.path(), &[], |command| {
        command.env("JOURNAL_STREAM", "8:1");
    });
    live.feed(&speech_like(1.0, 3));
    live.wait_for("<6>listening device=\"stdin: 16000 Hz, 1 channel(s), s16le\"\n");
    fs::write(folder.path().join("a.toml"), "[").unwrap();
    live.signal(Signal::HUP);
    live.wait_for("<3>the configuration stays as it was error=a.toml: line 1");
}
