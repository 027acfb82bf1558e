//! Commands that activations start: the event on standard input and in the environment.
//!
//! A command never holds up the judging thread: it has a thread and a queue of its own. One that
//! takes too long is killed with everything that it started.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Map, Value};
use tracing::warn;

use super::log_limit::Seldom;
use super::metrics::SinkCounters;
use wakegate::decision::Verdict;
use wakegate::pipeline::{Event, Observer, Report};

/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// What a command may still take when the daemon ends.
const LAST_GRACE: Duration = Duration::from_secs(2);

/// Which activations start the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
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
    said: Seldom,
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
        Self { when, command, timeout, counters, ending, said: Seldom::default() }
    }

    /// Runs the command on `report`; the reason where it did not go well.
    fn run(&self, report: &Report<'_>) -> std::result::Result<(), String> {
        let text = serde_json::to_string(report).map_err(|error| error.to_string())?;
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(&self.command).stdin(Stdio::piped()).process_group(0);
        for (key, value) in variables(&text) {
            command.env(key, value);
        }
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
        match self.wait(&mut child) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(status.to_string()),
            None => {
                self.counters.killed.up();
                Err(format!("killed after {} s", self.timeout.as_secs_f64()))
            }
        }
    }

    /// Waits for the child; kills its process group when its time is over.
    fn wait(&self, child: &mut Child) -> Option<ExitStatus> {
        let mut deadline = Instant::now() + self.timeout;
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
                return None;
            }
            thread::sleep(LOOK);
        }
    }
}

impl Observer for Hook {
    fn on_activation(&mut self, event: &Event<'_>) {
        if let Err(reason) = self.run(&Report::from(event)) {
            self.counters.failed.up();
            let receiver = self.counters.name;
            self.said.say(|hidden| warn!(receiver, reason, hidden, "a command failed"));
        }
    }

    fn wants(&self, verdict: Verdict) -> bool {
        (verdict == Verdict::Intended) == (self.when == When::Intended)
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
