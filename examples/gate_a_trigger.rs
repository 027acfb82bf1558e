//! Holds the triggers of another wake-word engine against the verifier: only those that were
//! meant for the device go on.
//!
//! Here the "engine" is a list of moments on the command line, in seconds from the start of the
//! raw PCM on standard input (16 kHz, mono, signed 16 bit, little-endian):
//!
//! ```console
//! $ cargo run --release --example gate_a_trigger -- 1.76 < recording.raw
//! ```

use wakegate::audio::{RawPcm, SAMPLE_RATE, read_all};
use wakegate::decision::Verdict;
use wakegate::model::Model;
use wakegate::pipeline::{Activation, Pipeline};

fn main() -> wakegate::Result<()> {
    let samples = read_all(&mut RawPcm::new(std::io::stdin()))?;
    let mut triggers: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse::<f64>().ok())
        .map(|seconds| (seconds.max(0.0) * f64::from(SAMPLE_RATE)) as u64)
        .collect();
    triggers.sort_unstable();
    let mut pipeline = Pipeline::without_spotter(&Model::embedded()?)?;
    let mut decide = |activation: Activation| match activation.verdict {
        Verdict::Intended => println!("wake: {}", activation.end_sample),
        _ => println!("stay asleep: {} ({})", activation.end_sample, activation.reason),
    };
    let mut heard = 0;
    for trigger in triggers {
        // An engine tells of a word once it has heard it, and so do we.
        let until = usize::try_from(trigger).unwrap_or(usize::MAX).min(samples.len()).max(heard);
        pipeline.push(&samples[heard..until], &mut decide)?;
        heard = until;
        pipeline.judge_at(trigger)?;
    }
    pipeline.push(&samples[heard..], &mut decide)?;
    pipeline.finish(&mut decide)
}
