//! What happened, counted; names as in Prometheus.

use wakegate::decision::{Reason, Verdict};
use wakegate::metric::{Counter, Metric};

macro_rules! counters {
    ($($field:ident $kind:ident $name:literal $help:literal)*) => {
        /// Everything the Wyoming server and the proxy count, since the start.
        #[derive(Debug, Default)]
        pub struct Counters {
            $(#[doc = $help] pub $field: Counter,)*
        }

        impl Counters {
            /// All of them, in a fixed order.
            pub fn metrics(&self) -> Vec<Metric> {
                vec![$(Metric {
                    name: concat!("wakegate_wyoming_", $name),
                    kind: stringify!($kind),
                    help: $help,
                    reason: None,
                    value: self.$field.get(),
                },)*]
            }
        }
    };
}

counters! {
    clients gauge "clients" "Clients that are connected."
    connections counter "connections_total" "Clients that have connected."
    refused counter "clients_refused_total" "Clients turned away because there were too many."
    malformed counter "malformed_total" "Clients closed for bytes that are not the protocol."
    over_limit counter "over_limit_total" "Clients closed for an event over a limit."
    stalled counter "stalled_total" "Clients closed in the middle of an event that did not go on."
    idle counter "idle_total" "Clients closed because they sent nothing for too long."
    slow_readers counter "slow_readers_total" "Clients closed because they left our events unread."
    failures counter "failures_total" "Clients closed because their audio could not be judged."
    panics counter "panics_total" "Clients closed by a fault of this program."
    accept_errors counter "accept_errors_total" "Connections that could not be accepted."
    events counter "events_total" "Events that clients sent."
    samples counter "samples_total" "Samples judged, at 16 kHz."
    unknown_names counter "unknown_names_total" "Wake words asked for that are not served."
    words counter "words_total" "Wake words said, whatever they were meant for."
    intended counter "activations_intended_total" "Activations judged intended."
    not_wake_word counter "activations_not_wake_word_total"
        "Activations judged accidental: another word, or noise."
    not_addressed counter "activations_not_addressed_total"
        "Activations judged accidental: the word in passing."
    unsure counter "activations_unsure_total" "Activations between the two thresholds; not reported."
    detections counter "detections_total" "Detections sent to clients."
    not_detected counter "not_detected_total" "Streams that ended without a detection."
    dropped_verdicts counter "dropped_verdicts_total"
        "Verdicts that the rest of the program was too busy to take."
    upstream_connects counter "upstream_connects_total" "Connections made to the upstream engine."
    upstream_failures counter "upstream_failures_total"
        "Times that the upstream engine was not there, or went away."
    upstream_detections counter "upstream_detections_total" "Detections of the upstream engine."
    upstream_unjudged counter "upstream_unjudged_total"
        "Upstream detections dropped unjudged: late, of a word not asked for, or without its audio."
    upstream_missed counter "upstream_missed_chunks_total"
        "Audio chunks that the upstream engine did not get because it was not there."
}

impl Counters {
    /// Counts a verdict by its reason.
    pub(super) fn judged(&self, verdict: Verdict, reason: Reason) {
        match (verdict, reason) {
            (Verdict::Intended, _) => self.intended.inc(),
            (Verdict::Unsure, _) => self.unsure.inc(),
            (Verdict::Accidental, Reason::NotAddressed) => self.not_addressed.inc(),
            (Verdict::Accidental, _) => self.not_wake_word.inc(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_of_their_kind() {
        let metrics = Counters::default().metrics();
        let mut names: Vec<_> = metrics.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), metrics.len());
        for metric in metrics {
            assert_eq!(metric.name.ends_with("_total"), metric.kind == "counter", "{metric:?}");
            assert!(metric.help.ends_with('.') && metric.value == 0);
        }
    }

    #[test]
    fn a_verdict_counts_once_by_its_reason() {
        let counters = Counters::default();
        counters.judged(Verdict::Intended, Reason::Intended);
        counters.judged(Verdict::Unsure, Reason::NotAddressed);
        counters.judged(Verdict::Accidental, Reason::NotAddressed);
        counters.judged(Verdict::Accidental, Reason::NotWakeWord);
        let values = [&counters.intended, &counters.unsure, &counters.not_addressed];
        assert!(values.iter().all(|counter| counter.get() == 1));
        assert_eq!(counters.not_wake_word.get(), 1);
    }
}
