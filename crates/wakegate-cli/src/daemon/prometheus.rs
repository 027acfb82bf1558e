//! The counters as Prometheus text.

use std::fmt::{self, Display, Write};

use super::metrics::{Counters, Histogram, REASONS, VERDICTS};
use wakegate::metric::Metric;

/// All of `counters` in Prometheus' text form.
pub fn text(counters: &Counters) -> String {
    let mut out = String::new();
    // Writing to a string can't fail.
    let _ = write(&mut out, counters);
    out
}

fn write(out: &mut String, c: &Counters) -> fmt::Result {
    head(out, "build_info", "gauge", "Version of the program")?;
    writeln!(out, "wakegate_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))?;
    let flowing = u64::from(c.is_flowing());
    one(out, "audio_flowing", "gauge", "1 while audio comes and is judged", flowing)?;
    let waiting = c.waiting_frames.get();
    one(out, "ring_waiting_frames", "gauge", "Frames in the ring when it was last read", waiting)?;
    for (name, help, count) in [
        ("audio_frames_total", "Frames from the device, lost ones included", &c.frames),
        ("audio_lost_frames_total", "Frames that found the ring full", &c.lost_frames),
        ("audio_overruns_total", "Blocks that found the ring full", &c.overruns),
        ("audio_device_xruns_total", "Overruns that the device reported", &c.xruns),
        ("audio_gaps_total", "Gaps after which judging started afresh", &c.gaps),
        ("device_opened_total", "Times that the device was opened", &c.opened),
        ("device_faults_total", "Times that the device failed or was refused", &c.device_faults),
        ("judged_samples_total", "16 kHz samples judged", &c.judged_samples),
        ("audio_errors_total", "Samples or frames that were no numbers", &c.audio_errors),
        ("model_errors_total", "Errors of a network or of its output", &c.model_errors),
        ("worker_panics_total", "Panics of the judging thread", &c.panics),
        ("model_altered_total", "Looks that found a model's files altered", &c.model_altered),
        ("reloads_total", "Configurations taken while running", &c.reloads),
        ("reloads_refused_total", "Configurations refused while running", &c.reloads_refused),
    ] {
        one(out, name, "counter", help, count.get())?;
    }
    words(out, c)?;
    sinks(out, c)?;
    others(out, c)?;
    let help = "Time to take one block of the device through all wake words";
    histogram(out, "step_seconds", help, &c.step)?;
    let help = "Audio time from the end of the word to the decision that it was said";
    histogram(out, "word_delay_seconds", help, &c.word_delay)?;
    let help = "Audio time from the end of the word to its verdict";
    histogram(out, "verdict_delay_seconds", help, &c.delay)
}

fn words(out: &mut String, counters: &Counters) -> fmt::Result {
    let words = counters.words();
    head(out, "candidates_total", "counter", "Candidates of the first stage")?;
    for word in &words {
        let name = Label(&word.wake_word);
        writeln!(out, "wakegate_candidates_total{{wake_word={name}}} {}", word.candidates.get())?;
    }
    head(out, "words_total", "counter", "Wake words said, whatever they were meant for")?;
    for word in &words {
        let name = Label(&word.wake_word);
        writeln!(out, "wakegate_words_total{{wake_word={name}}} {}", word.words.get())?;
    }
    head(out, "candidates_abandoned_total", "counter", "Candidates that got no verdict")?;
    for word in &words {
        let (name, count) = (Label(&word.wake_word), word.abandoned.get());
        writeln!(out, "wakegate_candidates_abandoned_total{{wake_word={name}}} {count}")?;
    }
    head(out, "verdicts_total", "counter", "Verdicts by reason")?;
    for word in &words {
        for verdict in VERDICTS {
            for reason in REASONS {
                let count = word.verdicts(verdict, reason).get();
                // An intended verdict has one reason, an accidental one never has it.
                let possible = (verdict.as_str() == "intended") == (reason.as_str() == "intended");
                if count > 0 || possible || verdict.as_str() == "unsure" {
                    writeln!(
                        out,
                        "wakegate_verdicts_total{{wake_word={},verdict=\"{verdict}\",\
                         reason=\"{reason}\"}} {count}",
                        Label(&word.wake_word)
                    )?;
                }
            }
        }
    }
    Ok(())
}

fn sinks(out: &mut String, counters: &Counters) -> fmt::Result {
    let sinks = counters.sinks();
    for (name, help) in [
        ("delivered", "Activations that a receiver took"),
        ("dropped", "Activations that found a receiver's queue full"),
        ("failed", "Activations that a receiver could not act on"),
        ("killed", "Commands killed because they took too long"),
    ] {
        head(out, &format!("receiver_{name}_total"), "counter", help)?;
        for sink in &sinks {
            let count = match name {
                "delivered" => &sink.delivered,
                "dropped" => &sink.dropped,
                "failed" => &sink.failed,
                _ => &sink.killed,
            };
            let receiver = Label(sink.name);
            let count = count.get();
            writeln!(out, "wakegate_receiver_{name}_total{{receiver={receiver}}} {count}")?;
        }
    }
    Ok(())
}

/// What other modules count, under their own names.
fn others(out: &mut String, counters: &Counters) -> fmt::Result {
    let mut family = "";
    for Metric { name, kind, help, reason, value } in counters.others() {
        if name != family {
            writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
            family = name;
        }
        match reason {
            Some(reason) => writeln!(out, "{name}{{reason={}}} {value}", Label(reason))?,
            None => writeln!(out, "{name} {value}")?,
        }
    }
    Ok(())
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP wakegate_{name} {help}.\n# TYPE wakegate_{name} {kind}")
}

fn one(out: &mut String, name: &str, kind: &str, help: &str, value: impl Display) -> fmt::Result {
    head(out, name, kind, help)?;
    writeln!(out, "wakegate_{name} {value}")
}

fn histogram(out: &mut String, name: &str, help: &str, histogram: &Histogram) -> fmt::Result {
    head(out, name, "histogram", help)?;
    for (end, count) in histogram.cumulative() {
        writeln!(out, "wakegate_{name}_bucket{{le=\"{end}\"}} {count}")?;
    }
    let count = histogram.count();
    writeln!(out, "wakegate_{name}_bucket{{le=\"+Inf\"}} {count}")?;
    writeln!(out, "wakegate_{name}_sum {}", histogram.sum_s())?;
    writeln!(out, "wakegate_{name}_count {count}")
}

/// A label's value in quotes.
struct Label<'a>(&'a str);

