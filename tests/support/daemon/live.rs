//! The binary as a daemon: raw PCM goes in by its standard input.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::PATIENCE;

/// A daemon that runs.
pub struct Live {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    pub lines: Receiver<String>,
    said: Arc<Mutex<String>>,
    pub folder: PathBuf,
}

/// Samples as raw 16-bit PCM.
pub fn pcm(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|s| ((s * 32_767.0) as i16).to_le_bytes()).collect()
}

/// What every configuration of these tests has: the pipe, the tiny model, what is said.
pub fn config(more: &str) -> String {
    format!(
        "{more}\n[[wake_word]]\nmodel = \"tiny\"\nintended_at = 0.001\naccidental_below = 0.001\n\
         [runtime]\npriority = 0\nmodel_check_s = 1.0\n[log]\nlevel = \"info\"\n\
         [audio]\ndevice = \"-\"\n"
    )
}

impl Live {
    /// Starts it in `folder` with the file `a.toml` there.
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[], |_| {})
    }

    pub fn start_with(
        folder: &Path,
        arguments: &[&str],
        prepare: impl FnOnce(&mut std::process::Command),
    ) -> Self {
        let mut command = crate::cli_support::wakegate();
        command.args(["listen", "--config", "a.toml"]).args(arguments);
        Self::run(command, folder, prepare)
    }

    /// Runs a command in `folder` that becomes the daemon.
    pub fn run(
        mut command: std::process::Command,
        folder: &Path,
        prepare: impl FnOnce(&mut std::process::Command),
    ) -> Self {
        command
            .current_dir(folder)
            .env_remove("NOTIFY_SOCKET")
            .env_remove("JOURNAL_STREAM")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        prepare(&mut command);
        let mut child = command.spawn().unwrap();
        let (line_in, lines) = unbounded();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    let _ = line_in.send(line);
                }
            });
        }
        let said: Arc<Mutex<String>> = Arc::default();
        let (mut stderr, theirs) = (child.stderr.take().unwrap(), Arc::clone(&said));
        thread::spawn(move || {
            let mut piece = [0; 4_096];
            while let Ok(count @ 1..) = stderr.read(&mut piece) {
                theirs.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..count]));
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, lines, said, folder: folder.to_owned() }
    }

    pub fn feed(&mut self, samples: &[f32]) {
        self.stdin.as_mut().unwrap().write_all(&pcm(samples)).unwrap();
    }

    /// The next activation on standard output.
    pub fn next(&self) -> Value {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => serde_json::from_str(&line).unwrap(),
            Err(_) => panic!("no line; it said: {}", self.said()),
        }
    }

    /// Everything on standard error so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until standard error holds `text`.
    pub fn wait_for(&self, text: &str) {
        self.wait_until(text, || self.said().contains(text));
    }

    pub fn wait_until(&self, what: &str, done: impl Fn() -> bool) {
        let late = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < late, "never: {what}; it said: {}", self.said());
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end.
    pub fn end(&mut self) -> ExitStatus {
        let late = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < late, "it does not end; it said: {}", self.said());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with the tiny model and a configuration.
pub fn folder(more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    crate::cli_support::package(&folder.path().join("tiny"));
    std::fs::write(folder.path().join("a.toml"), config(more)).unwrap();
    folder
}

/// A port that is free now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What a page on this machine answers: status line and body.
pub fn get(port: u16, request: &str) -> Option<(String, String)> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.lines().next()?.to_owned(), body.to_owned()))
}

/// One number of the page.
pub fn metric(port: u16, name: &str) -> Option<f64> {
    let (_, body) = get(port, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let line = body.lines().find(|line| line.starts_with(&format!("{name} ")))?;
    line.rsplit(' ').next()?.parse().ok()
}
