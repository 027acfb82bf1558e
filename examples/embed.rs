//! The smallest program around the library: raw PCM on standard input, a line for each verdict.
//!
//! ```console
//! $ arecord -q -t raw -f S16_LE -r 16000 -c 1 | cargo run --release --example embed
//! ```

use wakegate::audio::{RawPcm, SAMPLE_RATE, Source};
use wakegate::model::Model;
use wakegate::pipeline::{Activation, Pipeline};

fn main() -> wakegate::Result<()> {
    let mut source = RawPcm::new(std::io::stdin());
    let mut pipeline = Pipeline::new(&Model::embedded()?)?;
    let mut show = |activation: Activation| {
        let end_s = activation.end_sample as f64 / f64::from(SAMPLE_RATE);
        println!("{end_s:8.2} s  {:10}  {}", activation.verdict, activation.posteriors.intended());
    };
    // Chunks of any size give the same verdicts.
    let mut block = [0.0; 1_600];
    loop {
        match source.read(&mut block)? {
            0 => return pipeline.finish(&mut show),
            count => pipeline.push(&block[..count], &mut show)?,
        }
    }
}
