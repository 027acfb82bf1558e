//! What the daemon says on stderr: quiet, one line each, and by its gravity in the journal.

use std::fmt;

use crate::config::Level;
use tracing::{Event, Level as Gravity, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt as layer, reload};
use wakegate::error::is_catching;

/// From now on, a panic that is caught and told as an error of its own says nothing itself.
pub fn quiet_when_caught() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_catching() {
            say(panic);
        }
    }));
}

/// Starts logging at `level`; what it gives changes the level later on.
pub fn start(level: Level) -> Box<dyn Fn(Level)> {
    let (filter, handle) = reload::Layer::new(targets(level));
    // systemd names the journal's stream to a service that writes to it.
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let lines = layer::layer().with_writer(std::io::stderr).event_format(Line { journal });
    // A second start in one process keeps the first one's.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    // A panic's message may hold values; its place says enough.
    std::panic::set_hook(Box::new(|panic| {
        if is_catching() {
            return;
        }
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
    Box::new(move |level| drop(handle.reload(targets(level))))
}

/// Ours alone: other crates may say what they like to nobody.
fn targets(level: Level) -> Targets {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    Targets::new().with_target("wakegate", level)
}

/// `warning: what happened key=value`, or with the journal's `<4>` in front in its place.
struct Line {
    journal: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (word, number) = match *event.metadata().level() {
            Gravity::ERROR => ("error", 3),
            Gravity::WARN => ("warning", 4),
            Gravity::INFO => ("info", 6),
            _ => ("debug", 7),
        };
        if self.journal {
            write!(writer, "<{number}>")?;
        } else {
            write!(writer, "{word}: ")?;
        }
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
