//! `wakegate review`: consent, the queue's state, labels, wipes, exports, the audit log.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};
use wakegate::gate::SystemClock;
use wakegate::review;
use wakegate::review::{Answer, ClipId, Label, Mark, Person, Queue, Settings, Stats};
use wakegate::{Error, ErrorKind, Result};

use super::Outcome;
use super::output;
use super::output::{JsonLines, counted};
use super::queue_location::QueueLocation;
#[cfg(feature = "corpora")]
use super::review_export::Export;
#[cfg(feature = "page")]
use super::review_serve;

/// Look after the review queue: clips judged intended, kept because the owner agreed
///
/// Nothing is kept unless the settings enable review and a consent is recorded.
/// Exit code: 0 done, 1 refused or something wrong was found, 2 could not run.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
        wakegate review --config wakegate.toml consent --by \"Ada Owner\"\n  \
        wakegate review --config wakegate.toml serve --reviewer Ann\n  \
        wakegate review --config wakegate.toml export --output labels.csv")]
pub struct Review {
    #[command(flatten)]
    place: QueueLocation,
    #[command(subcommand)]
    command: Command,
}

/// Who does it, for the audit log.
#[derive(Args)]
struct By {
    /// Who does it, for the audit log
    #[arg(long, value_name = "NAME", env = "USER", default_value = "operator")]
    by: Person,
}

#[derive(Subcommand)]
enum Command {
    /// Record that the owner consents to review, or revoke it, which wipes the queue
    Consent {
        /// Who consents, or revokes
        #[arg(long, value_name = "NAME")]
        by: Person,
        /// Revoke: every clip is deleted and the device key replaced
        #[arg(long)]
        revoke: bool,
    },
    /// Print the consent, the counts and the certificate in force
    Status {
        /// As one JSON object, with every day's counts
        #[arg(long)]
        json: bool,
    },
    /// Print the clips, one JSON line each, without their audio
    List(By),
    /// Label a clip; one labelled accidental is a leak: deleted at once and counted
    Label {
        /// The clip: its name, or as much of it as no other begins with
        id: String,
        /// intended, accidental or unclear
        label: Label,
        #[command(flatten)]
        by: By,
    },
    /// Delete a clip now
    Delete {
        /// The clip: its name, or as much of it as no other begins with
        id: String,
        #[command(flatten)]
        by: By,
    },
    /// Delete the clips whose time is over; with --all, every clip, and replace the device key
    Purge {
        /// Wipe everything, even a queue that can't be opened any more
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        by: By,
    },
    /// Take the machine's clock for the queue's time again, after it was far ahead once: clips
    /// that were stored meanwhile are deleted, and the log says so
    SetTime(By),
    #[cfg(feature = "page")]
    Serve(review_serve::Serve),
    #[cfg(feature = "corpora")]
    Export(Export),
    /// The audit log
    #[command(subcommand)]
    Audit(Audit),
    /// The device key
    #[command(subcommand)]
    Key(Key),
}

#[derive(Subcommand)]
enum Audit {
    /// Print every line, as it was hashed
    Show,
    /// Hold every line against its hash, and the log against its signed end
    Verify {
        /// Lines and head of an earlier verification, as LINES:HEAD: the log must still hold
        /// them. Shows whether an older copy of the whole queue was put back.
        #[arg(long, value_name = "LINES:HEAD")]
        expect: Option<Mark>,
    },
}

#[derive(Subcommand)]
enum Key {
    /// Replace the device key: copies made before can't be read with the new one
    Rotate(By),
}

/// Opens the queue of `settings`, or makes it.
pub fn open_or_make(settings: &Settings) -> Result<Queue> {
    Queue::open(&settings.directory, settings, Arc::new(SystemClock::new()))
}

/// Opens the queue of `settings` if there is one.
pub fn open(settings: &Settings) -> Result<Queue> {
    if Queue::exists(&settings.directory)? {
        return open_or_make(settings);
    }
    Err(Error::new(ErrorKind::Review, "there is no review queue")
        .expected(format!("one in {}", settings.directory.display()))
        .found("none")
        .hint("name it with --queue or --config; `wakegate review consent` makes one"))
}

