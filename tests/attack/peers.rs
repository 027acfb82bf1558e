//! Hostile peers: whoever speaks HTTP, Wyoming or MQTT to the daemon, or is started by it.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::cli_support::{checkout, speech_like};
use crate::daemon_support::broker::{Broker, GOOD, Manners};
use crate::daemon_support::live::{Live, folder, free_port, get, metric};
use crate::files::package_with;
use crate::wyoming_support::engine::Engine;
use crate::wyoming_support::{Client, Daemon, of_kind, recording};
use rustix::process::{Pid, Signal, test_kill_process};
use serde_json::json;

#[test]
fn half_requests_keep_nobody_from_the_metrics() {
    let port = free_port();
    let folder = folder(&format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n"));
    let live = Live::start(folder.path());
    live.wait_until("open", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let mut held = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ");
        held.push(stream);
    }
    let start = Instant::now();
    let (status, body) = get(port, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(body.contains("wakegate_reloads_total"), "{body}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let (status, body) = get(port, "GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n").unwrap();
    assert_eq!(status, "HTTP/1.1 421 Misdirected Request");
    assert!(!body.contains("wakegate_reloads_total"), "{body}");
}

/// Every message on the way: to the log, and to the peer.
fn never_quotes(said: &str, secret: &str) {
    for length in [secret.len(), 12] {
        for piece in secret.as_bytes().windows(length) {
            let piece = String::from_utf8_lossy(piece);
            assert!(!said.contains(&*piece), "{said} quotes {piece:?}");
        }
    }
}

#[test]
fn audio_behind_a_wrong_length_is_quoted_to_nobody() {
    // Printable, so that a quotation would show as it is.
    let audio = "Zx8#Qw7~Kj6^Vb5&Nm4*Lp3!Rt2(Yu1)Ha9";
    let payload = audio.repeat(20);
    let heads = [
        // The payload is longer than it says, is taken for the data, or for a line.
        "{\"type\": \"audio-chunk\", \"payload_length\": 2, \"data\": {\"rate\": 16000, \"width\": 2, \"channels\": 1}}\n",
        "{\"type\": \"audio-chunk\", \"data_length\": 40}\n",
        "{\"type\": \"describe\"}\n",
    ];
    let daemon = Daemon::start(&[]);
    for head in heads {
        let mut client = daemon.client();
        client.raw(format!("{head}{payload}\n").as_bytes());
        let events = client.read_to_end();
        let errors = of_kind(&events, "error");
        assert_eq!(errors.len(), 1, "{events:?}");
        let text = errors[0].data["text"].as_str().unwrap();
        assert!(text.contains("bytes that begin with"), "{text}");
        never_quotes(text, audio);
    }
    // Values of the wrong type, which a parser's own message would quote.
    for (kind, key) in [("audio-chunk", "rate"), ("audio-start", "width"), ("detect", "names")] {
        let mut client = daemon.client();
        let mut data = json!({"rate": 16000, "width": 2, "channels": 1});
        data[key] = audio.into();
        client.send(kind, data);
        let events = client.read_to_end();
        assert_eq!(of_kind(&events, "error").len(), 1, "{events:?}");
        never_quotes(&format!("{events:?}"), audio);
    }
    let ended = daemon.stop();
    never_quotes(&ended.stderr, audio);
    assert!(ended.stderr.contains("bytes that begin with"), "{}", ended.stderr);
}

#[test]
fn an_engine_that_lies_all_day_fills_no_log_with_its_words() {
    let engine = Engine::start();
    let uri = engine.uri.clone();
    let daemon = Daemon::start(&["--upstream", &uri]);
    let mut client = daemon.client();
    client.send("detect", json!({"names": ["alexa"]}));
    let samples = recording("noise_hum");
    client.chunk(&samples[..1_280]);
    let (mut session, _) = engine.session();
    let name = "Zx8#Qw7~Kj6^Vb5&".repeat(3_000);
    for _ in 0..200 {
        let detection = json!({"name": name, "timestamp": 1});
        session.raw(&crate::wyoming_support::frame("detection", &detection, &[]));
    }
    session.raw(&crate::wyoming_support::frame("ping", &json!({}), &[]));
    // The first, and each time that they have doubled: eight of 200.
    let said: Vec<String> = (0..8).map(|_| daemon.wait_for("dropped unjudged")).collect();
    assert!(said[0].contains("a name of 48000 bytes"), "{said:?}");
    assert!(said.iter().all(|line| line.len() < 400), "{said:?}");
    drop((client, session));
    let ended = daemon.stop();
    assert_eq!(ended.stderr.matches("dropped unjudged").count(), 0, "{}", ended.stderr);
    assert!(ended.count("upstream_unjudged_total") >= 128);
}

#[test]
fn what_no_broker_acknowledged_is_not_delivered() {
    for (acks, delivered) in [(0, false), (1_000, true)] {
        let port = free_port();
        let broker = Broker::start(0, Manners { acknowledges: acks, ..GOOD });
        let more = format!(
            "[mqtt]\nbroker = \"127.0.0.1:{}\"\n[metrics]\nlisten = \"127.0.0.1:{port}\"\n",
            broker.port
        );
        let folder = folder(&more);
        let mut live = Live::start(folder.path());
        live.wait_for("connected broker=");
        live.feed(&speech_like(6.0, 3));
        live.next();
        let name = "wakegate_receiver_delivered_total{receiver=\"mqtt\"}";
        if delivered {
            live.wait_until("delivered", || metric(port, name).is_some_and(|count| count > 0.0));
        } else {
            std::thread::sleep(Duration::from_secs(1));
            assert_eq!(metric(port, name), Some(0.0));
        }
    }
}

#[test]
fn a_password_that_others_can_read_is_refused() {
    let folder =
        folder("[mqtt]\nbroker = \"127.0.0.1:1\"\nusername = \"w\"\npassword_file = \"p\"\n");
    let password = folder.path().join("p");
    fs::write(&password, "secret\n").unwrap();
    for (mode, fine) in [(0o644, false), (0o640, false), (0o600, true)] {
        fs::set_permissions(&password, fs::Permissions::from_mode(mode)).unwrap();
        let mut live = Live::start(folder.path());
        if fine {
            live.wait_for("listening device=");
            continue;
        }
        assert_eq!(live.end().code(), Some(2), "{mode:o}");
        live.wait_for("mqtt.password_file");
        assert!(live.said().contains(&format!("mode {mode:04o}")), "{}", live.said());
        assert!(!live.said().contains("secret"), "{}", live.said());
    }
}

/// Whether the process that wrote its number to the file still runs.
fn runs(pid: &str) -> bool {
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    // One that was killed may still wait for its parent to notice.
    test_kill_process(pid).is_ok() && !stat.is_ok_and(|text| text.contains(") Z "))
}

#[test]
fn what_a_hook_starts_in_a_session_of_its_own_ends_with_its_time() {
    for hook in [
        // In front, behind, and with nobody left who waited for it.
        "setsid -w sh -c 'echo $$ > pid; exec sleep 1000'",
        "setsid sh -c 'echo $$ > pid; exec sleep 1000' &",
        "(setsid sh -c 'echo $$ > pid; exec sleep 1000' &) ; exit 0",
    ] {
        let folder = folder(&format!("[hooks]\non_intended = \"{hook}\"\ntimeout_s = 0.5\n"));
        let mut live = Live::start(folder.path());
        live.feed(&speech_like(4.0, 3));
        let file = folder.path().join("pid");
        let pid = || fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n'));
        live.wait_until("started", || pid().is_some());
        let pid = pid().unwrap();
        live.wait_until("killed", || !runs(&pid));
    }
}

#[test]
fn a_daemon_whose_model_became_a_pipe_or_endless_goes_on_and_ends_when_told() {
    for endless in [false, true] {
        let folder = folder("");
        let mut live = Live::start(folder.path());
        live.wait_for("listening device=");
        let network = folder.path().join("tiny/spotter.onnx");
        fs::remove_file(&network).unwrap();
        if endless {
            std::os::unix::fs::symlink("/dev/zero", &network).unwrap();
        } else {
            let made = std::process::Command::new("mkfifo").arg(&network).status().unwrap();
            assert!(made.success());
        }
        // By itself every second, and when told to read everything again.
        live.wait_for("a model's files were altered");
        live.signal(Signal::HUP);
        live.wait_for("the configuration stays as it was");
        live.feed(&speech_like(6.0, 3));
        live.next();
        live.signal(Signal::TERM);
        assert_eq!(live.end().code(), Some(0));
    }
}

#[test]
fn a_daemon_whose_new_model_makes_the_runtime_panic_keeps_the_old_one() {
    for entry in fs::read_dir(checkout("tests/fuzz/onnx")).unwrap() {
        let folder = folder("");
        let mut live = Live::start(folder.path());
        live.wait_for("listening device=");
        package_with(&folder.path().join("tiny"), &fs::read(entry.unwrap().path()).unwrap());
        live.signal(Signal::HUP);
        live.wait_for("the configuration stays as it was");
        live.feed(&speech_like(6.0, 3));
        live.next();
        live.signal(Signal::TERM);
        assert_eq!(live.end().code(), Some(0));
        assert!(!live.said().contains("panicked at"), "{}", live.said());
    }
}

#[test]
fn a_settings_file_that_became_a_pipe_is_refused_at_a_reload() {
    let folder = folder("");
    let mut live = Live::start(folder.path());
    live.wait_for("listening device=");
    let file = folder.path().join("a.toml");
    fs::remove_file(&file).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    live.signal(Signal::HUP);
    live.wait_for("the configuration stays as it was");
    live.signal(Signal::TERM);
    assert_eq!(live.end().code(), Some(0));
}

#[test]
fn a_client_that_never_reads_is_let_go_and_others_are_served() {
    let daemon = Daemon::start(&["--wyoming-set", "write_timeout_ms=200"]);
    let uri = daemon.uri.clone();
    let deaf: Vec<_> = (0..16)
        .map(|_| {
            let uri = uri.clone();
            std::thread::spawn(move || {
                let mut client = Client::connect(&uri);
                let late = Instant::now() + Duration::from_secs(60);
                while Instant::now() < late {
                    if !client.try_raw(&b"{\"type\": \"describe\"}\n".repeat(100)) {
                        return true;
                    }
                }
                false
            })
        })
        .collect();
    let mut client = daemon.client();
    client.send("describe", json!({}));
    assert_eq!(client.read().unwrap().kind, "info");
    assert!(deaf.into_iter().all(|thread| thread.join().unwrap()), "one was served for ever");
}
