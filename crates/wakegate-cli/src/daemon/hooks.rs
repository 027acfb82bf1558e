//! Commands that activations start: the event on standard input and in the environment.
//!
//! A command never holds up the judging thread: it has a thread and a queue of its own. One that
//! takes too long is killed with everything that it started: its process group, and on Linux
//! whatever else still has the mark in its environment that the command was given, also in a
//! session of its own. A program that clears its environment and leaves the group gets away; the
//! unit's control group (`KillMode=control-group`) ends it with the daemon.

use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::warn;

use super::log_limit::LogLimit;
use super::metrics::SinkCounters;
use wakegate::decision::Verdict;
use wakegate::pipeline::{Event, Observer, Report, WordEvent, WordReport};

/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How often what a command left behind is looked at.
const LONG_LOOK: Duration = Duration::from_millis(100);
/// What a command may still take when the daemon ends.
const LAST_GRACE: Duration = Duration::from_secs(2);

/// The variable by which what a command started is found again.
const MARK: &str = "WAKEGATE_HOOK_RUN";
/// How often what a command started is looked for.
const MOST_LOOKS: usize = 50;
/// Commands started so far, by all hooks.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// Which activations start the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Each word, before anyone knows what it was meant for.
    Word,
    /// Those judged intended.
    Intended,
    /// All others.
    Accidental,
}

/// A command and when it runs.
pub struct Hook {
    when: When,
    command: String,
    timeout: Duration,
    counters: Arc<SinkCounters>,
    ending: Arc<AtomicBool>,
    said: LogLimit,
}

impl Hook {
    /// Runs the shell command `command`; once `ending` is set, what runs gets little more time.
    pub fn new(
        when: When,
        command: String,
        timeout: Duration,
        counters: Arc<SinkCounters>,
        ending: Arc<AtomicBool>,
    ) -> Self {
        Self { when, command, timeout, counters, ending, said: LogLimit::default() }
    }

    /// Runs the command on `report`, and counts where it did not go well.
    fn start(&mut self, report: &impl Serialize) {
        if let Err(reason) = self.run(report) {
            self.counters.failed.inc();
            let receiver = self.counters.name;
            self.said.say(|hidden| warn!(receiver, reason, hidden, "a command failed"));
        }
    }

    /// Runs the command on `report`; the reason where it did not go well.
    fn run(&self, report: &impl Serialize) -> std::result::Result<(), String> {
        let text = serde_json::to_string(report).map_err(|error| error.to_string())?;
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(&self.command).stdin(Stdio::piped()).process_group(0);
        for (key, value) in variables(&text) {
            command.env(key, value);
        }
        let mark = format!("{}.{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
        command.env(MARK, &mark);
        // Standard output carries the activations: a command's words go with our own.
        match std::io::stderr().as_fd().try_clone_to_owned() {
            Ok(stderr) => command.stdout(stderr),
            Err(_) => command.stdout(Stdio::null()),
        };
        let mut child = command.spawn().map_err(|error| format!("cannot start: {error}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // Shorter than a pipe's buffer, so this never waits. A command need not read it.
            let _ = stdin.write_all(format!("{text}\n").as_bytes());
        }
        let deadline = Instant::now() + self.timeout;
        match self.wait(&mut child, deadline, &mark) {
            Some(status) => {
                self.watch_the_rest(deadline, mark);
                if status.success() { Ok(()) } else { Err(status.to_string()) }
            }
            None => {
                self.counters.killed.inc();
                Err(format!("killed after {} s", self.timeout.as_secs_f64()))
            }
        }
    }

    /// Waits for the child; kills it with what it started when its time is over.
    fn wait(&self, child: &mut Child, mut deadline: Instant, mark: &str) -> Option<ExitStatus> {
        let mut ending = false;
        loop {
            if let Ok(Some(status)) = child.try_wait() {
                return Some(status);
            }
            if !ending && self.ending.load(Ordering::Relaxed) {
                ending = true;
                deadline = deadline.min(Instant::now() + LAST_GRACE);
            }
            if Instant::now() >= deadline {
                let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                let killed = group.map(|group| kill_process_group(group, Signal::KILL));
                if !matches!(killed, Some(Ok(()))) {
                    // It has no group any more; then the child alone is left.
                    let _ = child.kill();
                }
                let _ = child.wait();
                kill_marked(mark);
                return None;
            }
            thread::sleep(LOOK);
        }
    }
}

impl Hook {
    /// Holds what a command left behind to the same limit, on a thread of its own.
    fn watch_the_rest(&self, deadline: Instant, mark: String) {
        if !is_any_left(&mark) {
            return;
        }
        let (counters, ending) = (Arc::clone(&self.counters), Arc::clone(&self.ending));
        let watch = move || {
            while Instant::now() < deadline && !ending.load(Ordering::Relaxed) {
                thread::sleep(LONG_LOOK);
                if !is_any_left(&mark) {
                    return;
                }
            }
            counters.killed.inc();
            kill_marked(&mark);
        };
        // Where no thread can be had, the daemon's end is its end.
        let _ = thread::Builder::new().name("hook-rest".to_owned()).spawn(watch);
    }
}

/// Whether a process with the mark is left.
fn is_any_left(mark: &str) -> bool {
    let wanted = format!("{MARK}={mark}").into_bytes();
    processes().any(|pid| has(pid, &wanted))
}

/// Kills every process whose environment has the mark, until none is left: one may start another
/// while it is looked for.
fn kill_marked(mark: &str) {
    let wanted = format!("{MARK}={mark}").into_bytes();
    for _ in 0..MOST_LOOKS {
        let found: Vec<Pid> = processes().filter(|&pid| has(pid, &wanted)).collect();
        if found.is_empty() {
            return;
        }
        for pid in found {
            // One that has ended meanwhile is as dead as it can be.
            let _ = kill_process(pid, Signal::KILL);
        }
        thread::sleep(LOOK);
    }
}

/// The processes that this one can see; none where the system has no such list.
fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))
}

/// Whether the environment of `pid`, as it was started, has the variable.
fn has(pid: Pid, variable: &[u8]) -> bool {
    let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()));
    environment.is_ok_and(|text| text.split(|&byte| byte == 0).any(|line| line == variable))
}

impl Observer for Hook {
    fn on_activation(&mut self, event: &Event<'_>) {
        self.start(&Report::from(event));
    }

    fn on_word(&mut self, event: &WordEvent<'_>) {
        self.start(&WordReport::from(event));
    }

    fn wants(&self, verdict: Verdict) -> bool {
        match self.when {
            When::Word => false,
            When::Intended => verdict == Verdict::Intended,
            When::Accidental => verdict != Verdict::Intended,
        }
    }

    fn wants_words(&self) -> bool {
        self.when == When::Word
    }
}

/// The event, given as JSON, as variables: `WAKEGATE_VERDICT`, `WAKEGATE_P_INTENDED`, and so on.
fn variables(json: &str) -> Vec<(String, String)> {
    let fields: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    fields
        .into_iter()
        .map(|(key, value)| (format!("WAKEGATE_{}", key.to_uppercase()), text(value)))
        .collect()
}