impl Review {
    pub fn run(self) -> Result<Outcome> {
        let settings = self.place.config(None)?.review;
        match self.command {
            Command::Consent { by, revoke: false } => consent(&settings, &by),
            Command::Consent { by, revoke: true } => {
                let wiped = open(&settings)?.revoke_consent(&by)?;
                say(&format!("consent revoked; {} wiped", counted(wiped as usize, "clip")));
                Ok(Outcome::AllWell)
            }
            Command::Status { json } => status(&settings, self.place.file(), json),
            Command::List(by) => list(&settings, &by.by),
            Command::Label { id, label, by } => {
                let mut queue = open(&settings)?;
                let id = queue.find(&id)?;
                answer(&id, queue.label(&by.by, &id, label)?)
            }
            Command::Delete { id, by } => {
                let mut queue = open(&settings)?;
                let id = queue.find(&id)?;
                answer(&id, queue.delete(&by.by, &id)?)
            }
            Command::Purge { all: false, .. } => {
                let count = open(&settings)?.sweep()?;
                say(&format!("{} expired", counted(count as usize, "clip")));
                Ok(Outcome::AllWell)
            }
            Command::Purge { all: true, by } => wipe(&settings, &by.by),
            Command::SetTime(by) => {
                let count = open(&settings)?.set_time(&by.by)?;
                say(&format!(
                    "the machine's time counts; {} deleted",
                    counted(count as usize, "clip")
                ));
                Ok(Outcome::AllWell)
            }
            #[cfg(feature = "page")]
            Command::Serve(command) => command.run(&self.place),
            #[cfg(feature = "corpora")]
            Command::Export(command) => command.run(&settings),
            Command::Audit(Audit::Show) => show(&settings),
            Command::Audit(Audit::Verify { expect }) => verify(&settings, expect.as_ref()),
            Command::Key(Key::Rotate(by)) => {
                open(&settings)?.rotate_key(&by.by)?;
                say("device key replaced");
                Ok(Outcome::AllWell)
            }
        }
    }
}

/// Talk, on stderr.
fn say(text: &str) {
    output::talk(format_args!("{text}"));
}

fn consent(settings: &Settings, by: &Person) -> Result<Outcome> {
    let consent = open_or_make(settings)?.give_consent(by)?;
    say(&format!("consent of {}, {}", consent.by, consent.given_at));
    if !settings.enabled {
        say("these settings say enabled = false: by them nothing is kept");
    }
    Ok(Outcome::AllWell)
}

fn answer(id: &ClipId, answer: Answer) -> Result<Outcome> {
    let (text, outcome) = match answer {
        Answer::Done => ("done", Outcome::AllWell),
        Answer::Leak => ("a leak: deleted, and counted as an incident", Outcome::AllWell),
        Answer::Gone => ("there is no such clip any more", Outcome::SomeFailed),
        Answer::Taken => ("another reviewer has it, or it has its label", Outcome::SomeFailed),
    };
    say(&format!("{id}: {text}"));
    Ok(outcome)
}

/// What `status --json` prints.
#[derive(serde::Serialize)]
struct Status<'a> {
    /// What the settings say; nothing where none were named.
    enabled: Option<bool>,
    #[serde(flatten)]
    stats: &'a Stats,
}

fn status(settings: &Settings, file: Option<&Path>, json: bool) -> Result<Outcome> {
    let mut queue = open(settings)?;
    let stats = queue.stats()?;
    if json {
        let enabled = file.map(|_| settings.enabled);
        JsonLines::stdout().print(&Status { enabled, stats: &stats })?;
        return Ok(Outcome::AllWell);
    }
    for (name, text) in rows(settings, file, &stats) {
        output::line(format_args!("{name:<12} {text}"))?;
    }
    Ok(Outcome::AllWell)
}

/// Whether clips are kept, as far as it is known: who stores them may go by another file.
fn enabled(settings: &Settings, file: Option<&Path>) -> String {
    match file {
        None => "not known: name the settings of whatever stores clips with --config".to_owned(),
        Some(file) if settings.enabled => format!("yes, by {}", file.display()),
        Some(file) => format!("no: under {} nothing is kept", file.display()),
    }
}

