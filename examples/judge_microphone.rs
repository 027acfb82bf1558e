//! Judges the default microphone until it is interrupted.
//!
//! ```console
//! $ cargo run --release --features capture --example judge_microphone
//! ```

use std::thread::sleep;
use std::time::Duration;

use wakegate::audio::ring::Channel;
use wakegate::audio::{Card, CardSettings, Input, Resampler};
use wakegate::model::Model;
use wakegate::pipeline::{Activation, Pipeline};

fn main() -> wakegate::Result<()> {
    let mut pipeline = Pipeline::new(&Model::embedded()?)?;
    let mut card = Card::new(CardSettings {
        device: None,
        rate: None,
        channels: None,
        channel: Channel::Mix,
        ring_s: 1.0,
    });
    let mut stream = card.open()?;
    let mut resampler = Resampler::new(stream.rate)?;
    let mut show = |a: Activation| println!("{} ({})", a.verdict, a.reason);
    let (mut block, mut mono) = (Vec::new(), Vec::new());
    loop {
        while stream.reader.pop(&mut block).is_some() {
            mono.clear();
            resampler.push(&block, &mut mono)?;
            pipeline.push(&mono, &mut show)?;
        }
        if let Some(fault) = stream.fault().filter(|fault| fault.fatal) {
            return Err(fault.into_error(card.name()));
        }
        sleep(Duration::from_millis(10));
    }
}
