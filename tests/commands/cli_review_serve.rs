//! `wakegate review serve`, as an operator starts and ends it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::cli_support::{checkout, embedded_id, run_in, stderr};
use crate::web_support::Client;
use rustix::process::{Pid, Signal, kill_process};

/// A folder with a queue that holds one clip.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[review]\nenabled = true\nmin_free_mb = 0\n";
    std::fs::write(folder.path().join("settings.toml"), settings).unwrap();
    let word = checkout("data/alexa_alone.flac");
    for arguments in [
        &["review", "--queue", "queue", "consent", "--by", "Owner"][..],
        &["score", "--config", "settings.toml", "--queue", "queue", word.to_str().unwrap()],
    ] {
        let output = run_in(folder.path(), arguments);
        assert!(output.status.success(), "{output:?}");
    }
    folder
}

/// Starts the page, and gives what it prints.
fn serve(folder: &Path, arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wakegate"))
        .args(["review", "--queue", "queue", "serve", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdout)
}

fn line(stdout: &mut impl BufRead) -> String {
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn it_prints_a_link_each_serves_and_ends_when_asked() {
    let folder = folder();
    let reviewers = ["--reviewer", "Ann", "--reviewer", "Ben"];
    let (mut child, mut stdout) = serve(folder.path(), &reviewers);
    let anns = line(&mut stdout);
    let link = anns.strip_prefix("Ann: http://").unwrap_or_else(|| panic!("{anns}"));
    let (address, secret) = link.split_once("/#").unwrap();
    assert!(line(&mut stdout).starts_with(&format!("Ben: http://{address}/#")));

    let mut ann = Client::of(address.parse().unwrap());
    assert_eq!(ann.log_in(secret).status, 200);
    let clip = ann.post("/api/next", &serde_json::json!({})).json()["clip"].clone();
    assert_eq!(clip["model"], embedded_id());
    let posteriors = clip["drawing"]["spotter"]["posteriors"].as_array().unwrap();
    let highest = posteriors.iter().filter_map(|p| p.as_f64()).fold(0.0, f64::max);
    assert!(highest > 0.5, "the spotter finds the word again: {posteriors:?}");

    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let log = run_in(folder.path(), &["review", "--queue", "queue", "audit", "show"]);
    let log = String::from_utf8(log.stdout).unwrap();
    for act in ["logged_in", "played", "released", "logged_out"] {
        assert!(log.contains(&format!("\"act\":\"{act}\"")), "{act} is not in {log}");
    }
}

#[test]
fn it_refuses_to_be_reached_without_tls_and_to_serve_no_queue() {
    let folder = folder();
    for (arguments, says) in [
        (&["--queue", "queue", "serve", "--listen", "0.0.0.0:0"][..], "without TLS"),
        (&["--queue", "none", "serve"], "there is no review queue"),
        (&["--queue", "queue", "serve", "--tls-cert", "x"], "--tls-key"),
    ] {
        let output = run_in(folder.path(), &[&["review"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(stderr(&output).contains(says), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}: a link was printed");
    }
}