fn rows(settings: &Settings, file: Option<&Path>, stats: &Stats) -> Vec<(&'static str, String)> {
    let stopped: u64 = stats.days.iter().flat_map(|day| day.stopped.values()).sum();
    let mut rows = vec![
        ("queue", settings.directory.display().to_string()),
        ("enabled", enabled(settings, file)),
        ("consent", stats.consent.clone().unwrap_or_else(|| "none: nothing is kept".to_owned())),
        (
            "queued",
            format!(
                "{}, {} without a label, {:.1} of {} MB, kept for {} days",
                counted(stats.queued as usize, "clip"),
                stats.unlabelled,
                stats.bytes as f64 / 1e6,
                settings.max_mb,
                settings.retention_days
            ),
        ),
        (
            "reviewed",
            format!(
                "{}, {}: a share of {:.2} % to {:.2} % (exact, 95 %)",
                stats.reviewed,
                counted(stats.leaks as usize, "leak"),
                100.0 * stats.leak_share.low,
                100.0 * stats.leak_share.high
            ),
        ),
        ("stopped", format!("{} and wiped", counted(stopped as usize, "activation"))),
        (
            "certificate",
            stats.certificate.as_ref().map_or_else(
                || "none (hint: `wakegate calibrate --apply`)".to_owned(),
                |c| {
                    format!(
                        "at most {} % accidental with {} % confidence, from p_intended {} on",
                        100.0 * c.share,
                        100.0 * c.confidence,
                        c.threshold
                    )
                },
            ),
        ),
    ];
    if stats.clock_behind_s > 60 {
        let text = format!(
            "{} s behind the queue's time (hint: if it is right, `wakegate review set-time`)",
            stats.clock_behind_s
        );
        rows.push(("clock", text));
    }
    rows
}

/// One line of `list`.
#[derive(serde::Serialize)]
struct Listed<'a> {
    id: &'a str,
    wake_word: &'a str,
    model: &'a str,
    p_intended: f32,
    audio_s: f64,
    stored_at: String,
    expires_at: String,
    label: Option<&'a str>,
    leased_by: Option<&'a str>,
}

fn list(settings: &Settings, by: &Person) -> Result<Outcome> {
    let entries = open(settings)?.list(by)?;
    let mut lines = JsonLines::stdout();
    for entry in &entries {
        let record = &entry.record;
        lines.print(&Listed {
            id: entry.id.as_str(),
            wake_word: &record.wake_word,
            model: &record.model,
            p_intended: record.p_intended,
            audio_s: record.seconds(),
            stored_at: record.stored_at(),
            expires_at: record.expires_at(),
            label: entry.label.as_deref(),
            leased_by: entry.leased_by.as_deref(),
        })?;
    }
    say(&counted(entries.len(), "clip"));
    Ok(Outcome::AllWell)
}

fn wipe(settings: &Settings, by: &Person) -> Result<Outcome> {
    match open(settings).and_then(|mut queue| queue.purge_all(by)) {
        Ok(count) => {
            say(&format!("{} wiped, device key replaced", counted(count as usize, "clip")))
        }
        Err(error) => {
            output::warning("the queue can't be opened", &error.to_string());
            review::destroy(settings)?;
            say("device key and database destroyed, audit log and consent with them");
        }
    }
    Ok(Outcome::AllWell)
}

fn show(settings: &Settings) -> Result<Outcome> {
    let mut out = io::stdout().lock();
    Queue::audit_lines(&settings.directory, &mut |line| match writeln!(out, "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(ErrorKind::Io, "cannot write to stdout").found(error.to_string()))
        }
        _ => Ok(()),
    })?;
    Ok(Outcome::AllWell)
}

fn verify(settings: &Settings, expect: Option<&Mark>) -> Result<Outcome> {
    let verified = Queue::inspect(&settings.directory, settings, expect)?;
    JsonLines::stdout().print(&verified)?;
    verified.problems.iter().for_each(|problem| output::warning("audit log", problem));
    if verified.problems.is_empty() {
        say(&format!("{} in one chain", counted(verified.lines as usize, "line")));
    }
    Ok(Outcome::of(verified.problems.len()))
}