impl Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use wakegate::decision::{Reason, Verdict};

    #[test]
    fn the_text_is_well_formed_and_says_what_was_counted() {
        let counters = Counters::default();
        counters.lost_frames.add(480);
        let word = counters.word("say \"hi\"");
        word.verdicts(Verdict::Accidental, Reason::NotAddressed).add(3);
        counters.sink("stdout").dropped.inc();
        counters.step.observe(Duration::from_micros(300));
        counters.delay.observe(Duration::from_millis(840));
        counters.show("wyoming", || crate::wyoming::Counters::default().metrics());
        let stopped = |reason| Metric {
            name: "wakegate_gate_stopped_total",
            kind: "counter",
            help: "Activations whose audio was wiped.",
            reason: Some(reason),
            value: 2,
        };
        counters.show("review", move || vec![stopped("unsure"), stopped("low_disk")]);
        let text = text(&counters);
        for line in [
            "wakegate_audio_lost_frames_total 480",
            "wakegate_verdicts_total{wake_word=\"say \\\"hi\\\"\",verdict=\"accidental\",\
             reason=\"not_addressed\"} 3",
            "wakegate_receiver_dropped_total{receiver=\"stdout\"} 1",
            "wakegate_step_seconds_bucket{le=\"0.00025\"} 0",
            "wakegate_step_seconds_bucket{le=\"0.0005\"} 1",
            "wakegate_verdict_delay_seconds_bucket{le=\"+Inf\"} 1",
            "wakegate_verdict_delay_seconds_sum 0.84",
            "wakegate_wyoming_clients 0",
            "wakegate_gate_stopped_total{reason=\"low_disk\"} 2",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        // Every sample belongs to a family with one head, and no sample is there twice.
        let mut samples = BTreeSet::new();
        let typed: Vec<&str> =
            text.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(samples.insert(name), "{name} twice");
            let family = name.split('{').next().unwrap();
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| family.strip_suffix(end).filter(|f| typed.contains(f)))
                .unwrap_or(family);
            assert!(typed.contains(&family), "{family} has no type");
        }
        let unique: BTreeSet<&&str> = typed.iter().collect();
        assert_eq!(unique.len(), typed.len());
    }
}
